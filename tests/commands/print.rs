//! `print`: the repository's own files.

use test_support::repository;
use test_support::run::Bench;

fn content(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}

#[test]
fn the_printed_configuration_is_config_toml_and_valid() {
    let bench = Bench::new();
    let printed = bench.run("print config").exits(0).out;
    assert_eq!(printed, content("config.toml"));
    bench.file("printed.toml", printed);
    bench
        .run("--config.check --config.file printed.toml")
        .exits(0)
        .says("the configuration is good (printed.toml)");
}

#[test]
fn the_other_files_are_those_of_the_repository() {
    for (name, path) in [
        ("rules", "deploy/prometheus/aws-root-exporter.rules.yml"),
        (
            "iam-users-rules",
            "deploy/prometheus/aws-iam-users.rules.yml",
        ),
        ("alertmanager", "deploy/alertmanager/alertmanager.yml"),
        ("dashboard", "grafana/aws-root-exporter.json"),
    ] {
        let printed = Bench::new().run(&format!("print {name}")).exits(0).out;
        assert!(printed == content(path), "{name} differs from {path}");
    }
}

#[test]
fn each_runbook_is_printed_by_its_name_and_without_one_the_names() {
    let bench = Bench::new();
    let names = bench.run("print runbook").exits(0).out;
    assert!(names.lines().count() > 20, "{names}");
    for name in names.lines() {
        let printed = bench.run(&format!("print runbook {name}")).exits(0).out;
        assert!(
            printed == content(&format!("deploy/runbooks/{name}.md")),
            "{name}"
        );
    }
    bench
        .run("print runbook AWSRootAccessKey")
        .exits(2)
        .complains("there is no runbook \"AWSRootAccessKey\" (known: AWS");
    bench
        .run("print rules AWSRootAccessKeyActive")
        .exits(2)
        .complains("needs a runbook");
}

#[test]
fn the_rules_are_printed_with_another_url_of_runbooks() {
    for file in ["rules", "iam-users-rules"] {
        let bench = Bench::new();
        let line = format!("print {file} --runbook-url https://wiki.example.com/aws/");
        let printed = bench.run(&line).exits(0).out;
        let own = printed
            .lines()
            .filter_map(|line| line.trim().strip_prefix("runbook_url: "))
            .map(|url| url.strip_prefix("https://wiki.example.com/aws/").unwrap());
        let alerts = printed
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- alert: "));
        let pages: Vec<String> = alerts.map(|alert| format!("{alert}.md")).collect();
        assert!(!pages.is_empty());
        assert_eq!(own.collect::<Vec<_>>(), pages);
        // Nothing else differs.
        let rules = bench.run(&format!("print {file}")).exits(0).out;
        let others = |text: &str| {
            let lines = text.lines().filter(|line| !line.contains("runbook_url: "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(others(&printed), others(&rules));
    }
}
