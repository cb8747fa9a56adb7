//! Push with moto as EventBridge, SQS and IAM: the patterns of `deploy/aws`, and events in CloudTrail's
//! shapes, which a script sends through boto3.
//!
//! moto has no CloudTrail, accepts the sources of AWS from everyone, and gives an event the account of
//! the bus that it arrives at, where AWS keeps that of the sender. So one account, the caller's, is the
//! one that is monitored and the exporter's, and both buses are in it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use test_support::daemon::{ANY_PORT, Daemon, Launch};
use test_support::program::{succeed, venv, yaml};
use test_support::recorded::{self, NOT_SENT};
use test_support::simulated::{credentials, now};
use test_support::{PATIENCE, eventually, listen, repository};

use crate::support::moto::{CALLER_ACCOUNT, Moto};
use crate::support::script;

const BUS: &str = "aws-root-exporter";

const ACTIVE: &str = "aws_root_access_keys_active";
const EVENTS_UP: &str = "aws_root_exporter_events_up";
const EVENTS: &str = "aws_root_exporter_events_total";
const ACTIVITY: &str = "aws_root_activity_last_timestamp_seconds";
const PUSH_UP: &str = "aws_account_push_up";
const INTERVAL: &str = "aws_account_poll_interval_seconds";

const ACCOUNT: (&str, &str) = ("account", CALLER_ACCOUNT);

/// Nobody waits for a regular poll after the first: any other is one that an event caused.
const RARE: &str = "\
refresh.interval = \"15m\"
refresh.max_live_staleness = \"1h\"
[events]
queue_url = \"https://sqs.us-east-1.amazonaws.com/123456789012/aws-root-exporter-{shard}\"
";

/// A poll every second, until push is verified.
const OFTEN: &str = "\
refresh.interval = \"1s\"
refresh.max_live_staleness = \"1h\"
[events]
queue_url = \"https://sqs.us-east-1.amazonaws.com/123456789012/aws-root-exporter-{shard}\"
";

/// How soon an account is polled after an event; a busy machine gets most of it.
const SOON: Duration = Duration::from_secs(10);

/// moto with a user root of these keys, and with the path of its events: the default bus, the rules of
/// an account, the exporter's bus, its rule, and a queue.
fn start() -> Moto {
    let moto = Moto::with_root_keys(&[(CALLER_ACCOUNT, &[])]);
    let member = yaml([repository("deploy/aws/events-member.stackset.yaml")]).remove(0);
    let hub = yaml([repository("deploy/aws/events-hub.yaml")]).remove(0);
    let rule = |properties: &Value, bus: &str, name: &str, target: String| {
        let (state, pattern) = (&properties["State"], &properties["EventPattern"]);
        assert!(pattern.is_object(), "{properties}");
        json!({"name": name, "bus": bus, "state": state, "pattern": pattern, "target": target})
    };
    let of_account = |name: &str| {
        let properties = &member["Resources"][name]["Properties"];
        let target = format!("arn:aws:events:us-east-1:{CALLER_ACCOUNT}:event-bus/{BUS}");
        rule(
            properties,
            "default",
            properties["Name"].as_str().unwrap(),
            target,
        )
    };
    let for_process = &hub["Resources"]["Fn::ForEach::Process"][2]["Rule&{Name}"]["Properties"];
    let queue = format!("arn:aws:sqs:us-east-1:{CALLER_ACCOUNT}:aws-root-exporter-0");
    let rules = [
        of_account("RootRule"),
        of_account("EchoRule"),
        rule(for_process, BUS, "aws-root-exporter-0", queue),
    ];
    script_with(&moto, "make", &json!(rules));
    moto
}

/// Runs the script that uses moto's queue.
fn run_script(moto: &Moto, command: &str, arguments: &[&str]) -> String {
    let mut python = Command::new(venv("python"));
    python.arg(script("moto_events.py")).arg(&moto.endpoint);
    succeed(python.arg(command).args(arguments))
}

fn script_with(moto: &Moto, command: &str, content: &Value) {
    let mut file = NamedTempFile::new().expect("a temporary file");
    let text = content.to_string();
    file.write_all(text.as_bytes()).expect("it is writable");
    run_script(moto, command, &[file.path().to_str().unwrap()]);
}

fn put(moto: &Moto, events: &[Value]) {
    script_with(moto, "put", &json!(events));
}

fn expect_empty(moto: &Moto) -> Result<(), String> {
    let count = run_script(moto, "count", &[]);
    let is_empty = count.trim() == "0";
    is_empty
        .then_some(())
        .ok_or_else(|| format!("{count} messages are in the queue"))
}

/// A recorded event, in the caller's account.
fn recorded(name: &str) -> Value {
    let text = recorded::text(name);
    let text = ["111122223333", "444455556666"]
        .iter()
        .fold(text, |text, account| text.replace(account, CALLER_ACCOUNT));
    serde_json::from_str(&text).unwrap()
}

