//! Faults: what goes wrong, for which account and operation, and how often.

use std::time::Duration;

use crate::id::AccountId;
use crate::operation::Operation;

/// Something that goes wrong.
///
/// A fault applies to every request that its account, its operation and its kind fit. Of several that
/// refuse the same request (see [`FaultKind::refuses`]) only one applies: an account's own before those
/// of all accounts, and then the one set first; so faults with a number of times follow each other.
/// All others apply together, and delays and skews add up.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The account whose requests fail (see [`Call::account`](crate::Call)); `None` for all.
    pub account: Option<AccountId>,
    /// The operation that fails; `None` for every one that the kind fits.
    pub operation: Option<Operation>,
    /// What goes wrong.
    pub kind: FaultKind,
    /// How many requests it applies to; `None` for until it is cleared.
    pub times: Option<u32>,
}

impl Fault {
    /// A fault in every request about every account until it is cleared.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self {
            account: None,
            operation: None,
            kind,
            times: None,
        }
    }

    /// The same fault for one account only.
    #[must_use]
    pub fn of(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// The same fault for one operation only.
    #[must_use]
    pub fn on(mut self, operation: impl Into<Operation>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// The same fault for that many requests only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// 400 `Throttling`, "Rate exceeded"; of Organizations `TooManyRequestsException`, of SQS
    /// `RequestThrottled`.
    Throttling,
    /// 409 `LimitExceeded`, as `GenerateCredentialReport` answers when AWS has no capacity; of SQS
    /// `OverLimit`.
    LimitExceeded,
    /// 500 `ServiceFailure`; of STS and SQS `InternalFailure`, of Organizations `ServiceException`.
    ServiceFailure,
    /// 503 with a page of HTML, as a load balancer answers.
    Unavailable,
    /// Half of the answer, then the connection is closed.
    Torn,
    /// The connection is closed without an answer.
    Refuse,
    /// The request is read and never answered.
    NeverAnswer,
    /// The answer's body is sent at one byte a second.
    OneByteASecond,
    /// 403 `AccessDenied`.
    AccessDenied,
    /// `ExpiredToken`, as if the session had ended.
    ExpiredToken,
    /// 403 `InvalidClientTokenId`, as if the access key did not exist.
    InvalidToken,
    /// `AssumeRole` and `GetCallerIdentity` answer for this account, `GetCredentialReport` with
    /// this account in the ARNs.
    WrongAccount(AccountId),
    /// A complete HTTP answer whose XML (or JSON) ends in the middle.
    TruncatedXml,
    /// A complete HTTP answer that ends before that text, between two elements for instance; an answer
    /// without the text stays whole.
    EndsBefore(&'static str),
    /// The report's `Content` is base64 that ends in the middle of a group.
    TruncatedBase64,
    /// The report ends within its first row.
    MalformedCsv,
    /// Generate answers that it is in progress and Get that it is not ready, while this lasts.
    ReportNeverCompletes,
    /// `ListAccounts` answers no account and a token for more, every time.
    EmptyPageForEver,
    /// 400 `InvalidAction`, as from an endpoint that does not know the operation.
    UnknownOperation,
    /// The answer is made at once and sent that much later, by the real clock.
    Delay(Duration),
    /// The `Date` header is that many seconds ahead of the simulator's clock, behind when negative.
    DateSkew(i64),
    /// There is no `Date` header.
    NoDate,
    /// What answers and new reports say of the root user is that old, by the real clock.
    Lag(Duration),
    /// The same, but every other request meets a replica that does not lag.
    StaleReplica(Duration),
}

impl FaultKind {
    /// Whether it keeps the operation from taking place.
    #[must_use]
    pub fn refuses(self) -> bool {
        matches!(
            self,
            Self::Throttling
                | Self::LimitExceeded
                | Self::ServiceFailure
                | Self::Unavailable
                | Self::Refuse
                | Self::NeverAnswer
                | Self::AccessDenied
                | Self::ExpiredToken
                | Self::InvalidToken
                | Self::UnknownOperation
        )
    }

    /// Whether the answer still goes out at once and in full, whatever its content.
    pub(crate) fn leaves_whole(self) -> bool {
        matches!(
            self,
            Self::DateSkew(_) | Self::NoDate | Self::Lag(_) | Self::StaleReplica(_)
        )
    }

    /// Whether it has any effect on that operation.
    #[must_use]
    pub fn fits(self, operation: Operation) -> bool {
        use Operation as O;
        match self {
            Self::WrongAccount(_) => matches!(
                operation,
                O::AssumeRole | O::GetCallerIdentity | O::GetCredentialReport
            ),
            Self::TruncatedBase64 | Self::MalformedCsv => operation == O::GetCredentialReport,
            Self::ReportNeverCompletes => matches!(
                operation,
                O::GenerateCredentialReport | O::GetCredentialReport
            ),
            Self::EmptyPageForEver => operation == O::ListAccounts,
            // Those that read the root user.
            Self::Lag(_) | Self::StaleReplica(_) => matches!(
                operation,
                O::GetAccountSummary
                    | O::ListAccessKeys
                    | O::GenerateCredentialReport
                    | O::ListMFADevices
                    | O::ListSigningCertificates
                    | O::GetLoginProfile
            ),
            _ => true,
        }
    }
}

/// The faults of a request, of those in force, which are oldest first: an account's own first. Each counts
/// it against its times.
pub(crate) fn of_request(
    faults: &mut Vec<Fault>,
    account: Option<AccountId>,
    operation: Option<Operation>,
) -> Vec<FaultKind> {
    let mut kinds = Vec::new();
    let mut refused = false;
    let all_accounts = account.is_some().then_some(None);
    for account in [Some(account), all_accounts].into_iter().flatten() {
        faults.retain_mut(|fault| {
            let named = fault.operation.is_none() || fault.operation == operation;
            let too_late = refused && fault.kind.refuses();
            let fits = operation.is_none_or(|operation| fault.kind.fits(operation));
            let applies = fault.account == account && named && fits;
            if !applies || too_late {
                return true;
            }
            if let Some(left) = &mut fault.times {
                *left = left.saturating_sub(1);
            }
            refused |= fault.kind.refuses();
            kinds.push(fault.kind);
            fault.times != Some(0)
        });
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_ends_after_its_times_and_leaves_other_operations_alone() {
        let account: AccountId = "000000000042".parse().unwrap();
        let mut faults = Vec::new();
        faults.push(Fault::new(FaultKind::MalformedCsv).of(account).times(1));
        let mut meet =
            |operation: &str| of_request(&mut faults, Some(account), Some(operation.into()));
        assert!(meet("GetAccountSummary").is_empty());
        assert_eq!(meet("GetCredentialReport"), [FaultKind::MalformedCsv]);
        assert!(meet("GetCredentialReport").is_empty());
    }

    #[test]
    fn refusals_follow_each_other() {
        let mut faults = Vec::new();
        faults.push(Fault::new(FaultKind::Throttling).times(1));
        faults.push(Fault::new(FaultKind::NoDate).times(1));
        faults.push(Fault::new(FaultKind::ServiceFailure).times(1));
        let mut meet = || of_request(&mut faults, None, None);
        assert_eq!(meet(), [FaultKind::Throttling, FaultKind::NoDate]);
        assert_eq!(meet(), [FaultKind::ServiceFailure]);
        assert_eq!(meet(), []);
    }

    #[test]
    fn a_fault_of_all_accounts_applies_beside_an_accounts_own() {
        let account: AccountId = "000000000042".parse().unwrap();
        let mut faults = Vec::new();
        faults.push(Fault::new(FaultKind::DateSkew(5)));
        faults.push(Fault::new(FaultKind::Throttling).of(account));
        assert_eq!(
            of_request(&mut faults, Some(account), None),
            [FaultKind::Throttling, FaultKind::DateSkew(5)]
        );
        assert_eq!(
            of_request(&mut faults, None, None),
            [FaultKind::DateSkew(5)]
        );
    }
}
