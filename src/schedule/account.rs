//! One account: its evidence, its judgement, and when each probe runs again.
//!
//! It takes observations and decides what comes next; it does no I/O and reads no clock. It never
//! judges evidence itself: `root_posture::judge` does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{
    Answer, Evidence, Limits, ListedKeys, LiveSource, Moment, Onset, Posture, Record, RootKey,
    Source, Timestamp, Topic, Topics, judge,
};
use tracing::warn;

use super::agenda::{Plan, RunId};
use super::log::{LogQuota, log_activity, log_changes, log_tampering};
use super::notices::Notice;
use super::orders::Settings;
use super::phase::Phase;
use super::probe::{Finding, Observation, Probe, Question, ReadReport};
use super::push::{ExtraPolls, Push, PushSettings};
use super::report::{Report, until_next};
use super::sources::SourceHealth;
use crate::account::Account;
use crate::activity::{Activities, RootEvent};
use crate::aws::SessionKind;
use crate::backoff::Backoff;
use crate::failure::{Failure, Reason};
use crate::state::SavedAccount;
use crate::views::{AccountView, MessageKind, PushView};

/// From this interval on polls are rare.
const RARE: Duration = Duration::from_secs(5 * 60);

/// The milliseconds between the times at which rare polls begin.
const TOGETHER: i64 = 5_000;

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
    /// The interval of its polls in force.
    interval: Duration,
    pub record: Record,
    onset: Onset,
    pub posture: Posture,
    pub report: Report,
    /// The newest list of keys of a root session.
    pub listed: Option<Arc<ListedKeys>>,
    pub sources: SourceHealth,
    activities: Arc<Activities>,
    push: Push,
    extra: ExtraPolls,
    logged: LogQuota,
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
            interval: settings.interval(),
            record: Record::new(in_use),
            onset: Onset::default(),
            posture: Posture::default(),
            report: Report::default(),
            listed: None,
            sources: SourceHealth::new(&account, settings.sources, &BTreeMap::new()),
            activities: Arc::default(),
            push: Push::default(),
            extra: ExtraPolls::default(),
            logged: LogQuota::default(),
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
        self.record.use_sources(in_use, now, &self.limits(settings));
        self.onset = saved.onset;
        self.listed = saved.listed.filter(|_| in_use.list);
        self.sources = SourceHealth::new(&self.account, settings.sources, &saved.last_success);
        self.report.view = saved.report;
        self.activities = saved.activities;
        self.push.was_up = saved.push_was_up;
        self.push.tampered = saved.push_tampered;
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
        self.posture = judge(&self.record, now, &self.limits(settings));
    }

    /// Continues under other settings, or with an account that is reached in another way. The
    /// evidence stays, and so do the due times of the probes that stay in use.
    pub fn adapt(&mut self, account: Arc<Account>, now: Moment, settings: &Settings) {
        let is_read_anew = !self.account.is_read_like(&account);
        self.account = account;
        let in_use = settings.sources.of(&self.account);
        let next_poll = self.next_poll(now, self.interval.max(settings.interval()));
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
        self.record.use_sources(in_use, now, &self.limits(settings));
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

    /// Whether the push of its events is verified.
    pub fn is_verified(&self) -> bool {
        self.push.is_verified()
    }

    /// Another queue is read from now on, or none.
    pub fn reset_push(&mut self) {
        self.push.reset();
    }

    /// Whether each probe has been attempted since the start, well or not, or need not be.
    pub fn is_attempted(&self) -> bool {
        self.plans().all(|(_, plan)| plan.attempted)
    }

    /// When the account has to be judged again without a new observation.
    pub fn review_at(&self, settings: &Settings) -> Option<Moment> {
        let awaited = self.awaited().map(|(_, plan)| plan.due + settings.timeout);
        let echo = settings.push.as_ref();
        let echo = echo.and_then(|push| self.push.review_at(push));
        let reviews = self.posture.review_at.into_iter().chain(echo);
        reviews.chain(awaited).min()
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
            self.take(evidence, settings);
        }
        if let Some(push) = &settings.push {
            self.push.review(now, push);
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
            request,
            ..
        } = observation;
        let Context { now, settings, .. } = *context;
        if let (Some(request), Some(push)) = (request, &settings.push) {
            self.push.polled(request, asked, push);
        }
        match outcome {
            Ok(Finding::Live(answer)) => {
                if question == Question::Summary(SessionKind::Own) {
                    self.sources.worked(Source::AccountSummary, now.wall);
                }
                let is_change = Topic::ALL.iter().any(|topic| self.is_news(&answer, *topic));
                let shows_keys = self.is_news(&answer, Topic::Keys);
                self.take(Evidence::Answer(answer), settings);
                if is_change {
                    self.bring_detail_forward(self.next_regular_poll(now, settings));
                    if shows_keys && self.plan(Probe::RootKeys).is_none() {
                        self.extra.end();
                    }
                }
            }
            Ok(Finding::Keys(answer, keys)) => {
                self.sources.worked(Source::RootSession, now.wall);
                self.take(Evidence::Answer(answer), settings);
                if self.list(answer.date, keys) {
                    self.bring_detail_forward(now.moment);
                    self.extra.end();
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
        if self.posture.review_at.is_some() {
            // A report that the details contradict is held for a few intervals only.
            self.bring_detail_forward(self.next_regular_poll(now, settings));
        }
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
            self.take(evidence, settings);
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
                self.take(evidence, settings);
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
        self.take(Evidence::Report(claim), settings);
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
        self.take(evidence, settings);
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

    /// Whether a notice says anything about this account.
    pub fn is_concerned(&self, notice: &Notice) -> bool {
        notice.activity.is_some()
            || notice.tampered.is_some()
            || notice.rule_put.is_some()
            || notice.summary.is_some_and(|request| {
                self.push.awaits(request) || self.is_in_flight(Probe::Summary)
            })
    }

    fn is_in_flight(&self, probe: Probe) -> bool {
        self.plan(probe)
            .is_some_and(|plan| plan.in_flight.is_some())
    }

    /// Takes what an event says. Returns the kind of its message, and for an echo its delay.
    pub fn notice(
        &mut self,
        notice: &Notice,
        now: Moment,
        settings: &PushSettings,
    ) -> (MessageKind, Option<Duration>) {
        let echoed = notice.summary.map(|request| self.push.echoed(request, now));
        if let Some(delay) = echoed.flatten() {
            return (MessageKind::Echo, Some(delay));
        }
        if let Some(request) = notice.summary
            && self.is_in_flight(Probe::Summary)
        {
            self.push.keep(request, now);
        }
        let mut kind = MessageKind::Ignored;
        if let Some(activity) = &notice.activity {
            kind = MessageKind::Root;
            if !self.activities.has(&activity.id) {
                let is_change = activity.event != RootEvent::Other;
                // Calls of other kinds can be thousands a day.
                let is_quiet = !is_change || self.logged.is_full(now);
                log_activity(&self.account, activity, is_quiet);
                self.extra.follow(now, is_change);
                if activity.event.gives_a_key() {
                    self.extra.expect_key(now);
                }
                Arc::make_mut(&mut self.activities).add(activity.clone());
            }
        }
        let rule_put = notice.rule_put.filter(|_| self.push.was_up);
        if let Some(at) = notice.tampered.or(rule_put) {
            kind = MessageKind::Tampering;
            // Not a duplicate, nor one that a later change hides.
            if Some(at) > self.push.tampered {
                if !self.logged.is_full(now) {
                    log_tampering(&self.account, at);
                }
                self.push.tampered(at, now, settings);
                self.extra.follow(now, true);
            }
        }
        (kind, None)
    }

    /// Adopts the interval that follows from what is known, and plans the extra polls after an event.
    /// To be called after each change.
    pub fn plan_polls(&mut self, now: Moment, settings: &Settings, queue_is_up: bool) {
        let relaxed = settings.push.filter(|_| {
            let is_verified = queue_is_up && self.push.is_verified();
            is_verified
                && self.posture.is_calm(now)
                && self.is_confirmed()
                && !self.extra.expects_key(now)
        });
        let interval = relaxed.map_or(settings.interval(), |push| push.relaxed_interval);
        if interval < self.interval {
            let next_poll = self.next_poll(now, interval);
            self.bring_polls_forward(next_poll);
        }
        self.interval = interval;
        while let Some(due) = self.extra.due() {
            // A failing probe waits for the end of its pause, and the others do not wait for it.
            let live = Probe::LIVE.into_iter();
            let plans = live.filter_map(|probe| self.plan(probe));
            let mut working = plans.filter(|plan| !plan.is_failing()).peekable();
            let is_made = |plan: &Plan| plan.in_flight.is_none() && plan.begun >= Some(due);
            if working.peek().is_none() {
                return;
            }
            if !working.all(is_made) {
                return self.insert_poll(due);
            }
            self.extra.advance();
        }
    }

    /// Whether the live probes work, and two answers agree on everything that alarms.
    fn is_confirmed(&self) -> bool {
        let live = Probe::LIVE.into_iter();
        let fails = |probe| self.plan(probe).is_some_and(Plan::is_failing);
        let mut alarming = [Topic::Keys, Topic::Certificates, Topic::MfaOff].into_iter();
        !live.clone().any(fails)
            && alarming.all(|topic| {
                LiveSource::ALL.into_iter().all(|source| {
                    let newest = self.record.history(source, topic).newest();
                    newest.is_none_or(|run| run.prior.is_some())
                })
            })
    }

    /// Makes the live probes due at `due` at the latest. One that is failing keeps its time.
    fn bring_polls_forward(&mut self, due: Moment) {
        for probe in Probe::LIVE {
            let Some(plan) = self.plan_mut(probe) else {
                continue;
            };
            plan.regular = plan.regular.map(|regular| regular.min(due));
            if plan.in_flight.is_none() && !plan.is_failing() {
                plan.due = plan.due.min(due);
            }
        }
    }

    /// Inserts an extra poll by the live probes that have not run since `due`. The regular ones keep
    /// their times: no message may make a value appear later.
    fn insert_poll(&mut self, due: Moment) {
        for probe in Probe::LIVE {
            if let Some(plan) = self.plan_mut(probe)
                && plan.in_flight.is_none()
                && !plan.is_failing()
                && plan.begun < Some(due)
                && plan.due > due
            {
                plan.regular.get_or_insert(plan.due);
                plan.due = due;
            }
        }
    }

    /// Whether a probe that is due is an extra poll, and has to wait for its turn.
    pub fn needs_admission(&self, probe: Probe) -> bool {
        let due = self.plan(probe).map(|plan| plan.due);
        Probe::LIVE.contains(&probe) && self.extra.due() == due && self.extra.needs_admission()
    }

    /// Lets the extra poll that is due begin at `at`.
    pub fn admit(&mut self, at: Moment) {
        let before = self.extra.due();
        self.extra.admit(at);
        for probe in Probe::LIVE {
            if let Some(plan) = self.plan_mut(probe)
                && plan.in_flight.is_none()
                && Some(plan.due) == before
            {
                // A regular poll does not wait for the turn.
                let regular = plan.regular.take_if(|regular| *regular <= at);
                plan.due = regular.unwrap_or(plan.due.max(at));
            }
        }
    }

    /// A run of a probe begins.
    pub fn begin(&mut self, probe: Probe, run: RunId, now: Moment) {
        let extra = self.extra.due();
        if let Some(plan) = self.plan_mut(probe) {
            plan.in_flight = Some(run);
            plan.begun = Some(now);
            if extra == Some(plan.due) {
                self.extra.begin(now);
            }
        }
    }

    /// The limits of the judgement, with the interval in force.
    fn limits(&self, settings: &Settings) -> Limits {
        Limits {
            in_force: self.interval,
            ..settings.limits
        }
    }

    fn take(&mut self, evidence: Evidence, settings: &Settings) {
        let limits = self.limits(settings);
        self.record.take(evidence, &limits);
    }

    /// The next time to poll at or after `from`.
    fn next_poll(&self, from: Moment, interval: Duration) -> Moment {
        next_poll(self.nth, from, interval)
    }

    /// The next time to poll at the regular interval.
    fn next_regular_poll(&self, now: Now, settings: &Settings) -> Moment {
        let interval = settings.interval();
        self.next_poll(now.moment + interval / 2, interval)
    }

    /// Plans the next run of a probe, all of whose questions have ended; `failed` says whether any
    /// of them did not succeed. The next step of a report is planned when its answer is read.
    pub fn ended(&mut self, probe: Probe, failed: bool, now: Now, settings: &Settings) {
        let interval = settings.interval();
        let needs_detail = self.needs_detail();
        let (nth, in_force) = (self.nth, self.interval);
        let Some(plan) = self.plan_mut(probe) else {
            return;
        };
        plan.in_flight = None;
        plan.attempted = true;
        // An extra poll that began before the regular one was due does not replace it.
        let regular = plan.regular.take().filter(|at| Some(*at) > plan.begun);
        match probe {
            Probe::Report => {}
            Probe::RootDetail if failed => {
                plan.back_off(Backoff::slow(interval), now.moment, now.draw);
            }
            _ if failed => {
                plan.back_off(Backoff::live(interval), now.moment, now.draw);
                plan.regular = regular.filter(|at| *at > plan.due);
                plan.due = regular.map_or(plan.due, |regular| regular.min(plan.due));
            }
            _ => {
                plan.failures = 0;
                let earliest = now.moment.max(plan.due + interval / 2);
                plan.due = if let Some(regular) = regular {
                    regular
                } else if probe == Probe::RootDetail && !needs_detail {
                    now.moment + detail_period(settings).max(in_force)
                } else {
                    next_poll(nth, earliest, in_force)
                };
            }
        }
    }

    /// Whether an answer of the details still needs a second one that agrees, or contradicts a report.
    fn needs_detail(&self) -> bool {
        if self.posture.review_at.is_some() {
            return true;
        }
        let mut topics = [Topic::Certificates, Topic::MfaOff].into_iter();
        topics.any(|topic| {
            let newest = self.record.history(LiveSource::List, topic).newest();
            newest.is_some_and(|run| run.prior.is_none())
        })
    }

    /// Whether a summary differs from the one before it in a topic.
    fn is_news(&self, answer: &Answer, topic: Topic) -> bool {
        let newest = self.record.history(LiveSource::Summary, topic).newest();
        let differs = |value| newest.is_some_and(|run| run.value != value);
        answer.source == LiveSource::Summary && answer.values.get(topic).is_some_and(differs)
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
        let posture = judge(&self.record, now, &self.limits(settings));
        let before = std::mem::replace(&mut self.posture, posture);
        self.onset.follow(&self.posture);
        if !self.posture.has_values_of(&before) {
            log_changes(&self.view(), &before);
        }
    }

    /// The view of the account.
    pub fn view(&self) -> AccountView {
        AccountView {
            account: Arc::clone(&self.account),
            posture: self.posture,
            onset: self.onset,
            report: self.report.view.clone(),
            listed: self.listed.clone(),
            sources: Arc::clone(&self.sources.views),
            activities: Arc::clone(&self.activities),
            push: PushView {
                up: self.push.up(),
                tampered: self.push.tampered,
                interval: self.interval,
            },
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
            activities: Arc::clone(&self.activities),
            push_was_up: self.push.was_up,
            push_tampered: self.push.tampered,
        }
    }

    /// Ends the first start: nothing more will be polled.
    pub fn end_first_start(&mut self, now: Moment, settings: &Settings) {
        self.record.end_first_start();
        self.judge(now, settings);
    }
}

/// The next time to poll the `nth` account at or after `from`. Rare polls begin together, every few
/// seconds: a call that comes alone costs three times as much.
fn next_poll(nth: u32, from: Moment, interval: Duration) -> Moment {
    let next = Phase::of(nth, interval).next(from, interval);
    if interval < RARE {
        return next;
    }
    next.shifted((-next.millis()).rem_euclid(TOGETHER))
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
