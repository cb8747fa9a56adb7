//! CloudTrail's events: which calls cause one, their form, and what goes wrong on their way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Bench, NOW, hub, id, member, outside};
use aws_simulator::{
    Actor, Fault, FaultKind, Queue, QueueSettings, RootUser, Tampering, Trail, TrailCounts, World,
};

const AGENT: &str = "aws-sdk-rust/1.3.14 ua/2.1 api/iam/1.133.0 os/linux app/aws-root-exporter";

const SUMMARY: &str = "Action=GetAccountSummary&Version=2010-05-08";

/// A bench whose events go to a queue at once.
async fn bench() -> (Bench, Queue) {
    let bench = Bench::start().await;
    let queue = bench.world.create_queue("events", QueueSettings::default());
    bench.world.trail(Trail::to("events"));
    (bench, queue)
}

fn events(queue: &Queue) -> Vec<Value> {
    let bodies = queue.bodies().into_iter();
    bodies
        .map(|body| serde_json::from_str(&body).unwrap())
        .collect()
}

/// The names of the events and of the accounts.
fn names(queue: &Queue) -> Vec<String> {
    let events = events(queue).into_iter();
    events
        .map(|event| event["detail"]["eventName"].as_str().unwrap().to_owned())
        .collect()
}

/// Takes the two ids out of an event, which must be there.
fn without_ids(mut event: Value) -> Value {
    assert_eq!(event["id"].as_str().unwrap().len(), 36);
    assert_eq!(event["detail"]["eventID"].as_str().unwrap().len(), 36);
    event.as_object_mut().unwrap().remove("id");
    event["detail"].as_object_mut().unwrap().remove("eventID");
    event
}

fn root(bench: &Bench) -> RootUser {
    let actor = Actor::console("203.0.113.9")
        .client("Mozilla/5.0")
        .with_mfa();
    bench.world.root(member(), actor, NOW)
}

#[tokio::test]
async fn the_echo_of_a_summary_has_the_form_of_cloudtrail() {
    let (bench, queue) = bench().await;
    let session = bench.role_session().await;
    bench.advance(60);
    let answer = bench.with_agent(&session, AGENT, SUMMARY).await;
    let request_id = &answer.headers["x-amzn-requestid"];
    assert_eq!(answer.element("RequestId"), Some(request_id.as_str()));
    let [event] = &events(&queue)[..] else {
        panic!("{:?}", names(&queue))
    };
    let expected = json!({
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.iam",
        "account": "000000000042",
        "time": "2026-09-11T13:15:52Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROASIMULATEDROLE000:test",
                "arn": "arn:aws:sts::000000000042:assumed-role/open/test",
                "accountId": "000000000042",
                "accessKeyId": session.key,
                "sessionContext": {
                    "attributes": {
                        "creationDate": "2026-09-11T13:14:52Z",
                        "mfaAuthenticated": "false",
                    },
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": "AROASIMULATEDROLE000",
                        "arn": "arn:aws:iam::000000000042:role/open",
                        "accountId": "000000000042",
                        "userName": "open",
                    },
                },
            },
            "eventTime": "2026-09-11T13:15:52Z",
            "eventSource": "iam.amazonaws.com",
            "eventName": "GetAccountSummary",
            "awsRegion": "us-east-1",
            "sourceIPAddress": "127.0.0.1",
            "userAgent": AGENT,
            "requestParameters": null,
            "responseElements": null,
            "requestID": request_id,
            "readOnly": true,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": "000000000042",
            "eventCategory": "Management",
        },
    });
    assert_eq!(without_ids(event.clone()), expected);
}

#[tokio::test]
async fn request_ids_differ_and_cannot_be_guessed() {
    let (bench, _) = bench().await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let answer = bench.with_agent(&outside(), AGENT, SUMMARY).await;
        ids.insert(answer.headers["x-amzn-requestid"][..18].to_owned());
    }
    assert_eq!(ids.len(), 20, "{ids:?}");
}

