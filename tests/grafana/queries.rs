//! Runs each query of the dashboard on a real Prometheus that scrapes the demo.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use test_support::daemon::{ANY_PORT, Daemon, Launch};
use test_support::prometheus::{Prometheus, in_query};
use test_support::server::Server;
use test_support::simulated::{environment, role};
use test_support::{PATIENCE, eventually};

use crate::dashboard::{Dashboard, Panel, Target};

/// The demo creates a root key within a minute of its start; a busy machine gets half a minute more.
const KEY_APPEARS: Duration = Duration::from_secs(90);

/// The panels without data on a demo where no source fails.
const EMPTY_ON_THE_DEMO: [&str; 1] = ["Sources that fail now"];

/// The row whose panels may be without data on the demo: most of them need a queue of events.
const PUSH: &str = "Push";

/// The scrape job of the tests.
const JOB: &str = "aws-root-exporter";

fn demo() -> Daemon {
    // Too few for a demo of every state: all is well but for the key that appears.
    Launch::new(&["demo", "--accounts", "11", ANY_PORT]).start()
}

/// The chosen values of the variables.
struct Chosen<'a> {
    job: &'a str,
    account: &'a str,
    instance: &'a str,
}

/// The values when the dashboard is opened: Grafana inserts the variables' `allValue`.
const ALL: Chosen = Chosen {
    job: ".+",
    account: ".+",
    instance: ".+",
};

impl Chosen<'_> {
    /// The query as Grafana sends it.
    fn fill(&self, query: &str) -> String {
        let filled = query
            .replace("$__rate_interval", "15s")
            .replace("$__interval", "60s")
            .replace("$job", self.job)
            .replace("$account", self.account)
            .replace("$instance", self.instance);
        // `"$1"` belongs to label_replace.
        let left: Vec<_> = filled
            .match_indices('$')
            .filter(|(at, _)| !filled[*at..].starts_with("$1\""))
            .collect();
        assert!(left.is_empty(), "a variable remains: {filled}");
        filled
    }

    /// The series of a target: now, or over the last five minutes.
    fn run(&self, prometheus: &Prometheus, target: &Target) -> Vec<Value> {
        let query = in_query(&self.fill(&target.expr));
        let path = if target.instant {
            format!("/api/v1/query?query={query}")
        } else {
            let now: f64 = prometheus.value("vector(time())").unwrap().parse().unwrap();
            format!(
                "/api/v1/query_range?query={query}&start={}&end={now}&step=5",
                now - 300.0
            )
        };
        let data = prometheus.ask(&path);
        data["result"].as_array().expect("series").clone()
    }
}

/// The newest value of a series of an instant or a range query.
fn newest(series: &Value) -> f64 {
    let sample = match &series["values"] {
        Value::Array(values) => values.last().expect("a series has a sample"),
        _ => &series["value"],
    };
    sample[1].as_str().unwrap().parse().unwrap()
}

/// Waits until Prometheus has the demo's root key, and returns its account.
fn account_with_key(prometheus: &Prometheus) -> String {
    eventually(KEY_APPEARS, || {
        let seen = prometheus.query("max_over_time(aws_root_access_keys_active[5m]) == 1");
        let (labels, _) = seen.first().ok_or("no root key appears")?;
        Ok(labels["account"]
            .as_str()
            .expect("the label account")
            .to_owned())
    })
}

fn panel<'a>(dashboard: &'a Dashboard, title: &str) -> (&'a Panel, &'a Target) {
    let panel = dashboard.panel(title);
    (panel, &panel.targets[0])
}

