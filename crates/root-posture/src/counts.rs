//! How many credentials of one kind the root user has.

use serde::{Deserialize, Serialize};

/// How many access keys, or signing certificates, AWS lets a root user have.
///
/// Source: IAM User Guide, "IAM and AWS STS quotas".
pub const MAX_CREDENTIALS: u8 = 2;

/// How many of a thing the root user has. A flag is a count: MFA that is off, or a password, is one
/// present and active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counts {
    /// Those that exist, active or not.
    pub present: u8,
    /// Those that are active; 0 in an account summary, which does not count them.
    pub active: u8,
}

impl Counts {
    /// None at all.
    pub const NONE: Self = Self {
        present: 0,
        active: 0,
    };

    /// A flag as a count.
    #[must_use]
    pub fn flag(is_set: bool) -> Self {
        let count = u8::from(is_set);
        Self {
            present: count,
            active: count,
        }
    }

    /// The greater of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            present: self.present.max(other.present),
            active: self.active.max(other.active),
        }
    }

    /// The lesser of each.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            present: self.present.min(other.present),
            active: self.active.min(other.active),
        }
    }
}
