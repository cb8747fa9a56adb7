//! What every end-to-end test builds on: child processes, HTTP, the parsed exposition.
//!
//! Waits are polls or condition variables with a bound; nothing sleeps for a fixed time and
//! nothing is tried again that should have worked.

pub mod alertmanager;
pub mod aws;
pub mod daemon;
pub mod exposition;
pub mod http;
pub mod paging;
pub mod process;
pub mod prometheus;
pub mod scripted;
pub mod simulated;
pub mod state;
pub mod webhook;

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that is only waited for, not measured: it bounds a failure on a
/// slow and busy machine, and costs nothing when all is well.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until `look` finds what it wants, and fails with its last reason once `bound` is over.
pub fn eventually<T>(bound: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(reason) if started.elapsed() > bound => {
                panic!("not within {} s: {reason}", bound.as_secs())
            }
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// The Python of the virtual environment that `make test` fills.
pub fn python() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python")
}

/// Makes a library of a C file of this folder at `path`, by the linker that Rust itself needs, and
/// says where it is: for `LD_PRELOAD`.
pub fn library(source: &str, path: &Path) -> String {
    let done = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(path)
        .arg(script(source))
        .status()
        .expect("Rust's linker is there");
    assert!(done.success(), "cc: {done}");
    path.display().to_string()
}

/// A script of this folder.
pub fn script(name: &str) -> String {
    format!("{}/tests/e2e/{name}", env!("CARGO_MANIFEST_DIR"))
}
