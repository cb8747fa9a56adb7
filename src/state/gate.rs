//! The gate: what is shown at once, and what is on disk before it is shown.
//!
//! A rise is committed first, else a crash in between would take back what a page was sent for.
//! It waits two seconds in all, whatever the disk does; nothing else ever waits. At most one
//! commit runs at a time, on a thread that may hang without holding up anything but the saving.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use root_posture::{AccountId, Moment, Posture, Timestamp};
use tokio::sync::{Notify, oneshot};
use tracing::{error, info};

use super::{Changes, Meta, SavedAccount};
use crate::clock::Clock;
use crate::views::{AccountView, Views};

/// How long a rise waits for the disk in all, and how long the end of the process does.
const PATIENCE: Duration = Duration::from_secs(2);

/// The shortest time between two commits while a rise waits.
const URGENT_GAP: Duration = Duration::from_millis(250);

/// The shortest time between two commits of other changes.
const GAP: Duration = Duration::from_secs(1);

/// How long mere times are gathered for one commit.
const GATHER: Duration = Duration::from_secs(10);

/// How far apart the mere times of an account are committed, at least and at most. What a crash in
/// between loses is their age: a zero may be withdrawn as much earlier, nothing else.
const CALM: Duration = Duration::from_secs(30);
const CALMEST: Duration = Duration::from_secs(5 * 60);

/// Between those bounds, commits take one part in so many of all time.
const SHARE: u32 = 1000;

/// After a failure tries take one part in so many of all time, for a file that is opened anew is
/// read whole; [`RETRY`] is the longest time between two.
const RETRY_SHARE: u32 = 30;
const RETRY: Duration = Duration::from_secs(30);

/// After how long a commit that has not ended is reported as failed.
const LATE: Duration = Duration::from_secs(5);

/// Where changes are kept.
pub trait Disk: Send + 'static {
    /// Its place, for the log.
    fn path(&self) -> &Path;

    /// Writes changes, all or none, and returns when they are durable.
    ///
    /// # Errors
    ///
    /// The changes were not written; another commit may be tried.
    fn commit(&mut self, changes: &Changes) -> io::Result<Committed>;
}

/// Where a commit went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// To what holds all earlier commits.
    ToTheSame,
    /// To what was opened anew and may lack earlier ones.
    ToAnother,
}

/// Shows accounts, and keeps what is known of them. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    views: Arc<Views>,
    clock: Clock,
    /// `None` keeps nothing across restarts.
    queue: Option<Arc<Queue>>,
}

/// Hands over what is to be committed.
#[derive(Debug, Default)]
struct Queue {
    pending: Mutex<Pending>,
    /// Wakes the keeper: something is due earlier than it knows.
    wake: Notify,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be committed, and what waits for it.
#[derive(Debug, Default)]
struct Pending {
    changes: Changes,
    /// When the next commit is to begin; always set while there are changes.
    due: Option<Moment>,
    /// Rises that are not shown yet.
    rises: HashMap<AccountId, Rise>,
    /// When each account was last committed.
    committed: HashMap<AccountId, Moment>,
    /// The newest that was given to be kept beside the accounts.
    meta: Option<Meta>,
    /// When the last commit began.
    begun: Option<Moment>,
    /// After a failure: when to try again at the earliest.
    retry: Moment,
    /// Since when mere times are committed anew, and how long commits have taken since.
    round: Moment,
    spent: Duration,
}

/// How soon a change is committed.
#[derive(Clone, Copy, Debug)]
enum Urgency {
    /// It waits to be shown.
    Rise,
    /// A value that is shown, or something that is kept beside the accounts.
    Change,
    /// Mere times.
    Times,
}

#[derive(Debug)]
struct Rise {
    view: AccountView,
    /// When it is shown at the latest.
    until: Moment,
}

impl Gate {
    /// A gate that shows everything at once and keeps nothing across restarts.
    #[must_use]
    pub fn new(views: Arc<Views>, clock: Clock) -> Self {
        Self {
            views,
            clock,
            queue: None,
        }
    }