#[tokio::test]
async fn calls_of_other_programs_and_other_calls_of_roles_cause_no_event() {
    let (bench, queue) = bench().await;
    let session = bench.role_session().await;
    bench.with_agent(&session, "aws-cli/2", SUMMARY).await;
    for action in ["GenerateCredentialReport", "ListAccessKeys&UserName=ada"] {
        let query = format!("Action={action}");
        bench.with_agent(&session, AGENT, &query).await;
    }
    bench.iam(&outside(), "GetAccountSummary").await;
    assert_eq!(bench.world.trail_counts(), TrailCounts::default());
    bench.with_agent(&outside(), AGENT, SUMMARY).await;
    let [event] = &events(&queue)[..] else {
        panic!("{:?}", names(&queue))
    };
    let identity = &event["detail"]["userIdentity"];
    assert_eq!(event["account"], "999000000001");
    assert_eq!(identity["type"], "IAMUser");
    assert_eq!(identity["accessKeyId"], "AKIAOUTSIDE000000000");
}

#[tokio::test]
async fn a_root_session_is_root_with_a_temporary_key() {
    let (bench, queue) = bench().await;
    bench
        .world
        .edit(member(), |account| account.root.create_key(NOW));
    let session = bench.root_session("Delete").await.credentials();
    let keys = bench
        .with_agent(&session, AGENT, "Action=ListAccessKeys")
        .await;
    let key = keys.element("AccessKeyId").unwrap();
    let delete = format!("Action=DeleteAccessKey&AccessKeyId={key}");
    bench.with_agent(&session, AGENT, &delete).await;
    bench.with_agent(&session, AGENT, &delete).await;
    bench
        .with_agent(&session, "aws-cli/2", "Action=ListAccessKeys")
        .await;
    let names = names(&queue);
    assert_eq!(
        names,
        ["DeleteAccessKey", "DeleteAccessKey", "ListAccessKeys"]
    );
    let events = events(&queue);
    let (done, failed) = (&events[0]["detail"], &events[1]["detail"]);
    let identity = json!({
        "type": "Root",
        "principalId": "000000000042",
        "arn": "arn:aws:iam::000000000042:root",
        "accountId": "000000000042",
        "accessKeyId": session.key,
        "sessionContext": {
            "attributes": {
                "creationDate": "2026-09-11T13:14:52Z",
                "mfaAuthenticated": "false",
            },
            "assumedRoot": "true",
        },
    });
    assert!(session.key.starts_with("ASIA"));
    assert_eq!(done["userIdentity"], identity);
    assert_eq!(done["requestParameters"], json!({"accessKeyId": key}));
    assert_eq!(
        (&done["readOnly"], done.get("errorCode")),
        (&json!(false), None)
    );
    assert_eq!(failed["errorCode"], "NoSuchEntityException");
    assert!(failed["errorMessage"].as_str().unwrap().contains(key));
}

#[tokio::test]
async fn a_refused_summary_has_an_echo_with_its_error_and_a_lost_one_has_none() {
    let (bench, queue) = bench().await;
    for kind in [
        FaultKind::AccessDenied,
        FaultKind::InvalidToken,
        FaultKind::Unavailable,
        FaultKind::Refuse,
    ] {
        bench.world.fault(Fault::new(kind).times(1));
        bench.with_agent(&outside(), AGENT, SUMMARY).await;
    }
    // It took place, though nobody learnt of it.
    bench.world.fault(Fault::new(FaultKind::Torn).times(1));
    bench.with_agent(&outside(), AGENT, SUMMARY).await;
    let events = events(&queue);
    let codes: Vec<_> = events.iter().map(|it| &it["detail"]["errorCode"]).collect();
    assert_eq!(codes, [&json!("AccessDenied"), &Value::Null]);
}

#[tokio::test]
async fn root_creates_a_key_on_the_console() {
    let (bench, queue) = bench().await;
    let key = root(&bench).create_key().unwrap();
    bench.world.edit(member(), |account| {
        assert_eq!(account.root.keys[0].as_ref().unwrap().id, key);
    });
    let event = without_ids(events(&queue).remove(0));
    assert_eq!(event["source"], "aws.iam");
    assert_eq!(event["detail-type"], "AWS API Call via CloudTrail");
    let mut detail = event["detail"].clone();
    let temporary = detail["userIdentity"]["accessKeyId"].take();
    assert!(temporary.as_str().unwrap().starts_with("ASIA"));
    let request_id = detail["requestID"].take();
    assert_eq!(request_id.as_str().unwrap().len(), 36);
    let expected = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Root",
            "principalId": "000000000042",
            "arn": "arn:aws:iam::000000000042:root",
            "accountId": "000000000042",
            "accessKeyId": null,
            "sessionContext": {
                "attributes": {
                    "creationDate": "2026-09-11T13:14:52Z",
                    "mfaAuthenticated": "true",
                },
            },
        },
        "eventTime": "2026-09-11T13:14:52Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateAccessKey",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.9",
        "userAgent": "Mozilla/5.0",
        "requestParameters": null,
        "responseElements": {
            "accessKey": {
                "accessKeyId": key,
                "status": "Active",
                "createDate": "Sep 11, 2026 1:14:52 PM",
            },
        },
        "requestID": null,
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "000000000042",
        "eventCategory": "Management",
        "sessionCredentialFromConsole": "true",
    });
    assert_eq!(detail, expected);
}

