//! The page `/accounts/{id}`: what is known of one account, by which evidence, and what to do.

use askama::Template;

use super::finding::{Finding, Findings, Level};
use super::remedy::{self, Procedure};
use super::since::{self, place};
use super::words::{self, Sentence, Times, sentence};
use crate::views::{AccountView, Snapshot, SourceView};
use root_posture::KeyDetail;
use root_posture::Metric;
use root_posture::{Moment, Timestamp};

/// The page as the template writes it.
#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct Page<'a> {
    pub style: &'static str,
    pub now: Timestamp,
    pub content: &'a Sheet,
}

/// The page where there is no such account.
#[derive(Template)]
#[template(path = "missing.html")]
pub(super) struct Missing {
    pub style: &'static str,
}

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sheet {
    pub id: String,
    pub name: String,
    pub partition: &'static str,
    pub labels: Vec<(String, String)>,
    pub level: Level,
    pub findings: Vec<Finding>,
    pub headline: String,
    pub since: Vec<Sentence>,
    pub procedures: Vec<Procedure>,
    /// The runbooks of its alerts: the alert's name and the link.
    pub runbooks: Vec<(&'static str, String)>,
    pub figures: Vec<Fact>,
    pub keys: Vec<Key>,
    /// Who says what is known of the keys one by one.
    pub keys_by: Sentence,
    pub password: Vec<Sentence>,
    pub sources: Vec<Source>,
    pub users: Option<Users>,
}

/// A figure with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fact {
    pub label: &'static str,
    pub value: String,
    pub level: Level,
    pub evidence: Option<(&'static str, Timestamp)>,
}

/// A root access key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub slot: &'static str,
    pub id: String,
    pub active: bool,
    pub rotated: Option<Timestamp>,
    pub used: Option<Timestamp>,
    pub place: String,
}

/// How a source fares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub name: &'static str,
    pub note: &'static str,
    pub up: Option<bool>,
    pub success: Option<Timestamp>,
    /// For the credential report: what it is of, and rows that could not be read.
    pub report: Option<(Timestamp, usize)>,
    /// How often it failed since the start, by reason.
    pub failures: Vec<(&'static str, u64)>,
    pub last_failure: Option<(Timestamp, &'static str, String)>,
}

/// The IAM users in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Users {
    pub generated: Timestamp,
    pub numbers: Vec<(&'static str, u32)>,
}

impl Page<'_> {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "a template hands out references"
    )]
    fn time(&self, time: &Timestamp) -> Times {
        Times::of(*time, self.now)
    }
}

impl Sheet {
    pub fn of(view: &AccountView, snapshot: &Snapshot) -> Self {
        let moment = snapshot.moment;
        let findings = Findings::of(view, moment);
        let account = &view.account;
        Self {
            id: account.id.to_string(),
            name: account.name.clone(),
            partition: account.partition().as_str(),
            labels: account
                .labels
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            level: findings.level(),
            findings: findings.iter().collect(),
            headline: headline(view, findings, moment),
            since: observed(view, moment)
                .into_iter()
                .chain(since::long(view, moment))
                .collect(),
            procedures: remedy::procedures(view, findings, snapshot.exporter.interval),
            runbooks: remedy::runbooks(view, findings, snapshot),
            figures: figures(view, moment),
            keys: view.root_keys().map(Key::of).collect(),
            keys_by: keys_by(view),
            password: password(view),
            sources: view
                .sources
                .iter()
                .map(|source| Source::of(source, view))
                .collect(),
            users: users(view, snapshot.now),
        }
    }

    /// What a person calls the account.
    fn title(&self) -> &str {
        if self.name.is_empty() {
            &self.id
        } else {
            &self.name
        }
    }
}

fn headline(view: &AccountView, findings: Findings, moment: Moment) -> String {
    let active = view.posture.keys_active.and_then(|keys| keys.at(moment));
    match findings.worst() {
        Some(Finding::KeyActive) if active == Some(1) => {
            "The root user has an active access key".to_owned()
        }
        Some(Finding::KeyActive) => "The root user has two active access keys".to_owned(),
        Some(Finding::Unreadable) => {
            "This account can no longer be read: somebody may have cut us off".to_owned()
        }
        Some(Finding::NoMfa) => "The root user has no MFA".to_owned(),
        Some(Finding::KeyInactive) => "The root user has an inactive access key".to_owned(),
        Some(Finding::Certificate) => "The root user has an active signing certificate".to_owned(),
        Some(Finding::Unknown) => "Whether the root user has an access key is not known".to_owned(),
        Some(Finding::Failing) => "A source of this account fails".to_owned(),
        None if view.account.partition().has_root_credentials() => {
            "The root user has no access key".to_owned()
        }
        None => "Accounts in China have no root credentials".to_owned(),
    }
}

