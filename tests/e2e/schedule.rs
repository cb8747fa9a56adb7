//! When AWS is polled: only when it can have something new, and no account waits for another.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use aws_simulator::{Fault, FaultKind, Ready};

use test_support::daemon::{ANY_PORT, Launch};
use test_support::server::Silence;
use test_support::simulated::{Simulated, account, environment, id, listed, now};
use test_support::{PATIENCE, eventually};

const ACTIVE: &str = "aws_root_access_keys_active";
const GENERATE: &str = "GenerateCredentialReport";
const GET: &str = "GetCredentialReport";
const SUMMARY: &str = "GetAccountSummary";

const ONE: u64 = 12;

fn config(accounts: impl IntoIterator<Item = u64>, rest: &str) -> String {
    let accounts: String = accounts.into_iter().map(listed).collect();
    format!("refresh.interval = \"1s\"\nstate.path = \"state.redb\"\n{rest}\n{accounts}")
}

/// Waits until the account was polled that many times more.
fn polls(aws: &Simulated, of: u64, more: u64) {
    let before = aws.world.count(id(of), SUMMARY);
    eventually(PATIENCE, || {
        let polls = aws.world.count(id(of), SUMMARY) - before;
        (polls >= more)
            .then_some(())
            .ok_or(format!("{polls} polls"))
    });
}

#[test]
fn a_fresh_report_is_requested_once_even_across_restarts() {
    let mut account = account(ONE, "production");
    account.store_report(now() - 3600);
    let aws = Simulated::with([account]);
    let requests = || [GENERATE, GET].map(|operation| aws.world.count(id(ONE), operation));
    let mut kept = None;
    for start in 1..=3 {
        let launch = aws.launch(&config([ONE], ""));
        let state = launch.path("state.redb");
        if let Some(kept) = &kept {
            std::fs::write(&state, kept).unwrap();
        }
        let mut daemon = launch.start();
        daemon.wait_until_ready();
        polls(&aws, ONE, 3);
        assert_eq!(requests(), [1, 1], "after start {start}");
        daemon.process.signal("TERM");
        // Its folder is deleted with it; the last save is at the end of its process.
        assert_eq!(daemon.process.exit_code(PATIENCE), 0);
        kept = Some(std::fs::read(&state).unwrap());
    }
}

#[test]
fn a_report_is_renewed_when_four_hours_are_over_and_not_before() {
    let mut account = account(ONE, "production");
    let due = now() + 8;
    account.store_report(due - 4 * 3600);
    account.report.ready = Ready::After(0);
    let aws = Simulated::with([account]);
    let daemon = aws.launch(&config([ONE], "")).start();
    daemon.wait_until_ready();
    let generated = "aws_credential_report_generated_timestamp_seconds";
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds of this century are exact"
    )]
    let due_seconds = due as f64;
    daemon.scrape_until(|shown| match shown.value(generated, &[]) {
        Some(renewed) if renewed >= due_seconds => Ok(()),
        other => Err(format!("generated {other:?}, to be renewed at {due}")),
    });
    let requested: Vec<i64> = aws
        .world
        .calls()
        .iter()
        .filter(|call| call.operation == Some(GENERATE.into()))
        .map(|call| call.at)
        .collect();
    // One request at the start, and then none until AWS could make a new one.
    assert!(
        requested[0] < due && requested[1..].iter().all(|at| *at >= due),
        "due at {due}, requested at {requested:?}"
    );
    polls(&aws, ONE, 2);
    let gets = aws.world.count(id(ONE), GET);
    assert!(gets <= 3, "read {gets} times");
}

#[test]
fn an_account_that_never_answers_delays_no_other() {
    const SILENT: std::ops::Range<u64> = 100..108;
    const OTHERS: std::ops::Range<u64> = 200..206;
    let aws = Simulated::with(SILENT.chain(OTHERS).map(|number| account(number, "member")));
    for number in SILENT {
        aws.world
            .fault(Fault::new(FaultKind::NeverAnswer).of(id(number)));
    }
    // Far fewer slots than accounts that never answer.
    let rest = "refresh.concurrency = 4\nrefresh.timeout = \"1s\"";
    let daemon = aws.launch(&config(SILENT.chain(OTHERS), rest)).start();
    daemon.scrape_until(|shown| {
        OTHERS
            .map(|number| id(number).to_string())
            .try_for_each(|account| shown.expect(ACTIVE, &[("account", &account)], 0.0))
    });
    let before: Vec<u64> = OTHERS.map(|n| aws.world.count(id(n), SUMMARY)).collect();
    polls(&aws, OTHERS.start, 5);
    for (number, before) in OTHERS.zip(before) {
        let polls = aws.world.count(id(number), SUMMARY) - before;
        assert!(polls >= 3, "{number}: {polls} polls, where another had 5");
    }
    let shown = daemon.scrape();
    for number in SILENT {
        let account = id(number).to_string();
        assert_eq!(shown.value(ACTIVE, &[("account", &account)]), None);
        assert!(aws.world.most_at_once(id(number)) <= 2, "{number}");
    }
}

#[test]
fn an_aws_that_accepts_calls_and_never_answers_blocks_nothing() {
    let silence = Silence::start();
    let daemon = Launch::new(&[ANY_PORT])
        .environment(environment(&silence.endpoint(), "testing", "testing"))
        .config(&config(100..200, ""))
        .start();
    let _calls: Vec<TcpStream> = (0..4).map(|_| silence.take_caller()).collect();
    // The quickest of several: other work of the machine is not measured.
    let quickest = (0..20)
        .map(|_| {
            let begun = Instant::now();
            let shown = daemon.scrape();
            assert!(shown.all(ACTIVE, &[]).is_empty(), "nothing is known");
            begun.elapsed()
        })
        .min();
    assert!(quickest < Some(Duration::from_millis(100)), "{quickest:?}");
    daemon.process.signal("TERM");
    assert_eq!(daemon.exit_code(Duration::from_secs(5)), 0);
}
