//! The catalogue of families, and a snapshot as bytes in each format.
//!
//! Only this room knows what a figure is called. It reads a [`Snapshot`] and the process's own
//! entry in `/proc`, and never AWS, the schedule or the network.
//!
//! * `family` says what a family is: its name, its meaning and how its series are written, in one
//!   value. `root`, `account`, `users`, `exporter` and `process` declare them.
//! * `facts` is what the families draw from: a snapshot with its texts prepared once a rendering.
//! * `output` passes the bytes on in pieces, and turns OpenMetrics into the older text format on the way.
//! * `docs` writes `docs/metrics.md` from the catalogue.
//!
//! Ground rules: a series says what is known, and what was never learnt is absent; points in time
//! are Unix timestamps, never ages; the order of the series is that of the catalogue, and within
//! a family that of the account ids.

mod account;
mod docs;
mod exporter;
mod facts;
mod family;
mod output;
mod process;
mod root;
mod users;

use std::io;
use std::sync::LazyLock;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use crate::views::Snapshot;

pub use docs::markdown;
pub use family::{Family, Kind, Section, Stability, Unit};

use facts::Facts;
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

/// What the configuration says of the metrics. The default shows no figures of IAM users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `users.aggregate`: whether the IAM users are shown in numbers.
    pub users_aggregate: bool,
    /// `users.key_age_days`: the ages in days that active keys of IAM users are counted by.
    pub key_age_days: Vec<u32>,
    /// `users.unused_days`: the days of disuse that credentials of IAM users are counted by.
    pub unused_days: Vec<u32>,
    /// `web.external_url`: where people open the exporter's pages.
    pub external_url: Option<String>,
}

/// All families, in the order in which they are exposed.
#[must_use]
pub fn catalogue() -> &'static [Family] {
    static CATALOGUE: LazyLock<Vec<Family>> = LazyLock::new(|| {
        [
            root::FAMILIES,
            account::FAMILIES,
            users::FAMILIES,
            users::DETAIL_FAMILIES,
            exporter::FAMILIES,
            process::FAMILIES,
        ]
        .concat()
    });
    &CATALOGUE
}

/// Writes all that a snapshot says in a format.
///
/// The bytes go out in pieces of 64 KiB: the whole text, 20 MB for a large organization, is never
/// in memory. `out` is not flushed.
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
    // A collector must own what it shows. The copy is of a list of pointers and of a few counters.
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Facts::new(snapshot.clone(), options)));
    let mut output = Output::new(out, format);
    let written = text::encode(&mut output, &registry);
    output.finish(written)
}

#[cfg(test)]
mod tests;
