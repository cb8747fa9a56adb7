//! The current views of accounts and of the exporter itself, cheap to snapshot.
//!
//! The gate writes the accounts, the metrics and the pages read them. A reader takes a [`Snapshot`]
//! and holds no lock while it works on it; a published view is never changed, only replaced.

mod account;
mod exporter;
mod organization;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use root_posture::{AccountId, Moment, Timestamp};

use crate::clock::Clock;

pub use account::{AccountView, PushView, ReportView, SourceView, UserDetail};
pub use exporter::{
    AccountCounts, CALL_BUCKETS, CallKey, CallStats, DELAY_BUCKETS, EventStats, Exporter,
    ExporterView, LastAttempt, Left, LeftReason, MessageKind,
};
pub use organization::{KnownMember, KnownOrganization};

/// All views, as of one moment.
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
    /// [`Views::alarms`] at that moment.
    pub alarms: u64,
}

impl Snapshot {
    /// The view of one account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Arc<AccountView>> {
        let found = self.accounts.binary_search_by_key(&id, |it| it.account.id);
        found.ok().map(|index| &self.accounts[index])
    }
}

/// The current views.
#[derive(Debug)]
pub struct Views {
    /// A lock of the standard library: it is held for a look-up or for cloning a list of
    /// pointers, never across an await.
    accounts: RwLock<BTreeMap<AccountId, Arc<AccountView>>>,
    /// Written under the lock of the accounts, read without it.
    alarms: AtomicU64,
    /// The view of the exporter itself, as its modules write it.
    pub exporter: Arc<Exporter>,
    clock: Clock,
}

impl Views {
    /// Views without any account.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            accounts: RwLock::default(),
            alarms: AtomicU64::new(0),
            exporter: Arc::default(),
            clock,
        }
    }

    /// Publishes the view of an account, in place of the one before it.
    pub fn put(&self, view: AccountView) {
        self.replace(view.account.id, Some(Arc::new(view)));
    }

    /// Removes an account.
    pub fn remove(&self, id: AccountId) {
        self.replace(id, None);
    }

    fn replace(&self, id: AccountId, view: Option<Arc<AccountView>>) {
        let posture =
            |view: Option<&Arc<AccountView>>| view.map(|it| it.posture).unwrap_or_default();
        let after = posture(view.as_ref());
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let replaced = match view {
            Some(view) => accounts.insert(id, view),
            None => accounts.remove(&id),
        };
        if !posture(replaced.as_ref()).has_alarms_of(&after) {
            self.alarms.fetch_add(1, Ordering::Release);
        }
    }

    /// How often an alarm of an account or of the exporter itself appeared, changed or ended. A
    /// rendering of a snapshot with another number shows an alarm that has ended, or lacks one.
    #[must_use]
    pub fn alarms(&self) -> u64 {
        self.alarms.load(Ordering::Acquire) + self.exporter.alarms()
    }

    /// The current moment by the clock of the snapshots.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.clock.moment()
    }

    /// The current time by the clock of the snapshots.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The view of one account.
    #[must_use]
    pub fn get(&self, id: AccountId) -> Option<Arc<AccountView>> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(&id).cloned()
    }

    /// All views as they are now.
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
    use root_posture::{Metric, Posture, Source};

    use super::*;
    use crate::account::{Access, Account};

    fn view(keys: Option<u8>, mfa: Option<u8>) -> AccountView {
        let metric = |value| Metric {
            value,
            source: Source::AccountSummary,
            observed: Timestamp::default(),
            fine_until: None,
        };
        AccountView {
            posture: Posture {
                keys_active: keys.map(metric),
                mfa_enabled: mfa.map(metric),
                ..Posture::default()
            },
            ..AccountView::unknown(Arc::new(Account {
                id: "000000000012".parse().unwrap(),
                name: String::new(),
                region: "us-east-1".to_owned(),
                access: Some(Access::Caller),
                root_session: false,
                labels: Arc::default(),
                exceptions: Arc::default(),
                details: Arc::default(),
            }))
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
        assert!(note(|view| view.reload.succeeded = true), "a reload");
        assert!(!note(|view| view.attempted = 1), "a poll");
        assert!(
            note(|view| view.state = Some(LastAttempt::default())),
            "the disk"
        );
        assert_eq!(views.snapshot().alarms, views.alarms());
    }
}
