//! The rooms of `aws-root-exporter`.
//!
//! `ARCHITECTURE.md` says how they hang together.

pub mod account;
pub mod address;
mod advice;
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
