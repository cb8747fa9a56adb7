//! The modules of `aws-root-exporter`. `ARCHITECTURE.md` describes them and their order.

pub mod account;
mod advice;
pub mod aws;
pub mod backoff;
pub mod build;
pub mod cli;
pub mod clock;
pub mod config;
pub mod discovery;
pub mod failure;
pub mod metrics;
mod pages;
pub mod schedule;
pub mod site;
pub mod state;
pub mod views;
