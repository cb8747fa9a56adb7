//! The gate: decides which view is published at once, and which only once it is on disk.
//!
//! A rise is committed first, because a crash in between would otherwise withdraw an alarm that has
//! paged. It waits two seconds at most, whatever the disk does; nothing else ever waits. At most one
//! commit runs at a time, on a thread that may hang without delaying anything but the saving.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use root_posture::{AccountId, Moment};
use tokio::sync::{Notify, mpsc as async_mpsc, oneshot};
use tracing::{error, info};

use super::saved::{Changes, Meta, SavedAccount};
use crate::clock::Clock;
use crate::views::{AccountView, Views};

/// How long a rise, or the end of the process, waits for the disk at most.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// The shortest time between the starts of two commits: while a rise waits, while another change of a
/// value waits, and while only times have changed.
const RISE_GAP: Duration = Duration::from_millis(250);
const CHANGE_GAP: Duration = Duration::from_secs(1);
const TIMES_GAP: Duration = Duration::from_secs(10);

/// How often an account is committed of which only times have changed. With 10,000 accounts, writing
/// each poll costs a measurable share of the processor and five times the bytes. In a crash this only
/// loses times: a zero may expire that much earlier.
const TIMES_PERIOD: Duration = Duration::from_secs(5 * 60);

/// The pause after a failed commit, which makes the next one open and read the whole file.
const RETRY: Duration = Duration::from_secs(5);

/// The time after which a commit that has not ended is reported as failed.
const LATE: Duration = Duration::from_secs(5);

/// A place where changes are saved.
pub trait Disk: Send + 'static {
    /// Its path, for the log.
    fn path(&self) -> &Path;

    /// Writes all changes or none, and returns once they are durable.
    ///
    /// # Errors
    ///
    /// The changes were not written; another commit may be tried.
    fn commit(&mut self, changes: &Changes) -> io::Result<()>;
}

/// Publishes and saves accounts. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    views: Arc<Views>,
    clock: Clock,
    /// `None` if nothing is saved.
    queue: Option<Arc<Queue>>,
}

/// The changes to commit, shared by the gate and its keeper.
#[derive(Debug, Default)]
struct Queue {
    pending: Mutex<Pending>,
    /// Wakes the keeper when something is due earlier than planned.
    wake: Notify,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The changes to commit, and the views that wait for it.
#[derive(Debug, Default)]
struct Pending {
    changes: Changes,
    /// When the next commit is to begin; always set while there are changes.
    due: Option<Moment>,
    /// Rises that are not published yet.
    rises: HashMap<AccountId, Rise>,
    /// When each account was last among the changes.
    changed: HashMap<AccountId, Moment>,
    begun: Moment,
    /// After a failure: the earliest time of the next attempt.
    retry: Moment,
    /// Those who wait for the next commit, and for the running one.
    waiting: Vec<oneshot::Sender<bool>>,
    /// `None` while no commit runs.
    carried: Option<Vec<oneshot::Sender<bool>>>,
}

#[derive(Debug)]
struct Rise {
    view: AccountView,
    /// When it is published at the latest.
    until: Moment,
    /// Whether the running commit contains it.
    is_carried: bool,
}

impl Gate {
    /// A gate that publishes everything at once and saves nothing.
    #[must_use]
    pub fn new(views: Arc<Views>, clock: Clock) -> Self {
        Self {
            views,
            clock,
            queue: None,
        }
    }

    /// A gate that saves on `disk`, as long as its keeper runs.
    ///
    /// # Errors
    ///
    /// The thread that commits cannot be started.
    pub fn keeping(
        views: Arc<Views>,
        clock: Clock,
        mut disk: impl Disk,
    ) -> io::Result<(Self, Keeper)> {
        let queue = Arc::new(Queue::default());
        // A first, empty commit checks that the state can be saved at all.
        queue.lock().due = Some(clock.moment());
        let path = disk.path().to_owned();
        let (jobs, begun) = mpsc::channel::<Changes>();
        let (ended, done) = async_mpsc::unbounded_channel();
        let thread = thread::Builder::new().name("state".to_owned());
        thread.spawn(move || {
            for changes in begun {
                let commit = AssertUnwindSafe(|| disk.commit(&changes));
                let result = catch_unwind(commit)
                    .unwrap_or_else(|_| Err(io::Error::other("the commit panicked")));
                let _ = ended.send((changes, result));
            }
            // Before `ended`, whose end signals that the disk is closed.
            drop(disk);
        })?;
        let keeper = Keeper {
            queue: Arc::clone(&queue),
            views: Arc::clone(&views),
            clock: clock.clone(),
            path,
            jobs: Some(jobs),
            done,
            running: None,
            is_failing: false,
        };
        let gate = Self {
            views,
            clock,
            queue: Some(queue),
        };
        Ok((gate, keeper))
    }

