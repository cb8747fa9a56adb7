//! `check --format junit`: a test suite for each account and a test for each control, for the test reports
//! of a pipeline. A key that the configuration accepts is a skipped test, and what is unknown an error.

use askama::Template;

use super::checked::Checked;
use super::control::{Control, Outcome};
use crate::advice::{Finding, RUNBOOKS};
use root_posture::Timestamp;

/// The report; without accounts that passed if they were left out before.
pub(super) fn print(checked: &[Checked], now: Timestamp) -> String {
    let suites: Vec<_> = checked.iter().map(|it| Suite::of(it, now)).collect();
    let count = |kind| suites.iter().map(|suite| suite.count(kind)).sum();
    let report = Report {
        tests: suites.iter().map(|suite| suite.cases.len()).sum(),
        failures: count(Kind::Failure),
        errors: count(Kind::Error),
        skipped: count(Kind::Skipped),
        timestamp: now.to_string().trim_end_matches('Z').to_owned(),
        suites,
    };
    // Rendering to memory cannot fail.
    report.render().unwrap_or_default() + "\n"
}

#[derive(Template)]
#[template(path = "junit.xml")]
struct Report {
    suites: Vec<Suite>,
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    timestamp: String,
}

/// An account, or a file or organization that could not be read.
struct Suite {
    name: String,
    /// The account's id, the file or `organization`.
    subject: String,
    cases: Vec<Case>,
}

struct Case {
    name: &'static str,
    kind: Kind,
    /// The alert about it.
    type_: &'static str,
    detail: String,
    next: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pass,
    Skipped,
    Failure,
    Error,
}

impl Suite {
    fn of(checked: &Checked, now: Timestamp) -> Self {
        let (subject, name) = match checked {
            Checked::Account(account) => {
                let account = &account.view.account;
                (account.id.to_string(), account.name.as_str())
            }
            Checked::Unread { what, .. } => (what.clone(), ""),
        };
        let name = match name {
            "" => subject.clone(),
            name => format!("{subject} {name}"),
        };
        Self {
            name: plain(&name),
            subject: plain(&subject),
            cases: Control::ALL
                .map(|control| Case::of(control, checked, now))
                .into(),
        }
    }

    fn count(&self, kind: Kind) -> usize {
        self.cases.iter().filter(|case| case.kind == kind).count()
    }
}

impl Case {
    fn of(control: Control, checked: &Checked, now: Timestamp) -> Self {
        let outcome = control.outcome(checked);
        let alert = control.alert(outcome);
        let next = match outcome {
            Outcome::Fail(finding) => finding.next_step(),
            _ => Finding::Unknown.next_step(),
        };
        Self {
            name: control.title(),
            kind: match outcome {
                Outcome::Pass => Kind::Pass,
                Outcome::Accepted => Kind::Skipped,
                Outcome::Fail(_) => Kind::Failure,
                Outcome::Unknown => Kind::Error,
            },
            type_: alert,
            detail: plain(&control.detail(checked, now)),
            next: format!("{next}: {RUNBOOKS}{alert}.md"),
        }
    }
}

/// The text without characters that XML cannot contain, even escaped.
///
/// Source: XML 1.0, production `Char`.
fn plain(text: &str) -> String {
    let replaced = |c: char| match c {
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(replaced).collect()
}
