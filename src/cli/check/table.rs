//! `check` for people: which account, which key, since when, last used when and where, and what
//! to do next.

use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::saved::Made;
use super::seen::{Checked, Key, SAVE_AGAIN, Seen, Verdict};
use crate::cli::args::CheckFinding;
use root_posture::KeyDetail;
use root_posture::Metric;
use root_posture::Timestamp;

const BAD: Style = AnsiColor::Red.on_default().bold();
const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
const FINE: Style = AnsiColor::Green.on_default();
const HEAD: Style = Style::new().bold();
const PLAIN: Style = Style::new();

/// AWS makes a new report every four hours: an older one says what was.
const FRESH: Duration = Duration::from_secs(4 * 3600);

const HEADER: [&str; 5] = ["ACCOUNT", "NAME", "ROOT KEYS", "ROOT MFA", "AS OF"];

/// How many accounts came to what.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    found: usize,
    clean: usize,
    unknown: usize,
    without_mfa: usize,
}

impl Counts {
    pub fn of(checked: &[Checked]) -> Self {
        let mut counts = Self::default();
        for checked in checked {
            let is_without_mfa = checked.findings().contains(&CheckFinding::Mfa);
            counts.without_mfa += usize::from(is_without_mfa);
            match checked.verdict() {
                Verdict::Found { .. } => counts.found += 1,
                Verdict::Clean => counts.clean += 1,
                Verdict::Unknown => counts.unknown += 1,
            }
        }
        counts
    }
}

struct Row {
    cells: [(String, Style); 5],
    /// What stands below it.
    details: Vec<String>,
}

/// The rows, and in one line what `all` come to.
pub(super) fn print(checked: &[Checked], all: Counts, now: Timestamp) -> String {
    let rows: Vec<Row> = checked.iter().map(|checked| row(checked, now)).collect();
    let mut text = String::new();
    if !rows.is_empty() {
        // A column that no row fills is left out.
        let mut widths = [0; HEADER.len()];
        for row in &rows {
            for ((width, head), (cell, _)) in widths.iter_mut().zip(HEADER).zip(&row.cells) {
                if !cell.is_empty() {
                    *width = cell.width().max(head.len()).max(*width);
                }
            }
        }
        line(
            &mut text,
            &HEADER.map(|head| (head.to_owned(), HEAD)),
            widths,
        );
        for row in &rows {
            line(&mut text, &row.cells, widths);
            for detail in &row.details {
                text.push_str("    ");
                text.push_str(detail);
                text.push('\n');
            }
        }
        text.push('\n');
    }
    text.push_str(&sum(all));
    text
}

/// Cells side by side, without blanks at the end.
fn line(text: &mut String, cells: &[(String, Style); 5], widths: [usize; 5]) {
    let mut blanks = 0;
    for ((cell, style), width) in cells.iter().zip(widths) {
        if width == 0 {
            continue;
        }
        if !cell.is_empty() {
            text.push_str(&" ".repeat(blanks));
            blanks = 0;
            if *style == PLAIN {
                text.push_str(cell);
            } else {
                // Writing to a string cannot fail.
                let _ = write!(text, "{style}{cell}{style:#}");
            }
        }
        blanks += width - cell.width() + 2;
    }
    text.push('\n');
}

fn row(checked: &Checked, now: Timestamp) -> Row {
    match checked {
        Checked::Account(seen) => account(seen, now),
        Checked::Unread {
            what, why, next, ..
        } => Row {
            cells: [
                (shown(what), PLAIN),
                (String::new(), PLAIN),
                ("unknown".to_owned(), UNSURE),
                (String::new(), PLAIN),
                (String::new(), PLAIN),
            ],
            details: vec![shown(why), format!("next  {next}")],
        },
    }
}

fn account(seen: &Seen, now: Timestamp) -> Row {
    let account = &seen.view.account;
    let observed = seen.observed();
    let mut details: Vec<String> = seen.keys().iter().map(key).collect();
    details.extend(notes(seen, now));
    details.extend(next(seen).map(|next| format!("next  {next}")));
    Row {
        cells: [
            (account.id.to_string(), PLAIN),
            (shown(&account.name), PLAIN),
            keys(seen),
            mfa(seen, seen.view.posture.mfa_enabled),
            (observed.map_or_else(String::new, minute), PLAIN),
        ],
        details,
    }
}

/// How many keys there are, and then each of them.
pub(in crate::cli) fn key_lines(seen: &Seen, now: Timestamp) -> Vec<String> {
    let (count, _) = keys(seen);
    std::iter::once(count)
        .chain(seen.keys().iter().map(key))
        .chain(notes(seen, now))
        .collect()
}

fn keys(seen: &Seen) -> (String, Style) {
    match seen.verdict() {
        Verdict::Clean => ("none".to_owned(), FINE),
        Verdict::Unknown => ("unknown".to_owned(), UNSURE),
        Verdict::Found { active: 0, present } => (format!("{present} inactive"), UNSURE),
        Verdict::Found { active, present } if active == present => {
            (format!("{active} active"), BAD)
        }
        Verdict::Found { active, present } => (
            format!("{active} active, {} inactive", present - active),
            BAD,
        ),
    }
}

fn mfa(seen: &Seen, figure: Option<Metric>) -> (String, Style) {
    match seen.value(figure) {
        None => (String::new(), PLAIN),
        Some(0) => ("off".to_owned(), BAD),
        Some(_) => ("on".to_owned(), FINE),
    }
}

