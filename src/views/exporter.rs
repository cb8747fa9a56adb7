//! The view of the exporter itself: its calls to AWS, its schedule, its state file, its requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use root_posture::{AccountId, Moment, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::RootFeatures;
use crate::failure::Reason;

/// The upper bounds of the histogram of AWS call durations, in seconds.
pub const CALL_BUCKETS: [f64; 11] = [
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    10.0,
    30.0,
    f64::INFINITY,
];

/// The upper bounds of the histogram of event delays, in seconds.
pub const DELAY_BUCKETS: [f64; 11] = [
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    900.0,
    f64::INFINITY,
];

/// A kind of message of the queue. These are the values of the label `kind`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub enum MessageKind {
    /// Something that root did.
    Root,
    /// A poll of this process.
    Echo,
    /// A change of a trail or of a rule of ours.
    Tampering,
    /// An event that is none of these, or is about an account that this process does not monitor.
    Ignored,
    /// Not an event of CloudTrail.
    Malformed,
}

impl MessageKind {
    /// All of them.
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The value of the label `kind`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The queue of events, and the messages since the process started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventStats {
    /// Whether the queue can be read; `None` before the first attempt has ended.
    pub up: Option<bool>,
    /// The messages that were handled, by kind.
    pub messages: BTreeMap<MessageKind, u64>,
    /// How many echoes arrived within [`DELAY_BUCKETS`]`[i]` of their poll but after the bound before.
    pub delays: [u64; DELAY_BUCKETS.len()],
    /// The sum of their delays, in seconds.
    pub seconds: f64,
}

impl EventStats {
    /// Counts an echo by its delay.
    pub fn arrived(&mut self, delay: Duration) {
        let seconds = delay.as_secs_f64();
        self.delays[DELAY_BUCKETS.partition_point(|bound| *bound < seconds)] += 1;
        self.seconds += seconds;
    }
}

/// An AWS operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey {
    /// `iam`, `sts`, `organizations` or `sqs`.
    pub service: &'static str,
    /// The operation's name, as AWS writes it.
    pub operation: &'static str,
}

/// The calls of an AWS operation since the process started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallStats {
    /// Their number by result: success, or why they failed.
    pub results: BTreeMap<Result<(), Reason>, u64>,
    /// How many took at most [`CALL_BUCKETS`]`[i]` but longer than the bound before.
    pub buckets: [u64; CALL_BUCKETS.len()],
    /// The sum of their durations, in seconds.
    pub seconds: f64,
}

/// How many accounts this process knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Monitored by this process.
    pub monitored: usize,
    /// Left out by `organization.exclude`.
    pub excluded: usize,
    /// Suspended, closed or not yet active.
    pub inactive: usize,
}

/// Why an account is no longer monitored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    /// It was closed or suspended.
    Closed,
    /// The configuration excludes it.
    Excluded,
    /// It is no longer configured, or has left the organization.
    Removed,
}

impl LeftReason {
    /// The value of the label `reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Excluded => "excluded",
            Self::Removed => "removed",
        }
    }
}

/// An account that is no longer monitored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Why.
    pub reason: LeftReason,
    /// Until when that is exported.
    pub until: Moment,
}

/// The last attempt at something that is repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastAttempt {
    /// Whether it succeeded.
    pub succeeded: bool,
    /// When one last did.
    pub last_success: Option<Timestamp>,
}

impl LastAttempt {
    /// Records an attempt that ended now.
    pub fn record(&mut self, succeeded: bool, now: Timestamp) {
        self.succeeded = succeeded;
        if succeeded {
            self.last_success = Some(now);
        }
    }
}

