//! The questions about an account that its role, profile or own credentials may ask.

use aws_sdk_iam::operation::get_account_summary::GetAccountSummaryOutput;
use aws_sdk_iam::types::{ReportStateType, SummaryKeyType};
use aws_smithy_types::Blob;

use super::call::send;
use super::enter::SessionKind;
use super::{Answer, Aws};
use crate::account::Account;
use crate::failure::{Failure, Reason};
use root_posture::Summary;
use root_posture::Timestamp;

/// What iam:GenerateCredentialReport answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportState {
    /// AWS has begun to make one, or is at it.
    Pending,
    /// There is one.
    Complete,
}

/// What iam:GetCredentialReport answers.
#[derive(Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The report.
    Report {
        /// The CSV text, already decoded from base64.
        content: Vec<u8>,
        /// `GeneratedTime`; `None` when AWS left it out.
        generated: Option<Timestamp>,
    },
    /// There is none, or it has expired: one must be generated.
    Missing,
    /// It is in the making.
    Pending,
}

impl Aws {
    /// iam:GenerateCredentialReport: AWS begins to make a report unless one is younger than four
    /// hours.
    ///
    /// # Errors
    ///
    /// A [`Failure`]; [`Reason::LimitExceeded`] when AWS has no capacity.
    pub async fn generate_report(&self, account: &Account) -> Result<Answer<ReportState>, Failure> {
        self.with_session(account, SessionKind::Own, |session| async move {
            let request = self
                .clients(&account.region)
                .iam
                .generate_credential_report();
            let (call, tap, result) =
                send!(self, "iam", "GenerateCredentialReport", session, request);
            let answer = self.book(call, &tap, result)?;
            Ok(answer.map(|output| match output.state {
                Some(ReportStateType::Complete) => ReportState::Complete,
                _ => ReportState::Pending,
            }))
        })
        .await
    }

    /// iam:GetCredentialReport: the newest report there is.
    ///
    /// # Errors
    ///
    /// A [`Failure`]; [`Reason::ReportMalformed`] when an answer came that cannot be read.
    pub async fn fetch_report(&self, account: &Account) -> Result<Answer<Fetched>, Failure> {
        self.with_session(account, SessionKind::Own, |session| async move {
            let request = self.clients(&account.region).iam.get_credential_report();
            let (call, tap, result) = send!(self, "iam", "GetCredentialReport", session, request);
            let without_report = result
                .as_ref()
                .err()
                .and_then(|error| error.as_service_error())
                .and_then(|error| {
                    if error.is_credential_report_not_ready_exception() {
                        Some(Fetched::Pending)
                    } else if error.is_credential_report_not_present_exception()
                        || error.is_credential_report_expired_exception()
                    {
                        Some(Fetched::Missing)
                    } else {
                        None
                    }
                });
            if let Some(fetched) = without_report {
                self.observe(call, Ok(()));
                return Ok(self.answered(call, fetched, &tap));
            }
            // The SDK gives what it cannot parse as an error of the service, of no kind it knows.
            let unreadable = match &result {
                Ok(_) => tap.breaks_off(),
                Err(error) => error
                    .raw_response()
                    .is_some_and(|response| response.status().is_success()),
            };
            let answer = self.book(call, &tap, result).map_err(|failure| {
                // A broken connection is one; anything else that is no answer is no report.
                if unreadable && failure.reason == Reason::Other {
                    Failure::new(Reason::ReportMalformed, failure.message)
                } else {
                    failure
                }
            })?;
            Ok(answer.map(|output| Fetched::Report {
                content: output.content.map(Blob::into_inner).unwrap_or_default(),
                generated: output
                    .generated_time
                    .map(|time| Timestamp::from_unix(time.secs())),
            }))
        })
        .await
    }

    /// iam:GetAccountSummary: whether root keys exist, at this moment.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn account_summary(
        &self,
        account: &Account,
        kind: SessionKind,
    ) -> Result<Answer<Summary>, Failure> {
        self.with_session(account, kind, |session| async move {
            let request = self.clients(&account.region).iam.get_account_summary();
            let (call, tap, result) = send!(self, "iam", "GetAccountSummary", session, request);
            let answer = self.book(call, &tap, result)?;
            Ok(answer.map(|output| root_entries(&output)))
        })
        .await
    }
}

/// The root user's entries of an account summary.
pub(super) fn root_entries(output: &GetAccountSummaryOutput) -> Summary {
    let entry = |key: SummaryKeyType| -> Option<u8> {
        let value = *output.summary_map.as_ref()?.get(&key)?;
        Some(u8::try_from(value.max(0)).unwrap_or(u8::MAX))
    };
    Summary {
        keys: entry(SummaryKeyType::AccountAccessKeysPresent),
        certificates: entry(SummaryKeyType::AccountSigningCertificatesPresent),
        mfa: entry(SummaryKeyType::AccountMfaEnabled).map(|value| value > 0),
        password: entry(SummaryKeyType::AccountPasswordPresent).map(|value| value > 0),
    }
}
