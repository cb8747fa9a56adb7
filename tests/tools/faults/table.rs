//! The fault matrix: each fault, its operation, the reason that is counted, and the values meanwhile. The
//! tests beside it verify each row; `docs/reliability.md` is generated from it.

#![allow(clippy::match_same_arms, reason = "it is a table, read row by row")]

use std::fmt;

use aws_simulator::FaultKind;

use test_support::simulated::id;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A fault of the simulated AWS.
    Of(FaultKind),
    /// XML that ends between two elements, as each operation's answer has them.
    EndsBetween,
    /// AWS's name does not resolve.
    NoName,
    /// The server at AWS's address speaks no TLS.
    NoTls,
    /// No server listens at AWS's address.
    NoServer,
}

/// Where it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    GenerateCredentialReport,
    GetCredentialReport,
    GetAccountSummary,
    AssumeRole,
    AssumeRoot,
    /// In a root session, where only this call verifies the account.
    GetCallerIdentity,
    ListAccessKeys,
    /// `GetAccountSummary` in a root session.
    RootSummary,
    /// All [`DETAILS`] at once.
    Details,
    ListAccounts,
}

/// The calls of a root session that are made rarely, and where an answer to each ends between two
/// elements.
const DETAILS: [(&str, &str); 4] = [
    ("GetAccessKeyLastUsed", "<Region>"),
    ("GetLoginProfile", "<CreateDate>"),
    ("ListMFADevices", "<MFADevices>"),
    ("ListSigningCertificates", "<Certificates>"),
];

/// The values while it lasts. "Before" is what was known of an account when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The right ones: other calls answer, and a change shows as always.
    TheTruth,
    /// Before: a finding stays, another value until it is too old. An account that was never seen
    /// before has the values of its report.
    BeforeOrReport,
    /// Before: a finding stays, another value until it is too old. An account that was never seen
    /// before has none.
    BeforeOrNothing,
    /// All accounts as always; the list of accounts stays, and `discovery_up` is 0.
    TheList,
}

/// A row: the reason is what `aws_account_refresh_failures_total` counts, of `ListAccounts` the
/// outcome in `aws_root_exporter_aws_requests_total`; `None` where nothing fails.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub trouble: Trouble,
    pub operation: Operation,
    pub reason: Option<&'static str>,
    pub shown: Shown,
}

/// The account that wrong answers name.
pub const ANOTHER: u64 = 999_999;

/// A day of AWS's clock, in seconds.
const DAY: i64 = 86_400;

use FaultKind as F;
use Operation as O;
use Shown::{BeforeOrNothing, BeforeOrReport, TheList, TheTruth};
use Trouble::{EndsBetween, NoName, NoServer, NoTls, Of};

/// In the order of `docs/reliability.md`. A fault that an operation cannot meet, or that a fault in
/// an operation before it hides, has no row.
pub fn rows() -> Vec<Row> {
    let troubles = [
        Of(F::Throttling),
        Of(F::LimitExceeded),
        Of(F::ServiceFailure),
        Of(F::Unavailable),
        Of(F::Torn),
        Of(F::Refuse),
        NoServer,
        NoName,
        NoTls,
        Of(F::NeverAnswer),
        Of(F::OneByteASecond),
        Of(F::AccessDenied),
        Of(F::ExpiredToken),
        Of(F::InvalidToken),
        Of(F::WrongAccount(id(ANOTHER))),
        Of(F::UnknownOperation),
        Of(F::TruncatedXml),
        EndsBetween,
        Of(F::TruncatedBase64),
        Of(F::MalformedCsv),
        Of(F::ReportNeverCompletes),
        Of(F::EmptyPageForEver),
        Of(F::DateSkew(-DAY)),
        Of(F::DateSkew(DAY)),
    ];
    let row = |trouble, operation| {
        let reason = counted_as(trouble, operation)?;
        Some(Row {
            trouble,
            operation,
            reason: (!reason.is_empty()).then_some(reason),
            shown: shown(trouble, operation),
        })
    };
    O::ALL
        .into_iter()
        .flat_map(|operation| troubles.map(|trouble| row(trouble, operation)))
        .flatten()
        .collect()
}

