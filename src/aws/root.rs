//! The operations of a root session: the root user's own keys and other credentials.
//!
//! The session is opened with the audit task policy, which allows these operations and nothing
//! else. Without a user name each is about the session's own user, root. One that fails has no
//! effect on the others.
//!
//! Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".

use aws_sdk_iam::operation::get_login_profile::GetLoginProfileError;
use aws_sdk_iam::types::{AccessKeyMetadata, StatusType};
use root_posture::{Counts, LastUse, RootKey};

use super::call::{Answer, Sent};
use super::client::{Aws, Clients};
use super::operation::Operation;
use super::session::Signer;
use super::slot::SessionKind;
use crate::account::Account;
use crate::clock::Timestamp;
use crate::failure::{Failure, Reason};

const LIST_KEYS: Operation = Operation::iam("ListAccessKeys");
const GET_LAST_USED: Operation = Operation::iam("GetAccessKeyLastUsed");
const LIST_CERTIFICATES: Operation = Operation::iam("ListSigningCertificates");
const LIST_MFA: Operation = Operation::iam("ListMFADevices");
const GET_LOGIN_PROFILE: Operation = Operation::iam("GetLoginProfile");

fn root(account: &Account) -> Signer<'_> {
    Signer::Account(account, SessionKind::Root)
}

impl Aws {
    /// iam:ListAccessKeys: the root user's access keys; `last_used` is empty.
    ///
    /// Fails with [`Reason::Unsupported`] where centralized root access is off.
    pub async fn root_keys(&self, account: &Account) -> Result<Answer<Vec<RootKey>>, Failure> {
        let request = |aws: &Clients| aws.iam.list_access_keys().send();
        let answer = self.ask(root(account), LIST_KEYS, request, Sent::finish);
        let answer = answer.await.map_err(explain_guardrail)?;
        let read = |key: AccessKeyMetadata| RootKey {
            active: key.status != Some(StatusType::Inactive),
            created: key.create_date.map(|at| Timestamp::from_unix(at.secs())),
            id: key.access_key_id.unwrap_or_default(),
            last_used: None,
        };
        Ok(answer.map(|output| output.access_key_metadata.into_iter().map(read).collect()))
    }

    /// iam:GetAccessKeyLastUsed: when and where an access key was last used; `None` for never.
    pub async fn key_last_used(
        &self,
        account: &Account,
        key: &str,
    ) -> Result<Answer<Option<LastUse>>, Failure> {
        let request = |aws: &Clients| aws.iam.get_access_key_last_used().access_key_id(key).send();
        let answer = self.ask(root(account), GET_LAST_USED, request, Sent::finish);
        // "N/A" means that the place is unknown.
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
    pub async fn root_certificates(&self, account: &Account) -> Result<Answer<Counts>, Failure> {
        let request = |aws: &Clients| aws.iam.list_signing_certificates().send();
        let answer = self.ask(root(account), LIST_CERTIFICATES, request, Sent::finish);
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
    pub async fn root_mfa(&self, account: &Account) -> Result<Answer<bool>, Failure> {
        let request = |aws: &Clients| aws.iam.list_mfa_devices().send();
        let answer = self.ask(root(account), LIST_MFA, request, Sent::finish);
        Ok(answer.await?.map(|output| !output.mfa_devices.is_empty()))
    }

    /// iam:GetLoginProfile: whether there is a console password.
    pub async fn root_login_profile(&self, account: &Account) -> Result<Answer<bool>, Failure> {
        let request = |aws: &Clients| aws.iam.get_login_profile().send();
        let read = |sent: Sent<_, GetLoginProfileError>| {
            let error = sent.service_error();
            if error.is_some_and(GetLoginProfileError::is_no_such_entity_exception) {
                return Ok(sent.finish_as(false));
            }
            Ok(sent.finish()?.map(|_| true))
        };
        self.ask(root(account), GET_LOGIN_PROFILE, request, read)
            .await
    }
}

/// Says what to do where a root session may not even list its keys: a policy of the organization
/// denies it.
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
