//! The daemon against moto's server: signing, assumed roles, typed errors, XML, base64.
//!
//! moto's reports have no root row, which must give *unknown* and never zero; a fixture adds one, which
//! must give the right value. moto has no 4-hour rule, no faults and no clock.

use std::fmt::Write;

use test_support::daemon::{ANY_PORT, Daemon, Launch};
use test_support::exposition::Exposition;
use test_support::simulated::{EXTERNAL_ID, credentials, environment, role};
use test_support::{PATIENCE, eventually, listen};

use crate::support::moto::{CALLER_ACCOUNT, Moto};

const LEADING_ZEROS: &str = "000000000123";
const PRODUCTION: &str = "111122223333";
const STAGING: &str = "222233334444";

const ACTIVE: &str = "aws_root_access_keys_active";
const PRESENT: &str = "aws_root_access_keys_present";
const UP: &str = "aws_account_up";
const FAILURES: &str = "aws_account_refresh_failures_total";

/// A configuration that enters these accounts by their roles, every second.
fn config(sources: &str, accounts: &[&str]) -> String {
    let mut text = format!("[sources]\n{sources}\n\n[refresh]\ninterval = \"1s\"\n");
    for account in accounts {
        let role = role(account);
        write!(
            text,
            "\n[[accounts]]\nid = \"{account}\"\nrole_arn = \"{role}\"\nexternal_id = \"{EXTERNAL_ID}\"\n"
        )
        .expect("a string takes all");
    }
    text
}

const REPORT_ONLY: &str = "account_summary = false";
const BOTH: &str = "";

fn start(moto: &Moto, sources: &str, accounts: &[&str]) -> Daemon {
    Launch::new(&[ANY_PORT])
        .environment(moto.environment())
        .config(&config(sources, accounts))
        .start()
}

/// The keys of an account, as `(active, present)`.
fn key_counts(shown: &Exposition, account: &str) -> (Option<f64>, Option<f64>) {
    let labels = [("account", account)];
    (shown.value(ACTIVE, &labels), shown.value(PRESENT, &labels))
}

/// The source of this account has failed, for this reason at least once.
fn failed(shown: &Exposition, account: &str, reason: &str) -> Result<(), String> {
    let source = [("account", account), ("source", "credential_report")];
    shown.expect(UP, &source, 0.0)?;
    let labels = [source[0], source[1], ("reason", reason)];
    match shown.value(FAILURES, &labels) {
        Some(count) if count >= 1.0 => Ok(()),
        shown => Err(format!("{FAILURES} {labels:?} is {shown:?}")),
    }
}

#[test]
fn a_report_without_a_root_row_leaves_the_account_unknown() {
    let accounts = [LEADING_ZEROS, PRODUCTION];
    let moto = Moto::plain();
    let daemon = start(&moto, REPORT_ONLY, &accounts);

    let shown = daemon.scrape_until(|shown| {
        accounts
            .iter()
            .try_for_each(|account| failed(shown, account, "report_malformed"))
    });

    for account in accounts {
        assert_eq!(key_counts(&shown, account), (None, None), "{account}");
        let observed = "aws_root_access_keys_observed_timestamp_seconds";
        assert_eq!(shown.value(observed, &[("account", account)]), None);
        let info = shown.all("aws_account_info", &[("account", account)]);
        assert_eq!(info.len(), 1, "an account that is unknown is still named");
    }
}

#[test]
fn the_summary_decides_where_the_report_cannot() {
    let moto = Moto::plain();
    let daemon = start(&moto, BOTH, &[PRODUCTION]);

    let shown = daemon.scrape_until(|shown| {
        failed(shown, PRODUCTION, "report_malformed")?;
        shown.expect(ACTIVE, &[("account", PRODUCTION)], 0.0)
    });

    assert_eq!(key_counts(&shown, PRODUCTION), (Some(0.0), Some(0.0)));
    let source = [("account", PRODUCTION), ("source", "account_summary")];
    assert_eq!(shown.value(UP, &source), Some(1.0));
    let evidence = "aws_root_access_keys_evidence_info";
    assert_eq!(shown.value(evidence, &source), Some(1.0));
}

