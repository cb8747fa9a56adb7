//! The catalogue of families, and a snapshot written as OpenMetrics.
//!
//! Only this room knows what a figure is called. It reads a [`Snapshot`] and the process's own
//! entry in `/proc`, and never AWS, the schedule or the network.
//!
//! * `family` says what a family is: its name, its meaning and how its series are written, in one
//!   value. `root`, `account`, `users`, `exporter` and `process` declare them.
//! * `facts` is what the families draw from: a snapshot with its texts prepared once a rendering.
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
mod process;
mod root;
mod users;

use std::fmt;
use std::sync::LazyLock;

use exporter_toolkit::MetricsWriter;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use crate::views::Snapshot;

pub use docs::markdown;
pub use family::{Family, Kind, Section, Stability, Unit};

use facts::Facts;

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

/// Writes all metrics of a snapshot.
///
/// # Errors
///
/// Those of `out`. The text written until then is cut off.
pub fn write(snapshot: &Snapshot, options: &Options, out: &mut MetricsWriter<'_>) -> fmt::Result {
    // A collector must own what it shows. The copy is of a list of pointers and of a few counters.
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Facts::new(snapshot.clone(), options)));
    text::encode(out, &registry)
}

#[cfg(test)]
mod tests;
