//! The page `/accounts/{id}`: what is known of one account, by which evidence, and what to do.

use std::io;

use askama::Template;
use bytes::Bytes;
use exporter_toolkit::hyper::{Response, StatusCode};

use super::html;
use crate::account::AccountId;
use crate::advice::words::{self, Sentence, sentence};
use crate::advice::{Finding, Findings, Level, Procedure, RUNBOOKS, alerts, keys, procedure};
use crate::views::{AccountView, Snapshot};
use root_posture::{Metric, Moment, Source, Timestamp};

/// The page as a response; status 404 when the account is not monitored here.
pub(super) fn response(snapshot: &Snapshot, id: AccountId) -> io::Result<Response<Bytes>> {
    match snapshot.account(id) {
        Some(view) => html::response(StatusCode::OK, &Page::of(view, snapshot)),
        None => html::response(StatusCode::NOT_FOUND, &Missing),
    }
}

/// The page for an account that is not monitored here.
#[derive(Template)]
#[template(path = "missing.html")]
struct Missing;

#[derive(Template)]
#[template(path = "account.html")]
struct Page<'a> {
    now: Timestamp,
    view: &'a AccountView,
    title: String,
    findings: Findings,
    headline: &'static str,
    history: Vec<Sentence>,
    procedures: Vec<Procedure>,
    alerts: Vec<&'static str>,
    values: Vec<Value>,
    listed_by: Sentence,
    password: Vec<Sentence>,
}

/// A value with its evidence.
struct Value {
    label: &'static str,
    text: String,
    level: Level,
    metric: Option<Metric>,
}

impl<'a> Page<'a> {
    fn of(view: &'a AccountView, snapshot: &Snapshot) -> Self {
        let Snapshot { moment, now, .. } = *snapshot;
        let findings = Findings::of(view, moment);
        let account = &view.account;
        Self {
            now,
            view,
            title: match account.name.as_str() {
                "" => account.id.to_string(),
                name => name.to_owned(),
            },
            findings,
            headline: headline(view, findings, moment),
            history: evidence(view, moment)
                .into_iter()
                .chain(keys::history(view, moment))
                .collect(),
            procedures: procedure::procedures(view, findings, snapshot.exporter.interval),
            alerts: alerts(view, findings, now),
            values: values(view, findings, moment),
            listed_by: listed_by(view),
            password: password(view),
        }
    }

    fn users(&self) -> Vec<(&'static str, u32)> {
        let Some(report) = &self.view.report else {
            return Vec::new();
        };
        let users = &report.users;
        vec![
            ("IAM users", users.users),
            ("with a console password", users.password_enabled),
            (
                "with a password and without MFA",
                users.password_enabled_without_mfa,
            ),
            ("active access keys", users.access_keys_active),
            (
                "active keys older than 90 days",
                users.keys_older_than(90, self.now),
            ),
            (
                "credentials unused for 90 days",
                users.credentials_unused_for(90, self.now),
            ),
            (
                "active signing certificates",
                users.signing_certificates_active,
            ),
        ]
    }
}

fn headline(view: &AccountView, findings: Findings, moment: Moment) -> &'static str {
    match findings.worst() {
        Some(Finding::KeyActive) => match keys::Count::of(view, moment).active {
            Some(2) => "The root user has two active access keys",
            _ => "The root user has an active access key",
        },
        Some(Finding::Unreadable) => {
            "This account can no longer be read: somebody may have removed our access"
        }
        Some(Finding::NoMfa) => "The root user has no MFA",
        Some(Finding::KeyInactive) => "The root user has an inactive access key",
        Some(Finding::Certificate) => "The root user has an active signing certificate",
        Some(Finding::Unknown) => "It is not known whether the root user has an access key",
        Some(Finding::Failing) => "A source of this account fails",
        None if view.account.partition().has_root_credentials() => {
            "The root user has no access key"
        }
        None => "Accounts in China have no root credentials",
    }
}

/// The evidence for the number of active keys.
fn evidence(view: &AccountView, moment: Moment) -> Option<Sentence> {
    let keys = view.posture.keys_active?;
    let source = words::source(keys.source);
    let text = match (keys.at(moment), keys.value) {
        (None, _) => "no active key. It is too old to show the current state.",
        (_, 0) => "no active key.",
        (_, 1) => "an active key.",
        _ => "two active keys.",
    };
    Some(sentence![
        format!("The newest evidence is the {source} of "),
        keys.observed,
        format!(": {text}")
    ])
}

fn values(view: &AccountView, findings: Findings, moment: Moment) -> Vec<Value> {
    let posture = &view.posture;
    let number = |value: u8| value.to_string();
    let flag = |value: u8| if value == 0 { "no" } else { "yes" }.to_owned();
    // The value has the level of the first finding that it causes.
    let row = |label, metric: Option<Metric>, write: fn(u8) -> String, causes: &[Finding]| {
        let value = metric.and_then(|metric| metric.at(moment));
        let finding = causes.iter().find(|finding| findings.has(**finding));
        Value {
            label,
            text: value.map_or_else(|| "unknown".to_owned(), write),
            level: match (value, finding) {
                (None, _) => Level::Unknown,
                (_, Some(finding)) => finding.level(),
                (_, None) => Level::Fine,
            },
            metric,
        }
    };
    let present = [Finding::KeyInactive, Finding::KeyActive];
    vec![
        row(
            "Active access keys",
            posture.keys_active,
            number,
            &[Finding::KeyActive],
        ),
        row(
            "Access keys, active or not",
            posture.keys_present,
            number,
            &present,
        ),
        row("MFA", posture.mfa_enabled, flag, &[Finding::NoMfa]),
        row("Console password", posture.password_enabled, flag, &[]),
        row(
            "Active signing certificates",
            posture.certificates_active,
            number,
            &[Finding::Certificate],
        ),
    ]
}

/// Which source lists the keys one by one.
fn listed_by(view: &AccountView) -> Sentence {
    let by_session = view.root_keys().any(|key| key.id.is_some());
    match (&view.listed, &view.report) {
        (_, Some(report)) if !by_session => sentence![
            "From the credential report of ",
            report.generated,
            ". It does not contain newer keys."
        ],
        (Some(listed), _) => sentence!["From the root session of ", listed.at, "."],
        _ => sentence!["No source that lists single keys has been read yet."],
    }
}

fn password(view: &AccountView) -> Vec<Sentence> {
    let Some(root) = view.report.as_ref().and_then(|report| report.root.as_ref()) else {
        return Vec::new();
    };
    let used = match root.password_last_used {
        Some(time) => sentence!["The root user last signed in with its password ", time, "."],
        None => sentence!["AWS has no record of a sign-in as root with a password."],
    };
    let changed = root
        .password_last_changed
        .map(|time| sentence!["The password was last changed ", time, "."]);
    std::iter::once(used).chain(changed).collect()
}
