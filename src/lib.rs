//! The modules of `aws-root-exporter`. `ARCHITECTURE.md` describes them and their order.

pub mod account;
pub mod address;
pub mod aws;
pub mod backoff;
pub mod build;
pub mod cli;
pub mod clock;
pub mod config;
pub mod discovery;
pub mod failure;
pub mod files;
pub mod metrics;
pub mod schedule;
pub mod simulator;
pub mod state;
pub mod views;
pub mod web;
