//! What the tests of this folder share: programs that judge, and YAML as JSON values.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A path from the top of the repository.
pub fn repository(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A program of the virtual environment that `make test` fills.
pub fn venv(program: &str) -> PathBuf {
    repository(".venv/bin").join(program)
}

/// The binary under test.
pub fn exporter() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-root-exporter"));
    // Nothing of this machine's settings gets in.
    command.env_clear();
    command
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
    let (out, err) = texts(&output);
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{out}{err}",
        output.status
    );
    out
}

/// Runs a program that must be content and say nothing.
pub fn silent(command: &mut Command) {
    let output = finish(command);
    let (out, err) = texts(&output);
    assert!(
        output.status.success() && out.trim().is_empty() && err.trim().is_empty(),
        "{command:?} ended with {} and was not silent:\n{out}{err}",
        output.status
    );
}

/// Standard output and standard error as text.
pub fn texts(output: &Output) -> (String, String) {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The documents of YAML files. A tag of `CloudFormation` reads as its long form:
/// `!Sub x` as `{"Fn::Sub": "x"}`.
pub fn yaml<P: AsRef<OsStr>>(files: impl IntoIterator<Item = P>) -> Vec<Value> {
    let mut command = Command::new(venv("python"));
    command
        .arg(repository("tests/deploy/yaml_to_json.py"))
        .args(files);
    serde_json::from_str(&content(&mut command)).expect("the script writes JSON")
}

/// Every value below this one, itself first.
pub fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(fields) => fields.values().for_each(|field| walk(field, visit)),
        _ => {}
    }
}
