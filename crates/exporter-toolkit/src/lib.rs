//! An HTTP server for Prometheus exporters.
//!
//! Nothing here reads a clock for a metric, opens an address that was not configured, or waits for an
//! exporter's data: a scrape shows what the exporter has. Implement [`Exporter`], and serve it with a
//! [`Server`].
#![doc = include_str!("../README.md")]

mod accept;
mod address;
mod body;
mod cache;
mod connection;
mod exporter;
pub mod files;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod healthcheck;
mod listener;
mod listeners;
mod negotiate;
mod origin;
mod progress;
mod reload;
mod reply;
mod server;
mod settings;
mod site;
mod web_config;

pub use address::{ListenAddress, ListenAddressError};
pub use body::{PackedLines, Packer};
pub use exporter::{Exporter, Page};
pub use format::{Format, MetricsWriter};
pub use healthcheck::{Health, HealthError, HealthUrl, HealthUrlError, healthcheck};
/// The HTTP types of [`Page`] and of [`Exporter::external_url`].
pub use hyper;
pub use listener::{BindError, Listener};
pub use listeners::Listeners;
pub use reload::{ReloadRequests, Reloaded, Reloads};
pub use server::Server;
pub use settings::{Limits, Settings};
pub use web_config::{WebConfig, WebConfigError};
