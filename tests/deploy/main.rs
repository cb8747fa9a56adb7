//! The files of `deploy/` and the `Dockerfile`, checked by the linters of their ecosystems and by this
//! project's binary.
//!
//! `make test` installs the programs (`tests/tools/install.sh`). A test fails if its program is missing.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod aws;
mod cloudformation;
mod compose;
mod dockerfile;
mod events;
mod helm;
mod kubernetes;
mod manifests;
mod mixin;
mod pattern;
mod policies;
mod support;
mod systemd;
mod terraform;
mod workflow;
