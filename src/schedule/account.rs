//! One account: its evidence, its judgement, and when each probe runs again.
//!
//! It takes observations and decides what comes next; it does no I/O and reads no clock. It never
//! judges evidence itself: `root_posture::judge` does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{
    Answer, Evidence, ListedKeys, LiveSource, Moment, Onset, Posture, Record, RootKey, Source,
    Timestamp, Topic, Topics, judge,
};
use tracing::warn;

use super::agenda::Plan;
use super::log::log_changes;
use super::orders::Settings;
use super::phase::Phase;
use super::probe::{Finding, Observation, Probe, Question, ReadReport};
use super::report::{Report, until_next};
use super::sources::SourceHealth;
use crate::account::Account;
use crate::aws::SessionKind;
use crate::backoff::Backoff;
use crate::failure::{Failure, Reason};
use crate::state::SavedAccount;
use crate::views::AccountView;

/// How often the details of a root session, which change rarely, are polled.
const DETAIL_PERIOD: Duration = Duration::from_secs(10 * 60);

/// The current time by both clocks, and a random number from 0 to 1 for jitter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub wall: Timestamp,
    pub moment: Moment,
    pub draw: f64,
}

/// The circumstances of an observation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'s> {
    pub now: Now,
    pub settings: &'s Settings,
    /// How many series the account's IAM users may take by name.
    pub free_series: usize,
}

#[derive(Debug)]
pub(super) struct Monitored {
    pub account: Arc<Account>,
    /// The probes in use, indexed by [`Probe`].
    plans: [Option<Plan>; Probe::COUNT],
    /// How many accounts joined before this one: its place in the interval.
    nth: u32,
    phase: Phase,
    pub record: Record,
    onset: Onset,
    pub posture: Posture,
    pub report: Report,
    /// The newest list of keys of a root session.
    pub listed: Option<Arc<ListedKeys>>,
    pub sources: SourceHealth,
}

impl Monitored {
    /// The `nth` account, monitored from `now` on and first polled at `first`, with the saved state
    /// of an earlier process.
    pub fn new(
        account: Arc<Account>,
        nth: u32,
        first: Moment,
        now: Moment,
        saved: Option<SavedAccount>,
        settings: &Settings,
    ) -> Self {
        let in_use = settings.sources.of(&account);
        let mut monitored = Self {
            plans: Probe::ALL.map(|probe| probe.is_used(in_use).then(|| Plan::new(first))),
            nth,
            phase: Phase::of(nth, settings.interval()),
            record: Record::new(in_use),
            onset: Onset::default(),
            posture: Posture::default(),
            report: Report::default(),
            listed: None,
            sources: SourceHealth::new(&account, settings.sources, &BTreeMap::new()),
            account,
        };
        if let Some(plan) = monitored.plan_mut(Probe::RootDetail) {
            // The first list of keys makes it due earlier.
            plan.due = first + detail_period(settings);
            plan.attempted = true;
        }
        if let Some(saved) = saved {
            monitored.restore(saved, first, now, settings);
        }
        monitored
    }

    fn restore(&mut self, saved: SavedAccount, first: Moment, now: Moment, settings: &Settings) {
        let in_use = settings.sources.of(&self.account);
        self.record = saved.record;
        self.record.use_sources(in_use, now, &settings.limits);
        self.onset = saved.onset;
        self.listed = saved.listed.filter(|_| in_use.list);
        self.sources = SourceHealth::new(&self.account, settings.sources, &saved.last_success);
        self.report.view = saved.report;
        let is_needed_for_users = self.report.adapt(settings);
        if let Some(plan) = self.plan_mut(Probe::Report)
            && let Some(due) = saved.report_due
        {
            // No later than a report of now would be due: the clock may have been wrong at the save.
            plan.due = due.clamp(first, now + Report::LONGEST_LIFE);
            plan.attempted = due > first;
            if is_needed_for_users {
                plan.due = first;
            }
        }
        self.posture = judge(&self.record, now, &settings.limits);
    }

