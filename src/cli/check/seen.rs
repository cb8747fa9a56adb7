//! What `check` has seen of one account, and what that comes to.

use std::sync::Arc;

use super::saved::{Made, Opened};
use crate::account::{Access, Account, AccountId};
use crate::clock::Clock;
use crate::config::Config;
use crate::views::{AccountView, ReportView, SourceView, UserDetail};
use root_posture::report::UserFigures;
use root_posture::{
    Evidence, Limits, Metric, Moment, Onset, Record, ReportClaim, ShownKey, Source, SourcesInUse,
    Timestamp, Values, judge,
};

/// A saved report is judged as of the time it was made, whenever that was.
const FOR_EVER: Limits = Limits {
    interval: std::time::Duration::from_secs(60),
    max_staleness: std::time::Duration::from_secs(1_000 * 365 * 86_400),
    max_live_staleness: std::time::Duration::from_secs(1_000 * 365 * 86_400),
};

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
pub(super) struct Seen {
    pub view: AccountView,
    /// The saved report it was seen in; `None` when AWS was asked.
    pub saved: Option<(String, Made)>,
    /// The moment at which its figures are read.
    pub moment: Moment,
}

/// What an account comes to. Ordered by how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
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
    pub told: Option<ShownKey<'a>>,
}

impl Checked {
    /// A saved report that cannot be read.
    pub fn torn(file: String, why: String) -> Self {
        Self::Unread {
            what: file,
            why,
            next: "save the report again: aws iam generate-credential-report, then aws iam \
                get-credential-report",
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
}

impl Seen {
    /// What AWS has just shown.
    pub fn live(view: AccountView, moment: Moment) -> Self {
        Self {
            view,
            saved: None,
            moment,
        }
    }

    /// What a saved report shows.
    pub fn in_report(file: &str, opened: Opened, config: &Config, clock: &Clock) -> Self {
        let Opened { report, made } = opened;
        let (now, moment) = (clock.now(), clock.moment());
        let at = match made {
            Made::At(time) | Made::NotBefore(time) => time,
            Made::Unknown => now,
        };
        // A time in the future cannot be.
        let date = at.min(now);
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
        record.take(Evidence::Report(claim), &FOR_EVER);
        let mut source = SourceView::new(Source::CredentialReport);
        source.worked(date);
        let posture = judge(&record, moment, &FOR_EVER);
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
                users: UserFigures::of(&report.users),
                detail: UserDetail::Off,
                root: report.root,
            })),
            listed: None,
            sources: vec![source],
        };
        Self {
            view,
            saved: Some((file.to_owned(), made)),
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
            (None, None) if self.has_no_root_credentials() => Verdict::Clean,
            (active, present) => {
                let active = active.unwrap_or(0);
                match present.unwrap_or(0).max(active) {
                    0 => Verdict::Unknown,
                    present => Verdict::Found { active, present },
                }
            }
        }
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
    pub fn keys(&self) -> Vec<Key<'_>> {
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
            Some((_, Made::NotBefore(_) | Made::Unknown)) => None,
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
