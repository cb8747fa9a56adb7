//! Who is calling. A session's token carries the session itself, so that a simulator that runs for
//! days keeps nothing for the sessions it gave out.
//!
//! Signatures are not checked: the point is whose credentials a request bears, not their secrecy.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::account::unique_id;
use super::answer::Failure;
use super::calendar;
use super::operation::{Operation, Service};
use super::request::Request;
use crate::account::AccountId;

const KEY_PREFIX: &str = "ASIASIM";
const TOKEN_PREFIX: &str = "SIMULATED.";

/// Whose credentials a request bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// Credentials that the simulator did not give out.
    Caller,
    /// A session of `AssumeRole`.
    Role,
    /// A session of `AssumeRoot`.
    Root(TaskPolicy),
}

/// What a root session may do.
///
/// Source: IAM User Guide, "Perform a privileged task on an AWS Organizations member account".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskPolicy {
    /// `IAMAuditRootUserCredentials`
    Audit,
    /// `IAMDeleteRootUserCredentials`
    Delete,
}

impl TaskPolicy {
    /// The policy of that ARN, in any partition.
    pub(super) fn of_arn(arn: &str) -> Option<Self> {
        let (_, path) = arn.split_once(":iam::aws:policy/root-task/")?;
        match path {
            "IAMAuditRootUserCredentials" => Some(Self::Audit),
            "IAMDeleteRootUserCredentials" => Some(Self::Delete),
            _ => None,
        }
    }

    /// Whether it lets that operation through. `GetCallerIdentity` needs no permission of anybody.
    pub(super) fn allows(self, operation: Operation) -> bool {
        use Operation as O;
        match operation {
            O::ListAccessKeys
            | O::ListSigningCertificates
            | O::GetLoginProfile
            | O::ListMFADevices
            | O::GetAccountSummary
            | O::GetUser
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

/// Who a caller is, in words that an ARN is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Who {
    Caller,
    Role { name: String, session: String },
    Root(TaskPolicy),
}

/// The author of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) account: AccountId,
    pub(super) who: Who,
}

impl Caller {
    pub(super) fn kind(&self) -> SessionKind {
        match self.who {
            Who::Caller => SessionKind::Caller,
            Who::Role { .. } => SessionKind::Role,
            Who::Root(policy) => SessionKind::Root(policy),
        }
    }

    pub(super) fn arn(&self, partition: crate::account::Partition) -> String {
        let id = self.account;
        match &self.who {
            Who::Caller => format!("arn:{partition}:iam::{id}:user/simulated-caller"),
            Who::Role { name, session } => {
                format!("arn:{partition}:sts::{id}:assumed-role/{name}/{session}")
            }
            Who::Root(_) => format!("arn:{partition}:iam::{id}:root"),
        }
    }

    pub(super) fn user_id(&self) -> String {
        match &self.who {
            Who::Caller => "AIDASIMULATEDCALLER0".to_owned(),
            Who::Role { session, .. } => format!("AROASIMULATEDROLE000:{session}"),
            Who::Root(_) => self.account.to_string(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Session {
    key: String,
    account: AccountId,
    who: Who,
    expires: i64,
}

/// The `<Credentials>` of a new session.
pub(super) fn credentials(account: AccountId, who: Who, expires: i64) -> String {
    let key = unique_id(KEY_PREFIX);
    let session = Session {
        key: key.clone(),
        account,
        who,
        expires,
    };
    // Turning a struct of texts and numbers into JSON cannot fail.
    let token = serde_json::to_vec(&session).unwrap_or_default();
    format!(
        "<Credentials><AccessKeyId>{key}</AccessKeyId>\
         <SecretAccessKey>simulated-secret-{key}</SecretAccessKey>\
         <SessionToken>{TOKEN_PREFIX}{}</SessionToken>\
         <Expiration>{}</Expiration></Credentials>",
        BASE64_STANDARD.encode(token),
        calendar::iso(expires, "Z"),
    )
}

/// What a request's credentials are.
pub(super) enum Bearer {
    /// A session's, sound or ended.
    Session(Caller, Result<(), Failure>),
    /// An access key that the simulator did not give out.
    Foreign(String),
    /// Nothing that could be a key of anybody.
    Nobody(Failure),
}

/// Reads a request's credentials.
pub(super) fn bearer(request: &Request, service: Service, now: i64) -> Bearer {
    let Some(key) = &request.access_key else {
        return Bearer::Nobody(Failure::new(
            403,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        ));
    };
    if !key.starts_with(KEY_PREFIX) {
        return Bearer::Foreign(key.clone());
    }
    let session = request
        .token
        .as_deref()
        .and_then(|token| token.strip_prefix(TOKEN_PREFIX))
        .and_then(|token| BASE64_STANDARD.decode(token).ok())
        .and_then(|token| serde_json::from_slice::<Session>(&token).ok())
        .filter(|session| session.key == *key);
    let Some(session) = session else {
        return Bearer::Nobody(Failure::invalid_token());
    };
    let sound = if now < session.expires {
        Ok(())
    } else {
        Err(Failure::expired(service))
    };
    let caller = Caller {
        account: session.account,
        who: session.who,
    };
    Bearer::Session(caller, sound)
}
