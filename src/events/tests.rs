//! Messages as EventBridge delivers them, whole and broken.
//!
//! The recorded events are those against which the patterns of the deployed rules are tested.

use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use root_posture::Timestamp;
use serde_json::{Value, json};

use super::message::{Malformed, read};
use crate::activity::{RootEvent, SignIn};
use crate::aws::RequestId;
use crate::schedule::Notice;

/// Shortly after the recorded events.
fn now() -> Timestamp {
    Timestamp::parse("2026-03-14T14:40:00Z").unwrap()
}

fn recorded(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join(format!("tests/deploy/events/{name}.json"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn event(name: &str) -> Notice {
    read(&recorded(name), now()).unwrap_or_else(|why| panic!("{name}: {why}"))
}

#[test]
fn what_root_does_is_known_with_who_and_where() {
    let made = event("root-create-access-key-console").activity.unwrap();
    assert_eq!(made.event, RootEvent::CreateAccessKey);
    assert_eq!(made.at, Timestamp::parse("2026-03-14T14:38:41Z").unwrap());
    assert_eq!(made.address, "198.51.100.7");
    assert_eq!((made.by, made.mfa), (SignIn::Console, Some(true)));
    assert_eq!(made.key.as_deref(), Some("AKIAIOSFODNN7EXAMPLE"));
    assert_eq!((made.user, made.error), (None, None));
    let record: Value = serde_json::from_str(&recorded("root-create-access-key-console")).unwrap();
    assert_eq!(json!(made.id), record["detail"]["eventID"]);
    let by_key = event("root-create-access-key-by-key").activity.unwrap();
    assert!(matches!(by_key.by, SignIn::AccessKey(key) if key.starts_with("AKIA")));
}

#[test]
fn each_recorded_event_has_its_kind() {
    use RootEvent::{
        ConsoleLogin, CreateAccessKey, CreateLoginProfile, DeactivateMFADevice, DeleteAccessKey,
        EmailUpdated, EnableMFADevice, Other, PasswordRecoveryCompleted, PasswordUpdated,
        UpdateAccessKeyActive, UpdateAccessKeyInactive, UploadSigningCertificate,
    };
    for (name, kind) in [
        ("root-console-login", Some(ConsoleLogin)),
        ("root-console-login-failure", Some(Other)),
        ("root-create-access-key-console", Some(CreateAccessKey)),
        ("root-create-access-key-by-key", Some(CreateAccessKey)),
        ("root-create-access-key-as-exporter", Some(CreateAccessKey)),
        ("root-create-access-key-invoked-by", Some(CreateAccessKey)),
        ("root-create-access-key-denied", Some(Other)),
        ("root-create-access-key-for-user", Some(Other)),
        ("root-update-access-key-active", Some(UpdateAccessKeyActive)),
        (
            "root-update-access-key-inactive",
            Some(UpdateAccessKeyInactive),
        ),
        ("root-delete-access-key", Some(DeleteAccessKey)),
        ("root-session-delete-access-key", Some(DeleteAccessKey)),
        (
            "root-session-create-login-profile",
            Some(CreateLoginProfile),
        ),
        ("root-password-updated", Some(PasswordUpdated)),
        (
            "root-password-recovery-completed",
            Some(PasswordRecoveryCompleted),
        ),
        ("root-email-updated", Some(EmailUpdated)),
        ("root-enable-mfa-device", Some(EnableMFADevice)),
        ("root-deactivate-mfa-device", Some(DeactivateMFADevice)),
        (
            "root-upload-signing-certificate",
            Some(UploadSigningCertificate),
        ),
        ("root-list-users", Some(Other)),
        ("root-s3-get-object", Some(Other)),
        ("root-get-account-summary-console", Some(Other)),
        // With a key of root, not in a session of an exporter, whatever the client calls itself.
        ("root-get-account-summary-by-key-as-exporter", Some(Other)),
        ("root-session-list-access-keys-by-cli", Some(Other)),
        // The root sessions of exporters.
        ("root-session-get-account-summary", None),
        ("root-session-list-access-keys", None),
        ("root-session-get-access-key-last-used", None),
        ("root-session-list-mfa-devices", None),
        ("root-session-list-signing-certificates", None),
        ("root-session-get-login-profile", None),
        // Others than root.
        ("user-create-access-key", None),
        ("user-console-login", None),
        ("role-assume-root", None),
        ("service-rotate-key", None),
        ("exporter-get-account-summary", None),
        ("ec2-instance-state-change", None),
    ] {
        let found = event(name).activity.map(|activity| activity.event);
        assert_eq!(found, kind, "{name}");
    }
}

#[test]
fn a_change_of_a_trail_or_of_our_rules_is_tampering_whoever_makes_it() {
    for (name, is_tampering) in [
        ("trail-stop-logging", true),
        ("trail-stop-logging-by-root", true),
        ("trail-delete-trail", true),
        ("trail-update-trail", true),
        ("trail-put-event-selectors", true),
        ("trail-stop-logging-denied", false),
        ("trail-describe-trails", false),
        ("trail-start-logging", false),
        ("rule-disable-rule", true),
        ("rule-delete-rule", true),
        ("rule-put-rule", true),
        ("rule-put-targets", true),
        ("rule-remove-targets", true),
        ("rule-disable-rule-denied", false),
        ("rule-put-rule-other", false),
        ("rule-remove-targets-other", false),
        ("rule-list-rules", false),
        ("root-create-access-key-console", false),
    ] {
        let event = event(name);
        let found = event.tampered.or(event.rule_put).is_some();
        assert_eq!(found, is_tampering, "{name}");
        let is_put = matches!(name, "rule-put-rule" | "rule-put-targets");
        assert_eq!(event.rule_put.is_some(), is_put, "{name}");
    }
    assert!(
        event("trail-stop-logging-by-root").activity.is_some(),
        "and activity"
    );
}

#[test]
fn a_summary_has_the_id_of_its_request() {
    let body = recorded("exporter-get-account-summary");
    let value: Value = serde_json::from_str(&body).unwrap();
    let id = value
        .pointer("/detail/requestID")
        .unwrap()
        .as_str()
        .unwrap();
    assert_eq!(read(&body, now()).unwrap().summary, Some(RequestId::of(id)));
    assert_eq!(event("root-create-access-key-console").summary, None);
}

/// A recorded event after a change.
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> Result<Notice, Malformed> {
    let mut value: Value = serde_json::from_str(&recorded(name)).unwrap();
    change(&mut value);
    read(&value.to_string(), now())
}

#[test]
fn what_contradicts_itself_or_cannot_be_of_aws_is_malformed() {
    type Change = (&'static str, Value);
    let cases: [(Malformed, Change); 10] = [
        (Malformed::Source, ("/source", json!("example.iam"))),
        (Malformed::Source, ("/source", json!(["aws.iam"]))),
        (Malformed::Account, ("/account", json!("1234"))),
        (Malformed::Account, ("/account", json!(111_122_223_333_i64))),
        (Malformed::OtherAccount, ("/account", json!("444455556666"))),
        (
            Malformed::OtherAccount,
            ("/detail/recipientAccountId", json!("444455556666")),
        ),
        (
            Malformed::OtherAccount,
            ("/detail/recipientAccountId", json!(7)),
        ),
        (Malformed::Detail, ("/detail", json!("text"))),
        (Malformed::Detail, ("/detail", Value::Null)),
        (Malformed::Time, ("/detail/eventTime", json!("yesterday"))),
    ];
    for (why, change) in cases {
        let (place, value) = change;
        let read = changed("root-create-access-key-console", |it| {
            *it.pointer_mut(place).unwrap() = value;
        });
        assert_eq!(read, Err(why), "{place}");
    }
    for id in ["", "\u{7}\0"] {
        let without_id = changed("root-create-access-key-console", |it| {
            it["detail"]["eventID"] = json!(id);
            it["id"] = json!(7);
        });
        assert_eq!(without_id, Err(Malformed::Id));
    }
    for (body, why) in [
        ("", Malformed::NotJson),
        ("{", Malformed::NotJson),
        ("null", Malformed::Source),
        ("[]", Malformed::Source),
    ] {
        assert_eq!(read(body, now()), Err(why), "{body}");
    }
    let long = " ".repeat((1 << 20) + 1);
    assert_eq!(read(&long, now()), Err(Malformed::TooLong));
}

#[test]
fn what_another_accounts_root_did_here_is_no_activity() {
    let event = changed("root-s3-get-object", |it| {
        it["detail"]["userIdentity"]["accountId"] = json!("444455556666");
    });
    assert_eq!(event.unwrap().activity, None);
}

#[test]
fn texts_are_cut_and_control_no_terminal() {
    let event = changed("root-create-access-key-console", |it| {
        it["detail"]["userAgent"] = json!(format!("\u{1b}[2J{}", "x".repeat(100_000)));
        it["detail"]["sourceIPAddress"] = json!("1\n2");
        it["detail"]["responseElements"] = json!([1]);
    });
    let activity = event.unwrap().activity.unwrap();
    assert_eq!(activity.client.chars().count(), 256);
    assert!(activity.client.starts_with("[2Jx"));
    assert_eq!(activity.address, "12");
    assert_eq!(activity.key, None);
}

#[test]
fn a_time_far_in_the_future_counts_as_now() {
    let event = changed("root-create-access-key-console", |it| {
        it["detail"]["eventTime"] = json!("2027-01-01T00:00:00Z");
    });
    assert_eq!(event.unwrap().activity.unwrap().at, now());
}

#[test]
fn deep_nesting_is_malformed() {
    let deep = "[".repeat(100_000);
    assert_eq!(read(&deep, now()), Err(Malformed::NotJson));
}

/// Any JSON in place of any value of a recorded event.
fn any_json() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
        Just(json!({})),
        Just(json!([{"accessKeyId": 1}])),
    ]
}

/// The paths of all values in a JSON value.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    if let Some(object) = value.as_object() {
        for (key, value) in object {
            paths(value, &format!("{path}/{key}"), found);
        }
    }
}

proptest! {
    #[test]
    fn any_value_in_any_place_is_read_or_refused(
        name in prop_oneof![
            Just("root-create-access-key-console"), Just("root-console-login"),
            Just("trail-stop-logging"), Just("exporter-get-account-summary"),
        ],
        place in any::<prop::sample::Index>(),
        value in any_json(),
    ) {
        let mut event: Value = serde_json::from_str(&recorded(name)).unwrap();
        let mut places = Vec::new();
        paths(&event, "", &mut places);
        *event.pointer_mut(place.get(places.as_slice()).as_str()).unwrap() = value;
        if let Ok(read) = read(&event.to_string(), now()) {
            let activity = read.activity;
            prop_assert!(activity.is_none_or(|it| it.at <= now().plus(Duration::from_secs(900))));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = read(&text, now());
    }
}
