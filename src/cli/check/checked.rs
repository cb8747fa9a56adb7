//! The result for one account, and its findings.

use std::sync::Arc;
use std::time::Duration;

use super::saved::{Made, Opened, Saved};
use crate::account::{Access, Partition};
use crate::advice::keys::Count;
use crate::advice::{Finding, Findings};
use crate::advice::{accepted, words};
use crate::cli::args::CheckFinding;
use crate::cli::wire;
use crate::clock::Clock;
use crate::config::Config;
use crate::views::{AccountView, ReportView, SourceView, UserDetail};
use root_posture::report::UserCounts;
use root_posture::{
    Evidence, KeyDetail, Limits, Metric, Moment, Onset, Record, ReportClaim, Source, SourcesInUse,
    Timestamp, Values, judge,
};

/// What to do about a saved report that cannot be used.
pub(super) const SAVE_AGAIN: &str = "save the report again: aws iam generate-credential-report, \
    then aws iam get-credential-report";

/// The result for an account, or for a file or organization that could not be read.
pub(super) enum Checked {
    Account(Box<CheckedAccount>),
    Unread {
        /// The file, or `organization`.
        what: String,
        why: String,
        next: &'static str,
        is_report: bool,
    },
}

/// The result for one account.
pub(in crate::cli) struct CheckedAccount {
    pub view: AccountView,
    /// The saved report; `None` for an account that was polled.
    pub(super) saved: Option<(String, Made)>,
    /// Whether that report is older than it may be.
    is_too_old: bool,
    /// The moment at which its values are read.
    pub(super) moment: Moment,
    /// The same on the calendar.
    pub(super) now: Timestamp,
}

/// A root access key, as far as it is known.
pub(super) struct Key<'a> {
    pub active: bool,
    /// Its row in a report or a root session's list; `None` when neither contains it yet.
    pub listed: Option<KeyDetail<'a>>,
}

impl Checked {
    /// Whether the configuration accepts every key there is, and there is one.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Account(account) if account.is_accepted())
    }

    /// What is wrong, the worst first.
    pub fn findings(&self) -> Vec<CheckFinding> {
        match self {
            Self::Account(account) => account.findings(),
            Self::Unread { .. } => vec![CheckFinding::Unknown],
        }
    }
}

impl CheckedAccount {
    /// An account that has just been polled.
    pub fn live(view: AccountView, clock: &Clock) -> Self {
        Self {
            view,
            saved: None,
            is_too_old: false,
            moment: clock.moment(),
            now: clock.now(),
        }
    }

    /// An account by its saved report. A value that is fine is unknown once the report is older than
    /// `max_age`; a key is always shown.
    ///
    /// # Errors
    ///
    /// What is wrong with the report.
    pub(super) fn in_report(
        saved: &Saved,
        max_age: Duration,
        config: &Config,
        clock: &Clock,
    ) -> Result<Self, String> {
        let (now, moment) = (clock.now(), clock.moment());
        let Opened { report, made } = saved.open(Partition::of_region(&config.aws.region), now)?;
        let limits = Limits {
            interval: config.refresh.interval,
            in_force: config.refresh.interval,
            max_staleness: max_age,
            max_live_staleness: max_age,
        };
        // AWS's clock may be a little ahead of the local one.
        let date = match made {
            Made::At(time) => time.min(now),
            // A report from a pipe counts as made now.
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
            posture,
            onset,
            report: Some(Arc::new(ReportView {
                generated: date,
                rows_skipped: report.rows_skipped,
                users: UserCounts::of(&report.users),
                detail: UserDetail::Off,
                root: report.root,
            })),
            sources: [source].into(),
            ..AccountView::unknown(Arc::new(wire::account(
                config,
                report.account,
                report.partition.home_region(),
                Some(Access::Caller),
            )))
        };
        Ok(Self {
            view,
            saved: Some((saved.file.clone(), made)),
            is_too_old: now.since(date) > max_age,
            moment,
            now,
        })
    }

    /// A value, unless it has expired.
    pub fn value(&self, metric: Option<Metric>) -> Option<u8> {
        metric?.at(self.moment)
    }

    pub fn keys(&self) -> Count {
        Count::of(&self.view, self.moment)
    }

    /// How many active keys the configuration accepts.
    pub fn accepted(&self) -> u8 {
        accepted::count(&self.view, self.moment, self.now)
    }

    /// Whether there are keys, and the configuration accepts each of them. An old report does not show
    /// whether there is another one now.
    pub fn is_accepted(&self) -> bool {
        let Count {
            active, present, ..
        } = self.keys();
        let accepted = Some(self.accepted());
        accepted > Some(0) && active == accepted && present == accepted && !self.is_too_old
    }

    /// What is wrong, the worst first.
    pub fn findings(&self) -> Vec<CheckFinding> {
        let findings = Findings::of(&self.view, self.moment, self.now);
        let active = findings.has(Finding::KeyActive);
        let present = active || findings.has(Finding::KeyInactive);
        let is_none = match (self.keys().active, self.keys().present) {
            (Some(0), Some(0)) => true,
            (Some(_), Some(_)) => self.is_accepted(),
            (None, None) => self.has_no_root_credentials() && !self.is_too_old,
            _ => false,
        };
        let found = |finding: &CheckFinding| match finding {
            CheckFinding::Active => active,
            CheckFinding::Mfa => findings.has(Finding::NoMfa),
            CheckFinding::Present => present,
            CheckFinding::Unknown => !present && !is_none,
        };
        CheckFinding::ALL.into_iter().filter(found).collect()
    }

    /// Whether no account of its partition has root credentials, and its report confirms that.
    pub fn has_no_root_credentials(&self) -> bool {
        let report = self.view.report.as_ref();
        !self.view.account.partition().has_root_credentials()
            && report.is_some_and(|report| report.root.is_none())
    }

    /// The root access keys: those that a source lists, and those created since.
    pub(super) fn each_key(&self) -> Vec<Key<'_>> {
        let Count {
            active, present, ..
        } = self.keys();
        let active = usize::from(active.unwrap_or(0));
        let present = usize::from(present.unwrap_or(0)).max(active);
        if present == 0 {
            return Vec::new();
        }
        let listed = self.view.root_keys();
        let mut keys: Vec<_> = listed
            .map(|key| Key {
                active: key.active,
                listed: Some(key),
            })
            .collect();
        let active_listed = keys.iter().filter(|key| key.active).count();
        let active_since = active.saturating_sub(active_listed);
        let since = present.saturating_sub(keys.len());
        keys.extend((0..since).map(|at| Key {
            active: at < active_since,
            listed: None,
        }));
        keys
    }

    /// What the exceptions of the account say, in lines.
    pub fn exceptions(&self) -> impl Iterator<Item = String> {
        let sentences = accepted::sentences(&self.view, self.moment, self.now);
        sentences.into_iter().map(|it| words::line(&it))
    }

    /// Each source that fails, and why.
    pub fn failures(&self) -> impl Iterator<Item = String> {
        let failed = self.view.sources.iter().filter(|it| it.up == Some(false));
        failed.filter_map(|it| Some(format!("{}: {}", it.source, it.last_failure.as_ref()?.1)))
    }

    /// The time of the evidence, where it is known.
    pub fn observed(&self) -> Option<Timestamp> {
        if let Some((_, Made::Between { .. })) = self.saved {
            return None;
        }
        let keys = self.view.posture.keys_active;
        let keys = keys.filter(|metric| metric.at(self.moment).is_some());
        keys.map(|metric| metric.observed)
    }
}
