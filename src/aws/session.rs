//! Which session a call is made with, and how each is opened and verified.
//!
//! A session in an account belongs to exactly that account, which is verified when it is opened,
//! so that no answer is ever recorded for another account. Credentials are never logged.

use std::error::Error;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sdk_sts::types::PolicyDescriptorType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::credentials::{checked, last_four};
use super::hint::is_of_region;
use super::operation::Operation;
use super::slot::{Before, Session, Slot};
use super::{Answer, Aws, Identity};
use crate::account::{Access, Account, AccountId, Partition, Secret};
use crate::clock::Timestamp;
use crate::failure::{Failure, Reason};

/// `RoleSessionName`: how our calls are recognized in the account's CloudTrail.
const SESSION_NAME: &str = "aws-root-exporter";

/// How long a root session lives, in seconds: the most that sts:AssumeRoot allows.
const ROOT_SESSION_SECONDS: i32 = 900;

/// The task policy that lets a root session read the root user's credentials.
const AUDIT: &str = "IAMAuditRootUserCredentials";

const GET_CALLER_IDENTITY: Operation = Operation::sts("GetCallerIdentity");
const ASSUME_ROLE: Operation = Operation::sts("AssumeRole");
const ASSUME_ROOT: Operation = Operation::sts("AssumeRoot");

/// Whose session a question about an account is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionKind {
    /// The account's role or profile, or the caller's own credentials.
    Own,
    /// A root session that may read the root user's credentials and nothing else.
    Root,
}

/// What a denial of a call by the caller's session means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// Where the operation used to work, that the session was revoked: it is opened again, once.
    OfSession,
    /// That this one target is not allowed.
    OfTarget,
}

impl Aws {
    /// Who the caller is, by sts:GetCallerIdentity.
    ///
    /// # Errors
    ///
    /// A [`Failure`] when there are no credentials or STS does not answer.
    pub async fn caller(&self, region: &str) -> Result<Identity, Failure> {
        let call = |session| async move { self.identity(region, &session).await };
        self.with_caller(GET_CALLER_IDENTITY, Denial::OfSession, call)
            .await
    }

    /// Makes a call with a session in the account.
    pub(super) async fn with_session<T, F>(
        &self,
        account: &Account,
        kind: SessionKind,
        operation: Operation,
        call: impl Fn(Session) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let slot = self.slot(account, kind);
        let open = |before| {
            let (aws, account) = (self.clone(), account.clone());
            async move { aws.open(&account, kind, before).await }
        };
        with_slot(&slot, open, operation, Denial::OfSession, call).await
    }

    /// Makes a call with the caller's session.
    pub(super) async fn with_caller<T, F>(
        &self,
        operation: Operation,
        denial: Denial,
        call: impl Fn(Session) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let open = |_| self.clone().open_caller();
        with_slot(&self.0.caller, open, operation, denial, call).await
    }

