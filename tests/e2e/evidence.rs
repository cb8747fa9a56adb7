//! A key that is created, deleted, deactivated or hidden behind failures, as a scraper sees it. The
//! interval is a second.

use std::time::{Duration, Instant};

use aws_simulator::{Account, Fault, FaultKind};

use test_support::daemon::Daemon;
use test_support::exposition::Exposition;
use test_support::simulated::{Simulated, account, id, listed, now};
use test_support::{PATIENCE, eventually};

const ACTIVE: &str = "aws_root_access_keys_active";
const PRESENT: &str = "aws_root_access_keys_present";

/// The one account of these tests.
const ONE: u64 = 12;
const OF: [(&str, &str); 1] = [("account", "000000000012")];

/// A simulated AWS with the account and a report of an hour ago, and a daemon over it.
fn start(change: impl FnOnce(&mut Account), rest: &str) -> (Simulated, Daemon) {
    let mut account = account(ONE, "production");
    change(&mut account);
    account.store_report(now() - 3600);
    let aws = Simulated::with([account]);
    let daemon = aws.launch(&config(rest)).start();
    daemon.wait_until_ready();
    (aws, daemon)
}

fn config(rest: &str) -> String {
    format!("refresh.interval = \"1s\"\n{rest}\n{}", listed(ONE))
}

fn keys(shown: &Exposition, active: f64, present: f64) -> Result<(), String> {
    shown.expect(ACTIVE, &OF, active)?;
    shown.expect(PRESENT, &OF, present)
}

fn unknown(shown: &Exposition) -> Result<(), String> {
    match shown.value(ACTIVE, &OF).or(shown.value(PRESENT, &OF)) {
        None => Ok(()),
        Some(value) => Err(format!("{value} where nothing is known")),
    }
}

fn up(shown: &Exposition, source: &str, up: f64) -> Result<(), String> {
    shown.expect("aws_account_up", &[OF[0], ("source", source)], up)
}

fn evidence(shown: &Exposition, source: &str) -> Result<(), String> {
    let labels = [OF[0], ("source", source)];
    shown.expect("aws_root_access_keys_evidence_info", &labels, 1.0)
}

/// Waits until the account was polled that many times more.
fn polls(aws: &Simulated, more: u64) {
    let before = aws.world.count(id(ONE), "GetAccountSummary");
    eventually(PATIENCE, || {
        let polls = aws.world.count(id(ONE), "GetAccountSummary") - before;
        (polls >= more)
            .then_some(())
            .ok_or(format!("{polls} polls"))
    });
}

#[test]
fn a_key_created_after_the_report_is_seen_at_the_next_poll() {
    let (aws, daemon) = start(|_| {}, "");
    daemon.scrape_until(|shown| keys(shown, 0.0, 0.0));
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    // A poll under way may have missed it; the next one does not.
    polls(&aws, 2);
    let shown = daemon.scrape_until(|shown| keys(shown, 1.0, 1.0));
    evidence(&shown, "account_summary").unwrap();
    assert_eq!(aws.world.count(id(ONE), "GenerateCredentialReport"), 1);
}

#[test]
fn a_deleted_key_is_gone_after_two_polls() {
    let (aws, daemon) = start(
        |account| {
            account.root.create_key(1_700_000_000);
        },
        "",
    );
    daemon.scrape_until(|shown| keys(shown, 1.0, 1.0));
    aws.world
        .edit(id(ONE), |account| account.root.delete_keys());
    daemon.scrape_until(|shown| keys(shown, 0.0, 0.0));
}

#[test]
fn one_stale_answer_resolves_nothing() {
    let (aws, daemon) = start(
        |account| {
            account.root.create_key(1_700_000_000);
        },
        "",
    );
    daemon.scrape_until(|shown| keys(shown, 1.0, 1.0));
    // Eventual consistency: every other answer says that there is none.
    for _ in 0..6 {
        aws.world.edit(id(ONE), |account| {
            account
                .summary_overrides
                .insert("AccountAccessKeysPresent", Some(0));
        });
        polls(&aws, 1);
        aws.world
            .edit(id(ONE), |account| account.summary_overrides.clear());
        keys(&daemon.scrape(), 1.0, 1.0).unwrap();
        polls(&aws, 1);
        keys(&daemon.scrape(), 1.0, 1.0).unwrap();
    }
}

