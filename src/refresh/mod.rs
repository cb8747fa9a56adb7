//! The schedule: who is asked next, with how much patience, and what becomes of the answers.
//!
//! One task owns all accounts and runs the loop in this file; attempts run beside it and hand
//! their findings back, so nothing here needs a lock. What an answer proves is `posture`'s to
//! say; how AWS is asked is `aws`'s.

mod agenda;
mod attempt;
mod backoff;
mod keeper;
mod missing;
mod once;
mod publish;
mod watched;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{self, JoinError, JoinSet};
use tracing::{error, info};

use crate::account::{Account, AccountId};
use crate::aws::Aws;
use crate::clock::{Clock, Moment};
use crate::evidence::Source;
use crate::posture::Limits;
use crate::store::{
    AccountCounts, KnownOrganization, Left, LeftReason, SavedAccount, State, Store,
};

use agenda::{Agenda, Beat, Item, Slots};
use attempt::{Ask, Found, Task, attempt};
pub use backoff::Backoff;
pub use keeper::Keeper;
pub use once::{once, settings_once};
use watched::{Now, Watched};

/// How long a report's step may keep its account to itself once a look is due: then the look runs
/// beside it, for a report that hangs must not make us blind.
const OVERTAKE: Duration = Duration::from_secs(1);

/// How often the loop turns at least, so that `/-/healthy` can tell that it stands still.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long it is told that an account left.
const LEFT_IS_TOLD: Duration = Duration::from_secs(24 * 3600);

/// Which sources are asked, where an account has a way to ask them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The credential report.
    pub report: bool,
    /// The account summary.
    pub summary: bool,
}

impl Sources {
    /// Whether a source of an account is asked.
    #[must_use]
    pub fn uses(self, account: &Account, source: Source) -> bool {
        self.of(account).all().any(|used| used == source)
    }

    /// The sources of one account. In aws-cn there are no root credentials to look for.
    fn of(self, account: &Account) -> Used {
        let has_root = account.partition().has_root_credentials();
        Used {
            report: self.report && account.access.is_some(),
            summary: self.summary && account.access.is_some() && has_root,
            root: account.root_session && has_root,
        }
    }
}

/// The sources of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Used {
    report: bool,
    summary: bool,
    root: bool,
}

impl Used {
    fn looks(self) -> bool {
        self.summary || self.root
    }

    /// In the order of [`Source::ALL`].
    fn all(self) -> impl Iterator<Item = Source> {
        Source::ALL
            .into_iter()
            .zip([self.report, self.summary, self.root])
            .filter_map(|(source, used)| used.then_some(source))
    }

    fn live(self) -> impl Iterator<Item = Source> {
        self.all()
            .filter(|source| *source != Source::CredentialReport)
    }
}

/// What the schedule goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Whom to watch, and how: taken together, so that a reload is whole or nothing.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Which configuration they come from, counted from 0.
    pub generation: u64,
    /// How to watch.
    pub settings: Settings,
    /// Whom; `None` until something is known.
    pub list: Option<AccountList>,
}

/// The accounts to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountList {
    /// The accounts.
    pub accounts: Vec<Arc<Account>>,
    /// The caller's own account, where that is known.
    pub caller: Option<AccountId>,
    /// Whether the list is whole, be it from the state file.
    pub complete: bool,
    /// Whether AWS or the configuration has confirmed it in this run. What a list leaves out that
    /// has not been is not dropped.
    pub confirmed: bool,
    /// Accounts that are not watched here, and why. One that is neither here nor in `accounts`
    /// was removed.
    pub absent: Arc<HashMap<AccountId, Absent>>,
    /// The organization, to be kept across restarts.
    pub organization: Option<Arc<KnownOrganization>>,
}

/// Why an account that exists is not watched by this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Another shard watches it.
    OtherShard,
    /// It is closed, suspended or not yet active.
    Inactive,
    /// The configuration excludes it.
    Excluded,
}

