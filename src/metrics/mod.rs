//! The catalogue of metric families, and a snapshot rendered in each format.
//!
//! Only this module decides the name of a metric. It reads a [`Snapshot`] and the process's own
//! entry in `/proc`, and never AWS, the schedule or the network.
//!
//! * `family` defines a family: its name, its meaning and how its series are written, in one value.
//!   `root`, `account`, `users` and `exporter` declare them.
//! * `data` is what the families read: a snapshot, with its texts prepared once for each rendering.
//! * `output` passes the bytes on in pieces, and turns OpenMetrics into the older text format.
//!
//! Rules: a value that was never learned is absent; points in time are Unix timestamps, never ages;
//! the order of the series is that of the catalogue, and within a family that of the account ids.

mod account;
mod data;
mod exporter;
mod family;
mod output;
mod process;
mod root;
mod users;

use std::fmt;
use std::io;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use crate::views::Snapshot;

pub use data::Options;
pub use family::{Family, Stability};
pub use prometheus_client::metrics::MetricType;

use data::Data;
use output::Output;

/// A format in which metrics are exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Text,
}

impl Format {
    /// The value of the header `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// All families by section, in the order in which they are exposed: the root user, accounts, IAM
/// users in numbers, IAM users by name, the exporter, its process.
pub const SECTIONS: [&[Family]; 6] = [
    root::FAMILIES,
    account::FAMILIES,
    users::FAMILIES,
    users::DETAIL_FAMILIES,
    exporter::FAMILIES,
    exporter::PROCESS_FAMILIES,
];

/// All families, in the order in which they are exposed.
pub fn catalogue() -> impl Iterator<Item = &'static Family> {
    SECTIONS.into_iter().flatten()
}

/// Renders a snapshot in a format.
///
/// The bytes are written in pieces of 64 KiB: the whole text, 20 MB for a large organization, is
/// never in memory. `out` is not flushed.
///
/// # Errors
///
/// What `out` fails with. The text written until then is cut off.
pub fn render(
    snapshot: &Snapshot,
    options: &Options,
    format: Format,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    // A collector must own its data. The copy is of a list of pointers and of a few counters.
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Data::new(snapshot.clone(), options)));
    let mut output = Output::new(out, format);
    let written = text::encode(&mut output, &registry);
    output.finish(written)
}

impl Collector for Data {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        catalogue().try_for_each(|family| family.encode(self, &mut encoder))
    }
}

#[cfg(test)]
mod tests;