#[test]
fn root_keys_are_counted_account_by_account() {
    let cases: [(&str, &[&str], f64, f64); 5] = [
        (LEADING_ZEROS, &["active", "active"], 2.0, 2.0),
        (PRODUCTION, &["active"], 1.0, 1.0),
        (STAGING, &["inactive"], 0.0, 1.0),
        ("333344445555", &["inactive", "active"], 1.0, 2.0),
        ("444455556666", &[], 0.0, 0.0),
    ];
    let moto = Moto::with_root_keys(&cases.map(|(account, keys, ..)| (account, keys)));
    let accounts = cases.map(|(account, ..)| account);
    let daemon = start(&moto, REPORT_ONLY, &accounts);

    let shown = daemon.scrape_until(|shown| {
        accounts.iter().try_for_each(|account| {
            let source = [("account", *account), ("source", "credential_report")];
            shown.expect(UP, &source, 1.0)
        })
    });

    for (account, keys, active, present) in cases {
        assert_eq!(
            key_counts(&shown, account),
            (Some(active), Some(present)),
            "{account} with {keys:?}"
        );
        for (slot, key) in ["1", "2"].into_iter().enumerate() {
            let is_active = keys.get(slot) == Some(&"active");
            assert_eq!(
                shown.value(
                    "aws_root_access_key_slot_active",
                    &[("account", account), ("key", key)]
                ),
                Some(f64::from(u8::from(is_active))),
                "slot {key} of {account}"
            );
        }
    }
    assert_eq!(
        shown.all(ACTIVE, &[]).len(),
        cases.len(),
        "nothing is shown of an account that was not configured"
    );
}

#[test]
fn every_role_is_entered_once_with_its_external_id() {
    let accounts = [LEADING_ZEROS, PRODUCTION, STAGING];
    let moto = Moto::with_root_keys(&accounts.map(|account| (account, &["active"][..])));
    let daemon = start(&moto, BOTH, &accounts);

    eventually(PATIENCE, || {
        let slowest = accounts.map(|account| moto.count(account, "GetAccountSummary"));
        (slowest.iter().all(|looks| *looks >= 3))
            .then_some(())
            .ok_or_else(|| format!("polls so far: {slowest:?}"))
    });

    let entered = moto.roles_entered();
    let wanted = accounts.map(|account| ((role(account), EXTERNAL_ID.to_owned()), 1));
    assert_eq!(entered, wanted.into(), "a session is used for its hour");
    let asked = moto.operations(CALLER_ACCOUNT);
    assert!(
        !asked
            .iter()
            .any(|operation| operation.ends_with("CredentialReport")),
        "no account was configured to be read with the caller's own credentials: {asked:?}"
    );
    drop(daemon);
}

#[test]
fn a_report_that_does_not_exist_yet_is_made_first() {
    let moto = Moto::with_root_keys(&[(PRODUCTION, &["active"])]);
    let daemon = start(&moto, REPORT_ONLY, &[PRODUCTION]);

    let shown = daemon.scrape_until(|shown| shown.expect(ACTIVE, &[("account", PRODUCTION)], 1.0));

    // moto answers ReportNotPresent until a report is made, and STARTED before COMPLETE.
    let asked = moto.operations(PRODUCTION);
    let made = asked.iter().position(|o| o == "GenerateCredentialReport");
    let taken = asked.iter().rposition(|o| o == "GetCredentialReport");
    assert!(made.is_some() && made < taken, "{asked:?}");
    let failures = shown.all(FAILURES, &[("account", PRODUCTION)]);
    assert!(
        failures.iter().all(|sample| sample.value <= 0.0),
        "a report in the making is no failure: {failures:?}"
    );
}

#[test]
fn a_fresh_report_is_not_requested_again() {
    let moto = Moto::with_root_keys(&[(PRODUCTION, &["inactive"])]);
    let daemon = start(&moto, BOTH, &[PRODUCTION]);
    daemon.scrape_until(|shown| {
        let source = [("account", PRODUCTION), ("source", "credential_report")];
        shown.expect(UP, &source, 1.0)
    });
    // What moto prints of a call may come after its answer.
    eventually(PATIENCE, || {
        let given = moto.count(PRODUCTION, "GetCredentialReport");
        (given > 0).then_some(()).ok_or_else(|| "none given".into())
    });
    let report_requests = || {
        let asked = moto.operations(PRODUCTION);
        asked
            .iter()
            .filter(|o| o.ends_with("CredentialReport"))
            .count()
    };
    let (before, looks) = (
        report_requests(),
        moto.count(PRODUCTION, "GetAccountSummary"),
    );

    eventually(PATIENCE, || {
        let now = moto.count(PRODUCTION, "GetAccountSummary");
        (now >= looks + 5)
            .then_some(())
            .ok_or_else(|| format!("{now} polls, {looks} before"))
    });

    assert_eq!(report_requests(), before, "AWS makes one in 4 hours");
    assert_eq!(
        key_counts(&daemon.scrape(), PRODUCTION),
        (Some(0.0), Some(1.0)),
        "the summary counts the inactive key too, the report says that it is inactive"
    );
}

