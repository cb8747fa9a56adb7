//! The schedule: who is asked next, with how much patience, and what becomes of the answers.
//!
//! One task owns all accounts and runs the loop in this file; attempts run beside it and hand
//! their findings back, so nothing here needs a lock. What an answer proves is `posture`'s to
//! say; how AWS is asked is `aws`'s.

mod agenda;
mod attempt;
mod backoff;
mod keeper;
mod watched;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{self, JoinError, JoinSet};
use tracing::{error, info};

use crate::account::{Account, AccountId};
use crate::aws::Aws;
use crate::clock::{Clock, Moment};
use crate::posture::Limits;
use crate::store::{AccountCounts, State, Store};

use agenda::{Agenda, Item, Phase, Slots};
use attempt::{Found, Task, attempt};
pub use backoff::Backoff;
pub use keeper::Keeper;
use watched::{Now, Watched};

/// How long a report's step may keep its account to itself once a look is due: then the look runs
/// beside it, for a report that hangs must not make us blind.
const OVERTAKE: Duration = Duration::from_secs(1);

/// Which sources are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The credential report.
    pub report: bool,
    /// The account summary.
    pub look: bool,
}

impl Sources {
    /// The sources of one account. In aws-cn there are no root credentials to look for.
    fn of(self, account: &Account) -> Self {
        Self {
            report: self.report,
            look: self.look && account.partition().has_root_credentials(),
        }
    }
}

/// What the schedule goes by.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often each account is looked at.
    pub interval: Duration,
    /// How many accounts are asked at once.
    pub concurrency: usize,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long a report may stay in the making.
    pub report_timeout: Duration,
    /// How long a fine value is believed.
    pub limits: Limits,
    /// What is asked.
    pub sources: Sources,
    /// Whether IAM users are kept by name.
    pub user_detail: bool,
    /// How many series they may take.
    pub max_detail_series: usize,
}

/// The accounts to watch, as they become known.
pub type Accounts = watch::Receiver<Option<AccountList>>;

/// A complete list of the accounts to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountList {
    /// The accounts.
    pub accounts: Vec<Arc<Account>>,
    /// The caller's own account, where that is what is watched.
    pub caller: Option<AccountId>,
    /// Whether AWS or the configuration has confirmed the list in this run. A list from the state
    /// file that has not been is used, but what it leaves out is not dropped.
    pub confirmed: bool,
}

/// What the schedule works with.
#[derive(Debug)]
pub struct Refresh {
    /// What it goes by.
    pub settings: Settings,
    /// Whom it watches.
    pub accounts: Accounts,
    /// Whom it asks.
    pub aws: Arc<Aws>,
    /// Where what it learns is shown.
    pub store: Arc<Store>,
    /// Its clock.
    pub clock: Clock,
    /// Who keeps what it learns; `None` keeps nothing across restarts.
    pub keeper: Option<Keeper>,
    /// What was kept.
    pub state: State,
}

/// Refreshes all accounts until `shutdown` completes, then saves the state and returns.
pub async fn run(refresh: Refresh, shutdown: impl Future<Output = ()>) {
    let Refresh {
        settings,
        mut accounts,
        aws,
        store,
        clock,
        keeper,
        state,
    } = refresh;
    store
        .exporter
        .note(|view| view.interval = settings.interval);
    let mut schedule = Schedule {
        slots: Slots::new(settings.concurrency),
        settings,
        watched: HashMap::new(),
        agenda: Agenda::default(),
        attempts: JoinSet::new(),
        running: HashMap::new(),
        ever_joined: 0,
        looked_at: 0,
        detail_series: 0,
        restored: state,
        caller: None,
        aws,
        store,
        clock,
        keeper,
        random: fastrand::Rng::new(),
    };
    let mut shutdown = std::pin::pin!(shutdown);
    let mut lists_end = false;
    schedule.take_list(&mut accounts);
    loop {
        schedule.dispatch();
        let wake = schedule.next_wake();
        tokio::select! {
            () = &mut shutdown => break,
            Some(found) = schedule.attempts.join_next_with_id() => schedule.joined(found),
            changed = accounts.changed(), if !lists_end => match changed {
                Ok(()) => schedule.take_list(&mut accounts),
                Err(_) => lists_end = true,
            },
            saved = keeper::saved(schedule.keeper.as_mut()) => schedule.saved(&saved),
            () = schedule.clock.sleep_until(wake.unwrap_or_default()), if wake.is_some() => {}
        }
    }
    schedule.attempts.abort_all();
    if let Some(mut keeper) = schedule.keeper.take() {
        keeper
            .close(schedule.state(), &schedule.store, &schedule.clock)
            .await;
    }
}