#[tokio::test]
async fn root_signs_in_and_fails_to() {
    let (bench, queue) = bench().await;
    root(&bench).sign_in();
    let last = bench
        .world
        .edit(member(), |account| account.root.password_last_used);
    assert_eq!(last, Some(NOW));
    let other = Actor::console("198.51.100.7");
    bench.world.root(member(), other, NOW + 1).fail_to_sign_in();
    let last = bench
        .world
        .edit(member(), |account| account.root.password_last_used);
    assert_eq!(last, Some(NOW));
    let events = events(&queue);
    for (event, result, mfa) in [
        (&events[0], "Success", "Yes"),
        (&events[1], "Failure", "No"),
    ] {
        let detail = &event["detail"];
        assert_eq!(event["detail-type"], "AWS Console Sign In via CloudTrail");
        assert_eq!(event["source"], "aws.signin");
        assert_eq!(detail["eventName"], "ConsoleLogin");
        assert_eq!(detail["eventType"], "AwsConsoleSignIn");
        assert_eq!(detail["eventSource"], "signin.amazonaws.com");
        assert_eq!(detail["responseElements"], json!({"ConsoleLogin": result}));
        assert_eq!(detail["additionalEventData"]["MFAUsed"], mfa);
        assert_eq!(detail["additionalEventData"]["MobileVersion"], "No");
        assert_eq!(detail["userIdentity"]["accessKeyId"], "");
        assert_eq!(detail["requestParameters"], Value::Null);
        assert_eq!(detail.get("errorCode"), None);
        assert_eq!(detail.get("requestID"), None);
    }
    assert_eq!(events[1]["detail"]["errorMessage"], "Failed authentication");
}

#[tokio::test]
async fn what_root_does_changes_the_account_and_is_recorded() {
    let (bench, queue) = bench().await;
    let console = root(&bench);
    let key = console.create_key().unwrap();
    console.create_key().unwrap();
    assert_eq!(console.create_key(), None, "a third one");
    let by_key = bench
        .world
        .root(member(), Actor::access_key("192.0.2.1", &key), NOW);
    assert!(by_key.deactivate_key(&key));
    bench.world.edit(member(), |it| {
        assert_eq!(it.root.inventory().keys.active, 1);
    });
    assert!(by_key.activate_key(&key));
    bench.world.edit(member(), |it| {
        assert_eq!(it.root.inventory().keys.active, 2);
    });
    assert!(by_key.delete_key(&key));
    assert!(!by_key.delete_key(&key), "it is gone");
    bench.world.edit(member(), |it| {
        assert_eq!(it.root.inventory().keys.present, 1);
    });
    console.deactivate_mfa();
    bench.world.edit(member(), |it| assert!(!it.root.mfa));
    console.enable_mfa();
    bench.world.edit(member(), |it| assert!(it.root.mfa));
    console.upload_certificate().unwrap();
    console.change_password();
    console.recover_password();
    console.change_email();
    console.call("ec2", "TerminateInstances", json!({"force": true}));
    console.fail_to_call("s3", "DeleteBucket", Value::Null, "AccessDenied");
    assert_eq!(
        names(&queue),
        [
            "CreateAccessKey",
            "CreateAccessKey",
            "UpdateAccessKey",
            "UpdateAccessKey",
            "DeleteAccessKey",
            "DeactivateMFADevice",
            "EnableMFADevice",
            "UploadSigningCertificate",
            "PasswordUpdated",
            "PasswordRecoveryCompleted",
            "EmailUpdated",
            "TerminateInstances",
            "DeleteBucket",
        ]
    );
    let events = events(&queue);
    let by_key = &events[2]["detail"];
    assert_eq!(by_key["userIdentity"]["accessKeyId"], key);
    assert_eq!(by_key["userIdentity"].get("sessionContext"), None);
    assert_eq!(by_key["requestParameters"]["status"], "Inactive");
    assert_eq!(events[3]["detail"]["requestParameters"]["status"], "Active");
    assert_eq!(
        events[8]["detail"]["responseElements"],
        json!({"PasswordUpdated": "Success"})
    );
    assert_eq!(events[11]["source"], "aws.ec2");
    assert_eq!(events[12]["detail"]["errorCode"], "AccessDenied");
}

