//! The questions of a root session: the root user's own keys and other credentials.
//!
//! The session is opened with the audit task policy, which allows these questions and nothing
//! else. Without a user name each is about the session's own user, which is root. Each question
//! stands alone: one that fails costs its own answer only.
//!
//! Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".

use aws_sdk_iam::Client;
use aws_sdk_iam::operation::get_login_profile::GetLoginProfileError;
use aws_sdk_iam::types::StatusType;
use root_posture::{Counts, LastUse, RootKey};

use super::SessionKind::Root;
use super::call::Sent;
use super::{Answer, Aws};
use crate::account::Account;
use crate::clock::Timestamp;
use crate::failure::{Failure, Reason};

impl Aws {
    /// iam:ListAccessKeys: the root user's access keys; `last_used` is empty.
    ///
    /// # Errors
    ///
    /// A [`Failure`]; [`Reason::Unsupported`] where the organization has centralized root access
    /// turned off.
    pub async fn root_keys(&self, account: &Account) -> Result<Answer<Vec<RootKey>>, Failure> {
        let send = |iam: &Client| iam.list_access_keys().send();
        let answer = self.ask(account, Root, "ListAccessKeys", send, Sent::book);
        let answer = answer.await.map_err(explain_guardrail)?;
        let is_key = |key: aws_sdk_iam::types::AccessKeyMetadata| RootKey {
            active: key.status != Some(StatusType::Inactive),
            created: key
                .create_date
                .map(|created| Timestamp::from_unix(created.secs())),
            id: key.access_key_id.unwrap_or_default(),
            last_used: None,
        };
        Ok(answer.map(|output| output.access_key_metadata.into_iter().map(is_key).collect()))
    }

    /// iam:GetAccessKeyLastUsed: when and where an access key was last used; `None` for never.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn key_last_used(
        &self,
        account: &Account,
        key: &str,
    ) -> Result<Answer<Option<LastUse>>, Failure> {
        let send = |iam: &Client| iam.get_access_key_last_used().access_key_id(key).send();
        let answer = self.ask(account, Root, "GetAccessKeyLastUsed", send, Sent::book);
        // "N/A" stands for a place that is not known.
        let place = |text: String| Some(text).filter(|text| !text.is_empty() && text != "N/A");
        Ok(answer.await?.map(|output| {
            let used = output.access_key_last_used?;
            Some(LastUse {
                at: Timestamp::from_unix(used.last_used_date?.secs()),
                region: place(used.region),
                service: place(used.service_name),
            })
        }))
    }

    /// iam:ListSigningCertificates: how many signing certificates there are.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn root_certificates(&self, account: &Account) -> Result<Answer<Counts>, Failure> {
        let send = |iam: &Client| iam.list_signing_certificates().send();
        let answer = self.ask(account, Root, "ListSigningCertificates", send, Sent::book);
        Ok(answer.await?.map(|output| {
            let all = output.certificates;
            let active = all.iter().filter(|it| it.status != StatusType::Inactive);
            Counts {
                present: u8::try_from(all.len()).unwrap_or(u8::MAX),
                active: u8::try_from(active.count()).unwrap_or(u8::MAX),
            }
        }))
    }

    /// iam:ListMFADevices: whether there is an MFA device.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn root_mfa(&self, account: &Account) -> Result<Answer<bool>, Failure> {
        let send = |iam: &Client| iam.list_mfa_devices().send();
        let answer = self.ask(account, Root, "ListMFADevices", send, Sent::book);
        Ok(answer.await?.map(|output| !output.mfa_devices.is_empty()))
    }

    /// iam:GetLoginProfile: whether there is a console password.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn root_login_profile(&self, account: &Account) -> Result<Answer<bool>, Failure> {
        let send = |iam: &Client| iam.get_login_profile().send();
        let read = |sent: Sent<_, GetLoginProfileError>| {
            let error = sent.service_error();
            if error.is_some_and(GetLoginProfileError::is_no_such_entity_exception) {
                return Ok(sent.book_as(false));
            }
            Ok(sent.book()?.map(|_| true))
        };
        self.ask(account, Root, "GetLoginProfile", send, read).await
    }
}

/// A root session that may not even list its keys meets a guardrail of the organization.
fn explain_guardrail(failure: Failure) -> Failure {
    if failure.reason != Reason::AccessDenied {
        return failure;
    }
    failure.explained(
        Reason::AccessDenied,
        "a service control policy that denies the root user matches root sessions too: exempt \
         them with the condition key aws:AssumedRoot",
    )
}
