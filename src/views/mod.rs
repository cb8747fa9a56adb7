//! The current views of accounts and of the exporter itself, cheap to snapshot.
//!
//! The gate writes the accounts, the metrics and the pages read them. A reader takes a [`Snapshot`] and holds no
//! lock while it works on it; what is published is never changed, only replaced.

mod exporter;
mod json;
mod organization;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use root_posture::report::{RootRow, UserCounts, UserRow};
use root_posture::{
    AccountId, ListedKeys, Moment, Onset, Posture, ShownKey, Source, Timestamp, shown_keys,
};
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::clock::Clock;
use crate::failure::{Failure, Reason};

pub use exporter::{
    AccountCounts, CALL_BUCKETS, CallKey, CallStats, DurationHistogram, Exporter, ExporterView,
    Left, LeftReason, Outcome,
};
pub use json::{AccountJson, AccountsJson};
pub use organization::{KnownMember, KnownOrganization};

/// All that is shown of one account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountView {
    /// Which account.
    pub account: Arc<Account>,
    /// What is known of its root user. Ask each metric with [`root_posture::Metric::at`].
    pub posture: Posture,
    /// Since when it has had an active root key, where that was followed.
    pub onset: Onset,
    /// The credential report in use.
    pub report: Option<Arc<ReportView>>,
    /// The keys that a root session listed last.
    pub listed: Option<Arc<ListedKeys>>,
    /// The sources in use, in the order of [`Source::ALL`].
    pub sources: Vec<SourceView>,
}

impl AccountView {
    /// The root user's keys one by one, as the judgement has them.
    pub fn root_keys(&self) -> impl Iterator<Item = ShownKey<'_>> {
        let report = self.report.as_deref();
        shown_keys(
            &self.posture,
            report.and_then(|report| report.root.as_ref()),
            self.listed.as_deref(),
        )
    }
}

/// What is shown of a credential report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportView {
    /// AWS's GeneratedTime.
    pub generated: Timestamp,
    /// The root row; `None` in aws-cn.
    pub root: Option<RootRow>,
    /// Rows of IAM users that could not be read.
    pub rows_skipped: usize,
    /// The IAM users in numbers.
    pub users: UserCounts,
    /// The IAM users by name.
    pub detail: UserDetail,
}

/// The IAM users of an account by name (`users.detail`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserDetail {
    /// Not asked for.
    #[default]
    Off,
    /// Each user.
    Kept(Vec<UserRow>),
    /// Left out: `users.max_detail_series` would have been passed.
    Dropped,
}

impl UserDetail {
    /// How many series the users take at most: four a user, and one for each time that is known.
    #[must_use]
    pub fn series(&self) -> usize {
        match self {
            Self::Off | Self::Dropped => 0,
            Self::Kept(users) => users
                .iter()
                .map(|user| {
                    let times = user
                        .access_keys
                        .iter()
                        .flat_map(|key| [key.last_rotated, key.last_used])
                        .chain([user.password_last_used]);
                    4 + times.flatten().count()
                })
                .sum(),
        }
    }
}

/// How one source of an account fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Which source.
    pub source: Source,
    /// Whether its last refresh worked; `None` before the first has ended.
    pub up: Option<bool>,
    /// When a refresh last worked, by the local clock.
    pub last_success: Option<Timestamp>,
    /// Failed refreshes since the process started, by reason.
    pub failures: BTreeMap<Reason, u64>,
    /// The last failure, for people, with its time by the local clock.
    pub last_failure: Option<(Timestamp, Failure)>,
}

impl SourceView {
    /// A source that was never asked.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            up: None,
            last_success: None,
            failures: BTreeMap::new(),
            last_failure: None,
        }
    }

    /// Books a refresh that worked.
    pub fn worked(&mut self, now: Timestamp) {
        self.up = Some(true);
        self.last_success = Some(now);
    }

    /// Books a refresh that failed.
    pub fn failed(&mut self, now: Timestamp, failure: Failure) {
        self.up = Some(false);
        *self.failures.entry(failure.reason).or_default() += 1;
        self.last_failure = Some((now, failure));
    }

    /// Counts a failed call that does not decide whether the source works.
    pub fn failed_in_part(&mut self, now: Timestamp, failure: Failure) {
        *self.failures.entry(failure.reason).or_default() += 1;
        if self.up != Some(false) {
            // Else the failure that is shown is why the source is down.
            self.last_failure = Some((now, failure));
        }
    }
}

/// Everything that is shown, as of one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The accounts, by id.
    pub accounts: Vec<Arc<AccountView>>,
    /// The exporter itself.
    pub exporter: ExporterView,
    /// When it was taken, by the local clock.
    pub now: Timestamp,
    /// When it was taken, by the monotonic clock.
    pub moment: Moment,
    /// [`Views::alarms`] of what it holds.
    pub alarms: u64,
}

