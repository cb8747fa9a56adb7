//! The saved state, as the database stores it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use root_posture::{AccountId, ListedKeys, Moment, Onset, Record, Source, Timestamp};
use serde::{Deserialize, Serialize};

use crate::activity::Activities;
use crate::clock::Clock;
use crate::views::{KnownOrganization, Left, ReportView};

/// The saved state of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAccount {
    /// The evidence.
    pub record: Record,
    /// Since when it has had an active root key.
    pub onset: Onset,
    /// The credential report in use. It is large and rarely changes, so it is stored separately.
    #[serde(skip)]
    pub report: Option<Arc<ReportView>>,
    /// The newest list of keys of a root session.
    pub listed: Option<Arc<ListedKeys>>,
    /// When the next report is due.
    pub report_due: Option<Moment>,
    /// When each source last worked, by the local clock.
    pub last_success: BTreeMap<Source, Timestamp>,
    /// What root did.
    #[serde(default)]
    pub activities: Arc<Activities>,
    /// Whether the push of its events was ever verified. That it is now does not survive a restart.
    #[serde(default)]
    pub push_was_up: bool,
    /// The newest event that changed a trail or a rule of ours.
    #[serde(default)]
    pub push_tampered: Option<Timestamp>,
}

/// The saved state besides the accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meta {
    /// The caller's own account, where that is the monitored one.
    pub caller: Option<AccountId>,
    /// The organization by its last complete list.
    pub organization: Option<Arc<KnownOrganization>>,
    /// Accounts that left in the last 24 hours.
    pub left: BTreeMap<AccountId, Left>,
}

/// The whole saved state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The state besides the accounts.
    pub meta: Meta,
    /// The accounts.
    pub accounts: BTreeMap<AccountId, SavedAccount>,
}

/// The content of one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The accounts that changed; `None` for one to delete.
    pub accounts: HashMap<AccountId, Option<SavedAccount>>,
    /// The state besides them, if it changed.
    pub meta: Option<Meta>,
}

/// The time of a write by both clocks of the process that wrote it, which ties the moments in it to
/// the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub at: Timestamp,
    pub moment: Moment,
}

impl Stamp {
    pub fn now(clock: &Clock) -> Self {
        Self {
            at: clock.now(),
            moment: clock.moment(),
        }
    }

    /// The milliseconds to add to the moments of that process to convert them to this process's clock.
    /// They age by the wall-clock time since, and by nothing where the wall clock was set back.
    pub fn shift(self, clock: &Clock) -> i64 {
        let elapsed = clock.now().since(self.at);
        let then = self.moment + elapsed;
        clock.moment().millis().saturating_sub(then.millis())
    }
}

impl SavedAccount {
    pub(super) fn shift(&mut self, millis: i64) {
        self.record.shift(millis);
        self.report_due = self.report_due.map(|due| due.shifted(millis));
    }
}

impl Meta {
    pub(super) fn shift(&mut self, millis: i64) {
        for left in self.left.values_mut() {
            left.until = left.until.shifted(millis);
        }
    }
}
