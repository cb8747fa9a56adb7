//! Credential reports in every form: each gives the right value, or none and a reason.

use std::collections::BTreeMap;
use std::fmt::Write;

use aws_simulator::{Account, COLUMNS, Fault, FaultKind, Ready};

use test_support::daemon::Daemon;
use test_support::exposition::Exposition;
use test_support::simulated::{Simulated, account, id, listed, now};

const ACTIVE: &str = "aws_root_access_keys_active";
const PRESENT: &str = "aws_root_access_keys_present";
const HOUR: i64 = 3_600;

/// A daemon that reads the reports of these accounts and nothing else.
fn start(aws: &Simulated, accounts: impl IntoIterator<Item = u64>) -> Daemon {
    let mut config = "sources.account_summary = false\nrefresh.interval = \"1s\"\n".to_owned();
    for number in accounts {
        config.push_str(&listed(number));
    }
    aws.launch(&config).start()
}

/// The account with one active root key and a change, and a report of it from an hour ago.
fn reported(number: u64, change: impl FnOnce(&mut Account)) -> Account {
    let mut account = with_key(number);
    change(&mut account);
    account.store_report(now() - HOUR);
    account
}

fn with_key(number: u64) -> Account {
    let mut account = account(number, "reported");
    account.root.create_key(now() - 30 * 24 * HOUR);
    account
}

fn capitals(text: &str) -> String {
    text.replace(",true", ",TRUE").replace(",false", ",FALSE")
}

