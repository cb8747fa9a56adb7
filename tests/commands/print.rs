//! `print`: the repository's own files.

use crate::support::Bench;

fn repository(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_printed_configuration_is_the_commented_one_and_is_good() {
    let bench = Bench::new();
    let printed = bench.run("print config").exits(0).out;
    assert_eq!(printed, repository("config.toml"));
    bench.file("printed.toml", printed);
    bench
        .run("--config.check --config.file printed.toml")
        .exits(0)
        .says("the configuration is good (printed.toml)");
}

#[test]
fn the_other_files_are_the_repository_s() {
    for (name, path) in [
        ("rules", "deploy/prometheus/aws-root-exporter.rules.yml"),
        ("alertmanager", "deploy/alertmanager/alertmanager.yml"),
        ("dashboard", "grafana/aws-root-exporter.json"),
    ] {
        let printed = Bench::new().run(&format!("print {name}")).exits(0).out;
        assert!(printed == repository(path), "{name} differs from {path}");
    }
}
