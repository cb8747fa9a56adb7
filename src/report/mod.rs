//! Bytes of a credential report in, typed rows out.
//!
//! Pure: no I/O, no clock.

mod users;

use serde::{Deserialize, Serialize};

use crate::account::{AccountId, Partition};
use crate::clock::Timestamp;

pub use users::UserFigures;

/// A credential report that could be read.
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

/// One of the two places an access key or a signing certificate can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Slot {
    /// The first; it need not hold the older key.
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

/// What a report says of one access key slot.
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

/// What a report says of one signing certificate slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateSlot {
    /// `cert_N_active`.
    pub active: bool,
    /// `cert_N_last_rotated`.
    pub last_rotated: Option<Timestamp>,
}

impl CertificateSlot {
    /// Whether there is a certificate, active or not.
    #[must_use]
    pub fn present(&self) -> bool {
        self.active || self.last_rotated.is_some()
    }
}

/// The row of the root user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootRow {
    /// `user_creation_time`: when the account was made.
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
    /// Both signing certificate slots, in the order of [`Slot::ALL`].
    pub certificates: [CertificateSlot; 2],
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

/// Why a report cannot be used. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// To be completed by the parser.
    #[error("line {line}, column {column}: {what}")]
    Malformed {
        /// The line in the CSV text.
        line: u64,
        /// The name of the column, or its position.
        column: String,
        /// What is wrong there.
        what: String,
    },
    /// The report is another account's.
    #[error("the report is of account {found}, not of {expected}")]
    AccountMismatch {
        /// The account that was asked.
        expected: AccountId,
        /// The account the report's root ARN names.
        found: String,
    },
}

/// Reads a credential report.
///
/// # Errors
///
/// [`ReportError`], when nothing in it may be believed.
pub fn parse(
    _content: &[u8],
    _expected: Option<AccountId>,
    _partition: Partition,
) -> Result<CredentialReport, ReportError> {
    Err(ReportError::Malformed {
        line: 1,
        column: String::new(),
        what: String::new(),
    })
}

impl RootRow {
    /// Access keys: active, and present.
    #[must_use]
    pub fn keys(&self) -> crate::evidence::Counts {
        crate::evidence::Counts::default()
    }

    /// Signing certificates: active, and present.
    #[must_use]
    pub fn certificates_count(&self) -> crate::evidence::Counts {
        crate::evidence::Counts::default()
    }
}
