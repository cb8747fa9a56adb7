//! The simulator from outside: over a real connection, with a clock that the tests move.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod client;
mod events;
mod faults;
mod iam;
mod organizations;
mod sdk;
mod sqs;
mod sts;