    /// A gate that keeps what it shows on `disk`, as long as its keeper runs.
    #[must_use]
    pub fn keeping<D: Disk>(views: Arc<Views>, clock: Clock, disk: D) -> (Self, Keeper<D>) {
        let queue = Arc::new(Queue::default());
        let now = clock.moment();
        queue.lock().round = now;
        // A first commit of nothing tells whether the state can be saved at all.
        queue.lock().due = Some(now);
        let keeper = Keeper {
            queue: Arc::clone(&queue),
            views: Arc::clone(&views),
            clock: clock.clone(),
            disk,
        };
        let gate = Self {
            views,
            clock,
            queue: Some(queue),
        };
        (gate, keeper)
    }

    /// Shows an account and keeps what is known of it: a rise once it is on disk or has waited
    /// long enough, everything else at once.
    pub fn publish(&self, saved: SavedAccount, view: AccountView) {
        let Some(queue) = &self.queue else {
            self.views.put(view);
            return;
        };
        let (id, posture) = (view.account.id, view.posture);
        let now = self.clock.moment();
        let mut pending = queue.lock();
        let shown = self.views.get(id).map(|view| view.posture);
        let shown = shown.unwrap_or_default();
        let urgency = if posture.is_worse_than(&shown) {
            // One that waits already keeps its place.
            let until = pending.rises.get(&id).map_or(now + PATIENCE, |it| it.until);
            pending.rises.insert(id, Rise { view, until });
            Urgency::Rise
        } else {
            pending.rises.remove(&id);
            self.views.put(view);
            if !posture.has_values_of(&shown) {
                Urgency::Change
            } else if pending.takes_times_of(id, now) {
                Urgency::Times
            } else {
                return;
            }
        };
        pending.changes.accounts.insert(id, Some(saved));
        pending.plan(urgency, now, &queue.wake);
    }

    /// Shows an account as what was read from disk has it: that is no rise, and nothing waits.
    pub fn restore(&self, view: AccountView) {
        self.views.put(view);
    }

    /// Keeps what is known of an account, and shows nothing. At the end of the process it saves the
    /// times that [`Gate::publish`] passed over.
    pub fn save(&self, id: AccountId, saved: SavedAccount) {
        self.keep(Urgency::Times, |pending| {
            pending.changes.accounts.insert(id, Some(saved));
        });
    }

    /// Shows an account no more, and keeps nothing of it.
    pub fn remove(&self, id: AccountId) {
        self.keep(Urgency::Change, |pending| {
            pending.rises.remove(&id);
            pending.changes.accounts.insert(id, None);
        });
        self.views.remove(id);
    }

    /// Keeps this beside the accounts.
    pub fn meta(&self, meta: Meta) {
        let Some(queue) = &self.queue else { return };
        let mut pending = queue.lock();
        if pending.meta.as_ref() != Some(&meta) {
            pending.meta = Some(meta.clone());
            pending.changes.meta = Some(meta);
            pending.plan(Urgency::Change, self.clock.moment(), &queue.wake);
        }
    }

    fn keep(&self, urgency: Urgency, change: impl FnOnce(&mut Pending)) {
        if let Some(queue) = &self.queue {
            let mut pending = queue.lock();
            change(&mut pending);
            pending.plan(urgency, self.clock.moment(), &queue.wake);
        }
    }
}

impl Pending {
    /// Plans a commit, and wakes the keeper where it has to act earlier than it knows.
    fn plan(&mut self, urgency: Urgency, now: Moment, wake: &Notify) {
        let after = |gap| self.begun.map_or(now, |begun| now.max(begun + gap));
        let at = match urgency {
            Urgency::Rise => after(URGENT_GAP),
            Urgency::Change => after(GAP),
            Urgency::Times => now + GATHER,
        };
        let at = at.max(self.retry);
        if self.due.is_none_or(|due| at < due) {
            self.due = Some(at);
            wake.notify_one();
        } else if matches!(urgency, Urgency::Rise) {
            // It has a time of its own.
            wake.notify_one();
        }
    }

    /// Whether the mere times of an account are to be committed: once in each round, and where
    /// something of it is to be committed anyway.
    fn takes_times_of(&mut self, id: AccountId, now: Moment) -> bool {
        if now >= self.round + (self.spent * SHARE).clamp(CALM, CALMEST) {
            self.round = now;
            self.spent = Duration::ZERO;
        }
        self.changes.accounts.contains_key(&id)
            || self.committed.get(&id).is_none_or(|at| *at < self.round)
    }

