//! One account: its evidence, how its sources fare, and when each probe runs again.
//!
//! Takes observations and decides what comes next; does no I/O and reads no clock. What the
//! evidence amounts to is `root_posture::judge`'s to say.

use std::sync::Arc;
use std::time::Duration;

use root_posture::report::RootRow;
use root_posture::{
    Answer, Evidence, ListedKeys, LiveSource, Moment, Onset, Posture, Record, RootKey, Source,
    Timestamp, Topic, Topics, Values, judge,
};
use tracing::{debug, info, warn};

use super::agenda::Plan;
use super::changes::log_changes;
use super::orders::Settings;
use super::phase::Phase;
use super::probe::{Finding, Observation, Probe, Question, ReadReport};
use super::report::{Report, until_next};
use crate::account::Account;
use crate::aws::SessionKind;
use crate::backoff::Backoff;
use crate::failure::{Failure, Reason};
use crate::state::SavedAccount;
use crate::views::{AccountView, SourceView};

/// How often what changes rarely is asked of a root session.
const DETAIL_PERIOD: Duration = Duration::from_secs(10 * 60);

/// Now, by both clocks, and a random number from 0 to 1 for jitter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub wall: Timestamp,
    pub moment: Moment,
    pub draw: f64,
}

/// How an observation is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'s> {
    pub now: Now,
    pub settings: &'s Settings,
    /// How many series the account's IAM users may take by name.
    pub room: usize,
}

/// An account that is monitored.
#[derive(Debug)]
pub(super) struct Monitored {
    pub account: Arc<Account>,
    /// The probes in use, indexed by [`Probe`].
    plans: [Option<Plan>; Probe::COUNT],
    /// How many accounts had joined before this one: its place in the interval.
    nth: u32,
    phase: Phase,
    record: Record,
    onset: Onset,
    /// The newest judgement.
    posture: Posture,
    report: Report,
    /// What the root session listed last.
    listed: Option<Arc<ListedKeys>>,
    sources: Vec<SourceView>,
}

impl Monitored {
    /// The `nth` account, monitored from `now` on and first polled at `first`, with what is known
    /// of it from before.
    pub fn new(
        account: Arc<Account>,
        nth: u32,
        first: Moment,
        now: Moment,
        saved: Option<SavedAccount>,
        settings: &Settings,
    ) -> Self {
        let used = settings.sources.of(&account);
        let mut monitored = Self {
            plans: Probe::ALL.map(|probe| used.runs(probe).then(|| Plan::new(first))),
            nth,
            phase: Phase::of(nth, settings.interval()),
            record: Record::new(used.in_use()),
            onset: Onset::default(),
            posture: Posture::default(),
            report: Report::default(),
            listed: None,
            sources: used.all().map(SourceView::new).collect(),
            account,
        };
        if let Some(plan) = monitored.plan_mut(Probe::RootDetail) {
            // The first list of keys brings it forward.
            plan.due = first + detail_period(settings);
            plan.attempted = true;
        }
        if let Some(saved) = saved {
            monitored.restore(saved, first, now, settings);
        }
        monitored
    }

    fn restore(&mut self, saved: SavedAccount, first: Moment, now: Moment, settings: &Settings) {
        let used = settings.sources.of(&self.account);
        self.record = saved.record;
        self.record
            .use_sources(used.in_use(), now, &settings.limits);
        self.onset = saved.onset;
        let wants_users = self.report.restore(saved.report, settings);
        self.listed = saved.listed.filter(|_| used.root);
        for view in &mut self.sources {
            view.last_success = saved.last_success.get(&view.source).copied();
        }
        if let Some(plan) = &mut self.plans[Probe::Report as usize]
            && let Some(due) = saved.report_due
        {
            // No later than a report of now would be due: the file's clock may have been wrong.
            plan.due = due.clamp(first, now + Report::LONGEST_LIFE);
            plan.attempted = due > first;
            if wants_users {
                plan.due = first;
            }
        }
        self.posture = judge(&self.record, now, &settings.limits);
    }