#[test]
fn an_inactive_key_is_present_and_not_active() {
    let (_aws, daemon) = start(
        |account| {
            account.root.create_key(1_700_000_000);
            account.root.deactivate_keys();
        },
        "",
    );
    let shown = daemon.scrape_until(|shown| keys(shown, 0.0, 1.0));
    // Only the report says that it is inactive.
    evidence(&shown, "credential_report").unwrap();
}

#[test]
fn the_zero_of_an_inactive_key_expires_with_its_report() {
    let (_aws, daemon) = start(
        |account| {
            account.root.create_key(1_700_000_000);
            account.root.deactivate_keys();
        },
        // The report is an hour old at the start.
        "refresh.max_staleness = \"3605s\"",
    );
    daemon.scrape_until(|shown| keys(shown, 0.0, 1.0));
    daemon.scrape_until(|shown| {
        shown.expect(PRESENT, &OF, 1.0)?;
        match shown.value(ACTIVE, &OF) {
            None => Ok(()),
            Some(value) => Err(format!("still {value}")),
        }
    });
}

#[test]
fn a_summary_of_two_beside_one_inactive_key_is_one_active() {
    let (aws, daemon) = start(
        |account| {
            account.root.create_key(1_700_000_000);
            account.root.deactivate_keys();
        },
        "",
    );
    daemon.scrape_until(|shown| keys(shown, 0.0, 1.0));
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    daemon.scrape_until(|shown| keys(shown, 1.0, 2.0));
}

#[test]
fn the_summary_alone_is_enough_for_zero_and_one() {
    let (aws, daemon) = start(|_| {}, "sources.credential_report = false");
    daemon.scrape_until(|shown| keys(shown, 0.0, 0.0));
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    daemon.scrape_until(|shown| keys(shown, 1.0, 1.0));
    assert_eq!(aws.world.count(id(ONE), "GenerateCredentialReport"), 0);
}

#[test]
fn the_report_alone_works() {
    let (aws, daemon) = start(
        |account| {
            account.root.create_key(1_700_000_000);
        },
        "sources.account_summary = false",
    );
    let shown = daemon.scrape_until(|shown| keys(shown, 1.0, 1.0));
    evidence(&shown, "credential_report").unwrap();
    assert_eq!(aws.world.count(id(ONE), "GetAccountSummary"), 0);
}

#[test]
fn with_both_denied_nothing_is_known() {
    let aws = Simulated::with([account(ONE, "production")]);
    aws.world
        .fault(Fault::new(FaultKind::AccessDenied).on("GetAccountSummary"));
    aws.world
        .fault(Fault::new(FaultKind::AccessDenied).on("GenerateCredentialReport"));
    let daemon = aws.launch(&config("")).start();
    daemon.wait_until_ready();
    let shown = daemon.scrape();
    unknown(&shown).unwrap();
    for source in ["account_summary", "credential_report"] {
        up(&shown, source, 0.0).unwrap();
        let labels = [OF[0], ("source", source), ("reason", "access_denied")];
        assert!(shown.value("aws_account_refresh_failures_total", &labels) >= Some(1.0));
    }
}

#[test]
fn an_answer_of_another_account_is_not_used() {
    let mut account = account(ONE, "production");
    account.store_report(now() - 3600);
    let aws = Simulated::with([account]);
    aws.world
        .fault(Fault::new(FaultKind::WrongAccount(id(77))).on("AssumeRole"));
    let daemon = aws.launch(&config("")).start();
    daemon.wait_until_ready();
    let shown = daemon.scrape_until(|shown| {
        ["account_summary", "credential_report"]
            .iter()
            .try_for_each(|source| {
                let labels = [OF[0], ("source", source), ("reason", "account_mismatch")];
                let counted = shown.value("aws_account_refresh_failures_total", &labels);
                match counted {
                    Some(failures) if failures > 0.0 => up(shown, source, 0.0),
                    _ => Err(format!("{source}: no mismatch counted")),
                }
            })
    });
    unknown(&shown).expect("another account's answer is never shown");
}

#[test]
fn when_one_source_is_denied_the_other_decides() {
    for denied in ["GetAccountSummary", "GenerateCredentialReport"] {
        let mut account = account(ONE, "production");
        account.root.create_key(1_700_000_000);
        account.store_report(now() - 3600);
        let aws = Simulated::with([account]);
        aws.world
            .fault(Fault::new(FaultKind::AccessDenied).on(denied));
        let daemon = aws.launch(&config("")).start();
        daemon.wait_until_ready();
        daemon.scrape_until(|shown| keys(shown, 1.0, 1.0));
    }
}

