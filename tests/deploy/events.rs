//! The templates of push: which events of an account reach the exporter, and who may send them.
//!
//! `tests/deploy/events` has CloudTrail events as `EventBridge` delivers them, in the shapes of AWS's
//! documentation.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use test_support::program::yaml;
use test_support::recorded::{self, NOT_SENT};
use test_support::repository;

use super::cloudformation::Stack;
use super::pattern::{self, matches};

const HUB: &str = "deploy/aws/events-hub.yaml";
const MEMBER: &str = "deploy/aws/events-member.stackset.yaml";

const BUS: &str = "arn:aws:events:us-east-1:444455556666:event-bus/aws-root-exporter";

/// Without it `EventBridge` drops events about calls that only read.
const ALL: &str = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS";

/// The calls that the exporter makes in its root sessions.
const AUDIT: [&str; 6] = [
    "GetAccessKeyLastUsed",
    "GetAccountSummary",
    "GetLoginProfile",
    "ListAccessKeys",
    "ListMFADevices",
    "ListSigningCertificates",
];

const OURS: &str = "aws-sdk-rust/1.7.0 ua/2.1 os/linux app/aws-root-exporter";

/// Events that the rule aws-root-exporter-root sends, and no other.
const ROOT: [&str; 38] = [
    "root-console-login",
    "root-console-login-failure",
    "root-console-login-without-mfa",
    "root-create-access-key-as-exporter",
    "root-create-access-key-by-key",
    "root-create-access-key-console",
    "root-create-access-key-denied",
    "root-create-access-key-for-user",
    "root-create-access-key-invoked-by",
    "root-deactivate-mfa-device",
    "root-delete-access-key",
    "root-email-updated",
    "root-enable-mfa-device",
    "root-get-account-summary-console",
    "root-list-users",
    "root-password-recovery-completed",
    "root-password-updated",
    "root-run-instances-other-region",
    "root-s3-get-object",
    "root-session-create-login-profile",
    "root-session-delete-access-key",
    "root-session-list-access-keys-by-cli",
    "root-update-access-key-active",
    "root-update-access-key-inactive",
    "root-upload-signing-certificate",
    "rule-delete-rule",
    "rule-disable-rule",
    "rule-disable-rule-denied",
    "rule-put-rule",
    "rule-put-targets",
    "rule-remove-targets",
    "trail-delete-trail",
    "trail-put-event-selectors",
    "trail-stop-logging",
    "trail-stop-logging-by-root",
    "trail-stop-logging-denied",
    "trail-update-trail",
    "root-get-account-summary-by-key-as-exporter",
];

/// Events that the rule aws-root-exporter-echo sends.
const ECHO: [&str; 10] = [
    "exporter-get-account-summary",
    "exporter-get-account-summary-govcloud",
    "exporter-get-account-summary-own-account",
    "root-session-get-account-summary",
    // Also root activity: the exporter has no such key.
    "root-get-account-summary-by-key-as-exporter",
    "rule-disable-rule",
    "rule-disable-rule-denied",
    "rule-put-rule",
    "rule-put-targets",
    "rule-remove-targets",
];

fn template(path: &str) -> Value {
    yaml([repository(path)]).remove(0)
}

fn member() -> Stack {
    Stack::new(&template(MEMBER), [("BusArn", BUS)])
}

fn hub(queues: &str) -> Stack {
    let given = [("OrganizationId", "o-a1b2c3d4e5"), ("Queues", queues)];
    Stack::new(&template(HUB), given)
}

/// The recorded events, by the name of the file.
fn events() -> BTreeMap<String, Value> {
    let event = |name: &String| serde_json::from_str(&recorded::text(name)).unwrap();
    let names = recorded::names().into_iter();
    names.map(|name| (name.clone(), event(&name))).collect()
}

fn is_root(event: &Value) -> bool {
    event["detail"]["userIdentity"]["type"] == "Root"
}

#[test]
fn each_event_is_sent_by_the_rules_that_want_it() {
    let member = member();
    let names = |rule: &str| -> BTreeSet<String> {
        let pattern = member.property(rule, "EventPattern");
        let sent = events().into_iter();
        let sent = sent.filter(|(_, event)| matches(&pattern, event));
        sent.map(|(name, _)| name).collect()
    };
    let set = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    assert_eq!(names("RootRule"), set(&ROOT));
    assert_eq!(names("EchoRule"), set(&ECHO));
    let known = recorded::names();
    let listed = [&ROOT[..], &ECHO[..], &NOT_SENT[..]].concat();
    assert_eq!(known, set(&listed), "each file is in one of the lists");
}

