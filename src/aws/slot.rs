//! A session slot: holds one session, opens it when it is needed, and renews it in the background.
//!
//! Opening runs in a task of its own with a deadline, one at a time; everybody who needs the
//! session shares the result, and a waiter that goes away does not cancel it. A session that is
//! valid is returned at once, also while it is renewed. The slot never decides by itself that a
//! session is refused: whoever calls AWS reports that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use tokio::sync::watch;

use super::credentials::Watch;
use super::operation::Operation;
use crate::account::AccountId;
use crate::backoff::Backoff;
use crate::clock::{Clock, Moment};
use crate::failure::{Failure, Reason};

/// How long credentials that name no end are used before they are read again: files change.
const UNDATED: Duration = Duration::from_secs(5 * 60);

/// How long a failure to open a session is the answer for everybody: thousands of accounts may
/// depend on the one provider that is down.
const FAILURE_LASTS: Duration = Duration::from_millis(500);

/// The longest pause between two attempts to renew a session that is still valid.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

/// Credentials that work, and for how long.
#[derive(Clone)]
pub(super) struct Session {
    pub credentials: Credentials,
    /// The account they belong to; `None` where that is not verified.
    pub account: Option<AccountId>,
    /// Until when they are valid; `None` where they name no end.
    pub ends: Option<Moment>,
    /// How often the shared files had changed before they were read, as [`Watch`] counts.
    pub files: u64,
}

impl Session {
    /// Whether these are the very same credentials.
    pub fn is(&self, other: &Self) -> bool {
        self.credentials.access_key_id() == other.credentials.access_key_id()
            && self.credentials.session_token() == other.credentials.session_token()
    }
}

/// What is known when a session is opened.
#[derive(Clone, Default)]
pub(super) struct Before {
    /// The session it replaces, if one is held.
    pub session: Option<Session>,
    /// Whether it is opened because AWS denies that one something.
    pub is_denied: bool,
    /// Whether the last opening worked.
    pub opened: bool,
}

/// Holds one session.
pub(super) struct Slot {
    state: Mutex<State>,
    /// Whose session it is, for messages.
    whose: &'static str,
    clock: Clock,
    /// How long opening may take.
    deadline: Duration,
    /// What says that a session is out of date; `None` where it does not come from files.
    watch: Option<Arc<Watch>>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// Where the opening under way leaves its result.
    opening: Option<watch::Receiver<Option<Opened>>>,
    /// The openings that failed since one last worked.
    failed: Option<Failed>,
    /// Operations that worked the last time. Empty once a session was replaced because of a
    /// denial, so that one that stays denied replaces no more.
    works: Vec<Operation>,
    opened: bool,
}

type Opened = Result<Session, Failure>;

struct Held {
    session: Session,
    renew: Moment,
}

struct Failed {
    at: Moment,
    failure: Failure,
    in_a_row: u32,
}

impl Slot {
    pub fn new(whose: &'static str, clock: Clock, deadline: Duration) -> Self {
        Self {
            state: Mutex::default(),
            whose,
            clock,
            deadline,
            watch: None,
        }
    }