/// A recorded event that happens at `at`, under an id of its own.
fn happening(name: &str, at: i64) -> Value {
    let mut event = recorded(name);
    let then = UNIX_EPOCH + Duration::from_secs(u64::try_from(at).unwrap());
    event["detail"]["eventTime"] = json!(humantime::format_rfc3339_seconds(then).to_string());
    event["detail"]["eventID"] = json!(format!("{name} at {at}"));
    event
}

/// CloudTrail's record of a poll whose response had this request id.
fn echo(request: &str) -> Value {
    let mut event = happening("exporter-get-account-summary-own-account", now());
    event["detail"]["requestID"] = json!(request);
    event
}

fn launch(moto: &Moto, config: &str) -> Daemon {
    let launch = Launch::new(&[ANY_PORT]).environment(moto.environment());
    let daemon = launch.config(config).start();
    daemon.scrape_until(|shown| {
        shown.expect(EVENTS_UP, &[], 1.0)?;
        shown.expect(ACTIVE, &[ACCOUNT], 0.0)
    });
    daemon
}

fn polls(moto: &Moto) -> usize {
    moto.count(CALLER_ACCOUNT, "GetAccountSummary")
}

/// Waits until that many messages of a kind have been counted.
fn wait_for(daemon: &Daemon, kind: &str, count: f64) {
    daemon.scrape_until(|shown| shown.expect(EVENTS, &[("kind", kind)], count));
}

#[test]
fn moto_sends_the_events_that_the_patterns_are_meant_for() {
    let moto = start();
    let names = recorded::names();
    let events: Vec<Value> = names.iter().map(|name| happening(name, now())).collect();

    put(&moto, &events);

    let bodies: Vec<String> = serde_json::from_str(&run_script(&moto, "receive", &[])).unwrap();
    let sent: BTreeSet<String> = bodies
        .iter()
        .map(|body| {
            let event: Value = serde_json::from_str(body).unwrap();
            let id = event["detail"]["eventID"].as_str().unwrap();
            id.split(' ').next().unwrap().to_owned()
        })
        .collect();
    let kept: BTreeSet<&str> = names.difference(&sent).map(String::as_str).collect();
    assert_eq!(kept, BTreeSet::from(NOT_SENT));
    assert!(sent.len() > 40, "{sent:?}");
}

#[test]
fn what_root_does_is_exported_and_the_account_is_polled_at_once() {
    let moto = start();
    let daemon = launch(&moto, RARE);
    let polls_before = polls(&moto);
    assert_eq!(polls_before, 1, "the interval is 15 minutes");
    let at = now();

    put(&moto, &[happening("root-create-access-key-console", at)]);
    let put_at = Instant::now();

    eventually(SOON, || {
        let polls = polls(&moto);
        (polls > polls_before)
            .then_some(())
            .ok_or_else(|| format!("{polls} polls"))
    });
    assert!(put_at.elapsed() < SOON, "{:?}", put_at.elapsed());
    let created = [ACCOUNT, ("event", "CreateAccessKey")];
    #[expect(
        clippy::cast_precision_loss,
        reason = "a time of this century is exact"
    )]
    let at = at as f64;
    let shown = daemon.scrape_until(|shown| shown.expect(ACTIVITY, &created, at));
    // moto's root user has no key, and no event says how many there are.
    assert_eq!(shown.value(ACTIVE, &[ACCOUNT]), Some(0.0));
    assert_eq!(shown.value(EVENTS, &[("kind", "root")]), Some(1.0));
    eventually(PATIENCE, || expect_empty(&moto));
}

#[test]
fn whatever_is_in_the_queue_is_counted_and_deleted() {
    let moto = start();
    let daemon = launch(&moto, RARE);
    let of_other = recorded("root-console-login");
    let mut contradicting = of_other.clone();
    contradicting["account"] = json!("999988887777");
    let garbage = json!([
        "not JSON",
        "{}",
        "[1, 2]",
        "\u{1f511}",
        "x".repeat(200_000),
        recorded("custom-source-create-access-key").to_string(),
        contradicting.to_string(),
    ]);

    script_with(&moto, "send", &garbage);
    put(
        &moto,
        &[
            happening("trail-stop-logging", now()),
            happening("root-console-login", now()),
        ],
    );

    wait_for(&daemon, "malformed", 7.0);
    wait_for(&daemon, "root", 1.0);
    wait_for(&daemon, "tampering", 1.0);
    let shown = daemon.scrape();
    assert_eq!(shown.all(ACTIVITY, &[]).len(), 1, "the console login alone");
    assert_eq!(shown.value(EVENTS_UP, &[]), Some(1.0));
    eventually(PATIENCE, || expect_empty(&moto));
    let complaint = "a message is no event of CloudTrail";
    let lines = daemon.process.lines();
    let complaints = lines.iter().filter(|line| line.contains(complaint));
    assert_eq!(complaints.count(), 1, "once a minute: {lines:#?}");
}

