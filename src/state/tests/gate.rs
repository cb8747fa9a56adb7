//! The gate over a disk that does what the test says, by a clock that the test moves.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::{mpsc as commits, oneshot};
use tokio::task::JoinHandle;

use super::{id, saved, start, view};
use crate::clock::{Clock, Hand, Moment};
use crate::state::{Changes, Disk, Gate};
use crate::views::Views;

type Verdict = io::Result<()>;

/// Passes each commit to the test and ends it with the test's verdict.
struct ScriptedDisk {
    begun: commits::UnboundedSender<Changes>,
    verdicts: mpsc::Receiver<Verdict>,
}

impl Disk for ScriptedDisk {
    fn path(&self) -> &Path {
        Path::new("state.redb")
    }

    fn commit(&mut self, changes: &Changes) -> Verdict {
        self.begun.send(changes.clone()).unwrap();
        // The channel closes when the test is over.
        self.verdicts
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("over")))
    }
}

struct Bench {
    gate: Gate,
    views: Arc<Views>,
    clock: Clock,
    hand: Hand,
    commits: commits::UnboundedReceiver<Changes>,
    verdicts: mpsc::Sender<Verdict>,
    close: Option<oneshot::Sender<()>>,
    keeper: JoinHandle<io::Result<()>>,
}

const FULL: io::ErrorKind = io::ErrorKind::StorageFull;

impl Bench {
    /// A gate whose first commit, of nothing, has ended well.
    async fn new() -> Self {
        let mut bench = Self::fresh();
        assert_eq!(bench.commit().await, Changes::default());
        bench.answer(Ok(())).await;
        bench.hand.advance(Duration::from_secs(1));
        bench
    }

    fn fresh() -> Self {
        let (clock, hand) = start();
        let views = Arc::new(Views::new(clock.clone()));
        let (begun, commits) = commits::unbounded_channel();
        let (verdicts, scripted) = mpsc::channel();
        let disk = ScriptedDisk {
            begun,
            verdicts: scripted,
        };
        let (gate, keeper) = Gate::keeping(Arc::clone(&views), clock.clone(), disk).unwrap();
        let (close, closed) = oneshot::channel();
        let keeper = tokio::spawn(keeper.run(async {
            let _ = closed.await;
        }));
        Self {
            gate,
            views,
            clock,
            hand,
            commits,
            verdicts,
            close: Some(close),
            keeper,
        }
    }

    fn publish(&self, number: u64, keys: u8) {
        self.gate
            .publish(saved(&self.clock, keys), view(number, keys));
    }

    fn shown(&self, number: u64) -> Option<u8> {
        let view = self.views.get(id(number))?;
        view.posture.keys_active.map(|keys| keys.value)
    }

    /// Whether the state is said to be saved, and when it last was.
    fn works(&self) -> Option<bool> {
        let view = self.views.exporter.view(Moment::default());
        view.state.map(|save| save.succeeded)
    }

    /// The next commit, once it has begun.
    async fn commit(&mut self) -> Changes {
        bounded(self.commits.recv()).await.unwrap()
    }