#[test]
fn every_query_has_data_on_the_demo() {
    let demo = demo();
    let prometheus = Prometheus::scraping(demo.address);
    let account = account_with_key(&prometheus);
    let dashboard = Dashboard::read();

    // Rates need two scrapes, and histograms a call between them.
    let empty: Vec<_> = eventually(PATIENCE, || {
        let without: Vec<_> = dashboard
            .targets()
            .filter(|(_, target)| {
                let series = ALL.run(&prometheus, target);
                !series.iter().any(|series| newest(series).is_finite())
            })
            .map(|(panel, target)| (&panel.title[..], &target.ref_id[..]))
            .collect();
        let expected = without
            .iter()
            .all(|(title, _)| EMPTY_ON_THE_DEMO.contains(title));
        expected
            .then_some(without.clone())
            .ok_or_else(|| format!("no data for {without:?}"))
    });
    assert!(empty.len() <= 2, "{empty:?}");
    for title in EMPTY_ON_THE_DEMO {
        let panel = dashboard.panel(title);
        assert!(
            panel.no_value().contains("every one worked"),
            "{title}: the text for no data"
        );
    }

    let (_, needing) = panel(&dashboard, "Accounts that need action");
    let rows = ALL.run(&prometheus, needing);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["metric"]["account"], account.as_str());
    assert_eq!(rows[0]["metric"]["account_name"], "payments-production");
    let columns = &dashboard.panel("Accounts that need action").targets;
    assert!(
        columns
            .iter()
            .all(|column| ALL.run(&prometheus, column).len() == 1)
    );

    // One account is chosen: queries about accounts return that one only.
    let one = Chosen {
        account: &account,
        ..ALL
    };
    let (_, monitored) = panel(&dashboard, "Accounts monitored");
    assert_eq!(
        one.run(&prometheus, monitored)
            .iter()
            .map(newest)
            .collect::<Vec<_>>(),
        [1.0]
    );
    // No existing account is chosen: there is no value, so that no zero is mistaken for good news.
    let none = Chosen {
        account: "888888888888",
        ..ALL
    };
    for panel in dashboard.panels.iter().filter(|panel| panel.kind == "stat") {
        let series = none.run(&prometheus, &panel.targets[0]);
        assert!(series.is_empty(), "{}: {series:?}", panel.title);
    }
}

#[test]
fn two_replicas_that_differ_count_each_account_once() {
    // The same organization twice; the second has another name for every account.
    let [one, two] = [demo(), demo()];
    let (one, two) = (one.address, two.address);
    let prometheus = Prometheus::configured(&format!(
        "  - job_name: {JOB}
    static_configs:
      - targets: ['{one}']
  - job_name: renamed
    static_configs:
      - targets: ['{two}']
    metric_relabel_configs:
      - source_labels: [account_name]
        regex: (.+)
        target_label: account_name
        replacement: new-$1
"
    ));
    account_with_key(&prometheus);
    let dashboard = Dashboard::read();

    eventually(PATIENCE, || {
        let up = prometheus.value("count(count by (job) (aws_account_info))")?;
        (up == "2").then_some(()).ok_or(up)
    });
    for (title, expected) in [
        ("Accounts monitored", 11.0),
        ("Accounts unknown", 0.0),
        ("IAM users", 29.0),
    ] {
        let (_, target) = panel(&dashboard, title);
        let values: Vec<_> = ALL.run(&prometheus, target).iter().map(newest).collect();
        assert_eq!(values, [expected], "{title}");
    }
    // Prometheus rejects a query whose join finds two names for an account.
    for (panel, target) in dashboard.targets() {
        let series = ALL.run(&prometheus, target);
        let accounts = series
            .iter()
            .map(|s| s["metric"].clone())
            .filter(|m| m["account"].is_string());
        let mut rows = BTreeMap::new();
        for mut labels in accounts {
            let name = labels.as_object_mut().unwrap().remove("account_name");
            let before = rows.insert(labels.to_string(), name);
            // A name may change during a range, but is unique at one time.
            assert!(
                before.is_none() || !target.instant,
                "{}: {labels} twice",
                panel.title
            );
        }
    }
}

