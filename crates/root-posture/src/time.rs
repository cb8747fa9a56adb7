//! The two kinds of time, which are different types so that they cannot be mixed.
//!
//! A [`Timestamp`] is a point on the calendar, as AWS reports and people read it. A [`Moment`] is
//! a point on the local monotonic clock: only moments are compared by the judgement.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use nonmax::NonMaxI64;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time: whole seconds since the Unix epoch, UTC, as AWS's reports and headers give it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(from = "i64", into = "i64")]
pub struct Timestamp(NonMaxI64);

impl Timestamp {
    /// The time that many seconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix(seconds: i64) -> Self {
        Self(clamped(seconds))
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn unix(self) -> i64 {
        self.0.get()
    }

    /// Reads an RFC 3339 time with any offset (`2026-09-11T13:14:52Z`, `…+00:00`), cutting off
    /// fractions of a second. `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .map(|time| Self::from_unix(time.unix_timestamp()))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let seconds = self.unix().saturating_sub(earlier.unix());
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }

    /// This time, `duration` later. Fractions of a second are cut off.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self::from_unix(self.unix().saturating_add(seconds(duration)))
    }

    /// This time, `duration` earlier. Fractions of a second are cut off.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self::from_unix(self.unix().saturating_sub(seconds(duration)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC: `2026-09-11T13:14:52Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = OffsetDateTime::from_unix_timestamp(self.unix()).ok();
        match time.and_then(|time| time.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "@{}", self.unix()),
        }
    }
}

/// A point on the local monotonic clock: milliseconds since the process's clock was made. Negative for
/// earlier events, such as evidence from the state database.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(from = "i64", into = "i64")]
pub struct Moment(NonMaxI64);

impl Moment {
    /// Before every other moment: stands for an event that never happened in comparisons.
    pub const NEVER: Self = Self::from_millis(i64::MIN);

    /// The moment that many milliseconds after the clock was made.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(clamped(millis))
    }

    /// Milliseconds since the clock was made.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.get()
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.millis().saturating_sub(earlier.millis());
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// This moment moved by so many milliseconds, back when negative.
    #[must_use]
    pub fn shifted(self, millis: i64) -> Self {
        Self::from_millis(self.millis().saturating_add(millis))
    }
}

/// `number`; but [`i64::MAX`] becomes the number below it. Leaving that one value out makes an `Option` of
/// a time as small as the time, and an account holds dozens.
const fn clamped(number: i64) -> NonMaxI64 {
    match NonMaxI64::new(number) {
        Some(number) => number,
        None => NonMaxI64::MAX,
    }
}

impl From<i64> for Timestamp {
    /// See [`Timestamp::from_unix`].
    fn from(seconds: i64) -> Self {
        Self::from_unix(seconds)
    }
}

impl From<Timestamp> for i64 {
    /// See [`Timestamp::unix`].
    fn from(time: Timestamp) -> Self {
        time.unix()
    }
}

impl From<i64> for Moment {
    /// See [`Moment::from_millis`].
    fn from(millis: i64) -> Self {
        Self::from_millis(millis)
    }
}

impl From<Moment> for i64 {
    /// See [`Moment::millis`].
    fn from(moment: Moment) -> Self {
        moment.millis()
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

    #[test]
    fn an_option_of_a_time_takes_no_more_than_the_time() {
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
        assert_eq!(size_of::<Option<Moment>>(), 8);
    }

    #[test]
    fn every_number_is_saved_and_read_as_itself_but_the_greatest() {
        for number in [i64::MIN, -1, 0, 1, i64::MAX - 1] {
            let text = number.to_string();
            let moment: Moment = serde_json::from_str(&text).unwrap();
            assert_eq!(moment.millis(), number);
            assert_eq!(serde_json::to_string(&moment).unwrap(), text);
            let time: Timestamp = serde_json::from_str(&text).unwrap();
            assert_eq!(time.unix(), number);
            assert_eq!(serde_json::to_string(&time).unwrap(), text);
        }
        assert_eq!(Moment::from_millis(i64::MAX).millis(), i64::MAX - 1);
        assert_eq!(Timestamp::from_unix(i64::MAX).unix(), i64::MAX - 1);
        assert!(Moment::NEVER < Moment::default());
    }
}
