//! From CloudTrail's event to the alert: a simulated AWS, the daemon, and Prometheus with the rules of
//! `deploy/`. The account is polled every 15 minutes, so the events alone can be what alerts.

use std::time::{Duration, Instant};

use aws_simulator::{Actor, QueueSettings, RootUser, Trail};

use test_support::prometheus::Prometheus;
use test_support::simulated::{HUB, Simulated, account, id, listed, now};
use test_support::{PATIENCE, eventually, repository};

/// The accounts in which a key lives for less than a poll, and for some seconds.
const SHORT: u64 = 12_345_678_901;
const LONGER: u64 = 111_122_223_333;

const QUEUE: &str = "aws-root-exporter-0";

/// How long the second key lives at most; a busy machine gets most of it.
const LIFE: Duration = Duration::from_secs(30);

fn root(aws: &Simulated, account: u64) -> RootUser {
    let actor = Actor::console("198.51.100.7").with_mfa();
    aws.world.root(id(account), actor, now())
}

fn shows(prometheus: &Prometheus, query: &str, wanted: &str) -> Result<(), String> {
    let value = prometheus.value(query)?;
    (value == wanted)
        .then_some(())
        .ok_or_else(|| format!("{query} is {value}, not {wanted}"))
}

/// How many alerts of a name fire for an account, as a query.
fn firing(alert: &str, account: u64) -> String {
    let account = id(account);
    format!(
        "count(ALERTS{{alertname=\"{alert}\",account=\"{account}\",alertstate=\"firing\"}}) or vector(0)"
    )
}

#[test]
fn a_key_alerts_that_was_created_and_deleted_between_two_polls() {
    let aws = Simulated::with([account(SHORT, "payments"), account(LONGER, "other")]);
    let queue = aws.world.create_queue(QUEUE, QueueSettings::default());
    let delay = Duration::from_secs(1)..=Duration::from_secs(2);
    aws.world.trail(Trail::to(QUEUE).delayed(delay));
    let accounts = format!("{}name = \"payments\"\n{}", listed(SHORT), listed(LONGER));
    let hub = id(HUB);
    let daemon = aws
        .launch(&format!(
            "refresh.interval = \"15m\"
refresh.max_live_staleness = \"1h\"
events.queue_url = \"https://sqs.us-east-1.amazonaws.com/{hub}/{QUEUE}\"
{accounts}"
        ))
        .start();
    let rules = repository("deploy/prometheus");
    let rules = rules.display();
    let target = daemon.address;
    let prometheus = Prometheus::with(&format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}/aws-root-exporter.rules.yml, {rules}/aws-iam-users.rules.yml]
scrape_configs:
  - job_name: aws-root-exporter
    honor_labels: true
    static_configs: [{{targets: ['{target}']}}]
"
    ));
    eventually(PATIENCE, || {
        shows(&prometheus, "count(aws_root_access_keys_active == 0)", "2")
    });

    // It is gone before the event of it has arrived: no poll ever sees it.
    let user = root(&aws, SHORT);
    let key = user.create_key().expect("there is no key yet");
    assert!(user.delete_key(&key));
    let created = Instant::now();
    let key = root(&aws, LONGER)
        .create_key()
        .expect("there is no key yet");
    let of = |account: u64| format!("{{account=\"{}\"}}", id(account));
    let active = format!("aws_root_access_keys_active{}", of(LONGER));
    eventually(PATIENCE, || shows(&prometheus, &active, "1"));
    assert!(root(&aws, LONGER).delete_key(&key));
    assert!(created.elapsed() < LIFE, "{:?}", created.elapsed());

    for account in [SHORT, LONGER] {
        eventually(PATIENCE, || {
            shows(
                &prometheus,
                &firing("AWSRootAccessKeyCreated", account),
                "1",
            )
        });
    }
    let alerts = prometheus.ask("/api/v1/alerts");
    let alerts = alerts["alerts"].as_array().unwrap();
    let short = alerts.iter().find(|alert| {
        alert["labels"]["alertname"] == "AWSRootAccessKeyCreated"
            && alert["labels"]["account"] == id(SHORT).to_string()
    });
    let short = short.expect("it fires");
    assert_eq!(short["labels"]["severity"], "critical");
    let description = short["annotations"]["description"].as_str().unwrap();
    assert!(
        description.contains("012345678901 (payments)")
            && description.contains("had a root access key created at 20"),
        "{description}"
    );

    // Every message has been handled; the polls that follow the events have shown no key.
    eventually(PATIENCE, || {
        let counts = queue.counts();
        let is_empty = counts.visible + counts.in_flight + counts.delayed == 0;
        is_empty.then_some(()).ok_or_else(|| format!("{counts:?}"))
    });
    let highest = |account| {
        format!(
            "max_over_time(aws_root_access_keys_active{}[1h])",
            of(account)
        )
    };
    shows(&prometheus, &highest(SHORT), "0").unwrap();
    shows(&prometheus, &highest(LONGER), "1").unwrap();
    shows(&prometheus, &firing("AWSRootAccessKeyActive", SHORT), "0").unwrap();
    for account in [SHORT, LONGER] {
        shows(
            &prometheus,
            &firing("AWSRootAccessKeyCreated", account),
            "1",
        )
        .unwrap();
    }
}
