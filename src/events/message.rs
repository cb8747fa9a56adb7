//! Reads a message of the queue: an event of EventBridge with a record of CloudTrail in it.
//!
//! Nothing in a message is trusted: anyone with access to the queue can write one. What is missing or
//! has another type is left out, texts are cut to a length, and no value of a metric about keys or MFA
//! follows from it.
//!
//! Sources: EventBridge User Guide, "Events from AWS services via CloudTrail"; CloudTrail User Guide,
//! "CloudTrail record contents", "userIdentity element" and "AWS Management Console sign-in events".

use std::time::Duration;

use root_posture::{AccountId, Timestamp};
use serde_json::Value;

use crate::activity::{Activity, RootEvent, SignIn};
use crate::aws::RequestId;
use crate::schedule::Notice;

/// The longest message that SQS delivers, in bytes.
///
/// Source: SQS Developer Guide, "Amazon SQS message quotas".
const LONGEST: usize = 1 << 20;

/// How far the time of an event may be ahead of the local clock. One further ahead counts as now: the
/// local clock is wrong, or the message is forged.
const AHEAD: Duration = Duration::from_secs(15 * 60);

/// The longest texts that are kept, in bytes of UTF-8: of names and ids, and of what a client says.
const NAME: usize = 128;
const WORDS: usize = 256;

/// What the exporter's own calls are signed by, in the `userAgent`.
const OWN_CLIENT: &str = "app/aws-root-exporter";

/// The calls of the exporter's root sessions. They only read.
const AUDIT: [&str; 6] = [
    SUMMARY,
    "GetAccessKeyLastUsed",
    "GetLoginProfile",
    "ListAccessKeys",
    "ListMFADevices",
    "ListSigningCertificates",
];

const SUMMARY: &str = "GetAccountSummary";

/// Our rules in an account, and the beginning of their names and of those in the hub.
/// `deploy/aws/events-*.yaml` has them.
const MEMBER_RULES: [&str; 2] = ["aws-root-exporter-root", "aws-root-exporter-echo"];
const OWN_RULES: &str = "aws-root-exporter";

/// The Regions in which IAM's events appear. Rules of ours in others are an addition.
const HOME_REGIONS: [&str; 2] = ["us-east-1", "us-gov-west-1"];

/// Why a message is not an event of EventBridge about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is longer than a message can be.
    #[error("it is longer than 1 MiB")]
    TooLong,
    /// It is not JSON.
    #[error("it is not JSON")]
    NotJson,
    /// `source` is missing, or not one that AWS alone can use.
    #[error("its source does not begin with \"aws.\"")]
    Source,
    /// `account` is missing or no account id.
    #[error("it names no account")]
    Account,
    /// `detail.recipientAccountId` is another account.
    #[error("its detail is about another account")]
    OtherAccount,
    /// There is no `detail`.
    #[error("it has no detail")]
    Detail,
    /// `detail.eventTime` is missing or no time.
    #[error("its record has no time")]
    Time,
    /// There is no id.
    #[error("its record has no id")]
    Id,
}

/// Reads a message that arrived at `now`.
///
/// # Errors
///
/// It is not an event of EventBridge, or contradicts itself.
pub fn read(body: &str, now: Timestamp) -> Result<Notice, Malformed> {
    if body.len() > LONGEST {
        return Err(Malformed::TooLong);
    }
    let event: Value = serde_json::from_str(body).map_err(|_| Malformed::NotJson)?;
    let record = Record(event.get("detail").unwrap_or(&Value::Null));
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    if !text("source").is_some_and(|source| source.starts_with("aws.")) {
        return Err(Malformed::Source);
    }
    let account = text("account").and_then(|id| id.parse::<AccountId>().ok());
    let account = account.ok_or(Malformed::Account)?;
    if !record.0.is_object() {
        return Err(Malformed::Detail);
    }
    if let Some(recipient) = record
        .0
        .get("recipientAccountId")
        .filter(|it| !it.is_null())
        && recipient.as_str() != Some(&account.to_string())
    {
        return Err(Malformed::OtherAccount);
    }
    let name = record.text("/eventName").unwrap_or_default();
    let is_summary = name == SUMMARY;
    let summary = record.text("/requestID").filter(|_| is_summary);
    let is_activity = record.is_of_root(account) && !record.is_of_exporter();
    let change = record.change();
    let mut read = Notice {
        account,
        summary: summary.map(RequestId::of),
        activity: None,
        tampered: None,
        rule_put: None,
    };
    if !is_activity && change.is_none() {
        return Ok(read);
    }
    let at = record.text("/eventTime").and_then(Timestamp::parse);
    let at = at.ok_or(Malformed::Time)?;
    let at = if at > now.plus(AHEAD) { now } else { at };
    match change {
        Some(Change::Stopped) => read.tampered = Some(at),
        Some(Change::RulePut) => read.rule_put = Some(at),
        None => {}
    }
    if is_activity {
        let id = record.text("/eventID").or_else(|| text("id"));
        let id = id.map(|id| shortened(id, NAME));
        let id = id.filter(|id| !id.is_empty()).ok_or(Malformed::Id)?;
        read.activity = record.activity(id, at);
    }
    Ok(read)
}

