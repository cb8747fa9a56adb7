//! A session slot: opens a session when it is needed, keeps it, and renews it in the background.
//!
//! A session is opened in a task of its own with a deadline, one at a time. All that need it share
//! the result, and a waiter that goes away does not cancel it. A valid session is returned at once,
//! also while it is renewed. The slot never decides that a session is refused: the caller of AWS
//! reports that.

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

/// How long credentials without an end are used before they are read again: files change.
const UNDATED_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// How long a failure to open a session is returned without another attempt: thousands of accounts
/// may depend on one provider that is down.
const FAILURE_LASTS: Duration = Duration::from_millis(500);

/// The longest pause between two attempts to renew a session that is still valid.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

/// The kind of session that a call about an account is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionKind {
    /// The account's role or profile, or the caller's own credentials.
    Own,
    /// A root session that may read the root user's credentials and nothing else.
    Root,
}

/// Credentials that work, and until when.
#[derive(Clone)]
pub(super) struct Session {
    pub credentials: Credentials,
    /// The account they belong to; `None` before that is verified.
    pub account: Option<AccountId>,
    /// When they end; `None` where they do not say.
    pub ends: Option<Moment>,
    /// How often the shared files had changed before they were read, as [`Watch`] counts.
    pub file_changes: u64,
}

impl Session {
    /// Whether both hold the same credentials.
    pub fn is(&self, other: &Self) -> bool {
        self.credentials.access_key_id() == other.credentials.access_key_id()
            && self.credentials.session_token() == other.credentials.session_token()
    }
}

/// The state of a slot when a session is opened.
#[derive(Clone, Default)]
pub(super) struct Previous {
    /// The session that is replaced.
    pub session: Option<Session>,
    /// Whether it is replaced because AWS denied a call with it.
    pub is_denied: bool,
    /// Whether the last attempt to open one worked.
    pub worked: bool,
}

