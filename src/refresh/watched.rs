//! One account: its evidence, how its sources fare, and when each is asked again.
//!
//! Takes what attempts found and decides what comes next; does no I/O and reads no clock.

mod report;
mod telling;

use std::sync::Arc;
use std::time::Duration;

use super::Settings;
use super::agenda::Phase;
use super::attempt::{Ask, AskRoot, LookFound, RootSeen, Seen, Task};
use super::missing::{count, gone};
use crate::account::Account;
use crate::backoff::Backoff;
use crate::clock::{Moment, Timestamp};
use crate::evidence::{Failure, Listed, Reason, Source, Stamp, Summary};
use crate::posture::{Awaited, Look, Posture, Record};
use crate::store::{AccountView, ReportView, RootKeys, SavedAccount, SourceView, UserDetail};

/// How long AWS takes to let go of a report: it makes a new one when the last is so old.
const REPORT_LIFE: Duration = Duration::from_secs(4 * 3600);

/// A pause after a report ran out, beside the jitter: AWS counts in whole seconds.
const REPORT_MARGIN: Duration = Duration::from_secs(1);
const REPORT_JITTER: Duration = Duration::from_secs(9);

/// How often a root session is asked for what changes rarely: about once in its life.
const DETAIL_LIFE: Duration = Duration::from_secs(10 * 60);

/// Now, by both clocks, and a random number from 0 to 1 for jitter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub wall: Timestamp,
    pub moment: Moment,
    pub draw: f64,
}

/// When a task runs next, and how it fared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub due: Moment,
    /// Failures in a row; for reports also those that were no newer than they should be.
    pub failures: u32,
    /// When the attempt that runs now began.
    pub running: Option<Moment>,
    /// Whether an attempt has ended, or what is known from before made one needless.
    pub tried: bool,
}

impl Plan {
    fn new(due: Moment) -> Self {
        Self {
            due,
            failures: 0,
            running: None,
            tried: false,
        }
    }
}

/// A live source: the one look asks all of them, but each has its own failures.
#[derive(Clone, Copy, Debug)]
struct Live {
    source: Source,
    due: Moment,
    failures: u32,
}

/// A credential report in the making.
#[derive(Clone, Copy, Debug)]
struct Making {
    since: Moment,
    polls: usize,
}

/// An account that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub account: Arc<Account>,
    pub look: Option<Plan>,
    pub report: Option<Plan>,
    /// The live sources in use.
    live: Vec<Live>,
    /// How many accounts had joined before this one: its place in the interval.
    nth: u32,
    phase: Phase,
    record: Record,
    making: Option<Making>,
    view: Option<Arc<ReportView>>,
    /// What the root session listed last, and when the rest is to be asked for again.
    root_keys: Option<Arc<RootKeys>>,
    detail_due: Moment,
    last_summary: Option<Summary>,
    sources: Vec<SourceView>,
    /// The last posture that was logged.
    told: Posture,
}

impl Watched {
    /// The `nth` account to watch, from `now` on, first asked at `first`, with what is known of it
    /// from before.
    pub fn new(
        account: Arc<Account>,
        nth: u32,
        first: Moment,
        now: Moment,
        saved: Option<SavedAccount>,
        settings: &Settings,
    ) -> Self {
        let used = settings.sources.of(&account);
        let live = used.live().map(|source| Live {
            source,
            due: first,
            failures: 0,
        });
        let mut watched = Self {
            look: used.looks().then(|| Plan::new(first)),
            report: used.report.then(|| Plan::new(first)),
            live: live.collect(),
            nth,
            phase: Phase::of(nth, settings.interval),
            record: Record::new(Awaited {
                report: used.report,
                look: used.looks(),
            }),
            making: None,
            view: None,
            root_keys: None,
            detail_due: first,
            last_summary: None,
            sources: used.all().map(SourceView::new).collect(),
            told: Posture::default(),
            account,
        };
        if let Some(saved) = saved {
            watched.restore(saved, first, now, settings);
        }
        watched
    }