/// What the schedule works with.
#[derive(Debug)]
pub struct Refresh {
    /// Whom it watches, and how.
    pub orders: watch::Receiver<Orders>,
    /// Where it tells the generation of the orders that it follows.
    pub follows: watch::Sender<u64>,
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
        mut orders,
        follows,
        aws,
        store,
        clock,
        keeper,
        mut state,
    } = refresh;
    let settings = orders.borrow().settings;
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
        left: std::mem::take(&mut state.left),
        organization: state.organization.take(),
        caller: state.caller.take(),
        restored: state.accounts,
        follows,
        aws,
        store,
        clock,
        keeper,
        random: fastrand::Rng::new(),
    };
    let mut shutdown = std::pin::pin!(shutdown);
    let mut orders_end = false;
    schedule.take_orders(&mut orders);
    loop {
        schedule.dispatch();
        let now = schedule.clock.moment();
        schedule.store.exporter.turned(now);
        let heartbeat = now + HEARTBEAT;
        let wake = schedule.next_wake().unwrap_or(heartbeat).min(heartbeat);
        tokio::select! {
            () = &mut shutdown => break,
            Some(found) = schedule.attempts.join_next_with_id() => schedule.joined(found),
            changed = orders.changed(), if !orders_end => match changed {
                Ok(()) => schedule.take_orders(&mut orders),
                Err(_) => orders_end = true,
            },
            saved = keeper::saved(schedule.keeper.as_mut()) => schedule.saved(&saved),
            () = schedule.clock.sleep_until(wake) => {}
        }
    }
    schedule.attempts.abort_all();
    if let Some(mut keeper) = schedule.keeper.take() {
        keeper
            .close(schedule.state(), &schedule.store, &schedule.clock)
            .await;
    }
}

/// An attempt that runs.
struct Running {
    item: Item,
    ask: Ask,
    /// Whether it took one of the slots for accounts in trouble.
    troubled: bool,
}

