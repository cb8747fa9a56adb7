//! The rows about the organization's list: whatever befalls it, the accounts stay and are looked
//! at as ever, and the list is followed again once it can be read.

use aws_root_exporter::simulator::Fault;

use super::figures::{ALARMING, Course, FINE, Figures, Scrape};
use super::table::{Operation, Row, Shown, rows};
use crate::support::daemon::Daemon;
use crate::support::exposition::Exposition;
use crate::support::simulated::{Simulated, account, id};

const OPERATION: &str = "ListAccounts";
const UP: &str = "aws_root_exporter_discovery_up";

/// The accounts from the start, one of them with a finding; each row brings one more.
const MEMBERS: std::ops::Range<u64> = 101..105;
const ALARMED: u64 = 101;

fn truth(number: u64) -> Figures {
    if number == ALARMED { ALARMING } else { FINE }
}

fn as_they_are(shown: &Exposition, numbers: std::ops::Range<u64>) -> Result<(), String> {
    let scrape = Scrape::of(shown);
    for number in numbers {
        let account = id(number).to_string();
        let figures = scrape.figures(&account);
        if figures != truth(number) || !scrape.never_failed(&account) {
            return Err(format!("{account}: {}", Course::from(figures)));
        }
    }
    Ok(())
}

fn counted(shown: &Exposition, outcome: &str) -> f64 {
    let labels = [("operation", OPERATION), ("outcome", outcome)];
    let requests = shown.value("aws_root_exporter_aws_requests_total", &labels);
    requests.unwrap_or_default()
}

/// Plays the rows one after the other: the list is the same for all accounts.
fn play(rows: impl Iterator<Item = Row>, timeout: &str) {
    let aws = Simulated::with(MEMBERS.map(|number| account(number, "member")));
    aws.world.edit(id(ALARMED), |account| {
        account.root.create_key(1_700_000_000);
        account.root.upload_certificate(1_700_000_000);
        account.root.mfa = false;
    });
    let config = format!(
        "refresh.interval = \"1s\"\nrefresh.timeout = \"{timeout}\"\n\
         [organization]\nenabled = true\ninterval = \"1s\"\naccess = \"root\"\n"
    );
    let daemon = aws.launch(&config).start();
    let mut members = MEMBERS;
    daemon.scrape_until(|shown| as_they_are(shown, members.clone()));
    for row in rows {
        in_trouble(&aws, &daemon, &row, members.clone());
        members.end += 1;
        aws.world.clear_faults();
        daemon.scrape_until(|shown| {
            let name = row.name();
            shown
                .expect(UP, &[], 1.0)
                .and_then(|()| as_they_are(shown, members.clone()))
                .map_err(|why| format!("after {name}: {why}"))
        });
    }
}

fn in_trouble(aws: &Simulated, daemon: &Daemon, row: &Row, members: std::ops::Range<u64>) {
    let kind = row.kind().expect("the simulated AWS plays it");
    let name = row.name();
    let outcome = row.reason.expect("a list that fails has an outcome");
    let before = counted(&daemon.scrape(), outcome);
    aws.world.fault(Fault::new(kind).on(OPERATION));
    // It is there, and nobody can know.
    aws.world.add(account(members.end, "late"));
    let is_patient = row.shown == Shown::TheListWithPatience;
    let shown = daemon.scrape_until(|shown| {
        as_they_are(shown, members.clone()).unwrap_or_else(|why| panic!("{name}: {why}"));
        if !is_patient {
            shown.expect(UP, &[], 0.0)?;
        }
        (counted(shown, outcome) >= before + 2.0)
            .then_some(())
            .ok_or_else(|| format!("{name}: {outcome} is not counted"))
    });
    let reasons: Vec<_> = shown
        .all(
            "aws_root_exporter_aws_requests_total",
            &[("operation", OPERATION)],
        )
        .into_iter()
        .map(|sample| sample.labels["outcome"].clone())
        .collect();
    assert!(
        reasons.iter().any(|it| it == outcome),
        "{name}: {reasons:?}"
    );
}

fn of_lists() -> impl Iterator<Item = Row> {
    let mut rows = rows();
    rows.retain(|row| row.operation == Operation::ListAccounts && row.kind().is_some());
    rows.into_iter()
}

#[test]
fn a_list_that_cannot_be_read_changes_nothing() {
    play(
        of_lists().filter(|row| row.shown == Shown::TheList && !row.hangs()),
        "30s",
    );
}

#[test]
fn a_list_that_does_not_come_changes_nothing() {
    play(of_lists().filter(Row::hangs), "6s");
}

#[test]
fn a_list_that_is_throttled_is_asked_for_slowly_and_changes_nothing() {
    play(
        of_lists().filter(|row| row.shown == Shown::TheListWithPatience),
        "30s",
    );
}
