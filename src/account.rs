//! Accounts: their ids and partitions, their labels, and how each is read.
//!
//! This module uses no other of the program.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use root_posture::{AccountId, AccountIdError, Partition};

/// A text that must never be logged, saved or shown, such as an external id.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text, so that it cannot be printed by accident.
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

/// The credentials with which an account is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The caller's own credentials.
    Caller,
    /// A role that the caller assumes.
    Role {
        /// The ARN of the role.
        arn: String,
        /// The external id in the role's trust policy.
        external_id: Option<Secret>,
    },
    /// A profile of the shared AWS files.
    Profile(String),
}

/// An account to monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name for people; empty where it has none.
    pub name: String,
    /// The Region that its calls go to. The partition follows from it.
    pub region: String,
    /// The credentials with which its report and summary are read; `None` where only root sessions
    /// read it.
    pub access: Option<Access>,
    /// Whether root sessions read it, which need centralized root access.
    pub root_session: bool,
    /// Labels of `aws_account_info`, without their `label_` prefix.
    pub labels: Arc<BTreeMap<String, String>>,
}

impl Account {
    /// The partition of the account.
    #[must_use]
    pub fn partition(&self) -> Partition {
        Partition::of_region(&self.region)
    }

    /// Whether sessions opened for one can be used for the other.
    #[must_use]
    pub fn is_read_like(&self, other: &Self) -> bool {
        self.id == other.id
            && self.region == other.region
            && self.access == other.access
            && self.root_session == other.root_session
    }
}

/// The features of centralized root access that an organization has enabled. Neither removes an
/// existing credential.
///
/// Source: IAM API Reference, `ListOrganizationsFeatures`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootFeatures {
    /// `RootCredentialsManagement`.
    pub credentials_management: bool,
    /// `RootSessions`.
    pub sessions: bool,
}

/// The label of a tag or of a configured label: `label_`, and each character that a Prometheus label
/// cannot have as an underscore.
///
/// Source: Prometheus data model, "Metric names and labels".
#[must_use]
pub fn label_name(key: &str) -> String {
    let replaced = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("label_{}", key.chars().map(replaced).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_a_secret() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