/// The reason that a fault is counted as, empty where it is no failure; `None` for no row.
#[expect(clippy::match_same_arms, reason = "it is a table, one line a fault")]
fn counted_as(trouble: Trouble, operation: Operation) -> Option<&'static str> {
    let reason = match (trouble, operation) {
        (Of(F::Throttling), _) => "throttled",
        (Of(F::LimitExceeded), O::GenerateCredentialReport) => "limit_exceeded",
        (Of(F::ServiceFailure | F::Unavailable), _) => "service",
        (Of(F::Torn | F::Refuse), _) => "network",
        // An address is a service's: one of its operations shows it.
        (NoServer | NoName | NoTls, operation) => {
            operation.is_first_of_its_service().then_some("network")?
        }
        (Of(F::NeverAnswer | F::OneByteASecond), _) => "timeout",
        (Of(F::AccessDenied), O::AssumeRole) => "assume_role",
        (Of(F::AccessDenied), _) => "access_denied",
        (Of(F::ExpiredToken | F::InvalidToken), _) => "credentials",
        (Of(F::WrongAccount(_)), O::GetCredentialReport | O::AssumeRole | O::GetCallerIdentity) => {
            "account_mismatch"
        }
        (Of(F::UnknownOperation), _) => "unsupported",
        (EndsBetween, O::ListAccounts) => return None,
        (Of(F::TruncatedXml) | EndsBetween, O::GetCredentialReport) => "report_malformed",
        (Of(F::TruncatedXml) | EndsBetween, O::AssumeRole) => "assume_role",
        (Of(F::TruncatedXml) | EndsBetween, _) => "other",
        (Of(F::TruncatedBase64 | F::MalformedCsv), O::GetCredentialReport) => "report_malformed",
        (Of(F::ReportNeverCompletes), O::GenerateCredentialReport | O::GetCredentialReport) => {
            "report_pending"
        }
        // Each page is an answer; only the list is none.
        (Of(F::EmptyPageForEver), O::ListAccounts) => "success",
        (Of(F::DateSkew(_)), O::ListAccounts) => return None,
        (Of(F::DateSkew(_)), _) => "",
        _ => return None,
    };
    Some(reason)
}

#[expect(
    clippy::match_same_arms,
    reason = "it is a table, in the order of precedence"
)]
fn shown(trouble: Trouble, operation: Operation) -> Shown {
    match (trouble, operation) {
        (_, O::ListAccounts) => TheList,
        (Of(F::DateSkew(_)), _) => TheTruth,
        (NoServer | NoName | NoTls, _) => BeforeOrNothing,
        (_, O::AssumeRole | O::AssumeRoot | O::GetCallerIdentity) => BeforeOrNothing,
        (_, O::GetAccountSummary) => BeforeOrReport,
        (
            _,
            O::GenerateCredentialReport
            | O::GetCredentialReport
            | O::ListAccessKeys
            | O::RootSummary
            | O::Details,
        ) => TheTruth,
    }
}

impl Row {
    /// Whether the simulated AWS plays it; else the fault is on the way to AWS.
    pub fn is_simulated(&self) -> bool {
        !matches!(self.trouble, NoName | NoTls | NoServer)
    }

    /// What the simulated AWS is to do, operation by operation.
    pub fn faults(&self) -> Vec<(&'static str, FaultKind)> {
        let calls = self.operation.calls().into_iter();
        calls
            .filter_map(|(call, element)| match self.trouble {
                Of(kind) => Some((call, kind)),
                EndsBetween => Some((call, F::EndsBefore(element))),
                NoName | NoTls | NoServer => None,
            })
            .collect()
    }

    /// Whether the answer does not come, or not in time.
    pub fn hangs(&self) -> bool {
        matches!(self.trouble, Of(F::NeverAnswer | F::OneByteASecond))
    }

    /// The row by name, for people.
    pub fn name(&self) -> String {
        format!("{} in {}", self.trouble, self.operation)
    }
}

impl Operation {
    pub const ALL: [Self; 10] = [
        Self::GenerateCredentialReport,
        Self::GetCredentialReport,
        Self::GetAccountSummary,
        Self::AssumeRole,
        Self::AssumeRoot,
        Self::GetCallerIdentity,
        Self::ListAccessKeys,
        Self::RootSummary,
        Self::Details,
        Self::ListAccounts,
    ];