    /// Continues under other settings, or with an account that is reached in another way. The
    /// evidence stays, and so do the due times of the probes that stay in use.
    pub fn adapt(&mut self, account: Arc<Account>, now: Moment, settings: &Settings) {
        let is_read_anew = !self.account.is_read_like(&account);
        self.account = account;
        self.phase = Phase::of(self.nth, settings.interval());
        let in_use = settings.sources.of(&self.account);
        let next_poll = self.phase.next(now, settings.interval());
        for probe in Probe::ALL {
            let plan = &mut self.plans[probe as usize];
            if !probe.is_used(in_use) {
                *plan = None;
                continue;
            }
            let plan = plan.get_or_insert(Plan::new(now));
            let is_scheduled_report = probe == Probe::Report && !plan.is_failing();
            if is_read_anew {
                // A run in flight reads the account in the old way.
                plan.in_flight = None;
                plan.due = if is_scheduled_report { plan.due } else { now };
            } else if probe == Probe::RootDetail {
                plan.due = plan.due.min(next_poll.max(now + detail_period(settings)));
            } else if probe != Probe::Report {
                plan.due = plan.due.min(next_poll);
            }
        }
        self.sources.adapt(&self.account, settings.sources);
        if !in_use.list {
            self.listed = None;
        }
        self.record.use_sources(in_use, now, &settings.limits);
        if self.report.adapt(settings)
            && let Some(plan) = self.plan_mut(Probe::Report)
            && !plan.is_failing()
        {
            // The rows of users were not kept; AWS still has the report.
            plan.due = now;
        }
        self.judge(now, settings);
    }

    pub fn plans(&self) -> impl Iterator<Item = (Probe, &Plan)> {
        let plans = Probe::ALL.into_iter().zip(&self.plans);
        plans.filter_map(|(probe, plan)| Some((probe, plan.as_ref()?)))
    }

    pub fn plan(&self, probe: Probe) -> Option<&Plan> {
        self.plans[probe as usize].as_ref()
    }

    pub fn plan_mut(&mut self, probe: Probe) -> Option<&mut Plan> {
        self.plans[probe as usize].as_mut()
    }

    /// Whether each probe has been attempted since the start, well or not, or need not be.
    pub fn is_attempted(&self) -> bool {
        self.plans().all(|(_, plan)| plan.attempted)
    }

    /// When the account has to be judged again without a new observation.
    pub fn review_at(&self, settings: &Settings) -> Option<Moment> {
        let awaited = self.awaited().map(|(_, plan)| plan.due + settings.timeout);
        self.posture.review_at.into_iter().chain(awaited).min()
    }

    /// Judges the evidence again because time has passed. A first start stops waiting for a probe
    /// once its deadline has passed: it may wait for a slot much longer than that.
    pub fn review(&mut self, now: Moment, settings: &Settings) {
        let failure = |source| Evidence::Failure {
            source,
            topics: Topics::ALL,
            asked: now,
        };
        let overdue = self
            .awaited()
            .filter(|(_, plan)| plan.due + settings.timeout <= now);
        let given_up = overdue.map(|(probe, _)| match probe {
            Probe::Summary => failure(LiveSource::Summary),
            Probe::RootKeys | Probe::RootDetail => failure(LiveSource::List),
            Probe::Report => Evidence::NoReportYet(now),
        });
        for evidence in given_up.collect::<Vec<_>>() {
            self.record.take(evidence, &settings.limits);
        }
        self.judge(now, settings);
    }

    /// The probes that a first start still waits for.
    fn awaited(&self) -> impl Iterator<Item = (Probe, &Plan)> {
        let awaiting = self.record.awaiting();
        self.plans()
            .filter(move |(probe, _)| *probe != Probe::RootDetail && probe.is_used(awaiting))
    }

    /// The questions of a probe.
    pub fn questions(&self, probe: Probe) -> Vec<Question> {
        match probe {
            Probe::Summary if self.account.access.is_none() => {
                vec![Question::Summary(SessionKind::Root)]
            }
            Probe::Summary => vec![Question::Summary(SessionKind::Own)],
            Probe::RootKeys => vec![Question::RootKeys],
            Probe::RootDetail => {
                let keys = self.listed.iter().flat_map(|listed| &listed.keys);
                keys.map(|key| Question::LastUse(key.id.clone()))
                    .chain([
                        Question::Certificates,
                        Question::Mfa,
                        Question::LoginProfile,
                    ])
                    .collect()
            }
            Probe::Report => vec![Question::Report],
        }
    }

    /// Takes an observation and judges the account again.
    pub fn observe(&mut self, observation: Observation, context: &Context<'_>) {
        let Observation {
            question,
            asked,
            outcome,
            ..
        } = observation;
        let Context { now, settings, .. } = *context;
        match outcome {
            Ok(Finding::Live(answer)) => {
                if question == Question::Summary(SessionKind::Own) {
                    self.sources.worked(Source::AccountSummary, now.wall);
                }
                let is_change = self.changes_summary(&answer);
                self.record.take(Evidence::Answer(answer), &settings.limits);
                if is_change {
                    let half = settings.interval() / 2;
                    let next_poll = self.phase.next(now.moment + half, settings.interval());
                    self.bring_detail_forward(next_poll);
                }
            }
            Ok(Finding::Keys(answer, keys)) => {
                self.sources.worked(Source::RootSession, now.wall);
                self.record.take(Evidence::Answer(answer), &settings.limits);
                if self.list(answer.date, keys) {
                    self.bring_detail_forward(now.moment);
                }
            }
            Ok(Finding::LastUse(id, used)) => {
                let listed = self.listed.as_mut().map(Arc::make_mut);
                let keys = listed.into_iter().flat_map(|listed| &mut listed.keys);
                for key in keys.filter(|key| key.id == id) {
                    key.last_used.clone_from(&used);
                }
            }
            Ok(Finding::ReportPending) => self.report_pending(context),
            Ok(Finding::Report(read)) => self.report_read(*read, context),
            Err(failure) => self.question_failed(&question, asked, failure, context),
        }
        self.judge(now.moment, settings);
    }

