//! The Grafana dashboard and what provisions it.
//!
//! `form` judges the file by itself, `types` by the types that Grafana publishes, `linter` by the
//! rules of Grafana's dashboard-linter, `catalogue` by the families that the exporter has, and
//! `queries` by the answers of a real Prometheus that scrapes the demo. Grafana itself is not
//! part of this: what it draws is not tested.
//!
//! `make test` installs the programs. Where one is missing a test fails; it never skips.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod catalogue;
mod dashboard;
mod form;
mod linter;
mod promql;
mod provisioning;
mod queries;
mod types;
