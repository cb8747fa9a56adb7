//! What the exporter knows of itself: calls, schedule, state file, requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use root_posture::{AccountId, Moment, Timestamp};

use crate::account::RootFeatures;
use crate::failure::Reason;

/// The upper bounds of the histogram of AWS call durations, in seconds.
pub const CALL_BUCKETS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// How a call to AWS ended: `success`, or the reason why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was answered.
    Success,
    /// It failed, or AWS refused.
    Failed(Reason),
}

impl Outcome {
    /// The value of the label `outcome`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed(reason) => reason.as_str(),
        }
    }
}

/// Which AWS operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey {
    /// `iam`, `sts` or `organizations`.
    pub service: &'static str,
    /// The operation's name, as AWS writes it.
    pub operation: &'static str,
}

/// How many calls took how long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DurationHistogram {
    /// How many took at most [`CALL_BUCKETS`]`[i]` but longer than the bound before.
    pub buckets: [u64; CALL_BUCKETS.len()],
    /// How many took longer than the last bound.
    pub beyond: u64,
    /// All durations together, in seconds.
    pub sum: f64,
}

impl DurationHistogram {
    fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.sum += seconds;
        match CALL_BUCKETS.iter().position(|bound| seconds <= *bound) {
            Some(bucket) => self.buckets[bucket] += 1,
            None => self.beyond += 1,
        }
    }
}

/// The calls made to AWS since the process started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallStats {
    /// How many ended how.
    pub outcomes: BTreeMap<(CallKey, Outcome), u64>,
    /// How long they took.
    pub durations: BTreeMap<CallKey, DurationHistogram>,
}

/// How many accounts this process knows, by what it does with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Watched by this process.
    pub monitored: usize,
    /// Left out by `organization.exclude`.
    pub excluded: usize,
    /// Suspended, closed or not yet active.
    pub inactive: usize,
}

/// Why an account is watched no more.
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

/// An account that is watched no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Why.
    pub reason: LeftReason,
    /// Until when that is told.
    pub until: Moment,
}

/// What is shown of the exporter itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExporterView {
    /// Whether the last reload of the configuration worked, and when one last did.
    pub reload: (bool, Timestamp),
    /// Calls to AWS.
    pub calls: CallStats,
    /// How late the most overdue refresh is.
    pub lag: Duration,
    /// Refreshes that run now.
    pub in_flight: usize,
    /// `refresh.interval`.
    pub interval: Duration,
    /// This process's shard and how many there are.
    pub shard: (u32, u32),
    /// How far AWS's clock is ahead of the local one, in seconds.
    pub clock_skew: Option<i64>,
    /// Whether the account list could be read the last time, and when it last could; `None`
    /// without an organization.
    pub discovery: Option<(bool, Option<Timestamp>)>,
    /// Which features of centralized root access the organization has enabled; `None` while AWS
    /// has not said.
    pub features: Option<RootFeatures>,
    /// Whether the state could be saved the last time, and when it last could; `None` without a
    /// state file or before the first save.
    pub state: Option<(bool, Option<Timestamp>)>,
    /// How many accounts are known; `None` before the account list is.
    pub accounts: Option<AccountCounts>,
    /// How many accounts have been polled once, or tried.
    pub attempted: usize,
    /// Accounts that left in the last 24 hours.
    pub left: BTreeMap<AccountId, LeftReason>,
    /// HTTP requests served, by handler and status code.
    pub requests: BTreeMap<(&'static str, u16), u64>,
    /// Connections that were closed to make room for others.
    pub evicted: u64,
}

/// What the exporter knows of itself, as its rooms write it down.
#[derive(Debug)]
pub struct Exporter {
    inner: Mutex<Inner>,
    /// How often anything changed that somebody may wait for or be woken by.
    alarms: AtomicU64,
    /// When the schedule's loop last turned, as [`Moment::millis`].
    last_turn: AtomicI64,
}

impl Default for Exporter {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            alarms: AtomicU64::new(0),
            last_turn: AtomicI64::new(Moment::NEVER.millis()),
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    view: ExporterView,
    /// When the most overdue refresh was due, finished ones aside.
    oldest_due: Option<Moment>,
    /// Accounts that left.
    left: BTreeMap<AccountId, Left>,
}

impl Exporter {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to show at `moment`.
    #[must_use]
    pub fn view(&self, moment: Moment) -> ExporterView {
        let inner = self.lock();
        let lag = inner
            .oldest_due
            .map_or(Duration::ZERO, |due| moment.since(due));
        let left = inner
            .left
            .iter()
            .filter(|(_, left)| moment < left.until)
            .map(|(id, left)| (*id, left.reason));
        ExporterView {
            lag,
            left: left.collect(),
            ..inner.view.clone()
        }
    }

    /// Writes down anything that is shown as it is set.
    pub fn note(&self, write: impl FnOnce(&mut ExporterView)) {
        let mut inner = self.lock();
        let alarms = |view: &ExporterView| {
            let works = |told: Option<(bool, Option<Timestamp>)>| told.map(|(works, _)| works);
            (view.reload, works(view.discovery), works(view.state))
        };
        let before = alarms(&inner.view);
        write(&mut inner.view);
        if alarms(&inner.view) != before {
            self.alarmed();
        }
    }

    /// Writes down which accounts left.
    pub fn left(&self, left: BTreeMap<AccountId, Left>) {
        let mut inner = self.lock();
        if !inner.left.keys().eq(left.keys()) {
            self.alarmed();
        }
        inner.left = left;
    }

    fn alarmed(&self) {
        self.alarms.fetch_add(1, Ordering::Release);
    }

    /// How often it changed whether the last reload, the account list and the state file are as
    /// they should be, or which accounts left.
    pub(crate) fn alarms(&self) -> u64 {
        self.alarms.load(Ordering::Acquire)
    }

    /// Counts a call to AWS.
    pub fn called(&self, key: CallKey, outcome: Outcome, duration: Duration) {
        let calls = &mut self.lock().view.calls;
        *calls.outcomes.entry((key, outcome)).or_default() += 1;
        calls.durations.entry(key).or_default().observe(duration);
    }

    /// Counts an HTTP request.
    pub fn served(&self, handler: &'static str, code: u16) {
        *self
            .lock()
            .view
            .requests
            .entry((handler, code))
            .or_default() += 1;
    }

    /// Counts a connection that was closed to make room for another.
    pub fn evicted(&self) {
        self.lock().view.evicted += 1;
    }

    /// Writes down where the schedule stands: when the most overdue unfinished refresh was or
    /// will be due, and how many run.
    pub fn scheduled(&self, oldest_due: Option<Moment>, in_flight: usize) {
        let mut inner = self.lock();
        inner.oldest_due = oldest_due;
        inner.view.in_flight = in_flight;
    }

    /// Notes that the schedule's loop has turned.
    pub fn turned(&self, now: Moment) {
        self.last_turn.store(now.millis(), Ordering::Relaxed);
    }

    /// When the schedule's loop last turned; `None` before it first has.
    #[must_use]
    pub fn last_turn(&self) -> Option<Moment> {
        let last = Moment::from_millis(self.last_turn.load(Ordering::Relaxed));
        (last != Moment::NEVER).then_some(last)
    }
}
