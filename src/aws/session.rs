//! Sessions: which one signs a call, how each is opened, and to which account it belongs.
//!
//! The account of a session is verified before its first use, so that no answer is ever recorded
//! for another account. Credentials are never logged.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sts::types::PolicyDescriptorType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::call::{Answer, Sent};
use super::client::{Aws, Clients};
use super::credentials::{Sources, checked, last_four};
use super::hint::is_explained_by_region;
use super::operation::Operation;
use super::slot::{Previous, Session, SessionKind, Slot};
use crate::account::{Access, Account, AccountId, Secret};
use crate::clock::{Timestamp, timestamp};
use crate::failure::{Failure, Reason};

/// `RoleSessionName`, by which an account's CloudTrail shows these calls.
const SESSION_NAME: &str = "aws-root-exporter";

/// The lifetime of a root session in seconds: the longest that sts:AssumeRoot allows.
const ROOT_SESSION_SECONDS: i32 = 900;

/// The task policy that lets a root session read the root user's credentials.
const AUDIT: &str = "IAMAuditRootUserCredentials";

const GET_CALLER_IDENTITY: Operation = Operation::new("sts", "GetCallerIdentity");
const ASSUME_ROLE: Operation = Operation::new("sts", "AssumeRole");
const ASSUME_ROOT: Operation = Operation::new("sts", "AssumeRoot");

/// The identity of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The caller's account.
    pub account: AccountId,
    /// The caller's ARN.
    pub arn: String,
}

/// The session that signs a call, and the Region that is called.
#[derive(Clone, Copy)]
pub(super) enum Signer<'a> {
    /// The caller's session.
    Caller { region: &'a str, denial: Denial },
    /// A session in an account, in the account's Region.
    Account(&'a Account, SessionKind),
}

/// What a denial of a call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// The session was revoked, where the operation used to work. It is opened again, once.
    OfSession,
    /// This one target is not allowed.
    OfTarget,
}

impl<'a> Signer<'a> {
    /// The caller, in its own Region.
    pub fn caller(aws: &'a Aws, denial: Denial) -> Self {
        let region = &aws.0.settings.caller.region;
        Self::Caller { region, denial }
    }
}

impl Aws {
    /// sts:GetCallerIdentity: the identity of the caller.
    pub async fn caller(&self) -> Result<Identity, Failure> {
        let region = &self.0.settings.caller.region;
        let call = |session| async move { self.identity(region, &session).await };
        let signer = Signer::caller(self, Denial::OfSession);
        self.with_session(signer, GET_CALLER_IDENTITY, call).await
    }

    /// Makes one call, and reads its answer with `read`.
    pub(super) async fn ask<T, E, F, U>(
        &self,
        signer: Signer<'_>,
        operation: Operation,
        request: impl Fn(&Clients) -> F,
        read: impl Fn(Sent<T, E>) -> Result<Answer<U>, Failure>,
    ) -> Result<Answer<U>, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: Error + 'static,
    {
        let region = match signer {
            Signer::Caller { region, .. } => region,
            Signer::Account(account, _) => &account.region,
        };
        let (clients, request, read) = (&self.clients(region), &request, &read);
        self.with_session(signer, operation, |session| async move {
            let send = || request(clients);
            read(self.send(operation, region, &session, send).await)
        })
        .await
    }

    /// Makes a call with the signer's session.
    async fn with_session<T, F>(
        &self,
        signer: Signer<'_>,
        operation: Operation,
        call: impl Fn(Session) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let (slot, denial) = match signer {
            Signer::Caller { denial, .. } => (Arc::clone(&self.0.caller), denial),
            Signer::Account(account, kind) => (self.slot(account, kind), Denial::OfSession),
        };
        let open = |previous| match signer {
            Signer::Caller { .. } => self.clone().open_caller(),
            Signer::Account(account, kind) => self.clone().open(account.clone(), kind, previous),
        };
        with_slot(&slot, open, operation, denial, call).await
    }

    /// The slot of an account's session.
    fn slot(&self, account: &Account, kind: SessionKind) -> Arc<Slot> {
        let sessions = &self.0.sessions;
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = sessions.entry((account.id, kind)).or_insert_with(|| {
            let (name, depends_on_files) = match kind {
                SessionKind::Root => ("the root session", false),
                SessionKind::Own => (
                    "the account's session",
                    !matches!(account.access, Some(Access::Role { .. })),
                ),
            };
            let sources = self.0.sources.as_ref().filter(|_| depends_on_files);
            let watch = sources.map(Sources::watch);
            Arc::new(Slot::new(
                name,
                &self.0.clock,
                self.0.settings.timeout,
                watch,
            ))
        });
        Arc::clone(slot)
    }