    /// Goes on under other settings, or with an account that is read in another way. What is known
    /// stays, and so does when the sources that stay are asked.
    pub fn adapt(&mut self, account: Arc<Account>, now: Moment, settings: &Settings) {
        let is_entered_anew = !self.account.is_read_like(&account);
        self.account = account;
        self.phase = Phase::of(self.nth, settings.interval);
        let used = settings.sources.of(&self.account);
        let latest = self.phase.next(now, settings.interval);
        let replan = |due: Moment| {
            if is_entered_anew {
                now
            } else {
                due.min(latest)
            }
        };

        let before = std::mem::take(&mut self.live);
        self.live = used
            .live()
            .map(|source| {
                let kept = before.iter().find(|live| live.source == source);
                Live {
                    source,
                    due: kept.map_or(now, |live| replan(live.due)),
                    failures: kept.map_or(0, |live| live.failures),
                }
            })
            .collect();
        self.look = used.looks().then(|| Plan {
            due: self.next_look().unwrap_or(now),
            ..self.look.unwrap_or_else(|| Plan::new(now))
        });
        self.report = used.report.then(|| match self.report {
            Some(plan) if is_entered_anew && plan.failures > 0 => Plan { due: now, ..plan },
            Some(plan) => plan,
            None => Plan::new(now),
        });
        let before = std::mem::take(&mut self.sources);
        self.sources = used
            .all()
            .map(|source| {
                let kept = before.iter().find(|view| view.source == source);
                kept.cloned().unwrap_or_else(|| SourceView::new(source))
            })
            .collect();
        if !used.root {
            self.root_keys = None;
        }
        self.stop_waiting();
        self.record.settle(now);
        self.keep_detail(settings);
    }

    /// Whatever waits for a source that is not asked waits in vain.
    fn stop_waiting(&mut self) {
        if self.look.is_none() {
            self.record.look_failed();
        }
        if self.report.is_none() {
            self.making = None;
            self.record.report_failed();
        }
    }

    fn keep_detail(&mut self, settings: &Settings) {
        if let Some(view) = self.view.as_mut().map(Arc::make_mut)
            && !settings.user_detail
        {
            view.detail = UserDetail::Off;
        }
    }

    fn restore(&mut self, saved: SavedAccount, first: Moment, now: Moment, settings: &Settings) {
        self.record = saved.record;
        self.stop_waiting();
        self.view = saved.report;
        self.root_keys = saved.root_keys.filter(|_| {
            self.live
                .iter()
                .any(|live| live.source == Source::RootSession)
        });
        self.keep_detail(settings);
        for view in &mut self.sources {
            view.last_success = saved.last_success.get(&view.source).copied();
        }
        if let Some(plan) = &mut self.report
            && let Some(due) = saved.report_due
        {
            // No later than a report of now would be due: the file's clock may have been wrong.
            let latest = now + REPORT_LIFE + REPORT_MARGIN + REPORT_JITTER;
            plan.due = due.clamp(first, latest);
            plan.tried = due > first;
        }
        self.told = self.record.posture(settings.limits);
    }

    /// The plan of a task, where the account has that task.
    pub fn plan(&self, task: Task) -> Option<&Plan> {
        match task {
            Task::Look => self.look.as_ref(),
            Task::Report => self.report.as_ref(),
        }
    }

    /// The plan of a task, to change it.
    pub fn plan_mut(&mut self, task: Task) -> Option<&mut Plan> {
        match task {
            Task::Look => self.look.as_mut(),
            Task::Report => self.report.as_mut(),
        }
    }

    /// Whether each source was asked once since the start, well or not, or need not be.
    pub fn is_looked_at(&self) -> bool {
        [self.look, self.report]
            .iter()
            .flatten()
            .all(|plan| plan.tried)
    }

    /// What is known of the account.
    pub fn posture(&self, settings: &Settings) -> Posture {
        self.record.posture(settings.limits)
    }

