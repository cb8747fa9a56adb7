//! Replicas that lag: what a root user was a short while ago.
//!
//! IAM is eventually consistent, so one answer may be old and the next one fresh. The real clock
//! measures the lag, as it does every delay. Only the last
//! states are kept; a longer lag gets the oldest.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::user::User;

/// How many states are kept.
const KEPT: usize = 16;

/// The states of a root user before the present one, oldest first, each with its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past(VecDeque<(Instant, User)>);

impl Past {
    /// Keeps a state that has just ended.
    pub(crate) fn keep(&mut self, state: User) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((Instant::now(), state));
    }

    /// The state of so long ago; `None` when it is still the present one.
    pub(crate) fn before(&self, lag: Duration) -> Option<&User> {
        let state = self.0.iter().find(|(ended, _)| ended.elapsed() < lag);
        state.map(|(_, state)| state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn a_replica_that_lags_shows_the_state_that_was_then() {
        let mut past = Past::default();
        assert_eq!(past.before(LONG), None);
        past.keep(User::new("first", 0));
        past.keep(User::new("second", 0));
        assert_eq!(past.before(LONG), Some(&User::new("first", 0)));
        assert_eq!(past.before(Duration::ZERO), None);
    }

    #[test]
    fn only_the_last_states_are_kept() {
        let mut past = Past::default();
        for created in 0..100 {
            past.keep(User::new("root", created));
        }
        assert_eq!(past.0.len(), KEPT);
        assert_eq!(past.before(LONG), Some(&User::new("root", 84)));
    }
}
