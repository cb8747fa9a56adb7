//! End to end: the built binary as a child process over the simulated AWS.
//!
//! No test here uses the daemon's library or a program outside Rust; `tests/tools` has those that
//! need programs. All modules are one binary, so that there is one link step.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod core;
mod crashes;
mod credentials;
mod demo;
mod evidence;
mod exceptions;
mod files;
mod organizations;
mod probes;
mod push;
mod reloads;
mod reports;
mod schedule;
mod secrets;
mod signals;
mod state;
