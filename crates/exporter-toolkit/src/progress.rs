//! How far a connection is: its phase, the deadline of the phase, and how dispensable it is.
//!
//! A client gets one deadline at a time, and sending a little at a time extends none of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::settings::Limits;

/// How soon a request follows its connection. Without it connections that are accepted at the same
/// time would push each other out where each of the others has an answer in progress.
const FRESH: Duration = Duration::from_millis(100);

/// How long a client may take nothing of its answer before its place is given to another.
const STUCK: Duration = Duration::from_secs(1);

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// For the first request, TLS handshake included, or for the rest of a request's head.
    Head,
    /// For another request.
    Idle,
    /// For the answer to be made.
    Answering,
    /// For the client to take the answer's last bytes.
    Flushing,
}

/// The progress of a connection.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The lock is held for an assignment only.
    state: Mutex<State>,
    /// Notified once the connection shall end after the answer in progress.
    pub asked_to_end: Notify,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Whether its last request has a body, which is not read.
    has_body: bool,
    /// Whether its last request was answered and not refused.
    is_admitted: bool,
    /// Whether its TLS settings are chosen.
    has_begun: bool,
    /// When the client last took a part of an answer.
    moved: Instant,
}

/// How dispensable a connection is while its client waits for no answer: the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// Whether its request may be on the way, since it came a moment ago.
    is_fresh: bool,
    /// Whether its client does not take its answer.
    is_stuck: bool,
    is_admitted: bool,
    since: Instant,
}

impl Progress {
    /// The progress of a connection that was just accepted.
    pub fn begun() -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::Head,
                since: Instant::now(),
                has_body: false,
                is_admitted: false,
                has_begun: false,
                moved: Instant::now(),
            }),
            asked_to_end: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the TLS settings are chosen, or that there are none.
    pub fn begins(&self) {
        self.lock().has_begun = true;
    }

    /// Whether the TLS settings are chosen, so that newer ones end the connection.
    pub fn has_begun(&self) -> bool {
        self.lock().has_begun
    }

    /// Notes that the client took a part of an answer.
    pub fn wrote(&self) {
        self.lock().moved = Instant::now();
    }

    /// Notes that a request's head is complete.
    pub fn request(&self, has_body: bool) {
        let mut state = self.lock();
        state.phase = Phase::Answering;
        state.since = Instant::now();
        state.moved = state.since;
        state.has_body = has_body;
    }

    /// Notes that an answer was made.
    pub fn admitted(&self, is_admitted: bool) {
        self.lock().is_admitted = is_admitted;
    }

    /// Notes that the client sent something.
    pub fn read(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
            state.since = Instant::now();
        }
    }

    /// Notes that hyper has the answer's last bytes. The deadline stays.
    pub fn answered(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Answering {
            state.phase = Phase::Flushing;
        }
    }

    /// Notes that the system has all that hyper had.
    pub fn flushed(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Flushing && !state.has_body {
            state.phase = Phase::Idle;
            state.since = Instant::now();
        }
    }

    /// Whether the client may still be sending a request that is not read.
    pub fn request_unread(&self) -> bool {
        let state = self.lock();
        match state.phase {
            Phase::Head => true,
            Phase::Idle => false,
            Phase::Answering | Phase::Flushing => state.has_body,
        }
    }

    /// When the phase must have ended.
    pub fn deadline(&self, limits: &Limits) -> Instant {
        let state = self.lock();
        state.since
            + match state.phase {
                Phase::Head => limits.head_timeout,
                Phase::Idle => limits.idle_timeout,
                Phase::Answering | Phase::Flushing => limits.answer_timeout,
            }
    }

    /// How dispensable the connection is; `None` while its client waits for an answer or takes one.
    pub fn rank(&self) -> Option<Rank> {
        let state = self.lock();
        let is_stuck = match state.phase {
            Phase::Head | Phase::Idle => false,
            Phase::Flushing if state.moved.elapsed() >= STUCK => true,
            Phase::Answering | Phase::Flushing => return None,
        };
        Some(Rank {
            is_fresh: state.since.elapsed() < FRESH,
            is_stuck,
            is_admitted: state.is_admitted,
            since: state.since,
        })
    }

    /// Whether no answer is in progress on it.
    pub fn is_waiting(&self) -> bool {
        matches!(self.lock().phase, Phase::Head | Phase::Idle)
    }
}

