//! Shared by the tests of this folder.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use test_support::program::{texts, venv};
use test_support::repository;

/// What a Python script of this folder prints as JSON when it reads `input`.
pub fn python(script: &str, arguments: &[&str], input: &str) -> Value {
    let mut python = Command::new(venv("python"))
        .arg(repository("tests/deploy").join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`make test` makes .venv");
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{script} {arguments:?}: {err}");
    serde_json::from_str(&out).expect("the script prints JSON")
}

/// Visits a value and every value in it.
pub fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(fields) => fields.values().for_each(|field| walk(field, visit)),
        _ => {}
    }
}
