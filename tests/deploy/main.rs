//! The files of `deploy/` and the `Dockerfile`, judged by their own ecosystem's programs and held
//! to what this binary takes.
//!
//! `make test` installs the programs (`tests/tools/install.sh`). Where one is missing, its tests
//! fail and say so.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod aws;
mod cloudformation;
mod compose;
mod dockerfile;
mod kubernetes;
mod policies;
mod support;
mod systemd;
