//! What the loop works on: all accounts, their plans, the runs in flight. No I/O, no async: what has
//! to be done outside is a [`Request`], so that a simulated clock can drive it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use root_posture::{AccountId, Moment};
use tracing::info;

use super::account::{Context, Monitored, Now};
use super::agenda::{Agenda, RunId};
use super::orders::{Absent, AccountList, Orders, Settings};
use super::phase::{self, Beat};
use super::probe::{Observation, Probe, Question};
use crate::account::Account;
use crate::clock::Clock;
use crate::state::{Gate, Meta, SavedAccount, State};
use crate::views::{AccountCounts, Left, LeftReason, Views};

/// How long an account that left is exported as such.
const LEFT_IS_SHOWN: Duration = Duration::from_secs(24 * 3600);

/// The loop turns at least this often, which shows that it is alive.
const LONGEST_TURN: Duration = Duration::from_secs(10);

/// A run of a probe that is in flight.
struct Run {
    id: AccountId,
    probe: Probe,
    /// Whether it took one of the slots for accounts in trouble.
    troubled: bool,
    /// How many of its questions have not ended.
    unanswered: usize,
    /// Whether any of its questions failed.
    failed: bool,
}

/// All accounts, their plans and what they wait for.
pub(super) struct Core {
    settings: Settings,
    accounts: HashMap<AccountId, Box<Monitored>>,
    agenda: Agenda,
    /// When accounts have to be judged again although nothing was observed.
    reviews: BTreeSet<(Moment, AccountId)>,
    /// What is to be done outside, in order.
    requests: Vec<Request>,
    runs: HashMap<RunId, Run>,
    next_run: u64,
    /// How many accounts have ever joined; gives each its place in the interval.
    ever_joined: u32,
    /// How many accounts have been attempted once.
    attempted: usize,
    /// Series of IAM users by name, over all accounts.
    detail_series: usize,
    /// What was read from the state and no account has claimed yet.
    restored: BTreeMap<AccountId, SavedAccount>,
    /// What is kept beside the accounts.
    meta: Meta,
    views: Arc<Views>,
    clock: Clock,
    gate: Gate,
    random: fastrand::Rng,
}

