//! The style of every rule: names, labels, annotations, and only metrics that are exported.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use aws_root_exporter::metrics;
use serde_json::Value;

use test_support::program::succeed;
use test_support::repository;

use crate::support::{RULES, yaml};

/// The address of the runbooks in the shipped rules.
const RUNBOOKS: &str =
    "https://github.com/aws-root-exporter/aws-root-exporter/blob/main/deploy/runbooks/";

/// Each alert with its delay and its severity: what users rely on.
const ALERTS: &[(&str, &str, &str)] = &[
    ("AWSRootAccessKeyActive", "0s", "critical"),
    ("AWSRootAccessKeyUsed", "0s", "critical"),
    ("AWSRootAccessKeyPresent", "0s", "warning"),
    ("AWSRootConsoleSignIn", "0s", "warning"),
    ("AWSRootAccessKeyCreated", "0s", "critical"),
    ("AWSRootActivity", "0s", "warning"),
    ("AWSRootPushTampered", "0s", "critical"),
    ("AWSRootMFADisabled", "15m", "critical"),
    ("AWSRootSigningCertificateActive", "0s", "warning"),
    ("AWSAccountUnreadable", "10m", "critical"),
    ("AWSRootPostureUnknown", "15m", "warning"),
    ("AWSRootEvidenceStale", "15m", "warning"),
    ("AWSCredentialReportStale", "15m", "warning"),
    ("AWSAccountRefreshFailing", "30m", "warning"),
    ("AWSAccountPushDown", "30m", "warning"),
    ("AWSAccountsMissing", "10m", "warning"),
    ("AWSOrganizationDiscoveryFailing", "30m", "warning"),
    ("AWSRootExporterDown", "5m", "critical"),
    ("AWSRootExporterLabelsOverwritten", "0s", "warning"),
    ("AWSRootExporterReloadFailed", "5m", "warning"),
    ("AWSRootExporterStateNotSaved", "15m", "warning"),
    ("AWSRootExporterEventsDown", "15m", "warning"),
    ("AWSRootExporterOverloaded", "15m", "warning"),
    ("AWSIAMUserAccessKeyOld", "1h", "info"),
    ("AWSIAMUserCredentialUnused", "1h", "info"),
    ("AWSIAMUserConsoleWithoutMFA", "1h", "info"),
    ("AWSIAMUserSigningCertificateActive", "1h", "info"),
];

/// Series of Prometheus itself.
const PROMETHEUS: [&str; 2] = ["up", "ALERTS"];

fn rules() -> Vec<Value> {
    let files = RULES.map(yaml);
    let groups = files.iter().flat_map(|f| f["groups"].as_array().unwrap());
    groups
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect()
}

/// The alerting rules by name.
pub fn alerts() -> BTreeMap<String, Value> {
    let alerts: Vec<_> = rules()
        .into_iter()
        .filter(|rule| rule.get("alert").is_some())
        .collect();
    let by_name: BTreeMap<_, _> = alerts
        .iter()
        .map(|rule| (text(rule, "alert").to_owned(), rule.clone()))
        .collect();
    assert_eq!(by_name.len(), alerts.len(), "two alerts have the same name");
    by_name
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} is not a string in {value}"))
}

/// The names of metrics in a `PromQL` query.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let mut without_strings = String::new();
    let mut quote = None;
    for character in text.chars() {
        match quote {
            Some(q) if character == q => quote = None,
            Some(_) => {}
            None if character == '"' || character == '\'' => quote = Some(character),
            None => without_strings.push(character),
        }
    }
    words(&without_strings)
}

/// The metrics of a query that the exporter does not export.
pub fn unknown_metrics(query: &str) -> BTreeSet<String> {
    metrics_in(query)
        .into_iter()
        .filter(|name| {
            let family = name.strip_suffix("_bucket").unwrap_or(name);
            let is_exposed = metrics::catalogue().any(|known| known.name == family);
            !is_exposed && !PROMETHEUS.contains(&name.as_str())
        })
        .collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| word.starts_with("aws_") || word.contains(':') || PROMETHEUS.contains(word))
        .filter(|word| !["aws_service", "aws_region"].contains(word))
        .map(str::to_owned)
        .collect()
}

#[test]
fn promtool_accepts_the_rules_and_the_example() {
    for file in RULES {
        succeed(
            Command::new("promtool")
                .args(["check", "rules", "--lint=all", "--lint-fatal"])
                .arg(repository(file)),
        );
    }
    succeed(
        Command::new("promtool")
            .args(["check", "config"])
            .arg(repository("deploy/prometheus/prometheus.yml")),
    );
}

/// The delay of an alert: its `for`, or how long its problem must have lasted.
fn delay(rule: &Value) -> String {
    let seconds = text(rule, "expr")
        .split_once(":seconds{")
        .and_then(|(_, rest)| rest.split_once(">= "))
        .map(|(_, rest)| rest.lines().next().unwrap_or_default());
    let Some(seconds) = seconds else {
        return text(rule, "for").to_owned();
    };
    assert_eq!(
        rule["for"], "0s",
        "{rule}: a problem's delay is in its expression"
    );
    let seconds: u32 = seconds.trim().parse().expect("seconds");
    format!("{}m", seconds / 60)
}

#[test]
fn every_scrape_configuration_honors_the_label_account() {
    for file in [
        "deploy/prometheus/prometheus.yml",
        "deploy/compose/prometheus.yml",
    ] {
        let config = yaml(file);
        let jobs = config["scrape_configs"].as_array().unwrap();
        let job = jobs.iter().find(|j| j["job_name"] == "aws-root-exporter");
        assert_eq!(job.expect("the job")["honor_labels"], true, "{file}");
    }
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let job = readme.split("job_name: aws-root-exporter").nth(1).unwrap();
    assert!(job.lines().nth(1).unwrap().contains("honor_labels: true"));
}

