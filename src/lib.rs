//! The rooms of `aws-root-exporter`.
//!
//! `ARCHITECTURE.md` says how they hang together.

pub mod account;
pub mod aws;
pub mod build;
pub mod cli;
pub mod clock;
pub mod config;
pub mod discovery;
pub mod evidence;
pub mod metrics;
pub mod posture;
pub mod refresh;
pub mod report;
pub mod simulator;
pub mod state;
pub mod store;
pub mod views;
pub mod web;
