//! The fault matrix, as a plain statement: what goes wrong, in which operation, what it is counted
//! as, and what is shown meanwhile. The tests beside it prove each row; `docs/reliability.md` is
//! written from it.

use std::fmt;

use aws_root_exporter::simulator::FaultKind;

use crate::support::simulated::id;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// What the simulated AWS can be told to do.
    Of(FaultKind),
    /// XML that ends between two elements, as each operation's answer has them.
    EndsBetween,
    /// AWS's name resolves to nothing.
    NoName,
    /// The other side of AWS's address speaks no TLS.
    NoTls,
    /// Nobody listens at AWS's address.
    NobodyListens,
}

/// Where it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    GenerateCredentialReport,
    GetCredentialReport,
    GetAccountSummary,
    AssumeRole,
    AssumeRoot,
    ListAccessKeys,
    ListAccounts,
}

/// What is shown while it lasts. "Before" is what was known of an account when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What AWS has now: the looks go on, and a change shows as ever.
    TheTruth,
    /// Before: a finding stays, a fine value until its staleness. An account that was never seen
    /// has what its report says.
    BeforeOrReport,
    /// Before: a finding stays, a fine value until its staleness. An account that was never seen
    /// has nothing.
    BeforeOrNothing,
    /// All accounts as ever; the list of accounts stays, and `discovery_up` is 0.
    TheList,
    /// As [`Shown::TheList`], but it takes eight refusals in a row until `discovery_up` is 0.
    TheListWithPatience,
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
pub const SOMEBODY_ELSE: u64 = 999_999;

/// A day of AWS's clock, in seconds.
const DAY: i64 = 86_400;

use FaultKind as F;
use Operation as O;
use Shown::{BeforeOrNothing, BeforeOrReport, TheList, TheListWithPatience, TheTruth};
use Trouble::{EndsBetween, NoName, NoTls, NobodyListens, Of};

