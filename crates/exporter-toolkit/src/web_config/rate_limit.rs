//! `rate_limit`: a token bucket for the requests of all clients together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Holds up to `burst` tokens, and gets one more each `interval`. A request takes one.
#[derive(Debug)]
pub(super) struct Bucket {
    interval: Duration,
    burst: u32,
    /// When the bucket was empty, from which follows how much it holds now.
    empty_at: Mutex<Option<Instant>>,
}

impl Bucket {
    pub fn new(interval: Duration, burst: u32) -> Self {
        Self {
            interval,
            burst,
            empty_at: Mutex::new(None),
        }
    }

    /// Takes a token, if there is one.
    pub fn take(&self, now: Instant) -> bool {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        // Full, it was empty `burst` intervals ago; no instant lies further back than the clock's
        // first, where a bucket that is not full yet is right too.
        let full = now.checked_sub(self.interval.saturating_mul(self.burst));
        let since = match (*empty_at, full) {
            (Some(empty_at), Some(full)) => empty_at.max(full),
            (Some(empty_at), None) => empty_at,
            (None, Some(full)) => full,
            (None, None) => return true,
        };
        match since.checked_add(self.interval) {
            Some(next) if next <= now => {
                *empty_at = Some(next);
                true
            }
            _ => false,
        }
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
