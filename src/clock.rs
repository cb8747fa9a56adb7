//! The clock of the program. Time enters here and nowhere else, so that a test can move it.
//!
//! There are two kinds of time, with a type each. A [`Timestamp`] is a point on the calendar, to
//! compare with AWS's times and to show to people. A [`Moment`] is a point on the monotonic clock, for
//! ages and for the schedule. Nothing sets that clock back, and it goes on while the machine is
//! suspended: otherwise old evidence would seem fresh.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use root_posture::{Moment, Timestamp};
use tokio::sync::watch;

/// How late a sleep may end after the machine was suspended. The runtime's timers stop meanwhile, so
/// a longer sleep is made of pieces of this length.
const LATE_AFTER_RESUME: Duration = Duration::from_secs(10);

/// The system's clock, or one that a test moves by its [`Hand`]. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// The value of [`since_boot`] when the clock was made.
    System(Duration),
    Manual(watch::Receiver<Reading>),
}

/// The times of a manual clock.
#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: Timestamp,
    moment: Moment,
}

/// Moves a manual clock.
#[derive(Clone, Debug)]
pub struct Hand(Arc<watch::Sender<Reading>>);

impl Clock {
    /// The system's clock. Its moments count from now.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System(since_boot()))
    }

    /// A clock that starts at `wall` and moment 0, and stops until its hand is moved.
    #[must_use]
    pub fn manual(wall: Timestamp) -> (Self, Hand) {
        let (sender, receiver) = watch::channel(Reading {
            wall,
            moment: Moment::default(),
        });
        (Self(Kind::Manual(receiver)), Hand(Arc::new(sender)))
    }

    /// The time of day, by the local clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            #[allow(clippy::disallowed_methods, reason = "this is the clock")]
            Kind::System(_) => timestamp(SystemTime::now()),
            Kind::Manual(reading) => reading.borrow().wall,
        }
    }

    /// The moment by the monotonic clock, which goes on while the machine is suspended.
    #[must_use]
    pub fn moment(&self) -> Moment {
        match &self.0 {
            Kind::System(origin) => Moment::default() + since_boot().saturating_sub(*origin),
            Kind::Manual(reading) => reading.borrow().moment,
        }
    }

    /// Waits until the clock has reached `moment`, and up to ten seconds longer after the machine was
    /// suspended. Cancel safe.
    pub async fn sleep_until(&self, moment: Moment) {
        match &self.0 {
            Kind::System(_) => loop {
                let left = moment.since(self.moment());
                tokio::time::sleep(left.min(LATE_AFTER_RESUME)).await;
                if self.moment() >= moment {
                    return;
                }
            },
            Kind::Manual(reading) => {
                let mut reading = reading.clone();
                let reached = |reading: &Reading| reading.moment >= moment;
                if reading.wait_for(reached).await.is_err() {
                    // The hand was dropped, so this clock has stopped for ever.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl Hand {
    /// Lets time pass, by both clocks.
    pub fn advance(&self, duration: Duration) {
        self.0.send_modify(|reading| {
            reading.wall = reading.wall.plus(duration);
            reading.moment = reading.moment + duration;
        });
    }

    /// Sets the wall clock alone, as an operator or NTP does.
    pub fn set_wall(&self, wall: Timestamp) {
        self.0.send_modify(|reading| reading.wall = wall);
    }
}

/// The timestamp of a system time. One before 1970 becomes 1970.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// The time since the machine started, suspended or not.
///
/// Source: `clock_gettime(2)`, `CLOCK_BOOTTIME`.
#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    // It is never negative.
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// The time since the first call. It depends on the system whether the time of a suspended machine
/// counts.
#[cfg(not(target_os = "linux"))]
fn since_boot() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleep_ends_when_the_hand_reaches_its_moment() {
        let (clock, hand) = Clock::manual(Timestamp::from_unix(1_000));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(Moment::from_millis(2_000)).await }
        });
        hand.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        hand.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
        assert_eq!(clock.now(), Timestamp::from_unix(1_002));
    }

    #[test]
    fn the_monotonic_clock_ignores_changes_of_the_wall_clock() {
        let (clock, hand) = Clock::manual(Timestamp::from_unix(1_000));
        hand.advance(Duration::from_secs(60));
        hand.set_wall(Timestamp::from_unix(5));
        assert_eq!(clock.now(), Timestamp::from_unix(5));
        assert_eq!(clock.moment(), Moment::from_millis(60_000));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_clock_counts_the_time_of_a_suspended_machine() {
        // The kernel's uptime does; in a namespace of its own it differs from CLOCK_MONOTONIC.
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let apart = (since_boot().as_secs_f64() - uptime).abs();
        assert!(apart < 1.0, "{apart} s");
    }

    #[tokio::test]
    async fn a_sleep_of_the_system_clock_does_not_end_before_its_moment() {
        let clock = Clock::system();
        let moment = clock.moment() + Duration::from_millis(5);
        clock.sleep_until(moment).await;
        assert!(clock.moment() >= moment);
    }
}
