//! `docs/reliability.md`: text by hand, and the table as the tests verify it.

use std::fmt::Write as _;

use test_support::check_document;

use super::table::{Operation, Row, Shown, Trouble, rows};

const INTRODUCTION: &str = "\
<!-- Generated from the table in tests/tools/faults. After a change there: UPDATE_DOCS=1 cargo test --features tools --test tools faults::page -->

# When something fails

This page says what the exporter exports while AWS, the network, a disk or a clock fails, and how it recovers. Tests verify each cell of the matrix below, with an
account that has a finding, one that is fine and one that is new, next to accounts without failures.

## What stays and what expires

- **No failure is ever exported as a value.** A late, torn or unreadable answer, or one of another account, changes nothing.
- **A finding stays**: an active key, a certificate, MFA that is off. Neither failures nor time end it, only newer evidence.
- **A fine value expires** `refresh.max_live_staleness` (30 minutes) after the last live answer to that question, or `refresh.max_staleness` (10 hours)
  after its evidence was true. Then its series ends; alert on `absent` or on `aws_account_up == 0`.
- **Each call fails alone.** An answer counts when it arrives, and no call waits for another one. Only the opening of a session is shared.
- **The sources replace each other.** While reports fail, the live sources show each change; while those fail, a newer report does. If GenerateCredentialReport fails, the existing report is
  read. In a root session, the summary replaces a failing ListAccessKeys, and the list a failing summary.
- **Failures are counted by source**: `aws_account_up` shows the source that is down, `aws_account_refresh_failures_total` and the log show the reason. A root session is up while ListAccessKeys
  works; its other calls only count as failures (except GetAccessKeyLastUsed, which AWS refuses for a key that was just deleted).

See also [the rules](evidence.md) and [what to do](evidence.md#when-it-fails) for each reason.

## How it is tried again

Nothing has to be restarted: a failure ends with its cause.

- **Summaries and root sessions**: after a random pause of up to one interval, which doubles with each failure in a row, up to ten intervals or 5 minutes. After the first answer the
  account returns to its own place in the interval.
- **Reports, and the details of a root session** (last use, MFA, certificates, login profile): likewise, up to 15 intervals or 15 minutes.
- **Sessions** are renewed in the background at two thirds of their life. One that cannot be renewed is used until it ends.
- **A call whose session AWS does not accept**, or that is denied although it used to work, is repeated once, at once, with a new session. If that is denied too, no further session is opened until the
  call has worked again. A session that belongs to another account is dropped.
- **The caller's own GetCallerIdentity**: after 1, 2, 4 … seconds, up to a minute, and at least once in `organization.interval`. Listed accounts, and those of a
  known organization, do not wait for it.
- **A page of ListAccounts**: eight times, after pauses of up to 10 seconds; the pages read so far stay. `aws_root_exporter_discovery_up` is 0 from the third failure in a
  row on. Then, or at once where access is denied or there is no organization, the whole list is read again after up to 15 intervals or 15 minutes.
- **Tags** of an account: after those of all other accounts.

## Restarts, disks and clocks

- **A restart** with `state.path` continues with the saved values from the first scrape on, except fine ones that have expired. Without `state.path`
  nothing is known until AWS has answered.
- **A full or hanging disk** changes no value: a new finding waits for it, 2 seconds at most. `aws_root_exporter_state_last_save_successful` is 0 until the
  file can be written. The file stays whole; a crash only loses what came later.
- **A part of the exporter that ends or panics** ends the process with exit code 1, and systemd or Kubernetes restarts it. A panic in the poll of one account only fails that poll, with the reason `other`.
- **Setting the wall clock** expires no value and keeps none young: ages are measured on a monotonic clock, which keeps running while the machine is suspended. The wall clock counts where an answer has no
  date, for ages over a restart, and for AWS, which refuses requests if it is far off (`credentials` or `access_denied`). `aws_root_exporter_clock_skew_seconds` is its error.
- **AWS's clock** is used for display, and for the age of a report when it was received. An error of it changes no value.
";

const TABLE: &str = "
## The matrix

How each fault in each call is counted: the `reason` of `aws_account_refresh_failures_total`, for ListAccounts the `outcome` of
`aws_root_exporter_aws_requests_total`. *Nothing* means that no failure is counted. An empty cell cannot happen, or a failure of an earlier call hides it.

";

const SHOWN: &str = "
Exported meanwhile, for an account that is read by its role or by a root session alone:

| call that fails | account with a finding | account that is fine | new account |
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
With `access = \"both\"`, one of these calls can hang without an effect on any value, because the other sources answer. If the address of IAM or STS is wrong, all calls to it fail: a finding stays, a
fine value expires, and a new account has no values. An expired value only returns with a new answer.
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
            "the current value, by the other calls | the current value, by the other calls | the value by the other calls"
        }
        Some(Shown::BeforeOrReport) => {
            "the finding | 0 until it expires, then nothing | the value by its report"
        }
        Some(Shown::BeforeOrNothing) => "the finding | 0 until it expires, then nothing | nothing",
        Some(Shown::TheList) => {
            "the current value | the current value | nothing; `aws_root_exporter_discovery_up` is 0"
        }
        None => "",
    }
}

#[test]
fn the_page_about_reliability_is_the_table() {
    let command = "cargo test --features tools --test tools faults::page";
    check_document("docs/reliability.md", &page(), command);
}
