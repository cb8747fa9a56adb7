//! The failure of a call to AWS: a reason from a fixed list, and a message for people.
//!
//! A message never holds a secret, a request or a response.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::VariantArray as _;

/// Why a call or a probe failed. These are the values of the label `reason`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// AWS throttled the call.
    Throttled,
    /// The credentials work but lack the permission.
    AccessDenied,
    /// There are no credentials, or they are expired and cannot be renewed.
    Credentials,
    /// The role could not be assumed.
    AssumeRole,
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke.
    Network,
    /// AWS failed (HTTP 5xx).
    Service,
    /// AWS has no capacity to generate another report.
    LimitExceeded,
    /// AWS did not generate the report within `refresh.report_timeout`.
    ReportPending,
    /// The report could not be read.
    ReportMalformed,
    /// The answer is about another account.
    AccountMismatch,
    /// The feature is off, or the operation does not exist there.
    Unsupported,
    /// Anything else.
    Other,
}

impl Reason {
    /// All reasons.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The value of the label `reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A call or a probe that failed: the reason, for counting, and a message, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Failure {
    /// The reason.
    pub reason: Reason,
    /// What failed, where, and what to do next. Never holds a secret.
    pub message: String,
}

impl Failure {
    /// A failure with that reason.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// The same failure with another reason, and with what to do next.
    #[must_use]
    pub fn explained(self, reason: Reason, what_to_do: impl fmt::Display) -> Self {
        Self::new(reason, format!("{}; {what_to_do}", self.message))
    }
}
