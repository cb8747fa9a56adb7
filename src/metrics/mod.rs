//! The catalogue of metric families, and a snapshot written as OpenMetrics.
//!
//! Only this module decides the name of a metric. It reads a [`Snapshot`] and the process's own
//! entry in `/proc`, and never AWS, the schedule or the network.
//!
//! * `family` defines a family: its name, its meaning and how its series are written, in one value.
//!   `root`, `account`, `users` and `exporter` declare them.
//! * `data` is what the families read: a snapshot, with its texts prepared once for each rendering.
//! * `renderer` writes a snapshot, and renders of the accounts only what has changed since the last.
//!
//! Rules: a value that was never learned is absent; points in time are Unix timestamps, never ages;
//! the order of the series is that of the catalogue, and within a family that of the account ids.

mod account;
mod data;
mod exporter;
mod family;
mod process;
mod renderer;
mod root;
mod users;

pub use data::Options;
pub use family::{Family, Stability};
pub use prometheus_client::metrics::MetricType;
pub use renderer::Renderer;

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

#[cfg(test)]
mod tests;
