//! The files of a release, as `make dist` made them in `dist/`: each is opened and used, and made a second
//! time. `make dist-test` runs this; it needs root, or sudo.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod image;
mod libraries;
mod packages;
mod release;
mod support;
