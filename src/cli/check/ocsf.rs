//! `check --format ocsf`: a Compliance Finding (class 2003) of the Open Cybersecurity Schema Framework for
//! each control on each account, one JSON object a line.
//!
//! `finding_info.uid` is the same in every run, so that a consumer can replace the finding of the run
//! before. A field that is not known is left out: the schema has no null.
//!
//! Source: OCSF 1.5.0, class `compliance_finding` with the profile `cloud`.

use serde_json::{Map, Value, json};

use super::checked::{Checked, CheckedAccount};
use super::control::{Control, Outcome};
use crate::advice::{Finding, Level, RUNBOOKS};
use crate::build::VERSION;
use root_posture::Timestamp;

/// The version of the schema.
const SCHEMA: &str = "1.5.0";

const PRODUCT: &str = "aws-root-exporter";

/// The findings; without those that passed if `only_findings` is set.
pub(super) fn print(checked: &[Checked], only_findings: bool, now: Timestamp) -> String {
    let mut text = String::new();
    for checked in checked {
        for control in Control::ALL {
            let outcome = control.outcome(checked);
            if only_findings && matches!(outcome, Outcome::Pass | Outcome::Accepted) {
                continue;
            }
            let finding = finding(checked, control, outcome, now);
            text += &known(finding).to_string();
            text.push('\n');
        }
    }
    text
}

fn finding(checked: &Checked, control: Control, outcome: Outcome, now: Timestamp) -> Value {
    let account = match checked {
        Checked::Account(account) => Some(&**account),
        Checked::Unread { .. } => None,
    };
    let subject = match checked {
        Checked::Account(account) => account.view.account.id.to_string(),
        Checked::Unread { what, .. } => what.clone(),
    };
    let detail = control.detail(checked, now);
    let (severity_id, severity) = severity(outcome);
    let (status_id, status) = status(outcome);
    let (verdict_id, verdict) = verdict(outcome);
    let runbook = format!("{RUNBOOKS}{}.md", control.alert(outcome));
    let observed = account.and_then(CheckedAccount::observed);
    // Of a CSV it is not known when it was made.
    let seen = account.and_then(|it| it.view.onset.seen.filter(|_| observed.is_some()));
    let is_keys = control == Control::Keys;
    json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "type_uid": 200_301,
        "type_name": "Compliance Finding: Create",
        "time": millis(now),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "status_code": verdict.to_uppercase(),
        "status_detail": detail,
        "message": format!("{subject}: {}: {}. {detail}", control.title(), verdict.to_lowercase()),
        "metadata": {
            "version": SCHEMA,
            "profiles": ["cloud"],
            "event_code": control.id(),
            "product": {
                "name": PRODUCT,
                "vendor_name": PRODUCT,
                "uid": PRODUCT,
                "version": VERSION,
            },
        },
        "finding_info": {
            "uid": format!("{PRODUCT}:{}:{subject}", control.id()),
            "title": control.title(),
            "desc": detail,
            "types": ["Compliance"],
            "first_seen_time": seen.filter(|_| is_keys).map(millis),
            "last_seen_time": observed.filter(|_| is_keys).map(millis),
            "data_sources": account.map(sources),
        },
        "compliance": {
            "control": control.number(),
            "desc": control.title(),
            "standards": ["CIS AWS Foundations Benchmark", "AWS Security Hub", "AWS Config"],
            "requirements": control.requirements(),
            "status_id": verdict_id,
            "status": verdict,
            "status_detail": detail,
        },
        "remediation": {
            "desc": remediation(outcome),
            "references": [runbook],
        },
        "cloud": cloud(account),
        "resources": account.map(|it| json!([resource(it)])),
    })
}

/// How urgent a finding is, as its alert.
fn severity(outcome: Outcome) -> (u8, &'static str) {
    let level = match outcome {
        Outcome::Pass | Outcome::Accepted => Level::Fine,
        Outcome::Fail(finding) => finding.level(),
        Outcome::Unknown => Level::Unknown,
    };
    match level {
        Level::Fine => (1, "Informational"),
        Level::Unknown | Level::Warning => (3, "Medium"),
        Level::Critical => (5, "Critical"),
    }
}

/// What is to be done with the finding.
fn status(outcome: Outcome) -> (u8, &'static str) {
    match outcome {
        Outcome::Pass => (4, "Resolved"),
        Outcome::Accepted => (3, "Suppressed"),
        Outcome::Fail(_) | Outcome::Unknown => (1, "New"),
    }
}

/// Whether the control holds.
fn verdict(outcome: Outcome) -> (u8, &'static str) {
    match outcome {
        Outcome::Pass => (1, "Pass"),
        Outcome::Accepted | Outcome::Fail(_) => (3, "Fail"),
        Outcome::Unknown => (0, "Unknown"),
    }
}

fn remediation(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "Nothing to do",
        Outcome::Accepted => "Delete the key before its exception ends",
        Outcome::Fail(finding) => finding.next_step(),
        Outcome::Unknown => Finding::Unknown.next_step(),
    }
}

fn sources(account: &CheckedAccount) -> Value {
    let sources = account.view.sources.iter();
    sources.map(|it| it.source.to_string()).collect()
}

fn cloud(account: Option<&CheckedAccount>) -> Value {
    let account = account.map(|it| &it.view.account);
    json!({
        "provider": "AWS",
        "region": account.map(|it| &it.region),
        "cloud_partition": account.map(|it| it.partition().as_str()),
        "account": account.map(|it| json!({
            "uid": it.id,
            "name": Some(&it.name).filter(|name| !name.is_empty()),
            "type_id": 10,
            "type": "AWS Account",
            "labels": labels(it.labels.iter()),
        })),
    })
}

/// The root user.
fn resource(checked: &CheckedAccount) -> Value {
    let account = &checked.view.account;
    let partition = account.partition().as_str();
    let keys = checked.each_key();
    let keys = keys.iter().map(|key| {
        let listed = key.listed.as_ref();
        json!({
            "access_key_id": listed.and_then(|it| it.id),
            "active": key.active,
            "last_rotated": listed.and_then(|it| it.last_rotated).map(|it| it.to_string()),
            "last_used": listed.and_then(|it| it.last_used).map(|it| it.to_string()),
            "last_used_region": listed.and_then(|it| it.last_used_region),
            "last_used_service": listed.and_then(|it| it.last_used_service),
        })
    });
    json!({
        "uid": format!("arn:{partition}:iam::{}:root", account.id),
        "name": "root",
        "type": "AwsIamRootUser",
        "cloud_partition": partition,
        "region": account.region,
        "data": { "access_keys": keys.collect::<Value>() },
    })
}

fn labels<'a>(labels: impl Iterator<Item = (&'a String, &'a String)>) -> Option<Vec<String>> {
    let labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    Some(labels).filter(|labels| !labels.is_empty())
}

fn millis(time: Timestamp) -> i64 {
    time.unix().saturating_mul(1000)
}

/// The value without fields that are null.
fn known(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            let fields = fields.map(|(name, value)| (name, known(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(values) => values.into_iter().map(known).collect(),
        value => value,
    }
}