    /// Goes on under other settings, or with an account that is read in another way. What is known
    /// stays, and so does when the probes that stay are due.
    pub fn adapt(&mut self, account: Arc<Account>, now: Moment, settings: &Settings) {
        let is_read_anew = !self.account.is_read_like(&account);
        self.account = account;
        self.phase = Phase::of(self.nth, settings.interval());
        let used = settings.sources.of(&self.account);
        let latest = self.phase.next(now, settings.interval());
        for probe in Probe::ALL {
            let plan = &mut self.plans[probe as usize];
            *plan = match (used.runs(probe), *plan) {
                (false, _) => None,
                (true, None) => Some(Plan::new(now)),
                // What is in flight asks in the old way.
                (true, Some(plan)) if is_read_anew => Some(Plan {
                    due: if probe == Probe::Report && plan.failures == 0 {
                        plan.due
                    } else {
                        now
                    },
                    in_flight: None,
                    ..plan
                }),
                (true, Some(plan)) if probe == Probe::Report => Some(plan),
                (true, Some(plan)) => Some(Plan {
                    due: plan
                        .due
                        .min(latest.max(now + detail_after(probe, settings))),
                    ..plan
                }),
            };
        }
        let before = std::mem::take(&mut self.sources);
        self.sources = used
            .all()
            .map(|source| {
                let kept = before.iter().find(|view| view.source == source);
                kept.cloned().unwrap_or_else(|| SourceView::new(source))
            })
            .collect();
        if !used.root {
            self.listed = None;
        }
        self.record
            .use_sources(used.in_use(), now, &settings.limits);
        if self.report.adapt(settings)
            && let Some(plan) = self.plan_mut(Probe::Report)
            && plan.failures == 0
        {
            // The rows of users were not kept; AWS still has the report.
            plan.due = now;
        }
        self.judge(now, settings);
    }

