//! The calls: what is asked, with whose session, and what the answer means.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_iam::types::{ReportStateType, SummaryKeyType};
use aws_smithy_types::Blob;

use super::classify::classify;
use super::session::{Kept, Session};
use super::tap::DateTap;
use super::{Answer, Aws, Identity};
use crate::account::{Access, Account, AccountId, Secret};
use crate::clock::{Moment, Timestamp};
use crate::evidence::{Failure, Reason, Summary};

/// `RoleSessionName`: how our calls are told in the account's CloudTrail.
const SESSION_NAME: &str = "aws-root-exporter";

/// What iam:GenerateCredentialReport answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportState {
    /// AWS has begun to make one, or is at it.
    InTheMaking,
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
    InTheMaking,
}

/// Sends a request with a session's credentials, and books the call.
macro_rules! send {
    ($self:expr, $crate_name:ident, $service:literal, $operation:literal, $session:expr, $request:expr) => {{
        let tap = DateTap::default();
        let started = $self.clock.moment();
        let with_session = $crate_name::Config::builder()
            .credentials_provider(Credentials::clone(&$session.credentials))
            .identity_cache($crate_name::config::IdentityCache::no_cache());
        let result = $request
            .customize()
            .config_override(with_session)
            .interceptor(tap.clone())
            .send()
            .await;
        let call = Call {
            service: $service,
            operation: $operation,
            started,
        };
        (call, tap, result)
    }};
}

/// A call that has ended.
#[derive(Clone, Copy)]
struct Call {
    service: &'static str,
    operation: &'static str,
    started: Moment,
}

impl Aws {
    /// Who the caller is, by sts:GetCallerIdentity.
    ///
    /// # Errors
    ///
    /// A [`Failure`] when there are no credentials or STS does not answer.
    pub async fn caller(&self, region: &str) -> Result<Identity, Failure> {
        let session = self.sessions.open_caller().await?;
        let identity = self.identity(region, &session).await;
        if let Err(failure) = &identity
            && failure.reason == Reason::Credentials
        {
            self.sessions.caller().refuse(&session).await;
            let session = self.sessions.open_caller().await?;
            return self.identity(region, &session).await;
        }
        identity
    }

