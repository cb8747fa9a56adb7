//! When the state is saved, and what waits for it.
//!
//! A figure that became worse is on disk before it is shown: else a crash in between would take
//! back what a page was sent for. Everything else is written soon after, at a bounded rate. A
//! disk that fails or hangs delays a page by two seconds at most.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::{error, info};

use crate::account::AccountId;
use crate::clock::{Clock, Moment};
use crate::posture::Posture;
use crate::store::{self, State, Store};

/// The shortest time between two saves when a figure waits to be shown.
const URGENT_GAP: Duration = Duration::from_millis(250);

/// The shortest time between two saves when figures have changed.
const GAP: Duration = Duration::from_secs(1);

/// How soon times are saved when no figure has changed, at least; [`Keeper::calm`] says more.
const CALM: Duration = Duration::from_secs(30);

/// How soon they are saved at most, however long a save takes.
const CALMEST: Duration = Duration::from_secs(5 * 60);

/// Saving mere times takes one part in so many of all time: 10,000 accounts are 20 MB.
const SHARE: u32 = 1000;

/// How long a figure waits for the disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// Saves the state.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    due: Option<Moment>,
    last_begun: Option<Moment>,
    /// Accounts whose figures wait to be on disk before they are shown.
    waiting: HashSet<AccountId>,
    running: Option<Running>,
    /// How long the last save took.
    took: Duration,
    /// Whether the last save failed, so that a failure is logged once.
    failing: bool,
}

#[derive(Debug)]
struct Running {
    handle: JoinHandle<io::Result<()>>,
    begun: Moment,
    /// What the accounts that waited look like in the file being written.
    carries: HashMap<AccountId, Posture>,
}

/// Whether a view may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publish {
    Now,
    Later,
}

/// How a save ended.
pub(super) type Saved = io::Result<()>;

/// Waits for the save that runs, for ever when none does. Cancel safe.
pub(super) async fn saved(keeper: Option<&mut Keeper>) -> Saved {
    match keeper.and_then(|keeper| keeper.running.as_mut()) {
        Some(running) => (&mut running.handle)
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error))),
        None => std::future::pending().await,
    }
}

