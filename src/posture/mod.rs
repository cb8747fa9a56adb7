//! Evidence in, figures out: the rules that decide what is known of an account's root user.
//!
//! Pure: no I/O, no clock; every time is an argument. Nothing outside this room decides what a
//! figure is, and nothing in it knows how a figure is named or shown.
//!
//! * [`Record`] takes the evidence of one account as it arrives and is what the state file keeps.
//! * `count` holds the rules for things that are counted: access keys, signing certificates.
//! * `flag` holds the rules for what is on or off: MFA, the password.
//! * `onset` follows since when there is an active key.
//!
//! The invariants, each kept by a property test in `properties`: a figure is always supported by
//! evidence; unknown is never 0; a fine value is never shown past its staleness; an alarming one
//! is never dropped by failure or age; raising takes one witness, lowering two looks.

mod count;
mod flag;
mod onset;
#[cfg(test)]
mod properties;
mod record;
#[cfg(test)]
mod rules;

use std::time::Duration;

use crate::clock::{Moment, Timestamp};
use crate::evidence::{Source, Stamp};

use count::Judged;
pub use onset::Onset;
pub use record::{Awaited, Demand, Look, Record, ReportFacts};

/// How much older than its GeneratedTime the content of a credential report may be, and so how
/// much later than a live answer a report must be to speak alone.
pub const REPORT_BLUR: Duration = Duration::from_secs(15 * 60);

/// How long a cold start waits for a report in the making before it shows an unexplained key as
/// active.
pub const COLD_WAIT: Duration = Duration::from_secs(2 * 60);

/// How long a value that says "fine" is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `refresh.max_staleness`: the greatest age of the evidence behind it.
    pub max_staleness: Duration,
    /// `refresh.max_live_staleness`: how long no look may have worked, in an account that had one.
    pub max_live_staleness: Duration,
}

/// What is known of one account's root user. A figure that was never learnt is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Posture {
    /// Access keys that are active: 0, 1 or 2.
    pub keys_active: Option<Figure>,
    /// Since when there is an active access key, as far as was seen.
    pub keys_active_since: Option<Onset>,
    /// Access keys that exist, active or not: 0, 1 or 2.
    pub keys_present: Option<Figure>,
    /// Signing certificates that are active: 0, 1 or 2.
    pub certificates_active: Option<Figure>,
    /// Whether MFA is on: 0 or 1.
    pub mfa_enabled: Option<Figure>,
    /// Whether there is a console password: 0 or 1.
    pub password_enabled: Option<Figure>,
}

/// One value with the evidence behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The value. Ask [`Figure::at`] before showing it.
    pub value: u8,
    /// The newest source that supports it.
    pub source: Source,
    /// When that source's evidence was true, by AWS's clock.
    pub observed: Timestamp,
    /// For a value that says "fine": the moment from which it is no longer believed.
    pub fine_until: Option<Moment>,
}

impl Figure {
    /// The value as far as it is believed at `now`.
    #[must_use]
    pub fn at(&self, now: Moment) -> Option<u8> {
        match self.fine_until {
            Some(until) if now >= until => None,
            _ => Some(self.value),
        }
    }
}

impl Posture {
    /// Whether anything alarming is worse here than in `before`: more keys or certificates, MFA
    /// gone. Unknown counts as no alarm.
    #[must_use]
    pub fn is_worse_than(&self, before: &Self) -> bool {
        let value = |figure: Option<Figure>| figure.map(|figure| figure.value);
        let more = |now, then| value(now).unwrap_or(0) > value(then).unwrap_or(0);
        more(self.keys_active, before.keys_active)
            || more(self.keys_present, before.keys_present)
            || more(self.certificates_active, before.certificates_active)
            || (value(self.mfa_enabled) == Some(0) && value(before.mfa_enabled) != Some(0))
    }
}

impl Posture {
    /// Whether every figure has the same value here as in `other`, whatever evidence is behind it.
    #[must_use]
    pub fn has_values_of(&self, other: &Self) -> bool {
        self.values() == other.values()
    }

    /// Whether what is alarming is the same here as in `other`: what says "fine" and what is
    /// unknown count as no alarm.
    #[must_use]
    pub fn alarms_like(&self, other: &Self) -> bool {
        self.alarms() == other.alarms()
    }

    /// More keys and certificates than none, and MFA that is off.
    fn alarms(&self) -> [Option<u8>; 4] {
        let value = |figure: Option<Figure>| figure.map(|figure| figure.value);
        let some = |figure| value(figure).filter(|count| *count > 0);
        [
            some(self.keys_active),
            some(self.keys_present),
            some(self.certificates_active),
            value(self.mfa_enabled).filter(|on| *on == 0),
        ]
    }

    fn values(&self) -> [Option<u8>; 5] {
        [
            self.keys_active,
            self.keys_present,
            self.certificates_active,
            self.mfa_enabled,
            self.password_enabled,
        ]
        .map(|figure| figure.map(|figure| figure.value))
    }
}

/// A source that supports a value, and when it was true.
type Support = (Source, Stamp);

/// What the age of a value is measured by, beside its own evidence.
#[derive(Clone, Copy, Debug)]
struct Freshness {
    limits: Limits,
    /// The newest look that worked, whatever it said; `None` where the account never had one.
    last_look: Option<Stamp>,
}

impl Freshness {
    /// The moment from which a fine value that rests on this evidence is no longer believed.
    fn expires(&self, (source, stamp): Support) -> Moment {
        let by_age = stamp.expires(self.limits.max_staleness);
        match self.last_look {
            // A report generated since the last look speaks for itself.
            Some(look) if source != Source::CredentialReport || stamp.at <= look.at => {
                by_age.min(look.received + self.limits.max_live_staleness)
            }
            _ => by_age,
        }
    }

    /// A value with the newest of its supporters, and with the latest of their expiries where the
    /// value is fine.
    fn figure(&self, value: u8, fine: bool, supports: &[Option<Support>]) -> Option<Figure> {
        let supports = || supports.iter().flatten().copied();
        let (source, stamp) = supports().max_by_key(|(_, stamp)| stamp.at)?;
        Some(Figure {
            value,
            source,
            observed: stamp.at,
            fine_until: if fine {
                supports().map(|support| self.expires(support)).max()
            } else {
                None
            },
        })
    }
}