    fn question_failed(
        &mut self,
        question: &Question,
        asked: Moment,
        failure: Failure,
        context: &Context<'_>,
    ) {
        let Context { now, settings, .. } = *context;
        if let Some((source, topics)) = question.topics() {
            let evidence = Evidence::Failure {
                source,
                topics,
                asked,
            };
            self.record.take(evidence, &settings.limits);
        }
        let probe = match question {
            Question::Summary(SessionKind::Own) => {
                self.check_report_after(failure.reason, now.moment);
                return self
                    .sources
                    .failed(Source::AccountSummary, failure, now.wall);
            }
            Question::RootKeys => {
                return self.sources.failed(Source::RootSession, failure, now.wall);
            }
            Question::Report => return self.report_failed(failure, context),
            // AWS refuses it for a key that was deleted since the list.
            Question::LastUse(_) => return,
            Question::Summary(SessionKind::Root) => Probe::Summary,
            Question::Certificates | Question::Mfa | Question::LoginProfile => Probe::RootDetail,
        };
        let is_known = self.plan(probe).is_some_and(Plan::is_failing);
        self.sources.failed_in_part(failure, now.wall, is_known);
    }

    /// AWS is making the report: polls again soon.
    fn report_pending(&mut self, context: &Context<'_>) {
        let Context { now, settings, .. } = *context;
        match self.report.wait(now.moment, settings) {
            Ok((since, pause)) => {
                let evidence = Evidence::NoReportYet(since);
                self.record.take(evidence, &settings.limits);
                if let Some(plan) = self.plan_mut(Probe::Report) {
                    plan.due = now.moment + pause;
                }
            }
            Err(failure) => self.report_failed(failure, context),
        }
    }

    /// A report was read. It may be the one in use, or an older one.
    fn report_read(&mut self, read: ReadReport, context: &Context<'_>) {
        let ReadReport {
            report,
            claim,
            refused,
        } = read;
        let Context { now, settings, .. } = *context;
        let date = |record: &Record| record.report().map(|report| report.date);
        let before = date(&self.record);
        self.report.pending = None;
        self.record.take(Evidence::Report(claim), &settings.limits);
        let is_new = date(&self.record) != before;
        if date(&self.record) == Some(claim.date) {
            let id = self.account.id;
            if is_new && report.root.as_ref().is_some_and(|root| root.has_more_keys) {
                warn!(
                    account = %id,
                    "the report's additional_credentials_info says that root has more access keys \
                     than its two slots; two are taken as active until a list says otherwise"
                );
            }
            self.report
                .put(id, report, claim.date, settings, context.free_series);
        }
        if let Some(refused) = refused
            && !is_new
        {
            // AWS would not make a newer one.
            return self.report_failed(refused, context);
        }
        self.sources.worked(Source::CredentialReport, now.wall);
        let Some(plan) = self.plan_mut(Probe::Report) else {
            return;
        };
        if let Some(rest) = until_next(claim.generated, now.moment, now.draw) {
            plan.failures = 0;
            plan.due = now.moment + rest;
        } else {
            // AWS calls it complete although it is old. A stand-in for AWS may date every report
            // 2015: poll again, but ever more rarely.
            plan.back_off(Backoff::slow(settings.interval()), now.moment, now.draw);
        }
    }

    fn report_failed(&mut self, failure: Failure, context: &Context<'_>) {
        let Context { now, settings, .. } = *context;
        if let Some(plan) = self.plan_mut(Probe::Report) {
            plan.back_off(Backoff::slow(settings.interval()), now.moment, now.draw);
        }
        self.sources
            .failed(Source::CredentialReport, failure, now.wall);
        let evidence = Evidence::NoReportYet(now.moment);
        self.record.take(evidence, &settings.limits);
    }

