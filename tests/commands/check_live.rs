//! `check` over a simulated AWS.

use aws_simulator::{Fault, FaultKind, Operation};
use serde_json::Value;

use crate::simulated::{self, DAY, HUB, ROLE, Simulated, id, listed, now, organization};
use test_support::run::{Bench, Finished};

fn check(simulated: &Simulated, config: &str, flags: &str) -> Finished {
    let bench = simulated.bench();
    bench.file("config.toml", config);
    bench.run(&format!("check {flags}"))
}

#[test]
fn without_a_configuration_it_is_the_caller_s_own_account() {
    let simulated = simulated::with([]);
    check(&simulated, "", "")
        .exits(0)
        .says(&id(HUB).to_string())
        .says("1 account: 0 with root access keys, 1 without.");
}

#[test]
fn a_key_that_was_created_since_the_report_is_found() {
    let simulated = simulated::with([12]);
    let hour_ago = now() - 3600;
    simulated.world.edit(id(12), |account| {
        account.store_report(hour_ago);
        account.root.create_key(now());
    });
    check(&simulated, &listed([12]), "")
        .exits(1)
        .says("000000000012")
        .says("1 active")
        .says("created since the last credential report");
}

#[test]
fn a_key_that_was_deleted_since_the_report_is_gone_after_a_second_poll() {
    let simulated = simulated::with([12]);
    let hour_ago = now() - 3600;
    simulated.world.edit(id(12), |account| {
        account.root.create_key(now() - 10 * DAY);
        account.store_report(hour_ago);
        account.root.delete_keys();
    });
    check(&simulated, &listed([12]), "").exits(0).says("none");
    let polls = simulated.world.count(id(12), Operation::GetAccountSummary);
    assert_eq!(polls, 2, "polls");
}

#[test]
fn one_poll_is_enough_where_no_value_falls() {
    let simulated = simulated::with([12, 13]);
    simulated.world.edit(id(13), |account| {
        account.root.create_key(now() - 10 * DAY);
        account.root.use_key(0, now() - DAY, "eu-west-3", "sts");
    });
    check(&simulated, &listed([12, 13]), "")
        .exits(1)
        .says("for sts in eu-west-3")
        .says("2 accounts: 1 with root access keys, 1 without.");
    for number in [12, 13] {
        let polls = simulated
            .world
            .count(id(number), Operation::GetAccountSummary);
        assert_eq!(polls, 1, "polls of {number}");
    }
}

#[test]
fn an_inactive_key_that_is_left_is_a_finding() {
    let simulated = simulated::with([12]);
    simulated.world.edit(id(12), |account| {
        account.root.create_key(now() - 10 * DAY);
        account.root.deactivate_keys();
    });
    check(&simulated, &listed([12]), "")
        .exits(1)
        .says("1 inactive")
        .says("aws-root-exporter remediate --account 000000000012");
}

#[test]
fn an_account_that_cannot_be_entered_is_unknown() {
    let simulated = simulated::with([12, 13]);
    simulated.world.edit(id(13), |account| {
        account.roles.remove(ROLE);
    });
    for (flags, says) in [
        ("", "unknown"),
        ("--format csv", "unknown"),
        ("--only-findings", "000000000013"),
    ] {
        check(&simulated, &listed([12, 13]), flags)
            .exits(3)
            .says(says)
            .says("assume_role");
    }
}

#[test]
fn a_passing_failure_changes_nothing() {
    let simulated = simulated::with([12]);
    simulated.world.fault(
        Fault::new(FaultKind::Throttling)
            .of(id(12))
            .on(Operation::GetAccountSummary)
            .times(1),
    );
    check(&simulated, &listed([12]), "").exits(0);
}

#[test]
fn a_report_that_is_never_ready_does_not_delay_the_result() {
    let simulated = simulated::with([12]);
    simulated.world.fault(
        Fault::new(FaultKind::AccessDenied)
            .of(id(12))
            .on(Operation::GenerateCredentialReport),
    );
    check(&simulated, &listed([12]), "")
        .exits(0)
        .says("credential_report: access_denied");
}

