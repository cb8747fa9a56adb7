//! The questions of a root session: the root user's own keys and other credentials.
//!
//! The session is opened with the audit task policy, which allows these questions and nothing
//! else. Without a user name each is about the session's own user, which is root.
//!
//! Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".

use aws_sdk_iam::operation::get_login_profile::GetLoginProfileError;
use aws_sdk_iam::types::StatusType;

use super::call::send;
use super::enter::SessionKind;
use super::questions::root_entries;
use super::session::Session;
use super::{Answer, Aws};
use crate::account::Account;
use crate::failure::{Failure, Reason};
use root_posture::Timestamp;
use root_posture::{Counts, LastUse, RootKey, Summary};

impl Aws {
    pub async fn root_keys(&self, account: &Account) -> Result<Answer<Vec<RootKey>>, Failure> {
        self.with_session(account, SessionKind::Root, |session| async move {
            let client = &self.clients(&account.region).iam;
            let request = client.list_access_keys();
            let (call, tap, result) = send!(self, "iam", "ListAccessKeys", session, request);
            let listed = self.book(call, &tap, result).map_err(explain_guardrail)?;
            Ok(listed.map(|output| {
                output
                    .access_key_metadata
                    .into_iter()
                    .map(|key| RootKey {
                        active: key.status != Some(StatusType::Inactive),
                        created: key
                            .create_date
                            .map(|created| Timestamp::from_unix(created.secs())),
                        id: key.access_key_id.unwrap_or_default(),
                        last_used: None,
                    })
                    .collect()
            }))
        })
        .await
    }
    pub async fn key_last_used(
        &self,
        account: &Account,
        key: &str,
    ) -> Result<Answer<Option<LastUse>>, Failure> {
        self.with_session(account, SessionKind::Root, |session| async move {
            let request = self
                .clients(&account.region)
                .iam
                .get_access_key_last_used()
                .access_key_id(key);
            let (call, tap, result) = send!(self, "iam", "GetAccessKeyLastUsed", session, request);
            let answer = self.book(call, &tap, result)?;
            let place = |text: String| Some(text).filter(|text| !text.is_empty() && text != "N/A");
            Ok(answer.map(|a| {
                a.access_key_last_used.and_then(|used| {
                    used.last_used_date.map(|date| LastUse {
                        at: Timestamp::from_unix(date.secs()),
                        region: place(used.region),
                        service: place(used.service_name),
                    })
                })
            }))
        })
        .await
    }
    pub async fn root_certificates(&self, account: &Account) -> Result<Answer<Counts>, Failure> {
        self.with_session(account, SessionKind::Root, |session| async move {
            let request = self
                .clients(&account.region)
                .iam
                .list_signing_certificates();
            let (call, tap, result) =
                send!(self, "iam", "ListSigningCertificates", session, request);
            Ok(self.book(call, &tap, result)?.map(|o| {
                let c = o.certificates;
                Counts {
                    present: c.len() as u8,
                    active: c
                        .iter()
                        .filter(|one| one.status != StatusType::Inactive)
                        .count() as u8,
                }
            }))
        })
        .await
    }
    pub async fn root_mfa(&self, account: &Account) -> Result<Answer<bool>, Failure> {
        self.with_session(account, SessionKind::Root, |session| async move {
            let request = self.clients(&account.region).iam.list_mfa_devices();
            let (call, tap, result) = send!(self, "iam", "ListMFADevices", session, request);
            Ok(self
                .book(call, &tap, result)?
                .map(|o| !o.mfa_devices.is_empty()))
        })
        .await
    }
    pub async fn root_login_profile(&self, account: &Account) -> Result<Answer<bool>, Failure> {
        self.with_session(account, SessionKind::Root, |session| async move {
            let request = self.clients(&account.region).iam.get_login_profile();
            let (call, tap, result) = send!(self, "iam", "GetLoginProfile", session, request);
            let none = result
                .as_ref()
                .err()
                .and_then(|error| error.as_service_error())
                .is_some_and(GetLoginProfileError::is_no_such_entity_exception);
            if none {
                self.observe(call, Ok(()));
                return Ok(self.answered(call, false, &tap));
            }
            Ok(self.book(call, &tap, result)?.map(|_| true))
        })
        .await
    }
}

/// A root session that may not even list its keys meets a guardrail of the organization.
fn explain_guardrail(failure: Failure) -> Failure {
    if failure.reason != Reason::AccessDenied {
        return failure;
    }
    Failure::new(
        Reason::AccessDenied,
        format!(
            "{}; a service control policy that denies the root user matches root sessions too: \
             exempt them with the condition key aws:AssumedRoot",
            failure.message
        ),
    )
}
