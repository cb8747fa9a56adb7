//! The operations that read an account: its credential report and its summary.

use aws_sdk_iam::operation::get_credential_report::{
    GetCredentialReportError, GetCredentialReportOutput,
};
use aws_sdk_iam::types::{ReportStateType, SummaryKeyType};
use aws_smithy_types::{Blob, DateTime};
use root_posture::Summary;

use super::call::{Answer, Sent};
use super::client::{Aws, Clients};
use super::operation::Operation;
use super::session::Signer;
use super::slot::SessionKind;
use crate::account::Account;
use crate::clock::Timestamp;
use crate::failure::{Failure, Reason};

const GENERATE_REPORT: Operation = Operation::iam("GenerateCredentialReport");
const GET_REPORT: Operation = Operation::iam("GetCredentialReport");
const GET_SUMMARY: Operation = Operation::iam("GetAccountSummary");

/// The answer of iam:GenerateCredentialReport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportState {
    /// AWS has begun to make one, or is making it.
    Pending,
    /// There is one.
    Complete,
}

/// The answer of iam:GetCredentialReport.
#[derive(Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The report.
    Report {
        /// The CSV text, already decoded from base64.
        content: Vec<u8>,
        /// `GeneratedTime`; `None` when AWS left it out.
        generated: Option<Timestamp>,
    },
    /// No report exists, or it has expired: one must be generated.
    Missing,
    /// AWS is making it.
    Pending,
}

impl Aws {
    /// iam:GenerateCredentialReport: AWS begins to make a report unless one is younger than four
    /// hours.
    ///
    /// Fails with [`Reason::LimitExceeded`] when AWS has no capacity.
    pub async fn generate_report(&self, account: &Account) -> Result<Answer<ReportState>, Failure> {
        let signer = Signer::Account(account, SessionKind::Own);
        let request = |aws: &Clients| aws.iam.generate_credential_report().send();
        let answer = self.ask(signer, GENERATE_REPORT, request, Sent::finish);
        Ok(answer.await?.map(|output| match output.state {
            Some(ReportStateType::Complete) => ReportState::Complete,
            _ => ReportState::Pending,
        }))
    }

    /// iam:GetCredentialReport: the newest report there is.
    ///
    /// Fails with [`Reason::ReportMalformed`] when the answer cannot be read.
    pub async fn fetch_report(&self, account: &Account) -> Result<Answer<Fetched>, Failure> {
        let signer = Signer::Account(account, SessionKind::Own);
        let request = |aws: &Clients| aws.iam.get_credential_report().send();
        let read = |sent: Sent<_, GetCredentialReportError>| {
            if let Some(error) = sent.service_error() {
                if error.is_credential_report_not_ready_exception() {
                    return Ok(sent.finish_as(Fetched::Pending));
                }
                if error.is_credential_report_not_present_exception()
                    || error.is_credential_report_expired_exception()
                {
                    return Ok(sent.finish_as(Fetched::Missing));
                }
            }
            let is_unreadable = sent.is_unreadable();
            let answer = sent.finish().map_err(|failure| match failure.reason {
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
        self.ask(signer, GET_REPORT, request, read).await
    }

    /// iam:GetAccountSummary: whether root keys exist, at this moment.
    pub async fn account_summary(
        &self,
        account: &Account,
        kind: SessionKind,
    ) -> Result<Answer<Summary>, Failure> {
        let signer = Signer::Account(account, kind);
        let request = |aws: &Clients| aws.summary.clone().send();
        let answer = self.ask(signer, GET_SUMMARY, request, Sent::finish);
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
