//! The state of the schedule: all accounts, their plans and the runs in flight.
//!
//! It does no I/O and is not async: what has to be done outside is a [`Request`], so that a simulated
//! clock can drive it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use root_posture::{AccountId, Moment};
use tracing::info;

use super::account::{Context, Monitored, Now};
use super::agenda::{Agenda, RunId};
use super::notices::{FromQueue, Notice};
use super::orders::{Absent, AccountList, Orders, Settings};
use super::phase::{self, Beat};
use super::probe::{Observation, Probe, Question};
use super::push::Admission;
use crate::account::Account;
use crate::clock::Clock;
use crate::state::{Gate, Meta, SavedAccount, State};
use crate::views::{AccountCounts, Left, LeftReason, MessageKind, Views};

/// How long an account that left is exported as such.
const LEFT_IS_EXPORTED: Duration = Duration::from_secs(24 * 3600);

/// The loop turns at least this often, so that the health check sees it alive.
const LONGEST_TURN: Duration = Duration::from_secs(10);

/// A run of a probe that is in flight.
struct Run {
    id: AccountId,
    probe: Probe,
    /// Whether it took one of the slots for failing accounts.
    is_failing: bool,
    /// How many of its questions have not ended.
    unanswered: usize,
    /// Whether any of its questions failed.
    failed: bool,
}

pub(super) struct Core {
    pub settings: Settings,
    accounts: HashMap<AccountId, Box<Monitored>>,
    index: Index,
    /// The requests to carry out, in order.
    requests: Vec<Request>,
    runs: HashMap<RunId, Run>,
    next_run: u64,
    /// How many accounts have ever joined; gives each its place in the interval.
    ever_joined: u32,
    /// Saved accounts that no account on a list has claimed yet.
    restored: BTreeMap<AccountId, SavedAccount>,
    /// The state that is saved besides the accounts.
    meta: Meta,
    views: Arc<Views>,
    clock: Clock,
    gate: Gate,
    /// Whether the queue of events can be read.
    queue_is_up: bool,
    /// Whether it is known which accounts are monitored.
    is_listed: bool,
    admission: Admission,
}

/// What is derived from all accounts. An account is removed before it changes and inserted after.
#[derive(Default)]
struct Index {
    agenda: Agenda,
    /// When accounts have to be judged again without a new observation.
    reviews: BTreeSet<(Moment, AccountId)>,
    /// How many accounts have been attempted once.
    attempted: usize,
    /// Series of IAM users by name, over all accounts.
    detail_series: usize,
}

impl Index {
    fn insert(&mut self, account: &Monitored, settings: &Settings) {
        let id = account.account.id;
        for (probe, plan) in account.plans() {
            self.agenda.insert(id, probe, plan);
        }
        let review = account.review_at(settings);
        self.reviews.extend(review.map(|at| (at, id)));
        self.attempted += usize::from(account.is_attempted());
        self.detail_series += account.report.detail_series();
    }

    fn remove(&mut self, account: &Monitored, settings: &Settings) {
        let id = account.account.id;
        for (probe, plan) in account.plans() {
            self.agenda.remove(id, probe, plan);
        }
        if let Some(at) = account.review_at(settings) {
            self.reviews.remove(&(at, id));
        }
        self.attempted -= usize::from(account.is_attempted());
        self.detail_series -= account.report.detail_series();
    }
}

/// A task outside of the core, for the loop to carry out.
#[derive(Debug)]
pub(super) enum Request {
    /// Ask an account a question.
    Ask {
        run: RunId,
        account: Arc<Account>,
        question: Question,
    },
    /// Drop the sessions of an account.
    Forget(AccountId),
}

