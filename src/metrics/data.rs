//! The data that the families read: a snapshot, and the texts that many series share, prepared once
//! for each rendering.
//!
//! It names no family and writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use root_posture::report::{KeySlot, RootRow, Slot, UserCounts, UserRow};
use root_posture::{Metric, Moment, Timestamp};

use super::process::ProcessStats;
use crate::account::{Exception, label_name};
use crate::advice::accepted::{self, Accepted};
use crate::views::{AccountView, ExporterView, PushView, ReportView, Snapshot, UserDetail};

/// The settings that decide which metrics are exported. The default exports none of IAM users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `users.aggregate`: whether IAM users are counted for each account.
    pub users_aggregate: bool,
    /// `users.key_age_days`: the ages in days that active keys of IAM users are counted by.
    pub key_age_days: Vec<u32>,
    /// `users.unused_days`: the days without use that credentials of IAM users are counted by.
    pub unused_days: Vec<u32>,
    /// `web.external_url`: the URL under which people open the exporter's pages.
    pub external_url: Option<String>,
}

/// Everything that one rendering exports.
#[derive(Debug)]
pub(super) struct Data {
    snapshot: Snapshot,
    /// The account ids as texts, in the order of the snapshot: each is written some thirty times.
    ids: Vec<String>,
    common: Common,
    pub external_url: Option<String>,
    pub process: Option<ProcessStats>,
}

/// What the series of every account depend on, beside the account and the time.
#[derive(Debug, PartialEq, Eq)]
struct Common {
    /// The names of the labels that `aws_account_info` has beyond its own, each with the configured
    /// labels or tags that are exposed under it.
    info_labels: BTreeMap<String, BTreeSet<String>>,
    users_aggregate: bool,
    /// Days with their texts, ascending and each once.
    key_age_days: Vec<(u32, String)>,
    /// Likewise.
    unused_days: Vec<(u32, String)>,
    has_queue: bool,
}

pub(super) struct AccountData<'a> {
    pub id: &'a str,
    pub view: &'a AccountView,
    all: &'a Data,
}

/// Until when time alone changes no series. `None` is for ever.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steady {
    moment: Option<Moment>,
    time: Option<Timestamp>,
}

impl Steady {
    /// Until the first of both ends.
    pub fn and(self, other: Self) -> Self {
        Self {
            moment: self.moment.into_iter().chain(other.moment).min(),
            time: self.time.into_iter().chain(other.time).min(),
        }
    }
}

impl Data {
    pub fn new(snapshot: Snapshot, options: &Options) -> Self {
        let accounts = &snapshot.accounts;
        Self {
            ids: accounts
                .iter()
                .map(|it| it.account.id.to_string())
                .collect(),
            common: Common {
                info_labels: info_labels(accounts),
                users_aggregate: options.users_aggregate,
                key_age_days: with_texts(&options.key_age_days),
                unused_days: with_texts(&options.unused_days),
                has_queue: snapshot.exporter.events.is_some(),
            },
            external_url: options.external_url.clone(),
            process: ProcessStats::read(),
            snapshot,
        }
    }

    /// How many accounts there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Those of the accounts that have a place in this range, with their data.
    pub fn accounts(&self, places: Range<usize>) -> impl Iterator<Item = AccountData<'_>> {
        let places = places.start.min(self.len())..places.end.min(self.len());
        let ids = self.ids[places.clone()].iter();
        let views = &self.snapshot.accounts[places];
        ids.zip(views).map(|(id, view)| AccountData {
            id,
            view,
            all: self,
        })
    }

    /// Whether an account with the same evidence has the same series in `other`, until time changes
    /// them.
    pub fn exports_like(&self, other: &Self) -> bool {
        self.common == other.common
    }

    /// Whether the accounts at these places are those of `other`.
    pub fn has_same_accounts(&self, other: &Self, places: Range<usize>) -> bool {
        let (mine, theirs) = (self.accounts(places.clone()), other.accounts(places));
        mine.map(|of| of.id).eq(theirs.map(|of| of.id))
    }

    /// Whether what was steady in `old` still is.
    pub fn is_within(&self, steady: Steady, old: &Self) -> bool {
        let (now, then) = (&self.snapshot, &old.snapshot);
        // The wall clock can be set back.
        then.now <= now.now
            && steady.moment.is_none_or(|until| now.moment < until)
            && steady.time.is_none_or(|until| now.now < until)
    }

    pub fn exporter(&self) -> &ExporterView {
        &self.snapshot.exporter
    }
}

impl<'a> AccountData<'a> {
    pub fn has_view_of(&self, other: &AccountData<'_>) -> bool {
        ptr::eq(self.view, other.view)
    }