#[tokio::test]
async fn what_a_test_edits_is_recorded_nowhere() {
    let (bench, _) = bench().await;
    bench
        .world
        .edit(member(), |account| account.root.create_key(NOW));
    assert_eq!(bench.world.trail_counts(), TrailCounts::default());
}

#[tokio::test]
async fn tampering_is_recorded_and_then_nothing_is() {
    let rule = |name: &str| format!("aws-root-exporter-{name}");
    let actor = Actor::console("203.0.113.9");
    for (tampering, service, root_goes_on, echo_goes_on) in [
        (Tampering::StopLogging, "cloudtrail", false, false),
        (Tampering::DeleteTrail, "cloudtrail", false, false),
        (Tampering::PutEventSelectors, "cloudtrail", false, false),
        (Tampering::UpdateTrail, "cloudtrail", true, true),
        (Tampering::DisableRule(rule("root")), "events", false, true),
        (Tampering::DeleteRule(rule("echo")), "events", true, false),
        (
            Tampering::RemoveTargets(rule("root")),
            "events",
            false,
            true,
        ),
        (Tampering::PutRule(rule("root")), "events", true, true),
    ] {
        let (bench, queue) = bench().await;
        let session = bench.role_session().await;
        bench
            .world
            .tamper(member(), "admin", &actor, &tampering, NOW);
        // Both rules report that one of them is put.
        let mut recorded = events(&queue);
        recorded.dedup();
        let [event] = &recorded[..] else {
            panic!("{tampering:?}: {:?}", names(&queue))
        };
        assert_eq!(event["source"], format!("aws.{service}"), "{tampering:?}");
        let identity = &event["detail"]["userIdentity"];
        assert_eq!(
            identity["sessionContext"]["sessionIssuer"]["userName"],
            "admin"
        );
        let matched = || bench.world.trail_counts().matched;
        root(&bench).sign_in();
        assert_eq!(matched(), 1 + u64::from(root_goes_on), "{tampering:?}");
        let before = matched();
        bench.with_agent(&session, AGENT, SUMMARY).await;
        assert_eq!(matched() - before, u64::from(echo_goes_on), "{tampering:?}");
        // Other accounts are not concerned.
        bench.with_agent(&outside(), AGENT, SUMMARY).await;
        let before = matched();
        bench.world.restart_delivery(member());
        root(&bench).tamper(&tampering);
        assert_eq!(matched(), before + 1, "{tampering:?}");
        let last = events(&queue).pop().unwrap();
        assert_eq!(last["detail"]["userIdentity"]["type"], "Root");
    }
}

#[tokio::test]
async fn changes_of_other_rules_cause_no_event_and_end_nothing() {
    let (bench, queue) = bench().await;
    let actor = Actor::console("203.0.113.9");
    let other = Tampering::DisableRule("another".to_owned());
    bench.world.tamper(member(), "admin", &actor, &other, NOW);
    assert_eq!(queue.counts().visible, 0);
    root(&bench).sign_in();
    assert_eq!(names(&queue), ["ConsoleLogin"]);
}

#[tokio::test]
async fn a_long_term_key_of_root_cannot_hide_behind_the_programs_name() {
    let (bench, queue) = bench().await;
    let actor = Actor::access_key("203.0.113.9", "AKIASIM").client(AGENT);
    let root = bench.world.root(member(), actor, NOW);
    root.call("iam", "ListAccessKeys", Value::Null);
    root.call("iam", "GetAccountSummary", Value::Null);
    // The summary matches both rules, and each of them sends it.
    let expected = ["ListAccessKeys", "GetAccountSummary", "GetAccountSummary"];
    assert_eq!(names(&queue), expected);
}