    /// AWS's operations that it stands for, and a text in the middle of an answer to each.
    fn calls(self) -> Vec<(&'static str, &'static str)> {
        let one = |call, element| vec![(call, element)];
        match self {
            Self::GenerateCredentialReport => one(
                "GenerateCredentialReport",
                "</GenerateCredentialReportResult>",
            ),
            Self::GetCredentialReport => one("GetCredentialReport", "</GetCredentialReportResult>"),
            Self::GetAccountSummary | Self::RootSummary => {
                one("GetAccountSummary", "</SummaryMap>")
            }
            Self::AssumeRole => one("AssumeRole", "<ResponseMetadata>"),
            Self::AssumeRoot => one("AssumeRoot", "<ResponseMetadata>"),
            Self::GetCallerIdentity => one("GetCallerIdentity", "<ResponseMetadata>"),
            Self::ListAccessKeys => one("ListAccessKeys", "<AccessKeyMetadata>"),
            Self::Details => DETAILS.to_vec(),
            Self::ListAccounts => one("ListAccounts", "\"NextToken\""),
        }
    }

    /// The source of an account that fails with it.
    pub fn source(self) -> &'static str {
        match self {
            Self::GenerateCredentialReport | Self::GetCredentialReport => "credential_report",
            Self::GetAccountSummary | Self::AssumeRole => "account_summary",
            Self::AssumeRoot
            | Self::GetCallerIdentity
            | Self::ListAccessKeys
            | Self::RootSummary
            | Self::Details => "root_session",
            Self::ListAccounts => "none: it is no account's",
        }
    }

    /// Whether it is an operation of a root session, or opens one.
    pub fn is_root(self) -> bool {
        self.source() == "root_session"
    }

    /// Whether it opens or verifies a session, and which operation is made with that.
    pub fn opens_session_for(self) -> Option<&'static str> {
        match self {
            Self::AssumeRole => Some("GetAccountSummary"),
            Self::AssumeRoot | Self::GetCallerIdentity => Some("ListAccessKeys"),
            _ => None,
        }
    }

    /// Whether it is one of the report's.
    pub fn is_report(self) -> bool {
        self.source() == "credential_report"
    }

    /// The service that it is an operation of.
    pub fn service(self) -> &'static str {
        match self {
            Self::AssumeRole | Self::AssumeRoot | Self::GetCallerIdentity => "STS",
            Self::ListAccounts => "ORGANIZATIONS",
            _ => "IAM",
        }
    }

    /// Whether an account's source has no other operation of that service before it.
    fn is_first_of_its_service(self) -> bool {
        !matches!(
            self,
            Self::GetCredentialReport | Self::GetCallerIdentity | Self::RootSummary | Self::Details
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RootSummary => f.write_str("GetAccountSummary in a root session"),
            Self::Details => f.write_str(&DETAILS.map(|(call, _)| call).join(", ")),
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Of(F::Throttling) => "throttled",
            Of(F::LimitExceeded) => "no capacity for reports",
            Of(F::ServiceFailure) => "an error 500",
            Of(F::Unavailable) => "an error 503 with a page of HTML",
            Of(F::Torn) => "half an answer, then a broken connection",
            Of(F::Refuse) => "the connection is closed without an answer",
            NoServer => "no server listens at the address",
            NoName => "the address does not resolve",
            NoTls => "TLS fails",
            Of(F::NeverAnswer) => "no answer, ever",
            Of(F::OneByteASecond) => "one byte a second",
            Of(F::AccessDenied) => "access denied",
            Of(F::ExpiredToken) => "the session has expired",
            Of(F::InvalidToken) => "the access key is unknown",
            Of(F::WrongAccount(_)) => "the answer is another account's",
            Of(F::TruncatedXml) => "the answer ends within an element",
            EndsBetween => "the answer ends between two elements",
            Of(F::TruncatedBase64) => "the report's base64 is cut off",
            Of(F::MalformedCsv) => "the report's CSV is cut off",
            Of(F::ReportNeverCompletes) => "the report is never ready",
            Of(F::EmptyPageForEver) => "empty pages without end",
            Of(F::UnknownOperation) => "the operation is unknown there",
            Of(F::DateSkew(seconds)) if *seconds < 0 => "AWS's clock is a day behind",
            Of(F::DateSkew(_)) => "AWS's clock is a day ahead",
            Of(other) => return write!(f, "{other:?}"),
        })
    }
}