/// Something that the loop does for the core.
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
        views
            .exporter
            .note(|view| view.interval = settings.interval());
        Self {
            agenda: Agenda::new(settings.concurrency),
            settings,
            accounts: HashMap::new(),
            reviews: BTreeSet::new(),
            requests: Vec::new(),
            runs: HashMap::new(),
            next_run: 0,
            ever_joined: 0,
            attempted: 0,
            detail_series: 0,
            meta: state.meta,
            restored: state.accounts,
            views,
            clock,
            gate,
            random: fastrand::Rng::new(),
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes out what is to be done outside.
    pub fn requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    fn now(&mut self) -> Now {
        Now {
            wall: self.clock.now(),
            moment: self.clock.moment(),
            draw: self.random.f64(),
        }
    }

    fn beat(&self) -> Beat {
        Beat::of(self.accounts.len(), self.settings.interval())
    }

    /// When the loop has to turn again.
    pub fn next_wake(&self) -> Moment {
        let due = self.agenda.next_due().map(|due| self.beat().after(due));
        let review = self.reviews.first().map(|(at, _)| *at);
        let latest = self.clock.moment() + LONGEST_TURN;
        due.into_iter()
            .chain(review)
            .min()
            .unwrap_or(latest)
            .min(latest)
    }

    /// Starts what is due, as far as slots are free, and judges again what time may have changed.
    pub fn turn(&mut self) {
        let now = self.clock.moment();
        let until = self.beat().before(now);
        while let Some((id, probe)) = self.agenda.next(until) {
            self.start(id, probe);
        }
        while let Some((at, id)) = self.reviews.first().copied()
            && at <= now
        {
            self.reviews.pop_first();
            self.change(id, |account, settings| account.review(now, settings));
        }
        self.views
            .exporter
            .scheduled(self.agenda.oldest_due(), self.agenda.taken());
        self.views.exporter.turned(now);
    }

    /// Changes an account by `write`; its plans are indexed anew, and what is known of it is handed
    /// to the gate.
    fn change(&mut self, id: AccountId, write: impl FnOnce(&mut Monitored, &Settings)) {
        let Some(account) = self.accounts.get_mut(&id) else {
            return;
        };
        for (probe, plan) in account.plans() {
            self.agenda.remove(id, probe, plan);
        }
        let review_before = account.review_at(&self.settings);
        let attempted_before = account.is_attempted();
        let series_before = account.detail_series();
        write(account, &self.settings);
        for (probe, plan) in account.plans() {
            self.agenda.insert(id, probe, plan);
        }
        if let Some(before) = review_before {
            self.reviews.remove(&(before, id));
        }
        let review = account.review_at(&self.settings);
        self.reviews.extend(review.map(|at| (at, id)));
        self.detail_series = self.detail_series - series_before + account.detail_series();
        self.gate.publish(account.saved(), account.view());
        if account.is_attempted() != attempted_before {
            if attempted_before {
                self.attempted -= 1;
            } else {
                self.attempted += 1;
            }
            self.show_attempted();
        }
    }

    fn show_attempted(&self) {
        let attempted = self.attempted;
        self.views.exporter.note(|view| view.attempted = attempted);
    }

    fn start(&mut self, id: AccountId, probe: Probe) {
        let Some(account) = self.accounts.get_mut(&id) else {
            return;
        };
        let questions = account.questions(probe);
        let Some(plan) = account.plan_mut(probe) else {
            return;
        };
        let run = RunId(self.next_run);
        self.next_run += 1;
        let troubled = plan.failures > 0;
        self.agenda.remove(id, probe, plan);
        plan.in_flight = Some(run);
        self.agenda.insert(id, probe, plan);
        self.agenda.take_slot(probe, troubled);
        self.runs.insert(
            run,
            Run {
                id,
                probe,
                troubled,
                unanswered: questions.len(),
                failed: false,
            },
        );
        for question in questions {
            self.requests.push(Request::Ask {
                run,
                account: Arc::clone(&account.account),
                question,
            });
        }
    }

    /// A question has ended, well or not.
    pub fn observed(&mut self, run_id: RunId, observation: Observation) {
        let Some(run) = self.runs.get_mut(&run_id) else {
            return;
        };
        let (id, probe) = (run.id, run.probe);
        run.unanswered -= 1;
        run.failed |= observation.outcome.is_err();
        let (has_ended, failed) = (run.unanswered == 0, run.failed);
        if has_ended {
            let troubled = run.troubled;
            self.runs.remove(&run_id);
            self.agenda.release_slot(probe, troubled);
        }
        if let Some(skew) = observation.skew {
            self.views
                .exporter
                .note(|view| view.clock_skew = Some(skew));
        }
        let is_current = self
            .accounts
            .get(&id)
            .and_then(|account| account.plan(probe))
            .is_some_and(|plan| plan.in_flight == Some(run_id));
        if !is_current {
            // The account left, or is read in another way now.
            return;
        }
        let now = self.now();
        let series = self
            .accounts
            .get(&id)
            .map_or(0, |account| account.detail_series());
        let others = self.detail_series - series;
        let room = self.settings.max_detail_series.saturating_sub(others);
        self.change(id, |account, settings| {
            let context = Context {
                now,
                settings,
                room,
            };
            account.observe(observation, &context);
            if has_ended {
                account.ended(probe, failed, now, settings);
            }
        });
    }

    /// Follows the newest orders. Returns their generation.
    pub fn take_orders(&mut self, orders: Orders) -> u64 {
        let Orders {
            generation,
            settings,
            list,
        } = orders;
        if settings != self.settings {
            self.settings = settings;
            self.agenda.resize(settings.concurrency);
            self.views
                .exporter
                .note(|view| view.interval = settings.interval());
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
            match self.accounts.get(&account.id) {
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
                Some(_) => {}
            }
        }
        let count = new.len();
        for (nth, account) in new.into_iter().enumerate() {
            self.join(account, nth, count, now);
        }
        self.show_list(list);
        self.gate.meta(self.meta.clone());
        if count > 0 {
            info!(accounts = listed.len(), new = count, "monitoring");
        }
    }

    fn show_list(&self, list: &AccountList) {
        let absent = |why: Absent| {
            let absent = list.absent.values();
            absent.filter(|absent| **absent == why).count()
        };
        self.views.exporter.left(self.meta.left.clone());
        let attempted = self.attempted;
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
    }

    fn join(&mut self, account: Arc<Account>, nth: usize, count: usize, now: Moment) {
        let first = now + phase::first_delay(nth, count, self.settings.interval());
        let place = self.ever_joined;
        self.ever_joined = self.ever_joined.wrapping_add(1);
        let id = account.id;
        let saved = self.restored.remove(&id);
        let monitored = Monitored::new(account, place, first, now, saved, &self.settings);
        for (probe, plan) in monitored.plans() {
            self.agenda.insert(id, probe, plan);
        }
        self.reviews
            .extend(monitored.review_at(&self.settings).map(|at| (at, id)));
        self.detail_series += monitored.detail_series();
        self.attempted += usize::from(monitored.is_attempted());
        self.gate.restore(monitored.view());
        self.accounts.insert(id, Box::new(monitored));
    }

    /// Hands all that is known to the gate, as the last thing.
    pub fn save(&self) {
        for (id, account) in &self.accounts {
            self.gate.save(*id, account.saved());
        }
    }

    /// Lets go of an account, and shows that it left unless another shard goes on with it.
    fn leave(&mut self, id: AccountId, absent: Option<Absent>, now: Moment) {
        if let Some(account) = self.accounts.remove(&id) {
            for (probe, plan) in account.plans() {
                self.agenda.remove(id, probe, plan);
            }
            if let Some(at) = account.review_at(&self.settings) {
                self.reviews.remove(&(at, id));
            }
            self.detail_series -= account.detail_series();
            self.attempted -= usize::from(account.is_attempted());
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
        let until = now + LEFT_IS_SHOWN;
        self.meta.left.insert(id, Left { reason, until });
    }
}