    /// What is to be shown of the account.
    pub fn view(&self, settings: &Settings) -> AccountView {
        AccountView {
            account: Arc::clone(&self.account),
            posture: self.posture(settings),
            report: self.view.clone(),
            root_keys: self.root_keys.clone(),
            sources: self.sources.clone(),
        }
    }

    /// What is to be shown when nothing more is asked: nothing is worth waiting for any longer.
    pub fn view_at_the_end(&mut self, now: Moment, settings: &Settings) -> AccountView {
        self.record.look_failed();
        self.record.report_failed();
        self.record.settle(now);
        self.view(settings)
    }

    /// Whether the evidence wants another look: the last would lower what is known, or a report
    /// contradicts it.
    pub fn wants_look(&self) -> bool {
        self.record.wants_look()
    }

    /// Whether a report is in the making.
    pub fn waits_for_report(&self) -> bool {
        self.making.is_some()
    }

    /// The sources that are down, and why.
    pub fn last_failures(&self) -> impl Iterator<Item = (Source, Reason)> {
        self.sources
            .iter()
            .filter(|view| view.up == Some(false))
            .filter_map(|view| Some((view.source, view.last_failure.as_ref()?.1.reason)))
    }

    /// What is to be kept of the account across a restart; nothing while nothing may be shown.
    pub fn saved(&self) -> Option<SavedAccount> {
        if self.record.is_cold() {
            return None;
        }
        Some(SavedAccount {
            record: self.record.clone(),
            report: self.view.clone(),
            root_keys: self.root_keys.clone(),
            report_due: self
                .report
                .filter(|_| self.view.is_some())
                .map(|plan| plan.due),
            last_success: self
                .sources
                .iter()
                .filter_map(|view| Some((view.source, view.last_success?)))
                .collect(),
        })
    }

    /// How many series the account's users take by name.
    pub fn detail_series(&self) -> usize {
        self.view.as_ref().map_or(0, |view| view.detail.series())
    }

    /// What a look at `now` asks: each live source whose time has come.
    pub fn ask(&self, now: Moment, settings: &Settings) -> Ask {
        // Sources that are due a moment later come along: one look is one verdict.
        let soon = now + settings.interval / 4;
        let asked = |source| {
            self.live
                .iter()
                .any(|live| live.source == source && live.due <= soon)
        };
        let summary = asked(Source::AccountSummary);
        Ask {
            summary,
            root: asked(Source::RootSession).then(|| AskRoot {
                with_summary: !summary,
                detail: now >= self.detail_due,
                known: self.root_keys.clone(),
                last_summary: self.last_summary,
            }),
        }
    }

    /// When the next live source is due.
    fn next_look(&self) -> Option<Moment> {
        self.live.iter().map(|live| live.due).min()
    }

    /// Takes what a look found.
    pub fn looked(&mut self, found: LookFound, now: Now, settings: &Settings) {
        let LookFound { summary, root } = found;
        let worked = [
            summary.as_ref().map(Result::is_ok),
            root.as_ref().map(Result::is_ok),
        ];
        let summary =
            summary.and_then(|seen| self.heard(Source::AccountSummary, seen, now, settings));
        let root = root.and_then(|seen| self.heard(Source::RootSession, seen, now, settings));
        if let Some(look) = self.look_of(summary, root, now) {
            // Two looks that came closer than half an interval count as one.
            self.record.look_arrived(look, settings.interval / 2);
        } else if worked.contains(&Some(false)) {
            self.record.look_failed();
        }
        let next = self.next_look();
        let failures = self.live.iter().map(|live| live.failures).min();
        if let Some(plan) = &mut self.look {
            plan.tried = true;
            plan.failures = failures.unwrap_or_default();
            plan.due = next.unwrap_or(plan.due);
        }
        self.settle(now, settings);
    }