    /// Drops the sessions of an account that is no longer monitored, or is read in another way.
    pub fn forget(&self, account: AccountId) {
        let sessions = &self.0.sessions;
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for kind in [SessionKind::Own, SessionKind::Root] {
            sessions.remove(&(account, kind));
        }
    }

    /// Whether an access key is that of the root session which is open in an account.
    #[must_use]
    pub fn is_own_root_session(&self, account: AccountId, key: &str) -> bool {
        let sessions = &self.0.sessions;
        let sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = sessions.get(&(account, SessionKind::Root));
        slot.is_some_and(|slot| slot.signs_with(key))
    }

    /// Opens the caller's session.
    fn open_caller(self) -> Opening {
        Box::pin(async move {
            let caller = &self.0.settings.caller;
            self.read_credentials(&caller.region, caller.profile.as_deref())
                .await
        })
    }

    /// Opens a session in an account, and verifies that it belongs to that account. Boxed, because
    /// it makes calls with the caller's session, which is opened likewise.
    fn open(self, account: Account, kind: SessionKind, previous: Previous) -> Opening {
        Box::pin(async move {
            let region = &account.region;
            let denial = if previous.worked {
                Denial::OfSession
            } else {
                Denial::OfTarget
            };
            let opened = match (kind, &account.access) {
                (SessionKind::Root, _) => self.assume_root(&account, AUDIT, denial).await?,
                (SessionKind::Own, Some(Access::Role { arn, external_id })) => {
                    let signer = Signer::Caller { region, denial };
                    self.assume_role(signer, arn, external_id.as_ref()).await?
                }
                (SessionKind::Own, Some(Access::Profile(profile))) => {
                    self.read_credentials(region, Some(profile)).await?
                }
                (SessionKind::Own, Some(Access::Caller)) => {
                    if previous.is_denied {
                        let open = |_| self.clone().open_caller();
                        let denied = previous.session.as_ref();
                        self.0.caller.get(denied, open).await?;
                    }
                    let denial = Denial::OfTarget;
                    let signer = Signer::Caller { region, denial };
                    let previous = &previous;
                    let call = |session| self.with_account(region, session, previous);
                    self.with_session(signer, GET_CALLER_IDENTITY, call).await?
                }
                (SessionKind::Own, None) => {
                    return Err(Failure::new(
                        Reason::AssumeRole,
                        "neither a role nor a profile is configured for this account",
                    ));
                }
            };
            self.verified(&account, opened, &previous).await
        })
    }

    /// Opens a root session with this task policy, and verifies that it belongs to the account. No
    /// slot holds it.
    pub(super) async fn open_root(
        &self,
        account: &Account,
        task: &str,
    ) -> Result<Session, Failure> {
        let opened = self.assume_root(account, task, Denial::OfTarget).await?;
        self.verified(account, opened, &Previous::default()).await
    }