impl Core {
    pub fn new(
        settings: Settings,
        state: State,
        views: Arc<Views>,
        clock: Clock,
        gate: Gate,
    ) -> Self {
        Self {
            index: Index {
                agenda: Agenda::new(settings.concurrency),
                ..Index::default()
            },
            settings,
            accounts: HashMap::new(),
            requests: Vec::new(),
            runs: HashMap::new(),
            next_run: 0,
            ever_joined: 0,
            meta: state.meta,
            restored: state.accounts,
            views,
            clock,
            gate,
            queue_is_up: false,
            is_listed: false,
            admission: Admission::default(),
        }
    }

    /// Takes the requests to carry out.
    pub fn requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    fn now(&self) -> Now {
        Now {
            wall: self.clock.now(),
            moment: self.clock.moment(),
            draw: fastrand::f64(),
        }
    }

    fn beat(&self) -> Beat {
        Beat::of(self.accounts.len())
    }

    /// When the loop has to turn again.
    pub fn next_wake(&self) -> Moment {
        let latest = self.clock.moment() + LONGEST_TURN;
        let due = self.index.agenda.next();
        let due = due.map_or(latest, |(due, ..)| self.beat().after(due));
        let review = self.index.reviews.first().map_or(latest, |(at, _)| *at);
        due.min(review).min(latest)
    }

    /// Starts the due probes, as far as slots are free, and judges accounts again whose values time
    /// may have changed.
    pub fn turn(&mut self) {
        let now = self.clock.moment();
        let until = self.beat().before(now);
        while let Some((due, id, probe)) = self.index.agenda.next()
            && due <= until
        {
            self.start(id, probe);
        }
        while let Some((at, id)) = self.index.reviews.first().copied()
            && at <= now
        {
            self.index.reviews.pop_first();
            self.change(id, |account, settings| account.review(now, settings));
        }
        let agenda = &self.index.agenda;
        let exporter = &self.views.exporter;
        let (oldest_due, in_flight) = (agenda.oldest_due(), agenda.taken());
        exporter.turned(now, oldest_due, in_flight, self.index.attempted);
    }

    /// Changes an account by `write` and publishes it.
    fn change(&mut self, id: AccountId, write: impl FnOnce(&mut Monitored, &Settings)) {
        let Some(account) = self.accounts.get_mut(&id) else {
            return;
        };
        self.index.remove(account, &self.settings);
        write(account, &self.settings);
        let now = self.clock.moment();
        account.plan_polls(now, &self.settings, self.queue_is_up);
        self.index.insert(account, &self.settings);
        self.gate.publish(account.saved(), account.view());
    }

    fn start(&mut self, id: AccountId, probe: Probe) {
        let now = self.clock.moment();
        let Some(account) = self.accounts.get_mut(&id) else {
            return;
        };
        if account.needs_admission(probe) {
            let at = self.admission.next(now);
            self.index.remove(account, &self.settings);
            account.admit(at);
            self.index.insert(account, &self.settings);
            if at > now {
                return;
            }
        }
        let questions = account.questions(probe);
        let Some(plan) = account.plan(probe) else {
            return;
        };
        let run = RunId(self.next_run);
        self.next_run += 1;
        let is_failing = plan.is_failing();
        let agenda = &mut self.index.agenda;
        agenda.remove(id, probe, plan);
        account.begin(probe, run, now);
        if let Some(plan) = account.plan(probe) {
            agenda.insert(id, probe, plan);
        }
        agenda.take_slot(probe, is_failing);
        self.runs.insert(
            run,
            Run {
                id,
                probe,
                is_failing,
                unanswered: questions.len(),
                failed: false,
            },
        );
        self.requests
            .extend(questions.into_iter().map(|question| Request::Ask {
                run,
                account: Arc::clone(&account.account),
                question,
            }));
    }

