//! The one clock. Time enters the program here and nowhere else, so that a test can move it.
//!
//! There are two kinds of time and they are different types. A [`Timestamp`] is a point on the
//! calendar, for comparing with what AWS says and for showing to people. A [`Moment`] is a point
//! on the process's monotonic clock, for ages and for the schedule: nobody can set it back.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;

/// A point in time: whole seconds since the Unix epoch, UTC, as AWS's reports and headers give it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time that many seconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 time with any offset (`2026-09-11T13:14:52Z`, `…+00:00`), cutting off
    /// fractions of a second. `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .map(|time| Self(time.unix_timestamp()))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This time, `duration` later. Fractions of a second are cut off.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)),
        )
    }

    /// This time, `duration` earlier. Fractions of a second are cut off.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC: `2026-09-11T13:14:52Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match OffsetDateTime::from_unix_timestamp(self.0)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok())
        {
            Some(text) => f.write_str(&text),
            None => write!(f, "@{}", self.0),
        }
    }
}

/// A point on the monotonic clock: milliseconds since the process's clock was made. Negative for
/// what happened before that, as evidence read from the state file did.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    /// The moment that many milliseconds after the clock was made.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the clock was made.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment moved by so many milliseconds, back when negative.
    #[must_use]
    pub fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.shifted(millis(duration))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        self.shifted(-millis(duration))
    }
}

/// The clock: the system's, or one that a test moves by its [`Hand`]. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System(Instant),
    Manual(watch::Receiver<Reading>),
}

/// What a manual clock shows.
#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: Timestamp,
    moment: Moment,
}

/// Moves a manual clock.
#[derive(Clone, Debug)]
pub struct Hand(Arc<watch::Sender<Reading>>);

impl Clock {
    /// The system's clock; its moments count from now.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System(Instant::now()))
    }

    /// A clock that stands at `wall` and moment 0 until its hand is moved.
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
            Kind::System(_) => Timestamp(match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |s| -s),
            }),
            Kind::Manual(reading) => reading.borrow().wall,
        }
    }

    /// The moment by the monotonic clock.
    #[must_use]
    pub fn moment(&self) -> Moment {
        match &self.0 {
            Kind::System(origin) => Moment(millis(origin.elapsed())),
            Kind::Manual(reading) => reading.borrow().moment,
        }
    }

    /// Waits until the clock has reached `moment`. Cancel safe.
    pub async fn sleep_until(&self, moment: Moment) {
        match &self.0 {
            Kind::System(_) => tokio::time::sleep(moment.since(self.moment())).await,
            Kind::Manual(reading) => {
                let mut reading = reading.clone();
                if reading
                    .wait_for(|reading| reading.moment >= moment)
                    .await
                    .is_err()
                {
                    // The hand is gone, so this clock stands still for ever.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl Hand {
    /// Lets time pass: the wall clock and the monotonic one go on by `duration`.
    pub fn advance(&self, duration: Duration) {
        self.0.send_modify(|reading| {
            reading.wall = reading.wall.plus(duration);
            reading.moment = reading.moment + duration;
        });
    }

    /// Sets the wall clock, as an operator or NTP does; the monotonic one does not notice.
    pub fn set_wall(&self, wall: Timestamp) {
        self.0.send_modify(|reading| reading.wall = wall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_utc_are_the_same_time() {
        let z = Timestamp::parse("2026-09-11T13:14:52Z").unwrap();
        assert_eq!(Timestamp::parse("2026-09-11T13:14:52+00:00"), Some(z));
        assert_eq!(Timestamp::parse("2026-09-11T15:14:52.9+02:00"), Some(z));
        assert_eq!(z.to_string(), "2026-09-11T13:14:52Z");
        assert_eq!(Timestamp::parse("N/A"), None);
    }

    #[test]
    fn an_age_is_never_below_zero() {
        let earlier = Timestamp::from_unix(100);
        assert_eq!(
            earlier.since(Timestamp::from_unix(150)),
            Duration::ZERO,
            "of a time in the future"
        );
        assert_eq!(
            Moment::from_millis(-5).since(Moment::from_millis(5)),
            Duration::ZERO
        );
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_hand_passes_its_moment() {
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
    fn setting_the_wall_clock_back_does_not_move_the_monotonic_one() {
        let (clock, hand) = Clock::manual(Timestamp::from_unix(1_000));
        hand.advance(Duration::from_secs(60));
        hand.set_wall(Timestamp::from_unix(5));
        assert_eq!(clock.now(), Timestamp::from_unix(5));
        assert_eq!(clock.moment(), Moment::from_millis(60_000));
    }
}