#[test]
fn when_the_summary_lacks_the_entry_the_report_decides() {
    let (_aws, daemon) = start(
        |account| {
            account.root.create_key(1_700_000_000);
            account.root.deactivate_keys();
            let entries = &mut account.summary_overrides;
            entries.insert("AccountAccessKeysPresent", None);
        },
        "",
    );
    let shown = daemon.scrape_until(|shown| keys(shown, 0.0, 1.0));
    up(&shown, "account_summary", 1.0).unwrap();
}

#[test]
fn a_later_report_shows_a_key_while_the_summary_fails() {
    let mut account = account(ONE, "production");
    account.store_report(now() - 4 * 3600 + 8);
    let aws = Simulated::with([account]);
    let daemon = aws.launch(&config("")).start();
    daemon.wait_until_ready();
    daemon.scrape_until(|shown| keys(shown, 0.0, 0.0));
    aws.world
        .fault(Fault::new(FaultKind::Throttling).on("GetAccountSummary"));
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    let shown = daemon.scrape_until(|shown| keys(shown, 1.0, 1.0));
    evidence(&shown, "credential_report").unwrap();
    up(&shown, "account_summary", 0.0).unwrap();
}

#[test]
fn a_refused_report_never_hides_live_evidence() {
    let aws = Simulated::with([account(ONE, "production")]);
    aws.world
        .fault(Fault::new(FaultKind::LimitExceeded).on("GenerateCredentialReport"));
    let daemon = aws.launch(&config("")).start();
    daemon.wait_until_ready();
    let shown = daemon.scrape_until(|shown| keys(shown, 0.0, 0.0));
    let labels = [OF[0], ("reason", "limit_exceeded")];
    assert!(shown.value("aws_account_refresh_failures_total", &labels) >= Some(1.0));
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    daemon.scrape_until(|shown| keys(shown, 1.0, 1.0));
}

#[test]
fn certificates_mfa_and_password_follow_the_live_answer() {
    let (aws, daemon) = start(|_| {}, "");
    daemon.scrape_until(|shown| {
        shown.expect("aws_root_mfa_enabled", &OF, 1.0)?;
        shown.expect("aws_root_signing_certificates_active", &OF, 0.0)
    });
    aws.world.edit(id(ONE), |account| {
        account.root.mfa = false;
        account.root.upload_certificate(now());
    });
    daemon.scrape_until(|shown| {
        shown.expect("aws_root_mfa_enabled", &OF, 0.0)?;
        shown.expect("aws_root_signing_certificates_active", &OF, 1.0)?;
        shown.expect("aws_root_password_enabled", &OF, 1.0)
    });
}

/// Two accounts: one without findings, and one with a key and without MFA.
fn clean_and_alarming() -> (Simulated, String) {
    let mut alarming = account(ONE, "production");
    alarming.root.create_key(1_700_000_000);
    alarming.root.mfa = false;
    let aws = Simulated::with([alarming, account(13, "clean")]);
    let config = format!(
        "refresh.interval = \"1s\"\nrefresh.max_staleness = \"10s\"\n\
         refresh.max_live_staleness = \"5s\"\nstate.path = \"state.redb\"\n{}{}",
        listed(ONE),
        listed(13)
    );
    (aws, config)
}

const CLEAN: [(&str, &str); 1] = [("account", "000000000013")];

fn alarms(shown: &Exposition) -> Result<(), String> {
    keys(shown, 1.0, 1.0)?;
    shown.expect("aws_root_mfa_enabled", &OF, 0.0)
}

fn all_values(shown: &Exposition) -> Result<(), String> {
    alarms(shown)?;
    shown.expect(ACTIVE, &CLEAN, 0.0)?;
    shown.expect("aws_root_mfa_enabled", &CLEAN, 1.0)
}

