//! The credential report of an account: its steps, and what one that was read changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::{Making, Now, REPORT_JITTER, REPORT_LIFE, REPORT_MARGIN, Watched};
use crate::backoff::Backoff;
use crate::evidence::{Failure, Reason, Source};
use crate::posture::Demand;
use crate::refresh::Settings;
use crate::refresh::attempt::{Read, Seen, Step};
use crate::report::{UserFigures, UserRow};
use crate::store::{ReportView, UserDetail};

/// The pauses between the questions whether a report is ready.
const POLLS: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

impl Watched {
    /// Takes what a step of the report found. `room` is how many series users may still take.
    pub fn reported(
        &mut self,
        found: Result<Seen<Step>, Failure>,
        now: Now,
        settings: &Settings,
        room: usize,
    ) {
        if let Some(plan) = &mut self.report {
            plan.tried = true;
        }
        match found.map(|seen| seen.value) {
            Ok(Step::InTheMaking) => self.report_in_the_making(now, settings),
            Ok(Step::Read(read)) => self.report_read(*read, now, settings, room),
            Err(failure) => self.report_failed(failure, now, settings),
        }
        self.settle(now, settings);
    }

    fn report_in_the_making(&mut self, now: Now, settings: &Settings) {
        let making = self.making.get_or_insert(Making {
            since: now.moment,
            polls: 0,
        });
        if now.moment.since(making.since) >= settings.report_timeout {
            let failure = Failure::new(
                Reason::ReportPending,
                format!(
                    "credential report: not ready within refresh.report_timeout ({:?})",
                    settings.report_timeout
                ),
            );
            self.making = None;
            self.report_failed(failure, now, settings);
            return;
        }
        let pause = POLLS[making.polls.min(POLLS.len() - 1)];
        making.polls += 1;
        self.record.report_started(making.since);
        if let Some(plan) = &mut self.report {
            plan.due = now.moment + pause;
        }
    }

    fn report_read(&mut self, read: Read, now: Now, settings: &Settings, room: usize) {
        let Read { report, facts } = read;
        self.making = None;
        self.worked(Source::CredentialReport, now);
        let demand = self.record.report_arrived(facts);
        if self.record.report_stamp() == Some(facts.stamp) {
            // Rows of users count from the moment they are read, whatever a look says of root.
            let detail = self.detail(report.users.as_slice(), settings, room);
            self.view = Some(Arc::new(ReportView {
                generated: facts.stamp.at,
                rows_skipped: report.rows_skipped,
                users: UserFigures::of(&report.users),
                detail,
                root: report.root,
            }));
        }
        let age = facts.stamp.age(now.moment);
        if let Some(plan) = &mut self.report {
            if let Some(rest) = REPORT_LIFE.checked_sub(age).filter(|rest| !rest.is_zero()) {
                plan.failures = 0;
                plan.due = now.moment + rest + REPORT_MARGIN + REPORT_JITTER.mul_f64(now.draw);
            } else {
                // AWS says that it is complete, and it is an old one all the same. A stand-in
                // may date every report 2015: ask again, but never hammer.
                plan.failures += 1;
                plan.due =
                    now.moment + Backoff::slow(settings.interval).pause(plan.failures, now.draw);
            }
        }
        if demand == Demand::LookAtOnce {
            match &mut self.look {
                Some(plan) if plan.running.is_none() => {
                    plan.due = now.moment;
                    for live in &mut self.live {
                        live.due = now.moment;
                    }
                }
                Some(_) => {}
                None => self.record.look_failed(),
            }
        }
    }

    fn report_failed(&mut self, failure: Failure, now: Now, settings: &Settings) {
        if let Some(plan) = &mut self.report {
            plan.failures += 1;
            plan.due = now.moment + Backoff::slow(settings.interval).pause(plan.failures, now.draw);
        }
        self.failed(Source::CredentialReport, failure, now);
        self.record.report_failed();
    }

    fn detail(&self, users: &[UserRow], settings: &Settings, room: usize) -> UserDetail {
        if !settings.user_detail {
            return UserDetail::Off;
        }
        // Names are unique in IAM; were they not, one series must not be told twice.
        let mut names = HashSet::new();
        let users = users.iter().filter(|user| names.insert(&user.name));
        let kept = UserDetail::Kept(users.cloned().collect());
        if kept.series() <= room {
            return kept;
        }
        warn!(
            account = %self.account.id,
            series = kept.series(),
            "the IAM users of this account are left out: users.max_detail_series would be passed; \
             raise it, or watch fewer accounts with this process"
        );
        UserDetail::Dropped
    }
}