impl Keeper {
    /// A keeper of the file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            due: None,
            last_begun: None,
            waiting: HashSet::new(),
            running: None,
            took: Duration::ZERO,
            failing: false,
        }
    }

    /// Takes note that an account's evidence changed, and says whether its view may be shown.
    pub(super) fn changed(
        &mut self,
        id: AccountId,
        shown: &Posture,
        next: &Posture,
        now: Moment,
    ) -> Publish {
        let worse = next.is_worse_than(shown);
        let (gap, publish) = if worse || self.waiting.contains(&id) {
            self.waiting.insert(id);
            (URGENT_GAP, Publish::Later)
        } else if next.has_values_of(shown) {
            (self.calm(), Publish::Now)
        } else {
            (GAP, Publish::Now)
        };
        let due = self.last_begun.map_or(now, |begun| now.max(begun + gap));
        self.due = Some(self.due.map_or(due, |planned| planned.min(due)));
        publish
    }

    /// How far apart two saves of mere times are: what a crash in between loses is their age, so
    /// that a zero may be withdrawn as much earlier, and nothing else.
    fn calm(&self) -> Duration {
        self.took.saturating_mul(SHARE).clamp(CALM, CALMEST)
    }

    /// Takes note that something else changed that is kept.
    pub(super) fn noted(&mut self, now: Moment) {
        let due = self.last_begun.map_or(now, |begun| now.max(begun + GAP));
        self.due = Some(self.due.map_or(due, |planned| planned.min(due)));
    }

    /// When the loop has to look here again.
    pub(super) fn next_wake(&self) -> Option<Moment> {
        match &self.running {
            Some(running) => (!self.waiting.is_empty()).then_some(running.begun + PATIENCE),
            None => self.due,
        }
    }

    /// Whether a save is to begin.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.running.is_none() && self.due.is_some_and(|due| due <= now)
    }

    /// Begins to write `state`; `posture` says what an account looks like in it.
    pub(super) fn begin(
        &mut self,
        state: State,
        posture: impl Fn(AccountId) -> Option<Posture>,
        clock: &Clock,
    ) {
        let now = clock.moment();
        self.due = None;
        self.last_begun = Some(now);
        let carries = self
            .waiting
            .iter()
            .filter_map(|id| Some((*id, posture(*id)?)))
            .collect();
        let (path, clock) = (self.path.clone(), clock.clone());
        self.running = Some(Running {
            handle: tokio::task::spawn_blocking(move || store::save(&path, &state, &clock)),
            begun: now,
            carries,
        });
    }

    /// Books the end of a save. Returns the accounts to show now, each with what of it is on
    /// disk; `None` where the disk failed and the figure is shown all the same.
    pub(super) fn ended(
        &mut self,
        saved: &Saved,
        store: &Store,
        clock: &Clock,
    ) -> Vec<(AccountId, Option<Posture>)> {
        let running = self.running.take();
        if let Some(running) = &running {
            self.took = clock.moment().since(running.begun);
        }
        self.note(saved, store, clock);
        if saved.is_err() {
            // Try again at the calm rate: a full disk does not mend in a moment.
            self.due = Some(clock.moment() + GAP);
            return self.waiting.drain().map(|id| (id, None)).collect();
        }
        let carried = running.map(|running| running.carries).unwrap_or_default();
        self.waiting.retain(|id| !carried.contains_key(id));
        if !self.waiting.is_empty() {
            self.due = Some(clock.moment());
        }
        carried
            .into_iter()
            .map(|(id, posture)| (id, Some(posture)))
            .collect()
    }

    /// The accounts to show although the disk has not answered, for they have waited enough.
    pub(super) fn give_up_waiting(&mut self, now: Moment) -> Vec<AccountId> {
        match &self.running {
            Some(running) if now >= running.begun + PATIENCE => self.waiting.drain().collect(),
            _ => Vec::new(),
        }
    }

    /// Writes the last state, within two bounds of patience.
    pub(super) async fn close(&mut self, state: State, store: &Store, clock: &Clock) {
        if let Some(running) = self.running.take() {
            let _ = tokio::time::timeout(PATIENCE, running.handle).await;
        }
        self.begin(state, |_| None, clock);
        match tokio::time::timeout(PATIENCE, saved(Some(self))).await {
            Ok(saved) => self.note(&saved, store, clock),
            Err(_) => {
                error!(path = %self.path.display(), "the state was not saved: the disk does not answer");
            }
        }
    }

    fn note(&mut self, saved: &Saved, store: &Store, clock: &Clock) {
        match saved {
            Ok(()) if self.failing => {
                info!(path = %self.path.display(), "the state can be saved again");
            }
            Err(error) if !self.failing => error!(
                path = %self.path.display(), %error,
                "the state cannot be saved: a restart now would lose what is known; \
                 make the folder writable, or mend state.path"
            ),
            _ => {}
        }
        self.failing = saved.is_err();
        let now = clock.now();
        store.exporter.note(|view| {
            let last = view.state.and_then(|(_, last)| last);
            view.state = Some(match saved {
                Ok(()) => (true, Some(now)),
                Err(_) => (false, last),
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::evidence::Source;
    use crate::posture::Figure;

    fn id() -> AccountId {
        "000000000012".parse().unwrap()
    }

    fn posture(keys: u8) -> Posture {
        Posture {
            keys_active: Some(Figure {
                value: keys,
                source: Source::AccountSummary,
                observed: Timestamp::default(),
                fine_until: None,
            }),
            ..Posture::default()
        }
    }

    struct Bench {
        keeper: Keeper,
        store: Store,
        clock: Clock,
        hand: crate::clock::Hand,
        folder: tempfile::TempDir,
    }

    fn bench(file: &str) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(Timestamp::default());
        Bench {
            keeper: Keeper::new(folder.path().join(file)),
            store: Store::new(clock.clone()),
            clock,
            hand,
            folder,
        }
    }

    #[tokio::test]
    async fn a_rise_waits_for_the_disk_and_a_fall_does_not() {
        let Bench {
            mut keeper,
            store,
            clock,
            folder: _folder,
            ..
        } = bench("state.json");
        let now = clock.moment();
        let fall = keeper.changed(id(), &posture(1), &posture(0), now);
        assert_eq!(fall, Publish::Now);
        let rise = keeper.changed(id(), &posture(0), &posture(1), now);
        assert_eq!(rise, Publish::Later);
        assert!(keeper.is_due(now));
        keeper.begin(State::default(), |_| Some(posture(1)), &clock);
        let ended = saved(Some(&mut keeper)).await;
        assert_eq!(
            keeper.ended(&ended, &store, &clock),
            [(id(), Some(posture(1)))]
        );
        assert_eq!(store.exporter.view(now).state.map(|(ok, _)| ok), Some(true));
    }

    #[tokio::test]
    async fn a_rise_that_missed_a_save_waits_for_the_next() {
        let Bench {
            mut keeper,
            store,
            clock,
            folder: _folder,
            ..
        } = bench("state.json");
        let now = clock.moment();
        let _ = keeper.changed(id(), &posture(0), &posture(0), now);
        keeper.begin(State::default(), |_| None, &clock);
        assert_eq!(
            keeper.changed(id(), &posture(0), &posture(1), now),
            Publish::Later
        );
        let ended = saved(Some(&mut keeper)).await;
        assert_eq!(keeper.ended(&ended, &store, &clock), []);
        assert!(keeper.is_due(clock.moment()), "at once");
    }

    #[tokio::test]
    async fn a_disk_that_fails_does_not_keep_a_rise_from_being_shown() {
        let Bench {
            mut keeper,
            store,
            clock,
            folder: _folder,
            ..
        } = bench("no/such/folder/state.json");
        let now = clock.moment();
        let _ = keeper.changed(id(), &posture(0), &posture(1), now);
        keeper.begin(State::default(), |_| Some(posture(1)), &clock);
        let ended = saved(Some(&mut keeper)).await;
        assert_eq!(keeper.ended(&ended, &store, &clock), [(id(), None)]);
        assert_eq!(store.exporter.view(now).state, Some((false, None)));
        assert!(keeper.next_wake().is_some(), "it tries again");
    }

    #[tokio::test]
    async fn a_disk_that_hangs_delays_a_rise_by_two_seconds() {
        let Bench {
            mut keeper,
            clock,
            hand,
            folder: _folder,
            ..
        } = bench("state.json");
        let _ = keeper.changed(id(), &posture(0), &posture(1), clock.moment());
        keeper.begin(State::default(), |_| Some(posture(1)), &clock);
        assert_eq!(keeper.give_up_waiting(clock.moment()), []);
        hand.advance(PATIENCE);
        assert_eq!(keeper.give_up_waiting(clock.moment()), [id()]);
    }

    #[tokio::test]
    async fn mere_times_are_saved_the_more_rarely_the_longer_it_takes() {
        let Bench {
            mut keeper,
            store,
            clock,
            hand,
            folder: _folder,
        } = bench("state.json");
        for (took, apart) in [(10, CALM), (200, 200 * GAP), (60_000, CALMEST)] {
            keeper.begin(State::default(), |_| None, &clock);
            let ended = saved(Some(&mut keeper)).await;
            hand.advance(Duration::from_millis(took));
            keeper.ended(&ended, &store, &clock);
            let begun = keeper.last_begun.unwrap();
            let _ = keeper.changed(id(), &posture(1), &posture(1), clock.moment());
            assert_eq!(keeper.due.take(), Some((begun + apart).max(clock.moment())));
            hand.advance(CALMEST);
        }
    }

    #[test]
    fn changes_are_saved_within_a_second_and_mere_times_within_thirty() {
        let Bench {
            mut keeper,
            hand,
            clock,
            folder: _folder,
            ..
        } = bench("state.json");
        keeper.last_begun = Some(clock.moment());
        let _ = keeper.changed(id(), &posture(0), &posture(0), clock.moment());
        hand.advance(GAP);
        assert!(!keeper.is_due(clock.moment()));
        let _ = keeper.changed(id(), &posture(1), &posture(0), clock.moment());
        assert!(keeper.is_due(clock.moment()));
    }
}
