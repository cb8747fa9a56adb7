//! Each query of the dashboard, asked of a real Prometheus that scrapes the demo.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use test_support::daemon::{ANY_PORT, Daemon, Launch};
use test_support::prometheus::{Prometheus, in_query};
use test_support::simulated::{environment, role};
use test_support::{PATIENCE, eventually};

use crate::dashboard::{Dashboard, Panel, Target};

/// The demo's root key appears within a minute of the start; a busy machine gets half as much more.
const STORY: Duration = Duration::from_secs(90);

/// The panels with nothing to show on a demo where no source fails.
const EMPTY_ON_THE_DEMO: [&str; 1] = ["Sources that fail now"];

/// The job under which the tests scrape.
const JOB: &str = "aws-root-exporter";

fn demo() -> Daemon {
    Launch::new(&["demo", ANY_PORT]).start()
}

/// What is chosen in the drop-downs.
struct Chosen<'a> {
    job: &'a str,
    account: &'a str,
    instance: &'a str,
}

/// All of everything, as the dashboard opens: Grafana puts in the variables' `allValue`.
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
        // `"$1"` is label_replace's own.
        let left: Vec<_> = filled
            .match_indices('$')
            .filter(|(at, _)| !filled[*at..].starts_with("$1\""))
            .collect();
        assert!(left.is_empty(), "a variable is left: {filled}");
        filled
    }

    /// The series that a target gets: now, or over the last minutes.
    fn ask(&self, prometheus: &Prometheus, target: &Target) -> Vec<Value> {
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

/// The newest value of a series, of either kind of query.
fn newest(series: &Value) -> f64 {
    let sample = match &series["values"] {
        Value::Array(values) => values.last().expect("a series has a sample"),
        _ => &series["value"],
    };
    sample[1].as_str().unwrap().parse().unwrap()
}

/// Waits until the story's key is known to Prometheus, and gives its account.
fn account_of_the_story(prometheus: &Prometheus) -> String {
    eventually(STORY, || {
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
fn every_query_is_answered_on_the_demo() {
    let demo = demo();
    let prometheus = Prometheus::scraping(demo.address);
    let account = account_of_the_story(&prometheus);
    let dashboard = Dashboard::read();

    // Rates need two scrapes, histograms a call between them: ask until all are there.
    let empty: Vec<_> = eventually(PATIENCE, || {
        let without: Vec<_> = dashboard
            .targets()
            .filter(|(_, target)| {
                let series = ALL.ask(&prometheus, target);
                !series.iter().any(|series| newest(series).is_finite())
            })
            .map(|(panel, target)| (&panel.title[..], &target.ref_id[..]))
            .collect();
        let expected = without
            .iter()
            .all(|(title, _)| EMPTY_ON_THE_DEMO.contains(title));
        expected
            .then_some(without.clone())
            .ok_or_else(|| format!("nothing is answered to {without:?}"))
    });
    assert!(empty.len() <= 2, "{empty:?}");
    for title in EMPTY_ON_THE_DEMO {
        let panel = dashboard.panel(title);
        assert!(
            panel.no_value().contains("every one worked"),
            "{title} says why"
        );
    }

    let (_, needing) = panel(&dashboard, "Accounts that need action");
    let rows = ALL.ask(&prometheus, needing);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["metric"]["account"], account.as_str());
    assert_eq!(rows[0]["metric"]["account_name"], "payments-production");
    let columns = &dashboard.panel("Accounts that need action").targets;
    assert!(
        columns
            .iter()
            .all(|column| ALL.ask(&prometheus, column).len() == 1)
    );

    // One account chosen: the queries about accounts speak of that one only.
    let one = Chosen {
        account: &account,
        ..ALL
    };
    let (_, watched) = panel(&dashboard, "Accounts watched");
    assert_eq!(
        one.ask(&prometheus, watched)
            .iter()
            .map(newest)
            .collect::<Vec<_>>(),
        [1.0]
    );
    // Nothing chosen that exists: no figure at all, so that no zero is taken for good news.
    let nobody = Chosen {
        account: "888888888888",
        ..ALL
    };
    for panel in dashboard.panels.iter().filter(|panel| panel.kind == "stat") {
        let series = nobody.ask(&prometheus, &panel.targets[0]);
        assert!(series.is_empty(), "{}: {series:?}", panel.title);
    }
}

#[test]
fn two_replicas_that_differ_count_each_account_once() {
    // The same organization twice; the second one knows every account by another name.
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
    account_of_the_story(&prometheus);
    let dashboard = Dashboard::read();

    eventually(PATIENCE, || {
        let up = prometheus.value("count(count by (job) (aws_account_info))")?;
        (up == "2").then_some(()).ok_or(up)
    });
    for (title, figure) in [
        ("Accounts watched", 12.0),
        ("Accounts unknown", 0.0),
        ("IAM users", 31.0),
    ] {
        let (_, target) = panel(&dashboard, title);
        let figures: Vec<_> = ALL.ask(&prometheus, target).iter().map(newest).collect();
        assert_eq!(figures, [figure], "{title}");
    }
    // Prometheus refuses a query whose join meets two names for an account; none may.
    for (panel, target) in dashboard.targets() {
        let series = ALL.ask(&prometheus, target);
        let accounts = series
            .iter()
            .map(|s| s["metric"].clone())
            .filter(|m| m["account"].is_string());
        let mut rows = BTreeMap::new();
        for mut labels in accounts {
            let name = labels.as_object_mut().unwrap().remove("account_name");
            let before = rows.insert(labels.to_string(), name);
            // A name may change in the course of a range, not within one moment.
            assert!(
                before.is_none() || !target.instant,
                "{}: {labels} twice",
                panel.title
            );
        }
    }
}

#[test]
fn who_blinds_the_exporter_is_seen() {
    // Two accounts, one without a name, and an AWS that cannot be reached.
    let nowhere = environment("http://127.0.0.1:9", "testing", "testing");
    let accounts = ["111122223333", "444455556666"];
    let config = format!(
        "[refresh]\ninterval = \"1s\"\n[[accounts]]\nid = \"{}\"\nname = \"payments\"\nrole_arn = \"{}\"\n[[accounts]]\nid = \"{}\"\nrole_arn = \"{}\"\n",
        accounts[0],
        role(accounts[0]),
        accounts[1],
        role(accounts[1]),
    );
    let blinded = Launch::new(&[ANY_PORT])
        .environment(nowhere)
        .config(&config)
        .start();
    let prometheus = Prometheus::scraping(blinded.address);
    let dashboard = Dashboard::read();
    let ask = |title: &str| -> Vec<Vec<Value>> {
        let targets = dashboard.panel(title).targets.iter();
        targets.map(|target| ALL.ask(&prometheus, target)).collect()
    };

    // Both queries of the table: which sources fail since when, and the reason.
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

    let figure = |title: &str| ask(title)[0].iter().map(newest).collect::<Vec<_>>();
    assert_eq!(figure("Accounts unknown"), [2.0]);
    assert_eq!(
        figure("Accounts with an active root access key"),
        [0.0; 0],
        "not 0"
    );
    // Every column has every row: what is unknown is said, not left out.
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
fn the_drop_down_shows_accounts_by_name_and_chooses_ids() {
    let demo = demo();
    let nameless = demo.address;
    let prometheus = Prometheus::configured(&format!(
        "  - job_name: {JOB}
    static_configs:
      - targets: ['{nameless}']
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
    let expression = variable.asks().strip_prefix("query_result(").unwrap();
    let expression = ALL.fill(expression.strip_suffix(')').unwrap());

    let options = eventually(PATIENCE, || {
        let found = prometheus.query(&expression);
        (found.len() == 12)
            .then(|| as_options(&found, &variable.regex))
            .ok_or_else(|| format!("{found:?}"))
    });

    assert_eq!(options.len(), 12, "{options:?}");
    assert_eq!(options["payments-production"], "000000000002");
    assert_eq!(
        options["the \"search\" one, in {production}"],
        "999000000004"
    );
    assert_eq!(
        options["999000000001"], "999000000001",
        "without a name, the id"
    );
}

/// The options that Grafana makes of a `query_result`: it writes each sample as a line, and takes
/// the groups `text` and `value` out of it.
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
