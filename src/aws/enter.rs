//! Whose session a call is made with, and how that session is opened and verified.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sts::types::PolicyDescriptorType;

use super::call::send;
use super::session::{Kept, Session};
use super::{Aws, Identity};
use crate::account::{Access, Account, AccountId, Partition, Secret};
use crate::failure::{Failure, Reason};
use root_posture::Timestamp;

/// `RoleSessionName`: how our calls are told in the account's CloudTrail.
const SESSION_NAME: &str = "aws-root-exporter";

/// How long a root session lives, in seconds: the most that sts:AssumeRoot allows.
pub(super) const ROOT_SESSION_SECONDS: i32 = 900;

/// The way into an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// The account's role or profile, or the caller's own credentials.
    Own,
    /// A root session that may look at the root user's credentials and at nothing else.
    Root,
}

impl Aws {
    /// Who the caller is, by sts:GetCallerIdentity.
    ///
    /// # Errors
    ///
    /// A [`Failure`] when there are no credentials or STS does not answer.
    pub async fn caller(&self, region: &str) -> Result<Identity, Failure> {
        self.with_caller(|session| async move { self.identity(region, &session).await })
            .await
    }

    /// Makes a call with the caller's own session. Where AWS refuses the session itself, once
    /// more with a fresh one.
    pub(super) async fn with_caller<T, F>(&self, call: impl Fn(Session) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let session = self.sessions.open_caller().await?;
        match call(session.clone()).await {
            Err(failure) if failure.reason == Reason::Credentials => {
                self.sessions.caller().refuse(&session).await;
                call(self.sessions.open_caller().await?).await
            }
            result => result,
        }
    }

    /// Makes a call with a session in the account. Where AWS refuses the session itself, once
    /// more with a fresh one.
    pub(super) async fn with_session<T, F>(
        &self,
        account: &Account,
        door: SessionKind,
        call: impl Fn(Session) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let (kept, session) = self.session(account, door).await?;
        match call(session.clone()).await {
            Err(failure) if failure.reason == Reason::Credentials => {
                kept.refuse(&session).await;
                let (kept, session) = self.session(account, door).await?;
                let result = call(session.clone()).await;
                if let Err(failure) = &result
                    && failure.reason == Reason::Credentials
                {
                    kept.refuse(&session).await;
                }
                result
            }
            result => result,
        }
    }

    /// A session in the account, verified to be that account's.
    async fn session(
        &self,
        account: &Account,
        door: SessionKind,
    ) -> Result<(Arc<Kept>, Session), Failure> {
        let (kept, session) = match (door, &account.access) {
            (SessionKind::Root, _) => {
                let kept = self.sessions.root(account.id);
                let session = kept.get(&self.clock, self.assume_root(account)).await?;
                (kept, session)
            }
            (SessionKind::Own, Some(Access::Caller)) => {
                (self.sessions.caller(), self.sessions.open_caller().await?)
            }
            (SessionKind::Own, Some(Access::Profile(profile))) => {
                let (kept, session) = self.sessions.open_profile(&account.region, profile).await;
                (kept, session?)
            }
            (SessionKind::Own, Some(Access::Role { arn, external_id })) => {
                let kept = self.sessions.account(account.id);
                let open = self.assume(&account.region, arn, external_id.as_ref());
                let session = kept.get(&self.clock, open).await?;
                (kept, session)
            }
            (SessionKind::Own, None) => {
                return Err(Failure::new(
                    Reason::AssumeRole,
                    "neither a role nor a profile is configured for this account",
                ));
            }
        };
        let found = match session.account {
            Some(found) => found,
            None => match self.identity(&account.region, &session).await {
                Ok(identity) => {
                    kept.verified(&session, identity.account).await;
                    identity.account
                }
                Err(failure) => {
                    if failure.reason == Reason::Credentials {
                        kept.refuse(&session).await;
                    }
                    return Err(failure);
                }
            },
        };
        if found == account.id {
            Ok((kept, session))
        } else {
            // Whoever mends the role or the profile need not wait for the end of a session that is
            // of no use. The caller's own is of use to all others.
            if door == SessionKind::Root || account.access != Some(Access::Caller) {
                kept.refuse(&session).await;
            }
            Err(Failure::new(
                Reason::AccountMismatch,
                format!(
                    "the credentials for account {} belong to account {found}; \
                     correct its id, role_arn or profile",
                    account.id
                ),
            ))
        }
    }

    async fn identity(&self, region: &str, session: &Session) -> Result<Identity, Failure> {
        let request = self.clients(region).sts.get_caller_identity();
        let (call, tap, result) = send!(self, "sts", "GetCallerIdentity", session, request);
        let output = self.book(call, &tap, result)?.value;
        let account = output
            .account
            .as_deref()
            .and_then(|account| account.parse().ok())
            .ok_or_else(|| {
                Failure::new(
                    Reason::Other,
                    "sts:GetCallerIdentity: the answer names no account",
                )
            })?;
        Ok(Identity {
            account,
            arn: output.arn.unwrap_or_default(),
        })
    }

    /// sts:AssumeRole with the caller's credentials.
    async fn assume(
        &self,
        region: &str,
        arn: &str,
        external_id: Option<&Secret>,
    ) -> Result<Session, Failure> {
        self.with_caller(
            |caller| async move { self.assume_as(&caller, region, arn, external_id).await },
        )
        .await
    }

