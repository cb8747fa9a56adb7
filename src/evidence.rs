//! What AWS said and when: the words in which `aws` speaks and over which `posture` reasons.
//!
//! No rules here. What a piece of evidence proves is decided in `posture` alone.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Moment, Timestamp};
pub use crate::failure::{Failure, Reason};

/// A way of learning about an account's root user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// iam:GenerateCredentialReport and iam:GetCredentialReport: everything, up to 4 hours old.
    CredentialReport,
    /// iam:GetAccountSummary: whether root keys exist, at this moment.
    AccountSummary,
    /// sts:AssumeRoot and iam:ListAccessKeys: each root key with its status, at this moment.
    RootSession,
}

impl Source {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [
        Self::CredentialReport,
        Self::AccountSummary,
        Self::RootSession,
    ];

    /// The value of the label `source`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CredentialReport => "credential_report",
            Self::AccountSummary => "account_summary",
            Self::RootSession => "root_session",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When a piece of evidence was true.
///
/// `at` is by AWS's clock and is compared with other evidence; the age runs on our monotonic
/// clock from the moment of receipt, so that nobody who sets a clock can keep a value young.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// When it was true, by AWS's clock.
    pub at: Timestamp,
    /// When we received it.
    pub received: Moment,
    /// How old it was then, in milliseconds: nothing for a live answer, up to 4 hours for a
    /// credential report.
    pub age_at_receipt: u64,
}

impl Stamp {
    /// Evidence that was true at the moment it was given.
    #[must_use]
    pub fn live(date: Timestamp, received: Moment) -> Self {
        Self {
            at: date,
            received,
            age_at_receipt: 0,
        }
    }

    /// Evidence that was true at `at` and given at `date`, both by AWS's clock. A time after
    /// `date` cannot be, and is taken as `date`.
    #[must_use]
    pub fn dated(at: Timestamp, date: Timestamp, received: Moment) -> Self {
        Self {
            at: at.min(date),
            received,
            age_at_receipt: u64::try_from(date.since(at).as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// How old the evidence is at `now`.
    #[must_use]
    pub fn age(&self, now: Moment) -> Duration {
        now.since(self.received)
            .saturating_add(Duration::from_millis(self.age_at_receipt))
    }

    /// The moment at which the evidence is `limit` old.
    #[must_use]
    pub fn expires(&self, limit: Duration) -> Moment {
        self.received + limit - Duration::from_millis(self.age_at_receipt)
    }
}

/// What iam:GetAccountSummary says of the root user. An entry that AWS left out is `None`.
///
/// Source: IAM API Reference, `GetAccountSummary`, `SummaryMap`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// `AccountAccessKeysPresent`: root keys that exist, active or not. Whether it counts beyond
    /// one is not documented.
    pub keys: Option<u8>,
    /// `AccountSigningCertificatesPresent`.
    pub certificates: Option<u8>,
    /// `AccountMFAEnabled`.
    pub mfa: Option<bool>,
    /// `AccountPasswordPresent`.
    pub password: Option<bool>,
}

/// How many of a thing (access keys, signing certificates) the root user has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counts {
    /// Those that are active.
    pub active: u8,
    /// Those that exist, active or not.
    pub present: u8,
}

/// When and where an access key was last used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// When; AWS may be 15 minutes late with it.
    pub at: Timestamp,
    /// The Region it was used in.
    pub region: Option<String>,
    /// The service it was used with.
    pub service: Option<String>,
}

/// An access key of the root user, as a root session lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootKey {
    /// Its access key id, which is no secret.
    pub id: String,
    /// Whether it is active.
    pub active: bool,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it was last used; `None` for never, or not known yet.
    pub last_used: Option<LastUse>,
}

/// What a root session lists of the root user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Access keys by status.
    pub keys: Option<Counts>,
    /// Access keys that were listed before and are not any more, by their last status.
    pub keys_gone: Counts,
    /// Signing certificates by status.
    pub certificates: Option<Counts>,
    /// Whether any MFA device is there.
    pub mfa: Option<bool>,
    /// Whether there is a login profile.
    pub password: Option<bool>,
}
