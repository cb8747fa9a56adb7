//! The daemon's library from outside: configuration, pages and API, generated documents, the seeds of
//! the fuzz targets.
//!
//! All modules are one binary: what links the library links the AWS SDK, which takes long.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod config;
mod fuzz;
mod pages;
mod reference;
