//! Credentials and sessions. A session's token carries the session itself, so that a simulator that
//! runs for days stores none of them.
//!
//! Signatures are never checked: what matters is which credentials a request has, not their secrecy.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::answer::Failure;
use crate::calendar;
use crate::id::AccountId;
use crate::model::{State, unique_id};
use crate::operation::{Operation, Service};
use crate::request::Request;

const KEY_PREFIX: &str = "ASIASIM";
const TOKEN_PREFIX: &str = "SIMULATED.";

/// What a root session may do.
///
/// Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TaskPolicy {
    /// `IAMAuditRootUserCredentials`
    Audit,
    /// `IAMDeleteRootUserCredentials`
    Delete,
}

impl TaskPolicy {
    /// The policy of that ARN, in any partition.
    pub(crate) fn of_arn(arn: &str) -> Option<Self> {
        let (_, path) = arn.split_once(":iam::aws:policy/root-task/")?;
        match path {
            "IAMAuditRootUserCredentials" => Some(Self::Audit),
            "IAMDeleteRootUserCredentials" => Some(Self::Delete),
            _ => None,
        }
    }

    /// Whether it allows that operation. `GetCallerIdentity` never needs a permission.
    pub(crate) fn allows(self, operation: Operation) -> bool {
        use Operation as O;
        match operation {
            O::ListAccessKeys
            | O::ListSigningCertificates
            | O::GetLoginProfile
            | O::ListMFADevices
            | O::GetAccountSummary
            | O::GetAccessKeyLastUsed
            | O::GetCallerIdentity => true,
            O::DeleteAccessKey
            | O::DeleteSigningCertificate
            | O::DeleteLoginProfile
            | O::DeactivateMFADevice => self == Self::Delete,
            _ => false,
        }
    }
}

/// The user, role or root user that a request acts as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Principal {
    Caller,
    Role { name: String, session: String },
    Root(TaskPolicy),
}

/// The sender of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Caller {
    pub(crate) account: AccountId,
    pub(crate) principal: Principal,
}

impl Caller {
    pub(crate) fn is_root(&self) -> bool {
        matches!(self.principal, Principal::Root(_))
    }

    pub(crate) fn arn(&self) -> String {
        let id = self.account;
        match &self.principal {
            Principal::Caller => format!("arn:aws:iam::{id}:user/simulated-caller"),
            Principal::Role { name, session } => {
                format!("arn:aws:sts::{id}:assumed-role/{name}/{session}")
            }
            Principal::Root(_) => format!("arn:aws:iam::{id}:root"),
        }
    }

    pub(crate) fn user_id(&self) -> String {
        match &self.principal {
            Principal::Caller => "AIDASIMULATEDCALLER0".to_owned(),
            Principal::Role { session, .. } => format!("AROASIMULATEDROLE000:{session}"),
            Principal::Root(_) => self.account.to_string(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Session {
    key: String,
    caller: Caller,
    began: i64,
    expires: i64,
}

/// The `<Credentials>` of a new session.
pub(crate) fn credentials(caller: Caller, began: i64, seconds: i64) -> String {
    let key = unique_id(KEY_PREFIX);
    let expires = began + seconds;
    let session = Session {
        key: key.clone(),
        caller,
        began,
        expires,
    };
    // A struct of texts and numbers always serializes.
    let token = serde_json::to_vec(&session).unwrap_or_default();
    format!(
        "<Credentials><AccessKeyId>{key}</AccessKeyId>\
         <SecretAccessKey>simulated-secret-{key}</SecretAccessKey>\
         <SessionToken>{TOKEN_PREFIX}{}</SessionToken>\
         <Expiration>{}</Expiration></Credentials>",
        BASE64_STANDARD.encode(token),
        calendar::iso(expires),
    )
}

/// The account of a request's credentials, and the caller if they are valid.
pub(crate) fn identify(
    state: &State,
    request: &Request,
    service: Service,
    now: i64,
) -> (Option<AccountId>, Result<Caller, Failure>) {
    let Some(key) = &request.access_key else {
        let message = "Request is missing Authentication Token";
        let failure = Failure::new(403, "MissingAuthenticationToken", message);
        return (None, Err(failure));
    };
    let found = if key.starts_with(KEY_PREFIX) {
        session(key, request.token.as_deref()).map(|it| (it.caller, now < it.expires))
    } else {
        let any_key = state.callers.is_empty().then_some(state.hub);
        let account = any_key.or_else(|| state.callers.get(key).copied());
        let principal = Principal::Caller;
        account.map(|account| (Caller { account, principal }, true))
    };
    let Some((caller, is_valid)) = found else {
        return (None, Err(Failure::invalid_token()));
    };
    let account = caller.account;
    let result = if !is_valid {
        Err(Failure::expired(service))
    } else if state.accounts.contains_key(&account) {
        Ok(caller)
    } else {
        Err(Failure::invalid_token())
    };
    (Some(account), result)
}

/// When the session began that a request is made in, if it is made in one.
pub(crate) fn began(request: &Request) -> Option<i64> {
    let key = request.access_key.as_deref()?;
    session(key, request.token.as_deref()).map(|session| session.began)
}

/// The session in a token, if it has that key.
fn session(key: &str, token: Option<&str>) -> Option<Session> {
    let token = token?.strip_prefix(TOKEN_PREFIX)?;
    let token = BASE64_STANDARD.decode(token).ok()?;
    let session: Session = serde_json::from_slice(&token).ok()?;
    (session.key == key).then_some(session)
}
