//! Checks the dashboard against the types that Grafana publishes, with the TypeScript compiler.

use std::fs;
use std::process::Command;

use test_support::repository;

use crate::dashboard::text;

/// Compiles a dashboard; the error is what the compiler prints.
fn compile(json: &str) -> Result<(), String> {
    let types = repository("tests/grafana/types");
    let compiler = types.join("node_modules/.bin/tsc");
    assert!(
        compiler.exists(),
        "{} is missing: run `make test`, which installs it",
        compiler.display()
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let types = types.display();
    let program = format!(
        "import type {{ DashboardFile }} from '{types}/panels';\nexport const dashboard: DashboardFile = {json};\n"
    );
    fs::write(folder.path().join("dashboard.ts"), program).unwrap();
    let project =
        format!("{{ \"extends\": \"{types}/tsconfig.json\", \"files\": [\"dashboard.ts\"] }}");
    fs::write(folder.path().join("tsconfig.json"), project).unwrap();
    let output = Command::new(compiler)
        .arg("--project")
        .arg(folder.path())
        .output()
        .expect("node is installed, since npm installed the compiler");
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_dashboard_has_the_types_of_grafana() {
    if let Err(complaints) = compile(&text()) {
        panic!("{complaints}");
    }
}

#[test]
fn the_compiler_rejects_wrong_dashboards() {
    for (right, wrong, complaint) in [
        (
            "\"graphTooltip\": 1",
            "\"graphTooltip\": 7",
            "Type '7' is not assignable",
        ),
        (
            "\"noValue\"",
            "\"noValues\"",
            "'\"noValues\"' does not exist",
        ),
        (
            "\"mode\": \"thresholds\"",
            "\"mode\": \"threshold\"",
            "'\"threshold\"' is not assignable",
        ),
        (
            "\"colorMode\": \"background\"",
            "\"colorMode\": \"all\"",
            "'\"all\"' is not assignable",
        ),
        ("\"showHeader\": true,", "", "showHeader"),
    ] {
        let changed = text().replacen(right, wrong, 1);
        assert_ne!(changed, text(), "the dashboard has no {right}");
        let complaints = compile(&changed).expect_err(wrong);
        assert!(complaints.contains(complaint), "{wrong}: {complaints}");
    }
}
