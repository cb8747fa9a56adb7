//! The web configuration file over real TLS: who gets in, and what changes without a restart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod files;
mod passwords;
mod probe;
mod server;
mod strangers;
mod tls;
