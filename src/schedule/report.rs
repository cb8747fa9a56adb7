//! The credential report of an account: the one in use, the one that AWS is making, and when the next
//! step is due.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use root_posture::report::{CredentialReport, UserCounts, UserRow};
use root_posture::{AccountId, Moment, Timestamp};
use tracing::warn;

use super::orders::Settings;
use crate::failure::{Failure, Reason};
use crate::views::{ReportView, UserDetail};

/// The age of a report at which AWS makes a new one.
const LIFE: Duration = Duration::from_secs(4 * 3600);

/// A pause after that, besides the jitter: AWS counts in whole seconds.
const MARGIN: Duration = Duration::from_secs(1);
const JITTER: Duration = Duration::from_secs(9);

/// The pauses in seconds between polls for a report that AWS is making; the last one repeats.
const PAUSES: [u64; 6] = [1, 2, 4, 8, 15, 30];

/// The report in use, and the one that AWS is making.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The report in use.
    pub view: Option<Arc<ReportView>>,
    /// The one that AWS is making.
    pub pending: Option<Pending>,
}

/// A report that AWS is making.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    since: Moment,
    polls: usize,
}

impl Report {
    /// The longest time from one report to the next without failures.
    pub const LONGEST_LIFE: Duration = LIFE.saturating_add(MARGIN).saturating_add(JITTER);

    /// How many series the account's IAM users take by name.
    pub fn detail_series(&self) -> usize {
        self.view.as_ref().map_or(0, |view| view.detail.series())
    }

    /// Continues under these settings. Returns whether the report has to be read again for its users.
    pub fn adapt(&mut self, settings: &Settings) -> bool {
        let Some(view) = &mut self.view else {
            return false;
        };
        let is_off = view.detail == UserDetail::Off;
        if !settings.user_detail && !is_off {
            Arc::make_mut(view).detail = UserDetail::Off;
        }
        settings.user_detail && is_off
    }

    /// Notes that AWS is making a report. Returns since when, and the pause before the next poll.
    ///
    /// # Errors
    ///
    /// It was not ready within `refresh.report_timeout`.
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
            let timeout = settings.report_timeout;
            let message =
                format!("credential report: not ready within refresh.report_timeout ({timeout:?})");
            return Err(Failure::new(Reason::ReportPending, message));
        }
        let pause = Duration::from_secs(PAUSES[pending.polls.min(PAUSES.len() - 1)]);
        pending.polls += 1;
        Ok((pending.since, pause))
    }

    /// Puts a report in use. `free_series` is how many series its IAM users may take by name.
    pub fn put(
        &mut self,
        id: AccountId,
        report: CredentialReport,
        generated: Timestamp,
        settings: &Settings,
        free_series: usize,
    ) {
        self.view = Some(Arc::new(ReportView {
            generated,
            rows_skipped: report.rows_skipped,
            users: UserCounts::of(&report.users),
            detail: users_by_name(id, report.users, settings, free_series),
            root: report.root,
        }));
    }
}

/// How long until AWS can make a newer report than one generated then; `None` if it already can.
/// `draw` is a random number from 0 to 1.
pub(super) fn until_next(generated: Moment, now: Moment, draw: f64) -> Option<Duration> {
    let rest = LIFE.checked_sub(now.since(generated))?;
    (!rest.is_zero()).then(|| rest + MARGIN + JITTER.mul_f64(draw))
}

fn users_by_name(
    id: AccountId,
    mut users: Vec<UserRow>,
    settings: &Settings,
    free_series: usize,
) -> UserDetail {
    if !settings.user_detail {
        return UserDetail::Off;
    }
    // Names are unique in IAM. If they were not, one series must still not be exported twice.
    let mut names = HashSet::new();
    users.retain(|user| names.insert(user.name.clone()));
    let kept = UserDetail::Kept(users);
    if kept.series() <= free_series {
        return kept;
    }
    warn!(
        account = %id,
        series = kept.series(),
        "the IAM users of this account are left out because they would pass \
         users.max_detail_series; raise it, or monitor fewer accounts with this process"
    );
    UserDetail::Dropped
}