    /// Takes the result of a question.
    pub fn observed(&mut self, run_id: RunId, observation: Observation) {
        let Some(run) = self.runs.get_mut(&run_id) else {
            return;
        };
        let (id, probe) = (run.id, run.probe);
        run.unanswered -= 1;
        run.failed |= observation.outcome.is_err();
        let (has_ended, failed) = (run.unanswered == 0, run.failed);
        if has_ended {
            let is_failing = run.is_failing;
            self.runs.remove(&run_id);
            self.index.agenda.release_slot(probe, is_failing);
        }
        if let Some(skew) = observation.skew {
            let exporter = &self.views.exporter;
            exporter.note(|view| view.clock_skew = Some(skew));
        }
        let now = self.now();
        let account = self.accounts.get(&id).filter(|account| {
            let plan = account.plan(probe);
            plan.is_some_and(|plan| plan.in_flight == Some(run_id))
        });
        let Some(account) = account else {
            // The account left, or is reached in another way now.
            return;
        };
        let others = self.index.detail_series - account.report.detail_series();
        let free_series = self.settings.max_detail_series.saturating_sub(others);
        self.change(id, |account, settings| {
            let context = Context {
                now,
                settings,
                free_series,
            };
            account.observe(observation, &context);
            if has_ended {
                account.ended(probe, failed, now, settings);
            }
        });
    }

    /// Whether it is known which accounts are monitored, so that no event is taken for one of others.
    pub fn is_listed(&self) -> bool {
        self.is_listed
    }

    /// Takes what the reader of the queue says.
    pub fn take(&mut self, from_queue: FromQueue) {
        match from_queue {
            FromQueue::Up(is_up) => self.queue_is(is_up),
            FromQueue::Another => {
                self.queue_is_up = false;
                let ids: Vec<AccountId> = self.accounts.keys().copied().collect();
                for id in ids {
                    self.change(id, |account, _| account.reset_push());
                }
            }
            FromQueue::Events(notices, done) => {
                let kinds = notices.iter().map(|notice| self.notice(notice));
                // An error means that the reader has gone: SQS delivers the events again.
                let _ = done.send(kinds.collect());
            }
        }
    }

    fn queue_is(&mut self, is_up: bool) {
        if self.queue_is_up == is_up {
            return;
        }
        self.queue_is_up = is_up;
        let verified = self.accounts.values().filter(|it| it.is_verified());
        let ids: Vec<AccountId> = verified.map(|it| it.account.id).collect();
        for id in ids {
            self.change(id, |_, _| ());
        }
    }

    fn notice(&mut self, notice: &Notice) -> MessageKind {
        let now = self.clock.moment();
        let Some(push) = self.settings.push else {
            return MessageKind::Ignored;
        };
        let account = self.accounts.get(&notice.account);
        // Most events are echoes, and with several processes most of those are of others.
        if !account.is_some_and(|account| account.is_concerned(notice)) {
            return MessageKind::Ignored;
        }
        let mut taken = (MessageKind::Ignored, None);
        self.change(notice.account, |account, _| {
            taken = account.notice(notice, now, &push);
        });
        let (kind, delay) = taken;
        if let Some(delay) = delay {
            let exporter = &self.views.exporter;
            exporter.note(|view| {
                if let Some(events) = &mut view.events {
                    events.arrived(delay);
                }
            });
        }
        kind
    }

    /// Applies orders. Returns their generation.
    pub fn take_orders(&mut self, orders: Orders) -> u64 {
        let Orders {
            generation,
            settings,
            list,
        } = orders;
        let exporter = &self.views.exporter;
        exporter.note(|view| view.interval = settings.interval());
        if settings != self.settings {
            self.settings = settings;
            self.index.agenda.resize(settings.concurrency);
            let now = self.clock.moment();
            let ids: Vec<AccountId> = self.accounts.keys().copied().collect();
            for id in ids {
                self.change(id, |account, settings| {
                    let same = Arc::clone(&account.account);
                    account.adapt(same, now, settings);
                });
            }
        }
        if let Some(list) = list {
            self.take_list(&list);
        }
        generation
    }

