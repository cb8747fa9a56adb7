//! The judged values of one account's root user.

use crate::observation::Source;
use crate::time::{Moment, Timestamp};

/// One value with the evidence behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The value. Read it with [`Metric::at`], which withholds it once it has expired.
    pub value: u8,
    /// The newest source that supports the value.
    pub source: Source,
    /// When that source's evidence was true, by AWS's clock.
    pub observed: Timestamp,
    /// For a fine value: the moment at which it expires.
    pub fine_until: Option<Moment>,
}

impl Metric {
    /// The value, unless it has expired at `now`.
    #[must_use]
    pub fn at(&self, now: Moment) -> Option<u8> {
        match self.fine_until {
            Some(until) if now >= until => None,
            _ => Some(self.value),
        }
    }
}

/// The values of one account's root user. One that was never learned is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Posture {
    /// Access keys that are active: 0, 1 or 2.
    pub keys_active: Option<Metric>,
    /// Access keys that exist, active or not: 0, 1 or 2.
    pub keys_present: Option<Metric>,
    /// Signing certificates that are active: 0, 1 or 2.
    pub certificates_active: Option<Metric>,
    /// Whether MFA is on: 0 or 1.
    pub mfa_enabled: Option<Metric>,
    /// Whether there is a console password: 0 or 1.
    pub password_enabled: Option<Metric>,
    /// The source whose single keys agree with the values above; `None` where only a summary has
    /// counted them. [`crate::key_details`] uses it.
    pub keys_by: Option<Source>,
    /// When the account has to be judged again because time alone can change a value other than by
    /// its expiry.
    pub review_at: Option<Moment>,
}

impl Posture {
    /// Whether an alarm is worse than in `before`: more keys or certificates, or MFA that was turned
    /// off. An unknown value is no alarm.
    #[must_use]
    pub fn is_worse_than(&self, before: &Self) -> bool {
        let alarms = self.alarms().into_iter().zip(before.alarms());
        alarms.into_iter().any(|(now, then)| now > then)
    }

    /// Whether the alarms are those of `other`. A fine or unknown value is no alarm.
    #[must_use]
    pub fn has_alarms_of(&self, other: &Self) -> bool {
        self.alarms() == other.alarms()
    }

    /// Whether every metric has the same value as in `other`, whatever its evidence.
    #[must_use]
    pub fn has_values_of(&self, other: &Self) -> bool {
        self.values() == other.values()
    }

    /// Whether the root user has no MFA at `now` and may have a password to sign in with.
    #[must_use]
    pub fn lacks_mfa(&self, now: Moment) -> bool {
        let value = |metric: Option<Metric>| metric?.at(now);
        value(self.mfa_enabled) == Some(0) && value(self.password_enabled) != Some(0)
    }

    /// Whether it is known at `now` that there is no root access key, and nothing else alarms or can
    /// change with time alone.
    #[must_use]
    pub fn is_calm(&self, now: Moment) -> bool {
        let value = |metric: Option<Metric>| metric?.at(now);
        value(self.keys_active) == Some(0)
            && value(self.keys_present) == Some(0)
            && value(self.certificates_active).unwrap_or_default() == 0
            && !self.lacks_mfa(now)
            && self.review_at.is_none()
    }

    /// How many keys and certificates there are, and whether MFA is off.
    fn alarms(&self) -> [u8; 4] {
        let [active, present, certificates, mfa, _] = self.values();
        let count = Option::unwrap_or_default;
        let mfa_off = u8::from(mfa == Some(0));
        [count(active), count(present), count(certificates), mfa_off]
    }

    fn values(&self) -> [Option<u8>; 5] {
        [
            self.keys_active,
            self.keys_present,
            self.certificates_active,
            self.mfa_enabled,
            self.password_enabled,
        ]
        .map(|metric| metric.map(|metric| metric.value))
    }
}
