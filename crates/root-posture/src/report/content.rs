//! The typed content of a credential report.

use serde::{Deserialize, Serialize};

use crate::counts::{Counts, MAX_CREDENTIALS};
use crate::ids::{AccountId, Partition};
use crate::time::Timestamp;

/// A parsed credential report.
///
/// Source: IAM User Guide, "Generate credential reports for your AWS account".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialReport {
    /// The account, as the ARNs in the report name it.
    pub account: AccountId,
    /// The partition, as the ARNs in the report name it.
    pub partition: Partition,
    /// The row `<root_account>`; `None` only in aws-cn, where there are no root credentials.
    pub root: Option<RootRow>,
    /// The IAM users whose rows could be read, in the report's order.
    pub users: Vec<UserRow>,
    /// Rows of IAM users that could not be read.
    pub rows_skipped: usize,
}

/// One of the two places of an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Slot {
    /// The first, which does not always hold the older key.
    One,
    /// The second.
    Two,
}

impl Slot {
    /// Both.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];

    /// The value of the label `key`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }
}

/// An access key slot of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySlot {
    /// `access_key_N_active`.
    pub active: bool,
    /// `access_key_N_last_rotated`: creation or last change. AWS keeps it for an inactive key.
    pub last_rotated: Option<Timestamp>,
    /// `access_key_N_last_used_date`.
    pub last_used: Option<Timestamp>,
    /// `access_key_N_last_used_region`.
    pub last_used_region: Option<String>,
    /// `access_key_N_last_used_service`.
    pub last_used_service: Option<String>,
}

impl KeySlot {
    /// Whether there is a key, active or not.
    #[must_use]
    pub fn present(&self) -> bool {
        self.active || self.last_rotated.is_some()
    }
}

/// A signing certificate slot of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateSlot {
    /// `cert_N_active`.
    pub active: bool,
    /// `cert_N_last_rotated`.
    pub last_rotated: Option<Timestamp>,
}

/// The row of the root user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootRow {
    /// `user_creation_time`: when the account was created.
    pub created: Option<Timestamp>,
    /// `password_enabled`; `None` for `not_supported`.
    pub password_enabled: Option<bool>,
    /// `password_last_used`.
    pub password_last_used: Option<Timestamp>,
    /// `password_last_changed`.
    pub password_last_changed: Option<Timestamp>,
    /// `mfa_active`.
    pub mfa_active: bool,
    /// Both access key slots, in the order of [`Slot::ALL`].
    pub access_keys: [KeySlot; 2],
    /// Both signing certificate slots, in the order of [`Slot::ALL`]; `None` where the report has
    /// no columns for them.
    pub certificates: Option<[CertificateSlot; 2]>,
    /// Whether `additional_credentials_info` mentions access keys beyond the two slots. AWS fills it
    /// for a user with more than two keys or certificates, in words that it does not document.
    #[serde(default)]
    pub has_more_keys: bool,
}

impl RootRow {
    /// How many access keys the root user has, active and in all. A row that mentions more than its
    /// two slots counts as two of each: root's quota is two, so this guards against a change.
    #[must_use]
    pub fn keys(&self) -> Counts {
        if self.has_more_keys {
            return Counts {
                present: MAX_CREDENTIALS,
                active: MAX_CREDENTIALS,
            };
        }
        count(&self.access_keys, |slot| (slot.active, slot.last_rotated))
    }

    /// How many signing certificates the root user has, active and in all, where the report has
    /// columns for them.
    #[must_use]
    pub fn certificate_counts(&self) -> Option<Counts> {
        let slots = self.certificates.as_ref()?;
        Some(count(slots, |slot| (slot.active, slot.last_rotated)))
    }
}

/// Counts slots, each read as whether it is active and when it was last rotated.
fn count<T>(slots: &[T; 2], read: impl Fn(&T) -> (bool, Option<Timestamp>)) -> Counts {
    let mut counts = Counts::NONE;
    for (active, last_rotated) in slots.iter().map(read) {
        counts.active += u8::from(active);
        counts.present += u8::from(active || last_rotated.is_some());
    }
    counts
}

/// The row of an IAM user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// `user`.
    pub name: String,
    /// `user_creation_time`.
    pub created: Option<Timestamp>,
    /// `password_enabled`.
    pub password_enabled: bool,
    /// `password_last_used`.
    pub password_last_used: Option<Timestamp>,
    /// `password_last_changed`.
    pub password_last_changed: Option<Timestamp>,
    /// `mfa_active`.
    pub mfa_active: bool,
    /// Both access key slots, in the order of [`Slot::ALL`].
    pub access_keys: [KeySlot; 2],
    /// Both signing certificate slots, in the order of [`Slot::ALL`].
    pub certificates: [CertificateSlot; 2],
}
