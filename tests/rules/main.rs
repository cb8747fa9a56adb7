//! The alerts: rules, tested with promtool; routes, tested with amtool; runbooks; style.
//!
//! `make test` installs the programs. A test fails if its program is missing; none is skipped.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod cases;
mod course;
mod events;
mod problems;
mod replicas;
mod routes;
mod runbooks;
mod samples;
mod scenarios;
mod scrapes;
mod style;
mod support;
mod timeline;
