//! The orders of the schedule: which accounts it monitors, by which sources, how often.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{AccountId, Limits, Source, SourcesInUse};

use super::push::PushSettings;
use crate::account::Account;
use crate::views::KnownOrganization;

/// Which sources are polled, where an account can be reached for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The credential report.
    pub report: bool,
    /// The account summary.
    pub summary: bool,
}

impl Sources {
    /// Whether a source of an account is in use. A summary in a root session belongs to the root
    /// session.
    #[must_use]
    pub fn uses(self, account: &Account, source: Source) -> bool {
        let in_use = self.of(account);
        match source {
            Source::CredentialReport => in_use.report,
            Source::AccountSummary => in_use.summary && account.access.is_some(),
            Source::RootSession => in_use.list,
        }
    }

    /// The evidence in use of one account. In aws-cn there are no root credentials to find.
    pub(super) fn of(self, account: &Account) -> SourcesInUse {
        let has_root = account.partition().has_root_credentials();
        let has_own = account.access.is_some();
        let list = account.root_session && has_root;
        SourcesInUse {
            report: self.report && has_own,
            // In a root session where there is no other.
            summary: self.summary && if has_own { has_root } else { list },
            list,
        }
    }
}

/// The settings of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many probes of each kind run at once.
    pub concurrency: usize,
    /// How long one question may take.
    pub timeout: Duration,
    /// How long AWS may take to make a report.
    pub report_timeout: Duration,
    /// How often each account is polled, and when a fine value expires.
    pub limits: Limits,
    /// Which sources are polled.
    pub sources: Sources,
    /// Whether IAM users are kept by name.
    pub user_detail: bool,
    /// How many series they may take.
    pub max_detail_series: usize,
    /// Push; `None` without a queue.
    pub push: Option<PushSettings>,
}

impl Settings {
    /// How often each account is polled.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.limits.interval
    }
}

/// Which accounts to monitor, and how. Taken together, so that a reload applies as a whole.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The number of the configuration they come from, counted from 0.
    pub generation: u64,
    /// The settings.
    pub settings: Settings,
    /// The accounts; `None` until any are known.
    pub list: Option<AccountList>,
}

/// The accounts to monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountList {
    /// The accounts.
    pub accounts: Vec<Arc<Account>>,
    /// The caller's own account, where that is known.
    pub caller: Option<AccountId>,
    /// Whether the list is complete; one from the state file is.
    pub complete: bool,
    /// Whether AWS or the configuration has confirmed it in this process. Accounts missing from a
    /// list without confirmation stay monitored.
    pub confirmed: bool,
    /// Accounts that are not monitored here, and why. One that is neither here nor in `accounts`
    /// was removed.
    pub absent: Arc<HashMap<AccountId, Absent>>,
    /// The organization, to be saved for a restart.
    pub organization: Option<Arc<KnownOrganization>>,
}

/// Why an account that exists is not monitored by this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Another shard monitors it.
    OtherShard,
    /// It is closed, suspended or not yet active.
    Inactive,
    /// The configuration excludes it.
    Excluded,
}