    async fn assume_as(
        &self,
        caller: &Session,
        region: &str,
        arn: &str,
        external_id: Option<&Secret>,
    ) -> Result<Session, Failure> {
        let request = self
            .clients(region)
            .sts
            .assume_role()
            .role_arn(arn)
            .role_session_name(SESSION_NAME)
            .set_external_id(external_id.map(|secret| secret.expose().to_owned()));
        let (call, tap, result) = send!(self, "sts", "AssumeRole", caller, request);
        let answer = self
            .book(call, &tap, result)
            .map_err(|failure| match failure.reason {
                Reason::AccessDenied | Reason::Other => Failure::new(
                    Reason::AssumeRole,
                    format!(
                        "{}; check that {arn} exists, that its trust policy names the caller \
                         and the external id, and that the caller may assume it",
                        failure.message
                    ),
                ),
                _ => failure,
            })?;
        let Some(given) = answer.value.credentials else {
            return Err(Failure::new(
                Reason::AssumeRole,
                format!("sts:AssumeRole {arn}: the answer holds no credentials"),
            ));
        };
        let account = answer
            .value
            .assumed_role_user
            .and_then(|user| account_of_arn(&user.arn));
        Ok(opened(given, answer.date, account, "AssumeRole"))
    }

    /// sts:AssumeRoot with the caller's credentials and the audit task policy.
    ///
    /// Source: STS API Reference, `AssumeRoot`; only Regional endpoints know it.
    async fn assume_root(&self, account: &Account) -> Result<Session, Failure> {
        self.with_caller(|caller| async move { self.assume_root_as(&caller, account).await })
            .await
    }

    async fn assume_root_as(
        &self,
        caller: &Session,
        account: &Account,
    ) -> Result<Session, Failure> {
        let request = self
            .clients(&account.region)
            .sts
            .assume_root()
            .target_principal(account.id.to_string())
            .task_policy_arn(
                PolicyDescriptorType::builder()
                    .arn(task_policy(account.partition(), AUDIT))
                    .build(),
            )
            .duration_seconds(ROOT_SESSION_SECONDS);
        let (call, tap, result) = send!(self, "sts", "AssumeRoot", caller, request);
        let answer = self
            .book(call, &tap, result)
            .map_err(|failure| explain_root_refusal(failure, account.id, AUDIT))?;
        let Some(given) = answer.value.credentials else {
            return Err(Failure::new(
                Reason::AssumeRole,
                format!(
                    "sts:AssumeRoot {}: the answer holds no credentials",
                    account.id
                ),
            ));
        };
        Ok(opened(given, answer.date, None, "AssumeRoot"))
    }
}

/// The task policy that lets a root session look at the root user's credentials.
const AUDIT: &str = "IAMAuditRootUserCredentials";

/// The ARN of a task policy.
///
/// Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".
pub(super) fn task_policy(partition: Partition, name: &str) -> String {
    format!("arn:{partition}:iam::aws:policy/root-task/{name}")
}

/// A session of STS. Its lifetime is taken by AWS's own clock, so that a local one that is wrong
/// does not end it early.
pub(super) fn opened(
    given: aws_sdk_sts::types::Credentials,
    date: Timestamp,
    account: Option<AccountId>,
    provider: &'static str,
) -> Session {
    let ends = Timestamp::from_unix(given.expiration.secs());
    Session {
        account,
        lifetime: Some(ends.since(date).max(Duration::from_secs(1))),
        credentials: Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            None,
            provider,
        ),
    }
}

/// AWS answers "access denied" both where the caller lacks the permission and where the
/// organization has the feature off, is none, or the account is its management account. Only in
/// the first case does it name the policy that allows or denies.
pub(super) fn explain_root_refusal(failure: Failure, account: AccountId, task: &str) -> Failure {
    if failure.reason != Reason::AccessDenied && failure.reason != Reason::Unsupported {
        return failure;
    }
    let by_policy =
        failure.message.contains("because no ") || failure.message.contains("explicit deny");
    if failure.reason == Reason::AccessDenied && by_policy {
        return Failure::new(
            Reason::AccessDenied,
            format!(
                "{}; allow the caller sts:AssumeRoot on arn:*:iam::{account}:root with the task \
                 policy {task}",
                failure.message
            ),
        );
    }
    Failure::new(
        Reason::Unsupported,
        format!(
            "{}; turn on centralized root access (IAM console, Root access management, or aws iam \
             enable-organizations-root-credentials-management and \
             enable-organizations-root-sessions), and call from the management account or the \
             delegated administrator of IAM",
            failure.message
        ),
    )
}

/// The account in an ARN: `arn:aws:sts::111122223333:assumed-role/…`.
fn account_of_arn(arn: &str) -> Option<AccountId> {
    arn.split(':').nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_an_assumed_role_is_in_its_arn() {
        assert_eq!(
            account_of_arn("arn:aws-us-gov:sts::000000000012:assumed-role/x/y"),
            Some("000000000012".parse().unwrap())
        );
        assert_eq!(account_of_arn("arn:aws:sts"), None);
    }
}
