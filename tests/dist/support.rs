//! Shared by the tests of this folder.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use test_support::program::{succeed, texts, venv};
use test_support::repository;

pub const NAME: &str = "aws-root-exporter";
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Rust's name of the target for this machine.
pub fn host() -> String {
    format!("{ARCH}-unknown-linux-musl")
}

/// A file of the release.
pub fn dist(name: impl AsRef<Path>) -> PathBuf {
    let path = repository("dist").join(name);
    assert!(
        path.exists(),
        "{} is missing: run `make dist`",
        path.display()
    );
    path
}

/// The statement about the release.
pub fn provenance() -> Value {
    let text = fs::read_to_string(dist(format!("{NAME}-{VERSION}.intoto.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The targets of the release.
pub fn targets() -> Vec<String> {
    let build = provenance()["predicate"]["buildDefinition"].take();
    serde_json::from_value(build["internalParameters"]["targets"].clone()).unwrap()
}

/// Unpacks the tarball of a target, and returns the folder that it holds.
pub fn unpack(target: &str, folder: &TempDir) -> PathBuf {
    let top = format!("{NAME}-{VERSION}-{target}");
    succeed(
        Command::new("tar")
            .args(["--extract", "--file"])
            .arg(dist(format!("{top}.tar.gz")))
            .arg("--directory")
            .arg(folder.path()),
    );
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, [top.as_str()]);
    folder.path().join(top)
}

/// A program that is run by root.
pub fn as_root(program: &str) -> Command {
    let user = succeed(Command::new("id").arg("-u"));
    if user.trim() == "0" {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", program]);
    command
}

/// Runs a daemon in a root folder by `run_image.py`, which gets its configuration as an image has it, and
/// returns what it printed.
pub fn run(root: &Path, configuration: &Value, arguments: &[&str]) -> Value {
    let mut runner = as_root("unshare")
        .args(["--mount", "--net", "--propagation", "private", "--"])
        .arg(venv("python"))
        .arg(repository("tests/dist/run_image.py"))
        .arg(root)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare is part of every Linux");
    let input = runner.stdin.take().unwrap();
    serde_json::to_writer(input, configuration).unwrap();
    let output = runner.wait_with_output().unwrap();
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{arguments:?}: {err}");
    serde_json::from_str(&out).expect("the script prints JSON")
}
