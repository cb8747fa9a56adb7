//! When a session is opened again, and how many calls that takes.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::clock::Clock;

/// A slot that numbers its sessions.
struct Bench {
    slot: Arc<Slot>,
    opened: Arc<AtomicUsize>,
    calls: Cell<usize>,
}

impl Bench {
    fn new() -> Self {
        let (clock, _hand) = Clock::manual(Timestamp::default());
        Self {
            slot: Arc::new(Slot::new(
                "a session",
                &clock,
                Duration::from_secs(30),
                None,
            )),
            opened: Arc::default(),
            calls: Cell::default(),
        }
    }

    /// Makes a call that fails with the reason that `refuses` returns for the number of its session.
    async fn call(
        &self,
        denial: Denial,
        refuses: impl Fn(usize) -> Option<Reason>,
    ) -> Option<Reason> {
        let open = |_| {
            let nth = self.opened.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                Ok(Session {
                    credentials: Credentials::new(nth.to_string(), "", None, None, "test"),
                    account: None,
                    ends: None,
                    file_changes: 0,
                })
            }
        };
        let refuses = &refuses;
        let call = |session: Session| async move {
            self.calls.update(|calls| calls + 1);
            let nth = session.credentials.access_key_id().parse().unwrap();
            refuses(nth).map_or(Ok(()), |reason| {
                Err(Failure::new(reason, "as the test has it"))
            })
        };
        let result = with_slot(&self.slot, open, ASSUME_ROLE, denial, call).await;
        result.err().map(|failure| failure.reason)
    }

    /// The number of opened sessions, and of calls.
    fn counts(&self) -> (usize, usize) {
        (self.opened.load(Ordering::SeqCst), self.calls.get())
    }
}

const DENIED: Option<Reason> = Some(Reason::AccessDenied);

#[tokio::test]
async fn a_session_that_is_revoked_is_opened_again_at_the_first_denial() {
    let bench = Bench::new();
    let revoked = |nth| if nth == 1 { DENIED } else { None };
    assert_eq!(bench.call(Denial::OfSession, |_| None).await, None);
    assert_eq!(bench.call(Denial::OfSession, revoked).await, None);
    assert_eq!(bench.counts(), (2, 3));
}

#[tokio::test]
async fn a_denial_opens_a_new_session_only_after_the_operation_has_worked() {
    let bench = Bench::new();
    for _ in 0..3 {
        assert_eq!(bench.call(Denial::OfSession, |_| DENIED).await, DENIED);
    }
    assert_eq!(bench.counts(), (1, 3));
    for sessions in 2..=3 {
        assert_eq!(bench.call(Denial::OfSession, |_| None).await, None);
        for _ in 0..3 {
            assert_eq!(bench.call(Denial::OfSession, |_| DENIED).await, DENIED);
        }
        assert_eq!(bench.counts().0, sessions);
    }
}

#[tokio::test]
async fn a_denied_target_opens_no_new_session() {
    let bench = Bench::new();
    for _ in 0..3 {
        assert_eq!(bench.call(Denial::OfTarget, |_| None).await, None);
        assert_eq!(bench.call(Denial::OfTarget, |_| DENIED).await, DENIED);
    }
    assert_eq!(bench.counts(), (1, 6));
}

#[tokio::test]
async fn an_ended_session_is_opened_again_once_a_call() {
    let bench = Bench::new();
    let ended = Some(Reason::Credentials);
    let first = |nth| if nth == 1 { ended } else { None };
    assert_eq!(bench.call(Denial::OfTarget, first).await, None);
    assert_eq!(bench.counts(), (2, 2));
    assert_eq!(bench.call(Denial::OfTarget, |_| ended).await, ended);
    assert_eq!(bench.counts(), (3, 4));
}

#[test]
fn the_arn_of_an_assumed_role_has_its_account() {
    assert_eq!(
        account_of_arn("arn:aws-us-gov:sts::000000000012:assumed-role/x/y"),
        Some("000000000012".parse().unwrap())
    );
    assert_eq!(account_of_arn("arn:aws:sts"), None);
}
