//! The life of an account's credential report: its steps, when the next is due, and what one that
//! was read changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use root_posture::report::{CredentialReport, UserCounts, UserRow};
use root_posture::{AccountId, Moment, Timestamp};
use tracing::warn;

use super::orders::Settings;
use crate::failure::{Failure, Reason};
use crate::views::{ReportView, UserDetail};

/// How long AWS keeps a report: it makes a new one when the last is so old.
const LIFE: Duration = Duration::from_secs(4 * 3600);

/// A pause after a report ran out, beside the jitter: AWS counts in whole seconds.
const MARGIN: Duration = Duration::from_secs(1);
const JITTER: Duration = Duration::from_secs(9);

/// The pauses between the questions whether a report is ready.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// The report in use, and the one that AWS is making.
#[derive(Debug, Default)]
pub(super) struct Report {
    view: Option<Arc<ReportView>>,
    pending: Option<Pending>,
}

/// A report that AWS is making.
#[derive(Clone, Copy, Debug)]
struct Pending {
    since: Moment,
    polls: usize,
}

impl Report {
    /// The longest time from one report to the next, when all is well.
    pub const LONGEST_LIFE: Duration = LIFE.saturating_add(MARGIN).saturating_add(JITTER);

    /// What is shown of the report in use.
    pub fn view(&self) -> Option<Arc<ReportView>> {
        self.view.clone()
    }

    /// Whether AWS is making one.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// How many series the account's IAM users take by name.
    pub fn detail_series(&self) -> usize {
        self.view.as_ref().map_or(0, |view| view.detail.series())
    }

    /// Goes on with a report from before the start. Whether it has to be read again.
    pub fn restore(&mut self, view: Option<Arc<ReportView>>, settings: &Settings) -> bool {
        self.view = view;
        self.adapt(settings)
    }

    /// Goes on under these settings. Whether the report has to be read again for its users.
    pub fn adapt(&mut self, settings: &Settings) -> bool {
        let Some(view) = &mut self.view else {
            return false;
        };
        match (&view.detail, settings.user_detail) {
            (UserDetail::Kept(_) | UserDetail::Dropped, false) => {
                Arc::make_mut(view).detail = UserDetail::Off;
                false
            }
            (UserDetail::Off, true) => true,
            (UserDetail::Off, false) | (UserDetail::Kept(_) | UserDetail::Dropped, true) => false,
        }
    }

    /// AWS is making a report: since when, and how long to pause before the next question.
    ///
    /// # Errors
    ///
    /// It has not been ready within `refresh.report_timeout`.
    pub fn wait(
        &mut self,
        now: Moment,
        settings: &Settings,
    ) -> Result<(Moment, Duration), Failure> {
        let pending = self.pending.get_or_insert(Pending {
            since: now,
            polls: 0,
        });
        if now.since(pending.since) >= settings.report_timeout {
            self.pending = None;
            return Err(Failure::new(
                Reason::ReportPending,
                format!(
                    "credential report: not ready within refresh.report_timeout ({:?})",
                    settings.report_timeout
                ),
            ));
        }
        let pause = PAUSES[pending.polls.min(PAUSES.len() - 1)];
        pending.polls += 1;
        Ok((pending.since, pause))
    }

    /// AWS has handed out a report: none is pending any more.
    pub fn arrived(&mut self) {
        self.pending = None;
    }

    /// Puts a report in use. `room` is how many series its IAM users may take by name.
    pub fn put(
        &mut self,
        id: AccountId,
        report: CredentialReport,
        generated: Timestamp,
        settings: &Settings,
        room: usize,
    ) {
        self.view = Some(Arc::new(ReportView {
            generated,
            rows_skipped: report.rows_skipped,
            users: UserCounts::of(&report.users),
            detail: users_by_name(id, report.users, settings, room),
            root: report.root,
        }));
    }
}

/// How long until AWS can make a newer report than one generated then; `None` when it could
/// already. `draw` is a random number from 0 to 1.
pub(super) fn until_next(generated: Moment, now: Moment, draw: f64) -> Option<Duration> {
    let rest = LIFE.checked_sub(now.since(generated))?;
    (!rest.is_zero()).then(|| rest + MARGIN + JITTER.mul_f64(draw))
}

fn users_by_name(
    id: AccountId,
    mut users: Vec<UserRow>,
    settings: &Settings,
    room: usize,
) -> UserDetail {
    if !settings.user_detail {
        return UserDetail::Off;
    }
    // Names are unique in IAM; were they not, one series must not be exported twice.
    let mut names = HashSet::new();
    users.retain(|user| names.insert(user.name.clone()));
    let kept = UserDetail::Kept(users);
    if kept.series() <= room {
        return kept;
    }
    warn!(
        account = %id,
        series = kept.series(),
        "the IAM users of this account are left out: users.max_detail_series would be passed; \
         raise it, or monitor fewer accounts with this process"
    );
    UserDetail::Dropped
}