    /// Asks one question with the caller's session.
    pub(super) async fn ask_as_caller<T, E, F>(
        &self,
        operation: Operation,
        region: &str,
        denial: Denial,
        request: impl Fn() -> F,
    ) -> Result<Answer<T>, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let request = &request;
        self.with_caller(operation, denial, |caller| async move {
            self.send(operation, region, &caller, request).await.book()
        })
        .await
    }

    fn slot(&self, account: &Account, kind: SessionKind) -> Arc<Slot> {
        let sessions = &self.0.sessions;
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = sessions.entry((account.id, kind)).or_insert_with(|| {
            let slot = |whose| Slot::new(whose, self.0.clock.clone(), self.0.settings.timeout);
            Arc::new(match (kind, &account.access) {
                (SessionKind::Root, _) => slot("the root session"),
                (SessionKind::Own, Some(Access::Caller | Access::Profile(_))) => {
                    slot("the account's session").watching(self.0.sources.watch())
                }
                (SessionKind::Own, _) => slot("the account's session"),
            })
        });
        Arc::clone(slot)
    }

    /// Drops the sessions of an account that is no longer watched, or is read differently.
    pub fn forget(&self, account: AccountId) {
        let sessions = &self.0.sessions;
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for kind in [SessionKind::Own, SessionKind::Root] {
            sessions.remove(&(account, kind));
        }
    }

    /// Opens a session in the account and verifies that it is that account's.
    async fn open(
        &self,
        account: &Account,
        kind: SessionKind,
        before: Before,
    ) -> Result<Session, Failure> {
        let region = &account.region;
        // One that could be opened before is denied because of the caller's session, one that
        // never could because of its own role or account.
        let denial = if before.opened {
            Denial::OfSession
        } else {
            Denial::OfTarget
        };
        let opened = match (kind, &account.access) {
            (SessionKind::Root, _) => self.assume_root(account, AUDIT, denial).await?,
            (SessionKind::Own, Some(Access::Role { arn, external_id })) => {
                let external_id = external_id.as_ref();
                self.assume_role(region, arn, external_id, denial).await?
            }
            (SessionKind::Own, Some(Access::Profile(profile))) => {
                self.provide(self.0.sources.of_profile(region, profile))
                    .await?
            }
            (SessionKind::Own, Some(Access::Caller)) => {
                if before.is_denied {
                    let open = |_| self.clone().open_caller();
                    let denied = before.session.as_ref();
                    self.0.caller.get_other_than(denied, open).await?;
                }
                let before = &before;
                let call = |session| async move { self.verified(region, session, before).await };
                self.with_caller(GET_CALLER_IDENTITY, Denial::OfTarget, call)
                    .await?
            }
            (SessionKind::Own, None) => {
                return Err(Failure::new(
                    Reason::AssumeRole,
                    "neither a role nor a profile is configured for this account",
                ));
            }
        };
        self.verified_as(account, opened, &before).await
    }

    /// Opens a root session in the account with that task policy, and verifies that it is that
    /// account's. It has no slot.
    pub(super) async fn open_root(
        &self,
        account: &Account,
        task: &str,
    ) -> Result<Session, Failure> {
        let opened = self.assume_root(account, task, Denial::OfTarget).await?;
        self.verified_as(account, opened, &Before::default()).await
    }

    /// The session, once it is verified that it belongs to the account.
    async fn verified_as(
        &self,
        account: &Account,
        session: Session,
        before: &Before,
    ) -> Result<Session, Failure> {
        let session = self.verified(&account.region, session, before).await?;
        match session.account {
            Some(found) if found != account.id => Err(Failure::new(
                Reason::AccountMismatch,
                format!(
                    "the credentials for account {} belong to account {found}; \
                     correct its id, role_arn or profile",
                    account.id
                ),
            )),
            _ => Ok(session),
        }
    }

    /// The session with the account it belongs to. Credentials without an end are read again and
    /// again: while they stay the same, STS need not be asked whose they are.
    async fn verified(
        &self,
        region: &str,
        session: Session,
        before: &Before,
    ) -> Result<Session, Failure> {
        let same = before.session.as_ref().filter(|held| held.is(&session));
        let account = match session.account.or_else(|| same?.account) {
            Some(account) => account,
            None => self.identity(region, &session).await?.account,
        };
        Ok(Session {
            account: Some(account),
            ..session
        })
    }

    async fn identity(&self, region: &str, session: &Session) -> Result<Identity, Failure> {
        let sts = &self.clients(region).sts;
        let sent = self.send(GET_CALLER_IDENTITY, region, session, || {
            sts.get_caller_identity().send()
        });
        let output = sent.await.book()?.value;
        let account = output
            .account
            .as_deref()
            .and_then(|account| account.parse().ok())
            .ok_or_else(|| {
                Failure::new(
                    Reason::Other,
                    format!("{GET_CALLER_IDENTITY}: the answer names no account"),
                )
            })?;
        Ok(Identity {
            account,
            arn: output.arn.unwrap_or_default(),
        })
    }

    /// The caller's credentials.
    async fn open_caller(self) -> Result<Session, Failure> {
        match &self.0.stand_in {
            Some(credentials) => self.provide(async { Ok(credentials.clone()) }).await,
            None => {
                self.provide(self.0.sources.of_caller(&self.0.settings.region))
                    .await
            }
        }
    }

    /// A session with the credentials that are read.
    async fn provide(
        &self,
        read: impl Future<Output = Result<Credentials, Failure>>,
    ) -> Result<Session, Failure> {
        // Before they are read, so that no change is missed.
        let files = self.0.sources.watch().changes(self.0.clock.moment());
        let credentials = read.await?;
        let lifetime = credentials.expiry().map(|end| {
            let end = end.duration_since(UNIX_EPOCH).map_or(0, |since| {
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
            });
            Timestamp::from_unix(end).since(self.0.clock.now())
        });
        if lifetime == Some(Duration::ZERO) {
            return Err(Failure::new(
                Reason::Credentials,
                format!(
                    "the credentials with access key {} have expired; sign in again or renew them, \
                     and see that this machine's clock is right",
                    last_four(credentials.access_key_id())
                ),
            ));
        }
        Ok(Session {
            credentials,
            account: None,
            ends: lifetime.map(|lifetime| self.0.clock.moment() + lifetime),
            files,
        })
    }

    /// sts:AssumeRole with the caller's credentials.
    async fn assume_role(
        &self,
        region: &str,
        arn: &str,
        external_id: Option<&Secret>,
        denial: Denial,
    ) -> Result<Session, Failure> {
        let sts = &self.clients(region).sts;
        let answer = self.ask_as_caller(ASSUME_ROLE, region, denial, || {
            let external_id = external_id.map(|secret| secret.expose().to_owned());
            let request = sts.assume_role().role_arn(arn);
            request
                .role_session_name(SESSION_NAME)
                .set_external_id(external_id)
                .send()
        });
        let answer = answer.await.map_err(|failure| match failure.reason {
            Reason::AccessDenied | Reason::Other if !is_of_region(&failure) => failure.explained(
                Reason::AssumeRole,
                format_args!(
                    "check that {arn} exists, that its trust policy names the caller and the \
                     external id, and that the caller may assume it"
                ),
            ),
            _ => failure,
        })?;
        let role = answer.value.assumed_role_user.as_ref();
        let account = role.and_then(|role| account_of_arn(&role.arn));
        of_sts(answer.map(|output| output.credentials), account, arn)
    }

    /// sts:AssumeRoot with the caller's credentials and a task policy.
    ///
    /// Source: STS API Reference, `AssumeRoot`; only Regional endpoints know it.
    async fn assume_root(
        &self,
        account: &Account,
        task: &str,
        denial: Denial,
    ) -> Result<Session, Failure> {
        let sts = &self.clients(&account.region).sts;
        let target = &account.id.to_string();
        let policy = &task_policy(account.partition(), task);
        let answer = self.ask_as_caller(ASSUME_ROOT, &account.region, denial, || {
            let request = sts.assume_root().target_principal(target);
            request
                .task_policy_arn(PolicyDescriptorType::builder().arn(policy).build())
                .duration_seconds(ROOT_SESSION_SECONDS)
                .send()
        });
        let answer = answer.await;
        let answer = answer.map_err(|failure| explain_root_refusal(failure, account.id, task))?;
        of_sts(answer.map(|output| output.credentials), None, target)
    }
}

