//! The Grafana dashboard and what provisions it.
//!
//! `form` checks the file by itself, `types` by the types that Grafana publishes, `choices` what every
//! reader of it may choose, `catalogue` the families that its queries name, and `queries` the answers of
//! a real Prometheus that scrapes the demo. Grafana itself does not run here.
//!
//! `make test` installs the programs. Where one is missing a test fails; it never skips.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod catalogue;
mod choices;
mod dashboard;
mod form;
mod promql;
mod provisioning;
mod queries;
mod types;