    /// Shows the rises that may be shown, and forgets them.
    fn show_rises(&mut self, views: &Views, may: impl Fn(AccountId, &Rise) -> bool) {
        for (_, rise) in self.rises.extract_if(|id, rise| may(*id, rise)) {
            views.put(rise.view);
        }
    }
}

/// Commits what a [`Gate`] is to keep.
#[derive(Debug)]
pub struct Keeper<D> {
    queue: Arc<Queue>,
    views: Arc<Views>,
    clock: Clock,
    disk: D,
}

impl<D: Disk> Keeper<D> {
    /// Commits until `closed` completes, and then once more what is left, within two seconds.
    ///
    /// # Errors
    ///
    /// The thread that commits could not be started, or has ended: nothing is kept any more.
    pub async fn run(self, closed: impl Future<Output = ()>) -> io::Result<()> {
        let Self {
            queue,
            views,
            clock,
            disk,
        } = self;
        let mut writer = Writer {
            reporter: Reporter {
                views: Arc::clone(&views),
                path: disk.path().to_owned(),
                is_failing: false,
            },
            thread: Thread::start(disk)?,
            queue: Arc::clone(&queue),
            views,
            clock: clock.clone(),
            running: None,
        };
        let mut closed = std::pin::pin!(closed);
        loop {
            let wake = writer.turn(clock.moment())?;
            tokio::select! {
                () = &mut closed => break,
                ended = writer.ended() => ended?,
                () = queue.wake.notified() => {}
                () = clock.sleep_until(wake.unwrap_or_default()), if wake.is_some() => {}
            }
        }
        let patience = clock.moment() + PATIENCE;
        let closed = tokio::select! {
            closed = writer.close() => Some(closed),
            () = clock.sleep_until(patience) => None,
        };
        closed.unwrap_or_else(|| {
            writer.reporter.failed(&"the disk does not answer");
            Ok(())
        })
    }
}

/// Runs one commit after another.
struct Writer {
    queue: Arc<Queue>,
    views: Arc<Views>,
    clock: Clock,
    thread: Thread,
    running: Option<Running>,
    reporter: Reporter,
}

/// A commit that runs.
struct Running {
    done: oneshot::Receiver<Done>,
    begun: Moment,
    /// What the rises that wait for it look like in it.
    carries: HashMap<AccountId, Posture>,
}

impl Writer {
    /// Does what is due: begins a commit, shows rises that have waited long enough, reports a
    /// commit that does not end. Returns when to look again.
    fn turn(&mut self, now: Moment) -> io::Result<Option<Moment>> {
        let mut pending = self.queue.lock();
        pending.show_rises(&self.views, |_, rise| rise.until <= now);
        let rises = pending.rises.values().map(|rise| rise.until);
        let mut wakes: Vec<Moment> = rises.min().into_iter().collect();
        let due = pending.due.filter(|_| self.running.is_none());
        drop(pending);
        if due.is_some_and(|due| due <= now) {
            self.begin(now)?;
        } else {
            wakes.extend(due);
        }
        if let Some(running) = &self.running {
            let late = running.begun + LATE;
            if late <= now {
                self.reporter.failed(&"the disk does not answer");
            } else {
                wakes.push(late);
            }
        }
        Ok(wakes.into_iter().min())
    }

    fn begin(&mut self, now: Moment) -> io::Result<()> {
        let mut pending = self.queue.lock();
        let changes = std::mem::take(&mut pending.changes);
        let carries = pending.rises.iter();
        let carries = carries.map(|(id, rise)| (*id, rise.view.posture)).collect();
        pending.due = None;
        pending.begun = Some(now);
        for (id, saved) in &changes.accounts {
            match saved {
                Some(_) => pending.committed.insert(*id, now),
                None => pending.committed.remove(id),
            };
        }
        self.running = Some(Running {
            done: self.thread.commit(changes)?,
            begun: now,
            carries,
        });
        Ok(())
    }

    /// Waits for the end of the commit that runs, for ever when none does. Cancel safe.
    async fn ended(&mut self) -> io::Result<()> {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let done = (&mut running.done).await.map_err(|_| Thread::gone())?;
        if let Some(running) = self.running.take() {
            self.book(&running, done);
        }
        Ok(())
    }

