//! How long to wait after a failure: exponential backoff with full jitter, with limits for each kind
//! of question. Nothing here sleeps: the caller keeps the due time.
//!
//! Source: AWS Architecture Blog, "Exponential Backoff And Jitter".

use std::time::Duration;

/// The shortest pause.
const SHORTEST: Duration = Duration::from_secs(1);

/// Pauses whose ceiling doubles with each failure in a row, from `first` to `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    most: Duration,
}

impl Backoff {
    /// For live probes: from one interval to ten, at most five minutes. A throttled account must not
    /// go unpolled for longer.
    #[must_use]
    pub fn live(interval: Duration) -> Self {
        Self {
            first: interval,
            most: (interval * 10)
                .min(Duration::from_secs(5 * 60))
                .max(interval),
        }
    }

    /// For reports and lists of accounts, which change slowly: up to 15 intervals, at most 15
    /// minutes.
    #[must_use]
    pub fn slow(interval: Duration) -> Self {
        let most = (interval * 15).min(Duration::from_secs(15 * 60));
        Self {
            first: interval.min(Duration::from_secs(30)),
            most,
        }
    }

    /// For the caller's identity and the renewal of sessions: from one second to one minute, but not
    /// more than `most`.
    #[must_use]
    pub fn quick(most: Duration) -> Self {
        Self {
            first: SHORTEST,
            most: most.min(Duration::from_secs(60)),
        }
    }

    /// The longest pause after this many failures in a row.
    #[must_use]
    pub fn ceiling(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        self.first.saturating_mul(1 << doublings).min(self.most)
    }

    /// The pause after this many failures in a row. `draw` is a random number from 0 to 1.
    #[must_use]
    pub fn pause(&self, failures: u32, draw: f64) -> Duration {
        let ceiling = self.ceiling(failures);
        ceiling
            .mul_f64(draw.clamp(0.0, 1.0))
            .max(SHORTEST.min(ceiling))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_live_source_backs_off_from_one_interval_to_ten_but_not_past_five_minutes() {
        let second = Backoff::live(SECOND);
        assert_eq!(second.ceiling(1), SECOND);
        assert_eq!(second.ceiling(2), SECOND * 2);
        assert_eq!(second.ceiling(9), SECOND * 10);
        let minute = Backoff::live(SECOND * 60);
        assert_eq!(minute.ceiling(1), SECOND * 60);
        assert_eq!(minute.ceiling(30), SECOND * 300);
    }

    #[test]
    fn the_identity_backs_off_from_a_second_to_a_minute_and_within_the_interval() {
        let ceilings =
            |most| [1, 2, 3, 7, 9].map(|nth| Backoff::quick(most).ceiling(nth).as_secs());
        assert_eq!(ceilings(SECOND * 3600), [1, 2, 4, 60, 60]);
        assert_eq!(ceilings(SECOND * 3), [1, 2, 3, 3, 3]);
    }

    #[test]
    fn a_report_backs_off_to_fifteen_minutes() {
        assert_eq!(Backoff::slow(SECOND * 60).ceiling(u32::MAX), SECOND * 900);
        assert_eq!(Backoff::slow(SECOND).ceiling(u32::MAX), SECOND * 15);
    }

    proptest! {
        #[test]
        fn a_pause_is_at_least_a_second_and_at_most_its_ceiling(
            interval in 1u32..3600, failures in 1u32..100, draw in 0.0..=1.0f64,
        ) {
            let interval = SECOND * interval;
            for backoff in [Backoff::live(interval), Backoff::slow(interval), Backoff::quick(interval)] {
                let pause = backoff.pause(failures, draw);
                prop_assert!(pause <= backoff.ceiling(failures));
                prop_assert!(pause >= SECOND);
                prop_assert!(backoff.ceiling(failures) <= backoff.ceiling(failures + 1));
            }
        }
    }
}
