//! End to end with programs outside Rust: Prometheus, promtool, Alertmanager, moto, Chromium, systemd,
//! libfaketime, a C compiler.
//!
//! `install.sh` installs them, and `make test` runs it. Where one is missing a test fails; it never
//! skips. `faults` needs none of them, but minutes.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod activation;
mod addresses;
mod browser;
mod clocks;
mod disks;
mod faults;
mod findings;
mod moto;
mod moto_events;
mod moto_organization;
mod paging;
mod prometheus;
mod push;
mod support;