#[test]
fn replica_labels_are_dropped_from_alerts() {
    let config = yaml("deploy/prometheus/prometheus.yml");
    let relabel = &config["alerting"]["alert_relabel_configs"][0];
    assert_eq!(relabel["action"], "labeldrop");
    assert_eq!(relabel["regex"], "(prometheus_)?replica");
}

#[test]
fn delays_and_severities_are_stable() {
    let found: Vec<_> = alerts()
        .into_iter()
        .map(|(name, rule)| {
            let delay = delay(&rule);
            let severity = text(&rule["labels"], "severity").to_owned();
            (name, delay, severity)
        })
        .collect();
    let mut wanted: Vec<_> = ALERTS
        .iter()
        .map(|(name, delay, severity)| {
            (
                (*name).to_owned(),
                (*delay).to_owned(),
                (*severity).to_owned(),
            )
        })
        .collect();
    wanted.sort();
    assert_eq!(found, wanted);
}

#[test]
fn names_labels_and_annotations_are_in_style() {
    for (name, rule) in alerts() {
        assert!(
            name.starts_with("AWS")
                && name.len() <= 40
                && name.bytes().all(|b| b.is_ascii_alphanumeric()),
            "{name}"
        );
        let labels: BTreeSet<_> = rule["labels"].as_object().unwrap().keys().collect();
        let known = BTreeSet::from(["severity", "rule_id"]);
        assert!(
            labels.iter().all(|label| known.contains(label.as_str())),
            "{name}: {labels:?}"
        );
        let annotations = &rule["annotations"];
        let keys: BTreeSet<_> = annotations.as_object().unwrap().keys().collect();
        assert_eq!(keys.len(), 3, "{name}: {keys:?}");
        let summary = text(annotations, "summary");
        assert!(
            !summary.contains("{{"),
            "{name}: the summary has a template"
        );
        assert!(
            summary.ends_with('.') && summary.len() <= 100,
            "{name}: {summary}"
        );
        let description = text(annotations, "description");
        assert!(
            description.ends_with('.') || description.ends_with("}}"),
            "{name}: {description}"
        );
        if text(&rule, "expr").contains("by (account") {
            assert!(
                description.starts_with(
                    "AWS account {{ $labels.account }} ({{ with printf \"aws_account_info{"
                ),
                "{name}: the description does not begin with the account's id and name"
            );
            // An account that is not monitored has no page.
            let linked = description.contains("aws_root_exporter_external_url_info");
            assert_eq!(linked, name != "AWSAccountsMissing", "{name}");
        }
        assert_eq!(
            text(annotations, "runbook_url"),
            format!("{RUNBOOKS}{name}.md")
        );
    }
}

#[test]
fn no_expression_joins_the_account_name() {
    // A name that is missing or exported twice must not lose the alert.
    for rule in rules() {
        let expression = text(&rule, "expr");
        for word in ["group_left", "group_right", "account_name"] {
            assert!(!expression.contains(word), "{rule}");
        }
    }
}

#[test]
fn recording_rules_are_named_by_level_metric_and_operation_and_are_used() {
    let rules = rules();
    let recorded: BTreeSet<_> = rules
        .iter()
        .filter_map(|rule| rule["record"].as_str())
        .collect();
    let mut used = BTreeSet::new();
    for rule in &rules {
        let own = rule["record"].as_str();
        let words = metrics_in(text(rule, "expr")).into_iter();
        used.extend(words.filter(|word| word.contains(':') && own != Some(word)));
    }
    for name in &recorded {
        assert_eq!(name.split(':').count(), 3, "{name}");
    }
    // When a fact or problem began is used in descriptions only.
    let used: BTreeSet<_> = used.iter().map(String::as_str).collect();
    let unused: Vec<_> = recorded.difference(&used).collect();
    assert!(
        unused.iter().all(|name| name.ends_with(":since")),
        "{unused:?}"
    );
    assert!(used.is_subset(&recorded), "{used:?}");
}

#[test]
fn facts_and_problems_have_the_name_of_their_alert() {
    let alerts = alerts();
    for rule in rules() {
        let Some(labels) = rule["labels"].as_object() else {
            continue;
        };
        for kind in ["fact", "problem"] {
            if let Some(name) = labels.get(kind) {
                let name = name.as_str().unwrap();
                let expression = text(&alerts[name], "expr");
                assert!(
                    expression.contains(&format!("{{{kind}=\"{name}\"}}")),
                    "{name} does not select its own {kind}: {expression}"
                );
            }
        }
    }
}

#[test]
fn every_metric_is_in_the_catalogue() {
    for rule in rules() {
        let mut names = metrics_in(text(&rule, "expr"));
        if let Some(annotations) = rule["annotations"].as_object() {
            let mut annotations = annotations.clone();
            annotations.remove("runbook_url");
            names.extend(
                annotations
                    .values()
                    .flat_map(|a| words(a.as_str().unwrap())),
            );
        }
        for name in names {
            let known = PROMETHEUS.contains(&name.as_str())
                || name.contains(':')
                || metrics::catalogue().any(|family| family.name == name);
            assert!(known, "{name} is not in docs/metrics.md, used by {rule}");
        }
    }
}

#[test]
fn metric_names_are_found_in_queries() {
    let found = metrics_in("max by (account) (aws_no_such{account=\"aws_x\"}) and up == 1");
    assert_eq!(
        found,
        BTreeSet::from(["aws_no_such".to_owned(), "up".to_owned()])
    );
}
