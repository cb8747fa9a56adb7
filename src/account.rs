//! Accounts: their ids and partitions, their labels, and how each is read.
//!
//! This module uses no other of the program.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use root_posture::Timestamp;
pub use root_posture::{AccessKeyId, AccessKeyIdError, AccountId, AccountIdError, Partition};
use serde::{Deserialize, Serialize};
use time::{Date, Time};

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

/// A root access key that the configuration accepts until a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The key.
    pub key: AccessKeyId,
    /// Why it is accepted, for people.
    pub reason: String,
    /// The last day, in UTC, on which it is accepted.
    pub until: Date,
}

impl Exception {
    /// Whether the key is accepted at that time.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.end().is_none_or(|end| now < end)
    }

    /// The end of its last day; `None` for the last day that can be written.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        let end = self
            .until
            .next_day()?
            .with_time(Time::MIDNIGHT)
            .assume_utc();
        Some(Timestamp::from_unix(end.unix_timestamp()))
    }
}

/// What AWS Organizations says of an account beyond its name, where the configuration asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The e-mail address of its root user.
    pub email: Option<String>,
    /// The names of its organizational units from the root on: `Root/Workloads/Production`.
    pub ou: Option<String>,
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
    /// The root access keys of it that the configuration accepts.
    pub exceptions: Arc<[Exception]>,
    /// What AWS Organizations says of it. Never the label of a metric.
    pub details: Arc<Details>,
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
    fn an_exception_is_in_force_for_the_whole_of_its_last_day() {
        let exception = Exception {
            key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            reason: "the old backup".to_owned(),
            until: Date::from_calendar_date(2027, time::Month::December, 31).unwrap(),
        };
        for (time, is_in_force) in [
            ("2027-12-31T00:00:00Z", true),
            ("2027-12-31T23:59:59Z", true),
            ("2028-01-01T00:00:00Z", false),
        ] {
            let now = Timestamp::parse(time).unwrap();
            assert_eq!(exception.is_in_force(now), is_in_force, "{time}");
        }
    }

    #[test]
    fn debug_hides_a_secret() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
