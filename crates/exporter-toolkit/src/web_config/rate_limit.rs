//! `rate_limit`: a token bucket for the requests of all clients together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Holds up to `burst` tokens, and gets one more each `interval`. A request takes one.
#[derive(Debug)]
pub(super) struct Bucket {
    interval: Duration,
    burst: u32,
    /// When it is full again, from which follows how many tokens it lacks now.
    full_at: Mutex<Option<Instant>>,
}

impl Bucket {
    pub fn new(interval: Duration, burst: u32) -> Self {
        Self {
            interval,
            burst,
            full_at: Mutex::new(None),
        }
    }

    /// Takes a token, if there is one.
    pub fn take(&self, now: Instant) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = full_at
            .map_or(now, |at| at.max(now))
            .checked_add(self.interval);
        // It lacks one token for each interval, and has `burst` at most.
        let lacks_all = self.interval.saturating_mul(self.burst);
        let next = next.filter(|next| next.duration_since(now) <= lacks_all);
        if next.is_some() {
            *full_at = next;
        }
        next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_each_interval() {
        let bucket = Bucket::new(Duration::from_millis(100), 3);
        let start = Instant::now() + Duration::from_secs(10);
        let at = |millis| start + Duration::from_millis(millis);
        let passed = |now| (0..5).filter(|_| bucket.take(now)).count();
        assert_eq!(passed(at(0)), 3);
        assert_eq!(passed(at(99)), 0);
        assert_eq!(passed(at(100)), 1);
        assert_eq!(passed(at(350)), 2);
        assert_eq!(passed(at(400)), 1, "half an interval is kept");
        assert_eq!(passed(at(60_000)), 3, "no more than the burst is saved");
    }
}