/// Which key, since when, last used when and where.
fn key(key: &Key<'_>) -> String {
    let state = if key.active { "active" } else { "inactive" };
    let Some(told) = &key.told else {
        return format!("a key  {state}, created since the last credential report");
    };
    let name = match told.id {
        Some(id) => shown(id),
        None => format!("key {}", told.slot.as_str()),
    };
    let since = told.last_rotated.map_or_else(
        || "since an unknown time".to_owned(),
        |time| format!("since {}", minute(time)),
    );
    format!("{name}  {state}, {since}, {}", last_used(told))
}

/// When and where a key was last used.
fn last_used(key: &KeyDetail<'_>) -> String {
    let Some(time) = key.last_used else {
        return "never used".to_owned();
    };
    let mut text = format!("last used {}", minute(time));
    if let Some(service) = key.last_used_service {
        let _ = write!(text, " for {}", shown(service));
    }
    if let Some(region) = key.last_used_region {
        let _ = write!(text, " in {}", shown(region));
    }
    text
}

/// What a reader must know to believe the row.
fn notes(seen: &Seen, now: Timestamp) -> Vec<String> {
    let mut notes = Vec::new();
    match &seen.saved {
        Some((file, Made::At(made))) if now.since(*made) > FRESH => notes.push(format!(
            "{} is {} old: too old to tell what holds today",
            shown(file),
            age(now.since(*made)),
        )),
        Some((file, Made::Between { first, last })) => {
            let mut note = format!("{} does not say when it was made", shown(file));
            for (which, time) in [("earliest", first), ("latest", last)] {
                if let Some(time) = time {
                    let _ = write!(note, ", at the {which} {}", minute(*time));
                }
            }
            notes.push(note);
        }
        Some((_, Made::At(_))) | None => {}
    }
    if seen.saved.is_none()
        && seen.verdict() == Verdict::Unknown
        && let Some(report) = &seen.view.report
    {
        notes.push(format!(
            "its credential report is {} old: too old to tell what holds now",
            age(now.since(report.generated)),
        ));
    }
    if seen.has_no_root_credentials() {
        notes.push(format!(
            "accounts in {} have no root user credentials",
            seen.view.account.partition()
        ));
    }
    for source in &seen.view.sources {
        if source.up == Some(false)
            && let Some((_, failure)) = &source.last_failure
        {
            notes.push(format!(
                "{}: {}",
                source.source,
                shown(&failure.to_string())
            ));
        }
    }
    notes
}

fn next(seen: &Seen) -> Option<String> {
    let id = seen.view.account.id;
    match seen.verdict() {
        Verdict::Clean if seen.is_without_mfa() => Some(
            "give the root user MFA, or delete the root password of a member account".to_owned(),
        ),
        Verdict::Clean => None,
        Verdict::Unknown if seen.saved.is_some() => {
            Some(format!("{SAVE_AGAIN}; or raise --max-age"))
        }
        Verdict::Unknown => Some(
            "fix what failed above and check again; `aws-root-exporter policy audit-role` prints \
             the rights that are needed"
                .to_owned(),
        ),
        Verdict::Found { active: 0, .. } => Some(format!(
            "delete what is left: aws-root-exporter remediate --account {id}"
        )),
        Verdict::Found { .. } => Some(format!(
            "move whoever uses it to a role, then delete it: \
             aws-root-exporter remediate --account {id}"
        )),
    }
}

fn sum(all: Counts) -> String {
    let Counts {
        found,
        clean,
        unknown,
        without_mfa,
    } = all;
    let total = found + clean + unknown;
    let accounts = if total == 1 { "account" } else { "accounts" };
    let mut text = format!("{total} {accounts}: {found} with root access keys, {clean} without");
    if unknown > 0 {
        let _ = write!(text, ", {unknown} that could not be judged");
    }
    if without_mfa > 0 {
        let _ = write!(text, "; {without_mfa} without root MFA");
    }
    text.push_str(".\n");
    text
}

/// A time to the minute, UTC: `2026-09-11 13:14Z`.
fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute}Z"),
        // A year that RFC 3339 cannot write.
        _ => text,
    }
}

fn age(age: Duration) -> String {
    const HOUR: u64 = 3600;
    let hours = age.as_secs() / HOUR;
    if hours < 48 {
        format!("{hours} hours")
    } else {
        format!("{} days", hours / 24)
    }
}

/// A text from outside, without what would move a terminal's cursor or change its colours.
pub(in crate::cli) fn shown(text: &str) -> String {
    text.chars()
        .flat_map(|char| {
            let escaped = char.is_control().then(|| char.escape_default());
            let plain = escaped.is_none().then_some(char);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_cannot_write_to_the_terminal() {
        assert_eq!(shown("pro\u{1b}[31md\n"), "pro\\u{1b}[31md\\n");
        assert_eq!(shown("Zürich 東京"), "Zürich 東京");
    }

    #[test]
    fn times_are_to_the_minute() {
        let time = Timestamp::parse("2026-09-11T13:14:52Z").unwrap();
        assert_eq!(minute(time), "2026-09-11 13:14Z");
        assert_eq!(age(Duration::from_secs(47 * 3600)), "47 hours");
        assert_eq!(age(Duration::from_secs(75 * 86_400)), "75 days");
    }

    #[test]
    fn columns_stand_below_each_other_whatever_the_script() {
        let cells = |name: &str| ["1", name, "none", "", ""].map(|cell| (cell.to_owned(), PLAIN));
        let mut text = String::new();
        line(&mut text, &cells("東京"), [3, 6, 4, 0, 0]);
        line(&mut text, &cells("abcdef"), [3, 6, 4, 0, 0]);
        assert_eq!(text, "1    東京    none\n1    abcdef  none\n");
    }
}
