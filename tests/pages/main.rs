//! The pages and the JSON API over real sockets: what is shown of a store that a test fills.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod api;
#[path = "../client/mod.rs"]
mod client;
mod pasted;
mod served;
mod support;