    /// The session, once it is verified that it belongs to the account.
    async fn verified(
        &self,
        account: &Account,
        session: Session,
        previous: &Previous,
    ) -> Result<Session, Failure> {
        let session = self
            .with_account(&account.region, session, previous)
            .await?;
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

    /// The session with its account. Credentials without an end are read every few minutes: STS is
    /// called only when they changed.
    async fn with_account(
        &self,
        region: &str,
        session: Session,
        previous: &Previous,
    ) -> Result<Session, Failure> {
        let same = previous.session.as_ref().filter(|held| held.is(&session));
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
        let output = sent.await.finish()?.value;
        let account = output
            .account
            .as_deref()
            .and_then(|account| account.parse().ok())
            .ok_or_else(|| GET_CALLER_IDENTITY.bad_answer("the answer names no account"))?;
        Ok(Identity {
            account,
            arn: output.arn.unwrap_or_default(),
        })
    }

    /// A session with the credentials of a profile; `None` for those of the standard chain.
    async fn read_credentials(
        &self,
        region: &str,
        profile: Option<&str>,
    ) -> Result<Session, Failure> {
        let clock = &self.0.clock;
        // Counted before the files are read, so that no change is missed.
        let watch = self.0.sources.as_ref().map(Sources::watch);
        let file_changes = watch.map_or(0, |watch| watch.changes(clock.moment()));
        let credentials = if let Some(sources) = &self.0.sources {
            sources.read(region, profile).await?
        } else {
            let (key, secret) = ("AKIAIOSFODNN7EXAMPLE", "no-secret-for-a-stand-in");
            Credentials::new(key, secret, None, None, "StandIn")
        };
        let lifetime = credentials.expiry();
        let lifetime = lifetime.map(|end| timestamp(end).since(clock.now()));
        if lifetime == Some(Duration::ZERO) {
            return Err(Failure::new(
                Reason::Credentials,
                format!(
                    "the credentials with access key {} have expired; sign in again or renew them, \
                     and check this machine's clock",
                    last_four(credentials.access_key_id())
                ),
            ));
        }
        Ok(Session {
            credentials,
            account: None,
            ends: lifetime.map(|lifetime| clock.moment() + lifetime),
            file_changes,
        })
    }

    /// sts:AssumeRole with the caller's session.
    async fn assume_role(
        &self,
        signer: Signer<'_>,
        arn: &str,
        external_id: Option<&Secret>,
    ) -> Result<Session, Failure> {
        let request = |clients: &Clients| {
            let external_id = external_id.map(|secret| secret.expose().to_owned());
            let request = clients.sts.assume_role().role_arn(arn);
            request
                .role_session_name(SESSION_NAME)
                .set_external_id(external_id)
                .send()
        };
        let answer = self.ask(signer, ASSUME_ROLE, request, Sent::finish).await;
        let answer = answer.map_err(|failure| match failure.reason {
            Reason::AccessDenied | Reason::Other if !is_explained_by_region(&failure) => failure
                .explained(
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
        session_of_sts(answer.map(|output| output.credentials), account, arn)
    }

    /// sts:AssumeRoot with the caller's session and a task policy.
    ///
    /// Sources: STS API Reference, `AssumeRoot`, which only Regional endpoints know; IAM User Guide,
    /// "Perform a privileged task on an AWS Organizations member account".
    async fn assume_root(
        &self,
        account: &Account,
        task: &str,
        denial: Denial,
    ) -> Result<Session, Failure> {
        let target = &account.id.to_string();
        let policy = &format!(
            "arn:{}:iam::aws:policy/root-task/{task}",
            account.partition()
        );
        let request = |clients: &Clients| {
            let request = clients.sts.assume_root().target_principal(target);
            request
                .task_policy_arn(PolicyDescriptorType::builder().arn(policy).build())
                .duration_seconds(ROOT_SESSION_SECONDS)
                .send()
        };
        let region = &account.region;
        let signer = Signer::Caller { region, denial };
        let answer = self.ask(signer, ASSUME_ROOT, request, Sent::finish).await;
        let answer = answer.map_err(|failure| explain_root_refusal(failure, account.id, task))?;
        session_of_sts(answer.map(|output| output.credentials), None, target)
    }
}

/// A session that is being opened.
type Opening = Pin<Box<dyn Future<Output = Result<Session, Failure>> + Send>>;

/// A session that STS opened. Its lifetime is measured by AWS's clock, so that a wrong local clock
/// does not end it early.
fn session_of_sts(
    answer: Answer<Option<aws_sdk_sts::types::Credentials>>,
    account: Option<AccountId>,
    target: &str,
) -> Result<Session, Failure> {
    let Some(given) = answer.value else {
        return Err(Failure::new(
            Reason::AssumeRole,
            format!("a session for {target}: the answer of STS has no credentials"),
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
        file_changes: 0,
        credentials: checked(target, credentials)?,
    })
}

/// Makes a call with the session of a slot, and once more with a new one where AWS refuses the
/// session, or denies an operation that used to work.
async fn with_slot<T, O, F>(
    slot: &Arc<Slot>,
    open: impl Fn(Previous) -> O,
    operation: Operation,
    denial: Denial,
    call: impl Fn(Session) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
    O: Future<Output = Result<Session, Failure>> + Send + 'static,
{
    let mut session = slot.get(None, &open).await?;
    let mut result = call(session.clone()).await;
    let failed = |result: &Result<T, Failure>| result.as_ref().err().map(|failure| failure.reason);
    let new = match failed(&result) {
        Some(Reason::Credentials) => {
            slot.refuse(&session);
            Some(slot.get(None, &open).await?)
        }
        Some(Reason::AccessDenied)
            if denial == Denial::OfSession && slot.used_to_work(operation) =>
        {
            Some(slot.get(Some(&session), &open).await?)
        }
        _ => None,
    };
    if let Some(new) = new {
        session = new;
        result = call(session.clone()).await;
        match failed(&result) {
            Some(Reason::Credentials) => slot.refuse(&session),
            Some(Reason::AccessDenied) => slot.record_denial(operation),
            _ => {}
        }
    }
    if result.is_ok() {
        slot.record_success(operation);
    }
    result
}

/// Says what to do about a refused sts:AssumeRoot.
///
/// AWS answers "access denied" where the caller lacks the permission, and also where the feature is
/// off, there is no organization, or the account is its management account. Only in the first case
/// does it name a policy.
fn explain_root_refusal(failure: Failure, account: AccountId, task: &str) -> Failure {
    let is_refusal = matches!(failure.reason, Reason::AccessDenied | Reason::Unsupported);
    if !is_refusal || is_explained_by_region(&failure) {
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
