//! Who is watched: account ids, partitions, and what the configuration or the organization says
//! of an account.
//!
//! This room knows nothing of the others; every room may use it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use root_posture::{AccountId, AccountIdError, Partition};

/// A text that must never be logged, saved or shown: an external id, a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text so that it cannot be printed by accident.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whose credentials an account is read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The caller's own: what the SDK's standard chain finds.
    Caller,
    /// A role that the caller assumes.
    Role {
        /// The ARN of the role, in the account that is read.
        arn: String,
        /// What the role's trust policy asks for besides the caller's identity.
        external_id: Option<Secret>,
    },
    /// A named profile of the shared AWS configuration files.
    Profile(String),
}

/// An account to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name for people; empty when nobody gave it one.
    pub name: String,
    /// The Region whose endpoints are asked, which decides the partition.
    pub region: String,
    /// Whose credentials its report and summary are read with; `None` where it is read by root
    /// sessions alone.
    pub access: Option<Access>,
    /// Whether it is read by root sessions, which centralized root access gives.
    pub root_session: bool,
    /// Labels of `aws_account_info`, without their `label_` prefix.
    pub labels: Arc<BTreeMap<String, String>>,
}

impl Account {
    /// The partition the account lives in.
    #[must_use]
    pub fn partition(&self) -> Partition {
        Partition::of_region(&self.region)
    }

    /// Whether the sessions of the one serve for the other.
    #[must_use]
    pub fn is_read_like(&self, other: &Self) -> bool {
        self.id == other.id
            && self.region == other.region
            && self.access == other.access
            && self.root_session == other.root_session
    }
}

/// Which features of centralized root access an organization has enabled. Neither removes a
/// credential that exists.
///
/// Source: IAM API Reference, `ListOrganizationsFeatures`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootFeatures {
    /// `RootCredentialsManagement`.
    pub credentials_management: bool,
    /// `RootSessions`.
    pub sessions: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
