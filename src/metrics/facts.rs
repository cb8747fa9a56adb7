//! What the families draw from: a snapshot, and the texts they share, made once a rendering.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::process::ProcessFigures;
use super::{Options, catalogue};
use crate::views::{AccountView, ExporterView, ReportView, Snapshot, UserDetail};
use root_posture::Metric;
use root_posture::Timestamp;
use root_posture::report::{KeySlot, RootRow, Slot, UserRow};

/// Everything that is shown, ready to be written.
#[derive(Debug)]
pub(super) struct Facts {
    snapshot: Snapshot,
    /// The account ids as texts, in the order of the snapshot: each is written some thirty times.
    ids: Vec<String>,
    info_labels: Vec<InfoLabel>,
    users_aggregate: bool,
    /// Days with their texts, ascending and each once.
    pub key_age_days: Vec<(u32, String)>,
    pub unused_days: Vec<(u32, String)>,
    pub external_url: Option<String>,
    pub process: Option<ProcessFigures>,
}

/// A label that `aws_account_info` has beyond its own.
#[derive(Debug)]
struct InfoLabel {
    /// As it is exposed.
    name: String,
    /// The labels or tags that become it, as they are configured.
    keys: BTreeSet<String>,
}

/// One account of a snapshot.
pub(super) struct Shown<'a> {
    /// The account's id.
    pub id: &'a str,
    pub view: &'a AccountView,
    pub facts: &'a Facts,
}

impl Facts {
    pub fn new(snapshot: Snapshot, options: &Options) -> Self {
        Self {
            ids: snapshot
                .accounts
                .iter()
                .map(|view| view.account.id.to_string())
                .collect(),
            info_labels: info_labels(&snapshot.accounts),
            users_aggregate: options.users_aggregate,
            key_age_days: with_texts(&options.key_age_days),
            unused_days: with_texts(&options.unused_days),
            external_url: options.external_url.clone(),
            process: ProcessFigures::read(),
            snapshot,
        }
    }

    pub fn accounts(&self) -> impl Iterator<Item = Shown<'_>> {
        self.ids
            .iter()
            .zip(&self.snapshot.accounts)
            .map(|(id, view)| Shown {
                id,
                view,
                facts: self,
            })
    }

    pub fn exporter(&self) -> &ExporterView {
        &self.snapshot.exporter
    }

    pub fn now(&self) -> Timestamp {
        self.snapshot.now
    }
}

impl Collector for Facts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        catalogue()
            .iter()
            .try_for_each(|family| family.encode(self, &mut encoder))
    }
}

impl<'a> Shown<'a> {
    /// A figure's value, as far as it is believed at the moment of the snapshot.
    pub fn value(&self, figure: Option<Metric>) -> Option<u32> {
        figure?.at(self.facts.snapshot.moment).map(u32::from)
    }

    /// The active keys with the evidence behind them, as far as they are believed.
    pub fn keys_active(&self) -> Option<Metric> {
        self.view
            .posture
            .keys_active
            .filter(|figure| figure.at(self.facts.snapshot.moment).is_some())
    }

    pub fn report(&self) -> Option<&'a ReportView> {
        self.view.report.as_deref()
    }

    pub fn root(&self) -> Option<&'a RootRow> {
        self.report()?.root.as_ref()
    }

    /// Both access key slots of the root row; none without one.
    pub fn root_slots(&self) -> impl Iterator<Item = (Slot, &'a KeySlot)> {
        self.root()
            .into_iter()
            .flat_map(|root| slots(&root.access_keys))
    }

    /// The report whose users are shown in numbers; none when those are not asked for.
    pub fn users(&self) -> Option<&'a ReportView> {
        self.report().filter(|_| self.facts.users_aggregate)
    }

    /// The users who are shown by name.
    pub fn user_rows(&self) -> &'a [UserRow] {
        match self.report().map(|report| &report.detail) {
            Some(UserDetail::Kept(rows)) => rows,
            _ => &[],
        }
    }

    /// Both access key slots of each user who is shown by name.
    pub fn user_keys(&self) -> impl Iterator<Item = (&'a str, Slot, &'a KeySlot)> {
        self.user_rows().iter().flat_map(|user| {
            slots(&user.access_keys).map(|(slot, key)| (user.name.as_str(), slot, key))
        })
    }

    /// The labels that `aws_account_info` has beyond its own: the same for every account.
    pub fn info_labels(&self) -> Vec<(&'a str, &'a str)> {
        let labels = &self.view.account.labels;
        self.facts
            .info_labels
            .iter()
            .map(|label| {
                let value = label.keys.iter().find_map(|key| labels.get(key));
                (label.name.as_str(), value.map_or("", String::as_str))
            })
            .collect()
    }
}

fn slots(keys: &[KeySlot; 2]) -> impl Iterator<Item = (Slot, &KeySlot)> {
    Slot::ALL.into_iter().zip(keys)
}

fn with_texts(days: &[u32]) -> Vec<(u32, String)> {
    let days: BTreeSet<u32> = days.iter().copied().collect();
    days.into_iter()
        .map(|days| (days, days.to_string()))
        .collect()
}

/// The labels any account has, each once. Two that are exposed under one name share it, and an
/// account that has both shows the first by its configured name.
fn info_labels(accounts: &[Arc<AccountView>]) -> Vec<InfoLabel> {
    let keys: BTreeSet<&String> = accounts
        .iter()
        .flat_map(|view| view.account.labels.keys())
        .collect();
    let mut names = BTreeMap::<String, BTreeSet<String>>::new();
    for key in keys {
        names
            .entry(label_name(key))
            .or_default()
            .insert(key.clone());
    }
    names
        .into_iter()
        .map(|(name, keys)| InfoLabel { name, keys })
        .collect()
}

/// A label or tag as a label's name: what a label name may not hold becomes `_`.
fn label_name(key: &str) -> String {
    let sane = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("label_{}", key.chars().map(sane).collect::<String>())
}