/// The columns from right to left, and two more.
fn in_reverse(text: &str) -> String {
    let mut more = ("additional_credentials_info", "a_future_column");
    let lines = text.lines().map(|line| {
        let mut fields: Vec<_> = line.rsplit(',').collect();
        fields.insert(3, more.0);
        fields.push(more.1);
        more = ("N/A", "N/A");
        fields.join(",")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn without_root(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    lines.remove(1);
    lines.join("\n")
}

fn with_two_roots(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    lines.insert(1, lines[1]);
    lines.join("\n")
}

fn labels(number: u64) -> [(&'static str, String); 1] {
    [("account", id(number).to_string())]
}

fn value(shown: &Exposition, name: &str, number: u64) -> Option<f64> {
    let [(key, account)] = labels(number);
    shown.value(name, &[(key, &account)])
}

fn keys(shown: &Exposition, number: u64) -> (Option<f64>, Option<f64>) {
    (value(shown, ACTIVE, number), value(shown, PRESENT, number))
}

fn up(shown: &Exposition, number: u64, wanted: f64) -> Result<(), String> {
    let account = id(number).to_string();
    let labels = [("account", &account[..]), ("source", "credential_report")];
    shown.expect("aws_account_up", &labels, wanted)
}

fn failures(shown: &Exposition, number: u64) -> BTreeMap<String, f64> {
    let account = id(number).to_string();
    let labels = [("account", &account[..]), ("source", "credential_report")];
    shown
        .all("aws_account_refresh_failures_total", &labels)
        .into_iter()
        .filter(|sample| sample.value > 0.0)
        .map(|sample| (sample.labels["reason"].clone(), sample.value))
        .collect()
}

#[test]
fn every_form_of_a_good_report_gives_its_values() {
    let good: Vec<(u64, &str, Account, f64, f64)> = [
        ("none", reported(1, |a| a.root.delete_keys()), 0.0, 0.0),
        (
            "both active",
            reported(2, |a| {
                a.root.create_key(now() - HOUR * 48);
            }),
            2.0,
            2.0,
        ),
        (
            "one inactive",
            reported(3, |a| a.root.deactivate_keys()),
            0.0,
            1.0,
        ),
        (
            "in capitals",
            reported(4, |a| a.report.rewrite = Some(capitals)),
            1.0,
            1.0,
        ),
        (
            "inactive in capitals",
            reported(5, |a| {
                a.root.deactivate_keys();
                a.report.rewrite = Some(capitals);
            }),
            0.0,
            1.0,
        ),
        (
            "with an offset",
            reported(6, |a| {
                a.root.deactivate_keys();
                a.report.rewrite = Some(|text| text.replace("Z,", "+00:00,"));
            }),
            0.0,
            1.0,
        ),
        (
            "CRLF, and one at the end",
            reported(7, |a| {
                a.report.rewrite = Some(|text| text.replace('\n', "\r\n") + "\r\n");
            }),
            1.0,
            1.0,
        ),
        (
            "a byte order mark",
            reported(8, |a| {
                a.report.rewrite = Some(|text| format!("\u{feff}{text}"));
            }),
            1.0,
            1.0,
        ),
        (
            "columns in reverse, and more of them",
            reported(9, |a| a.report.rewrite = Some(in_reverse)),
            1.0,
            1.0,
        ),
    ]
    .into_iter()
    .zip(1..)
    .map(|((what, account, active, present), number)| (number, what, account, active, present))
    .collect();
    let aws = Simulated::with(good.iter().map(|(_, _, account, ..)| account.clone()));
    let daemon = start(&aws, good.iter().map(|(number, ..)| *number));

    let shown = daemon.scrape_until(|shown| {
        let mut numbers = good.iter().map(|(number, ..)| *number);
        numbers.try_for_each(|number| up(shown, number, 1.0))
    });

    for (number, what, _, active, present) in good {
        let wanted = (Some(active), Some(present));
        assert_eq!(keys(&shown, number), wanted, "a report with {what}");
        assert!(failures(&shown, number).is_empty(), "a report with {what}");
    }
}

#[test]
fn a_report_is_waited_for_renewed_and_requested_again() {
    const MAKING: u64 = 1;
    const EXPIRED: u64 = 2;
    const THROTTLED: u64 = 3;
    let started = now();
    let mut making = with_key(MAKING);
    making.report.ready = Ready::AfterPolls(3);
    let mut expired = account(EXPIRED, "expired");
    expired.store_report(started - 5 * HOUR);
    expired.root.create_key(started - 4 * HOUR);
    let aws = Simulated::with([making, expired, reported(THROTTLED, |_| {})]);
    aws.world
        .fault(Fault::new(FaultKind::Throttling).of(id(THROTTLED)).times(2));
    let accounts = [MAKING, EXPIRED, THROTTLED];
    let daemon = start(&aws, accounts);

    let shown = daemon.scrape_until(|shown| {
        let mut accounts = accounts.into_iter();
        accounts.try_for_each(|number| up(shown, number, 1.0))
    });

    for number in accounts {
        assert_eq!(keys(&shown, number), (Some(1.0), Some(1.0)), "{number}");
    }
    // Times of this century are whole numbers that floating point holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let started = started as f64;
    let generated = value(
        &shown,
        "aws_credential_report_generated_timestamp_seconds",
        EXPIRED,
    );
    assert!(
        generated.is_some_and(|generated| generated >= started),
        "the report of 5 hours ago is still in use: {generated:?}"
    );
    assert!(
        failures(&shown, MAKING).is_empty(),
        "waiting is not a failure"
    );
    assert!(
        failures(&shown, EXPIRED).is_empty(),
        "a renewal is not a failure"
    );
    let throttled = BTreeMap::from([("throttled".to_owned(), 2.0)]);
    assert_eq!(failures(&shown, THROTTLED), throttled);
}

/// A report of raw lines below AWS's header.
fn raw(account: &mut Account, rows: &[String]) {
    let text = format!("{}\n{}", COLUMNS.join(","), rows.join("\n"));
    account.report.raw = Some(text.into_bytes());
}

fn row(user: &str, arn: &str, key_active: &str) -> String {
    let mut row = format!("{user},{arn},2024-05-06T07:08:09Z");
    row.push_str(",false,N/A,N/A,N/A,true");
    write!(row, ",{key_active},2024-05-06T07:08:09Z,N/A,N/A,N/A").expect("a string takes all");
    row.push_str(",false,N/A,N/A,N/A,N/A,false,N/A,false,N/A");
    row
}

fn root_row(account: &Account, key_active: &str) -> String {
    let arn = format!("arn:aws:iam::{}:root", account.id());
    row("<root_account>", &arn, key_active)
}

#[test]
fn an_untrustworthy_report_gives_no_value_and_a_reason() {
    let closed = account(5, "closed").with_role(test_support::simulated::ROLE, Some("other"));
    let bad = [
        ("denied", "access_denied", with_key(1)),
        (
            "a root row that is malformed",
            "report_malformed",
            reported(2, |a| raw(a, &[root_row(a, "perhaps")])),
        ),
        (
            "no root row",
            "report_malformed",
            reported(3, |a| a.report.rewrite = Some(without_root)),
        ),
        (
            "two root rows",
            "report_malformed",
            reported(4, |a| a.report.rewrite = Some(with_two_roots)),
        ),
        ("a role that cannot be assumed", "assume_role", closed),
        (
            "nothing",
            "report_malformed",
            reported(6, |a| a.report.raw = Some(Vec::new())),
        ),
        (
            "binary content",
            "report_malformed",
            reported(7, |a| {
                a.report.raw = Some(b"\x89PNG\r\n\x1a\n\0\xff\xfe".to_vec());
            }),
        ),
        (
            "the report of another account",
            "account_mismatch",
            reported(8, |a| {
                a.report.rewrite = Some(|text| text.replace("::000000000008:", "::000000000077:"));
            }),
        ),
        (
            "base64 that is cut off",
            "report_malformed",
            reported(9, |_| {}),
        ),
        (
            "an answer that is cut off",
            "report_malformed",
            reported(10, |_| {}),
        ),
        (
            "an invalid time",
            "report_malformed",
            reported(11, |a| {
                let row =
                    root_row(a, "false").replacen(",2024-05-06T07:08:09Z,N/A", ",soon,N/A", 1);
                raw(a, &[row]);
            }),
        ),
    ];
    let numbers: Vec<u64> = (1..).take(bad.len()).collect();
    let aws = Simulated::with(bad.iter().map(|(_, _, account)| account.clone()));
    for (number, operation, kind) in [
        (1, "GenerateCredentialReport", FaultKind::AccessDenied),
        (1, "GetCredentialReport", FaultKind::AccessDenied),
        (9, "GetCredentialReport", FaultKind::TruncatedBase64),
        (10, "GetCredentialReport", FaultKind::TruncatedXml),
    ] {
        aws.world
            .fault(Fault::new(kind).of(id(number)).on(operation));
    }
    let daemon = start(&aws, numbers.iter().copied());

    let shown = daemon.scrape_until(|shown| {
        let mut numbers = numbers.iter();
        numbers.try_for_each(|number| up(shown, *number, 0.0))
    });

    for (number, (what, reason, _)) in numbers.into_iter().zip(bad) {
        assert_eq!(keys(&shown, number), (None, None), "{what}");
        let reasons: Vec<_> = failures(&shown, number).into_keys().collect();
        assert_eq!(reasons, [reason], "{what}");
        for family in ["aws_root_mfa_enabled", "aws_iam_users"] {
            assert_eq!(value(&shown, family, number), None, "{family}: {what}");
        }
    }
}

#[test]
fn a_bad_row_of_a_user_is_skipped_alone() {
    let user = |name: &str, key_active: &str| {
        let arn = format!("arn:aws:iam::{}:user/{name}", id(1));
        row(name, &arn, key_active)
    };
    let spoilt = reported(1, |a| {
        let rows = [
            root_row(a, "true"),
            user("ada", "true"),
            user("bob", "perhaps"),
            "cut,off".to_owned(),
            user("eve", "false"),
        ];
        raw(a, &rows);
    });
    let aws = Simulated::with([spoilt]);
    let daemon = start(&aws, [1]);

    let shown = daemon.scrape_until(|shown| up(shown, 1, 1.0));

    assert_eq!(keys(&shown, 1), (Some(1.0), Some(1.0)));
    let skipped = value(&shown, "aws_credential_report_rows_skipped", 1);
    assert_eq!(skipped, Some(2.0));
    assert_eq!(value(&shown, "aws_iam_users", 1), Some(2.0));
    let keys = value(&shown, "aws_iam_user_access_keys_active", 1);
    assert_eq!(keys, Some(1.0));
}

#[test]
fn a_malformed_report_changes_no_value() {
    let mut known = with_key(1);
    // The next report is due in a few seconds, and has no root row.
    let first = now() - 4 * HOUR + 8;
    known.store_report(first);
    known.report.rewrite = Some(without_root);
    let aws = Simulated::with([known]);
    let daemon = start(&aws, [1]);
    daemon.scrape_until(|shown| up(shown, 1, 1.0));

    let shown = daemon.scrape_until(|shown| up(shown, 1, 0.0));

    assert_eq!(keys(&shown, 1), (Some(1.0), Some(1.0)));
    let reasons: Vec<_> = failures(&shown, 1).into_keys().collect();
    assert_eq!(reasons, ["report_malformed"]);
    let generated = "aws_credential_report_generated_timestamp_seconds";
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds of this century are exact"
    )]
    let first = first as f64;
    assert_eq!(value(&shown, generated, 1), Some(first));
}