/// A change of the way that events take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// A trail was changed, or a rule of ours stopped.
    Stopped,
    /// A rule of ours, or its target, was made or changed.
    RulePut,
}

/// A record of CloudTrail.
struct Record<'a>(&'a Value);

impl<'a> Record<'a> {
    /// A text at a path, as JSON Pointer (RFC 6901) writes it; `None` for any other value.
    fn text(&self, path: &str) -> Option<&'a str> {
        self.0.pointer(path)?.as_str()
    }

    /// `true` or `"true"`, and likewise for false.
    fn flag(&self, path: &str) -> Option<bool> {
        match self.0.pointer(path)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn has(&self, path: &str) -> bool {
        self.0.pointer(path).is_some_and(|value| !value.is_null())
    }

    /// Whether the root user of that account did it. CloudTrail also records what another account's
    /// root did to a resource of this one.
    fn is_of_root(&self, account: AccountId) -> bool {
        let actor = self.text("/userIdentity/accountId");
        self.text("/userIdentity/type") == Some("Root")
            && actor.is_none_or(|actor| actor == account.to_string())
    }

    /// Whether it is a call of an exporter's root session: of this process, of another one, or of one
    /// that has ended. Who writes our name into the client's hides reads alone.
    fn is_of_exporter(&self) -> bool {
        let name = self.text("/eventName").unwrap_or_default();
        let client = self.text("/userAgent").unwrap_or_default();
        self.key().is_some_and(|key| key.starts_with("ASIA"))
            && AUDIT.contains(&name)
            && client.contains(OWN_CLIENT)
    }

    /// The access key that signed the call.
    fn key(&self) -> Option<&'a str> {
        self.text("/userIdentity/accessKeyId")
    }

    /// Why the call failed.
    fn error(&self) -> Option<&'a str> {
        // Those of the sign-in service have their outcome under their own name.
        let failed_login = || {
            let name = self.text("/eventName").unwrap_or_default();
            let outcome = self.0.get("responseElements")?.get(name)?.as_str();
            outcome.filter(|outcome| *outcome == "Failure")
        };
        let error = self.text("/errorCode");
        error
            .or_else(|| self.text("/errorMessage"))
            .or_else(failed_login)
    }

    /// The change of a trail or of a rule of ours that it is. An attempt that was refused is none.
    fn change(&self) -> Option<Change> {
        if self.error().is_some() {
            return None;
        }
        let named = |is: fn(&str) -> bool| {
            let paths = ["/requestParameters/name", "/requestParameters/rule"];
            paths.iter().any(|path| self.text(path).is_some_and(is))
        };
        let region = self.text("/awsRegion").unwrap_or_default();
        match (self.text("/eventSource")?, self.text("/eventName")?) {
            (
                "cloudtrail.amazonaws.com",
                "StopLogging" | "DeleteTrail" | "UpdateTrail" | "PutEventSelectors",
            ) => Some(Change::Stopped),
            ("events.amazonaws.com", "DisableRule" | "DeleteRule" | "RemoveTargets") => {
                named(|name| name.starts_with(OWN_RULES)).then_some(Change::Stopped)
            }
            ("events.amazonaws.com", "PutRule" | "PutTargets") => {
                let is_ours = named(|name| MEMBER_RULES.contains(&name));
                (is_ours && HOME_REGIONS.contains(&region)).then_some(Change::RulePut)
            }
            _ => None,
        }
    }

    /// What root did; `None` for what a service of AWS did on its own.
    fn activity(&self, id: String, at: Timestamp) -> Option<Activity> {
        let event = self.event();
        if self.is_by_service() && self.named() == RootEvent::Other {
            return None;
        }
        let text = |path, most| shortened(self.text(path).unwrap_or_default(), most);
        let key = self.text("/responseElements/accessKey/accessKeyId");
        let key = key.or_else(|| self.text("/requestParameters/accessKeyId"));
        let name = |text: &str| shortened(text, NAME);
        Some(Activity {
            id,
            at,
            event,
            name: text("/eventName", NAME),
            service: text("/eventSource", NAME),
            region: text("/awsRegion", NAME),
            address: text("/sourceIPAddress", NAME),
            client: text("/userAgent", WORDS),
            by: self.sign_in(),
            mfa: self.mfa(),
            key: key.map(name),
            user: self.user().map(name),
            error: self.error().map(|error| shortened(error, WORDS)),
        })
    }

    /// The kind of event. A call that failed has changed nothing, and one about an IAM user says
    /// nothing about root's own credentials.
    fn event(&self) -> RootEvent {
        let service = self.text("/eventSource").unwrap_or_default();
        let is_known = matches!(service, "iam.amazonaws.com" | "signin.amazonaws.com" | "");
        if self.error().is_some() || self.user().is_some() || !is_known {
            return RootEvent::Other;
        }
        self.named()
    }

    /// The kind of event by its name alone.
    fn named(&self) -> RootEvent {
        match self.text("/eventName").unwrap_or_default() {
            "ConsoleLogin" => RootEvent::ConsoleLogin,
            "CreateAccessKey" => RootEvent::CreateAccessKey,
            "UpdateAccessKey" => match self.text("/requestParameters/status") {
                Some("Active") => RootEvent::UpdateAccessKeyActive,
                Some("Inactive") => RootEvent::UpdateAccessKeyInactive,
                _ => RootEvent::Other,
            },
            "DeleteAccessKey" => RootEvent::DeleteAccessKey,
            "CreateLoginProfile" => RootEvent::CreateLoginProfile,
            "UpdateLoginProfile" => RootEvent::UpdateLoginProfile,
            "PasswordUpdated" => RootEvent::PasswordUpdated,
            "PasswordRecoveryCompleted" => RootEvent::PasswordRecoveryCompleted,
            "EmailUpdated" => RootEvent::EmailUpdated,
            "EnableMFADevice" => RootEvent::EnableMFADevice,
            "DeactivateMFADevice" => RootEvent::DeactivateMFADevice,
            "UploadSigningCertificate" => RootEvent::UploadSigningCertificate,
            _ => RootEvent::Other,
        }
    }

    /// The IAM user that the call is about; `None` for root itself.
    fn user(&self) -> Option<&'a str> {
        let user = self.text("/requestParameters/userName");
        user.filter(|user| !matches!(*user, "" | "AWS ROOT USER"))
    }

    /// Whether a service of AWS did it on its own. The console calls with its own name.
    fn is_by_service(&self) -> bool {
        self.text("/eventType") == Some("AwsServiceEvent")
            || self.has("/userIdentity/invokedBy") && !self.is_invoked_by_console()
    }

    fn is_invoked_by_console(&self) -> bool {
        let by = self.text("/userIdentity/invokedBy").unwrap_or_default();
        matches!(by, "signin.amazonaws.com" | "console.amazonaws.com")
    }

    fn sign_in(&self) -> SignIn {
        let is_console = self.flag("/sessionCredentialFromConsole") == Some(true)
            || self.text("/eventSource") == Some("signin.amazonaws.com")
            || self.is_invoked_by_console();
        match self.key() {
            _ if is_console => SignIn::Console,
            Some(key) if key.starts_with("AKIA") => SignIn::AccessKey(shortened(key, NAME)),
            Some(key) if key.starts_with("ASIA") => SignIn::Session(shortened(key, NAME)),
            _ => SignIn::Unknown,
        }
    }

    fn mfa(&self) -> Option<bool> {
        let of_session = "/userIdentity/sessionContext/attributes/mfaAuthenticated";
        let of_login = self.text("/additionalEventData/MFAUsed");
        of_login
            .map(|used| used == "Yes")
            .or_else(|| self.flag(of_session))
    }
}

/// The first characters of a text, without those that control a terminal.
fn shortened(text: &str, most: usize) -> String {
    let printable = text.chars().filter(|c| !c.is_control());
    let mut left = most;
    printable
        .take_while(|c| {
            let fits = c.len_utf8() <= left;
            left -= c.len_utf8().min(left);
            fits
        })
        .collect()
}