    /// Publishes and saves an account. A rise is published once it is on disk or has waited long
    /// enough, everything else at once.
    pub fn publish(&self, saved: SavedAccount, view: AccountView) {
        let Some(queue) = &self.queue else {
            self.views.put(view);
            return;
        };
        let (id, posture) = (view.account.id, view.posture);
        let now = self.clock.moment();
        let mut pending = queue.lock();
        let known = self.views.get(id);
        let shown = known.as_ref().map(|view| view.posture);
        let shown = shown.unwrap_or_default();
        let changed = pending.changed.get(&id);
        let are_times_due = changed.is_none_or(|at| now >= *at + TIMES_PERIOD);
        let waiting = pending.rises.remove(&id);
        let is_same = known.is_some_and(|known| {
            known.push.tampered == view.push.tampered
                && known.push.up == view.push.up
                && known.activities == view.activities
        });
        let gap = if posture.is_worse_than(&shown) {
            // A rise that already waits keeps its deadline.
            let rise = Rise {
                until: waiting.as_ref().map_or(now + MAX_WAIT, |rise| rise.until),
                is_carried: waiting.is_some_and(|rise| {
                    rise.is_carried && !posture.is_worse_than(&rise.view.posture)
                }),
                view,
            };
            pending.rises.insert(id, rise);
            // It has a deadline of its own.
            queue.wake.notify_one();
            RISE_GAP
        } else {
            self.views.put(view);
            if !posture.has_values_of(&shown) || !is_same {
                CHANGE_GAP
            } else if are_times_due {
                TIMES_GAP
            } else {
                return;
            }
        };
        pending.changed.insert(id, now);
        pending.changes.accounts.insert(id, Some(saved));
        pending.plan(gap, now, &queue.wake);
    }

    /// Publishes an account whose state was read from disk: that is no rise, and nothing waits.
    pub fn restore(&self, view: AccountView) {
        self.views.put(view);
    }

    /// Saves an account without publishing it. At the end of the process this saves the times that
    /// [`Gate::publish`] left out.
    pub fn save(&self, id: AccountId, saved: SavedAccount) {
        self.keep(TIMES_GAP, |pending| {
            pending.changes.accounts.insert(id, Some(saved));
        });
    }

    /// Removes an account from the views and from the saved state.
    pub fn remove(&self, id: AccountId) {
        self.keep(CHANGE_GAP, |pending| {
            pending.rises.remove(&id);
            pending.changed.remove(&id);
            pending.changes.accounts.insert(id, None);
        });
        self.views.remove(id);
    }

    /// Waits until everything that was published is on disk, 2 seconds at most. Returns whether it is;
    /// also true where nothing is saved.
    pub async fn flushed(&self) -> bool {
        let Some(queue) = &self.queue else {
            return true;
        };
        let now = self.clock.moment();
        let saved = {
            let mut pending = queue.lock();
            if pending.due.is_none() && pending.carried.is_none() {
                return true;
            }
            let (saved, waits) = oneshot::channel();
            pending.waiting.push(saved);
            pending.plan(RISE_GAP, now, &queue.wake);
            waits
        };
        tokio::select! {
            // An error means that the keeper has ended.
            saved = saved => saved.unwrap_or(false),
            () = self.clock.sleep_until(now + MAX_WAIT) => false,
        }
    }

    /// Saves the state besides the accounts.
    pub fn meta(&self, meta: Meta) {
        self.keep(CHANGE_GAP, |pending| pending.changes.meta = Some(meta));
    }

    fn keep(&self, gap: Duration, change: impl FnOnce(&mut Pending)) {
        if let Some(queue) = &self.queue {
            let mut pending = queue.lock();
            change(&mut pending);
            pending.plan(gap, self.clock.moment(), &queue.wake);
        }
    }
}

impl Pending {
    /// Plans a commit `gap` after the start of the last one, and wakes the keeper if that is earlier
    /// than planned.
    fn plan(&mut self, gap: Duration, now: Moment, wake: &Notify) {
        let at = now.max(self.begun + gap).max(self.retry);
        if self.due.is_none_or(|due| at < due) {
            self.due = Some(at);
            wake.notify_one();
        }
    }