/// What the figure of active keys rests on.
fn observed(view: &AccountView, moment: Moment) -> Option<Sentence> {
    let keys = view.posture.keys_active?;
    let source = words::source(keys.source);
    Some(if keys.at(moment).is_some() {
        let value = match keys.value {
            0 => "no active key",
            1 => "an active key",
            _ => "two active keys",
        };
        sentence![
            format!("The newest evidence is the {source} of "),
            keys.observed,
            format!(": {value}.")
        ]
    } else {
        sentence![
            format!("The last evidence, the {source} of "),
            keys.observed,
            ", said that there was no active key. It is too old to be believed."
        ]
    })
}

fn figures(view: &AccountView, moment: Moment) -> Vec<Fact> {
    let posture = &view.posture;
    let number = |value: u8| value.to_string();
    let yes_no = |value: u8| if value == 0 { "no" } else { "yes" }.to_owned();
    let fact =
        |label, figure: Option<Metric>, tell: &dyn Fn(u8) -> String, level: Level, bad: bool| {
            let value = figure.and_then(|figure| figure.at(moment));
            let is_bad = value.is_some_and(|value| (value != 0) == bad);
            Fact {
                label,
                value: value.map_or_else(|| "not known".to_owned(), tell),
                level: match value {
                    None => Level::Unknown,
                    Some(_) if is_bad => level,
                    Some(_) => Level::Fine,
                },
                evidence: figure.map(|figure| (words::source(figure.source), figure.observed)),
            }
        };
    let password = posture
        .password_enabled
        .and_then(|figure| figure.at(moment));
    // Without a password nobody signs in, so MFA guards nothing.
    let no_mfa = if password == Some(0) {
        Level::Fine
    } else {
        Level::Critical
    };
    vec![
        fact(
            "Active access keys",
            posture.keys_active,
            &number,
            Level::Critical,
            true,
        ),
        fact(
            "Access keys, active or not",
            posture.keys_present,
            &number,
            Level::Warning,
            true,
        ),
        fact("MFA", posture.mfa_enabled, &yes_no, no_mfa, false),
        fact(
            "Console password",
            posture.password_enabled,
            &yes_no,
            Level::Fine,
            true,
        ),
        fact(
            "Active signing certificates",
            posture.certificates_active,
            &number,
            Level::Warning,
            true,
        ),
    ]
}

fn keys_by(view: &AccountView) -> Sentence {
    let by_session = view.root_keys().any(|key| key.id.is_some());
    match (&view.listed, &view.report) {
        (Some(listed), _) if by_session => sentence!["By the root session of ", listed.at, "."],
        (_, Some(report)) => sentence![
            "By the credential report of ",
            report.generated,
            ". A newer key is not among them."
        ],
        (Some(listed), None) => sentence!["By the root session of ", listed.at, "."],
        (None, None) => sentence!["Nothing that names single keys was read yet."],
    }
}

fn password(view: &AccountView) -> Vec<Sentence> {
    let Some(root) = view.report.as_ref().and_then(|report| report.root.as_ref()) else {
        return Vec::new();
    };
    let mut told = Vec::new();
    match root.password_last_used {
        Some(time) => told.push(sentence![
            "Root last signed in with its password ",
            time,
            "."
        ]),
        None => told.push(sentence![
            "AWS knows of no sign-in as root with a password."
        ]),
    }
    if let Some(time) = root.password_last_changed {
        told.push(sentence!["The password was last changed ", time, "."]);
    }
    told
}

impl Key {
    fn of(key: KeyDetail<'_>) -> Self {
        Self {
            slot: key.slot.as_str(),
            id: key.id.unwrap_or_default().to_owned(),
            active: key.active,
            rotated: key.last_rotated,
            used: key.last_used,
            place: place(&key),
        }
    }
}

impl Source {
    fn of(source: &SourceView, view: &AccountView) -> Self {
        let report = view
            .report
            .as_deref()
            .filter(|_| source.source == root_posture::Source::CredentialReport);
        Self {
            name: words::source(source.source),
            note: words::source_note(source.source),
            up: source.up,
            success: source.last_success,
            report: report.map(|report| (report.generated, report.rows_skipped)),
            failures: source
                .failures
                .iter()
                .map(|(reason, count)| (words::reason(*reason), *count))
                .collect(),
            last_failure: source
                .last_failure
                .as_ref()
                .map(|(at, failure)| (*at, words::reason(failure.reason), failure.message.clone())),
        }
    }
}

fn users(view: &AccountView, now: Timestamp) -> Option<Users> {
    let report = view.report.as_deref()?;
    let users = &report.users;
    Some(Users {
        generated: report.generated,
        numbers: vec![
            ("IAM users", users.users),
            ("with a console password", users.password_enabled),
            (
                "with a password and without MFA",
                users.password_enabled_without_mfa,
            ),
            ("active access keys", users.access_keys_active),
            (
                "active keys older than 90 days",
                users.keys_older_than(90, now),
            ),
            (
                "credentials unused for 90 days",
                users.credentials_unused_for(90, now),
            ),
            (
                "active signing certificates",
                users.signing_certificates_active,
            ),
        ],
    })
}