    /// Ends a commit, and waits until it is reported.
    async fn answer(&mut self, verdict: Verdict) {
        let worked = verdict.is_ok();
        self.views.exporter.note(|view| view.state = None);
        self.verdicts.send(verdict).unwrap();
        self.until(|bench| bench.works() == Some(worked)).await;
    }

    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        bounded(async {
            while !condition(self) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Lets time pass, and the keeper take notice.
    async fn pass(&self, time: Duration) {
        self.hand.advance(time);
        self.settle().await;
    }

    /// Lets the keeper do all that is due.
    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn no_commit(&mut self) {
        let begun = self.commits.try_recv().ok();
        assert_eq!(begun, None, "nothing is to be committed");
    }
}

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    let bound = Duration::from_secs(20);
    tokio::time::timeout(bound, future).await.expect("in time")
}

fn numbers(changes: &Changes) -> Vec<u64> {
    let mut numbers: Vec<_> = changes.accounts.keys().map(|id| id.number()).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn a_rise_is_on_disk_before_it_is_published() {
    let mut bench = Bench::new().await;
    bench.publish(1, 1);
    assert_eq!(numbers(&bench.commit().await), [1]);
    assert_eq!(bench.shown(1), None, "not yet");
    bench.answer(Ok(())).await;
    assert_eq!(bench.shown(1), Some(1));
}

#[tokio::test]
async fn a_fall_is_published_at_once_and_committed_within_a_second() {
    let mut bench = Bench::new().await;
    bench.publish(1, 1);
    bench.commit().await;
    bench.answer(Ok(())).await;
    bench.publish(1, 0);
    assert_eq!(bench.shown(1), Some(0));
    bench.settle().await;
    bench.no_commit();
    bench.hand.advance(Duration::from_secs(1));
    assert_eq!(numbers(&bench.commit().await), [1]);
}

#[tokio::test]
async fn restored_accounts_are_published_at_once_also_while_the_disk_hangs() {
    let mut bench = Bench::fresh();
    bench.commit().await;
    bench.gate.restore(view(1, 2));
    assert_eq!(bench.shown(1), Some(2));
}

#[tokio::test]
async fn a_rise_waits_two_seconds_in_all_for_a_disk_that_hangs() {
    let mut bench = Bench::new().await;
    bench.publish(1, 1);
    bench.commit().await;
    bench.pass(Duration::from_millis(1_900)).await;
    // A second key does not extend its wait.
    bench.publish(1, 2);
    assert_eq!(bench.shown(1), None);
    bench.hand.advance(Duration::from_millis(100));
    bench.until(|bench| bench.shown(1) == Some(2)).await;
}

#[tokio::test]
async fn a_rise_that_came_during_a_commit_begins_the_next_as_soon_as_that_ends() {
    let mut bench = Bench::new().await;
    bench.publish(1, 1);
    assert_eq!(numbers(&bench.commit().await), [1]);
    bench.publish(2, 1);
    bench.publish(1, 2);
    bench.hand.advance(Duration::from_millis(250));
    bench.answer(Ok(())).await;
    assert_eq!(bench.shown(1), None, "only one key of the two is on disk");
    assert_eq!(numbers(&bench.commit().await), [1, 2]);
    bench.answer(Ok(())).await;
    assert_eq!((bench.shown(1), bench.shown(2)), (Some(2), Some(1)));
}

#[tokio::test]
async fn a_rise_that_ends_while_it_waits_is_never_published() {
    let mut bench = Bench::new().await;
    bench.publish(1, 1);
    bench.commit().await;
    bench.publish(1, 0);
    assert_eq!(bench.shown(1), Some(0));
    bench.answer(Ok(())).await;
    assert_eq!(bench.shown(1), Some(0));
    bench.pass(Duration::from_secs(2)).await;
    assert_eq!(bench.shown(1), Some(0));
}

#[tokio::test]
async fn a_disk_that_fails_is_reported_and_tried_again_and_no_rise_waits_for_it() {
    let mut bench = Bench::new().await;
    bench.publish(1, 1);
    bench.commit().await;
    bench.publish(2, 1);
    bench.answer(Err(FULL.into())).await;
    assert_eq!((bench.shown(1), bench.shown(2)), (Some(1), Some(1)));
    bench.publish(2, 2);
    bench.settle().await;
    bench.no_commit();
    bench.hand.advance(Duration::from_secs(5));
    // All that failed and all that came since.
    assert_eq!(numbers(&bench.commit().await), [1, 2]);
    bench.answer(Ok(())).await;
    assert_eq!(bench.shown(2), Some(2));
}

#[tokio::test]
async fn a_change_that_came_during_a_commit_that_fails_is_the_one_that_is_tried_again() {
    let mut bench = Bench::new().await;
    bench.publish(1, 1);
    bench.commit().await;
    bench.gate.remove(id(1));
    bench.answer(Err(FULL.into())).await;
    bench.hand.advance(Duration::from_secs(5));
    let again = bench.commit().await;
    assert_eq!(again.accounts[&id(1)], None, "it is deleted");
}

#[tokio::test]
async fn a_commit_that_never_ends_is_reported_and_no_other_begins() {
    let mut bench = Bench::new().await;
    bench.publish(1, 1);
    bench.commit().await;
    assert_eq!(bench.works(), Some(true));
    bench.hand.advance(Duration::from_secs(5));
    bench.until(|bench| bench.works() == Some(false)).await;
    for number in 2..50 {
        bench.publish(number, 1);
        bench.pass(Duration::from_secs(2)).await;
        assert_eq!(bench.shown(number), Some(1));
        bench.no_commit();
    }
    bench.answer(Ok(())).await;
    assert_eq!(numbers(&bench.commit().await), (2..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_account_that_leaves_while_its_rise_waits_leaves_one_commit_behind() {
    let mut bench = Bench::new().await;
    bench.publish(1, 1);
    bench.commit().await;
    bench.gate.remove(id(1));
    bench.answer(Ok(())).await;
    assert_eq!(bench.shown(1), None);
    bench.hand.advance(Duration::from_secs(1));
    assert_eq!(bench.commit().await.accounts[&id(1)], None);
    bench.answer(Ok(())).await;
    for _ in 0..100 {
        bench.pass(Duration::from_secs(60)).await;
        bench.no_commit();
    }
}

#[tokio::test]
async fn many_changes_of_an_account_are_one_in_the_next_commit() {
    let mut bench = Bench::new().await;
    for _ in 0..100 {
        bench.publish(1, 2);
        bench.publish(1, 1);
    }
    let only = bench.commit().await;
    assert_eq!(only.accounts[&id(1)], Some(saved(&bench.clock, 1)));
    bench.answer(Ok(())).await;
    bench.pass(Duration::from_secs(60)).await;
    bench.no_commit();
}

#[tokio::test]
async fn times_alone_are_committed_every_five_minutes() {
    let mut bench = Bench::new().await;
    let mut commits = 0;
    while bench.clock.moment() < Moment::from_millis(3_600_000) {
        bench.publish(1, 0);
        bench.pass(Duration::from_secs(10)).await;
        // One that begins later is seen in the next turn.
        let begun = tokio::time::timeout(Duration::from_millis(2), bench.commits.recv()).await;
        if begun.is_ok() {
            commits += 1;
            bench.answer(Ok(())).await;
        }
    }
    assert!((11..=13).contains(&commits), "{commits}");
}

#[tokio::test]
async fn the_end_saves_the_remaining_changes() {
    let mut bench = Bench::new().await;
    bench.publish(1, 0);
    bench.gate.save(id(2), saved(&bench.clock, 0));
    bench.close.take();
    assert_eq!(numbers(&bench.commit().await), [1, 2]);
    bench.answer(Ok(())).await;
    assert!(bounded(bench.keeper).await.unwrap().is_ok());
}

#[tokio::test]
async fn the_end_waits_two_seconds_for_a_disk_that_hangs() {
    let mut bench = Bench::new().await;
    bench.publish(1, 1);
    bench.commit().await;
    bench.close.take();
    bench.settle().await;
    assert!(!bench.keeper.is_finished());
    bench.hand.advance(Duration::from_secs(2));
    assert!(bounded(&mut bench.keeper).await.unwrap().is_ok());
    assert_eq!(bench.works(), Some(false));
}

#[tokio::test]
async fn without_a_disk_everything_is_published_at_once() {
    let (clock, _hand) = start();
    let views = Arc::new(Views::new(clock.clone()));
    let gate = Gate::new(Arc::clone(&views), clock.clone());
    gate.publish(saved(&clock, 2), view(1, 2));
    assert!(views.get(id(1)).is_some());
    gate.remove(id(1));
    assert!(views.get(id(1)).is_none());
}

#[tokio::test]
async fn what_was_published_is_flushed_within_a_quarter_of_a_second() {
    let mut bench = Bench::new().await;
    assert!(bounded(bench.gate.flushed()).await);
    bench.publish(1, 0);
    bench.commit().await;
    bench.answer(Ok(())).await;
    // By itself it would be committed after a second.
    bench.publish(2, 0);
    let gate = bench.gate.clone();
    let mut flushed = pin!(gate.flushed());
    assert!(!has_ended(flushed.as_mut()).await);
    bench.hand.advance(Duration::from_millis(250));
    let changes = bench.commit().await;
    assert!(changes.accounts.contains_key(&id(2)));
    assert!(!has_ended(flushed.as_mut()).await, "the commit runs");
    bench.answer(Ok(())).await;
    assert!(bounded(flushed).await);
}

#[tokio::test]
async fn a_hung_disk_delays_the_flush_by_two_seconds_at_most() {
    let mut bench = Bench::new().await;
    bench.publish(1, 0);
    bench.commit().await;
    let gate = bench.gate.clone();
    let mut flushed = pin!(gate.flushed());
    assert!(!has_ended(flushed.as_mut()).await);
    bench.hand.advance(Duration::from_secs(2));
    assert!(!bounded(flushed).await, "nothing is on disk");
}

/// Whether a future has ended, after one poll of it.
async fn has_ended<T>(future: impl Future<Output = T>) -> bool {
    tokio::select! {
        biased;
        _ = future => true,
        () = std::future::ready(()) => false,
    }
}

#[tokio::test]
async fn what_root_did_is_committed_within_a_second_though_no_value_changes() {
    let mut bench = Bench::new().await;
    bench.publish(1, 0);
    bench.hand.advance(Duration::from_secs(1));
    bench.commit().await;
    bench.answer(Ok(())).await;
    let mut view = view(1, 0);
    view.push.tampered = Some(bench.clock.now());
    bench.gate.publish(saved(&bench.clock, 0), view);
    bench.hand.advance(Duration::from_secs(1));
    let changes = bench.commit().await;
    assert!(changes.accounts.contains_key(&id(1)));
}
