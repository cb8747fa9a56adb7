//! What the schedule is ordered to do: which accounts, by which sources, how often.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{AccountId, Limits, Source, SourcesInUse};

use super::probe::Probe;
use crate::account::Account;
use crate::aws::SessionKind;
use crate::views::KnownOrganization;

/// Which sources are asked, where an account has a way to ask them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The credential report.
    pub report: bool,
    /// The account summary.
    pub summary: bool,
}

impl Sources {
    /// Whether a source of an account is asked.
    #[must_use]
    pub fn uses(self, account: &Account, source: Source) -> bool {
        self.of(account).all().any(|used| used == source)
    }

    /// The sources of one account. In aws-cn there are no root credentials to look for.
    pub(super) fn of(self, account: &Account) -> Used {
        let has_root = account.partition().has_root_credentials();
        let has_own = account.access.is_some();
        let root = account.root_session && has_root;
        Used {
            report: self.report && has_own,
            summary: match (self.summary, has_own) {
                (true, true) if has_root => Some(SessionKind::Own),
                (true, false) if root => Some(SessionKind::Root),
                _ => None,
            },
            root,
        }
    }
}

/// The sources of one account, each with whether it is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Used {
    pub report: bool,
    /// The session in which the summary is read: a root session where there is no other.
    pub summary: Option<SessionKind>,
    pub root: bool,
}

impl Used {
    /// In the order of [`Source::ALL`].
    pub fn all(self) -> impl Iterator<Item = Source> {
        Source::ALL
            .into_iter()
            .zip([
                self.report,
                self.summary == Some(SessionKind::Own),
                self.root,
            ])
            .filter_map(|(source, used)| used.then_some(source))
    }

    pub fn runs(self, probe: Probe) -> bool {
        match probe {
            Probe::Summary => self.summary.is_some(),
            Probe::RootKeys | Probe::RootDetail => self.root,
            Probe::Report => self.report,
        }
    }

    pub fn in_use(self) -> SourcesInUse {
        SourcesInUse {
            summary: self.summary.is_some(),
            list: self.root,
            report: self.report,
        }
    }
}

/// What the schedule goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many probes of each kind run at once.
    pub concurrency: usize,
    /// How long one question may take.
    pub timeout: Duration,
    /// How long a report may stay in the making.
    pub report_timeout: Duration,
    /// How often each account is polled, and how long a value that says "fine" is shown.
    pub limits: Limits,
    /// What is asked.
    pub sources: Sources,
    /// Whether IAM users are kept by name.
    pub user_detail: bool,
    /// How many series they may take.
    pub max_detail_series: usize,
}

impl Settings {
    /// How often each account is polled.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.limits.interval
    }
}

/// Which accounts to monitor, and how: taken together, so that a reload is whole or nothing.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Which configuration they come from, counted from 0.
    pub generation: u64,
    /// How to monitor.
    pub settings: Settings,
    /// Which accounts; `None` until something is known.
    pub list: Option<AccountList>,
}

/// The accounts to monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountList {
    /// The accounts.
    pub accounts: Vec<Arc<Account>>,
    /// The caller's own account, where that is known.
    pub caller: Option<AccountId>,
    /// Whether the list is whole, be it from the state file.
    pub complete: bool,
    /// Whether AWS or the configuration has confirmed it in this run. What a list leaves out that
    /// has not been is not dropped.
    pub confirmed: bool,
    /// Accounts that are not monitored here, and why. One that is neither here nor in `accounts`
    /// was removed.
    pub absent: Arc<HashMap<AccountId, Absent>>,
    /// The organization, to be kept across restarts.
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