#[test]
fn a_user_agent_hides_the_six_audit_calls_of_a_session_and_nothing_else() {
    let pattern = member().property("RootRule", "EventPattern");
    let mut count = 0;
    for (name, event) in events() {
        if !is_root(&event) || event["source"] == "example.iam" {
            continue;
        }
        let mut claimed = event.clone();
        claimed["detail"]["userAgent"] = json!(OURS);
        claimed["detail"]["userIdentity"]["accessKeyId"] = json!("ASIAIOSFODNN7EXAMPLE");
        let audits = AUDIT
            .iter()
            .any(|call| claimed["detail"]["eventName"] == *call);
        assert_eq!(matches(&pattern, &claimed), !audits, "{name}");
        // A key that lasts is never one of the exporter's.
        claimed["detail"]["userIdentity"]["accessKeyId"] = json!("AKIAIOSFODNN7EXAMPLE");
        assert!(matches(&pattern, &claimed), "{name} by a key of root");
        for (parent, field) in [
            ("/detail", "userAgent"),
            ("/detail/userIdentity", "accessKeyId"),
        ] {
            let mut reduced = event.clone();
            let parent = reduced
                .pointer_mut(parent)
                .unwrap()
                .as_object_mut()
                .unwrap();
            parent.remove(field);
            assert!(matches(&pattern, &reduced), "{name} without {field}");
        }
        count += 1;
    }
    assert!(count > 30, "only {count} events of root were found");
}

#[test]
fn the_hub_delivers_what_the_accounts_send_and_nothing_of_an_application() {
    let (member, hub) = (member(), hub("0"));
    let deliver = hub.property("Rule0", "EventPattern");
    let send = ["RootRule", "EchoRule"].map(|rule| member.property(rule, "EventPattern"));
    for (name, event) in events() {
        if send.iter().any(|pattern| matches(pattern, &event)) {
            assert!(matches(&deliver, &event), "{name}");
        }
    }
    let forged = &events()["custom-source-create-access-key"];
    assert!(!matches(&deliver, forged));
}

#[test]
fn eventbridge_accepts_the_patterns() {
    let (member, hub) = (member(), hub("0"));
    for pattern in [
        member.property("RootRule", "EventPattern"),
        member.property("EchoRule", "EventPattern"),
        hub.property("Rule0", "EventPattern"),
    ] {
        let length = pattern.to_string().len();
        assert!(length <= pattern::LENGTH, "{length} characters: {pattern}");
        let combinations = pattern::combinations(&pattern);
        assert!(combinations <= pattern::COMBINATIONS, "{combinations}");
        // AWS spells it in more than one way.
        assert!(pattern.get("detail-type").is_none());
    }
}

#[test]
fn every_rule_on_the_way_passes_calls_that_only_read() {
    for (stack, count) in [(member(), 2), (hub("0,1,0-b"), 3)] {
        let rules = stack.resources("AWS::Events::Rule");
        assert_eq!(rules.len(), count);
        for rule in rules {
            assert_eq!(stack.property(rule, "State"), ALL, "{rule}");
            let name = stack.property(rule, "Name");
            // By this the exporter knows its own rules.
            assert!(name.as_str().unwrap().starts_with("aws-root-exporter-"));
        }
    }
}