    /// Books how a live source fared, and when it is asked again.
    fn heard<T>(
        &mut self,
        source: Source,
        seen: Result<Seen<T>, Failure>,
        now: Now,
        settings: &Settings,
    ) -> Option<Seen<T>> {
        let planned = self.look.map_or(now.moment, |plan| plan.due);
        // Configured away while it was asked: its answer is not wanted any more.
        let live = self.live.iter_mut().find(|live| live.source == source)?;
        match seen {
            Ok(seen) => {
                live.failures = 0;
                let from = now.moment.max(planned + settings.interval / 2);
                live.due = self.phase.next(from, settings.interval);
                self.worked(source, now);
                Some(seen)
            }
            Err(failure) => {
                live.failures += 1;
                let pause = Backoff::live(settings.interval).pause(live.failures, now.draw);
                live.due = now.moment + pause;
                if live.failures == 1 && is_refusal(failure.reason) {
                    self.doubt_report_access(source, now);
                }
                self.failed(source, failure, now);
                None
            }
        }
    }

    /// A live source that worked is refused: whoever did that may have blinded the report too,
    /// which would not be asked for hours. One step of it tells now.
    fn doubt_report_access(&mut self, source: Source, now: Now) {
        let worked = self
            .source(source)
            .is_some_and(|view| view.up == Some(true));
        if let Some(plan) = &mut self.report
            && worked
            && source == Source::AccountSummary
            && plan.failures == 0
        {
            plan.due = plan.due.min(now.moment);
        }
    }

    /// One look from what the live sources said.
    fn look_of(
        &mut self,
        summary: Option<Seen<Summary>>,
        root: Option<Seen<RootSeen>>,
        now: Now,
    ) -> Option<Look> {
        let stamps = [
            summary.as_ref().map(|seen| seen.stamp),
            root.as_ref().map(|seen| seen.stamp),
        ];
        // What the two say together was true when the earlier was given.
        let stamp = stamps.into_iter().flatten().min_by_key(|stamp| stamp.at)?;
        let said = summary
            .map(|seen| seen.value)
            .or_else(|| root.as_ref().and_then(|seen| seen.value.answer.summary));
        self.last_summary = said.or(self.last_summary);
        Some(Look {
            stamp,
            summary: said,
            listed: root.map(|seen| self.listed(seen.stamp, seen.value, now)),
        })
    }

    /// Keeps the keys that a root session listed, and counts them and those that are gone.
    fn listed(&mut self, stamp: Stamp, seen: RootSeen, now: Now) -> Listed {
        let RootSeen { answer, detail } = seen;
        let mut keys = answer.keys;
        let known = self.root_keys.take();
        for (nth, key) in keys.iter_mut().enumerate() {
            let before = known
                .iter()
                .flat_map(|known| &known.keys)
                .find(|before| before.id == key.id);
            let used = detail
                .as_ref()
                .and_then(|detail| detail.last_used.get(nth).cloned().flatten());
            key.last_used = used.unwrap_or_else(|| before.and_then(|key| key.last_used.clone()));
        }
        let counts = count(&keys);
        let before = known.as_deref().map_or(&[][..], |known| &known.keys);
        let keys_gone = gone(before, &keys);
        self.root_keys = Some(Arc::new(RootKeys { at: stamp.at, keys }));
        let mut listed = Listed {
            keys: Some(counts),
            keys_gone,
            ..Listed::default()
        };
        if let Some(detail) = detail {
            self.detail_due = now.moment + DETAIL_LIFE;
            listed.certificates = detail.certificates;
            listed.mfa = detail.mfa;
            listed.password = detail.password;
        }
        listed
    }

    fn source(&mut self, source: Source) -> Option<&mut SourceView> {
        self.sources.iter_mut().find(|view| view.source == source)
    }
}

/// Whether AWS refused, which an answer that is merely late or lost does not mean.
fn is_refusal(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::AccessDenied | Reason::AccountMismatch | Reason::AssumeRole | Reason::Credentials
    )
}
