//! Counts the IAM users of a report.
//!
//! It keeps times, not ages, so that the counts by age stay right between two reports. It never keeps
//! a name.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::content::UserRow;
use crate::time::Timestamp;

/// How many IAM users and credentials an account has, for the aggregate metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCounts {
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

impl UserCounts {
    /// Counts the users of a report.
    ///
    /// A password that was never used counts from its last change, a key from its rotation, and both
    /// from the user's creation where these are unknown. A credential without any known time is
    /// counted, but never as old or unused.
    #[must_use]
    pub fn of(users: &[UserRow]) -> Self {
        let mut counts = Self {
            users: u32::try_from(users.len()).unwrap_or(u32::MAX),
            ..Self::default()
        };
        for user in users {
            counts.add(user);
        }
        counts.key_rotations.sort_unstable();
        counts.last_uses.sort_unstable();
        counts
    }

    fn add(&mut self, user: &UserRow) {
        if user.password_enabled {
            self.password_enabled += 1;
            self.password_enabled_without_mfa += u32::from(!user.mfa_active);
            let changed = user.password_last_changed.or(user.created);
            self.last_uses.extend(user.password_last_used.or(changed));
        }
        for key in user.access_keys.iter().filter(|key| key.active) {
            self.access_keys_active += 1;
            self.key_rotations.extend(key.last_rotated);
            let rotated = key.last_rotated.or(user.created);
            self.last_uses.extend(key.last_used.or(rotated));
        }
        let certificates = user.certificates.iter();
        self.signing_certificates_active +=
            certificates.map(|it| u32::from(it.active)).sum::<u32>();
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

    /// When [`Self::keys_older_than`] is next another number than at `now`; `None` for never.
    #[must_use]
    pub fn next_old_key(&self, days: u32, now: Timestamp) -> Option<Timestamp> {
        next(&self.key_rotations, days, now)
    }

    /// When [`Self::credentials_unused_for`] is next another number than at `now`; `None` for never.
    #[must_use]
    pub fn next_unused_credential(&self, days: u32, now: Timestamp) -> Option<Timestamp> {
        next(&self.last_uses, days, now)
    }
}

fn at_or_before(times: &[Timestamp], days: u32, now: Timestamp) -> u32 {
    u32::try_from(place(times, days, now)).unwrap_or(u32::MAX)
}

fn next(times: &[Timestamp], days: u32, now: Timestamp) -> Option<Timestamp> {
    let time = times.get(place(times, days, now))?;
    Some(time.plus(age(days)))
}

/// How many of the times are at least that many days before `now`.
fn place(times: &[Timestamp], days: u32, now: Timestamp) -> usize {
    let limit = now.minus(age(days));
    times.partition_point(|time| *time <= limit)
}

fn age(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 86_400)
}