    fn book(&mut self, running: &Running, Done { changes, result }: Done) {
        let mut pending = self.queue.lock();
        let now = self.clock.moment();
        let took = now.since(running.begun);
        pending.spent += took;
        match result {
            Ok(committed) => {
                pending.show_rises(&self.views, |id, rise| {
                    let on_disk = running.carries.get(&id);
                    on_disk.is_some_and(|on_disk| !rise.view.posture.is_worse_than(on_disk))
                });
                if committed == Committed::ToAnother {
                    pending.committed.retain(|_, at| *at == running.begun);
                    if changes.meta.is_none() && pending.changes.meta.is_none() {
                        let meta = pending.meta.clone();
                        pending.changes.meta = meta;
                        pending.plan(Urgency::Change, now, &self.queue.wake);
                    }
                }
                drop(pending);
                self.reporter.saved(self.clock.now());
            }
            Err(error) => {
                pending.show_rises(&self.views, |_, _| true);
                let newer = std::mem::replace(&mut pending.changes, changes);
                pending.changes.accounts.extend(newer.accounts);
                pending.changes.meta = newer.meta.or(pending.changes.meta.take());
                pending.retry = now + (took * RETRY_SHARE).clamp(GAP, RETRY);
                pending.due = Some(pending.retry);
                drop(pending);
                self.reporter.failed(&error);
            }
        }
    }

    /// Waits for the commit that runs, commits what is left and closes the disk.
    async fn close(&mut self) -> io::Result<()> {
        if self.running.is_some() {
            self.ended().await?;
        }
        if self.queue.lock().due.is_some() {
            self.begin(self.clock.moment())?;
            self.ended().await?;
        }
        self.thread.close().await;
        Ok(())
    }
}

/// The thread that owns the disk. It may hang for as long as the disk does, and nothing waits for
/// it at the end of the process.
struct Thread {
    jobs: Option<mpsc::Sender<Job>>,
    closed: oneshot::Receiver<()>,
}

struct Job {
    changes: Changes,
    done: oneshot::Sender<Done>,
}

struct Done {
    changes: Changes,
    result: io::Result<Committed>,
}

impl Thread {
    fn start(mut disk: impl Disk) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (closing, closed) = oneshot::channel();
        thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || {
                for Job { changes, done } in queue {
                    let commit = AssertUnwindSafe(|| disk.commit(&changes));
                    let result = catch_unwind(commit)
                        .unwrap_or_else(|_| Err(io::Error::other("the commit panicked")));
                    let _ = done.send(Done { changes, result });
                }
                drop(disk);
                drop(closing);
            })?;
        let jobs = Some(jobs);
        Ok(Self { jobs, closed })
    }

    fn commit(&self, changes: Changes) -> io::Result<oneshot::Receiver<Done>> {
        let (done, receiver) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(Self::gone)?;
        jobs.send(Job { changes, done }).map_err(|_| Self::gone())?;
        Ok(receiver)
    }

    /// Waits until the disk is closed.
    async fn close(&mut self) {
        self.jobs = None;
        // An error is the answer: the thread has let go of the other end.
        let _ = (&mut self.closed).await;
    }

    fn gone() -> io::Error {
        io::Error::other("the thread that saves the state has ended")
    }
}

/// Says whether the state can be saved, in the metrics and in the log.
struct Reporter {
    views: Arc<Views>,
    path: PathBuf,
    is_failing: bool,
}

impl Reporter {
    fn saved(&mut self, now: Timestamp) {
        if self.is_failing {
            info!(path = %self.path.display(), "the state can be saved again");
        }
        self.is_failing = false;
        self.views
            .exporter
            .note(|view| view.state = Some((true, Some(now))));
    }

    fn failed(&mut self, error: &dyn fmt::Display) {
        // Once, not at each try.
        if !self.is_failing {
            error!(
                path = %self.path.display(), %error,
                "the state cannot be saved: a restart now would lose what is known; \
                 fix the disk or the folder's permissions, or correct state.path"
            );
        }
        self.is_failing = true;
        self.views.exporter.note(|view| {
            let last = view.state.and_then(|(_, last)| last);
            view.state = Some((false, last));
        });
    }
}
