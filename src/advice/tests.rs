//! The runbooks contain the procedures, step by step and command by command.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{Metric, Moment, Onset, Posture, Source, Timestamp};

use super::*;
use crate::account::{Access, Account};
use crate::failure::Reason;
use crate::views::AccountView;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap()
}

/// The words of a text, without marks and line ends.
fn plain(text: &str) -> String {
    let text = text.replace(['*', '`', '“', '”', '\\'], " ");
    let words = text.replace("AKIAIOSFODNN7EXAMPLE", "AKIA…");
    let words = words.replace("EXAMPLE1234567890EXAMPLE", "…");
    let words: Vec<_> = words.split_whitespace().collect();
    words.join(" ").replace(" ,", ",").replace(" .", ".")
}

/// A runbook with the one that it refers to.
fn runbook(alert: &str) -> String {
    let mut text = read(&format!("deploy/runbooks/{alert}.md"));
    if text.contains("](AWSRootAccessKeyActive.md#mitigation)") {
        text += &read("deploy/runbooks/AWSRootAccessKeyActive.md");
    }
    plain(&text)
}

/// An account with everything that needs a procedure for root credentials.
fn view(region: &str, access: Option<Access>) -> AccountView {
    let metric = |value| {
        Some(Metric {
            value,
            source: Source::AccountSummary,
            observed: Timestamp::default(),
            fine_until: None,
        })
    };
    AccountView {
        account: Arc::new(Account {
            id: "111122223333".parse().unwrap(),
            name: String::new(),
            region: region.to_owned(),
            access,
            root_session: false,
            labels: Arc::default(),
        }),
        posture: Posture {
            keys_active: metric(1),
            keys_present: metric(1),
            mfa_enabled: metric(0),
            certificates_active: metric(1),
            ..Posture::default()
        },
        onset: Onset::default(),
        report: None,
        listed: None,
        sources: Vec::new(),
    }
}

fn only<const N: usize>(findings: [Finding; N]) -> Findings {
    Findings(Finding::ALL.map(|finding| findings.contains(&finding)))
}

#[test]
fn each_runbook_has_the_steps_and_commands_of_its_finding() {
    for region in ["us-east-1", "us-gov-west-1"] {
        let view = view(region, None);
        for finding in [
            Finding::KeyActive,
            Finding::NoMfa,
            Finding::KeyInactive,
            Finding::Certificate,
        ] {
            let runbook = runbook(finding.alert());
            let findings = only([finding]);
            let procedures = procedure::procedures(&view, findings, Duration::from_secs(60));
            assert!(procedures.len() > 1);
            for Step { text, command } in procedures.into_iter().flat_map(|it| it.steps) {
                for part in std::iter::once(text.as_str()).chain(command.lines()) {
                    let part = plain(part);
                    // Only what is for GovCloud alone names its Region and partition.
                    let common = part
                        .replace("us-gov-west-1", "us-east-1")
                        .replace("aws-us-gov", "aws");
                    let is_there = runbook.contains(&part) || runbook.contains(&common);
                    assert!(is_there, "{}: {part}", finding.alert());
                }
            }
        }
    }
}

#[test]
fn each_runbook_of_an_unreadable_account_says_what_to_do_about_each_reason() {
    for finding in [Finding::Unreadable, Finding::Unknown, Finding::Failing] {
        let alert = finding.alert();
        let text = read(&format!("deploy/runbooks/{alert}.md"));
        for &reason in Reason::ALL {
            let name = format!("`{}`", reason.as_str());
            let row = text
                .lines()
                .find(|line| line.starts_with('|') && line.contains(&name));
            let row = row.unwrap_or_else(|| panic!("{alert} has no row for {name}"));
            assert!(
                plain(row).contains(&plain(words::advice(reason))),
                "{alert}: {name}"
            );
        }
        let view = view("us-east-1", None);
        let findings = only([finding, Finding::Failing]);
        let procedures = procedure::procedures(&view, findings, Duration::ZERO);
        let last = procedures[0].steps.last().unwrap();
        for part in [&last.text, &last.command] {
            assert!(plain(&text).contains(&plain(part)), "{alert}: {part}");
        }
    }
}

#[test]
fn the_procedure_that_is_likely_to_work_is_first() {
    let titles = |region, access| {
        let view = view(region, access);
        let findings = Findings::of(&view, Moment::default());
        let procedures = procedure::procedures(&view, findings, Duration::from_secs(60));
        procedures.iter().map(|it| it.title).collect::<Vec<_>>()
    };
    let (session, program) = ("Through a root session", "With this program");
    assert_eq!(
        titles("us-east-1", None),
        [session, "In the console", program]
    );
    let own = titles("us-east-1", Some(Access::Caller));
    assert_eq!(own, ["In the console", session, program]);
    let own = titles("us-gov-west-1", Some(Access::Caller));
    assert_eq!(own, ["With the root key itself", session, program]);
}

#[test]
fn the_runbook_of_an_alert_is_where_its_rule_says() {
    let rules = read("deploy/prometheus/aws-root-exporter.rules.yml");
    let alerts = Finding::ALL.map(Finding::alert);
    for alert in alerts
        .into_iter()
        .chain(["AWSRootAccessKeyUsed", "AWSRootConsoleSignIn"])
    {
        assert!(rules.contains(&format!("{RUNBOOKS}{alert}.md")), "{alert}");
    }
}
