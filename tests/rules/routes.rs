//! The example configuration of Alertmanager, tested with amtool: routes, groups, inhibition.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::style::alerts;
use test_support::program::succeed;
use test_support::repository;

use crate::support::yaml;

const CONFIG: &str = "deploy/alertmanager/alertmanager.yml";

fn config() -> PathBuf {
    repository(CONFIG)
}

/// The receiver of an alert with these labels.
fn receiver(labels: &[String]) -> String {
    let mut amtool = Command::new("amtool");
    amtool
        .args(["config", "routes", "test", "--config.file"])
        .arg(config())
        .args(labels);
    succeed(&mut amtool).trim().to_owned()
}

#[test]
fn amtool_accepts_the_example() {
    let output = succeed(Command::new("amtool").arg("check-config").arg(config()));

    for part in ["route", "2 inhibit rules", "3 receivers"] {
        assert!(output.contains(part), "{output}");
    }
}

#[test]
fn each_severity_has_its_receiver() {
    for (name, rule) in alerts() {
        let severity = rule["labels"]["severity"].as_str().unwrap();
        let mut labels = vec![format!("alertname={name}"), format!("severity={severity}")];
        if rule["annotations"]["description"]
            .as_str()
            .unwrap()
            .contains("$labels.account")
        {
            labels.push("account=111122223333".to_owned());
        } else {
            labels.push("job=aws-root-exporter".to_owned());
        }
        let wanted = match severity {
            "critical" => "pager",
            "warning" => "ticket",
            _ => "digest",
        };
        assert_eq!(receiver(&labels), wanted, "{labels:?}");
    }
}

#[test]
fn other_alerts_go_to_the_default_receiver() {
    for name in ["InstanceDown", "AWSBillingAlarm"] {
        let labels = [format!("alertname={name}"), "severity=critical".to_owned()];
        assert_eq!(receiver(&labels), "ticket", "{name}");
    }
}

#[test]
fn root_alerts_are_grouped_by_account() {
    let example = yaml(CONFIG);
    let routes = example["route"]["routes"].as_array().unwrap();
    let of_accounts: Vec<_> = routes
        .iter()
        .filter(|route| {
            route["matchers"]
                .as_array()
                .unwrap()
                .contains(&json!("account != \"\""))
        })
        .collect();
    assert_eq!(of_accounts.len(), 2);
    for route in of_accounts {
        assert_eq!(route["group_by"], json!(["account"]), "{route}");
    }
}

#[test]
fn push_that_is_down_everywhere_is_one_ticket() {
    let example = yaml(CONFIG);
    let routes = example["route"]["routes"].as_array().unwrap();
    // The first route that matches is used: this one, before those that group by account.
    let first = routes
        .iter()
        .find(|route| {
            let matchers = route["matchers"].to_string();
            matchers.contains("AWSAccountPushDown") || matchers.contains("AWSAccount.+")
        })
        .expect("a route");
    assert_eq!(
        first["matchers"],
        json!(["alertname = \"AWSAccountPushDown\""])
    );
    assert_eq!(first["group_by"], json!(["alertname"]));
    assert_eq!(first["receiver"], "ticket");
}

#[test]
fn an_alert_inhibits_others_of_its_account_only() {
    let example = yaml(CONFIG);
    let rules = example["inhibit_rules"].as_array().unwrap();
    for rule in rules {
        assert_eq!(rule["equal"], json!(["account"]), "{rule}");
        // Alertmanager takes two absent labels for equal, so both sides must have an account.
        for side in ["source_matchers", "target_matchers"] {
            let matcher = rule[side][0].as_str().unwrap();
            let names = matcher.split('"').nth(1).unwrap();
            for name in names.split('|') {
                let alert = &alerts()[name];
                let expression = alert["expr"].as_str().unwrap();
                assert!(
                    expression.contains("account"),
                    "{name} has no account: {expression}"
                );
            }
        }
    }
    assert!(
        !rules
            .iter()
            .any(|rule| rule.to_string().contains("AWSRootExporterDown")),
        "an exporter that is down inhibits nothing"
    );
}

#[test]
fn repeat_intervals_are_shorter_than_the_retention() {
    fn intervals(route: &Value, found: &mut Vec<String>) {
        found.extend(route["repeat_interval"].as_str().map(str::to_owned));
        for child in route["routes"].as_array().into_iter().flatten() {
            intervals(child, found);
        }
    }
    let mut found = Vec::new();
    intervals(&yaml(CONFIG)["route"], &mut found);
    assert!(found.len() > 4, "{found:?}");
    for interval in found {
        let hours = interval.strip_suffix('h').expect("hours");
        let hours: u32 = hours.parse().expect("whole hours");
        // 120 h is the default of --data.retention.
        assert!(hours < 120, "{interval}");
    }
}

#[test]
fn the_example_contains_no_secret() {
    fn walk(value: &Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    let secret =
                        key.ends_with("_key") || key.ends_with("url") || key.contains("password");
                    assert!(!secret, "{key}: use the option that reads a file");
                    walk(value);
                }
            }
            Value::Array(items) => items.iter().for_each(walk),
            _ => {}
        }
    }
    walk(&yaml(CONFIG)["receivers"]);
}