struct Schedule {
    settings: Settings,
    watched: HashMap<AccountId, Watched>,
    agenda: Agenda,
    slots: Slots,
    attempts: JoinSet<Found>,
    running: HashMap<task::Id, Running>,
    /// How many accounts have ever joined; gives each its place in the interval.
    ever_joined: u32,
    /// How many accounts have been looked at once.
    looked_at: usize,
    /// Series of IAM users by name, over all accounts.
    detail_series: usize,
    /// What was read from the state file and no account has claimed yet.
    restored: BTreeMap<AccountId, SavedAccount>,
    caller: Option<AccountId>,
    organization: Option<Arc<KnownOrganization>>,
    /// Accounts that left.
    left: BTreeMap<AccountId, Left>,
    follows: watch::Sender<u64>,
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
        let due = self.agenda.next_wake().map(|due| self.beat().after(due));
        due.into_iter().chain(save).min()
    }

    fn beat(&self) -> Beat {
        Beat::of(self.watched.len(), self.settings.interval)
    }

    /// Follows the newest orders.
    fn take_orders(&mut self, orders: &mut watch::Receiver<Orders>) {
        let Orders {
            generation,
            settings,
            list,
        } = orders.borrow_and_update().clone();
        if settings != self.settings {
            self.settings = settings;
            self.slots.resize(settings.concurrency);
            self.store
                .exporter
                .note(|view| view.interval = settings.interval);
            let all: Vec<_> = self
                .watched
                .values()
                .map(|one| Arc::clone(&one.account))
                .collect();
            for account in all {
                self.adapt(account);
            }
        }
        if let Some(list) = list {
            self.take_list(&list);
        }
        self.follows.send_replace(generation);
    }

    /// Makes the watched accounts those of the list.
    fn take_list(&mut self, list: &AccountList) {
        self.caller = list.caller.or(self.caller);
        if list.organization.is_some() || list.confirmed {
            self.organization.clone_from(&list.organization);
        }
        let now = self.clock.moment();
        self.left.retain(|_, left| now < left.until);
        let listed: HashSet<AccountId> = list.accounts.iter().map(|account| account.id).collect();
        if list.confirmed {
            let gone: Vec<AccountId> = self
                .watched
                .keys()
                .chain(self.restored.keys())
                .filter(|id| !listed.contains(id))
                .copied()
                .collect();
            for id in gone {
                self.leave(id, list.absent.get(&id).copied(), now);
            }
        }
        let mut new = Vec::new();
        for account in &list.accounts {
            self.left.remove(&account.id);
            match self.watched.get_mut(&account.id) {
                None => new.push(Arc::clone(account)),
                Some(watched) if watched.account != *account => self.adapt(Arc::clone(account)),
                Some(_) => {}
            }
        }
        let count = new.len();
        for (nth, account) in new.into_iter().enumerate() {
            self.join(account, nth, count);
        }
        let looked_at = self.looked_at;
        let absent = |why: Absent| {
            list.absent
                .values()
                .filter(|absent| **absent == why)
                .count()
        };
        self.store.exporter.left(self.left.clone());
        self.store.exporter.note(|view| {
            view.looked_at = looked_at;
            if list.complete {
                view.accounts = Some(AccountCounts {
                    monitored: list.accounts.len(),
                    excluded: absent(Absent::Excluded),
                    inactive: absent(Absent::Inactive),
                });
            }
        });
        if let Some(keeper) = &mut self.keeper {
            keeper.noted(now);
        }
        if count > 0 {
            info!(accounts = listed.len(), new = count, "watching");
        }
    }

    /// Goes on with an account under the settings of now.
    fn adapt(&mut self, account: Arc<Account>) {
        let id = account.id;
        let Some(watched) = self.watched.get_mut(&id) else {
            return;
        };
        if !watched.account.is_read_like(&account) {
            self.aws.forget(id);
        }
        self.looked_at -= usize::from(watched.is_looked_at());
        self.detail_series -= watched.detail_series();
        watched.adapt(account, self.clock.moment(), &self.settings);
        self.looked_at += usize::from(watched.is_looked_at());
        self.detail_series += watched.detail_series();
        for task in Task::ALL {
            match watched.plan(task) {
                Some(plan) if plan.running.is_none() => self.agenda.plan((id, task), plan.due),
                Some(_) => {}
                None => self.agenda.drop((id, task)),
            }
        }
        self.publish(id);
    }

    fn join(&mut self, account: Arc<Account>, nth: usize, count: usize) {
        let now = self.clock.moment();
        let first = now + agenda::first_delay(nth, count, self.settings.interval);
        let place = self.ever_joined;
        self.ever_joined = self.ever_joined.wrapping_add(1);
        let id = account.id;
        let saved = self.restored.remove(&id);
        let watched = Watched::new(account, place, first, now, saved, &self.settings);
        for task in Task::ALL {
            if let Some(plan) = watched.plan(task) {
                self.agenda.plan((id, task), plan.due);
            }
        }
        self.detail_series += watched.detail_series();
        self.looked_at += usize::from(watched.is_looked_at());
        self.store.put(watched.view(&self.settings));
        self.watched.insert(id, watched);
    }

    /// Lets go of an account, and says so for a day unless another shard goes on with it.
    fn leave(&mut self, id: AccountId, absent: Option<Absent>, now: Moment) {
        if let Some(watched) = self.watched.remove(&id) {
            for task in Task::ALL {
                self.agenda.drop((id, task));
            }
            self.detail_series -= watched.detail_series();
            self.looked_at -= usize::from(watched.is_looked_at());
        }
        self.restored.remove(&id);
        self.aws.forget(id);
        self.store.remove(id);
        let reason = match absent {
            Some(Absent::OtherShard) => {
                info!(account = %id, "another shard watches this account now");
                return;
            }
            Some(Absent::Inactive) => LeftReason::Closed,
            Some(Absent::Excluded) => LeftReason::Excluded,
            None => LeftReason::Removed,
        };
        info!(account = %id, reason = reason.as_str(), "no longer watching");
        let until = now + LEFT_IS_TOLD;
        self.left.insert(id, Left { reason, until });
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
        self.agenda.wake(self.beat().before(now), troubled);
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
        }
        if self
            .keeper
            .as_ref()
            .is_some_and(|keeper| keeper.is_due(now))
        {
            let state = self.state();
            let posture = |id| Some(self.watched.get(&id)?.posture(&self.settings));
            if let Some(keeper) = &mut self.keeper {
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
        let ask = match task {
            Task::Look => watched.ask(now, &self.settings),
            Task::Report => Ask::default(),
        };
        self.slots.take(troubled);
        let handle = self.attempts.spawn(attempt(
            Arc::clone(&self.aws),
            self.clock.clone(),
            account,
            task,
            ask.clone(),
            self.settings.timeout,
        ));
        let running = Running {
            item: (id, task),
            ask,
            troubled,
        };
        self.running.insert(handle.id(), running);
    }

    /// An attempt has ended, well or not.
    fn joined(&mut self, found: Result<(task::Id, Found), JoinError>) {
        let id = match &found {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some(Running {
            item,
            ask,
            troubled,
        }) = self.running.remove(&id)
        else {
            return;
        };
        self.slots.release(troubled);
        let found = found.map_or_else(
            |panic| {
                // A defect of ours; the account must not be lost for it.
                error!(account = %item.0, error = %panic, "an attempt broke off; please report this");
                Found::broken_off(item.1, &ask)
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
            Found::Look(found) => watched.looked(*found, now, &self.settings),
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
}
