//! The two kinds of time, which are different types so that they cannot be mixed.
//!
//! A [`Timestamp`] is a point on the calendar, as AWS reports and people read it. A [`Moment`] is
//! a point on the local monotonic clock: only moments are compared by the judgement.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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
        Self(self.0.saturating_add(seconds(duration)))
    }

    /// This time, `duration` earlier. Fractions of a second are cut off.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(seconds(duration)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC: `2026-09-11T13:14:52Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = OffsetDateTime::from_unix_timestamp(self.0).ok();
        match time.and_then(|time| time.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "@{}", self.0),
        }
    }
}

/// A point on the local monotonic clock: milliseconds since the process's clock was made. Negative for
/// earlier events, such as evidence from the state database.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    /// Before every other moment: stands for an event that never happened in comparisons.
    pub const NEVER: Self = Self(i64::MIN);

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

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
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
        assert_eq!(Moment::NEVER - Duration::from_secs(1), Moment::NEVER);
    }
}
