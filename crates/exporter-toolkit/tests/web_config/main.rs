//! The web configuration file over real TLS: which clients are admitted, and what changes without a
//! restart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by failing, its helpers included"
)]
#![cfg_attr(
    not(feature = "tools"),
    allow(dead_code, reason = "the tests that use curl need the rest")
)]

mod files;
#[cfg(feature = "tools")]
mod handshakes;
mod healthcheck;
#[cfg(feature = "tools")]
mod passwords;
mod server;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tools")]
mod tls;
