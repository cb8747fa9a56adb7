//! The Grafana dashboard and what provisions it.
//!
//! `form` checks the file's structure, `types` checks it against the types that Grafana publishes,
//! `choices` checks the variables and that queries use them, `catalogue` the metrics that queries name,
//! and `queries` runs them on a real Prometheus that scrapes the demo. Grafana itself does not run here.
//!
//! `make test` installs the programs. A test fails if its program is missing; none is skipped.
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
