//! What the root user of an account did, as CloudTrail's events say: for people, and for alerts.
//!
//! Nothing here judges evidence: no value of a metric about keys or MFA follows from an event.

use std::collections::BTreeMap;

use root_posture::Timestamp;
use serde::{Deserialize, Serialize};

/// The most activities that are kept of an account.
const MOST: usize = 50;

/// A kind of activity of the root user. These are the values of the label `event`, which are CloudTrail's
/// event names as far as they can be.
///
/// Source: AWS CloudTrail User Guide, "Logging IAM and AWS STS API calls" and "AWS Management Console
/// sign-in events".
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[expect(missing_docs, reason = "CloudTrail's names")]
pub enum RootEvent {
    ConsoleLogin,
    CreateAccessKey,
    /// `UpdateAccessKey` with the status Active.
    UpdateAccessKeyActive,
    /// `UpdateAccessKey` with the status Inactive.
    UpdateAccessKeyInactive,
    DeleteAccessKey,
    CreateLoginProfile,
    UpdateLoginProfile,
    PasswordUpdated,
    PasswordRecoveryCompleted,
    EmailUpdated,
    EnableMFADevice,
    DeactivateMFADevice,
    UploadSigningCertificate,
    /// Any other call, every call that failed, and every call about an IAM user.
    #[strum(serialize = "other")]
    #[serde(rename = "other")]
    Other,
}

impl RootEvent {
    /// All of them.
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The value of the label `event`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether an access key of root began to work.
    #[must_use]
    pub fn gives_a_key(self) -> bool {
        matches!(self, Self::CreateAccessKey | Self::UpdateAccessKeyActive)
    }
}

/// Something that root did. Its texts come from a message that anyone with access to the queue could
/// write: they are short, without control characters, and for display alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// CloudTrail's `eventID`.
    pub id: String,
    /// When it happened, by CloudTrail's `eventTime`, to the second.
    pub at: Timestamp,
    /// Its kind.
    pub event: RootEvent,
    /// CloudTrail's `eventName`.
    pub name: String,
    /// CloudTrail's `eventSource`: the service, such as `iam.amazonaws.com`.
    pub service: String,
    /// The Region in which it happened.
    pub region: String,
    /// The address, or the name of the AWS service, that the call came from.
    pub address: String,
    /// The client as it calls itself (`userAgent`).
    pub client: String,
    /// How root was signed in.
    pub by: SignIn,
    /// Whether root was signed in with MFA; `None` where the event does not say.
    pub mfa: Option<bool>,
    /// The access key that it was about: the one that was created, changed or deleted.
    pub key: Option<String>,
    /// The IAM user that it was about.
    pub user: Option<String>,
    /// The error code of a call that failed.
    pub error: Option<String>,
}

impl Activity {
    /// What root does on the console with MFA, for tests.
    #[cfg(test)]
    pub(crate) fn example(event: RootEvent, at: Timestamp) -> Self {
        Self {
            id: "1f0a".to_owned(),
            at,
            event,
            name: event.as_str().to_owned(),
            service: "iam.amazonaws.com".to_owned(),
            region: "us-east-1".to_owned(),
            address: "198.51.100.7".to_owned(),
            client: "aws-cli/2.17.1".to_owned(),
            by: SignIn::Console,
            mfa: Some(true),
            key: None,
            user: None,
            error: None,
        }
    }

    /// The access key of the session with temporary credentials in which it was done.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match &self.by {
            SignIn::Session(key) => Some(key),
            SignIn::Console | SignIn::AccessKey(_) | SignIn::Unknown => None,
        }
    }
}

/// How root was signed in when it did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignIn {
    /// On the console.
    Console,
    /// With this access key of root.
    AccessKey(String),
    /// In a session with temporary credentials of this id, such as those of sts:AssumeRoot.
    Session(String),
    /// The event does not say.
    Unknown,
}