#[test]
fn an_account_may_send_to_the_bus_and_do_nothing_else() {
    let member = member();
    assert_eq!(
        member.property("SendRole", "AssumeRolePolicyDocument")["Statement"],
        json!([{
            "Sid": "EventBridge",
            "Effect": "Allow",
            "Principal": { "Service": "events.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }])
    );
    assert_eq!(
        member.property("SendRole", "Policies"),
        json!([{
            "PolicyName": "aws-root-exporter",
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Sid": "SendEvents",
                    "Effect": "Allow",
                    "Action": "events:PutEvents",
                    "Resource": BUS,
                }],
            },
        }])
    );
    // The bus admits accounts of an organization only if they name a role.
    let role = json!({ "Fn::GetAtt": ["SendRole", "Arn"] });
    for rule in ["RootRule", "EchoRule"] {
        assert_eq!(
            member.property(rule, "Targets"),
            json!([{ "Id": "hub", "Arn": BUS, "RoleArn": role }])
        );
    }
    // The role has a name for each Region, so that stacks of several Regions can exist.
    let name = member.property("SendRole", "RoleName");
    assert_eq!(name, "aws-root-exporter-events-us-east-1");
}

#[test]
fn the_bus_admits_the_organization_or_nobody() {
    let with = hub("0");
    assert_eq!(
        with.property("BusPolicy", "Statement"),
        json!({
            "Sid": "AccountsOfTheOrganization",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "events:PutEvents",
            "Resource": { "Fn::GetAtt": ["Bus", "Arn"] },
            "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } },
        })
    );
    let policies = |stack: &Stack| stack.resources("AWS::Events::EventBusPolicy").len();
    assert_eq!(policies(&with), 1);
    assert_eq!(policies(&Stack::new(&template(HUB), [])), 0);
}

#[test]
fn every_process_has_a_queue_that_its_rule_alone_can_send_to() {
    let hub = hub("0,1,0-b,1-b");
    let attribute = |name: &str, attribute: &str| json!({ "Fn::GetAtt": [name, attribute] });
    for (id, end) in [("0", "0"), ("1", "1"), ("0b", "0-b"), ("1b", "1-b")] {
        let (queue, rule) = (&format!("Queue{id}"), &format!("Rule{id}"));
        let name = format!("aws-root-exporter-{end}");
        assert_eq!(hub.property(queue, "QueueName"), json!(name));
        assert_eq!(hub.property(queue, "SqsManagedSseEnabled"), true);
        assert_eq!(hub.property(queue, "MessageRetentionPeriod"), 4 * 24 * 3600);
        assert_eq!(hub.property(queue, "VisibilityTimeout"), 60);
        assert_eq!(
            hub.property(queue, "RedrivePolicy")["deadLetterTargetArn"],
            attribute("DeadLetters", "Arn")
        );
        assert_eq!(hub.property(rule, "Name"), json!(name));
        assert_eq!(hub.property(rule, "EventBusName"), json!({ "Ref": "Bus" }));
        let target = json!([{ "Id": "queue", "Arn": attribute(queue, "Arn") }]);
        assert_eq!(hub.property(rule, "Targets"), target);
        let policy = &format!("Policy{id}");
        let queues = json!([attribute(queue, "QueueUrl")]);
        assert_eq!(hub.property(policy, "Queues"), queues);
        assert_eq!(
            hub.property(policy, "PolicyDocument")["Statement"],
            json!([{
                "Sid": "EventsOfTheRule",
                "Effect": "Allow",
                "Principal": { "Service": "events.amazonaws.com" },
                "Action": "sqs:SendMessage",
                "Resource": attribute(queue, "Arn"),
                "Condition": { "ArnEquals": { "aws:SourceArn": attribute(rule, "Arn") } },
            }])
        );
        assert_eq!(
            hub.output(&format!("QueueArn{id}")),
            attribute(queue, "Arn")
        );
    }
    // The four, and the dead letters.
    assert_eq!(hub.resources("AWS::SQS::Queue").len(), 5);
    assert_eq!(hub.resources("AWS::SQS::QueuePolicy").len(), 4);
}

#[test]
fn the_printed_queue_url_is_a_setting_for_every_shard() {
    let hub = hub("0");
    assert_eq!(
        hub.output("QueueUrl"),
        "https://sqs.us-east-1.amazonaws.com/999988887777/aws-root-exporter-{shard}"
    );
    assert_eq!(
        hub.output("BusArn"),
        json!({ "Fn::GetAtt": ["Bus", "Arn"] })
    );
    let names = template(MEMBER)["Parameters"]["BusArn"]["AllowedPattern"].to_string();
    assert!(names.contains("event-bus/aws-root-exporter$"), "{names}");
    assert_eq!(hub.property("Bus", "Name"), "aws-root-exporter");
}

#[test]
fn the_events_are_such_as_eventbridge_delivers() {
    for (name, event) in events() {
        assert_eq!(event["version"], "0", "{name}");
        let detail = &event["detail"];
        let Some(service) = detail["eventSource"].as_str() else {
            continue;
        };
        assert_eq!(event["account"], detail["recipientAccountId"], "{name}");
        assert_eq!(event["region"], detail["awsRegion"], "{name}");
        assert_eq!(event["time"], detail["eventTime"], "{name}");
        if !name.starts_with("custom-source") {
            let source = format!("aws.{}", service.trim_end_matches(".amazonaws.com"));
            assert_eq!(event["source"], source, "{name}");
        }
    }
}
