//! The jsonnet mixin: without a change of its configuration it is the shipped rules and dashboard, and
//! each change does what it says. Both implementations of jsonnet evaluate it.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use test_support::program::{succeed, yaml};
use test_support::repository;

use super::support::python;

/// The rules and the dashboard with this configuration.
fn mixin(config: &Value) -> (Value, Value) {
    let snippet = format!(
        "local mixin = (import 'deploy/mixin/mixin.libsonnet') {{ _config+:: {config} }};\n\
         [mixin.prometheusAlerts, mixin.grafanaDashboards['aws-root-exporter.json']]"
    );
    serde_json::from_value(python("mixin.py", &[], &snippet)).unwrap()
}

/// The shipped rule files together.
fn shipped(files: &[&str]) -> Value {
    let files = files
        .iter()
        .map(|name| repository(format!("deploy/prometheus/{name}.rules.yml")));
    let groups = yaml(files)
        .iter()
        .flat_map(|file| file["groups"].as_array().unwrap().clone())
        .collect::<Vec<_>>();
    json!({ "groups": groups })
}

fn dashboard() -> Value {
    let text = fs::read_to_string(repository("grafana/aws-root-exporter.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Every rule of every group.
fn rules(groups: &Value) -> impl Iterator<Item = &Value> {
    let groups = groups["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap())
}

#[test]
fn it_is_the_shipped_rules_and_dashboard() {
    let (rules, panels) = mixin(&json!({}));
    assert!(rules == shipped(&["aws-root-exporter"]));
    assert!(panels == dashboard());
    let (rules, _) = mixin(&json!({ "iamUsers": true }));
    assert!(rules == shipped(&["aws-root-exporter", "aws-iam-users"]));
}

#[test]
fn alerts_are_those_of_its_configuration() {
    let (found, _) = mixin(&json!({
        "severities": { "AWSRootMFADisabled": "page" },
        "alertLabels": { "team": "security" },
        "disabledAlerts": ["AWSRootActivity"],
    }));
    let mut expected = shipped(&["aws-root-exporter"]);
    for group in expected["groups"].as_array_mut().unwrap() {
        let rules = group["rules"].as_array_mut().unwrap();
        rules.retain(|rule| rule["alert"] != "AWSRootActivity");
        for alert in rules.iter_mut().filter(|rule| rule["alert"].is_string()) {
            alert["labels"]["team"] = json!("security");
            if alert["alert"] == "AWSRootMFADisabled" {
                alert["labels"]["severity"] = json!("page");
            }
        }
    }
    assert!(rules(&found).count() > 20);
    assert_eq!(found, expected);
}

/// promtool accepts what the selector and the address become in queries and in annotations.
#[test]
fn its_selector_and_runbooks_are_everywhere() {
    let (found, _) = mixin(&json!({
        "selector": "job=\"audit\",cluster=\"a\"",
        "runbookURL": "https://wiki.example.com/books/",
        "iamUsers": true,
    }));
    let text = found.to_string();
    assert!(
        !text.contains("job=\\\"aws-root-exporter\\\"")
            && !text.contains("job='aws-root-exporter'")
    );
    assert!(text.contains("up{job=\\\"audit\\\",cluster=\\\"a\\\"}"));
    assert!(text.contains("up{job='audit',cluster='a'}"));
    for alert in rules(&found).filter(|rule| rule["alert"].is_string()) {
        let runbook = format!(
            "https://wiki.example.com/books/{}.md",
            alert["alert"].as_str().unwrap()
        );
        assert_eq!(alert["annotations"]["runbook_url"], json!(runbook));
    }
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("mixin.rules.yml");
    fs::write(&file, text).unwrap();
    let checked = succeed(Command::new("promtool").args(["check", "rules"]).arg(&file));
    let count = rules(&found).count();
    assert!(
        checked.contains(&format!("SUCCESS: {count} rules found")),
        "{checked}"
    );
}

#[test]
fn the_dashboard_is_that_of_its_configuration() {
    let (_, found) = mixin(&json!({
        "dashboardUID": "audit",
        "dashboardTitle": "Root keys",
        "dashboardTags": ["audit"],
    }));
    let mut expected = dashboard();
    expected["uid"] = json!("audit");
    expected["title"] = json!("Root keys");
    expected["tags"] = json!(["audit"]);
    assert!(found == expected);
}
