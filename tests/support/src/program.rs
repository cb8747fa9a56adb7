//! Programs outside Rust that judge files. Where one is missing a test fails; it never skips.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::repository;

/// A program of the virtual environment that `make test` fills.
pub fn venv(program: &str) -> PathBuf {
    repository(".venv/bin").join(program)
}

/// Runs a program to its end.
pub fn finish(command: &mut Command) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    command.output().unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => panic!("{name} is missing: run `make test`, which installs it"),
        _ => panic!("{name} could not be started: {error}"),
    })
}

/// Runs a program that must succeed, and returns its standard output.
pub fn succeed(command: &mut Command) -> String {
    let output = finish(command);
    let (out, err) = texts(&output);
    let status = output.status;
    assert!(
        status.success(),
        "{command:?} ended with {status}:\n{out}{err}"
    );
    out
}

/// Runs a program that must succeed without any output.
pub fn succeed_silently(command: &mut Command) {
    let output = finish(command);
    let (out, err) = texts(&output);
    let is_silent = out.trim().is_empty() && err.trim().is_empty();
    assert!(
        output.status.success() && is_silent,
        "{command:?} ended with {} and this output:\n{out}{err}",
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
        .arg(repository("tests/support/yaml_to_json.py"))
        .args(files);
    serde_json::from_str(&succeed(&mut command)).expect("the script writes JSON")
}

/// Compiles a C file of `tests/tools` to a library for `LD_PRELOAD` at `path`, by the linker that Rust
/// itself needs, and returns the path as text.
pub fn library(source: &str, path: &Path) -> String {
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(path);
    succeed(compiler.arg(repository("tests/tools").join(source)));
    path.display().to_string()
}
