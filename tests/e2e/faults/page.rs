//! `docs/reliability.md`: text by hand, and the table as the tests verify it.

use std::fmt::Write as _;

use test_support::check_document;

use super::table::{Operation, Row, Shown, Trouble, rows};

const INTRODUCTION: &str = "\
<!-- Generated from the table in tests/e2e/faults. After a change there: UPDATE_DOCS=1 cargo test --test e2e faults::page -->

# When something fails

What the exporter shows while AWS, the network, a disk or a clock fails, and how it recovers. The tests verify the matrix below row by row: each fault in each call, with an
account that has a finding, one that is fine and one that was never seen before, beside others that meet no fault.

## What stays and what expires

- **No failure is ever shown as a value.** What was never known has no sample. An answer that is late, torn, cut short, another account's or unreadable is no answer and changes nothing.
- **A finding stays.** An active key, a certificate, MFA that is off: neither failures nor time end it, only newer evidence.
- **A fine value stays until its staleness**: `refresh.max_live_staleness` (30 minutes) after the last live answer to that question, `refresh.max_staleness` (10 hours)
  after the evidence was true. Then its series ends, and `absent` or `aws_account_up == 0` is what to alert on.
- **Every call stands alone.** Each answer counts the moment it arrives; one that hangs delays no other, of the same account or of another. Only what opens a session is shared by the calls made with it.
- **The sources replace each other.** While reports fail, the live sources show each change; while those fail, a newer report does. Where GenerateCredentialReport fails, the report
  that AWS still has is read. Where ListAccessKeys fails, the summary of the same root session says whether there are keys; where the summary fails, the list does.
- **Failures are counted where they happen.** `aws_account_up` says which source is down, `aws_account_refresh_failures_total` and the log say why. A root session is up while its list of keys can be
  read; its other calls are counted as its failures and do not set it to 0. (Not GetAccessKeyLastUsed: AWS refuses it for a key that was deleted a moment ago.)

[How evidence becomes a metric](evidence.md) has the rules in full, and [what to do](evidence.md#when-it-fails) about each reason.

## How it is tried again

- **Summaries and root sessions**: after a random pause of up to one interval, doubled with each failure in a row, to ten intervals, 5 minutes at most. The first answer ends that, and the
  account is polled at its own place in the interval again.
- **Reports, and the details of a root session** (last use, MFA, certificates, login profile): likewise, to 15 intervals, 15 minutes at most.
- **Sessions** are renewed in the background after two thirds of their lifetime; no call waits for that while the old one is valid. A session that cannot be renewed is used until it ends.
- **A call whose session AWS does not accept** is made once more with a new one, at once; so is a call that is denied although it used to work. What is denied with the new session too
  stays denied until it has worked again. A session that turns out to be another account's is dropped, so that the next attempt opens one anew.
- **The caller's own GetCallerIdentity** is asked again after 1, 2, 4 … seconds, up to a minute, and at least once in `organization.interval`. Listed accounts, and those of an organization
  that is known from before, do not wait for it.
- **A page of ListAccounts that fails** is asked for eight times more, after pauses of up to 10 seconds; what was read so far stays. `aws_root_exporter_discovery_up` is 0 from the third failure in a
  row on. Then, or at once where access is denied or there is no organization, the list is given up and read again after a pause of up to 15 intervals, 15 minutes at most.
- **Tags** of an account that fail are asked for again after those of all others.
- Nothing has to be restarted: a failure ends with its cause.

## Restarts, disks and clocks

- **A restart** with `state.path` continues with what was known, from the first scrape on: a finding is there, a fine value only if it has not expired meanwhile. Without `state.path`
  nothing is known until AWS has answered.
- **A full disk, or one that hangs**, changes no value: a new finding waits for it, 2 seconds at most, and is shown then. `aws_root_exporter_state_last_save_successful` is 0 until the
  file can be written; what is in the file stays whole. Only what was learned since is lost in a crash.
- **A part of the exporter that ends or panics** ends the process with exit code 1, and systemd or Kubernetes starts it again. A panic while one account is asked costs that question, with the reason `other`.
- **The wall clock** set forward or back expires nothing and keeps nothing young: ages run on a monotonic clock, which goes on while the machine is suspended. The wall clock is used where an answer names no
  time, for ages over a restart, and by AWS to judge requests: far enough off, AWS refuses them, as `credentials` or `access_denied`. `aws_root_exporter_clock_skew_seconds` says how far it is off.
- **AWS's clock** dates what is displayed, and says how old a report was when it was received. One that is off, and one that is right again, changes no value.
";

const TABLE: &str = "
## The matrix

What each fault in each call is counted as: the `reason` of `aws_account_refresh_failures_total`, of ListAccounts the `outcome` of
`aws_root_exporter_aws_requests_total`. *Nothing* is no failure, and none is counted; an empty cell cannot happen, or a failure of an earlier call hides it.

";

const SHOWN: &str = "
What is shown meanwhile, where an account is read by its role or by a root session alone:

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
With `access = \"both\"`, where one of these calls hangs, everything is shown as it is: the other sources answer. Where AWS's clock is off, everything is shown as it is. Where the
address of IAM or STS is wrong, all calls to it fail: a finding stays, a fine value stays until its staleness, and an account never seen before has nothing. A fine value that has expired comes back with an answer, never by itself.
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

/// What is shown where a call fails.
fn shown(rows: &[Row], operation: Operation) -> &'static str {
    let failing = rows
        .iter()
        .find(|row| row.operation == operation && row.reason.is_some() && row.is_simulated());
    match failing.map(|row| row.shown) {
        Some(Shown::TheTruth) => {
            "what AWS says now, by the other calls | what AWS says now, by the other calls | what the other calls say"
        }
        Some(Shown::BeforeOrReport) => {
            "the finding | 0 until its staleness, then nothing | what its report says"
        }
        Some(Shown::BeforeOrNothing) => {
            "the finding | 0 until its staleness, then nothing | nothing"
        }
        Some(Shown::TheList) => {
            "what AWS says now | what AWS says now | nothing; `aws_root_exporter_discovery_up` is 0"
        }
        None => "",
    }
}

#[test]
fn the_page_about_reliability_is_the_table() {
    let command = "cargo test --test e2e faults::page";
    check_document("docs/reliability.md", &page(), command);
}
