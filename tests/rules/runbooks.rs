//! The runbooks: one for each alert, with queries and commands that can be pasted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::style::{alerts, unknown_metrics};
use test_support::program::succeed;
use test_support::repository;

const SECTIONS: [&str; 5] = [
    "## Meaning",
    "## Impact",
    "## Diagnosis",
    "## Mitigation",
    "## How to know that it worked",
];

fn runbooks() -> Vec<(String, String)> {
    let folder = repository("deploy/runbooks");
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// The fenced blocks in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    text.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn alerts_and_runbooks_are_one_to_one() {
    let named: BTreeSet<_> = runbooks().into_iter().map(|(name, _)| name).collect();
    let alerts: BTreeSet<_> = alerts().into_keys().collect();
    assert_eq!(named, alerts);
}

#[test]
fn each_has_the_same_sections_in_the_same_order() {
    for (name, text) in runbooks() {
        assert!(text.starts_with(&format!("# {name}\n")), "{name}");
        let headings: Vec<_> = text.lines().filter(|l| l.starts_with("## ")).collect();
        assert_eq!(headings, SECTIONS, "{name}");
        let sections: Vec<_> = text.split("\n## ").skip(1).collect();
        assert!(sections.iter().all(|s| s.lines().count() > 2), "{name}");
        assert!(!blocks(&text, "promql").is_empty(), "{name} has no query");
    }
}

#[test]
fn every_query_is_valid() {
    // promtool parses rules with Prometheus' own parser.
    let mut rules = String::from("groups:\n  - name: queries\n    rules:\n");
    let mut count = 0;
    for (name, text) in runbooks() {
        for query in blocks(&text, "promql").iter().flat_map(|b| b.lines()) {
            assert_eq!(unknown_metrics(query), BTreeSet::new(), "{name}: {query}");
            count += 1;
            let query = query.replace('\'', "''");
            writeln!(
                rules,
                "      - record: query:{count}\n        expr: '{query}'"
            )
            .unwrap();
        }
    }
    assert!(count > 40, "{count} queries");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), rules.replace("query:", "query:n")).unwrap();
    succeed(
        Command::new("promtool")
            .args(["check", "rules"])
            .arg(file.path()),
    );
}

#[test]
fn every_command_is_valid_shell() {
    for (_, text) in runbooks() {
        for block in blocks(&text, "sh") {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), &block).unwrap();
            succeed(Command::new("bash").arg("-n").arg(file.path()));
        }
    }
}

#[test]
fn the_runbook_of_an_active_key_has_every_step() {
    let (_, text) = runbooks()
        .into_iter()
        .find(|(name, _)| name == "AWSRootAccessKeyActive")
        .unwrap();
    for step in [
        "Sign in as the root user",
        "“Security credentials”",
        "“Deactivate”",
        "“Delete”",
        "the second key",
        "every account",
        "aws sts assume-root",
        "--task-policy-arn arn=arn:aws:iam::aws:policy/root-task/IAMDeleteRootUserCredentials",
        "aws iam delete-access-key",
        "\"aws:AssumedRoot\"",
    ] {
        assert!(text.contains(step), "{step}");
    }
    for policy in blocks(&text, "json") {
        let policy: serde_json::Value = serde_json::from_str(&policy).expect("JSON");
        // `"Null": "true"` matches when the key is absent: the root user itself, no root session.
        let condition = &policy["Statement"][0]["Condition"];
        assert_eq!(condition["Null"]["aws:AssumedRoot"], "true");
    }
}

#[test]
fn links_between_runbooks_resolve() {
    let names: BTreeSet<_> = runbooks().into_iter().map(|(name, _)| name).collect();
    for (name, text) in runbooks() {
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            let file = target.split(".md").next().unwrap();
            assert!(names.contains(file), "{name} links to {target}");
        }
    }
}