struct Schedule {
    settings: Settings,
    watched: HashMap<AccountId, Watched>,
    agenda: Agenda,
    slots: Slots,
    attempts: JoinSet<Found>,
    /// Which attempt is whose, and whether it took one of the slots for accounts in trouble.
    running: HashMap<task::Id, (Item, bool)>,
    /// How many accounts have ever joined; gives each its place in the interval.
    ever_joined: u32,
    /// How many accounts have been looked at once.
    looked_at: usize,
    /// Series of IAM users by name, over all accounts.
    detail_series: usize,
    /// What was read from the state file and no account has claimed yet.
    restored: State,
    caller: Option<AccountId>,
    aws: Arc<Aws>,
    store: Arc<Store>,
    clock: Clock,
    keeper: Option<Keeper>,
    random: fastrand::Rng,
}

impl Schedule {
    fn now(&mut self) -> Now {
        Now {
            wall: self.clock.now(),
            moment: self.clock.moment(),
            draw: self.random.f64(),
        }
    }

    fn next_wake(&self) -> Option<Moment> {
        let save = self.keeper.as_ref().and_then(Keeper::next_wake);
        self.agenda.next_wake().into_iter().chain(save).min()
    }

    /// Makes the watched accounts those of the newest list.
    fn take_list(&mut self, accounts: &mut Accounts) {
        let Some(list) = accounts.borrow_and_update().clone() else {
            return;
        };
        self.caller = list.caller;
        let listed: HashMap<AccountId, &Arc<Account>> = list
            .accounts
            .iter()
            .map(|account| (account.id, account))
            .collect();
        let gone: Vec<AccountId> = self
            .watched
            .keys()
            .filter(|id| !listed.contains_key(id))
            .copied()
            .collect();
        for id in gone {
            self.leave(id);
        }
        let mut new = Vec::new();
        for account in &list.accounts {
            match self.watched.get_mut(&account.id) {
                None => new.push(Arc::clone(account)),
                Some(watched) if watched.account != *account => {
                    if watched.account.access != account.access {
                        self.aws.forget(account.id);
                    }
                    watched.account = Arc::clone(account);
                    self.publish(account.id);
                }
                Some(_) => {}
            }
        }
        let count = new.len();
        for (nth, account) in new.into_iter().enumerate() {
            self.join(account, nth, count);
        }
        if list.confirmed {
            // What nobody claims belongs to accounts that are watched no more.
            self.restored.accounts.clear();
        }
        let looked_at = self.looked_at;
        self.store.exporter.note(|view| {
            view.looked_at = looked_at;
            view.accounts = Some(AccountCounts {
                monitored: listed.len(),
                ..AccountCounts::default()
            });
        });
        info!(
            accounts = listed.len(),
            new = count,
            "the account list is known"
        );
    }

    fn join(&mut self, account: Arc<Account>, nth: usize, count: usize) {
        let now = self.clock.moment();
        let first = now + agenda::first_delay(nth, count, self.settings.interval);
        let phase = Phase::of(self.ever_joined, self.settings.interval);
        self.ever_joined = self.ever_joined.wrapping_add(1);
        let id = account.id;
        let saved = self.restored.accounts.remove(&id);
        let watched = Watched::new(account, phase, first, now, saved, &self.settings);
        for task in Task::ALL {
            if let Some(plan) = watched.plan(task) {
                self.agenda.plan((id, task), plan.due);
            }
        }
        self.detail_series += watched.detail_series();
        self.store.put(watched.view(&self.settings));
        self.watched.insert(id, watched);
    }

    fn leave(&mut self, id: AccountId) {
        if let Some(watched) = self.watched.remove(&id) {
            for task in Task::ALL {
                self.agenda.drop((id, task));
            }
            self.detail_series -= watched.detail_series();
            self.looked_at -= usize::from(watched.is_looked_at());
        }
        self.aws.forget(id);
        self.store.remove(id);
    }

    /// Starts what is due, as far as slots are free.
    fn dispatch(&mut self) {
        let now = self.clock.moment();
        let watched = &self.watched;
        let troubled = |(id, task): Item| {
            watched
                .get(&id)
                .and_then(|watched| watched.plan(task))
                .is_some_and(|plan| plan.failures > 0)
        };
        self.agenda.wake(now, troubled);
        while let Some(item) = self.agenda.pop(&self.slots) {
            self.start(item, now);
        }
        self.store
            .exporter
            .scheduled(self.agenda.oldest_due(), self.slots.taken());
        if let Some(keeper) = &mut self.keeper {
            for id in keeper.give_up_waiting(now) {
                if let Some(watched) = self.watched.get(&id) {
                    self.store.put(watched.view(&self.settings));
                }
            }
            if keeper.is_due(now) {
                let state = state_of(&self.watched, &self.restored, self.caller);
                let posture = |id| Some(self.watched.get(&id)?.posture(&self.settings));
                keeper.begin(state, posture, &self.clock);
            }
        }
    }

