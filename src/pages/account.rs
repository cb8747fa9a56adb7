//! The page `/accounts/{id}`: what is known of one account, by which evidence, and what to do.

use std::io;

use askama::Template;
use bytes::Bytes;
use exporter_toolkit::hyper::{Response, StatusCode};

use super::query::Reload;
use super::{html, problem};
use crate::account::AccountId;
use crate::activity::Activity;
use crate::advice::accepted::{self, Accepted};
use crate::advice::keys::LastUse;
use crate::advice::origin::{self, KeyState, KnownKey};
use crate::advice::words::{self, Sentence, sentence};
use crate::advice::{Finding, Findings, Level, Procedure, activity, alerts, keys, procedure};
use crate::views::{AccountView, PushView, Snapshot};
use root_posture::{Metric, Moment, Source, Timestamp};

/// How many activities are shown before the reader asks for more.
const SHOWN: usize = 10;

/// The page as a response; status 404 when `id` is no id of an account that is monitored here.
pub(super) fn response(
    snapshot: &Snapshot,
    id: &str,
    reload: Reload,
) -> io::Result<Response<Bytes>> {
    let missing = |title, text: &str| {
        let home = "../".repeat(1 + id.matches('/').count());
        problem::response(StatusCode::NOT_FOUND, &home, title, text)
    };
    let Ok(account) = id.parse::<AccountId>() else {
        return missing(
            "There is no such account",
            "An account id has 12 digits, without dashes.",
        );
    };
    match snapshot.account(account) {
        Some(view) => html::reloading(StatusCode::OK, &Page::of(view, snapshot, reload), reload),
        None => missing(
            "This account is not monitored here",
            "It may belong to another shard, have been removed, or be excluded.",
        ),
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct Page<'a> {
    now: Timestamp,
    view: &'a AccountView,
    reload: Reload,
    title: String,
    findings: Findings,
    headline: &'static str,
    /// Each key that matters in a line.
    lines: Vec<Sentence>,
    history: Vec<Sentence>,
    keys: Vec<KnownKey<'a>>,
    accepted: Option<Accepted<'a>>,
    procedures: Vec<Procedure>,
    alerts: Vec<&'static str>,
    /// Whether accounts of this partition have root credentials.
    has_root: bool,
    values: Vec<Value>,
    listed_by: Sentence,
    /// Of CloudTrail, in the Region of global services.
    event_history: Option<String>,
    password: Vec<Sentence>,
    /// What root did, newest first: the first few, and the rest.
    activities: (Vec<&'a Activity>, Vec<&'a Activity>),
    /// `None` without a queue of events.
    push: Option<&'a PushView>,
}

/// A value with its evidence.
struct Value {
    label: &'static str,
    text: String,
    level: Level,
    metric: Option<Metric>,
}

impl<'a> Page<'a> {
    fn of(view: &'a AccountView, snapshot: &Snapshot, reload: Reload) -> Self {
        let Snapshot { moment, now, .. } = *snapshot;
        let findings = Findings::of(view, moment, now);
        let account = &view.account;
        Self {
            now,
            view,
            reload,
            title: match account.name.as_str() {
                "" => account.id.to_string(),
                name => name.to_owned(),
            },
            findings,
            headline: headline(view, findings, moment),
            lines: accepted::sentences(view, moment, now)
                .into_iter()
                .chain(origin::lines(view, moment))
                .collect(),
            history: evidence(view, moment)
                .into_iter()
                .chain(keys::history(view, moment))
                .collect(),
            keys: origin::known_keys(view, moment),
            accepted: Accepted::of(view, moment, now),
            procedures: procedure::procedures(view, findings, &snapshot.exporter),
            alerts: alerts(view, findings, now),
            has_root: account.partition().has_root_credentials(),
            values: values(view, findings, moment),
            listed_by: listed_by(view),
            event_history: activity::history_url(account.partition(), "Username", "root"),
            password: password(view),
            activities: newest(view),
            push: snapshot.exporter.events.as_ref().map(|_| &view.push),
        }
    }

    /// How urgent a key is, and its state in a word.
    fn state_of(&self, key: &KnownKey<'_>) -> (Level, &'static str) {
        let state = key.state.as_str();
        match key.state {
            KeyState::Inactive => (Level::Warning, state),
            _ if self.accepts(key) => (Level::Fine, "accepted"),
            KeyState::Active | KeyState::Assumed => (Level::Critical, state),
        }
    }

    fn accepts(&self, key: &KnownKey<'_>) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| {
            let mut by = accepted.by.iter();
            by.any(|it| !accepted.is_verified || key.id == Some(it.key.as_str()))
        })
    }

    /// The time of the evidence for the number of active keys.
    fn oldest(&self) -> Option<Timestamp> {
        self.view.posture.keys_active.map(|keys| keys.observed)
    }

    /// The link to this page, reloaded or not.
    fn link(&self, reload: Reload) -> String {
        let id = self.view.account.id;
        match reload.slug() {
            "" => format!("./{id}"),
            slug => format!("./{id}?reload={slug}"),
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
        Some(Finding::KeyActive) => {
            let count = keys::Count::of(view, moment);
            match (count.is_assumed(), count.active) {
                (true, Some(2)) => {
                    "AWS reports two root access keys, assumed active until their status is known"
                }
                (true, _) => {
                    "AWS reports a root access key, assumed active until its status is known"
                }
                (false, Some(2)) => "The root user has two active access keys",
                (false, _) => "The root user has an active access key",
            }
        }
        Some(Finding::Unreadable) => {
            "This account can no longer be read: somebody may have removed our access"
        }
        Some(Finding::NoMfa) => "The root user has no MFA",
        Some(Finding::KeyInactive) => "The root user has an inactive access key",
        Some(Finding::Certificate) => "The root user has an active signing certificate",
        Some(Finding::Unknown) => "It is not known whether the root user has an access key",
        Some(Finding::Failing) => "A source of this account fails",
        None if !view.account.partition().has_root_credentials() => {
            "Accounts in China have no root credentials"
        }
        None if keys::Count::of(view, moment).active > Some(0) => {
            "The root user's access key is accepted by the configuration"
        }
        None => "The root user has no access key",
    }
}

/// What root did, newest first: what is shown at once, and what is shown on request.
fn newest(view: &AccountView) -> (Vec<&Activity>, Vec<&Activity>) {
    let mut newest: Vec<_> = view.activities.recent().collect();
    let rest = newest.split_off(newest.len().min(SHOWN));
    (newest, rest)
}

/// The evidence for the number of active keys.
fn evidence(view: &AccountView, moment: Moment) -> Option<Sentence> {
    let keys = view.posture.keys_active?;
    let source = words::source(keys.source);
    let assumed = keys::Count::of(view, moment).is_assumed();
    let text = match (keys.at(moment), keys.value) {
        (None, _) => "no active key. It is too old to show the current state.",
        (_, 0) => "no active key.",
        (_, 1) if assumed => "a key, without its status.",
        (_, 1) => "an active key.",
        _ if assumed => "two keys, without their status.",
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