#[test]
fn the_callers_own_account_needs_no_configuration() {
    let moto = Moto::with_root_keys(&[(CALLER_ACCOUNT, &["active"])]);
    let nowhere = listen().local_addr().unwrap();
    let daemon = Launch::new(&[ANY_PORT])
        .environment(credentials("testing", "testing"))
        .environment([
            // The services' own variables win over the one for all, which leads nowhere.
            ("AWS_ENDPOINT_URL", format!("http://{nowhere}")),
            ("AWS_ENDPOINT_URL_IAM", moto.endpoint.clone()),
            ("AWS_ENDPOINT_URL_STS", moto.endpoint.clone()),
        ])
        .start();

    let shown =
        daemon.scrape_until(|shown| shown.expect(ACTIVE, &[("account", CALLER_ACCOUNT)], 1.0));

    assert_eq!(shown.all("aws_account_info", &[]).len(), 1);
    assert!(moto.roles_entered().is_empty());
}

#[test]
fn a_refusal_in_one_account_is_reported_and_affects_no_other() {
    const REPORT: &[&str] = &["iam:GenerateCredentialReport", "iam:GetCredentialReport"];
    let (readable, denied, closed) = (LEADING_ZEROS, PRODUCTION, STAGING);
    let keys: &[&str] = &["active"];
    let moto = Moto::guarded(
        &[(readable, keys), (denied, keys), (closed, keys)],
        &[(readable, REPORT), (denied, &["iam:GetAccountSummary"])],
    );
    let daemon = start(&moto, REPORT_ONLY, &[readable, denied, closed]);

    let shown = daemon.scrape_until(|shown| {
        shown.expect(ACTIVE, &[("account", readable)], 1.0)?;
        failed(shown, denied, "access_denied")?;
        failed(shown, closed, "assume_role")
    });

    assert_eq!(key_counts(&shown, denied), (None, None));
    assert_eq!(key_counts(&shown, closed), (None, None));
}

#[test]
fn each_poll_is_signed_as_aws_asks() {
    // The SDK makes the first call; those after it are signed by this program, with the SDK's signer.
    let moto = Moto::guarded(
        &[(PRODUCTION, &["active"])],
        &[(PRODUCTION, &["iam:GetAccountSummary"])],
    );
    let daemon = start(&moto, "credential_report = false", &[PRODUCTION]);

    let shown = daemon.scrape_until(|shown| {
        shown.expect(ACTIVE, &[("account", PRODUCTION)], 1.0)?;
        let operations = moto.operations(PRODUCTION);
        let polls = operations
            .iter()
            .filter(|name| *name == "GetAccountSummary");
        match polls.count() {
            count if count >= 4 => Ok(()),
            count => Err(format!("{count} polls")),
        }
    });

    let source = [("account", PRODUCTION), ("source", "account_summary")];
    shown
        .expect(UP, &source, 1.0)
        .expect("the last poll worked");
    assert!(
        shown
            .all(FAILURES, &source)
            .iter()
            .all(|failed| failed.value == 0.0)
    );
}

#[test]
fn a_wrong_secret_is_refused_and_shows_nothing() {
    // The test above verifies signatures only if moto checks them.
    let moto = Moto::guarded(
        &[(PRODUCTION, &["active"])],
        &[(
            PRODUCTION,
            &["iam:GenerateCredentialReport", "iam:GetCredentialReport"],
        )],
    );
    let (id, _) = moto.caller();
    let daemon = Launch::new(&[ANY_PORT])
        .environment(environment(&moto.endpoint, &id, "wrong"))
        .config(&config(REPORT_ONLY, &[PRODUCTION]))
        .start();

    let shown = daemon.scrape_until(|shown| {
        let source = [("account", PRODUCTION), ("source", "credential_report")];
        shown.expect(UP, &source, 0.0)
    });

    assert_eq!(key_counts(&shown, PRODUCTION), (None, None));
    assert!(moto.operations(PRODUCTION).is_empty());
}
