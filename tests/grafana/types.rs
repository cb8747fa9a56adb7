//! The dashboard by the types that Grafana publishes, as TypeScript's compiler sees it.

use std::fs;
use std::process::Command;

use crate::dashboard::{path, text};

/// What the compiler says of the dashboard, given as this text.
fn compile(json: &str) -> Result<(), String> {
    let types = path("tests/grafana/types");
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
        .expect("node is there, for npm installed the compiler");
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
fn the_compiler_would_say_if_it_had_not() {
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
        assert_ne!(changed, text(), "{right} stands there");
        let complaints = compile(&changed).expect_err(wrong);
        assert!(complaints.contains(complaint), "{wrong}: {complaints}");
    }
}