#[test]
fn only_an_event_with_the_request_id_of_a_poll_verifies_push() {
    let moto = start();
    let daemon = launch(&moto, OFTEN);
    let ids = moto.request_ids(CALLER_ACCOUNT, "GetAccountSummary");
    let first = ids.first().expect("a poll was answered");
    // The id of a response to another: the shape is right, and no poll of ours has it.
    let mut forged: Vec<char> = first.chars().collect();
    forged.reverse();
    let forged = forged.into_iter().collect::<String>();
    assert_ne!(&forged, first);

    put(&moto, &[echo(&forged)]);
    wait_for(&daemon, "ignored", 1.0);
    let shown = daemon.scrape();
    assert_eq!(shown.value(PUSH_UP, &[ACCOUNT]), None, "never verified");
    assert_eq!(shown.value(INTERVAL, &[ACCOUNT]), Some(1.0));

    put(&moto, &[echo(first)]);
    wait_for(&daemon, "echo", 1.0);
    let shown = daemon.scrape_until(|shown| {
        shown.expect(PUSH_UP, &[ACCOUNT], 1.0)?;
        shown.expect(INTERVAL, &[ACCOUNT], 900.0)
    });
    let delays = "aws_root_exporter_event_delay_seconds_count";
    assert_eq!(shown.value(delays, &[]), Some(1.0));

    // Delivered twice, it says nothing new.
    put(&moto, &[echo(first)]);
    wait_for(&daemon, "ignored", 2.0);
    assert_eq!(
        daemon.scrape().value(EVENTS, &[("kind", "echo")]),
        Some(1.0)
    );
    eventually(PATIENCE, || expect_empty(&moto));
}

#[test]
fn the_daemon_only_receives_and_deletes() {
    let moto = start();
    let daemon = launch(&moto, RARE);
    put(&moto, &[happening("root-console-login", now())]);
    wait_for(&daemon, "root", 1.0);
    eventually(PATIENCE, || expect_empty(&moto));
    drop(daemon);

    let called: BTreeSet<String> = moto.queue_operations().into_iter().collect();
    let wanted = ["ReceiveMessage", "DeleteMessageBatch"].map(str::to_owned);
    assert_eq!(called, BTreeSet::from(wanted));
}

#[test]
fn the_online_check_asks_about_the_queue_and_takes_no_message() {
    let moto = start();
    script_with(&moto, "send", &json!(["one", "two"]));

    Launch::new(&["--config.check", "--online"])
        .environment(moto.environment())
        .config(RARE)
        .finish()
        .exits(0)
        .says("aws-root-exporter-0: readable, about 2 messages");

    assert_eq!(moto.queue_operations(), ["GetQueueAttributes"]);
}

#[test]
fn the_policy_of_the_hub_permits_what_the_daemon_does_with_its_queue_and_no_other() {
    let config = format!("{RARE}[[accounts]]\nid = \"{CALLER_ACCOUNT}\"\n");
    let printed = Launch::new(&["policy", "hub"]).config(&config).finish();
    let printed = printed.exits(0).out;
    let message = recorded("root-console-login").to_string();
    let queues: [(&str, &[&str]); 2] = [
        ("aws-root-exporter-0", &[&message]),
        ("aws-root-exporter-1", &[]),
    ];
    let moto = Moto::with_caller(&printed, &queues);
    let check = |config: &str| {
        Launch::new(&["--config.check", "--online"])
            .environment(moto.environment())
            .config(config)
            .finish()
    };
    check(&config).says("aws-root-exporter-0: readable, about 1 messages");
    let of_other = config.replace("{shard}", "1");
    check(&of_other).says("aws-root-exporter-1 cannot be read: access_denied");

    let daemon = Launch::new(&[ANY_PORT])
        .environment(moto.environment())
        .config(&config)
        .start();
    daemon.scrape_until(|shown| {
        shown.expect(EVENTS_UP, &[], 1.0)?;
        shown.expect(EVENTS, &[("kind", "root")], 1.0)?;
        let deleted = [("operation", "DeleteMessageBatch"), ("outcome", "success")];
        match shown.value("aws_root_exporter_aws_requests_total", &deleted) {
            Some(count) if count >= 1.0 => Ok(()),
            count => Err(format!("deleted {count:?} times")),
        }
    });
}

#[test]
fn the_variable_of_sqs_leads_to_the_queue_alone() {
    let moto = start();
    let nowhere = listen().local_addr().unwrap();
    let daemon = Launch::new(&[ANY_PORT])
        .environment(credentials("testing", "testing"))
        .environment([
            ("AWS_ENDPOINT_URL", format!("http://{nowhere}")),
            ("AWS_ENDPOINT_URL_SQS", moto.endpoint.clone()),
        ])
        .config(&format!("{RARE}[[accounts]]\nid = \"{CALLER_ACCOUNT}\"\n"))
        .start();
    put(&moto, &[happening("root-console-login", now())]);

    let shown = daemon.scrape_until(|shown| {
        shown.expect(EVENTS_UP, &[], 1.0)?;
        shown.expect(EVENTS, &[("kind", "root")], 1.0)
    });

    assert_eq!(shown.value(ACTIVE, &[ACCOUNT]), None, "IAM is nowhere");
    assert_eq!(shown.all(ACTIVITY, &[ACCOUNT]).len(), 1);
    assert_eq!(polls(&moto), 0);
    eventually(PATIENCE, || expect_empty(&moto));
}
