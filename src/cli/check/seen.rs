//! What `check` has seen of one account, and what that comes to.

use std::sync::Arc;
use std::time::Duration;

use super::saved::{Made, Opened};
use crate::account::{Access, Account, AccountId};
use crate::cli::args::CheckFinding;
use crate::clock::Clock;
use crate::config::Config;
use crate::views::{AccountView, ReportView, SourceView, UserDetail};
use root_posture::report::UserCounts;
use root_posture::{
    Evidence, KeyDetail, Limits, Metric, Moment, Onset, Record, ReportClaim, Source, SourcesInUse,
    Timestamp, Values, judge,
};

/// What to do where a saved report is of no use.
pub(super) const SAVE_AGAIN: &str = "save the report again: aws iam generate-credential-report, \
    then aws iam get-credential-report";

/// One account, or something that names none.
pub(super) enum Checked {
    Account(Box<Seen>),
    /// What could not be read (a saved report, the organization), why, and what to do next.
    Unread {
        what: String,
        why: String,
        next: &'static str,
        /// Whether it is a saved report.
        is_report: bool,
    },
}

/// One account as it was seen.
pub(in crate::cli) struct Seen {
    pub view: AccountView,
    /// The saved report it was seen in; `None` when AWS was asked.
    pub(super) saved: Option<(String, Made)>,
    /// Whether that report is older than it may be.
    is_too_old: bool,
    /// The moment at which its figures are read.
    pub moment: Moment,
}

/// What an account comes to. Ordered by how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Verdict {
    /// It has no root access key.
    Clean,
    /// Nobody can say.
    Unknown,
    /// It has root access keys: so many active, so many in all.
    Found { active: u8, present: u8 },
}

/// One root access key as far as it is known.
pub(super) struct Key<'a> {
    /// Whether it is active.
    pub active: bool,
    /// What a report or a root session says of it; `None` of one that neither has yet.
    pub told: Option<KeyDetail<'a>>,
}

impl Checked {
    /// A saved report that cannot be read.
    pub fn torn(file: String, why: String) -> Self {
        Self::Unread {
            what: file,
            why,
            next: SAVE_AGAIN,
            is_report: true,
        }
    }

    /// Something else that cannot be read.
    pub fn unread(what: &str, why: String, next: &'static str) -> Self {
        Self::Unread {
            what: what.to_owned(),
            why,
            next,
            is_report: false,
        }
    }

    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Account(seen) => seen.verdict(),
            Self::Unread { .. } => Verdict::Unknown,
        }
    }

    /// What is wrong, the worst first.
    pub fn findings(&self) -> Vec<CheckFinding> {
        let verdict = self.verdict();
        let is_without_mfa = match self {
            Self::Account(seen) => seen.is_without_mfa(),
            Self::Unread { .. } => false,
        };
        let found = |finding: &CheckFinding| match finding {
            CheckFinding::Active => matches!(verdict, Verdict::Found { active: 1.., .. }),
            CheckFinding::Mfa => is_without_mfa,
            CheckFinding::Present => matches!(verdict, Verdict::Found { .. }),
            CheckFinding::Unknown => verdict == Verdict::Unknown,
        };
        CheckFinding::ALL.into_iter().filter(found).collect()
    }
}

impl Seen {
    /// What AWS has just shown.
    pub fn live(view: AccountView, moment: Moment) -> Self {
        Self {
            view,
            saved: None,
            is_too_old: false,
            moment,
        }
    }