    fn publish_rises(&mut self, views: &Views, may: impl Fn(&Rise) -> bool) {
        for (_, rise) in self.rises.extract_if(|_, rise| may(rise)) {
            views.put(rise.view);
        }
    }
}

/// Commits the changes of a [`Gate`].
#[derive(Debug)]
pub struct Keeper {
    queue: Arc<Queue>,
    views: Arc<Views>,
    clock: Clock,
    /// The path of the state, for the log.
    path: PathBuf,
    /// To the thread that owns the disk. It may hang as long as the disk does; the end of the process
    /// does not wait for it.
    jobs: Option<mpsc::Sender<Changes>>,
    done: async_mpsc::UnboundedReceiver<(Changes, io::Result<()>)>,
    /// When the running commit began.
    running: Option<Moment>,
    /// Whether the log says that the state cannot be saved.
    is_failing: bool,
}

impl Keeper {
    /// Commits until `closed` completes, and then the remaining changes, within two seconds.
    ///
    /// # Errors
    ///
    /// The thread that commits has ended: nothing is saved any more.
    pub async fn run(mut self, closed: impl Future<Output = ()>) -> io::Result<()> {
        let (queue, clock) = (Arc::clone(&self.queue), self.clock.clone());
        let mut closed = std::pin::pin!(closed);
        loop {
            let wake = self.turn()?;
            tokio::select! {
                () = &mut closed => break,
                ended = self.ended() => ended?,
                () = queue.wake.notified() => {}
                () = clock.sleep_until(wake.unwrap_or_default()), if wake.is_some() => {}
            }
        }
        let deadline = clock.moment() + MAX_WAIT;
        tokio::select! {
            closed = self.close() => return closed,
            () = clock.sleep_until(deadline) => {}
        }
        self.failed(&NO_ANSWER);
        Ok(())
    }

    /// Begins a due commit, publishes rises that have waited long enough, and reports a commit that
    /// does not end. Returns when to turn again.
    fn turn(&mut self) -> io::Result<Option<Moment>> {
        let now = self.clock.moment();
        let mut pending = self.queue.lock();
        pending.publish_rises(&self.views, |rise| rise.until <= now);
        let rise = pending.rises.values().map(|rise| rise.until).min();
        let due = pending.due;
        drop(pending);
        if self.running.is_none() && due.is_some_and(|due| due <= now) {
            self.begin(now)?;
        }
        let next = match self.running {
            Some(begun) if begun + LATE <= now => {
                self.failed(&NO_ANSWER);
                None
            }
            Some(begun) => Some(begun + LATE),
            None => due,
        };
        Ok(rise.into_iter().chain(next).min())
    }

    fn begin(&mut self, now: Moment) -> io::Result<()> {
        let mut pending = self.queue.lock();
        let changes = std::mem::take(&mut pending.changes);
        pending.due = None;
        pending.begun = now;
        let waiting = std::mem::take(&mut pending.waiting);
        pending.carried = Some(waiting);
        for rise in pending.rises.values_mut() {
            rise.is_carried = true;
        }
        drop(pending);
        self.running = Some(now);
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(changes));
        sent.and_then(Result::ok).ok_or_else(thread_ended)
    }

    /// Waits for the end of the running commit, forever if there is none. Cancel safe.
    async fn ended(&mut self) -> io::Result<()> {
        let (changes, result) = self.done.recv().await.ok_or_else(thread_ended)?;
        self.running = None;
        let mut pending = self.queue.lock();
        let carried = pending.carried.take().into_iter().flatten();
        for waiting in carried {
            let _ = waiting.send(result.is_ok());
        }
        match result {
            Ok(()) => {
                pending.publish_rises(&self.views, |rise| rise.is_carried);
                drop(pending);
                self.saved();
            }
            Err(error) => {
                pending.publish_rises(&self.views, |_| true);
                let newer = std::mem::replace(&mut pending.changes, changes);
                pending.changes.accounts.extend(newer.accounts);
                pending.changes.meta = newer.meta.or(pending.changes.meta.take());
                pending.retry = self.clock.moment() + RETRY;
                pending.due = Some(pending.retry);
                drop(pending);
                self.failed(&error);
            }
        }
        Ok(())
    }

    /// Waits for the running commit, commits the remaining changes and closes the disk.
    async fn close(&mut self) -> io::Result<()> {
        if self.running.is_some() {
            self.ended().await?;
        }
        if self.queue.lock().due.is_some() {
            self.begin(self.clock.moment())?;
            self.ended().await?;
        }
        self.jobs = None;
        self.done.recv().await;
        Ok(())
    }

    fn saved(&mut self) {
        if std::mem::take(&mut self.is_failing) {
            info!(path = %self.path.display(), "the state can be saved again");
        }
        let now = self.clock.now();
        let exporter = &self.views.exporter;
        exporter.note(|view| view.state.get_or_insert_default().record(true, now));
    }

    fn failed(&mut self, error: &dyn fmt::Display) {
        // Once, not at each try.
        if !std::mem::replace(&mut self.is_failing, true) {
            error!(
                path = %self.path.display(), %error,
                "the state cannot be saved: a restart now would lose it; \
                 fix the disk or the folder's permissions, or correct state.path"
            );
        }
        let exporter = &self.views.exporter;
        exporter.note(|view| view.state.get_or_insert_default().succeeded = false);
    }
}

const NO_ANSWER: &str = "the disk does not answer";

fn thread_ended() -> io::Error {
    io::Error::other("the thread that saves the state has ended")
}
