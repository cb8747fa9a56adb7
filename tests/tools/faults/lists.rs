//! The rows about the organization's list: whatever fails, the accounts stay and are polled as always, and
//! changes of the list show once it can be read again.

use aws_simulator::{Fault, FaultKind};

use super::table::{Row, Shown, rows};
use super::values::{ALARMING, Course, FINE, Scrape, Values};
use test_support::daemon::Daemon;
use test_support::exposition::Exposition;
use test_support::simulated::{Simulated, account, id};
use test_support::{PATIENCE, eventually};

const OPERATION: &str = "ListAccounts";
const UP: &str = "aws_root_exporter_discovery_up";

/// The accounts from the start, one of them with a finding; each row brings one more.
const MEMBERS: std::ops::Range<u64> = 101..105;
const ALARMED: u64 = 101;

fn truth(number: u64) -> Values {
    if number == ALARMED { ALARMING } else { FINE }
}

fn as_they_are(shown: &Exposition, numbers: std::ops::Range<u64>) -> Result<(), String> {
    let scrape = Scrape::of(shown);
    for number in numbers {
        let account = id(number).to_string();
        let values = scrape.values(&account);
        if values != truth(number) || !scrape.never_failed(&account) {
            return Err(format!("{account}: {}", Course::from(values)));
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
        fail(&aws, &daemon, &row, members.clone());
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

fn fail(aws: &Simulated, daemon: &Daemon, row: &Row, members: std::ops::Range<u64>) {
    let name = row.name();
    let outcome = row.reason.expect("a list that fails has an outcome");
    let before = counted(&daemon.scrape(), outcome);
    for (operation, kind) in row.faults() {
        aws.world.fault(Fault::new(kind).on(operation));
    }
    // It exists, and the exporter cannot know.
    aws.world.add(account(members.end, "late"));
    daemon.scrape_until(|shown| {
        as_they_are(shown, members.clone()).unwrap_or_else(|why| panic!("{name}: {why}"));
        shown.expect(UP, &[], 0.0)?;
        (counted(shown, outcome) >= before + 2.0)
            .then_some(())
            .ok_or_else(|| format!("{name}: {outcome} is not counted"))
    });
}

fn of_lists() -> impl Iterator<Item = Row> {
    let mut rows = rows();
    rows.retain(|row| row.shown == Shown::TheList && row.is_simulated());
    rows.into_iter()
}

#[test]
fn a_list_that_cannot_be_read_changes_nothing() {
    play(of_lists().filter(|row| !row.hangs()), "30s");
}

#[test]
fn a_list_that_does_not_come_changes_nothing() {
    play(of_lists().filter(Row::hangs), "6s");
}

#[test]
fn a_page_that_fails_is_requested_again_alone() {
    const PAGES: u64 = 50;
    let members = 101..100 + PAGES;
    let aws = Simulated::with(members.clone().map(|number| account(number, "member")));
    aws.world.organization(|it| it.page_size = 1);
    let slow = std::time::Duration::from_millis(100);
    aws.world
        .fault(Fault::new(FaultKind::Delay(slow)).on(OPERATION));
    let config = "[organization]\nenabled = true\ninterval = \"1h\"\naccess = \"root\"\n";
    let daemon = aws.launch(config).start();
    for pages in [10, 20, 30] {
        eventually(PATIENCE, || {
            let read = aws.world.total(OPERATION);
            (read >= pages).then_some(()).ok_or(format!("{read} pages"))
        });
        let once = Fault::new(FaultKind::ServiceFailure).on(OPERATION).times(1);
        aws.world.fault(once);
    }
    let is_fine = |shown: &Exposition| {
        let scrape = Scrape::of(shown);
        let mut unknown = members.clone();
        let unknown = unknown.find(|number| scrape.values(&id(*number).to_string()) != FINE);
        unknown.map_or(Ok(()), |number| Err(format!("{number} is not known yet")))
    };
    daemon.scrape_until(is_fine);
    assert_eq!(aws.world.total(OPERATION), PAGES + 3, "pages requested");
}