#[test]
fn a_whole_organization_is_checked_by_roles_and_by_root_sessions() {
    let simulated = simulated::with(101..=130);
    simulated.world.edit(id(117), |account| {
        account.root.create_key(now() - 10 * DAY);
    });
    for access in ["role", "root", "both"] {
        let ran = check(&simulated, &organization(access), "--format json").exits(1);
        let all: Value = serde_json::from_str(&ran.out).unwrap();
        let accounts = all["accounts"].as_array().unwrap();
        assert_eq!(accounts.len(), 31, "{access}");
        let found: Vec<&Value> = accounts
            .iter()
            .filter(|account| account["root"]["access_keys_active"] != 0)
            .collect();
        assert_eq!(found.len(), 1, "{access}: {found:#?}");
        assert_eq!(found[0]["account"], "000000000117");
        assert_eq!(found[0]["name"], "account-117");
        assert!(all.get("reports").is_none());
    }
}

#[test]
fn a_root_session_names_the_key() {
    let simulated = simulated::with([12]);
    let key = simulated.world.edit(id(12), |account| {
        let key = account.root.create_key(now() - 10 * DAY).unwrap();
        account.root.use_key(0, now() - DAY, "eu-west-3", "sts");
        key
    });
    check(&simulated, &organization("root"), "--only-findings")
        .exits(1)
        .says(&format!("{key}  active, since "))
        .says("for sts in eu-west-3");
}

#[test]
fn an_organization_that_cannot_be_listed_is_an_error() {
    Bench::new()
        .with([
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ])
        .run("check")
        .exits(3)
        .says("credentials");
    let simulated = simulated::with([12]);
    simulated.world.organization(|it| it.enabled = false);
    check(&simulated, &(organization("role") + &listed([12])), "")
        .exits(3)
        .says("organization")
        .says("000000000012");
}

#[test]
fn a_pipe_gets_neither_progress_nor_log() {
    let simulated = simulated::with([12, 13]);
    let ran = check(&simulated, &listed([12, 13]), "").exits(0);
    assert_eq!(ran.err, "");
}

#[test]
fn a_wrong_configuration_is_wrong_usage() {
    let simulated = simulated::with([]);
    check(&simulated, "[[accounts]]\nid = \"12\"\n", "")
        .exits(2)
        .complains("12 digits");
    simulated
        .bench()
        .run("check --config.file gone.toml")
        .exits(2)
        .complains("gone.toml");
}

#[test]
fn an_account_with_only_an_accepted_key_is_no_finding_and_a_second_key_is_one() {
    let simulated = simulated::with([12]);
    simulated.world.edit(id(12), |account| {
        account.root.mfa = true;
        account.root.create_key(now() - 100 * DAY);
    });
    let config = format!(
        "{}[[exceptions]]\naccount = \"000000000012\"\nkey = \"AKIAIOSFODNN7EXAMPLE\"\n\
         reason = \"the old backup\"\nuntil = \"2999-12-31\"\n",
        listed([12])
    );
    check(&simulated, &config, "")
        .exits(0)
        .says("1 active, accepted")
        .says("its id cannot be verified. Reason: the old backup.")
        .says("1 account: 0 with root access keys, 0 without, 1 with accepted keys only.");
    check(&simulated, &config, "--format csv")
        .exits(0)
        .says("000000000012,,accepted,1,1,1,1,");
    let json = check(&simulated, &config, "--format json").exits(0).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["accounts"][0]["root"]["access_keys_accepted"], 1);
    let ended = config.replace("2999-12-31", "2020-01-01");
    check(&simulated, &ended, "")
        .exits(1)
        .says("The exception for key AKIAIOSFODNN7EXAMPLE ended with 2020-01-01");
    simulated.world.edit(id(12), |account| {
        account.root.create_key(now() - 50 * DAY);
    });
    check(&simulated, &config, "").exits(1).says("2 active");
}

#[test]
fn an_exception_that_has_ended_is_a_warning_of_the_configuration() {
    let simulated = simulated::with([]);
    let bench = simulated.bench();
    bench.file(
        "config.toml",
        "[[exceptions]]\naccount = \"000000000012\"\nkey = \"AKIAIOSFODNN7EXAMPLE\"\n\
         reason = \"the old backup\"\nuntil = \"2020-01-01\"\n",
    );
    bench
        .run("--config.check")
        .exits(0)
        .complains("warning: the exception for key AKIAIOSFODNN7EXAMPLE of account 000000000012 ended with 2020-01-01");
}