/// In the order of `docs/reliability.md`. A fault that an operation cannot meet, or that a fault in
/// an operation before it hides, has no row.
#[expect(
    clippy::too_many_lines,
    reason = "it is a table, and one to be read as one"
)]
pub fn rows() -> Vec<Row> {
    let wrong_account = Of(F::WrongAccount(id(SOMEBODY_ELSE)));
    let (back, forward) = (Of(F::DateSkew(-DAY)), Of(F::DateSkew(DAY)));
    [
        (
            O::GenerateCredentialReport,
            TheTruth,
            &[
                (Of(F::Throttling), "throttled"),
                (Of(F::LimitExceeded), "limit_exceeded"),
                (Of(F::ServiceFailure), "service"),
                (Of(F::Unavailable), "service"),
                (Of(F::Torn), "network"),
                (Of(F::Refuse), "network"),
                (Of(F::NeverAnswer), "timeout"),
                (Of(F::OneByteASecond), "timeout"),
                (Of(F::AccessDenied), "access_denied"),
                (Of(F::ExpiredToken), "credentials"),
                (Of(F::InvalidToken), "credentials"),
                (Of(F::TruncatedXml), "other"),
                (EndsBetween, "other"),
                (Of(F::ReportNeverCompletes), "report_pending"),
                (Of(F::UnknownOperation), "unsupported"),
                (back, ""),
                (forward, ""),
            ][..],
        ),
        (
            O::GetCredentialReport,
            TheTruth,
            &[
                (Of(F::Throttling), "throttled"),
                (Of(F::ServiceFailure), "service"),
                (Of(F::Unavailable), "service"),
                (Of(F::Torn), "network"),
                (Of(F::Refuse), "network"),
                (Of(F::NeverAnswer), "timeout"),
                (Of(F::OneByteASecond), "timeout"),
                (Of(F::AccessDenied), "access_denied"),
                (Of(F::ExpiredToken), "credentials"),
                (Of(F::InvalidToken), "credentials"),
                (wrong_account, "account_mismatch"),
                (Of(F::TruncatedXml), "report_malformed"),
                (EndsBetween, "report_malformed"),
                (Of(F::TruncatedBase64), "report_malformed"),
                (Of(F::MalformedCsv), "report_malformed"),
                (Of(F::ReportNeverCompletes), "report_pending"),
                (Of(F::UnknownOperation), "unsupported"),
                (back, ""),
                (forward, ""),
            ][..],
        ),
        (
            O::GetAccountSummary,
            BeforeOrReport,
            &[
                (Of(F::Throttling), "throttled"),
                (Of(F::ServiceFailure), "service"),
                (Of(F::Unavailable), "service"),
                (Of(F::Torn), "network"),
                (Of(F::Refuse), "network"),
                (Of(F::NeverAnswer), "timeout"),
                (Of(F::OneByteASecond), "timeout"),
                (Of(F::AccessDenied), "access_denied"),
                (Of(F::ExpiredToken), "credentials"),
                (Of(F::InvalidToken), "credentials"),
                (Of(F::TruncatedXml), "other"),
                (EndsBetween, "other"),
                (Of(F::UnknownOperation), "unsupported"),
            ][..],
        ),
        // Where IAM's address is wrong, neither the summary nor the report can be had.
        (
            O::GenerateCredentialReport,
            BeforeOrNothing,
            &[
                (NobodyListens, "network"),
                (NoName, "network"),
                (NoTls, "network"),
            ][..],
        ),
        (
            O::GetAccountSummary,
            BeforeOrNothing,
            &[
                (NobodyListens, "network"),
                (NoName, "network"),
                (NoTls, "network"),
            ][..],
        ),
        (
            O::GetAccountSummary,
            TheTruth,
            &[(back, ""), (forward, "")][..],
        ),
        (
            O::AssumeRole,
            BeforeOrNothing,
            &[
                (Of(F::Throttling), "throttled"),
                (Of(F::ServiceFailure), "service"),
                (Of(F::Unavailable), "service"),
                (Of(F::Torn), "network"),
                (Of(F::Refuse), "network"),
                (NobodyListens, "network"),
                (NoName, "network"),
                (NoTls, "network"),
                (Of(F::NeverAnswer), "timeout"),
                (Of(F::OneByteASecond), "timeout"),
                (Of(F::AccessDenied), "assume_role"),
                (Of(F::ExpiredToken), "credentials"),
                (Of(F::InvalidToken), "credentials"),
                (wrong_account, "account_mismatch"),
                (Of(F::TruncatedXml), "assume_role"),
                (EndsBetween, "assume_role"),
                (Of(F::UnknownOperation), "unsupported"),
            ][..],
        ),
        (O::AssumeRole, TheTruth, &[(back, ""), (forward, "")][..]),
        (
            O::AssumeRoot,
            BeforeOrNothing,
            &[
                (Of(F::Throttling), "throttled"),
                (Of(F::ServiceFailure), "service"),
                (Of(F::Unavailable), "service"),
                (Of(F::Torn), "network"),
                (Of(F::Refuse), "network"),
                (NobodyListens, "network"),
                (NoName, "network"),
                (NoTls, "network"),
                (Of(F::NeverAnswer), "timeout"),
                (Of(F::OneByteASecond), "timeout"),
                (Of(F::AccessDenied), "access_denied"),
                (Of(F::ExpiredToken), "credentials"),
                (Of(F::InvalidToken), "credentials"),
                (wrong_account, "account_mismatch"),
                (Of(F::TruncatedXml), "other"),
                (EndsBetween, "other"),
                (Of(F::UnknownOperation), "unsupported"),
            ][..],
        ),
        (O::AssumeRoot, TheTruth, &[(back, ""), (forward, "")][..]),
        (
            O::ListAccessKeys,
            BeforeOrNothing,
            &[
                (Of(F::Throttling), "throttled"),
                (Of(F::ServiceFailure), "service"),
                (Of(F::Unavailable), "service"),
                (Of(F::Torn), "network"),
                (Of(F::Refuse), "network"),
                (NobodyListens, "network"),
                (NoName, "network"),
                (NoTls, "network"),
                (Of(F::NeverAnswer), "timeout"),
                (Of(F::OneByteASecond), "timeout"),
                (Of(F::AccessDenied), "access_denied"),
                (Of(F::ExpiredToken), "credentials"),
                (Of(F::InvalidToken), "credentials"),
                (Of(F::TruncatedXml), "other"),
                (EndsBetween, "other"),
                (Of(F::UnknownOperation), "unsupported"),
            ][..],
        ),
        (
            O::ListAccessKeys,
            TheTruth,
            &[(back, ""), (forward, "")][..],
        ),
        (
            O::ListAccounts,
            TheListWithPatience,
            &[(Of(F::Throttling), "throttled")][..],
        ),
        (
            O::ListAccounts,
            TheList,
            &[
                (Of(F::ServiceFailure), "service"),
                (Of(F::Unavailable), "service"),
                (Of(F::Torn), "network"),
                (Of(F::Refuse), "network"),
                (NobodyListens, "network"),
                (NoName, "network"),
                (NoTls, "network"),
                (Of(F::NeverAnswer), "timeout"),
                (Of(F::OneByteASecond), "timeout"),
                (Of(F::AccessDenied), "access_denied"),
                (Of(F::ExpiredToken), "credentials"),
                (Of(F::InvalidToken), "credentials"),
                (Of(F::TruncatedXml), "other"),
                // Each page is an answer; only the list is none.
                (Of(F::EmptyPageForEver), "success"),
                (Of(F::UnknownOperation), "unsupported"),
            ][..],
        ),
    ]
    .into_iter()
    .flat_map(|(operation, shown, faults)| {
        faults.iter().map(move |&(trouble, reason)| Row {
            trouble,
            operation,
            reason: (!reason.is_empty()).then_some(reason),
            shown,
        })
    })
    .collect()
}

