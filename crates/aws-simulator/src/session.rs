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
use crate::model::unique_id;
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
    expires: i64,
}

/// The `<Credentials>` of a new session.
pub(crate) fn credentials(caller: Caller, expires: i64) -> String {
    let key = unique_id(KEY_PREFIX);
    let session = Session {
        key: key.clone(),
        caller,
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

/// A request's credentials.
pub(crate) enum Credentials {
    /// A session's, valid or expired.
    Session(Caller, Result<(), Failure>),
    /// An access key that the simulator did not give out.
    Foreign(String),
    /// None, or a session key with the wrong token.
    Invalid(Failure),
}

/// Reads a request's credentials.
pub(crate) fn read(request: &Request, service: Service, now: i64) -> Credentials {
    let Some(key) = &request.access_key else {
        let message = "Request is missing Authentication Token";
        let failure = Failure::new(403, "MissingAuthenticationToken", message);
        return Credentials::Invalid(failure);
    };
    if !key.starts_with(KEY_PREFIX) {
        return Credentials::Foreign(key.clone());
    }
    let session = request
        .token
        .as_deref()
        .and_then(|token| token.strip_prefix(TOKEN_PREFIX))
        .and_then(|token| BASE64_STANDARD.decode(token).ok())
        .and_then(|token| serde_json::from_slice::<Session>(&token).ok())
        .filter(|session| session.key == *key);
    let Some(session) = session else {
        return Credentials::Invalid(Failure::invalid_token());
    };
    let is_valid = now < session.expires;
    let valid = is_valid
        .then_some(())
        .ok_or_else(|| Failure::expired(service));
    Credentials::Session(session.caller, valid)
}
