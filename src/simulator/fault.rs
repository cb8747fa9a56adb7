//! What can be made to go wrong, for whom, in which operation and how often.

use std::collections::HashMap;
use std::time::Duration;

use super::operation::Operation;
use crate::account::AccountId;

/// Something that goes wrong.
///
/// A fault meets every request that its account, its operation and its kind fit. Of several that
/// refuse the same request (see [`FaultKind::refuses`]) only one meets it: an account's own before
/// everybody's, and then the one set first; so faults with a number of times follow each other.
/// All others come together, and delays and skews add up.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Whose requests it meets: those about this account (see [`Call::account`](super::Call)),
    /// or everybody's.
    pub account: Option<AccountId>,
    /// Which operation it meets, or every one that the kind fits.
    pub operation: Option<Operation>,
    /// What goes wrong.
    pub kind: FaultKind,
    /// How many requests it meets before it is over; `None` for until it is cleared.
    pub times: Option<u32>,
}

impl Fault {
    /// A fault that meets every request of everybody until it is cleared.
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

    /// The same fault for so many requests only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// The operations in which a replica can lag: what says something of the root user, or writes it down.
pub(super) const LAGGING: [Operation; 6] = [
    Operation::GetAccountSummary,
    Operation::ListAccessKeys,
    Operation::GenerateCredentialReport,
    Operation::ListMFADevices,
    Operation::ListSigningCertificates,
    Operation::GetLoginProfile,
];

/// The kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// 400 `Throttling`, "Rate exceeded"; of Organizations `TooManyRequestsException`.
    Throttling,
    /// 409 `LimitExceeded`, as `GenerateCredentialReport` says when AWS has no capacity.
    LimitExceeded,
    /// 500 `ServiceFailure`; `InternalFailure` of STS, `ServiceException` of Organizations.
    ServiceFailure,
    /// 503 with a page of HTML, as a load balancer answers.
    Unavailable,
    /// Half of the answer, then the connection is closed.
    Torn,
    /// The connection is closed without an answer.
    Refuse,
    /// The request is taken and nothing follows.
    NeverAnswer,
    /// The answer's body comes at one byte a second.
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
    /// A complete HTTP answer that ends before that text, between two elements for instance;
    /// it is whole where the text is not in it.
    EndsBefore(&'static str),
    /// The report's `Content` is base64 that ends in the middle of a group.
    TruncatedBase64,
    /// The report ends within its first row.
    MalformedCsv,
    /// Generate says it is in progress, Get that it is not ready, for as long as this lasts.
    ReportNeverCompletes,
    /// `ListAccounts` answers no account and a token for more, every time.
    EmptyPageForEver,
    /// 400 `InvalidAction`, as an endpoint that does not know the operation.
    UnknownOperation,
    /// The answer is made at once and sent so much later, by the real clock.
    Delay(Duration),
    /// The `Date` header is so many seconds ahead of the simulator's clock, behind when negative.
    DateSkew(i64),
    /// There is no `Date` header.
    NoDate,
    /// What is said of the root user is as old as that, by the real clock: in every answer, or in
    /// the report that is begun.
    Lag(Duration),
    /// The same, but every other request finds a replica that does not lag.
    StaleReplica(Duration),
}

impl FaultKind {
    /// Whether the operation does not take place because of it.
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

    /// Whether the answer goes out at once and in full in spite of it, whatever it says.
    pub(super) fn leaves_whole(self) -> bool {
        matches!(
            self,
            Self::DateSkew(_) | Self::NoDate | Self::Lag(_) | Self::StaleReplica(_)
        )
    }

    /// Whether there is anything for it to spoil in that operation.
    fn fits(self, operation: Option<Operation>) -> bool {
        use Operation as O;
        match self {
            Self::WrongAccount(_) => matches!(
                operation,
                Some(O::AssumeRole | O::GetCallerIdentity | O::GetCredentialReport)
            ),
            Self::TruncatedBase64 | Self::MalformedCsv => operation == Some(O::GetCredentialReport),
            Self::ReportNeverCompletes => matches!(
                operation,
                Some(O::GenerateCredentialReport | O::GetCredentialReport)
            ),
            Self::EmptyPageForEver => operation == Some(O::ListAccounts),
            Self::Lag(_) | Self::StaleReplica(_) => {
                operation.is_some_and(|operation| LAGGING.contains(&operation))
            }
            _ => true,
        }
    }
}

/// The faults in force, found by account so that ten thousand of them cost a request nothing.
#[derive(Debug, Default)]
pub(super) struct Faults(HashMap<Option<AccountId>, Vec<Fault>>);

impl Faults {
    pub(super) fn set(&mut self, fault: Fault) {
        self.0.entry(fault.account).or_default().push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn clear_of(&mut self, account: AccountId) {
        self.0.remove(&Some(account));
    }

    /// The faults that meet a request, an account's own before everybody's; each is used up by one.
    pub(super) fn meet(
        &mut self,
        account: Option<AccountId>,
        operation: Option<Operation>,
    ) -> Vec<FaultKind> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut kinds = Vec::new();
        let mut refused = false;
        let everybody = account.is_some().then_some(None);
        for key in [Some(account), everybody].into_iter().flatten() {
            let Some(faults) = self.0.get_mut(&key) else {
                continue;
            };
            faults.retain_mut(|fault| {
                let named = fault.operation.is_none() || fault.operation == operation;
                let too_late = refused && fault.kind.refuses();
                if !named || too_late || !fault.kind.fits(operation) {
                    return true;
                }
                match &mut fault.times {
                    Some(0) => return false,
                    Some(left) => *left -= 1,
                    None => {}
                }
                refused |= fault.kind.refuses();
                kinds.push(fault.kind);
                fault.times != Some(0)
            });
            if faults.is_empty() {
                self.0.remove(&key);
            }
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_over_after_its_times_and_spares_what_it_does_not_fit() {
        let account: AccountId = "000000000042".parse().unwrap();
        let mut faults = Faults::default();
        faults.set(Fault::new(FaultKind::MalformedCsv).of(account).times(1));
        let mut meet = |operation: &str| faults.meet(Some(account), Some(operation.into()));
        assert!(meet("GetAccountSummary").is_empty());
        assert_eq!(meet("GetCredentialReport"), [FaultKind::MalformedCsv]);
        assert!(meet("GetCredentialReport").is_empty());
    }

    #[test]
    fn refusals_follow_each_other() {
        let mut faults = Faults::default();
        faults.set(Fault::new(FaultKind::Throttling).times(1));
        faults.set(Fault::new(FaultKind::NoDate).times(1));
        faults.set(Fault::new(FaultKind::ServiceFailure).times(1));
        let mut meet = || faults.meet(None, None);
        assert_eq!(meet(), [FaultKind::Throttling, FaultKind::NoDate]);
        assert_eq!(meet(), [FaultKind::ServiceFailure]);
        assert_eq!(meet(), []);
    }

    #[test]
    fn a_fault_of_everybody_meets_an_account_beside_its_own() {
        let account: AccountId = "000000000042".parse().unwrap();
        let mut faults = Faults::default();
        faults.set(Fault::new(FaultKind::DateSkew(5)));
        faults.set(Fault::new(FaultKind::Throttling).of(account));
        assert_eq!(
            faults.meet(Some(account), None),
            [FaultKind::Throttling, FaultKind::DateSkew(5)]
        );
        assert_eq!(faults.meet(None, None), [FaultKind::DateSkew(5)]);
    }
}
