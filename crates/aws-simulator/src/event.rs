//! CloudTrail events in the envelope of `EventBridge`.
//!
//! Sources: CloudTrail User Guide, "CloudTrail record contents", "CloudTrail userIdentity element" and
//! "AWS Management Console sign-in events"; `EventBridge` User Guide, "AWS service events delivered via AWS
//! CloudTrail"; IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail". The detail-type of a
//! sign-in has two spellings there; the simulator uses the one of the examples, "AWS Console Sign In".

use fastrand::Rng;
use serde_json::{Value, json};

use crate::calendar::iso;
use crate::id::AccountId;

/// The browser of the simulated people.
pub(crate) const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Something that CloudTrail records.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) account: AccountId,
    /// When, in Unix seconds.
    pub(crate) at: i64,
    /// The service, `iam` for `iam.amazonaws.com`.
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) identity: Value,
    pub(crate) address: String,
    pub(crate) user_agent: String,
    pub(crate) request: Value,
    pub(crate) response: Value,
    pub(crate) error: Option<EventError>,
    pub(crate) kind: Kind,
}

/// Why a recorded call failed.
#[derive(Clone, Debug)]
pub(crate) struct EventError {
    /// `None` for a failed sign-in, which has only a message.
    pub(crate) code: Option<String>,
    pub(crate) message: String,
}

/// What kind of event it is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// An API call.
    ApiCall {
        request_id: String,
        /// Whether somebody made it on the console.
        from_console: bool,
    },
    /// A sign-in or what else the sign-in service does, with its `additionalEventData`.
    SignIn { additional: Option<Value> },
}

/// What the rules read of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) service: &'a str,
    pub(crate) name: &'a str,
    pub(crate) by_root: bool,
    pub(crate) access_key: &'a str,
    pub(crate) user_agent: &'a str,
    /// The rule that the call names, if it names one.
    pub(crate) rule: Option<&'a str>,
}

impl Event {
    /// What the rules read of it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        let rule = self.request.get("name").or(self.request.get("rule"));
        let access_key = self.identity["accessKeyId"].as_str();
        Subject {
            service: &self.service,
            name: &self.name,
            by_root: self.identity["type"] == "Root",
            access_key: access_key.unwrap_or_default(),
            user_agent: &self.user_agent,
            rule: rule.and_then(Value::as_str),
        }
    }

    /// The event as `EventBridge` sends it, with ids from `rng`.
    pub(crate) fn envelope(&self, rng: &mut Rng) -> String {
        let (account, time) = (self.account.to_string(), iso(self.at));
        let mut detail = json!({
            "eventVersion": "1.11",
            "userIdentity": self.identity,
            "eventTime": time,
            "eventSource": format!("{}.amazonaws.com", self.service),
            "eventName": self.name,
            "awsRegion": "us-east-1",
            "sourceIPAddress": self.address,
            "userAgent": self.user_agent,
            "requestParameters": self.request,
            "responseElements": self.response,
            "eventID": uuid(rng),
            "readOnly": is_read(&self.name),
            "managementEvent": true,
            "recipientAccountId": account,
            "eventCategory": "Management",
        });
        if let Some(error) = &self.error {
            if let Some(code) = &error.code {
                detail["errorCode"] = json!(code);
            }
            detail["errorMessage"] = json!(error.message);
        }
        let detail_type = match &self.kind {
            Kind::ApiCall {
                request_id,
                from_console,
            } => {
                detail["requestID"] = json!(request_id);
                if *from_console {
                    detail["sessionCredentialFromConsole"] = json!("true");
                }
                detail["eventType"] = json!("AwsApiCall");
                "AWS API Call via CloudTrail"
            }
            Kind::SignIn { additional } => {
                detail["eventType"] = json!("AwsConsoleSignIn");
                if let Some(additional) = additional {
                    detail["additionalEventData"] = additional.clone();
                }
                "AWS Console Sign In via CloudTrail"
            }
        };
        let envelope = json!({
            "version": "0",
            "id": uuid(rng),
            "detail-type": detail_type,
            "source": format!("aws.{}", self.service),
            "account": account,
            "time": time,
            "region": "us-east-1",
            "resources": [],
            "detail": detail,
        });
        envelope.to_string()
    }
}

fn is_read(name: &str) -> bool {
    let verbs = ["Get", "List", "Describe", "Lookup"];
    verbs.iter().any(|verb| name.starts_with(verb))
}

/// A random id, which nobody can guess from another one.
pub(crate) fn uuid(rng: &mut Rng) -> String {
    let (high, low) = (rng.u64(..), rng.u64(..));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff,
    )
}

/// The `userIdentity` of a root user. `session` is when its session began, if it is in one.
pub(crate) fn root_identity(
    account: AccountId,
    access_key: &str,
    session: Option<SessionContext>,
) -> Value {
    let mut identity = json!({
        "type": "Root",
        "principalId": account.to_string(),
        "arn": format!("arn:aws:iam::{account}:root"),
        "accountId": account.to_string(),
        "accessKeyId": access_key,
    });
    if let Some(session) = session {
        identity["sessionContext"] = session.value();
        if session.assumed {
            identity["sessionContext"]["assumedRoot"] = json!("true");
        }
    }
    identity
}

/// The session of a root user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionContext {
    pub(crate) began: i64,
    pub(crate) mfa: bool,
    /// Whether `AssumeRoot` opened it.
    pub(crate) assumed: bool,
}

impl SessionContext {
    fn value(self) -> Value {
        json!({
            "attributes": {
                "creationDate": iso(self.began),
                "mfaAuthenticated": self.mfa.to_string(),
            },
        })
    }
}

/// The `userIdentity` of the session of a role.
pub(crate) fn role_identity(
    account: AccountId,
    role: &str,
    session: &str,
    access_key: &str,
    began: i64,
) -> Value {
    let context = SessionContext {
        began,
        mfa: false,
        assumed: false,
    };
    let mut context = context.value();
    context["sessionIssuer"] = json!({
        "type": "Role",
        "principalId": "AROASIMULATEDROLE000",
        "arn": format!("arn:aws:iam::{account}:role/{role}"),
        "accountId": account.to_string(),
        "userName": role,
    });
    json!({
        "type": "AssumedRole",
        "principalId": format!("AROASIMULATEDROLE000:{session}"),
        "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
        "accountId": account.to_string(),
        "accessKeyId": access_key,
        "sessionContext": context,
    })
}

/// The `userIdentity` of the caller from outside.
pub(crate) fn user_identity(account: AccountId, access_key: &str) -> Value {
    json!({
        "type": "IAMUser",
        "principalId": "AIDASIMULATEDCALLER0",
        "arn": format!("arn:aws:iam::{account}:user/simulated-caller"),
        "accountId": account.to_string(),
        "accessKeyId": access_key,
        "userName": "simulated-caller",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_a_random_uuid() {
        let mut rng = Rng::with_seed(1);
        let ids: std::collections::HashSet<_> = (0..1_000).map(|_| uuid(&mut rng)).collect();
        assert_eq!(ids.len(), 1_000);
        for id in ids {
            let parts: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
    }
}