#[test]
fn zeros_expire_and_alarms_stay_even_over_a_kill() {
    let (aws, config) = clean_and_alarming();
    let launch = aws.launch(&config);
    let state = launch.path("state.redb");
    let daemon = launch.start();
    daemon.wait_until_ready();
    daemon.scrape_until(all_values);

    aws.world.fault(Fault::new(FaultKind::ServiceFailure));
    daemon.scrape_until(|shown| {
        alarms(shown)?;
        let expiring = [ACTIVE, PRESENT, "aws_root_mfa_enabled"];
        match expiring
            .iter()
            .find(|family| shown.value(family, &CLEAN).is_some())
        {
            None => Ok(()),
            Some(family) => Err(format!("{family} is still shown")),
        }
    });
    let started = Instant::now();
    daemon.scrape();
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "a scrape waited for AWS"
    );
    let kept = std::fs::read(&state).unwrap();
    daemon.process.signal("KILL");

    let launch = aws.launch(&config);
    std::fs::write(launch.path("state.redb"), kept).unwrap();
    let daemon = launch.start();
    alarms(&daemon.scrape()).expect("alarms from the first scrape on");
    daemon.wait_until_ready();
    alarms(&daemon.scrape()).unwrap();

    // AWS answers again: at most ten intervals of backoff, fifteen for a report.
    aws.world.clear_faults();
    let back = Instant::now();
    daemon.scrape_until(all_values);
    assert!(back.elapsed() < Duration::from_secs(30));
}

#[test]
fn an_account_without_its_role_becomes_unknown_soon() {
    let (aws, daemon) = start(|_| {}, "refresh.max_live_staleness = \"4s\"");
    daemon.scrape_until(|shown| keys(shown, 0.0, 0.0));
    aws.world.edit(id(ONE), |account| {
        account.roles.clear();
        account.root.create_key(now());
    });
    // At AWS open sessions outlive the role; here they end with it.
    aws.world
        .fault(Fault::new(FaultKind::AccessDenied).of(id(ONE)));
    // The failure is exported at once, though no report is due for hours.
    daemon.scrape_until(|shown| {
        up(shown, "account_summary", 0.0)?;
        up(shown, "credential_report", 0.0)
    });
    daemon.scrape_until(unknown);
}

#[test]
fn an_answer_that_is_cut_off_is_not_used() {
    let mut account = account(ONE, "production");
    account.root.create_key(1_700_000_000);
    account.root.deactivate_keys();
    account.root.create_key(1_700_000_000);
    let aws = Simulated::with([account]);
    let organization = "[organization]\nenabled = true\naccess = \"root\"";
    let config = format!("refresh.interval = \"1s\"\n{organization}\n");
    let daemon = aws.launch(&config).start();
    daemon.wait_until_ready();
    daemon.scrape_until(|shown| keys(shown, 1.0, 2.0));
    // Complete HTTP answers with XML that ends between two keys or before the first.
    aws.world
        .fault(Fault::new(FaultKind::TruncatedXml).on("ListAccessKeys"));
    daemon.scrape_until(|shown| up(shown, "root_session", 0.0));
    keys(&daemon.scrape(), 1.0, 2.0).unwrap();
    aws.world.clear_faults();
    aws.world
        .edit(id(ONE), |account| account.root.deactivate_keys());
    daemon.scrape_until(|shown| keys(shown, 0.0, 2.0));
}

#[test]
fn a_role_that_led_into_another_account_is_assumed_again() {
    let aws = Simulated::with([account(ONE, "production"), account(13, "another")]);
    let elsewhere = Fault::new(FaultKind::WrongAccount(id(13)));
    aws.world
        .fault(elsewhere.of(id(ONE)).on("AssumeRole").times(1));
    let daemon = aws.launch(&config("")).start();
    // The session lasts an hour, but a fixed role is assumed before its end.
    let shown = daemon.scrape_until(|shown| keys(shown, 0.0, 0.0));
    let labels = [OF[0], ("reason", "account_mismatch")];
    let failures = shown.all("aws_account_refresh_failures_total", &labels);
    assert!(failures.iter().any(|failures| failures.value >= 1.0));
}

#[test]
fn a_key_created_after_an_inactive_one_was_deleted_is_active() {
    let (aws, daemon) = start(
        |account| {
            account.root.create_key(1_700_000_000);
            account.root.deactivate_keys();
        },
        "",
    );
    daemon.scrape_until(|shown| keys(shown, 0.0, 1.0));
    aws.world
        .edit(id(ONE), |account| account.root.delete_keys());
    daemon.scrape_until(|shown| keys(shown, 0.0, 0.0));
    // The report still has the inactive one, and the summary counts one as before.
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    daemon.scrape_until(|shown| keys(shown, 1.0, 1.0));
}