#[tokio::test]
async fn delivery_can_end_without_an_event() {
    let (bench, queue) = bench().await;
    bench.world.cut_delivery(member());
    root(&bench).sign_in();
    assert_eq!(queue.counts().visible, 0);
    bench.world.restart_delivery(member());
    root(&bench).sign_in();
    assert_eq!(queue.counts().visible, 1);
    bench.world.end_trail();
    root(&bench).sign_in();
    assert_eq!(queue.counts().visible, 1);
}

#[tokio::test]
async fn every_queue_gets_every_event() {
    let (bench, queue) = bench().await;
    let other = bench
        .world
        .create_queue("events-b", QueueSettings::default());
    bench.world.trail(Trail::to("events").and_to("events-b"));
    root(&bench).sign_in();
    assert_eq!(queue.bodies(), other.bodies());
    assert_eq!(queue.counts().visible, 1);
}

#[tokio::test]
#[should_panic(expected = "has no queue \"missing\"")]
async fn a_trail_to_a_queue_that_is_missing_is_a_mistake() {
    bench().await.0.world.trail(Trail::to("missing"));
}

/// How often each event of a thousand arrived, and what became of them.
fn fate(trail: Trail) -> (Vec<usize>, TrailCounts) {
    let world = World::generate(1, 1, NOW);
    let queue = world.create_queue("events", QueueSettings::default());
    world.trail(trail);
    for number in 0..1_000 {
        let actor = Actor::console(number.to_string());
        world.root(world.hub(), actor, NOW).sign_in();
    }
    let mut arrivals: BTreeMap<usize, usize> = (0..1_000).map(|number| (number, 0)).collect();
    for event in events(&queue) {
        let address = event["detail"]["sourceIPAddress"].as_str().unwrap();
        *arrivals.get_mut(&address.parse().unwrap()).unwrap() += 1;
    }
    (arrivals.into_values().collect(), world.trail_counts())
}

#[test]
fn the_seed_decides_which_events_are_lost_or_come_twice() {
    let trail = Trail::to("events").losing(0.1).duplicating(0.2);
    let (arrivals, counts) = fate(trail.clone().seeded(7));
    assert_eq!(fate(trail.clone().seeded(7)).0, arrivals);
    assert_ne!(fate(trail.seeded(8)).0, arrivals);
    let times = |times| arrivals.iter().filter(|it| **it == times).count();
    assert!((60..140).contains(&times(0)), "{}", times(0));
    assert!((130..230).contains(&times(2)), "{}", times(2));
    assert_eq!(times(0) + times(1) + times(2), 1_000);
    let expected = TrailCounts {
        matched: 1_000,
        lost: u64::try_from(times(0)).unwrap(),
        duplicated: u64::try_from(times(2)).unwrap(),
    };
    assert_eq!(counts, expected);
    assert_eq!(fate(Trail::to("events")).0, [1; 1_000]);
}

#[tokio::test]
async fn a_delayed_event_arrives_in_its_range_and_ends_a_long_poll() {
    let (bench, queue) = bench().await;
    let delay = Duration::from_millis(300);
    bench
        .world
        .trail(Trail::to("events").delayed(delay..=delay));
    let start = Instant::now();
    root(&bench).sign_in();
    assert_eq!(queue.counts().delayed, 1);
    let url = bench.simulator.queue_url("events");
    let body = json!({"QueueUrl": url, "WaitTimeSeconds": 20});
    let answer = bench.sqs("ReceiveMessage", body).await;
    let waited = start.elapsed();
    assert!(answer.body.contains("ConsoleLogin"), "{}", answer.body);
    assert!(
        waited >= delay && waited < Duration::from_secs(10),
        "{waited:?}"
    );
}

#[tokio::test]
async fn accounts_of_any_id_have_events() {
    let (bench, queue) = bench().await;
    bench
        .world
        .root(hub(), Actor::console("192.0.2.1"), NOW)
        .sign_in();
    assert_eq!(events(&queue)[0]["account"], "999000000001");
    let missing = id("000000000099");
    let world = bench.world.clone();
    let root = world.root(missing, Actor::console("192.0.2.1"), NOW);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| root.sign_in()));
    assert!(result.is_err());
}
