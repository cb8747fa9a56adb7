//! Any bytes as a message of the queue: refused with a reason, or read as an event of which nothing is
//! longer, later or less printable than it may be, and which a restart keeps as it is.

use std::time::Duration;

use aws_root_exporter::activity::{Activities, Activity, SignIn};
use aws_root_exporter::events::read;
use aws_root_exporter::schedule::Notice;
use root_posture::Timestamp;
use serde_json::Value;

/// The longest text of an activity, in characters.
const LONGEST: usize = 256;

/// How far an event may be in the future.
const AHEAD: Duration = Duration::from_secs(15 * 60);

/// Checks the bytes; returns whether they are an event.
///
/// # Panics
///
/// If a guarantee is broken.
pub fn check(bytes: &[u8]) -> bool {
    // SQS delivers text.
    let Ok(body) = std::str::from_utf8(bytes) else {
        return false;
    };
    let now = Timestamp::from_unix(1_789_132_492);
    let event = match read(body, now) {
        Ok(event) => event,
        Err(malformed) => {
            assert!(!malformed.to_string().is_empty());
            return false;
        }
    };
    let json: Value = serde_json::from_str(body).expect("only JSON is an event");
    let account = event.account.to_string();
    assert_eq!(json["account"].as_str(), Some(&*account), "another account");
    let source = json["source"].as_str();
    assert!(source.is_some_and(|source| source.starts_with("aws.")));
    is_tolerant(json, &event, now);
    let latest = now.plus(AHEAD);
    assert!(event.tampered.is_none_or(|at| at <= latest));
    if let Some(activity) = event.activity {
        assert!(activity.at <= latest, "of the future");
        is_short_and_printable(&activity);
        is_kept(activity);
    }
    true
}

/// AWS adds fields as it likes.
fn is_tolerant(mut json: Value, event: &Notice, now: Timestamp) {
    for place in ["", "/detail", "/detail/userIdentity"] {
        if let Some(Value::Object(fields)) = json.pointer_mut(place) {
            fields.insert("aNewField".to_owned(), Value::from(vec![1, 2, 3]));
        }
    }
    let extended = read(&json.to_string(), now);
    assert_eq!(extended.as_ref(), Ok(event), "a new field changes it");
}

fn is_short_and_printable(activity: &Activity) {
    let by = match &activity.by {
        SignIn::AccessKey(key) | SignIn::Session(key) => Some(key),
        SignIn::Console | SignIn::Unknown => None,
    };
    let texts = [
        &activity.id,
        &activity.name,
        &activity.service,
        &activity.region,
        &activity.address,
        &activity.client,
    ];
    let optional = [
        by,
        activity.key.as_ref(),
        activity.user.as_ref(),
        activity.error.as_ref(),
    ];
    for text in texts.into_iter().chain(optional.into_iter().flatten()) {
        assert!(text.chars().count() <= LONGEST, "{} bytes", text.len());
        assert!(
            !text.chars().any(char::is_control),
            "not printable: {text:?}"
        );
    }
    assert!(!activity.id.is_empty(), "no id to know a duplicate by");
}

/// The state keeps it, once.
fn is_kept(activity: Activity) {
    let saved = serde_json::to_vec(&activity).expect("writing to memory cannot fail");
    let again: Activity = serde_json::from_slice(&saved).expect("a saved activity can be read");
    assert_eq!(again, activity, "saving changes it");
    let mut kept = Activities::default();
    assert!(kept.add(activity));
    assert!(!kept.add(again), "a duplicate counts");
}