    /// The plans of the probes in use.
    pub fn plans(&self) -> impl Iterator<Item = (Probe, &Plan)> {
        Probe::ALL
            .into_iter()
            .filter_map(|probe| Some((probe, self.plan(probe)?)))
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

    /// When the account has to be judged again although nothing was observed.
    pub fn review_at(&self, settings: &Settings) -> Option<Moment> {
        let first_start = self
            .unattempted()
            .map(|(_, plan)| plan.due + settings.timeout);
        self.posture.review_at.into_iter().chain(first_start).min()
    }

    /// Judges the evidence anew because time has passed. What a first start waits for is given up
    /// once it could have been asked: a probe may wait for a slot much longer than that.
    pub fn review(&mut self, now: Moment, settings: &Settings) {
        let given_up: Vec<Probe> = self
            .unattempted()
            .filter(|(_, plan)| plan.due + settings.timeout <= now)
            .map(|(probe, _)| probe)
            .collect();
        for probe in given_up {
            let evidence = match probe {
                Probe::Summary => failure_of(LiveSource::Summary, now),
                Probe::RootKeys | Probe::RootDetail => failure_of(LiveSource::List, now),
                Probe::Report => Evidence::NoReportYet(now),
            };
            self.record.take(evidence, &settings.limits);
        }
        self.judge(now, settings);
    }

    /// The probes that a first start still waits for.
    fn unattempted(&self) -> impl Iterator<Item = (Probe, &Plan)> {
        let awaited = self.record.awaiting();
        self.plans().filter(move |(probe, _)| match probe {
            Probe::Summary => awaited.summary,
            Probe::RootKeys => awaited.list,
            Probe::RootDetail => false,
            Probe::Report => awaited.report,
        })
    }

    /// What a probe asks.
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

    /// Takes what was observed.
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
                    self.worked(Source::AccountSummary, now);
                }
                let is_news = self.changes_summary(&answer);
                self.record.take(Evidence::Answer(answer), &settings.limits);
                if is_news {
                    let half = settings.interval() / 2;
                    let next_poll = self.phase.next(now.moment + half, settings.interval());
                    self.bring_detail_forward(next_poll);
                }
            }
            Ok(Finding::Keys(answer, keys)) => {
                self.worked(Source::RootSession, now);
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
            Err(failure) => self.failed_to_learn(&question, asked, failure, context),
        }
        self.judge(now.moment, settings);
    }

    fn failed_to_learn(
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
        match question {
            Question::Summary(SessionKind::Own) => {
                self.doubt_report_access(failure.reason, now.moment);
                self.failed(Source::AccountSummary, failure, now);
            }
            Question::RootKeys => self.failed(Source::RootSession, failure, now),
            Question::Report => self.report_failed(failure, context),
            Question::Summary(SessionKind::Root) => {
                self.failed_in_part(Probe::Summary, failure, now);
            }
            Question::Certificates | Question::Mfa | Question::LoginProfile => {
                self.failed_in_part(Probe::RootDetail, failure, now);
            }
            // AWS refuses it for a key that was deleted since the list.
            Question::LastUse(_) => {}
        }
    }

    /// AWS is making the report: asks again soon.
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

    /// A report was read. It may be the one in use, or one before it.
    fn report_read(&mut self, read: ReadReport, context: &Context<'_>) {
        let ReadReport {
            report,
            claim,
            refused,
        } = read;
        let Context {
            now,
            settings,
            room,
        } = *context;
        let before = self.record.report_date();
        self.report.arrived();
        self.record.take(Evidence::Report(claim), &settings.limits);
        let is_new = self.record.report_date() != before;
        if self.record.report_date() == Some(claim.date) {
            let id = self.account.id;
            if is_new && report.root.as_ref().is_some_and(RootRow::has_more_keys) {
                warn!(
                    account = %id,
                    "the report's additional_credentials_info says that root has more access keys \
                     than its two slots; two are taken as active until a list says otherwise"
                );
            }
            self.report.put(id, report, claim.date, settings, room);
        }
        if let Some(refused) = refused
            && !is_new
        {
            // AWS would not make a newer one.
            return self.report_failed(refused, context);
        }
        self.worked(Source::CredentialReport, now);
        let Some(plan) = self.plan_mut(Probe::Report) else {
            return;
        };
        if let Some(rest) = until_next(claim.generated, now.moment, now.draw) {
            plan.failures = 0;
            plan.due = now.moment + rest;
        } else {
            // AWS says that it is complete, and it is an old one all the same. A stand-in may date
            // every report 2015: ask again, but never hammer.
            plan.failures += 1;
            let backoff = Backoff::slow(settings.interval());
            plan.due = now.moment + backoff.pause(plan.failures, now.draw);
        }
    }

    /// A step of the report failed.
    fn report_failed(&mut self, failure: Failure, context: &Context<'_>) {
        let Context { now, settings, .. } = *context;
        if let Some(plan) = self.plan_mut(Probe::Report) {
            plan.failures += 1;
            let backoff = Backoff::slow(settings.interval());
            plan.due = now.moment + backoff.pause(plan.failures, now.draw);
        }
        self.failed(Source::CredentialReport, failure, now);
        let evidence = Evidence::NoReportYet(now.moment);
        self.record.take(evidence, &settings.limits);
    }

    /// A live source that worked is refused: whoever did that may have blinded the report too,
    /// which would not be asked for hours. One step of it shows that now.
    fn doubt_report_access(&mut self, reason: Reason, now: Moment) {
        let worked = self
            .source(Source::AccountSummary)
            .is_some_and(|view| view.up == Some(true));
        if worked
            && is_refusal(reason)
            && let Some(plan) = self.plan_mut(Probe::Report)
            && plan.failures == 0
            && plan.in_flight.is_none()
        {
            plan.due = plan.due.min(now);
        }
    }

    /// All questions of a probe have ended: books when it runs again. `failed` says whether any of
    /// them did. A report's life says itself when its next step is due.
    pub fn ended(&mut self, probe: Probe, failed: bool, now: Now, settings: &Settings) {
        let Some(planned) = self.plan(probe).map(|plan| plan.due) else {
            return;
        };
        let half = settings.interval() / 2;
        let next_poll = self
            .phase
            .next(now.moment.max(planned + half), settings.interval());
        let next = match probe {
            Probe::Report => None,
            Probe::RootDetail if !self.wants_detail() => Some(now.moment + detail_period(settings)),
            Probe::RootDetail | Probe::Summary | Probe::RootKeys => Some(next_poll),
        };
        let Some(plan) = self.plan_mut(probe) else {
            return;
        };
        plan.in_flight = None;
        plan.attempted = true;
        let Some(next) = next else { return };
        if failed {
            plan.failures += 1;
            let backoff = match probe {
                Probe::RootDetail => Backoff::slow(settings.interval()),
                _ => Backoff::live(settings.interval()),
            };
            plan.due = now.moment + backoff.pause(plan.failures, now.draw);
        } else {
            plan.failures = 0;
            plan.due = next;
        }
    }

    /// Whether an answer of the details still wants a second that agrees.
    fn wants_detail(&self) -> bool {
        [Topic::Certificates, Topic::MfaOff]
            .into_iter()
            .any(|topic| self.record.needs_confirmation(LiveSource::List, topic))
    }

    /// Whether a summary differs from what it said before.
    fn changes_summary(&self, answer: &Answer) -> bool {
        answer.source == LiveSource::Summary
            && answer.values.iter().any(|(topic, value)| {
                let newest = self.record.history(LiveSource::Summary, topic).newest();
                newest.is_some_and(|run| run.value != value)
            })
    }

    /// Keeps the keys that a root session listed. Whether they differ from those before.
    fn list(&mut self, at: Timestamp, mut keys: Vec<RootKey>) -> bool {
        let known = self.listed.as_deref().map(|listed| listed.keys.as_slice());
        let is_news = known.is_none_or(|known| {
            let status = |key: &RootKey| (key.id.clone(), key.active);
            !keys.iter().map(status).eq(known.iter().map(status))
        });
        for key in &mut keys {
            let before = known.into_iter().flatten().find(|known| known.id == key.id);
            key.last_used = before.and_then(|before| before.last_used.clone());
        }
        self.listed = Some(Arc::new(ListedKeys { at, keys }));
        is_news
    }

    fn bring_detail_forward(&mut self, due: Moment) {
        if let Some(plan) = self.plan_mut(Probe::RootDetail)
            && plan.in_flight.is_none()
        {
            plan.due = plan.due.min(due);
        }
    }

    fn worked(&mut self, source: Source, now: Now) {
        let id = self.account.id;
        let Some(view) = self.source_mut(source) else {
            return;
        };
        if view.up == Some(false) {
            info!(account = %id, %source, "works again");
        }
        view.worked(now.wall);
    }

    fn failed(&mut self, source: Source, failure: Failure, now: Now) {
        let id = self.account.id;
        let Some(view) = self.source_mut(source) else {
            return;
        };
        let is_known = view.up == Some(false)
            && view
                .last_failure
                .as_ref()
                .is_some_and(|(_, last)| last.reason == failure.reason);
        let (reason, message) = (failure.reason, &failure.message);
        if is_known {
            debug!(account = %id, %source, %reason, error = message, "refresh failed again");
        } else {
            warn!(account = %id, %source, %reason, error = message, "refresh failed");
        }
        view.failed(now.wall, failure);
    }

    /// A call of a root session other than the list of keys failed. It is counted; whether the source
    /// works depends on the list alone.
    fn failed_in_part(&mut self, probe: Probe, failure: Failure, now: Now) {
        let (id, source) = (self.account.id, Source::RootSession);
        let is_known = self.plan(probe).is_some_and(|plan| plan.failures > 0)
            || self
                .source(source)
                .is_some_and(|view| view.up == Some(false));
        let (reason, message) = (failure.reason, &failure.message);
        if is_known {
            debug!(account = %id, %source, %reason, error = message, "call failed");
        } else {
            warn!(account = %id, %source, %reason, error = message, "call failed");
        }
        if let Some(view) = self.source_mut(source) {
            view.failed_in_part(now.wall, failure);
        }
    }

    fn source(&self, source: Source) -> Option<&SourceView> {
        self.sources.iter().find(|view| view.source == source)
    }

    fn source_mut(&mut self, source: Source) -> Option<&mut SourceView> {
        self.sources.iter_mut().find(|view| view.source == source)
    }

    /// Judges the evidence anew, and logs what changed.
    pub fn judge(&mut self, now: Moment, settings: &Settings) {
        let before = std::mem::replace(
            &mut self.posture,
            judge(&self.record, now, &settings.limits),
        );
        self.onset.follow(&self.posture);
        log_changes(&self.account, &before, &self.posture);
    }

    /// What is to be shown of the account.
    pub fn view(&self) -> AccountView {
        AccountView {
            account: Arc::clone(&self.account),
            posture: self.posture,
            onset: self.onset,
            report: self.report.view(),
            listed: self.listed.clone(),
            sources: self.sources.clone(),
        }
    }

    /// What is to be kept of the account across a restart.
    pub fn saved(&self) -> SavedAccount {
        let report = self.report.view();
        SavedAccount {
            report_due: report
                .as_ref()
                .and_then(|_| Some(self.plan(Probe::Report)?.due)),
            record: self.record.clone(),
            onset: self.onset,
            report,
            listed: self.listed.clone(),
            last_success: self
                .sources
                .iter()
                .filter_map(|view| Some((view.source, view.last_success?)))
                .collect(),
        }
    }

    /// Nothing more is asked: nothing is worth waiting for any longer.
    pub fn stop_waiting(&mut self, now: Moment, settings: &Settings) {
        self.record.end_first_start();
        self.judge(now, settings);
    }

    /// Whether AWS is making a report.
    pub fn awaits_report(&self) -> bool {
        self.report.is_pending()
    }

    /// Whether a root session has listed the keys.
    pub fn has_list(&self) -> bool {
        self.listed.is_some()
    }

    /// How many series the account's IAM users take by name.
    pub fn detail_series(&self) -> usize {
        self.report.detail_series()
    }

    /// The sources that are down, and why.
    pub fn last_failures(&self) -> impl Iterator<Item = (Source, Reason)> {
        self.sources
            .iter()
            .filter(|view| view.up == Some(false))
            .filter_map(|view| Some((view.source, view.last_failure.as_ref()?.1.reason)))
    }

    /// Whether further polls would decide something: the same answers twice more would change a
    /// value, as where a report is refuted by two answers after it.
    pub fn wants_another_poll(&self, now: Moment, settings: &Settings) -> bool {
        let limits = &settings.limits;
        let mut again = self.record.clone();
        let mut asked = now;
        for _ in 0..2 {
            asked = asked + settings.interval();
            for source in LiveSource::ALL {
                again.take(Evidence::Answer(self.same_answer(source, asked)), limits);
            }
        }
        !judge(&again, asked, limits).has_values_of(&self.posture)
    }

    /// What a live source that works answered last, as if it were asked again at that moment.
    fn same_answer(&self, source: LiveSource, asked: Moment) -> Answer {
        let probe = match source {
            LiveSource::Summary => Probe::Summary,
            LiveSource::List => Probe::RootKeys,
        };
        let works = self.plan(probe).is_some_and(|plan| plan.failures == 0);
        let topics = Topic::ALL.into_iter().filter(|_| works);
        let values = topics.fold(Values::default(), |values, topic| {
            let newest = self.record.history(source, topic).newest();
            values.with(topic, newest.map(|run| run.value))
        });
        Answer {
            source,
            asked,
            date: Timestamp::default(),
            values,
        }
    }
}

/// An attempt of a live source that was given up.
fn failure_of(source: LiveSource, asked: Moment) -> Evidence {
    Evidence::Failure {
        source,
        topics: Topics::ALL,
        asked,
    }
}

/// The least time until a probe that an interval does not schedule.
fn detail_after(probe: Probe, settings: &Settings) -> Duration {
    match probe {
        Probe::RootDetail => detail_period(settings),
        _ => Duration::ZERO,
    }
}

/// How often the details are asked: every ten minutes, and at least thrice in the time that a value
/// that says "fine" outlives its last live answer.
fn detail_period(settings: &Settings) -> Duration {
    DETAIL_PERIOD
        .min(settings.limits.max_live_staleness / 3)
        .max(settings.interval())
}

/// Whether AWS refused, which an answer that is merely late or lost does not mean.
fn is_refusal(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::AccessDenied | Reason::AccountMismatch | Reason::AssumeRole | Reason::Credentials
    )
}