/// A session of STS. Its lifetime is taken by AWS's own clock, so that a local one that is
/// wrong does not end it early.
fn of_sts(
    answer: Answer<Option<aws_sdk_sts::types::Credentials>>,
    account: Option<AccountId>,
    target: &str,
) -> Result<Session, Failure> {
    let Some(given) = answer.value else {
        return Err(Failure::new(
            Reason::AssumeRole,
            format!("a session for {target}: the answer of STS holds no credentials"),
        ));
    };
    let lifetime = Timestamp::from_unix(given.expiration.secs()).since(answer.date);
    let credentials = Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        None,
        "STS",
    );
    Ok(Session {
        account,
        ends: Some(answer.received + lifetime.max(Duration::from_secs(1))),
        files: 0,
        credentials: checked(target, credentials)?,
    })
}

/// Makes a call with the session of a slot. Where AWS refuses the session, or denies with it what
/// used to work, once more with a fresh one.
async fn with_slot<T, O, F>(
    slot: &Arc<Slot>,
    open: impl Fn(Before) -> O,
    operation: Operation,
    denial: Denial,
    call: impl Fn(Session) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
    O: Future<Output = Result<Session, Failure>> + Send + 'static,
{
    let mut session = slot.get(&open).await?;
    let mut result = call(session.clone()).await;
    let failed = |result: &Result<T, Failure>| result.as_ref().err().map(|failure| failure.reason);
    let fresh = match failed(&result) {
        Some(Reason::Credentials) => {
            slot.refuse(&session);
            Some(slot.get(&open).await?)
        }
        Some(Reason::AccessDenied)
            if denial == Denial::OfSession && slot.used_to_work(operation) =>
        {
            Some(slot.get_other_than(Some(&session), &open).await?)
        }
        _ => None,
    };
    if let Some(fresh) = fresh {
        session = fresh;
        result = call(session.clone()).await;
        match failed(&result) {
            Some(Reason::Credentials) => slot.refuse(&session),
            Some(Reason::AccessDenied) => slot.is_denied(operation),
            _ => {}
        }
    }
    if result.is_ok() {
        slot.works(operation);
    }
    result
}

/// The ARN of a task policy.
///
/// Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".
fn task_policy(partition: Partition, name: &str) -> String {
    format!("arn:{partition}:iam::aws:policy/root-task/{name}")
}

/// AWS answers "access denied" both where the caller lacks the permission and where the
/// organization has the feature off, is none, or the account is its management account. Only in
/// the first case does it name the policy that allows or denies.
fn explain_root_refusal(failure: Failure, account: AccountId, task: &str) -> Failure {
    let is_refusal = matches!(failure.reason, Reason::AccessDenied | Reason::Unsupported);
    if !is_refusal || is_of_region(&failure) {
        return failure;
    }
    let by_policy =
        failure.message.contains("because no ") || failure.message.contains("explicit deny");
    if failure.reason == Reason::AccessDenied && by_policy {
        return failure.explained(
            Reason::AccessDenied,
            format_args!(
                "allow the caller sts:AssumeRoot on arn:*:iam::{account}:root with the task \
                 policy {task}"
            ),
        );
    }
    failure.explained(
        Reason::Unsupported,
        "turn on centralized root access (IAM console, Root access management, or aws iam \
         enable-organizations-root-credentials-management and \
         enable-organizations-root-sessions), and call from the management account or the \
         delegated administrator of IAM",
    )
}

/// The account in an ARN: `arn:aws:sts::111122223333:assumed-role/…`.
pub(super) fn account_of_arn(arn: &str) -> Option<AccountId> {
    arn.split(':').nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests;
