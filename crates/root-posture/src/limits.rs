//! The times by which evidence is judged.

use std::time::Duration;

/// How much older than its `GeneratedTime` the content of a credential report may be, and how far
/// one live source may lag behind another.
pub const MAX_LAG: Duration = Duration::from_secs(15 * 60);

/// How long a first start waits for a first report where only a summary has counted keys.
pub const FIRST_REPORT_WAIT: Duration = Duration::from_secs(2 * 60);

/// The configured times of the judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `refresh.interval`: how often a live source is polled.
    pub interval: Duration,
    /// How often they are polled now: less often where events of the account are verified to arrive.
    pub in_force: Duration,
    /// `refresh.max_staleness`: the greatest age of the evidence behind a fine value.
    pub max_staleness: Duration,
    /// `refresh.max_live_staleness`: how long a fine value outlives the last answer of a live source,
    /// where one has ever answered.
    pub max_live_staleness: Duration,
}

impl Limits {
    /// Answers closer together than this count as one.
    pub(crate) fn gap(&self) -> Duration {
        self.interval / 2
    }

    /// How long a report is held at most: a safety net, since a source in use answers or fails long
    /// before.
    pub(crate) fn hold(&self) -> Duration {
        self.in_force * 4
    }

    /// The silence that ends a run of equal answers.
    pub(crate) fn silence(&self) -> Duration {
        MAX_LAG + self.in_force * 2
    }
}