    /// One whose session is renewed as soon as the shared files change.
    pub fn watching(self, watch: &Arc<Watch>) -> Self {
        let watch = Some(Arc::clone(watch));
        Self { watch, ..self }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session. `open` is called where there is none, or it is due for renewal.
    ///
    /// # Errors
    ///
    /// What opening failed with; for a moment also to those who come after.
    pub async fn get<F>(self: &Arc<Self>, open: impl FnOnce(Before) -> F) -> Opened
    where
        F: Future<Output = Opened> + Send + 'static,
    {
        self.get_other_than(None, open).await
    }

    /// A session in place of one to which AWS denies something. That one stays where no other can
    /// be opened.
    pub async fn get_other_than<F>(
        self: &Arc<Self>,
        denied: Option<&Session>,
        open: impl FnOnce(Before) -> F,
    ) -> Opened
    where
        F: Future<Output = Opened> + Send + 'static,
    {
        let mut opening = {
            let mut state = self.lock();
            let now = self.clock.moment();
            let changes = self.watch.as_ref().map(|watch| watch.changes(now));
            if let Some(held) = state.valid(now)
                && !denied.is_some_and(|denied| denied.is(&held.session))
            {
                let session = held.session.clone();
                if state.is_renewal_due(now, changes) {
                    self.begin(&mut state, false, open);
                }
                return Ok(session);
            }
            match (&state.opening, &state.failed) {
                (Some(opening), _) => opening.clone(),
                (None, Some(failed)) if now < failed.at + FAILURE_LASTS => {
                    return Err(failed.failure.clone());
                }
                (None, _) => self.begin(&mut state, denied.is_some(), open),
            }
        };
        let opened = opening.wait_for(Option::is_some).await;
        opened
            .ok()
            .and_then(|opened| opened.clone())
            .unwrap_or_else(|| Err(broken_off()))
    }

    fn begin<F>(
        self: &Arc<Self>,
        state: &mut State,
        is_denied: bool,
        open: impl FnOnce(Before) -> F,
    ) -> watch::Receiver<Option<Opened>>
    where
        F: Future<Output = Opened> + Send + 'static,
    {
        let (sender, receiver) = watch::channel(None);
        state.opening = Some(receiver.clone());
        // A task of its own, so that a panic in a provider is a failure like any other.
        let mut task = tokio::spawn(open(Before {
            session: state.held.as_ref().map(|held| held.session.clone()),
            is_denied,
            opened: state.opened,
        }));
        let slot = Arc::clone(self);
        tokio::spawn(async move {
            let deadline = slot.clock.moment() + slot.deadline;
            let opened = tokio::select! {
                opened = &mut task => opened.unwrap_or_else(|_| Err(broken_off())),
                () = slot.clock.sleep_until(deadline) => {
                    task.abort();
                    Err(Failure::new(
                        Reason::Timeout,
                        format!(
                            "opening {} took longer than refresh.timeout ({:?})",
                            slot.whose, slot.deadline
                        ),
                    ))
                }
            };
            slot.finish(&opened, is_denied);
            sender.send_replace(Some(opened));
        });
        receiver
    }

    fn finish(&self, opened: &Opened, was_denied: bool) {
        let mut state = self.lock();
        let now = self.clock.moment();
        state.opening = None;
        state.opened = opened.is_ok();
        match opened {
            Ok(session) => {
                if was_denied {
                    state.works.clear();
                }
                let lifetime = session.ends.map(|ends| ends.since(now));
                state.held = Some(Held {
                    renew: now + lifetime.map_or(UNDATED, |lifetime| lifetime * 2 / 3),
                    session: session.clone(),
                });
                state.failed = None;
            }
            Err(failure) => {
                let in_a_row = state.failed.as_ref().map_or(0, |failed| failed.in_a_row) + 1;
                state.failed = Some(Failed {
                    at: now,
                    failure: failure.clone(),
                    in_a_row,
                });
            }
        }
    }

    /// Drops a session that AWS takes for no session any more, unless it was replaced since.
    pub fn refuse(&self, refused: &Session) {
        let mut state = self.lock();
        state.held.take_if(|held| held.session.is(refused));
    }

    /// Notes that an operation worked.
    pub fn works(&self, operation: Operation) {
        let mut state = self.lock();
        if !state.works.contains(&operation) {
            state.works.push(operation);
        }
    }

    /// Notes that an operation is denied with a fresh session too.
    pub fn is_denied(&self, operation: Operation) {
        self.lock().works.retain(|works| *works != operation);
    }

    /// Whether an operation worked the last time, as far as a denial now is a surprise.
    pub fn used_to_work(&self, operation: Operation) -> bool {
        self.lock().works.contains(&operation)
    }
}

impl State {
    fn valid(&self, now: Moment) -> Option<&Held> {
        let is_valid = |held: &&Held| held.session.ends.is_none_or(|ends| now < ends);
        self.held.as_ref().filter(is_valid)
    }

