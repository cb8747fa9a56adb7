//! `docs/reliability.md`: a page by hand, and the table as the tests prove it.

use std::fmt::Write as _;
use std::path::Path;

use super::table::{Operation, Row, Shown, Trouble, rows};

const INTRODUCTION: &str = "\
<!-- Generated from the table in tests/e2e/faults. After a change there: UPDATE_DOCS=1 cargo test --test e2e faults::page -->

# When something fails

What the exporter shows while AWS, the network, a disk or a clock fails, and how it comes back. The matrix below is what the tests prove, row by
row: each failure in each call, with an account that has a finding, one that is fine and one that was never seen before, while others beside them meet no failure.

## What stays and what expires

- **No failure is ever shown as a value.** What was never learnt has no sample. An answer that is late, torn, cut short, another account's or not to be read
  is no answer, and changes nothing.
- **A finding stays.** An active key, a certificate, MFA that is off: neither failures nor time take it back, only newer evidence.
- **A fine value stays until its staleness**: `refresh.max_live_staleness` (30 minutes) after the last look that worked, `refresh.max_staleness` (10 hours)
  after the evidence was true. Then its series ends, and `absent` or `aws_account_up == 0` is what to alert on.
- **The sources stand in for each other.** While reports fail, looks tell of each change; while looks fail, a newer report does. Which of them fail is told by
  `aws_account_up`, why by `aws_account_refresh_failures_total` and the log.
- **Accounts fail alone.** One that hangs or is refused delays no other, and its failures are counted as its own.

[How answers become a figure](evidence.md) has the rules in full, and [what to do](evidence.md#when-it-fails) about each reason.

## How it is tried again

- **Looks**: after a random pause of up to one interval, doubled with each failure in a row, to ten intervals, 5 minutes at most. The first answer ends that, and the account
  is back at its own place in the interval.
- **Reports and lists of accounts**: likewise, to 15 intervals, 15 minutes at most.
- **Sessions** are renewed in the background after two thirds of their lifetime; no call waits for that while the old one is valid.
- **A call that is refused for its session** is made once more with a new one, at once; so is a call that is denied although it used to work. What is denied with the new session too
  stays denied until it has worked again. A session that turns out to be another account's is dropped, so that the next attempt opens one anew.
- **A page of ListAccounts that fails** is asked for eight times more, after pauses of up to 10 seconds, before the list is given up for this time; what was read so far stays.
- **The caller's identity** is asked for again after 1, 2, 4 … seconds, up to a minute, and at least once in `organization.interval`.
- Nothing has to be restarted: with its cause, a failure ends by itself.

## Restarts, disks and clocks

- **A restart** with `state.path` goes on with what was known, from the first scrape on: a finding is there, a fine value only if it has not expired meanwhile. Without `state.path`
  nothing is known until AWS has answered.
- **A full disk, or one that hangs**, costs no figure: a new finding waits for it, 2 seconds at most, and is shown then. `aws_root_exporter_state_last_save_successful` is 0 until the
  file can be written; the file that is there stays whole. Only what was learnt since is lost in a crash.
- **The local clock** set forward or back expires nothing and keeps nothing young: ages run on the monotonic clock. It is used where an answer names no time, for ages over a restart, and by
  AWS to judge requests: far enough off, AWS refuses them, as `credentials` or `access_denied`. `aws_root_exporter_clock_skew_seconds` says how far it is off.
- **AWS's clock**, as its answers tell it, orders the evidence. One that is off, and one that is right again, costs no figure.
";

const TABLE: &str = "
## The matrix

What each failure of each call is counted as: the `reason` of `aws_account_refresh_failures_total`, of ListAccounts the `outcome` in
`aws_root_exporter_aws_requests_total`. *Nothing* is no failure, and none is counted; an empty cell is what cannot happen there, or what a failure of an earlier
call hides.

";

const SHOWN: &str = "
What is shown meanwhile:

| call that fails | account with a finding | account that is fine | account never seen before |
| --- | --- | --- | --- |
";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str(TABLE);
    let names = Operation::ALL.map(|operation| operation.to_string());
    let rule = " --- |".repeat(names.len() + 1);
    // Writing to a text cannot fail.
    let _ = writeln!(page, "| what goes wrong | {} |\n|{rule}", names.join(" | "));
    let rows = rows();
    for trouble in troubles(&rows) {
        let cells = Operation::ALL.map(|operation| cell(&rows, trouble, operation));
        let _ = writeln!(page, "| {trouble} | {} |", cells.join(" | "));
    }
    page.push_str(SHOWN);
    for operation in Operation::ALL {
        let _ = writeln!(page, "| {operation} | {} |", shown(&rows, operation));
    }
    page.push_str(FOOTNOTE);
    page
}

const FOOTNOTE: &str = "
Where AWS's clock is off, everything is shown as it is. Where one address is wrong, all calls to it fail, and what is shown is what the
last of them in this table shows. A fine value that has expired never comes back by itself: it comes back with an answer.
";

/// Each trouble once, in the order of the table.
fn troubles(rows: &[Row]) -> Vec<Trouble> {
    let mut troubles: Vec<Trouble> = Vec::new();
    for row in rows {
        if !troubles.contains(&row.trouble) {
            troubles.push(row.trouble);
        }
    }
    troubles
}

fn cell(rows: &[Row], trouble: Trouble, operation: Operation) -> String {
    let row = rows
        .iter()
        .find(|row| row.trouble == trouble && row.operation == operation);
    row.map_or(String::new(), |row| match row.reason {
        Some(reason) => format!("`{reason}`"),
        None => "nothing".to_owned(),
    })
}

/// What is shown where a call fails by an answer that is none.
fn shown(rows: &[Row], operation: Operation) -> &'static str {
    let failing = rows
        .iter()
        .find(|row| row.operation == operation && row.reason.is_some() && row.kind().is_some());
    match failing.map(|row| row.shown) {
        Some(Shown::TheTruth) => {
            "what AWS says now, by the looks | what AWS says now, by the looks | what the looks say"
        }
        Some(Shown::BeforeOrReport) => {
            "the finding | 0 until its staleness, then nothing | what its report says"
        }
        Some(Shown::BeforeOrNothing) => {
            "the finding | 0 until its staleness, then nothing | nothing"
        }
        Some(Shown::TheList | Shown::TheListWithPatience) => {
            "what AWS says now | what AWS says now | nothing; `aws_root_exporter_discovery_up` is 0"
        }
        None => "",
    }
}

#[test]
fn the_page_about_reliability_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/reliability.md differs from the table; write it anew with \
         UPDATE_DOCS=1 cargo test --test e2e faults::page"
    );
}
