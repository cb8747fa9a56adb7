//! `docs/reliability.md`: text by hand, and the table as the tests verify it.

use std::fmt::Write as _;

use test_support::check_document;

use super::table::{Operation, Row, Shown, Trouble, rows};

const INTRODUCTION: &str = "\
<!-- Generated from the table in tests/faults. After a change there: UPDATE_DOCS=1 cargo test --features tools --test faults page -->

# When something fails

What the exporter shows while AWS, the network, a disk or a clock fails, and how it recovers. The tests verify the matrix below row by row: each fault in each call, with an
account that has a finding, one without a finding and one that was never seen before, beside others without a fault.

## What stays and what expires

- **No failure is ever shown as a value.** What was never known has no sample. An answer that is late, incomplete, unreadable or of another account changes nothing.
- **A finding stays.** An active key, a certificate or MFA that is off ends neither by failures nor by time, only by newer evidence.
- **A value without a finding stays until it is too old**: `refresh.max_live_staleness` (30 minutes) after the last live answer to that question, `refresh.max_staleness` (10 hours)
  after the time of the evidence. Then its series ends; alert on `absent` or on `aws_account_up == 0`.
- **Calls are independent.** Each answer counts when it arrives; a call that hangs delays no other, of the same account or of another. Calls share only the session that they are made with.
- **The sources replace each other.** While reports fail, the live sources show each change; while those fail, a newer report does. Where GenerateCredentialReport fails, the report
  that AWS still has is read. Where ListAccessKeys fails, the summary of the same root session says whether there are keys; where the summary fails, the list does.
- **Failures are counted where they happen.** `aws_account_up` shows which source is down, `aws_account_refresh_failures_total` and the log show why. A root session is up while its list of keys can be
  read; its other calls are counted as its failures and do not set it to 0. (Not GetAccessKeyLastUsed: AWS refuses it for a key that was deleted a moment ago.)

[How evidence becomes a metric](evidence.md) has the rules in full, and [what to do](evidence.md#when-it-fails) about each reason.

## How it is tried again

- **Summaries and root sessions**: after a random pause of up to one interval, doubled with each failure in a row, to ten intervals, 5 minutes at most. The first answer ends that, and the
  account is polled at its own place in the interval again.
- **Reports, and the details of a root session** (last use, MFA, certificates, login profile): likewise, to 15 intervals, 15 minutes at most.
- **Sessions** are renewed in the background after two thirds of their lifetime; no call waits for that while the old one is valid. A session that cannot be renewed is used until it ends.
- **A call whose session AWS does not accept** is made once more with a new one, at once; so is a call that is denied although it used to work. What is denied with the new session too
  stays denied until it has worked again. A session that turns out to be another account's is dropped, so that the next attempt opens one anew.
- **The caller's own GetCallerIdentity** is called again after 1, 2, 4 … seconds, up to a minute, and at least once in `organization.interval`. Listed accounts, and those of an organization
  that is known from before, do not wait for it.
- **A page of ListAccounts that fails** is requested eight times more, after pauses of up to 10 seconds; what was read so far stays. `aws_root_exporter_discovery_up` is 0 from the third failure in a
  row on. Then, or at once where access is denied or there is no organization, the list is given up and read again after a pause of up to 15 intervals, 15 minutes at most.
- **Tags** of an account that fail are requested again after those of all others.
- No failure needs a restart: it ends with its cause.

## Restarts, disks and clocks

- **A restart** with `state.path` continues with what was known, from the first scrape on: findings are there, other values only if they have not expired meanwhile. Without `state.path`
  nothing is known until AWS has answered.
- **A full disk, or one that hangs**, changes no value: a new finding waits for it, 2 seconds at most, and is shown then. `aws_root_exporter_state_last_save_successful` is 0 until the
  file can be written; what is in the file stays whole. Only what was learned since is lost in a crash.
- **A part of the exporter that ends or panics** ends the process with exit code 1, and systemd or Kubernetes starts it again. A panic during one poll of an account fails that poll, with the reason `other`.
- **The wall clock** set forward or back changes no age: ages run on a monotonic clock, which goes on while the machine is suspended. The wall clock is used where an answer names no
  time, for ages over a restart, and by AWS to check requests: if it is far off, AWS refuses them, as `credentials` or `access_denied`. `aws_root_exporter_clock_skew_seconds` shows how far it is off.
- **AWS's clock** gives the times on display and the age of a report when it is received. If it is wrong, or right again, no value changes.
";

const TABLE: &str = "
## The matrix

What each fault in each call is counted as: the `reason` of `aws_account_refresh_failures_total`, of ListAccounts the `outcome` of
`aws_root_exporter_aws_requests_total`. *nothing* means that nothing fails; an empty cell cannot happen, or the failure of an earlier call hides it.

";

const SHOWN: &str = "
What is shown meanwhile, where an account is read by its role or by a root session alone:

| call that fails | account with a finding | account without a finding | account never seen before |
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
With `access = \"both\"`, where one of these calls hangs, all values are right: the other sources answer. Where AWS's clock is wrong, all values are right. Where the
address of IAM or STS is wrong, all calls to it fail: a finding stays, another value stays until it is too old, and an account never seen before has none. A value that has expired returns only with an answer.
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

/// The values while a call fails.
fn shown(rows: &[Row], operation: Operation) -> &'static str {
    let failing = rows
        .iter()
        .find(|row| row.operation == operation && row.reason.is_some() && row.is_simulated());
    match failing.map(|row| row.shown) {
        Some(Shown::TheTruth) => {
            "the right value, by the other calls | the right value, by the other calls | the right value, by the other calls"
        }
        Some(Shown::BeforeOrReport) => {
            "the finding | 0 until it is too old, then nothing | what its report says"
        }
        Some(Shown::BeforeOrNothing) => {
            "the finding | 0 until it is too old, then nothing | nothing"
        }
        Some(Shown::TheList) => {
            "the right value | the right value | nothing; `aws_root_exporter_discovery_up` is 0"
        }
        None => "",
    }
}

#[test]
fn the_page_about_reliability_is_the_table() {
    let command = "cargo test --features tools --test faults page";
    check_document("docs/reliability.md", &page(), command);
}