/// Picks the connection that is closed to make room for another.
///
/// The lowest rank, but of two groups the larger gives way: clients that were admitted and wait, and
/// those that came a moment ago. So neither a flood of connections ends the one that a scraper keeps,
/// nor do idle clients end that of a scraper whose request is on the way.
pub(crate) fn most_dispensable<T>(ranked: Vec<(Rank, T)>) -> Option<T> {
    let is_new = |rank: &Rank| rank.is_fresh && !rank.is_admitted;
    let new = ranked.iter().filter(|(rank, _)| is_new(rank)).count();
    let admitted = ranked.iter().filter(|(rank, _)| rank.is_admitted).count();
    let only_new = new > admitted && new + admitted == ranked.len();
    let ranked = ranked.into_iter();
    ranked
        .filter(|(rank, _)| !only_new || is_new(rank))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, connection)| connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the phase may last.
    fn allowed(progress: &Progress) -> Duration {
        let since = progress.lock().since;
        progress.deadline(&Limits::default()) - since
    }

    #[test]
    fn each_phase_has_its_own_deadline() {
        let limits = Limits::default();
        let progress = Progress::begun();
        assert_eq!(allowed(&progress), limits.head_timeout);
        progress.request(false);
        assert_eq!(allowed(&progress), limits.answer_timeout);
        progress.answered();
        progress.flushed();
        assert_eq!(allowed(&progress), limits.idle_timeout);
        progress.read();
        assert_eq!(allowed(&progress), limits.head_timeout);
    }

    #[test]
    fn a_request_in_small_pieces_gets_no_more_time() {
        let limits = Limits::default();
        let progress = Progress::begun();
        let before = progress.deadline(&limits);
        progress.read();
        assert_eq!(progress.deadline(&limits), before);
    }

    #[test]
    fn an_answer_that_is_made_and_not_taken_gets_no_more_time() {
        let limits = Limits::default();
        let progress = Progress::begun();
        progress.request(false);
        let before = progress.deadline(&limits);
        progress.answered();
        assert_eq!(progress.deadline(&limits), before);
    }

    #[test]
    fn flushing_before_the_answer_is_made_ends_nothing() {
        let progress = Progress::begun();
        progress.request(false);
        progress.flushed();
        assert_eq!(progress.lock().phase, Phase::Answering);
    }

    #[test]
    fn a_refused_client_is_dispensable_first_then_the_one_that_waits_longest() {
        let [refused, first, second, busy] = [(); 4].map(|()| Progress::begun());
        for (progress, is_admitted) in [(&first, true), (&second, true), (&refused, false)] {
            progress.request(false);
            assert_eq!(progress.rank(), None, "an answer is in progress");
            progress.admitted(is_admitted);
            progress.answered();
            progress.flushed();
        }
        busy.request(false);
        let aged = |progress: &Progress| {
            progress.rank().map(|rank| Rank {
                is_fresh: false,
                ..rank
            })
        };
        assert!(aged(&refused) < aged(&first));
        assert!(
            aged(&second) < Progress::begun().rank(),
            "its request may be on the way"
        );
        assert!(aged(&first) < aged(&second));
        assert!(!busy.is_waiting() && second.is_waiting());
    }

    #[test]
    fn the_larger_group_of_admitted_and_new_clients_gives_way() {
        let start = Instant::now();
        let rank = |is_admitted: bool, is_fresh: bool, millis: u64| Rank {
            is_fresh,
            is_stuck: false,
            is_admitted,
            since: start + Duration::from_millis(millis),
        };
        let pick = |ranks: &[Rank]| {
            let ranked = ranks.iter().copied().enumerate();
            most_dispensable(ranked.map(|(number, rank)| (rank, number)).collect())
        };
        let (kept, new, newer) = (
            rank(true, false, 0),
            rank(false, true, 1),
            rank(false, true, 2),
        );
        assert_eq!(pick(&[kept, newer, new]), Some(2), "a flood");
        assert_eq!(pick(&[kept, kept, new]), Some(0), "idle clients");
        let silent = rank(false, false, 3);
        assert_eq!(pick(&[kept, newer, new, silent]), Some(3));
        assert_eq!(pick(&[]), None);
    }
}
