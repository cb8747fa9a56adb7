//! What the test suites share, each thing once: child processes, HTTP clients and servers, expositions,
//! state files, programs outside Rust, and a simulated AWS.
//!
//! Waits are polls or condition variables with a bound; nothing sleeps for a fixed time, and nothing is
//! tried again that should have worked. Nothing here uses the daemon's library.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

pub mod daemon;
pub mod exposition;
pub mod http;
pub mod process;
pub mod program;
pub mod prometheus;
pub mod recorded;
pub mod run;
pub mod server;
pub mod simulated;
pub mod state;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

/// The bound of a wait whose length is not what the test measures: it ends a failure on a slow and busy
/// machine, and costs nothing when all is well.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `check` until it succeeds, and fails with its last reason once `bound` is over.
pub fn eventually<T>(bound: Duration, mut check: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        match check() {
            Ok(found) => return found,
            Err(reason) if started.elapsed() > bound => {
                panic!("not within {} s: {reason}", bound.as_secs())
            }
            Err(_) => thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// A path from the top of the repository.
pub fn repository(path: impl AsRef<Path>) -> PathBuf {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.nth(2).expect("tests/support").join(path)
}

/// Checks that a generated document is this, or writes it if `UPDATE_DOCS` is set. `command` is what the
/// failure names to do so.
pub fn check_document(path: &str, content: &str, command: &str) {
    let file = repository(path);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, content).unwrap();
    }
    let is_current = fs::read_to_string(&file).is_ok_and(|found| found == content);
    assert!(
        is_current,
        "{path} is outdated; write it with UPDATE_DOCS=1 {command}"
    );
}

/// A listener on a free port of loopback.
pub fn listen() -> TcpListener {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port")
}