/// The current view of the exporter itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExporterView {
    /// The last reload of the configuration.
    pub reload: LastAttempt,
    /// Calls to AWS.
    pub calls: BTreeMap<CallKey, CallStats>,
    /// How late the most overdue probe is.
    pub lag: Duration,
    /// How many probes run now.
    pub in_flight: usize,
    /// `refresh.interval`.
    pub interval: Duration,
    /// This process's shard and how many there are.
    pub shard: (u32, u32),
    /// How far AWS's clock is ahead of the local one, in seconds.
    pub clock_skew: Option<i64>,
    /// The last reading of the organization's account list; `None` without an organization.
    pub discovery: Option<LastAttempt>,
    /// Which features of centralized root access the organization has enabled; `None` while that
    /// is unknown.
    pub features: Option<RootFeatures>,
    /// The organization's management account, where it is known.
    pub management: Option<AccountId>,
    /// The last save of the state; `None` without a state file or before the first save.
    pub state: Option<LastAttempt>,
    /// How many accounts are known; `None` before the account list is.
    pub accounts: Option<AccountCounts>,
    /// How many accounts have been polled once, well or not.
    pub attempted: usize,
    /// Accounts that left in the last 24 hours.
    pub left: BTreeMap<AccountId, Left>,
    /// The events; `None` without a queue.
    pub events: Option<EventStats>,
    /// HTTP requests served, by handler and status code.
    pub requests: BTreeMap<(&'static str, u16), u64>,
    /// Connections that were closed to make room for others.
    pub evicted: u64,
}

/// Collects the view of the exporter from the modules that report to it.
#[derive(Debug, Default)]
pub struct Exporter {
    inner: Mutex<Inner>,
    /// How often an alarm appeared, changed or ended.
    alarms: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    view: ExporterView,
    /// When the schedule's loop last turned.
    last_turn: Option<Moment>,
    /// When the most overdue unfinished probe was or will be due.
    oldest_due: Option<Moment>,
}

impl Exporter {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The view at `moment`.
    #[must_use]
    pub fn view(&self, moment: Moment) -> ExporterView {
        let inner = self.lock();
        let mut view = inner.view.clone();
        let lag = inner.oldest_due.map(|due| moment.since(due));
        view.lag = lag.unwrap_or_default();
        view.left.retain(|_, left| moment < left.until);
        view
    }

    /// Changes a field of the view.
    pub fn note(&self, write: impl FnOnce(&mut ExporterView)) {
        let mut inner = self.lock();
        let alarms = |view: &ExporterView| {
            let succeeded = |last: Option<LastAttempt>| last.map(|last| last.succeeded);
            (
                view.reload,
                succeeded(view.discovery),
                succeeded(view.state),
            )
        };
        let before = alarms(&inner.view);
        write(&mut inner.view);
        if alarms(&inner.view) != before {
            self.alarms.fetch_add(1, Ordering::Release);
        }
    }

    /// Replaces the accounts that left.
    pub fn left(&self, left: BTreeMap<AccountId, Left>) {
        let mut inner = self.lock();
        if !inner.view.left.keys().eq(left.keys()) {
            self.alarms.fetch_add(1, Ordering::Release);
        }
        inner.view.left = left;
    }

    /// How often the last reload, the account list, the state file or the accounts that left
    /// changed in a way that alerts depend on.
    pub(super) fn alarms(&self) -> u64 {
        self.alarms.load(Ordering::Acquire)
    }

    /// Counts a call to AWS.
    pub fn called(&self, key: CallKey, result: Result<(), Reason>, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let mut inner = self.lock();
        let calls = inner.view.calls.entry(key).or_default();
        *calls.results.entry(result).or_default() += 1;
        calls.buckets[CALL_BUCKETS.partition_point(|bound| *bound < seconds)] += 1;
        calls.seconds += seconds;
    }

    /// Records that the schedule's loop has turned, when the most overdue unfinished probe was or will
    /// be due, how many run, and how many accounts have been polled once.
    pub fn turned(
        &self,
        now: Moment,
        oldest_due: Option<Moment>,
        in_flight: usize,
        attempted: usize,
    ) {
        let mut inner = self.lock();
        inner.last_turn = Some(now);
        inner.oldest_due = oldest_due;
        inner.view.in_flight = in_flight;
        inner.view.attempted = attempted;
    }

    /// When the schedule's loop last turned; `None` before it first has.
    #[must_use]
    pub fn last_turn(&self) -> Option<Moment> {
        self.lock().last_turn
    }
}
