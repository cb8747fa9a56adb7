//! The questions of a root session: the root user's own keys and other credentials.
//!
//! The session is opened with the audit task policy, which allows these questions and nothing
//! else. Without a user name each is about the session's own user, which is root.
//!
//! Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".

use aws_sdk_iam::operation::get_login_profile::GetLoginProfileError;
use aws_sdk_iam::types::StatusType;

use super::call::send;
use super::enter::Door;
use super::questions::root_entries;
use super::session::Session;
use super::{Answer, Aws};
use crate::account::Account;
use crate::clock::Timestamp;
use crate::evidence::{Counts, Failure, LastUse, Reason, RootKey, Summary};

/// What a root session answers at each look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootAnswer {
    /// The root user's access keys; when they were last used is not known yet.
    pub keys: Vec<RootKey>,
    /// The account summary, where it was asked for and answered.
    pub summary: Option<Summary>,
}

/// What is asked less often. A field is `None` where AWS did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootDetail {
    /// When and where each of the keys was last used, in their order; the inner `None` is never.
    pub last_used: Vec<Option<Option<LastUse>>>,
    /// Signing certificates.
    pub certificates: Option<Counts>,
    /// Whether there is an MFA device.
    pub mfa: Option<bool>,
    /// Whether there is a console password.
    pub password: Option<bool>,
}

impl Aws {
    /// iam:ListAccessKeys in a root session, and iam:GetAccountSummary where that is asked for.
    ///
    /// # Errors
    ///
    /// A [`Failure`]; [`Reason::Unsupported`] where the organization has centralized root access
    /// turned off.
    pub async fn root_keys(
        &self,
        account: &Account,
        with_summary: bool,
    ) -> Result<Answer<RootAnswer>, Failure> {
        self.with_session(account, Door::Root, |session| async move {
            let client = &self.clients(&account.region).iam;
            let request = client.list_access_keys();
            let (call, tap, result) = send!(self, "iam", "ListAccessKeys", session, request);
            let listed = self.book(call, &tap, result).map_err(explain_guardrail)?;
            let summary = if with_summary {
                self.root_summary(account, &session).await
            } else {
                None
            };
            Ok(listed.map(|output| RootAnswer {
                keys: output
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
                    .collect(),
                summary,
            }))
        })
        .await
    }

    /// The list of keys says what matters; a summary that fails beside it is counted and left.
    async fn root_summary(&self, account: &Account, session: &Session) -> Option<Summary> {
        let request = self.clients(&account.region).iam.get_account_summary();
        let (call, tap, result) = send!(self, "iam", "GetAccountSummary", session, request);
        let answer = self.book(call, &tap, result).ok()?;
        Some(root_entries(&answer.value))
    }

    /// iam:GetAccessKeyLastUsed for each of the keys, iam:ListSigningCertificates,
    /// iam:ListMFADevices and iam:GetLoginProfile in a root session.
    ///
    /// # Errors
    ///
    /// A [`Failure`] when there is no session. A question that fails costs its own answer only.
    pub async fn root_detail(
        &self,
        account: &Account,
        keys: &[RootKey],
    ) -> Result<RootDetail, Failure> {
        self.with_session(account, Door::Root, |session| async move {
            let mut last_used = Vec::with_capacity(keys.len());
            for key in keys {
                last_used.push(self.last_used(account, &session, &key.id).await);
            }
            Ok(RootDetail {
                last_used,
                certificates: self.certificates(account, &session).await,
                mfa: self.mfa(account, &session).await,
                password: self.password(account, &session).await,
            })
        })
        .await
    }

    async fn last_used(
        &self,
        account: &Account,
        session: &Session,
        key: &str,
    ) -> Option<Option<LastUse>> {
        let request = self
            .clients(&account.region)
            .iam
            .get_access_key_last_used()
            .access_key_id(key);
        let (call, tap, result) = send!(self, "iam", "GetAccessKeyLastUsed", session, request);
        let answer = self.book(call, &tap, result).ok()?;
        let Some(used) = answer.value.access_key_last_used else {
            return Some(None);
        };
        // "N/A" stands for a place that is not known.
        let place = |text: String| Some(text).filter(|text| !text.is_empty() && text != "N/A");
        Some(used.last_used_date.map(|date| LastUse {
            at: Timestamp::from_unix(date.secs()),
            region: place(used.region),
            service: place(used.service_name),
        }))
    }

    async fn certificates(&self, account: &Account, session: &Session) -> Option<Counts> {
        let request = self
            .clients(&account.region)
            .iam
            .list_signing_certificates();
        let (call, tap, result) = send!(self, "iam", "ListSigningCertificates", session, request);
        let certificates = self.book(call, &tap, result).ok()?.value.certificates;
        let count = |active: bool| {
            let counted = certificates
                .iter()
                .filter(|one| !active || one.status != StatusType::Inactive);
            u8::try_from(counted.count()).unwrap_or(u8::MAX)
        };
        Some(Counts {
            active: count(true),
            present: count(false),
        })
    }

    async fn mfa(&self, account: &Account, session: &Session) -> Option<bool> {
        let request = self.clients(&account.region).iam.list_mfa_devices();
        let (call, tap, result) = send!(self, "iam", "ListMFADevices", session, request);
        let devices = self.book(call, &tap, result).ok()?.value.mfa_devices;
        Some(!devices.is_empty())
    }

    async fn password(&self, account: &Account, session: &Session) -> Option<bool> {
        let request = self.clients(&account.region).iam.get_login_profile();
        let (call, tap, result) = send!(self, "iam", "GetLoginProfile", session, request);
        let none = result
            .as_ref()
            .err()
            .and_then(|error| error.as_service_error())
            .is_some_and(GetLoginProfileError::is_no_such_entity_exception);
        if none {
            // An answer like any other: there is no password.
            self.observe(call, Ok(()));
            return Some(false);
        }
        self.book(call, &tap, result).ok().map(|_| true)
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