/// What is kept of the activity of one account's root user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Activities {
    /// The newest activities, newest first, each once.
    recent: Vec<Activity>,
    /// When root last did each kind of thing. Activities that are dropped stay in it.
    last: BTreeMap<RootEvent, Timestamp>,
}

impl Activities {
    /// Adds an activity. Returns whether it is new and among the newest.
    pub fn add(&mut self, activity: Activity) -> bool {
        if self.has(&activity.id) {
            return false;
        }
        let last = self.last.entry(activity.event).or_default();
        let is_newest = activity.at > *last;
        *last = activity.at.max(*last);
        // Before those of the same second, which arrived before.
        let place = self.recent.partition_point(|known| known.at > activity.at);
        let id = activity.id.clone();
        self.recent.insert(place, activity);
        if self.recent.len() > MOST {
            // A script with a root key makes fifty calls in a minute: they must not hide who made
            // the key.
            let is_other = |known: &Activity| known.event == RootEvent::Other && known.id != id;
            let dropped = self.recent.iter().rposition(is_other).unwrap_or(MOST);
            self.recent.remove(dropped);
        }
        is_newest || self.has(&id)
    }

    /// Whether an event was added and is still among the newest.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.recent.iter().any(|known| known.id == id)
    }

    /// The newest activities, newest first.
    #[must_use]
    pub fn recent(&self) -> impl ExactSizeIterator<Item = &Activity> {
        self.recent.iter()
    }

    /// The kinds of things that root did, each with when it last did.
    pub fn last(&self) -> impl Iterator<Item = (RootEvent, Timestamp)> {
        self.last.iter().map(|(event, at)| (*event, *at))
    }

    /// The newest activity by which this access key was created or activated.
    #[must_use]
    pub fn giving(&self, key: &str) -> Option<&Activity> {
        let mut giving = self.recent.iter().filter(|it| it.event.gives_a_key());
        giving.find(|it| it.key.as_deref() == Some(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(id: u32, at: i64, event: RootEvent) -> Activity {
        Activity {
            id: id.to_string(),
            ..Activity::example(event, Timestamp::from_unix(at))
        }
    }

    #[test]
    fn the_newest_fifty_are_kept_in_order_each_once() {
        let mut kept = Activities::default();
        let login = |id: u32| activity(id, i64::from(id % 100), RootEvent::ConsoleLogin);
        for id in (0..200).rev().chain(0..200) {
            kept.add(login(id));
        }
        let times: Vec<_> = kept.recent().map(|it| it.at.unix()).collect();
        assert_eq!(times.len(), MOST);
        assert!(times.is_sorted_by(|a, b| a >= b));
        assert_eq!((times[0], times[MOST - 1]), (99, 75));
        assert!(!kept.add(login(199)), "a duplicate");
        assert!(!kept.add(login(1)), "too old");
    }

    #[test]
    fn the_calls_of_a_script_do_not_hide_who_made_the_key() {
        let mut kept = Activities::default();
        let mut made = activity(0, 1, RootEvent::CreateAccessKey);
        made.key = Some("AKIAIOSFODNN7EXAMPLE".to_owned());
        kept.add(made.clone());
        for id in 1..1000 {
            kept.add(activity(id, i64::from(id), RootEvent::Other));
        }
        assert_eq!(kept.recent().len(), MOST);
        assert_eq!(kept.giving("AKIAIOSFODNN7EXAMPLE"), Some(&made));
        let refused = activity(1000, 1000, RootEvent::Other);
        assert!(kept.add(refused));
        assert!(kept.has("1000"), "the newest is kept, whatever its kind");
        for id in 1001..2000 {
            kept.add(activity(id, i64::from(id), RootEvent::ConsoleLogin));
        }
        assert_eq!(kept.giving("AKIAIOSFODNN7EXAMPLE"), None);
        let last: Vec<_> = kept
            .last()
            .map(|(event, at)| (event.as_str(), at.unix()))
            .collect();
        let expected = [
            ("ConsoleLogin", 1999),
            ("CreateAccessKey", 1),
            ("other", 1000),
        ];
        assert_eq!(last, expected);
    }
}
