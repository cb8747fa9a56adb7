//! The words in which AWS's answers reach the record.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::report::RootRow;
use crate::{Moment, Timestamp};

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

/// A source that answers for the moment at which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LiveSource {
    /// iam:GetAccountSummary.
    Summary,
    /// The lists of a root session.
    List,
}

impl LiveSource {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Summary, Self::List];
}

impl From<LiveSource> for Source {
    fn from(source: LiveSource) -> Self {
        match source {
            LiveSource::Summary => Self::AccountSummary,
            LiveSource::List => Self::RootSession,
        }
    }
}

/// What is asked about the root user. One code path judges all four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Access keys.
    Keys,
    /// Signing certificates.
    Certificates,
    /// MFA: one when it is off, none when it is on.
    MfaOff,
    /// The console password: one when there is one.
    Password,
}

impl Topic {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Keys, Self::Certificates, Self::MfaOff, Self::Password];
}

/// A set of topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topics([bool; 4]);

impl Topics {
    /// Every topic.
    pub const ALL: Self = Self([true; 4]);

    /// The topics of a list.
    #[must_use]
    pub fn of(topics: &[Topic]) -> Self {
        let mut set = Self::default();
        for topic in topics {
            set.0[*topic as usize] = true;
        }
        set
    }

    /// The topics in the set.
    pub fn iter(self) -> impl Iterator<Item = Topic> {
        Topic::ALL
            .into_iter()
            .filter(move |topic| self.0[*topic as usize])
    }
}

/// How many of a thing the root user has. A flag is a count of one: MFA that is off, or a password,
/// is one present and active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counts {
    /// Those that exist, active or not.
    pub present: u8,
    /// Those that are active. An account summary does not say: 0.
    pub active: u8,
}

impl Counts {
    /// Nothing.
    pub const NONE: Self = Self {
        present: 0,
        active: 0,
    };

    /// A flag as a count.
    #[must_use]
    pub fn flag(is_set: bool) -> Self {
        Self {
            present: u8::from(is_set),
            active: u8::from(is_set),
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

/// What one answer says of each topic; `None` where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Values([Option<Counts>; 4]);

impl Values {
    /// What it says of one topic.
    #[must_use]
    pub fn get(&self, topic: Topic) -> Option<Counts> {
        self.0[topic as usize]
    }

    /// The same, saying this of that topic.
    #[must_use]
    pub fn with(mut self, topic: Topic, value: Option<Counts>) -> Self {
        self.0[topic as usize] = value;
        self
    }

    /// The topics it speaks of.
    pub fn iter(&self) -> impl Iterator<Item = (Topic, Counts)> {
        Topic::ALL
            .into_iter()
            .filter_map(|topic| Some((topic, self.get(topic)?)))
    }

    /// What the root user's row of a credential report says. `None` is a report without one, as
    /// in aws-cn: it says nothing.
    #[must_use]
    pub fn of_row(row: Option<&RootRow>) -> Self {
        let Some(row) = row else {
            return Self::default();
        };
        Self::default()
            .with(Topic::Keys, Some(row.keys()))
            .with(Topic::Certificates, row.certificates_count())
            .with(Topic::MfaOff, Some(Counts::flag(!row.mfa_active)))
            .with(Topic::Password, row.password_enabled.map(Counts::flag))
    }

    /// What a list of access keys says.
    #[must_use]
    pub fn of_keys<'k>(keys: impl IntoIterator<Item = &'k RootKey>) -> Self {
        let mut counts = Counts::NONE;
        for key in keys {
            counts.present = counts.present.saturating_add(1);
            counts.active = counts.active.saturating_add(u8::from(key.active));
        }
        Self::default().with(Topic::Keys, Some(counts))
    }
}

impl From<Summary> for Values {
    fn from(summary: Summary) -> Self {
        let counted = |count: Option<u8>| count.map(|present| Counts { present, active: 0 });
        Self::default()
            .with(Topic::Keys, counted(summary.keys))
            .with(Topic::Certificates, counted(summary.certificates))
            .with(Topic::MfaOff, summary.mfa.map(|on| Counts::flag(!on)))
            .with(Topic::Password, summary.password.map(Counts::flag))
    }
}

/// What iam:GetAccountSummary says of the root user. An entry that AWS left out is `None`.
///
/// Source: IAM API Reference, `GetAccountSummary`, `SummaryMap`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// What a live source answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which source.
    pub source: LiveSource,
    /// When it was asked: it may know nothing later.
    pub asked: Moment,
    /// The `Date` of the answer by AWS's clock, for display.
    pub date: Timestamp,
    /// What it says.
    pub values: Values,
}

/// What a credential report says of the root user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportClaim {
    /// When it was received.
    pub received: Moment,
    /// When it was generated: `received` less the difference between the `Date` and the
    /// `GeneratedTime` of the same answer, which is never taken as less than nothing.
    pub generated: Moment,
    /// AWS's `GeneratedTime`, for display.
    pub date: Timestamp,
    /// What it says.
    pub values: Values,
}

/// What a record takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A live source answered.
    Answer(Answer),
    /// An attempt to ask a live source failed or was given up.
    Failure {
        /// Which source.
        source: LiveSource,
        /// What that attempt would have answered: the probes of a root session fail one by one.
        topics: Topics,
        /// When it was asked.
        asked: Moment,
    },
    /// A credential report was read.
    Report(ReportClaim),
    /// AWS is making a credential report, or an attempt to get one failed: learned at that moment.
    NoReportYet(Moment),
}
