//! The web configuration file over real TLS: which clients are admitted, and what changes without a
//! restart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod files;
mod handshakes;
mod healthcheck;
mod passwords;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod tls;
