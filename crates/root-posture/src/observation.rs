//! AWS's answers about a root user, in the form in which a record takes them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::report::RootRow;
use crate::time::{Moment, Timestamp};

/// A source of evidence about an account's root user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// iam:GenerateCredentialReport and iam:GetCredentialReport: everything, up to 4 hours old.
    CredentialReport,
    /// iam:GetAccountSummary: whether root keys exist, as of now.
    AccountSummary,
    /// sts:AssumeRoot and iam:ListAccessKeys: each root key with its status, as of now.
    RootSession,
}

impl Source {
    /// All of them, in the order of display.
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

/// A source that answers for the moment of the request.
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

/// A kind of credential of the root user. One code path judges all four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Access keys.
    Keys,
    /// Signing certificates.
    Certificates,
    /// MFA: one when it is off, none when it is on.
    MfaOff,
    /// The console password: one when it is set.
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

    /// The set of these topics.
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

/// The counts that one answer gives for each topic; `None` where it gives none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Values([Option<Counts>; 4]);

impl Values {
    /// The counts for one topic.
    #[must_use]
    pub fn get(&self, topic: Topic) -> Option<Counts> {
        self.0[topic as usize]
    }

    /// The same values with other counts for one topic.
    #[must_use]
    pub fn with(mut self, topic: Topic, value: Option<Counts>) -> Self {
        self.0[topic as usize] = value;
        self
    }

    /// The topics with counts.
    pub fn iter(&self) -> impl Iterator<Item = (Topic, Counts)> {
        Topic::ALL
            .into_iter()
            .filter_map(|topic| Some((topic, self.get(topic)?)))
    }

    /// The values of the root user's row of a credential report; none for a report without one, as in
    /// aws-cn.
    #[must_use]
    pub fn of_row(row: Option<&RootRow>) -> Self {
        let Some(row) = row else {
            return Self::default();
        };
        Self::default()
            .with(Topic::Keys, Some(row.keys()))
            .with(Topic::Certificates, row.certificate_counts())
            .with(Topic::MfaOff, Some(Counts::flag(!row.mfa_active)))
            .with(Topic::Password, row.password_enabled.map(Counts::flag))
    }

    /// The values of a list of access keys.
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

/// The entries of iam:GetAccountSummary about the root user; `None` where AWS left one out.
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
    /// The time of use, which AWS may report 15 minutes late.
    pub at: Timestamp,
    /// The Region it was used in.
    pub region: Option<String>,
    /// The service it was used with.
    pub service: Option<String>,
}

/// An access key of the root user, as a root session lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootKey {
    /// Its access key id, which is not secret.
    pub id: String,
    /// Whether it is active.
    pub active: bool,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it was last used; `None` for never, or not known yet.
    pub last_used: Option<LastUse>,
}

/// An answer of a live source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which source.
    pub source: LiveSource,
    /// When it was requested: it may know of nothing later.
    pub asked: Moment,
    /// The `Date` of the answer by AWS's clock, for display.
    pub date: Timestamp,
    /// Its values.
    pub values: Values,
}

/// The claims of a credential report about the root user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportClaim {
    /// When it was received.
    pub received: Moment,
    /// When it was generated: `received` less the difference between the `Date` and the
    /// `GeneratedTime` of the same answer, which never counts as negative.
    pub generated: Moment,
    /// AWS's `GeneratedTime`, for display.
    pub date: Timestamp,
    /// Its values.
    pub values: Values,
}

/// A piece of evidence for a [`crate::Record`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A live source answered.
    Answer(Answer),
    /// A request to a live source failed or was given up.
    Failure {
        /// Which source.
        source: LiveSource,
        /// The topics it would have answered: the requests of a root session fail one by one.
        topics: Topics,
        /// When it was made.
        asked: Moment,
    },
    /// A credential report was read.
    Report(ReportClaim),
    /// AWS is making a credential report, or a request for one failed: known since that moment.
    NoReportYet(Moment),
}