/// Holds one session.
pub(super) struct Slot {
    state: Mutex<State>,
    /// The session's name in messages.
    name: &'static str,
    clock: Clock,
    /// How long opening may take.
    deadline: Duration,
    /// Notices changes of the shared files, which renew the session; `None` where it does not depend
    /// on them.
    watch: Option<Arc<Watch>>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// Receives the session that is being opened.
    opening: Option<watch::Receiver<Option<Opened>>>,
    /// The attempts to open one that failed since one last worked.
    failed: Option<Failed>,
    /// Operations that worked the last time. Emptied when a session is replaced because of a
    /// denial, so that a denial that stays replaces no second one.
    working: Vec<Operation>,
    last_worked: bool,
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
    pub fn new(
        name: &'static str,
        clock: &Clock,
        deadline: Duration,
        watch: Option<&Arc<Watch>>,
    ) -> Self {
        Self {
            state: Mutex::default(),
            name,
            clock: clock.clone(),
            deadline,
            watch: watch.cloned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session. `open` is called where there is none, where it is due for renewal, and where it
    /// is the one to which AWS `denied` a call. That one stays when no other can be opened.
    ///
    /// # Errors
    ///
    /// The failure to open one, for a moment also to those who ask later.
    pub async fn get<F>(
        self: &Arc<Self>,
        denied: Option<&Session>,
        open: impl FnOnce(Previous) -> F,
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
            .unwrap_or_else(|| Err(aborted()))
    }

    fn begin<F>(
        self: &Arc<Self>,
        state: &mut State,
        is_denied: bool,
        open: impl FnOnce(Previous) -> F,
    ) -> watch::Receiver<Option<Opened>>
    where
        F: Future<Output = Opened> + Send + 'static,
    {
        let (sender, receiver) = watch::channel(None);
        state.opening = Some(receiver.clone());
        // A task of its own, so that a panic in a provider is a failure like any other.
        let mut task = tokio::spawn(open(Previous {
            session: state.held.as_ref().map(|held| held.session.clone()),
            is_denied,
            worked: state.last_worked,
        }));
        let slot = Arc::clone(self);
        tokio::spawn(async move {
            let deadline = slot.clock.moment() + slot.deadline;
            let opened = tokio::select! {
                opened = &mut task => opened.unwrap_or_else(|_| Err(aborted())),
                () = slot.clock.sleep_until(deadline) => {
                    task.abort();
                    let (name, deadline) = (slot.name, slot.deadline);
                    Err(Failure::new(
                        Reason::Timeout,
                        format!("opening {name} took longer than refresh.timeout ({deadline:?})"),
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
        state.last_worked = opened.is_ok();
        match opened {
            Ok(session) => {
                if was_denied {
                    state.working.clear();
                }
                let lifetime = session.ends.map(|ends| ends.since(now));
                state.held = Some(Held {
                    renew: now + lifetime.map_or(UNDATED_LIFETIME, |lifetime| lifetime * 2 / 3),
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

    /// Drops a session that AWS no longer accepts, unless it was replaced since.
    pub fn refuse(&self, refused: &Session) {
        let mut state = self.lock();
        state.held.take_if(|held| held.session.is(refused));
    }

    /// Whether the session that it holds signs with this access key.
    pub fn signs_with(&self, key: &str) -> bool {
        let state = self.lock();
        let held = state.held.as_ref();
        held.is_some_and(|held| held.session.credentials.access_key_id() == key)
    }

    /// Records that an operation worked.
    pub fn record_success(&self, operation: Operation) {
        let mut state = self.lock();
        if !state.working.contains(&operation) {
            // Most sessions use one. A vector that grows by itself begins with four.
            state.working.reserve_exact(1);
            state.working.push(operation);
        }
    }

    /// Records that an operation is denied with a new session too.
    pub fn record_denial(&self, operation: Operation) {
        self.lock().working.retain(|working| *working != operation);
    }

    /// Whether an operation worked the last time, so that a denial may mean a revoked session.
    pub fn used_to_work(&self, operation: Operation) -> bool {
        self.lock().working.contains(&operation)
    }
}

impl State {
    fn valid(&self, now: Moment) -> Option<&Held> {
        let is_valid = |held: &&Held| held.session.ends.is_none_or(|ends| now < ends);
        self.held.as_ref().filter(is_valid)
    }

    fn is_renewal_due(&self, now: Moment, changes: Option<u64>) -> bool {
        let is_due = |held: &Held| {
            now >= held.renew || changes.is_some_and(|changes| changes != held.session.file_changes)
        };
        let pause = |failed: &Failed| Backoff::quick(RENEWAL_PAUSE).ceiling(failed.in_a_row);
        let failed = self.failed.as_ref();
        self.opening.is_none()
            && self.held.as_ref().is_some_and(is_due)
            && failed.is_none_or(|failed| now >= failed.at + pause(failed))
    }
}

fn aborted() -> Failure {
    Failure::new(
        Reason::Other,
        "opening a session was aborted; please report this",
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

    /// A slot for which the test opens the sessions, and counts them.
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
                slot: Arc::new(Slot::new("a session", &clock, DEADLINE, None)),
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
                file_changes: 0,
            }
        }

        async fn get(&self, result: Opened) -> Result<String, Reason> {
            name(self.slot.get(None, |_| self.open(result)).await)
        }

        /// As [`Self::get`], where opening never ends.
        async fn get_while_hanging(&self) -> Result<String, Reason> {
            let opened = Arc::clone(&self.opened);
            let get = self.slot.get(None, |_| async move {
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

        /// Waits until no session is being opened.
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
    async fn a_renewal_that_hangs_delays_no_call() {
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
        // Five calls a second for the rest of the session.
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
    async fn opening_has_a_deadline_and_its_failure_is_shared_for_a_moment() {
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
    async fn a_waiter_that_goes_away_cancels_nothing() {
        let bench = Bench::new();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let session = bench.session("only", Some(HOUR));
        let slot = Arc::clone(&bench.slot);
        let waiter = tokio::spawn(async move {
            let open = |_| async move {
                released.await.unwrap();
                Ok(session)
            };
            slot.get(None, open).await.map(|_| ())
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
        let open = |_| async { panic!("a provider panics") };
        assert_eq!(name(bench.slot.get(None, open).await), Err(Reason::Other));
        bench.hand.advance(FAILURE_LASTS);
        let works = bench.session("works", None);
        assert_eq!(bench.get(Ok(works)).await.unwrap(), "works");
    }

    #[tokio::test]
    async fn only_the_refused_session_is_dropped() {
        let bench = Bench::new();
        let [old, new, newer] = ["old", "new", "newer"].map(|name| bench.session(name, None));
        bench.get(Ok(old.clone())).await.unwrap();
        bench.slot.refuse(&old);
        assert_eq!(bench.get(Ok(new)).await.unwrap(), "new");
        bench.slot.refuse(&old);
        assert_eq!(bench.get(Ok(newer)).await.unwrap(), "new");
    }

    #[tokio::test]
    async fn a_denied_session_is_replaced_once_another_can_be_opened() {
        let bench = Bench::new();
        let [old, new] = ["old", "new"].map(|name| bench.session(name, Some(HOUR)));
        bench.get(Ok(old.clone())).await.unwrap();
        bench.slot.record_success(READ);
        let other = |result| bench.slot.get(Some(&old), |_| bench.open(result));
        assert_eq!(name(other(throttled()).await), Err(Reason::Throttled));
        assert_eq!(bench.get(throttled()).await.unwrap(), "old");
        assert!(bench.slot.used_to_work(READ));
        bench.hand.advance(FAILURE_LASTS);
        assert_eq!(name(other(Ok(new)).await).unwrap(), "new");
        assert!(!bench.slot.used_to_work(READ));
        // A later denial of the old one is answered with the new one.
        assert_eq!(name(other(throttled()).await).unwrap(), "new");
    }
}
