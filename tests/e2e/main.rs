//! End to end: the built binary as a child process, against programs that are not ours.
//!
//! moto stands in for AWS, a real Prometheus scrapes, promtool and Python's strict parser read
//! what is served; where AWS must have root keys, faults or an organization of a thousand accounts, the
//! project's own simulator does. Nothing else of the crate is reached into: what a test cannot see
//! from outside is not its business. All modules are one binary, so that there is one link step.
//!
//! `make test` installs the programs. Where one is missing a test fails; it never skips.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod activation;
mod addresses;
mod clocks;
mod core;
mod crashes;
mod credentials;
mod disks;
mod evidence;
mod faults;
mod figures;
mod files;
mod moto;
mod organizations;
mod paging;
mod probes;
mod prometheus;
mod reloads;
mod schedule;
mod secrets;
mod signals;
mod state;
mod support;