impl Snapshot {
    /// One of the accounts.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Arc<AccountView>> {
        let place = self.accounts.binary_search_by_key(&id, |v| v.account.id);
        place.ok().map(|place| &self.accounts[place])
    }
}

/// Holds what is shown.
#[derive(Debug)]
pub struct Views {
    /// A lock of the standard library: it is held for a look-up or for cloning a list of
    /// pointers, never across an await.
    accounts: RwLock<BTreeMap<AccountId, Arc<AccountView>>>,
    /// Written under the lock of the accounts, read without it.
    alarms: AtomicU64,
    /// What the exporter knows of itself.
    pub exporter: Arc<Exporter>,
    clock: Clock,
}

impl Views {
    /// Views of nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            accounts: RwLock::default(),
            alarms: AtomicU64::new(0),
            exporter: Arc::default(),
            clock,
        }
    }

    /// Shows an account, in place of what was shown of it.
    pub fn put(&self, view: AccountView) {
        let view = Arc::new(view);
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let next = Arc::clone(&view);
        let last = accounts.insert(view.account.id, view);
        self.note_alarms(last.as_deref(), Some(&next));
    }

    /// Shows an account no more.
    pub fn remove(&self, id: AccountId) {
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let last = accounts.remove(&id);
        self.note_alarms(last.as_deref(), None);
    }

    fn note_alarms(&self, last: Option<&AccountView>, next: Option<&AccountView>) {
        let posture = |view: Option<&AccountView>| view.map(|view| view.posture);
        let (last, next) = (
            posture(last).unwrap_or_default(),
            posture(next).unwrap_or_default(),
        );
        if !last.alarms_like(&next) {
            self.alarms.fetch_add(1, Ordering::Release);
        }
    }

    /// How often anything alarming has changed, for better or worse, of an account or of the
    /// exporter itself. What was made from a snapshot with another number shows an alarm that is
    /// not true any more, or lacks one.
    #[must_use]
    pub fn alarms(&self) -> u64 {
        self.alarms.load(Ordering::Acquire) + self.exporter.alarms()
    }

    /// The moment by the clock of the snapshots.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.clock.moment()
    }

    /// The time of day by the clock of the snapshots.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What is shown of one account.
    #[must_use]
    pub fn get(&self, id: AccountId) -> Option<Arc<AccountView>> {
        self.accounts
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    /// All that is shown now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (accounts, alarms) = {
            let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
            (accounts.values().cloned().collect(), self.alarms())
        };
        let moment = self.clock.moment();
        Snapshot {
            accounts,
            exporter: self.exporter.view(moment),
            now: self.clock.now(),
            moment,
            alarms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Access, Account};
    use root_posture::Metric;

    fn view(keys: Option<u8>, mfa: Option<u8>) -> AccountView {
        let metric = |value| Metric {
            value,
            source: Source::AccountSummary,
            observed: Timestamp::default(),
            fine_until: None,
        };
        AccountView {
            account: Arc::new(Account {
                id: "000000000012".parse().unwrap(),
                name: String::new(),
                region: "us-east-1".to_owned(),
                access: Some(Access::Caller),
                root_session: false,
                labels: Arc::default(),
            }),
            posture: Posture {
                keys_active: keys.map(metric),
                mfa_enabled: mfa.map(metric),
                ..Posture::default()
            },
            onset: Onset::default(),
            report: None,
            listed: None,
            sources: Vec::new(),
        }
    }

    #[test]
    fn alarms_change_when_one_comes_changes_or_goes_and_at_nothing_else() {
        let views = Views::new(Clock::manual(Timestamp::default()).0);
        let changes = |change: &dyn Fn()| {
            let before = views.alarms();
            change();
            views.alarms() != before
        };
        let put = |keys, mfa| changes(&|| views.put(view(keys, mfa)));
        assert!(!put(None, None), "nothing is known");
        assert!(!put(Some(0), Some(1)), "all is well");
        assert!(put(Some(1), Some(1)), "a key");
        assert!(!put(Some(1), Some(1)), "the same key");
        assert!(put(Some(2), Some(1)), "another");
        assert!(put(Some(2), Some(0)), "no MFA");
        assert!(put(Some(0), Some(1)), "all gone");
        assert!(!put(None, None), "unknown again");
        assert!(put(Some(1), None), "a key");
        let id = "000000000012".parse().unwrap();
        assert!(changes(&|| views.remove(id)), "gone with its account");
        assert!(!changes(&|| views.remove(id)), "which is not there");
        let note = |write: fn(&mut ExporterView)| changes(&|| views.exporter.note(write));
        assert!(note(|view| view.reload.0 = true), "a reload");
        assert!(!note(|view| view.attempted = 1), "a look");
        assert!(note(|view| view.state = Some((false, None))), "the disk");
        assert_eq!(views.snapshot().alarms, views.alarms());
    }
}