    /// iam:GenerateCredentialReport: AWS begins to make a report unless one is younger than four
    /// hours.
    ///
    /// # Errors
    ///
    /// A [`Failure`]; [`Reason::LimitExceeded`] when AWS has no capacity.
    pub async fn generate_report(&self, account: &Account) -> Result<Answer<ReportState>, Failure> {
        self.with_session(account, |session| async move {
            let request = self
                .clients(&account.region)
                .iam
                .generate_credential_report();
            let (call, tap, result) = send!(
                self,
                aws_sdk_iam,
                "iam",
                "GenerateCredentialReport",
                session,
                request
            );
            let answer = self.book(call, &tap, result)?;
            Ok(answer.map(|output| match output.state {
                Some(ReportStateType::Complete) => ReportState::Complete,
                _ => ReportState::InTheMaking,
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
        self.with_session(account, |session| async move {
            let request = self.clients(&account.region).iam.get_credential_report();
            let (call, tap, result) = send!(
                self,
                aws_sdk_iam,
                "iam",
                "GetCredentialReport",
                session,
                request
            );
            let without_report = result
                .as_ref()
                .err()
                .and_then(|error| error.as_service_error())
                .and_then(|error| {
                    if error.is_credential_report_not_ready_exception() {
                        Some(Fetched::InTheMaking)
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
                return Ok(self.answered(fetched, &tap));
            }
            let unreadable = matches!(
                &result,
                Err(SdkError::ResponseError(response)) if response.raw().status().is_success()
            );
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
    pub async fn account_summary(&self, account: &Account) -> Result<Answer<Summary>, Failure> {
        self.with_session(account, |session| async move {
            let request = self.clients(&account.region).iam.get_account_summary();
            let (call, tap, result) = send!(
                self,
                aws_sdk_iam,
                "iam",
                "GetAccountSummary",
                session,
                request
            );
            let answer = self.book(call, &tap, result)?;
            Ok(answer.map(|output| {
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
            }))
        })
        .await
    }

    /// Makes a call with the account's session. Where AWS refuses the session itself, once more
    /// with a fresh one.
    async fn with_session<T, F>(
        &self,
        account: &Account,
        call: impl Fn(Session) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let (kept, session) = self.session(account).await?;
        match call(session.clone()).await {
            Err(failure) if failure.reason == Reason::Credentials => {
                kept.refuse(&session).await;
                let (kept, session) = self.session(account).await?;
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

    /// The account's session, verified to be that account's.
    async fn session(&self, account: &Account) -> Result<(Arc<Kept>, Session), Failure> {
        let (kept, session) = match &account.access {
            Access::Caller => (self.sessions.caller(), self.sessions.open_caller().await?),
            Access::Profile(profile) => {
                let (kept, session) = self.sessions.open_profile(&account.region, profile).await;
                (kept, session?)
            }
            Access::Role { arn, external_id } => {
                let kept = self.sessions.account(account.id);
                let open = self.assume(&account.region, arn, external_id.as_ref());
                let session = kept.get(&self.clock, open).await?;
                (kept, session)
            }
        };
        let found = match session.account {
            Some(found) => found,
            None => match self.identity(&account.region, &session).await {
                Ok(identity) => {
                    kept.verified(identity.account).await;
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
        let (call, tap, result) = send!(
            self,
            aws_sdk_sts,
            "sts",
            "GetCallerIdentity",
            session,
            request
        );
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

    /// sts:AssumeRole with the caller's credentials; once more with fresh ones where AWS refuses
    /// those.
    async fn assume(
        &self,
        region: &str,
        arn: &str,
        external_id: Option<&Secret>,
    ) -> Result<Session, Failure> {
        let caller = self.sessions.open_caller().await?;
        match self.assume_as(&caller, region, arn, external_id).await {
            Err(failure) if failure.reason == Reason::Credentials => {
                self.sessions.caller().refuse(&caller).await;
                let caller = self.sessions.open_caller().await?;
                self.assume_as(&caller, region, arn, external_id).await
            }
            result => result,
        }
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
        let (call, tap, result) = send!(self, aws_sdk_sts, "sts", "AssumeRole", caller, request);
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
        // By AWS's own clock, so that a local one that is wrong does not end sessions early.
        let ends = Timestamp::from_unix(given.expiration.secs());
        Ok(Session {
            account: answer
                .value
                .assumed_role_user
                .and_then(|user| account_of_arn(&user.arn)),
            lifetime: Some(ends.since(answer.date).max(Duration::from_secs(1))),
            credentials: Credentials::new(
                given.access_key_id,
                given.secret_access_key,
                Some(given.session_token),
                None,
                "AssumeRole",
            ),
        })
    }

    fn book<T, E>(
        &self,
        call: Call,
        tap: &DateTap,
        result: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Answer<T>, Failure>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let result = result
            .map_err(|error| classify(&format!("{}:{}", call.service, call.operation), &error));
        self.observe(
            call,
            result
                .as_ref()
                .map(|_| ())
                .map_err(|failure| failure.reason),
        );
        result.map(|value| self.answered(value, tap))
    }

    fn observe(&self, call: Call, outcome: Result<(), Reason>) {
        let took = self.clock.moment().since(call.started);
        self.observer
            .called(call.service, call.operation, outcome, took);
    }

    fn answered<T>(&self, value: T, tap: &DateTap) -> Answer<T> {
        let now = self.clock.now();
        let date = tap.date();
        Answer {
            value,
            date: date.unwrap_or(now),
            skew: date.map(|date| date.unix() - now.unix()),
            received: self.clock.moment(),
        }
    }
}

impl<T> Answer<T> {
    /// The same answer, read differently.
    pub fn map<U>(self, read: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: read(self.value),
            date: self.date,
            skew: self.skew,
            received: self.received,
        }
    }
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