    fn start(&mut self, (id, task): Item, now: Moment) {
        let Some(watched) = self.watched.get_mut(&id) else {
            return;
        };
        let other = match task {
            Task::Look => watched.report,
            Task::Report => watched.look,
        };
        if let Some(since) = other.and_then(|plan| plan.running) {
            // One refresh in flight an account; the agenda has it again when that is finished.
            let overtakes = since + OVERTAKE;
            if task == Task::Report || now < overtakes {
                let wake = (task == Task::Look).then_some(overtakes);
                self.agenda.park((id, task), wake);
                return;
            }
        }
        let account = Arc::clone(&watched.account);
        let Some(plan) = watched.plan_mut(task) else {
            return;
        };
        plan.running = Some(now);
        let troubled = plan.failures > 0;
        self.slots.take(troubled);
        let handle = self.attempts.spawn(attempt(
            Arc::clone(&self.aws),
            self.clock.clone(),
            account,
            task,
            self.settings.timeout,
        ));
        self.running.insert(handle.id(), ((id, task), troubled));
    }

    /// An attempt has ended, well or not.
    fn joined(&mut self, found: Result<(task::Id, Found), JoinError>) {
        let id = match &found {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some((item, troubled)) = self.running.remove(&id) else {
            return;
        };
        self.slots.release(troubled);
        let found = found.map_or_else(
            |panic| {
                // A defect of ours; the account must not be lost for it.
                error!(account = %item.0, error = %panic, "an attempt broke off; please report this");
                Found::broken_off(item.1)
            },
            |(_, found)| found,
        );
        self.finished(item, found);
    }

    fn finished(&mut self, (id, task): Item, found: Found) {
        let now = self.now();
        if let Some(skew) = found.skew() {
            self.store
                .exporter
                .note(|view| view.clock_skew = Some(skew));
        }
        let Some(watched) = self.watched.get_mut(&id) else {
            return;
        };
        if let Some(plan) = watched.plan_mut(task) {
            plan.running = None;
        }
        let was_looked_at = watched.is_looked_at();
        match found {
            Found::Look(found) => watched.looked(found, now, &self.settings),
            Found::Report(found) => {
                let others = self.detail_series - watched.detail_series();
                let room = self.settings.max_detail_series.saturating_sub(others);
                watched.reported(found, now, &self.settings, room);
                self.detail_series = others + watched.detail_series();
            }
        }
        let newly_looked_at = !was_looked_at && watched.is_looked_at();
        for task in Task::ALL {
            // Also the other task: it may have waited for this one, or be due at once.
            if let Some(plan) = watched.plan(task).filter(|plan| plan.running.is_none()) {
                self.agenda.plan((id, task), plan.due);
            }
        }
        self.publish(id);
        if newly_looked_at {
            self.looked_at += 1;
            let looked_at = self.looked_at;
            self.store.exporter.note(|view| view.looked_at = looked_at);
        }
    }

    /// Shows what is known of an account; what is worse than what is shown, only once it is on
    /// disk.
    fn publish(&mut self, id: AccountId) {
        let Some(watched) = self.watched.get(&id) else {
            return;
        };
        let view = watched.view(&self.settings);
        if let Some(keeper) = &mut self.keeper {
            let shown = self
                .store
                .get(id)
                .map(|view| view.posture)
                .unwrap_or_default();
            let now = self.clock.moment();
            if keeper.changed(id, &shown, &view.posture, now) == keeper::Publish::Later {
                return;
            }
        }
        self.store.put(view);
    }

    /// A save has ended, well or not: what waited for it is shown.
    fn saved(&mut self, saved: &keeper::Saved) {
        let Some(keeper) = &mut self.keeper else {
            return;
        };
        for (id, on_disk) in keeper.ended(saved, &self.store, &self.clock) {
            let Some(watched) = self.watched.get(&id) else {
                continue;
            };
            let view = watched.view(&self.settings);
            match on_disk {
                Some(on_disk) if view.posture.is_worse_than(&on_disk) => self.publish(id),
                _ => self.store.put(view),
            }
        }
    }

    fn state(&self) -> State {
        state_of(&self.watched, &self.restored, self.caller)
    }
}

fn state_of(
    watched: &HashMap<AccountId, Watched>,
    restored: &State,
    caller: Option<AccountId>,
) -> State {
    let mut accounts = restored.accounts.clone();
    accounts.extend(
        watched
            .iter()
            .filter_map(|(id, watched)| Some((*id, watched.saved()?))),
    );
    State {
        caller: caller.or(restored.caller),
        accounts,
    }
}
