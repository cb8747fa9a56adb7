//! `check --format table`: which account, which key, since when, last used when and where, and what
//! to do next.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::checked::{Checked, CheckedAccount, Key, SAVE_AGAIN};
use super::saved::Made;
use crate::advice::words::{self, minute, span};
use crate::advice::{keys, procedure};
use crate::cli::args::CheckFinding;
use crate::cli::table::{Cell, Row, table};
use root_posture::Timestamp;

const BAD: Style = AnsiColor::Red.on_default().bold();
const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
const FINE: Style = AnsiColor::Green.on_default();

/// AWS makes a new report every four hours: an older one does not show the current state.
const FRESH: Duration = Duration::from_secs(4 * 3600);

const HEADER: [&str; 5] = ["ACCOUNT", "NAME", "ROOT KEYS", "ROOT MFA", "AS OF"];

/// The accounts in a table, and the summary.
pub(super) fn print(checked: &[Checked], summary: &str, now: Timestamp) -> String {
    let rows: Vec<_> = checked.iter().map(|checked| row(checked, now)).collect();
    let mut text = table(HEADER, &rows);
    if !rows.is_empty() {
        text.push('\n');
    }
    text + summary
}

/// How many accounts have which findings, in a line.
pub(super) fn summary(checked: &[Checked]) -> String {
    let count = |finding| {
        let has = |checked: &&Checked| checked.findings().contains(&finding);
        checked.iter().filter(has).count()
    };
    let (present, unknown) = (count(CheckFinding::Present), count(CheckFinding::Unknown));
    let accepted = checked.iter().filter(|it| it.is_accepted()).count();
    let mut text = format!(
        "{}: {present} with root access keys, {} without",
        words::accounts(checked.len()),
        checked.len() - present - unknown - accepted,
    );
    // Writing to a string cannot fail.
    if accepted > 0 {
        let _ = write!(text, ", {accepted} with accepted keys only");
    }
    if unknown > 0 {
        let _ = write!(text, ", {unknown} unknown");
    }
    let without_mfa = count(CheckFinding::Mfa);
    if without_mfa > 0 {
        let _ = write!(text, "; {without_mfa} without root MFA");
    }
    text + ".\n"
}

fn row(checked: &Checked, now: Timestamp) -> Row<5> {
    let checked = match checked {
        Checked::Account(checked) => checked,
        Checked::Unread {
            what, why, next, ..
        } => {
            return Row {
                cells: [
                    Cell::from(what),
                    Cell::default(),
                    Cell::new("unknown", UNSURE),
                    Cell::default(),
                    Cell::default(),
                ],
                details: vec![why.clone(), format!("next  {next}")],
            };
        }
    };
    let account = &checked.view.account;
    let findings = checked.findings();
    let style = match &*findings {
        [CheckFinding::Active, ..] => BAD,
        [] | [CheckFinding::Mfa] => FINE,
        _ => UNSURE,
    };
    let mut lines = key_lines(checked, now).into_iter();
    let keys = lines.next().unwrap_or_default();
    let next = next(checked, &findings).map(|next| format!("next  {next}"));
    Row {
        cells: [
            Cell::from(account.id.to_string()),
            Cell::from(&account.name),
            Cell::new(&keys, style),
            match checked.value(checked.view.posture.mfa_enabled) {
                None => Cell::default(),
                Some(0) => Cell::new("off", BAD),
                Some(_) => Cell::new("on", FINE),
            },
            Cell::from(checked.observed().map_or_else(String::new, minute)),
        ],
        details: lines.chain(next).collect(),
    }
}

/// How many keys there are, then a line for each, then what limits the evidence.
pub(in crate::cli) fn key_lines(checked: &CheckedAccount, now: Timestamp) -> Vec<String> {
    let findings = checked.findings();
    let count = if checked.is_accepted() {
        format!("{}, accepted", checked.keys())
    } else if findings.contains(&CheckFinding::Present) {
        match checked.accepted() {
            0 => checked.keys().to_string(),
            accepted => format!("{}; {accepted} accepted", checked.keys()),
        }
    } else if findings.contains(&CheckFinding::Unknown) {
        "unknown".to_owned()
    } else {
        "none".to_owned()
    };
    let keys = checked.each_key();
    let keys = keys.iter().map(key);
    std::iter::once(count)
        .chain(keys)
        .chain(checked.exceptions())
        .chain(notes(checked, now))
        .collect()
}

/// Which key, since when, and when and where it was last used.
fn key(key: &Key<'_>) -> String {
    let Some(listed) = &key.listed else {
        let state = if key.active {
            "assumed active"
        } else {
            "inactive"
        };
        return format!("a key  {state}, created since the last credential report");
    };
    let name = match listed.id {
        Some(id) => id.to_owned(),
        None => format!("key {}", listed.slot.as_str()),
    };
    let used = match listed.last_used {
        Some(time) => keys::used(time, listed.last_used_service, listed.last_used_region),
        None => "never used".to_owned(),
    };
    keys::line(&name, listed.active, listed.last_rotated, &used)
}

/// What limits the evidence of an account.
fn notes(checked: &CheckedAccount, now: Timestamp) -> Vec<String> {
    let too_old = |report: &str, made| {
        let age = span(now.since(made));
        format!("{report} is {age} old: too old to show the current state")
    };
    let mut notes = Vec::new();
    match (&checked.saved, &checked.view.report) {
        (Some((file, Made::At(made))), _) if now.since(*made) > FRESH => {
            notes.push(too_old(file, *made));
        }
        (Some((file, Made::Between { first, last })), _) => {
            let mut note = format!("{file} does not say when it was made");
            for (which, time) in [("earliest", first), ("latest", last)] {
                if let Some(time) = time {
                    let _ = write!(note, ", at the {which} {}", minute(*time));
                }
            }
            notes.push(note);
        }
        (None, Some(report)) if checked.findings().contains(&CheckFinding::Unknown) => {
            notes.push(too_old("its credential report", report.generated));
        }
        _ => {}
    }
    if checked.has_no_root_credentials() {
        let partition = checked.view.account.partition();
        notes.push(format!(
            "accounts in {partition} have no root user credentials"
        ));
    }
    notes.extend(checked.failures());
    notes
}

fn next(checked: &CheckedAccount, findings: &[CheckFinding]) -> Option<String> {
    let remediate = procedure::remediate(checked.view.account.id);
    if findings.contains(&CheckFinding::Active) {
        return Some(format!(
            "move its users to a role, then delete it: {remediate}"
        ));
    }
    if findings.contains(&CheckFinding::Present) {
        return Some(format!("delete the inactive key: {remediate}"));
    }
    if findings.contains(&CheckFinding::Unknown) {
        if checked.saved.is_some() {
            return Some(format!("{SAVE_AGAIN}; or raise --max-age"));
        }
        let mut sources = checked.view.sources.iter();
        let failure = sources.find_map(|it| it.last_failure.as_ref());
        let advice = failure.map(|(_, failure)| words::advice(failure.reason));
        return Some(advice.unwrap_or("check again").to_owned());
    }
    findings.contains(&CheckFinding::Mfa).then(|| {
        "give the root user MFA, or delete the root password of a member account".to_owned()
    })
}