    /// Until when time alone changes no series of the account.
    pub fn steady(&self) -> Steady {
        let Snapshot { moment, now, .. } = self.all.snapshot;
        let posture = &self.view.posture;
        let metrics = [
            posture.keys_active,
            posture.keys_present,
            posture.certificates_active,
            posture.mfa_enabled,
            posture.password_enabled,
        ];
        let ends = metrics.into_iter().filter_map(|metric| metric?.fine_until);
        let common = &self.all.common;
        let (ages, unused) = (common.key_age_days.iter(), common.unused_days.iter());
        let counts = self.users().into_iter().flat_map(|users| {
            let ages = ages
                .clone()
                .filter_map(move |(days, _)| users.next_old_key(*days, now));
            let unused = unused.clone();
            ages.chain(unused.filter_map(move |(days, _)| users.next_unused_credential(*days, now)))
        });
        let exceptions = self.view.account.exceptions.iter();
        let verified = accepted::verified_until(self.view);
        let verified = verified.filter(|_| exceptions.len() > 0);
        let exceptions = exceptions.filter_map(Exception::end).chain(verified);
        Steady {
            moment: ends.filter(|end| moment < *end).min(),
            time: counts.chain(exceptions.filter(|end| now < *end)).min(),
        }
    }

    /// The value of a metric, unless it has expired at the moment of the snapshot.
    pub fn value(&self, metric: Option<Metric>) -> Option<i64> {
        metric?.at(self.all.snapshot.moment).map(i64::from)
    }

    /// The number of active keys with the evidence behind it, unless it has expired.
    pub fn keys_active(&self) -> Option<Metric> {
        let keys = self.view.posture.keys_active;
        keys.filter(|metric| metric.at(self.all.snapshot.moment).is_some())
    }

    /// The number of active keys that an exception accepts; `None` without an exception in force, and
    /// where the number of active keys is not known.
    pub fn keys_accepted(&self) -> Option<u8> {
        let Snapshot { moment, now, .. } = self.all.snapshot;
        Accepted::of(self.view, moment, now).map(|accepted| accepted.keys())
    }

    /// How many active keys of IAM users are older than each of the configured days.
    pub fn keys_by_age(&self) -> impl Iterator<Item = (&'a str, u32)> {
        self.by_days(&self.all.common.key_age_days, UserCounts::keys_older_than)
    }

    /// How many credentials of IAM users were not used for each of the configured days.
    pub fn unused_credentials(&self) -> impl Iterator<Item = (&'a str, u32)> {
        self.by_days(
            &self.all.common.unused_days,
            UserCounts::credentials_unused_for,
        )
    }

    fn by_days(
        &self,
        days: &'a [(u32, String)],
        count: fn(&UserCounts, u32, Timestamp) -> u32,
    ) -> impl Iterator<Item = (&'a str, u32)> {
        let now = self.all.snapshot.now;
        self.users().into_iter().flat_map(move |users| {
            let counts = days.iter();
            counts.map(move |(days, text)| (text.as_str(), count(users, *days, now)))
        })
    }

    /// The push of its events; `None` without a queue.
    pub fn push(&self) -> Option<PushView> {
        self.all.common.has_queue.then_some(self.view.push)
    }

    pub fn report(&self) -> Option<&'a ReportView> {
        self.view.report.as_deref()
    }

    pub fn root(&self) -> Option<&'a RootRow> {
        self.report()?.root.as_ref()
    }

    /// Both access key slots of the root row; none without one.
    pub fn root_slots(&self) -> impl Iterator<Item = (Slot, &'a KeySlot)> {
        let root = self.root().into_iter();
        root.flat_map(|root| Slot::ALL.into_iter().zip(&root.access_keys))
    }

    /// The counts of IAM users; `None` where the configuration does not ask for them.
    pub fn users(&self) -> Option<&'a UserCounts> {
        let report = self.report().filter(|_| self.all.common.users_aggregate)?;
        Some(&report.users)
    }

    /// The IAM users that are exported by name.
    pub fn user_rows(&self) -> &'a [UserRow] {
        match self.report().map(|report| &report.detail) {
            Some(UserDetail::Kept(rows)) => rows,
            _ => &[],
        }
    }

    /// The labels of `aws_account_info` that come from the configuration: the same names for every
    /// account.
    pub fn info_labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let labels = &self.view.account.labels;
        self.all.common.info_labels.iter().map(|(name, keys)| {
            let value = keys.iter().find_map(|key| labels.get(key));
            (name.as_str(), value.map_or("", String::as_str))
        })
    }
}

fn with_texts(days: &[u32]) -> Vec<(u32, String)> {
    let days: BTreeSet<u32> = days.iter().copied().collect();
    days.into_iter().map(|day| (day, day.to_string())).collect()
}

/// The labels of all accounts. Two that are exposed under one name share it; an account that has
/// both exports the first by its configured name.
fn info_labels(accounts: &[Arc<AccountView>]) -> BTreeMap<String, BTreeSet<String>> {
    let labels = accounts.iter().flat_map(|view| view.account.labels.keys());
    let keys: BTreeSet<&String> = labels.collect();
    let mut names = BTreeMap::<String, BTreeSet<String>>::new();
    for key in keys {
        let name = label_name(key);
        names.entry(name).or_default().insert(key.clone());
    }
    names
}
