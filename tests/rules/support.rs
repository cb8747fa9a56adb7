//! What the tests of this folder share: where the files are, and programs that judge them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The rules about root users and the exporter, and those about IAM users.
pub const RULES: [&str; 2] = [
    "deploy/prometheus/aws-root-exporter.rules.yml",
    "deploy/prometheus/aws-iam-users.rules.yml",
];

/// A path from the top of the repository.
pub fn repository(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a program to its end.
pub fn finish(command: &mut Command) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    command.output().unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => panic!("{name} is missing: run `make test`, which installs it"),
        _ => panic!("{name} could not be started: {error}"),
    })
}

/// Runs a program that must be content, and hands out its standard output.
pub fn content(command: &mut Command) -> String {
    let output = finish(command);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{} ended with {}:\n{out}{}",
        command.get_program().to_string_lossy(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    out
}

/// A YAML file as JSON, by the virtual environment that `make test` fills.
pub fn yaml(path: &str) -> Value {
    let mut python = Command::new(repository(".venv/bin/python"));
    python
        .arg(repository("tests/deploy/yaml_to_json.py"))
        .arg(repository(path));
    let documents: Value = serde_json::from_str(&content(&mut python)).expect("JSON");
    documents[0].clone()
}
