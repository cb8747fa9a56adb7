//! The data that the families read: a snapshot, and the texts that many series share, prepared once
//! for each rendering.
//!
//! It names no family and writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use root_posture::report::{KeySlot, RootRow, Slot, UserCounts, UserRow};
use root_posture::{Metric, Timestamp};

use super::process::ProcessStats;
use crate::account::label_name;
use crate::views::{AccountView, ExporterView, ReportView, Snapshot, UserDetail};

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
    /// The names of the labels that `aws_account_info` has beyond its own, each with the configured
    /// labels or tags that are exposed under it.
    info_labels: BTreeMap<String, BTreeSet<String>>,
    users_aggregate: bool,
    /// Days with their texts, ascending and each once.
    pub key_age_days: Vec<(u32, String)>,
    /// Likewise.
    pub unused_days: Vec<(u32, String)>,
    pub external_url: Option<String>,
    pub process: Option<ProcessStats>,
}

pub(super) struct AccountData<'a> {
    pub id: &'a str,
    pub view: &'a AccountView,
    pub all: &'a Data,
}

impl Data {
    pub fn new(snapshot: Snapshot, options: &Options) -> Self {
        let accounts = &snapshot.accounts;
        Self {
            ids: accounts
                .iter()
                .map(|it| it.account.id.to_string())
                .collect(),
            info_labels: info_labels(accounts),
            users_aggregate: options.users_aggregate,
            key_age_days: with_texts(&options.key_age_days),
            unused_days: with_texts(&options.unused_days),
            external_url: options.external_url.clone(),
            process: ProcessStats::read(),
            snapshot,
        }
    }

    pub fn accounts(&self) -> impl Iterator<Item = AccountData<'_>> {
        let accounts = self.ids.iter().zip(&self.snapshot.accounts);
        accounts.map(|(id, view)| AccountData {
            id,
            view,
            all: self,
        })
    }

    pub fn exporter(&self) -> &ExporterView {
        &self.snapshot.exporter
    }

    pub fn now(&self) -> Timestamp {
        self.snapshot.now
    }
}

impl<'a> AccountData<'a> {
    /// The value of a metric, unless it has expired at the moment of the snapshot.
    pub fn value(&self, metric: Option<Metric>) -> Option<i64> {
        metric?.at(self.all.snapshot.moment).map(i64::from)
    }

    /// The number of active keys with the evidence behind it, unless it has expired.
    pub fn keys_active(&self) -> Option<Metric> {
        let keys = self.view.posture.keys_active;
        keys.filter(|metric| metric.at(self.all.snapshot.moment).is_some())
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
        let report = self.report().filter(|_| self.all.users_aggregate)?;
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
        self.all.info_labels.iter().map(|(name, keys)| {
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