impl Row {
    /// What the simulated AWS is to do; `None` where the trouble is on the way to it.
    pub fn kind(&self) -> Option<FaultKind> {
        match self.trouble {
            Of(kind) => Some(kind),
            EndsBetween => Some(F::EndsBefore(match self.operation {
                O::GenerateCredentialReport => "</GenerateCredentialReportResult>",
                O::GetCredentialReport => "</GetCredentialReportResult>",
                O::GetAccountSummary => "</SummaryMap>",
                O::AssumeRole | O::AssumeRoot => "<ResponseMetadata>",
                O::ListAccessKeys => "<AccessKeyMetadata>",
                O::ListAccounts => "\"NextToken\"",
            })),
            NoName | NoTls | NobodyListens => None,
        }
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
    pub const ALL: [Self; 7] = [
        Self::GenerateCredentialReport,
        Self::GetCredentialReport,
        Self::GetAccountSummary,
        Self::AssumeRole,
        Self::AssumeRoot,
        Self::ListAccessKeys,
        Self::ListAccounts,
    ];

    /// The source of an account that fails with it.
    pub fn source(self) -> &'static str {
        match self {
            Self::GenerateCredentialReport | Self::GetCredentialReport => "credential_report",
            Self::GetAccountSummary | Self::AssumeRole => "account_summary",
            Self::AssumeRoot | Self::ListAccessKeys => "root_session",
            Self::ListAccounts => "none: it is no account's",
        }
    }

    /// Whether it is an operation of, or the way to, a root session.
    pub fn is_root(self) -> bool {
        matches!(self, Self::AssumeRoot | Self::ListAccessKeys)
    }

    /// Whether it is one of the report's.
    pub fn is_report(self) -> bool {
        self.source() == "credential_report"
    }

    /// The service whose address is to be wrong for it to fail.
    pub fn service(self) -> &'static str {
        match self {
            Self::AssumeRole | Self::AssumeRoot => "STS",
            Self::ListAccounts => "ORGANIZATIONS",
            _ => "IAM",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
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
            NobodyListens => "nobody listens at the address",
            NoName => "the name service knows no such name",
            NoTls => "TLS fails",
            Of(F::NeverAnswer) => "no answer, ever",
            Of(F::OneByteASecond) => "one byte a second",
            Of(F::AccessDenied) => "access denied",
            Of(F::ExpiredToken) => "the session has expired",
            Of(F::InvalidToken) => "the access key is unknown",
            Of(F::WrongAccount(_)) => "the answer is another account's",
            Of(F::TruncatedXml) => "the answer ends within an element",
            EndsBetween => "the answer ends between two elements",
            Of(F::TruncatedBase64) => "the report's base64 breaks off",
            Of(F::MalformedCsv) => "the report's CSV breaks off",
            Of(F::ReportNeverCompletes) => "the report is never ready",
            Of(F::EmptyPageForEver) => "empty pages without end",
            Of(F::UnknownOperation) => "the operation is unknown there",
            Of(F::DateSkew(seconds)) if *seconds < 0 => "AWS's clock is a day behind",
            Of(F::DateSkew(_)) => "AWS's clock is a day ahead",
            Of(other) => return write!(f, "{other:?}"),
        })
    }
}

#[test]
fn no_two_rows_say_something_of_the_same() {
    let rows = rows();
    for (nth, row) in rows.iter().enumerate() {
        let same = rows[..nth]
            .iter()
            .find(|before| before.name() == row.name());
        assert!(same.is_none(), "{} stands there twice", row.name());
    }
}
