//! The questions about an account: its credential report and its summary.

use aws_sdk_iam::Client;
use aws_sdk_iam::operation::get_credential_report::{
    GetCredentialReportError, GetCredentialReportOutput,
};
use aws_sdk_iam::types::{ReportStateType, SummaryKeyType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::{Blob, DateTime};
use root_posture::Summary;

use super::SessionKind::Own;
use super::call::Sent;
use super::operation::Operation;
use super::{Answer, Aws, SessionKind};
use crate::account::Account;
use crate::clock::Timestamp;
use crate::failure::{Failure, Reason};

/// What iam:GenerateCredentialReport answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportState {
    /// AWS has begun to make one, or is making it.
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
    /// AWS is making it.
    Pending,
}

impl Aws {
    /// Asks IAM one question with a session in the account.
    pub(super) async fn ask<T, E, F, U>(
        &self,
        account: &Account,
        kind: SessionKind,
        name: &'static str,
        request: impl Fn(&Client) -> F,
        read: impl Fn(Sent<T, E>) -> Result<Answer<U>, Failure>,
    ) -> Result<Answer<U>, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + 'static,
    {
        let operation = Operation::iam(name);
        let iam = &self.clients(&account.region).iam;
        let (request, read) = (&request, &read);
        self.with_session(account, kind, operation, |session| async move {
            read(
                self.send(operation, &account.region, &session, || request(iam))
                    .await,
            )
        })
        .await
    }

    /// iam:GenerateCredentialReport: AWS begins to make a report unless one is younger than four
    /// hours.
    ///
    /// # Errors
    ///
    /// A [`Failure`]; [`Reason::LimitExceeded`] when AWS has no capacity.
    pub async fn generate_report(&self, account: &Account) -> Result<Answer<ReportState>, Failure> {
        let send = |iam: &Client| iam.generate_credential_report().send();
        let answer = self.ask(account, Own, "GenerateCredentialReport", send, Sent::book);
        Ok(answer.await?.map(|output| match output.state {
            Some(ReportStateType::Complete) => ReportState::Complete,
            _ => ReportState::Pending,
        }))
    }

    /// iam:GetCredentialReport: the newest report there is.
    ///
    /// # Errors
    ///
    /// A [`Failure`]; [`Reason::ReportMalformed`] when an answer came that cannot be read.
    pub async fn fetch_report(&self, account: &Account) -> Result<Answer<Fetched>, Failure> {
        let send = |iam: &Client| iam.get_credential_report().send();
        let read = |sent: Sent<_, GetCredentialReportError>| {
            if let Some(error) = sent.service_error() {
                if error.is_credential_report_not_ready_exception() {
                    return Ok(sent.book_as(Fetched::Pending));
                }
                if error.is_credential_report_not_present_exception()
                    || error.is_credential_report_expired_exception()
                {
                    return Ok(sent.book_as(Fetched::Missing));
                }
            }
            let is_unreadable = sent.is_unreadable();
            let answer = sent.book().map_err(|failure| match failure.reason {
                // A broken connection has a reason of its own.
                Reason::Other if is_unreadable => {
                    Failure::new(Reason::ReportMalformed, failure.message)
                }
                _ => failure,
            })?;
            let seconds = |time: DateTime| Timestamp::from_unix(time.secs());
            Ok(answer.map(|output: GetCredentialReportOutput| {
                let content = output.content.map(Blob::into_inner).unwrap_or_default();
                let generated = output.generated_time.map(seconds);
                Fetched::Report { content, generated }
            }))
        };
        self.ask(account, Own, "GetCredentialReport", send, read)
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
        let send = |iam: &Client| iam.get_account_summary().send();
        let answer = self.ask(account, kind, "GetAccountSummary", send, Sent::book);
        Ok(answer.await?.map(|output| {
            let entry = |key: SummaryKeyType| -> Option<u8> {
                let value = *output.summary_map.as_ref()?.get(&key)?;
                Some(u8::try_from(value.max(0)).unwrap_or(u8::MAX))
            };
            let flag = |key| entry(key).map(|value| value > 0);
            Summary {
                keys: entry(SummaryKeyType::AccountAccessKeysPresent),
                certificates: entry(SummaryKeyType::AccountSigningCertificatesPresent),
                mfa: flag(SummaryKeyType::AccountMfaEnabled),
                password: flag(SummaryKeyType::AccountPasswordPresent),
            }
        }))
    }
}
