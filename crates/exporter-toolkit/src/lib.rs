//! An HTTP server for Prometheus exporters.
//!
//! Implement [`Exporter`], and a [`Server`] serves it as Prometheus' own exporters are served:
//!
//! * `web.yml` with TLS, client certificates, passwords, headers and a limit of requests, in the
//!   format of Prometheus' exporter-toolkit: [`WebConfig`];
//! * `/-/healthy`, `/-/ready`, and `POST /-/reload` for [`Reloads`];
//! * OpenMetrics or the older text format, with or without gzip, as the client accepts;
//! * metrics that are written once for all clients that ask at the same time;
//! * systemd's sockets: [`Listeners`]; and [`healthcheck()`] for container images.
//!
//! Clients are limited ([`Limits`]): one that holds connections, sends slowly, takes no answer or
//! guesses passwords does not keep a scraper waiting.
//!
//! The README has an example to start with, and a table of the keys of web.yml.
//!
//! Nothing here reads a clock for a metric, opens an address that was not configured, or waits for
//! an exporter's data: a scrape shows what the exporter has.

mod accept;
mod address;
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
pub use exporter::{Exporter, Page};
pub use format::{Format, MetricsWriter};
pub use healthcheck::{Health, HealthError, HealthUrl, HealthUrlError, healthcheck};
pub use hyper;
pub use listener::{BindError, Listener, bind, listen};
pub use listeners::Listeners;
pub use reload::{ReloadRequests, Reloaded, Reloads};
pub use server::Server;
pub use settings::{Limits, Settings};
pub use web_config::{WebConfig, WebConfigError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