    fn is_renewal_due(&self, now: Moment, changes: Option<u64>) -> bool {
        let is_due = |held: &Held| {
            now >= held.renew || changes.is_some_and(|changes| changes != held.session.files)
        };
        let pause = |failed: &Failed| Backoff::quick(RENEWAL_PAUSE).ceiling(failed.in_a_row);
        let failed = self.failed.as_ref();
        self.opening.is_none()
            && self.held.as_ref().is_some_and(is_due)
            && failed.is_none_or(|failed| now >= failed.at + pause(failed))
    }
}

fn broken_off() -> Failure {
    Failure::new(
        Reason::Other,
        "opening a session broke off; please report this",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::{Hand, Timestamp};

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);
    const DEADLINE: Duration = Duration::from_secs(30);
    const READ: Operation = Operation::iam("GetAccountSummary");

    /// A slot whose openings the test counts and answers.
    struct Bench {
        slot: Arc<Slot>,
        clock: Clock,
        hand: Hand,
        opened: Arc<AtomicUsize>,
    }

    impl Bench {
        fn new() -> Self {
            let (clock, hand) = Clock::manual(Timestamp::default());
            Self {
                slot: Arc::new(Slot::new("a session", clock.clone(), DEADLINE)),
                clock,
                hand,
                opened: Arc::default(),
            }
        }

        fn session(&self, name: &str, lifetime: Option<Duration>) -> Session {
            Session {
                credentials: Credentials::new(name, "secret", None, None, "test"),
                account: None,
                ends: lifetime.map(|lifetime| self.clock.moment() + lifetime),
                files: 0,
            }
        }

        async fn get(&self, result: Opened) -> Result<String, Reason> {
            name(self.slot.get(|_| self.open(result)).await)
        }

        /// As [`Self::get`] with an opening that never ends, and none that is waited for.
        async fn get_while_hanging(&self) -> Result<String, Reason> {
            let opened = Arc::clone(&self.opened);
            let get = self.slot.get(|_| async move {
                opened.fetch_add(1, Ordering::SeqCst);
                std::future::pending().await
            });
            name(get.await)
        }

        fn open(&self, result: Opened) -> impl Future<Output = Opened> + Send + use<> {
            let opened = Arc::clone(&self.opened);
            async move {
                opened.fetch_add(1, Ordering::SeqCst);
                result
            }
        }

        fn opened(&self) -> usize {
            self.opened.load(Ordering::SeqCst)
        }

        /// Waits until no opening is under way.
        async fn settle(&self) {
            let opening = self.slot.lock().opening.clone();
            if let Some(mut opening) = opening {
                let _ = opening.wait_for(Option::is_some).await;
            }
        }
    }

    fn name(opened: Opened) -> Result<String, Reason> {
        opened
            .map(|session| session.credentials.access_key_id().to_owned())
            .map_err(|failure| failure.reason)
    }

    fn throttled() -> Opened {
        Err(Failure::new(Reason::Throttled, "slow down"))
    }

    #[tokio::test]
    async fn a_session_is_renewed_after_two_thirds_while_it_is_still_used() {
        let bench = Bench::new();
        let [first, second] = ["first", "second"].map(|name| bench.session(name, Some(HOUR)));
        assert_eq!(bench.get(Ok(first)).await.unwrap(), "first");
        bench.hand.advance((40 * 60 - 1) * SECOND);
        assert_eq!(bench.get(throttled()).await.unwrap(), "first");
        assert_eq!(bench.opened(), 1);
        bench.hand.advance(SECOND);
        assert_eq!(bench.get(Ok(second)).await.unwrap(), "first");
        bench.settle().await;
        assert_eq!(bench.get(throttled()).await.unwrap(), "second");
        assert_eq!(bench.opened(), 2);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_renewal_that_hangs() {
        let bench = Bench::new();
        let first = bench.session("first", Some(HOUR));
        bench.get(Ok(first)).await.unwrap();
        bench.hand.advance(50 * 60 * SECOND);
        for _ in 0..3 {
            assert_eq!(bench.get_while_hanging().await.unwrap(), "first");
        }
        tokio::task::yield_now().await;
        assert_eq!(bench.opened(), 2);
    }

    #[tokio::test]
    async fn a_renewal_that_fails_is_tried_again_with_pauses_until_the_session_ends() {
        let bench = Bench::new();
        let first = bench.session("first", Some(HOUR));
        bench.get(Ok(first)).await.unwrap();
        bench.hand.advance(40 * 60 * SECOND);
        // Somebody asks five times a second for the rest of the session.
        for _ in 0..20 * 60 * 5 - 1 {
            assert_eq!(bench.get(throttled()).await.unwrap(), "first");
            bench.settle().await;
            bench.hand.advance(SECOND / 5);
        }
        let tried = bench.opened() - 1;
        assert!((20..100).contains(&tried), "{tried}");
        bench.hand.advance(SECOND);
        assert_eq!(bench.get(throttled()).await, Err(Reason::Throttled));
    }

    #[tokio::test]
    async fn an_opening_has_a_deadline_and_its_failure_is_shared_for_a_moment() {
        let bench = Arc::new(Bench::new());
        let waiters: Vec<_> = (0..20)
            .map(|_| {
                let bench = Arc::clone(&bench);
                tokio::spawn(async move { bench.get_while_hanging().await })
            })
            .collect();
        while bench.opened() == 0 {
            tokio::task::yield_now().await;
        }
        bench.hand.advance(DEADLINE);
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), Err(Reason::Timeout));
        }
        assert_eq!(bench.opened(), 1);
        let late = || Ok(bench.session("late", None));
        assert_eq!(bench.get(late()).await, Err(Reason::Timeout));
        bench.hand.advance(FAILURE_LASTS);
        assert_eq!(bench.get(late()).await.unwrap(), "late");
    }

    #[tokio::test]
    async fn a_waiter_that_goes_away_does_not_cancel_the_opening() {
        let bench = Bench::new();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let session = bench.session("only", Some(HOUR));
        let slot = Arc::clone(&bench.slot);
        let waiter = tokio::spawn(async move {
            let open = |_| async move {
                released.await.unwrap();
                Ok(session)
            };
            slot.get(open).await.map(|_| ())
        });
        while bench.slot.lock().opening.is_none() {
            tokio::task::yield_now().await;
        }
        waiter.abort();
        release.send(()).unwrap();
        assert_eq!(bench.get(throttled()).await.unwrap(), "only");
        assert_eq!(bench.opened(), 0);
    }

    #[tokio::test]
    async fn a_panic_in_a_provider_is_a_failure() {
        let bench = Bench::new();
        let open = |_| async { panic!("in a provider, as this test wants") };
        assert_eq!(name(bench.slot.get(open).await), Err(Reason::Other));
        bench.hand.advance(FAILURE_LASTS);
        let works = bench.session("works", None);
        assert_eq!(bench.get(Ok(works)).await.unwrap(), "works");
    }

    #[tokio::test]
    async fn a_refused_session_goes_and_its_successor_stays() {
        let bench = Bench::new();
        let [old, new, newer] = ["old", "new", "newer"].map(|name| bench.session(name, None));
        bench.get(Ok(old.clone())).await.unwrap();
        bench.slot.refuse(&old);
        assert_eq!(bench.get(Ok(new)).await.unwrap(), "new");
        bench.slot.refuse(&old);
        assert_eq!(bench.get(Ok(newer)).await.unwrap(), "new");
    }

    #[tokio::test]
    async fn a_denied_session_is_replaced_and_stays_where_that_fails() {
        let bench = Bench::new();
        let [old, new] = ["old", "new"].map(|name| bench.session(name, Some(HOUR)));
        bench.get(Ok(old.clone())).await.unwrap();
        bench.slot.works(READ);
        let other = |result| {
            bench
                .slot
                .get_other_than(Some(&old), |_| bench.open(result))
        };
        assert_eq!(name(other(throttled()).await), Err(Reason::Throttled));
        assert_eq!(bench.get(throttled()).await.unwrap(), "old");
        assert!(bench.slot.used_to_work(READ));
        bench.hand.advance(FAILURE_LASTS);
        assert_eq!(name(other(Ok(new)).await).unwrap(), "new");
        assert!(!bench.slot.used_to_work(READ));
        // Whoever comes later with the old one takes the new one.
        assert_eq!(name(other(throttled()).await).unwrap(), "new");
    }
}