    /// Makes the monitored accounts those of the list.
    fn take_list(&mut self, list: &AccountList) {
        let now = self.clock.moment();
        self.is_listed |= list.confirmed || !list.accounts.is_empty();
        self.meta.caller = list.caller.or(self.meta.caller);
        if list.organization.is_some() || list.confirmed {
            self.meta.organization.clone_from(&list.organization);
        }
        self.meta.left.retain(|_, left| now < left.until);
        let listed: HashSet<AccountId> = list.accounts.iter().map(|account| account.id).collect();
        if list.confirmed {
            let known = self.accounts.keys().chain(self.restored.keys());
            let gone: Vec<AccountId> = known.filter(|id| !listed.contains(id)).copied().collect();
            for id in gone {
                self.leave(id, list.absent.get(&id).copied(), now);
            }
        }
        let mut new = Vec::new();
        for account in &list.accounts {
            self.meta.left.remove(&account.id);
            match self.accounts.get_mut(&account.id) {
                None => new.push(Arc::clone(account)),
                Some(known) if known.account != *account => {
                    if !known.account.is_read_like(account) {
                        self.requests.push(Request::Forget(account.id));
                    }
                    let account = Arc::clone(account);
                    self.change(account.id, |known, settings| {
                        known.adapt(account, now, settings);
                    });
                }
                // The new list is kept anyway; this lets the old copy be freed.
                Some(known) => known.account = Arc::clone(account),
            }
        }
        let count = new.len();
        for (nth, account) in new.into_iter().enumerate() {
            self.join(account, nth, count, now);
        }
        let absent = |why: Absent| list.absent.values().filter(|it| **it == why).count();
        self.views.exporter.left(self.meta.left.clone());
        let attempted = self.index.attempted;
        self.views.exporter.note(|view| {
            view.attempted = attempted;
            if list.complete {
                view.accounts = Some(AccountCounts {
                    monitored: list.accounts.len(),
                    excluded: absent(Absent::Excluded),
                    inactive: absent(Absent::Inactive),
                });
            }
        });
        self.gate.meta(self.meta.clone());
        if count > 0 {
            info!(accounts = listed.len(), new = count, "monitoring");
        }
    }

    fn join(&mut self, account: Arc<Account>, nth: usize, count: usize, now: Moment) {
        let first = now + phase::first_delay(nth, count, self.settings.interval());
        let place = self.ever_joined;
        self.ever_joined = self.ever_joined.wrapping_add(1);
        let id = account.id;
        let saved = self.restored.remove(&id);
        let monitored = Monitored::new(account, place, first, now, saved, &self.settings);
        self.index.insert(&monitored, &self.settings);
        self.gate.restore(monitored.view());
        self.accounts.insert(id, Box::new(monitored));
    }

    /// Saves every account, at the end of the process.
    pub fn save(&self) {
        for (id, account) in &self.accounts {
            self.gate.save(*id, account.saved());
        }
    }

    /// The state of an account that survives a restart.
    #[cfg(test)]
    pub fn saved(&self, id: AccountId) -> Option<SavedAccount> {
        Some(self.accounts.get(&id)?.saved())
    }

    /// Stops monitoring an account, and exports that it left unless another shard monitors it.
    fn leave(&mut self, id: AccountId, absent: Option<Absent>, now: Moment) {
        if let Some(account) = self.accounts.remove(&id) {
            self.index.remove(&account, &self.settings);
        }
        self.restored.remove(&id);
        self.requests.push(Request::Forget(id));
        self.gate.remove(id);
        let reason = match absent {
            Some(Absent::OtherShard) => {
                info!(account = %id, "another shard monitors this account now");
                return;
            }
            Some(Absent::Inactive) => LeftReason::Closed,
            Some(Absent::Excluded) => LeftReason::Excluded,
            None => LeftReason::Removed,
        };
        info!(account = %id, reason = reason.as_str(), "no longer monitoring");
        let until = now + LEFT_IS_EXPORTED;
        self.meta.left.insert(id, Left { reason, until });
    }
}