    /// What a saved report shows. What is fine in it is not shown once it is older than `max_age`;
    /// a key always is.
    pub(super) fn in_report(
        file: &str,
        opened: Opened,
        max_age: Duration,
        config: &Config,
        clock: &Clock,
    ) -> Self {
        let Opened { report, made } = opened;
        let (now, moment) = (clock.now(), clock.moment());
        let limits = Limits {
            interval: config.refresh.interval,
            max_staleness: max_age,
            max_live_staleness: max_age,
        };
        // A time that is a little ahead of the local clock is now.
        let date = match made {
            Made::At(time) => time.min(now),
            // What comes through a pipe is taken as made now.
            Made::Between { last, .. } => last.unwrap_or(now).min(now),
        };
        let claim = ReportClaim {
            received: moment,
            generated: moment - now.since(date),
            date,
            values: Values::of_row(report.root.as_ref()),
        };
        let mut record = Record::new(SourcesInUse {
            report: true,
            ..SourcesInUse::default()
        });
        record.take(Evidence::Report(claim), &limits);
        let mut source = SourceView::new(Source::CredentialReport);
        source.worked(date);
        let posture = judge(&record, moment, &limits);
        let mut onset = Onset::default();
        onset.follow(&posture);
        let view = AccountView {
            account: Arc::new(account(
                config,
                report.account,
                report.partition.home_region(),
            )),
            posture,
            onset,
            report: Some(Arc::new(ReportView {
                generated: date,
                rows_skipped: report.rows_skipped,
                users: UserCounts::of(&report.users),
                detail: UserDetail::Off,
                root: report.root,
            })),
            listed: None,
            sources: vec![source],
        };
        Self {
            view,
            saved: Some((file.to_owned(), made)),
            is_too_old: now.since(date) > max_age,
            moment,
        }
    }

    /// A figure, as far as it is believed.
    pub fn value(&self, figure: Option<Metric>) -> Option<u8> {
        figure?.at(self.moment)
    }

    pub fn verdict(&self) -> Verdict {
        let posture = &self.view.posture;
        let (active, present) = (
            self.value(posture.keys_active),
            self.value(posture.keys_present),
        );
        match (active, present) {
            (Some(0), Some(0)) => Verdict::Clean,
            (None, None) if self.has_no_root_credentials() && !self.is_too_old => Verdict::Clean,
            (active, present) => {
                let active = active.unwrap_or(0);
                match present.unwrap_or(0).max(active) {
                    0 => Verdict::Unknown,
                    present => Verdict::Found { active, present },
                }
            }
        }
    }

    /// Whether the root user has no MFA, and may have a password.
    pub fn is_without_mfa(&self) -> bool {
        let posture = &self.view.posture;
        self.value(posture.mfa_enabled) == Some(0)
            && self.value(posture.password_enabled) != Some(0)
    }

    /// Whether the account's partition knows no root credentials and its report says so.
    pub fn has_no_root_credentials(&self) -> bool {
        !self.view.account.partition().has_root_credentials()
            && self
                .view
                .report
                .as_ref()
                .is_some_and(|report| report.root.is_none())
    }

    /// The root access keys that exist: those that were told one by one, and those created since.
    pub(super) fn keys(&self) -> Vec<Key<'_>> {
        let Verdict::Found { active, present } = self.verdict() else {
            return Vec::new();
        };
        let mut keys: Vec<Key<'_>> = self
            .view
            .root_keys()
            .map(|told| Key {
                active: told.active,
                told: Some(told),
            })
            .collect();
        let mut active_left =
            usize::from(active).saturating_sub(keys.iter().filter(|key| key.active).count());
        while keys.len() < usize::from(present) {
            keys.push(Key {
                active: active_left > 0,
                told: None,
            });
            active_left = active_left.saturating_sub(1);
        }
        keys
    }

    /// When what is shown was true, where that is known.
    pub fn observed(&self) -> Option<Timestamp> {
        match &self.saved {
            Some((_, Made::Between { .. })) => None,
            _ => self
                .view
                .posture
                .keys_active
                .filter(|figure| figure.at(self.moment).is_some())
                .map(|figure| figure.observed),
        }
    }
}

/// The account as the configuration lists it, or as little as its id says.
fn account(config: &Config, id: AccountId, region: &str) -> Account {
    let listed = config.accounts.iter().find(|account| account.id == id);
    listed.cloned().unwrap_or_else(|| Account {
        id,
        name: String::new(),
        region: region.to_owned(),
        access: Some(Access::Caller),
        root_session: false,
        labels: Arc::default(),
    })
}