    /// Makes the report due when AWS refuses a summary that worked before: the report may be refused
    /// too, and would not show it for hours.
    fn check_report_after(&mut self, reason: Reason, now: Moment) {
        if self.sources.up(Source::AccountSummary) == Some(true)
            && is_refusal(reason)
            && let Some(plan) = self.plan_mut(Probe::Report)
            && !plan.is_failing()
            && plan.in_flight.is_none()
        {
            plan.due = plan.due.min(now);
        }
    }

    /// Plans the next run of a probe, all of whose questions have ended; `failed` says whether any
    /// of them did not succeed. The next step of a report is planned when its answer is read.
    pub fn ended(&mut self, probe: Probe, failed: bool, now: Now, settings: &Settings) {
        let interval = settings.interval();
        let needs_detail = self.needs_detail();
        let phase = self.phase;
        let Some(plan) = self.plan_mut(probe) else {
            return;
        };
        plan.in_flight = None;
        plan.attempted = true;
        match probe {
            Probe::Report => {}
            Probe::RootDetail if failed => {
                plan.back_off(Backoff::slow(interval), now.moment, now.draw);
            }
            _ if failed => plan.back_off(Backoff::live(interval), now.moment, now.draw),
            _ => {
                plan.failures = 0;
                let earliest = now.moment.max(plan.due + interval / 2);
                plan.due = if probe == Probe::RootDetail && !needs_detail {
                    now.moment + detail_period(settings)
                } else {
                    phase.next(earliest, interval)
                };
            }
        }
    }

    /// Whether an answer of the details still needs a second one that agrees.
    fn needs_detail(&self) -> bool {
        let mut topics = [Topic::Certificates, Topic::MfaOff].into_iter();
        topics.any(|topic| {
            let newest = self.record.history(LiveSource::List, topic).newest();
            newest.is_some_and(|run| run.prior.is_none())
        })
    }

    /// Whether a summary differs from the one before it.
    fn changes_summary(&self, answer: &Answer) -> bool {
        answer.source == LiveSource::Summary
            && answer.values.iter().any(|(topic, value)| {
                let newest = self.record.history(LiveSource::Summary, topic).newest();
                newest.is_some_and(|run| run.value != value)
            })
    }

    /// Keeps the keys that a root session listed. Returns whether they differ from those before.
    fn list(&mut self, at: Timestamp, mut keys: Vec<RootKey>) -> bool {
        let known = self.listed.as_deref().map(|listed| listed.keys.as_slice());
        let is_change = known.is_none_or(|known| {
            let status = |key: &RootKey| (key.id.clone(), key.active);
            !keys.iter().map(status).eq(known.iter().map(status))
        });
        for key in &mut keys {
            let before = known.into_iter().flatten().find(|known| known.id == key.id);
            key.last_used = before.and_then(|before| before.last_used.clone());
        }
        self.listed = Some(Arc::new(ListedKeys { at, keys }));
        is_change
    }

    fn bring_detail_forward(&mut self, due: Moment) {
        if let Some(plan) = self.plan_mut(Probe::RootDetail)
            && plan.in_flight.is_none()
        {
            plan.due = plan.due.min(due);
        }
    }

    /// Judges the evidence and logs what changed.
    fn judge(&mut self, now: Moment, settings: &Settings) {
        let posture = judge(&self.record, now, &settings.limits);
        let before = std::mem::replace(&mut self.posture, posture);
        self.onset.follow(&self.posture);
        log_changes(&self.account, &before, &self.posture);
    }

    /// The view of the account.
    pub fn view(&self) -> AccountView {
        AccountView {
            account: Arc::clone(&self.account),
            posture: self.posture,
            onset: self.onset,
            report: self.report.view.clone(),
            listed: self.listed.clone(),
            sources: self.sources.views.clone(),
        }
    }

    /// The state of the account that survives a restart.
    pub fn saved(&self) -> SavedAccount {
        let report = self.report.view.clone();
        let report_due = report.is_some().then(|| self.plan(Probe::Report)).flatten();
        SavedAccount {
            record: self.record.clone(),
            onset: self.onset,
            report,
            listed: self.listed.clone(),
            report_due: report_due.map(|plan| plan.due),
            last_success: self.sources.last_success(),
        }
    }

    /// Ends the first start: nothing more will be polled.
    pub fn end_first_start(&mut self, now: Moment, settings: &Settings) {
        self.record.end_first_start();
        self.judge(now, settings);
    }
}

/// How often the details are polled: every ten minutes, and at least three times before a fine value
/// expires after its last live answer.
fn detail_period(settings: &Settings) -> Duration {
    DETAIL_PERIOD
        .min(settings.limits.max_live_staleness / 3)
        .max(settings.interval())
}

/// Whether AWS refused the call, rather than answering late or not at all.
fn is_refusal(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::AccessDenied | Reason::AccountMismatch | Reason::AssumeRole | Reason::Credentials
    )
}
