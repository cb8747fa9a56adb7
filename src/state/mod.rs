//! What survives a restart, and when it may be shown: the database and the gate before it.
//!
//! It keeps evidence only, never a conclusion, and no credentials, session tokens or external ids.
//! The database is for this process alone; losing it costs one poll of each account.

mod database;
mod gate;
pub mod import;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use root_posture::{AccountId, ListedKeys, Moment, Onset, Record, Source, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::views::{KnownOrganization, Left, ReportView};

pub use database::{Database, Refusal};
pub use gate::{Disk, Gate, Keeper};

/// What is kept of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAccount {
    /// The evidence.
    pub record: Record,
    /// Since when it has had an active root key.
    pub onset: Onset,
    /// The credential report in use. It is big and rarely changes, so it is stored by itself.
    #[serde(skip)]
    pub report: Option<Arc<ReportView>>,
    /// The keys that a root session listed last.
    pub listed: Option<Arc<ListedKeys>>,
    /// When the next report is due.
    pub report_due: Option<Moment>,
    /// When each source last worked, by the local clock.
    pub last_success: BTreeMap<Source, Timestamp>,
}

/// What is kept beside the accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meta {
    /// The caller's own account, where that is what is watched.
    pub caller: Option<AccountId>,
    /// The organization, as its last complete list had it.
    pub organization: Option<Arc<KnownOrganization>>,
    /// Accounts that left in the last 24 hours.
    pub left: BTreeMap<AccountId, Left>,
}

/// All that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What is kept beside the accounts.
    pub meta: Meta,
    /// The accounts.
    pub accounts: BTreeMap<AccountId, SavedAccount>,
}

/// What one commit writes: the accounts that changed, `None` for one to delete, and what is kept
/// beside them where that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The accounts.
    pub accounts: HashMap<AccountId, Option<SavedAccount>>,
    /// What is kept beside them.
    pub meta: Option<Meta>,
}

/// When something was written, by both clocks of the process that wrote it: what ties the moments
/// in it to the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    at: Timestamp,
    moment: Moment,
}

impl Stamp {
    fn now(clock: &Clock) -> Self {
        Self {
            at: clock.now(),
            moment: clock.moment(),
        }
    }

    /// What to add to the moments of that process to have them by this process's clock, so that
    /// they aged by the wall-clock time since, and by nothing where the wall clock was set back.
    fn shift(self, clock: &Clock) -> i64 {
        let elapsed = clock.now().since(self.at);
        let then = self.moment + elapsed;
        clock.moment().millis().saturating_sub(then.millis())
    }
}

impl SavedAccount {
    fn shift(&mut self, millis: i64) {
        self.record.shift(millis);
        self.report_due = self.report_due.map(|due| due.shifted(millis));
    }
}

impl Meta {
    fn shift(&mut self, millis: i64) {
        for left in self.left.values_mut() {
            left.until = left.until.shifted(millis);
        }
    }
}
