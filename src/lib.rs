//! The modules of `aws-root-exporter`. `ARCHITECTURE.md` describes them and their order.

pub mod account;
pub mod activity;
mod advice;
pub mod aws;
pub mod backoff;
pub mod build;
pub mod cli;
pub mod clock;
pub mod config;
pub mod discovery;
pub mod events;
pub mod failure;
pub mod metrics;
mod pages;
pub mod schedule;
pub mod site;
pub mod state;
pub mod views;
