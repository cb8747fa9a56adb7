//! The alerts: their rules by promtool, their routes by amtool, their runbooks and their style.
//!
//! `make test` installs the programs. Where one is missing a test fails; it never skips.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod cases;
mod routes;
mod runbooks;
mod samples;
mod scenarios;
mod scrapes;
mod style;
mod support;
mod timeline;
