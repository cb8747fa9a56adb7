//! Spreads the polls of all accounts over the interval. Nothing here reads a clock.

use std::time::Duration;

use root_posture::Moment;

/// The place of an account in the interval, so that the polls of all accounts spread evenly.
///
/// The n-th account gets the fractional part of n times the golden ratio: however many there are
/// and whenever they join, no two are close and no gap is wide (a low-discrepancy sequence). Of many
/// accounts, [`TOGETHER`] neighbours share a place: they are also neighbours in the metrics, of which
/// a scrape renders the parts again in which an account was polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase(Duration);

/// So many accounts have places of their own.
const FEW: u32 = 1024;

/// So many of the others share one.
const TOGETHER: u32 = 64;

impl Phase {
    pub fn of(nth: u32, interval: Duration) -> Self {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let place = nth.min(FEW) + nth.saturating_sub(FEW) / TOGETHER;
        Self(interval.mul_f64((f64::from(place) * GOLDEN).fract()))
    }

    /// The first of this phase's times at or after `from`.
    pub fn next(self, from: Moment, interval: Duration) -> Moment {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let step = millis(interval).max(1);
        let phase = millis(self.0) % step;
        let past = (from.millis() - phase).rem_euclid(step);
        from.shifted(if past == 0 { 0 } else { step - past })
    }
}

/// Starts the due probes of many accounts together, at the ends of quarters of a second.
///
/// A call that comes alone finds the processor's caches cold and costs up to three times as much CPU
/// as one of many. For fewer than a thousand accounts that is not worth the delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beat(i64);

impl Beat {
    pub fn of(accounts: usize) -> Self {
        Self(if accounts < 1000 { 1 } else { 250 })
    }

    /// The last end of a beat at or before `moment`: probes that were due by then start.
    pub fn before(self, moment: Moment) -> Moment {
        moment.shifted(-moment.millis().rem_euclid(self.0))
    }

    /// The first end of a beat at or after `moment`.
    pub fn after(self, moment: Moment) -> Moment {
        moment.shifted((-moment.millis()).rem_euclid(self.0))
    }
}

/// The delay of the first poll of the n-th of `count` new accounts: 200 accounts a second, or all within
/// one interval if there are more.
pub(super) fn first_delay(nth: usize, count: usize, interval: Duration) -> Duration {
    const PACE: Duration = Duration::from_millis(5);
    let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    let pace = PACE.min(interval / count);
    pace.saturating_mul(u32::try_from(nth).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    #[test]
    fn ten_thousand_accounts_are_polled_evenly() {
        let mut parts = [0u32; 12];
        for nth in 0..10_000 {
            let second = usize::try_from(Phase::of(nth, INTERVAL).0.as_secs()).unwrap();
            parts[second / 5] += 1;
        }
        for count in parts {
            assert!((740..=930).contains(&count), "{count} in five seconds");
        }
    }

    #[test]
    fn a_few_accounts_have_places_of_their_own_and_neighbours_of_many_share_one() {
        let places = |accounts: std::ops::Range<u32>| {
            let phases = accounts.map(|nth| Phase::of(nth, INTERVAL).0);
            phases.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(places(0..FEW), 1024);
        assert_eq!(places(FEW..FEW + 128), 2);
        assert_eq!(places(0..10_000), 1024 + 141);
    }

    #[test]
    fn first_polls_are_spread_and_a_few_accounts_are_polled_at_once() {
        assert!(first_delay(2, 3, INTERVAL) < Duration::from_millis(50));
        assert!(first_delay(9_999, 10_000, INTERVAL) > Duration::from_secs(45));
        assert!(first_delay(99_999, 100_000, INTERVAL) <= INTERVAL);
    }

    #[test]
    fn a_beat_delays_the_many_by_a_quarter_of_a_second_and_the_few_not_at_all() {
        let moment = Moment::from_millis(60_001);
        for (accounts, after) in [(999, 60_001), (1000, 60_250)] {
            let beat = Beat::of(accounts);
            let after = Moment::from_millis(after);
            assert_eq!(beat.after(moment), after);
            assert_eq!(beat.before(after), after);
            assert!(beat.before(moment) <= moment);
            assert_eq!(beat.after(beat.before(moment)), beat.before(moment));
        }
    }

    proptest! {
        #[test]
        fn a_phase_comes_once_an_interval_and_does_not_drift(
            nth in 0u32..100_000, from in -100_000i64..10_000_000, millis in 1u64..100_000,
        ) {
            let interval = Duration::from_millis(millis);
            let phase = Phase::of(nth, interval);
            let from = Moment::from_millis(from);
            let next = phase.next(from, interval);
            prop_assert!(next >= from && next.since(from) < interval);
            prop_assert_eq!(phase.next(next, interval), next);
            prop_assert_eq!(phase.next(next.shifted(1), interval), next + interval);
        }
    }
}