#[test]
fn push_is_shown_by_account_and_the_worse_of_two_replicas_counts() {
    // One account with push, one whose push is down in the second replica, one that never had it.
    let replica = |up: u8, interval: u32, signed_in: u32, queue: u8| {
        let scrapes = AtomicU32::new(0);
        Server::start(move |_| {
            let scrape = scrapes.fetch_add(1, Ordering::Relaxed);
            let metrics = format!(
                "aws_account_info{{account=\"000000000001\",account_name=\"payments\",partition=\"aws\"}} 1
aws_account_info{{account=\"000000000002\",account_name=\"search\",partition=\"aws\"}} 1
aws_account_info{{account=\"000000000003\",account_name=\"\",partition=\"aws\"}} 1
aws_account_push_up{{account=\"000000000001\"}} 1
aws_account_push_up{{account=\"000000000002\"}} {up}
aws_account_poll_interval_seconds{{account=\"000000000001\"}} 900
aws_account_poll_interval_seconds{{account=\"000000000002\"}} {interval}
aws_account_poll_interval_seconds{{account=\"000000000003\"}} 60
aws_root_exporter_refresh_interval_seconds 60
aws_root_activity_last_timestamp_seconds{{account=\"000000000001\",event=\"CreateAccessKey\"}} 1000
aws_root_activity_last_timestamp_seconds{{account=\"000000000003\",event=\"ConsoleLogin\"}} {signed_in}
aws_root_exporter_events_up {queue}
# TYPE aws_root_exporter_events_total counter
aws_root_exporter_events_total{{kind=\"echo\"}} {scrape}
# TYPE aws_root_exporter_event_delay_seconds histogram
aws_root_exporter_event_delay_seconds_bucket{{le=\"5\"}} {scrape}
aws_root_exporter_event_delay_seconds_bucket{{le=\"+Inf\"}} {scrape}
aws_root_exporter_event_delay_seconds_sum {scrape}
aws_root_exporter_event_delay_seconds_count {scrape}
"
            );
            (200, metrics)
        })
    };
    let one = replica(1, 900, 2000, 1);
    let two = replica(0, 60, 3000, 0);
    let prometheus = Prometheus::configured(&format!(
        "  - job_name: {JOB}\n    static_configs:\n      - targets: ['{}', '{}']\n",
        one.address, two.address
    ));
    let dashboard = Dashboard::read();
    let run = |panel: &Panel| -> Vec<Vec<Value>> {
        let targets = panel.targets.iter();
        targets.map(|target| ALL.run(&prometheus, target)).collect()
    };

    eventually(PATIENCE, || {
        let up = prometheus.value("count(aws_root_exporter_events_up)")?;
        let both = up == "2";
        let empty: Vec<_> = dashboard
            .row(PUSH)
            .panels
            .iter()
            .filter(|panel| {
                let is_shown = |series: &Vec<Value>| series.iter().any(|s| newest(s).is_finite());
                !run(panel).iter().all(is_shown)
            })
            .map(|panel| &panel.title)
            .collect();
        (both && empty.is_empty())
            .then_some(())
            .ok_or_else(|| format!("{up} replicas, no data for {empty:?}"))
    });
    let values = |title: &str| {
        let series = run(dashboard.panel(title)).remove(0);
        series.iter().map(newest).collect::<Vec<_>>()
    };
    assert_eq!(values("Accounts with verified push"), [1.0]);
    assert_eq!(values("Accounts whose push is down"), [1.0]);
    assert_eq!(values("Accounts never with push"), [1.0]);
    assert_eq!(values("Accounts at the relaxed interval"), [1.0]);
    let mut intervals = values("Accounts by polling interval");
    intervals.sort_by(f64::total_cmp);
    assert_eq!(intervals, [1.0, 2.0]);
    let mut activity: Vec<_> = run(dashboard.panel("Latest activity of root"))[0]
        .iter()
        .map(|row| {
            let labels = &row["metric"];
            let text = |label: &str| labels[label].as_str().unwrap().to_owned();
            (newest(row), text("account_name"), text("event"))
        })
        .collect();
    activity.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert_eq!(
        activity,
        [
            (1e6, "payments".to_owned(), "CreateAccessKey".to_owned()),
            // In milliseconds, as Grafana takes times; an account without a name has its id.
            (3e6, "000000000003".to_owned(), "ConsoleLogin".to_owned()),
        ]
    );
}

#[test]
fn an_exporter_that_cannot_read_aws_is_visible() {
    // Two accounts, one without a name; AWS cannot be reached.
    let unreachable = environment("http://127.0.0.1:9", "testing", "testing");
    let accounts = ["111122223333", "444455556666"];
    let config = format!(
        "[refresh]\ninterval = \"1s\"\n[[accounts]]\nid = \"{}\"\nname = \"payments\"\nrole_arn = \"{}\"\n[[accounts]]\nid = \"{}\"\nrole_arn = \"{}\"\n",
        accounts[0],
        role(accounts[0]),
        accounts[1],
        role(accounts[1]),
    );
    let daemon = Launch::new(&[ANY_PORT])
        .environment(unreachable)
        .config(&config)
        .start();
    let prometheus = Prometheus::scraping(daemon.address);
    let dashboard = Dashboard::read();
    let ask = |title: &str| -> Vec<Vec<Value>> {
        let targets = dashboard.panel(title).targets.iter();
        targets.map(|target| ALL.run(&prometheus, target)).collect()
    };

    // Both queries of the table: the failing sources with their last success, and the reasons.
    let failing = eventually(PATIENCE, || {
        let answers = ask("Sources that fail now");
        let all = answers.iter().all(|series| series.len() == 4);
        all.then_some(answers.clone())
            .ok_or_else(|| format!("{answers:?}"))
    });
    for series in &failing[0] {
        let labels = &series["metric"];
        let named = if labels["account"] == accounts[0] {
            "payments"
        } else {
            accounts[1]
        };
        assert_eq!(labels["account_name"], named);
        assert!(
            newest(series).abs() < f64::EPSILON,
            "never worked: {series}"
        );
    }
    assert!(
        failing[1]
            .iter()
            .all(|series| series["metric"]["reason"] == "network")
    );

    let values = |title: &str| ask(title)[0].iter().map(newest).collect::<Vec<_>>();
    assert_eq!(values("Accounts unknown"), [2.0]);
    assert_eq!(
        values("Accounts with an active root access key"),
        [0.0; 0],
        "not 0"
    );
    // Every column has every row: an unknown value is shown as such, not left out.
    let columns = ask("Accounts that need action");
    assert!(columns.iter().all(|rows| rows.len() == 2), "{columns:?}");
    let keys_active: Vec<_> = columns[1].iter().map(newest).collect();
    assert_eq!(
        keys_active,
        [-1.0, -1.0],
        "which the table shows as unknown"
    );
}

#[test]
fn the_account_variable_shows_names_and_selects_ids() {
    let demo = demo();
    let address = demo.address;
    let prometheus = Prometheus::configured(&format!(
        "  - job_name: {JOB}
    static_configs:
      - targets: ['{address}']
    metric_relabel_configs:
      - source_labels: [account_name]
        regex: management
        target_label: account_name
        replacement: ''
      - source_labels: [account_name]
        regex: search-production
        target_label: account_name
        replacement: 'the \"search\" one, in {{production}}'
"
    ));
    let dashboard = Dashboard::read();
    let variable = dashboard.variable("account");
    let expression = variable.expression().strip_prefix("query_result(").unwrap();
    let expression = ALL.fill(expression.strip_suffix(')').unwrap());

    let options = eventually(PATIENCE, || {
        let found = prometheus.query(&expression);
        (found.len() == 11)
            .then(|| as_options(&found, &variable.regex))
            .ok_or_else(|| format!("{found:?}"))
    });

    assert_eq!(options.len(), 11, "{options:?}");
    assert_eq!(options["payments-production"], "000000000002");
    assert_eq!(
        options["the \"search\" one, in {production}"],
        "999000000004"
    );
    assert_eq!(
        options["999000000001"], "999000000001",
        "an account without a name is shown by its id"
    );
}

/// The options that Grafana makes of a `query_result`: it formats each sample as a line, and matches
/// the groups `text` and `value` in it.
fn as_options(samples: &[(Value, String)], regex: &str) -> BTreeMap<String, String> {
    let pattern = regex
        .strip_prefix('/')
        .and_then(|r| r.strip_suffix('/'))
        .expect("a JavaScript regex");
    let pattern = Regex::new(pattern).unwrap();
    samples
        .iter()
        .filter_map(|(labels, value)| {
            let labels: Vec<_> = labels
                .as_object()
                .unwrap()
                .iter()
                .map(|(key, value)| format!("{key}=\"{}\"", value.as_str().unwrap()))
                .collect();
            let line = format!("{{{}}} {value} 1795525625000", labels.join(","));
            let groups = pattern.captures(&line)?;
            Some((groups["text"].to_owned(), groups["value"].to_owned()))
        })
        .collect()
}
