//! The rows about AWS's addresses: a name that does not resolve, a server without TLS, a port without a
//! server. The address of a running daemon cannot change, so each row is a restart over known values, and
//! so is its end.

use std::path::PathBuf;

use super::table::{Operation, Row, Shown, Trouble, rows};
use super::values::{ALARMING, Course, FINE, Scrape, UNKNOWN, Values};
use test_support::PATIENCE;
use test_support::daemon::Daemon;
use test_support::simulated::{Simulated, account, id, listed, now};

/// Read by a role: one with a finding, one without, one that is new after the restart.
const BY_ROLE: [(u64, Values); 3] = [(101, ALARMING), (102, FINE), (103, ALARMING)];
const NEW: u64 = 103;
/// By a root session.
const BY_ROOT: [(u64, Values); 2] = [(201, ALARMING), (202, FINE)];

fn config(by_role: impl Iterator<Item = u64>) -> String {
    let listed: String = by_role.map(listed).collect();
    format!(
        "state.path = \"state.redb\"\n\
         refresh.interval = \"1s\"\nrefresh.max_live_staleness = \"6s\"\n\
         [organization]\nenabled = true\ninterval = \"1s\"\naccess = \"root\"\n{listed}"
    )
}

struct Run {
    daemon: Daemon,
    state: PathBuf,
}

impl Run {
    fn start(aws: &Simulated, kept: Option<&[u8]>, wrong: Option<(&str, &str)>) -> Self {
        let known = BY_ROLE.map(|(number, _)| number).into_iter();
        let launch = aws.launch(&config(known.filter(|it| kept.is_some() || *it != NEW)));
        let state = launch.path("state.redb");
        if let Some(kept) = kept {
            std::fs::write(&state, kept).unwrap();
        }
        let wrong = wrong
            .map(|(service, address)| (format!("AWS_ENDPOINT_URL_{service}"), address.to_owned()));
        let variables = wrong
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        let daemon = launch.environment(variables).start();
        Self { daemon, state }
    }

    /// Ends the daemon as a user does, and returns its state.
    fn stop(mut self) -> Vec<u8> {
        self.daemon.process.signal("TERM");
        assert_eq!(self.daemon.process.exit_code(PATIENCE), 0);
        std::fs::read(&self.state).unwrap()
    }

    /// Waits until each of these accounts is shown with its values.
    fn until(&self, what: &str, wanted: &[(u64, Values)]) -> Scrape {
        let shown = self.daemon.scrape_until(|shown| {
            let scrape = Scrape::of(shown);
            wanted.iter().try_for_each(|(number, values)| {
                let shown = scrape.values(&id(*number).to_string());
                (shown == *values)
                    .then_some(())
                    .ok_or_else(|| format!("{what}: {number}: {}", Course::from(shown)))
            })
        });
        Scrape::of(&shown)
    }
}

/// The values of the accounts of an operation.
fn wanted(row: &Row) -> Vec<(u64, Values)> {
    let asked = match row.operation {
        Operation::ListAccounts => [&BY_ROLE[..], &BY_ROOT].concat(),
        operation if operation.is_root() => BY_ROOT.to_vec(),
        _ => BY_ROLE.to_vec(),
    };
    let shown = |(number, truth)| match row.shown {
        Shown::BeforeOrNothing if number == NEW || truth == FINE => (number, UNKNOWN),
        _ => (number, truth),
    };
    asked.into_iter().map(shown).collect()
}

fn play(trouble: Trouble, address: &str) {
    let aws = Simulated::with(BY_ROLE.into_iter().chain(BY_ROOT).map(|(number, truth)| {
        let mut account = account(number, "member");
        if truth == ALARMING {
            account.root.create_key(1_700_000_000);
            account.root.upload_certificate(1_700_000_000);
            account.root.mfa = false;
        }
        account.store_report(now() - 3_600);
        // Else the first run would watch it by a root session.
        account.in_organization = number != NEW;
        account
    }));
    let everybody: Vec<_> = BY_ROLE.into_iter().chain(BY_ROOT).collect();
    let address = if trouble == Trouble::NoTls {
        aws.url.replacen("http:", "https:", 1)
    } else {
        address.to_owned()
    };
    let first = Run::start(&aws, None, None);
    let known: Vec<_> = everybody
        .iter()
        .copied()
        .filter(|(it, _)| *it != NEW)
        .collect();
    first.until("before", &known);
    let kept = first.stop();

    // Each over a state file of its own, so that they need not wait for each other.
    std::thread::scope(|scope| {
        for service in ["IAM", "STS", "ORGANIZATIONS"] {
            let (aws, kept, address) = (&aws, &kept, &address);
            let everybody = &everybody;
            scope.spawn(move || play_service(aws, kept, trouble, service, address, everybody));
        }
    });
}

/// One service's address is wrong, and then right again.
fn play_service(
    aws: &Simulated,
    kept: &[u8],
    trouble: Trouble,
    service: &str,
    address: &str,
    everybody: &[(u64, Values)],
) {
    let of_service = |row: &Row| row.trouble == trouble && row.operation.service() == service;
    let rows: Vec<Row> = rows().into_iter().filter(of_service).collect();
    assert!(!rows.is_empty(), "no row of {service}");
    let run = Run::start(aws, Some(kept), Some((service, address)));
    // Known from the first scrape on.
    let first = Scrape::of(&run.daemon.scrape());
    for number in [BY_ROLE[0].0, BY_ROOT[0].0] {
        assert_eq!(first.values(&id(number).to_string()), ALARMING, "{service}");
    }
    for row in rows {
        let name = row.name();
        run.until(&name, &wanted(&row));
        run.daemon.scrape_until(|shown| {
            let scrape = Scrape::of(shown);
            let reason = row.reason.expect("a wrong address is a failure");
            if row.operation == Operation::ListAccounts {
                shown.expect("aws_root_exporter_discovery_up", &[], 0.0)?;
                let labels = [("operation", "ListAccounts"), ("outcome", reason)];
                let counted = shown.value("aws_root_exporter_aws_requests_total", &labels);
                return counted
                    .map(|_| ())
                    .ok_or_else(|| format!("{name}: not counted"));
            }
            // A report from before is not requested again, so the report of the new account shows.
            let of = if row.operation.is_root() {
                BY_ROOT[0].0
            } else {
                NEW
            };
            let reasons = scrape.reasons(&id(of).to_string(), row.operation.source());
            (reasons == [reason])
                .then_some(())
                .ok_or_else(|| format!("{name}: counts {reasons:?}"))
        });
    }
    let kept = run.stop();
    let after = Run::start(aws, Some(&kept), None);
    after.until("with the right address", everybody);
}

#[test]
fn an_address_without_a_server_matches_the_table() {
    // Of the ports that the system never hands out, the one that no machine uses.
    play(Trouble::NoServer, "http://127.0.0.1:1");
}

#[test]
fn a_name_that_does_not_resolve_matches_the_table() {
    // A name longer than the name service allows does not resolve without any request.
    let name = "x".repeat(64);
    play(Trouble::NoName, &format!("http://{name}.invalid"));
}

#[test]
fn an_address_without_tls_matches_the_table() {
    // The simulated AWS itself, which speaks plain HTTP.
    play(Trouble::NoTls, "");
}
