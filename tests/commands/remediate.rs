//! `remediate` over a simulated AWS: what it shows, what it refuses, what it deletes.

use std::thread;
use std::time::{Duration, Instant};

use aws_root_exporter::simulator::{Fault, FaultKind, Operation, World};
use serde_json::Value;

use crate::simulated::{DAY, HUB, Simulated, id, now};
use crate::support::{Bench, Ran};

const MEMBER: u64 = 12;
const ACCOUNT: &str = "000000000012";

/// A member with a key that was last used so many seconds ago.
fn with_key(used: i64) -> (Simulated, String) {
    let simulated = Simulated::with([MEMBER, 13]);
    let key = simulated.world.edit(id(MEMBER), |account| {
        let key = account.root.create_key(now() - 100 * DAY).unwrap();
        account.root.use_key(0, now() - used, "eu-west-3", "sts");
        key
    });
    (simulated, key)
}

fn remediate(simulated: &Simulated, rest: &str) -> Ran {
    simulated.bench().run(&format!("remediate {rest}"))
}

fn keys(simulated: &Simulated, number: u64) -> usize {
    simulated.world.edit(id(number), |account| {
        account.root.keys.iter().flatten().count()
    })
}

fn deletions(simulated: &Simulated) -> u64 {
    simulated.world.total(Operation::DeleteAccessKey)
}

/// The flags that delete these keys.
fn delete(keys: &[&str]) -> String {
    let named = keys.join(" --delete ");
    format!("--account {ACCOUNT} --delete {named} --confirm {ACCOUNT}")
}

/// A member with two keys that were not used lately.
fn with_two_keys() -> (Simulated, String, String) {
    let (simulated, first) = with_key(30 * DAY);
    let second = simulated.world.edit(id(MEMBER), |account| {
        account.root.create_key(now() - 90 * DAY).unwrap()
    });
    (simulated, first, second)
}

/// Runs the command, and changes its AWS while the answer to the `nth` call of `operation` is on
/// its way.
fn with_change_at(
    simulated: &Simulated,
    operation: Operation,
    nth: u64,
    rest: &str,
    change: impl FnOnce(&World),
) -> Ran {
    let world = &simulated.world;
    let late = FaultKind::Delay(Duration::from_millis(700));
    world.fault(Fault::new(late).on(operation));
    thread::scope(|scope| {
        let running = scope.spawn(|| remediate(simulated, rest));
        let begun = Instant::now();
        while world.total(operation) < nth {
            let is_late = begun.elapsed() > Duration::from_secs(60) || running.is_finished();
            assert!(!is_late, "no call {nth} of {operation:?}");
            thread::sleep(Duration::from_millis(10));
        }
        change(world);
        running.join().unwrap()
    })
}

#[test]
fn without_delete_it_shows_the_keys_and_calls_nothing_that_writes() {
    let (simulated, key) = with_key(30 * DAY);
    remediate(&simulated, &format!("--account {ACCOUNT}"))
        .exits(0)
        .says(&format!("{key}  active, since "))
        .says("for sts in eu-west-3")
        .says("Nothing was changed.")
        .says(&format!(
            "--account {ACCOUNT} --delete {key} --confirm {ACCOUNT}"
        ));
    assert_eq!(deletions(&simulated), 0);
    assert_eq!(keys(&simulated, MEMBER), 1);
    let asked: Vec<Operation> = simulated
        .world
        .calls()
        .iter()
        .filter_map(|call| call.operation)
        .collect();
    let reads = [
        Operation::GetCallerIdentity,
        Operation::DescribeOrganization,
        Operation::AssumeRoot,
        Operation::ListAccessKeys,
        Operation::GetAccessKeyLastUsed,
        Operation::ListSigningCertificates,
        Operation::ListMFADevices,
        Operation::GetLoginProfile,
    ];
    assert!(asked.iter().all(|it| reads.contains(it)), "{asked:?}");
}

#[test]
fn for_an_active_key_its_user_is_found_first_and_it_is_deactivated_in_the_console() {
    let (simulated, key) = with_key(30 * DAY);
    let account = format!("--account {ACCOUNT}");
    remediate(&simulated, &account)
        .exits(0)
        .says(&format!(
            "aws cloudtrail lookup-events --region eu-west-3 --max-results 50 --lookup-attributes \
             AttributeKey=AccessKeyId,AttributeValue={key} "
        ))
        .says("aws cloudtrail lookup-events --region us-east-1 ")
        .says("No root session can")
        .says("“Deactivate”");
    simulated
        .world
        .edit(id(MEMBER), |account| account.root.deactivate_keys());
    remediate(&simulated, &account)
        .exits(0)
        .never_says("cloudtrail")
        .says(&format!("--delete {key} "));
    // Active or not, it is deleted when it is named.
    let (simulated, key) = with_key(30 * DAY);
    remediate(&simulated, &delete(&[&key])).exits(0);
    assert_eq!(keys(&simulated, MEMBER), 0);
}

#[test]
fn the_command_that_is_shown_does_what_was_shown() {
    let (simulated, key) = with_key(30 * DAY);
    let bench = simulated.bench();
    bench.file("config.toml", "").file("it's.toml", "");
    let command = format!("--account {ACCOUNT} --delete {key} --confirm {ACCOUNT}");
    for (flags, shown) in [
        ("", "\n"),
        ("--unused-for 40d", " --unused-for 40days\n"),
        ("--unused-for 90m", " --unused-for 90min\n"),
        ("--unused-for 100h", " --unused-for 360000s\n"),
        (
            "--unused-for 36h --config.file it's.toml",
            " --unused-for 36h --config.file 'it'\\''s.toml'\n",
        ),
    ] {
        bench
            .run(&format!("remediate --account {ACCOUNT} {flags}"))
            .exits(0)
            .says(&format!("{command}{shown}"));
    }
    bench
        .run(&format!("remediate --account {ACCOUNT} --unused-for 40d"))
        .says("within the last 40 days");
}

#[test]
fn a_wrong_or_missing_confirmation_deletes_nothing() {
    let (simulated, key) = with_key(30 * DAY);
    for rest in [
        format!("--delete {key} --confirm 000000000013"),
        format!("--delete {key} --confirm 12"),
        format!("--delete {key}"),
        format!("--delete --confirm {ACCOUNT}"),
        format!("--delete {key} --delete {key} --confirm {ACCOUNT}"),
        format!("--confirm {ACCOUNT}"),
    ] {
        remediate(&simulated, &format!("--account {ACCOUNT} {rest}")).exits(2);
    }
    assert_eq!(keys(&simulated, MEMBER), 1);
    assert_eq!(deletions(&simulated), 0);
    assert!(simulated.world.calls().is_empty(), "AWS was asked");
}

#[test]
fn the_named_keys_are_deleted_and_verified_and_no_other_one() {
    let (simulated, first, second) = with_two_keys();
    simulated.world.edit(id(13), |account| {
        account.root.create_key(now() - 90 * DAY);
    });
    remediate(&simulated, &delete(&[&second]))
        .exits(0)
        .says("2 root access keys")
        .says(&format!("{second}  deleted and verified"))
        .complains(&format!("key={second}"))
        .complains("audit=true");
    assert_eq!(keys(&simulated, MEMBER), 1);
    simulated
        .world
        .edit(id(MEMBER), |account| account.root.deactivate_keys());
    let third = simulated.world.edit(id(MEMBER), |account| {
        account.root.create_key(now() - 90 * DAY).unwrap()
    });
    remediate(&simulated, &delete(&[&first, &third]))
        .exits(0)
        .says(&format!("{first}  deleted and verified"))
        .says(&format!("{third}  deleted and verified"));
    assert_eq!(keys(&simulated, MEMBER), 0);
    assert_eq!(keys(&simulated, 13), 1, "another account's");
    assert_eq!(deletions(&simulated), 3);
}

#[test]
fn a_key_that_is_not_listed_stops_all() {
    let (simulated, first, second) = with_two_keys();
    let other = "AKIAIOSFODNN7EXAMPLE";
    remediate(&simulated, &delete(&[&first, other]))
        .exits(1)
        .says(&second)
        .complains(&format!(
            "nothing was deleted: {other} is not a root access key of account {ACCOUNT}"
        ));
    assert_eq!(keys(&simulated, MEMBER), 2);
    assert_eq!(deletions(&simulated), 0);
}

#[test]
fn each_step_is_audited_at_any_log_level_and_in_the_file() {
    let (simulated, key) = with_key(30 * DAY);
    let bench = simulated.bench();
    for format in ["", " --log.format json"] {
        let refused = format!("remediate {} --unused-for 90d", delete(&[&key]));
        let ran = bench.run(&format!("{refused} --log.level error{format}"));
        let ran = ran.exits(1).complains(&key);
        assert!(ran.err.contains("audit"), "{ran:#?}");
    }
    bench.file("audit.jsonl", "{\"event\":\"before\"}\n");
    let line = format!(
        "remediate {} --log.level error --audit-file audit.jsonl",
        delete(&[&key])
    );
    let ran = bench
        .run(&line)
        .exits(0)
        .complains("deleting a root access key")
        .complains("root access key deleted")
        .complains("root access key is no longer listed")
        .complains("caller=arn:aws:iam::");
    let audited: Vec<&str> = (ran.err.lines())
        .filter(|line| line.contains("audit=true"))
        .collect();
    assert_eq!(audited.len(), 3, "{ran:#?}");
    assert!(audited.iter().all(|line| line.contains(&key)), "{ran:#?}");
    let file = std::fs::read_to_string(bench.path("audit.jsonl")).unwrap();
    let lines: Vec<Value> = file
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events: Vec<&str> = lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["before", "deleting", "deleted", "verified"]);
    assert_eq!(lines[1]["account"], ACCOUNT);
    assert_eq!(lines[1]["key"], key.as_str());
    assert!(lines[1]["caller"].as_str().unwrap().starts_with("arn:aws:"));
    assert!(lines[1]["time"].is_string());
}

#[test]
fn a_deletion_that_cannot_be_audited_is_not_made() {
    let (simulated, key) = with_key(30 * DAY);
    remediate(
        &simulated,
        &format!("{} --audit-file gone/audit.jsonl", delete(&[&key])),
    )
    .exits(2)
    .complains("--audit-file gone/audit.jsonl");
    assert!(simulated.world.calls().is_empty(), "AWS was asked");
    // A disk that is full shows when a line is written.
    remediate(
        &simulated,
        &format!("{} --audit-file /dev/full", delete(&[&key])),
    )
    .exits(1)
    .says(&format!("{key}  not deleted: "))
    .says("--audit-file /dev/full");
    assert_eq!(keys(&simulated, MEMBER), 1);
    assert_eq!(deletions(&simulated), 0);
}

#[test]
fn a_key_that_was_used_recently_is_kept_unless_forced() {
    let (simulated, key) = with_key(3600);
    remediate(&simulated, &format!("--account {ACCOUNT}"))
        .exits(0)
        .says("would be refused now");
    remediate(&simulated, &delete(&[&key]))
        .exits(1)
        .complains(&format!("nothing was deleted: {key} was used at"));
    assert_eq!(keys(&simulated, MEMBER), 1);
    assert_eq!(deletions(&simulated), 0);
    let soon = format!("{} --unused-for 30m", delete(&[&key]));
    remediate(&simulated, &soon).exits(0);
    assert_eq!(keys(&simulated, MEMBER), 0);

    let (simulated, key) = with_key(3600);
    let anyway = format!("{} --even-if-used", delete(&[&key]));
    remediate(&simulated, &anyway).exits(0);
    assert_eq!(keys(&simulated, MEMBER), 0);
}

#[test]
fn a_key_that_was_never_used_counts_from_its_creation() {
    let simulated = Simulated::with([MEMBER]);
    let key = simulated.world.edit(id(MEMBER), |account| {
        account.root.create_key(now() - 25).unwrap()
    });
    for flags in ["", " --unused-for 30d"] {
        remediate(&simulated, &format!("{}{flags}", delete(&[&key])))
            .exits(1)
            .complains(&format!("nothing was deleted: {key} was created at"));
    }
    assert_eq!(keys(&simulated, MEMBER), 1);
    let short = format!("{} --unused-for 10s", delete(&[&key]));
    remediate(&simulated, &short).exits(0);
    assert_eq!(keys(&simulated, MEMBER), 0);
}

#[test]
fn a_key_whose_last_use_is_unknown_is_kept() {
    let (simulated, key) = with_key(30 * DAY);
    simulated
        .world
        .fault(Fault::new(FaultKind::ServiceFailure).on(Operation::GetAccessKeyLastUsed));
    remediate(&simulated, &delete(&[&key]))
        .exits(1)
        .says("last use unknown")
        .complains("AWS does not say when");
    assert_eq!(keys(&simulated, MEMBER), 1);
}

#[test]
fn a_deletion_that_fails_is_reported_and_audited() {
    let (simulated, key) = with_key(30 * DAY);
    simulated
        .world
        .fault(Fault::new(FaultKind::AccessDenied).on(Operation::DeleteAccessKey));
    remediate(&simulated, &delete(&[&key]))
        .exits(1)
        .says(&format!("{key}  not deleted: access_denied"))
        .complains("root access key not deleted")
        .complains(&key);
    assert_eq!(keys(&simulated, MEMBER), 1);
}

#[test]
fn the_end_of_each_of_two_keys_is_reported() {
    let (simulated, first, second) = with_two_keys();
    let refused = Fault::new(FaultKind::AccessDenied).on(Operation::DeleteAccessKey);
    with_change_at(
        &simulated,
        Operation::DeleteAccessKey,
        1,
        &delete(&[&first, &second]),
        |world| world.fault(refused),
    )
    .exits(4)
    .says(&format!("{first}  deleted and verified"))
    .says(&format!("{second}  not deleted: access_denied"));
    assert_eq!(keys(&simulated, MEMBER), 1);
}

#[test]
fn after_a_deletion_that_fails_no_other_one_is_tried() {
    let (simulated, first, second) = with_two_keys();
    let refused = Fault::new(FaultKind::AccessDenied).on(Operation::DeleteAccessKey);
    simulated.world.fault(refused.times(1));
    remediate(&simulated, &delete(&[&first, &second]))
        .exits(1)
        .says(&format!("{first}  not deleted: access_denied"))
        .says(&format!("{second}  not deleted: other: not tried"));
    assert_eq!(keys(&simulated, MEMBER), 2);
}

#[test]
fn a_check_that_fails_once_after_the_deletion_is_no_failure() {
    let (simulated, key) = with_key(30 * DAY);
    let throttled = Fault::new(FaultKind::Throttling).on(Operation::ListAccessKeys);
    with_change_at(
        &simulated,
        Operation::DeleteAccessKey,
        1,
        &delete(&[&key]),
        |world| world.fault(throttled.times(1)),
    )
    .exits(0)
    .says(&format!("{key}  deleted and verified"));
}

#[test]
fn a_deletion_that_cannot_be_verified_has_an_exit_code_of_its_own() {
    let (simulated, key) = with_key(30 * DAY);
    let down = Fault::new(FaultKind::ServiceFailure).on(Operation::ListAccessKeys);
    with_change_at(
        &simulated,
        Operation::DeleteAccessKey,
        1,
        &delete(&[&key]),
        |world| world.fault(down),
    )
    .exits(3)
    .says(&format!("{key}  deleted, not verified: "))
    .complains("not verified");
    assert_eq!(keys(&simulated, MEMBER), 0);
}

#[test]
fn a_deletion_without_an_answer_is_what_the_list_says() {
    let (simulated, key) = with_key(30 * DAY);
    let torn = Fault::new(FaultKind::Torn).on(Operation::DeleteAccessKey);
    simulated.world.fault(torn);
    remediate(&simulated, &delete(&[&key]))
        .exits(0)
        .says(&format!("{key}  deleted and verified"))
        .complains("root access key may be deleted");
    assert_eq!(keys(&simulated, MEMBER), 0);
    assert_eq!(deletions(&simulated), 1);

    let (simulated, key) = with_key(30 * DAY);
    let failing = Fault::new(FaultKind::ServiceFailure).on(Operation::DeleteAccessKey);
    simulated.world.fault(failing);
    remediate(&simulated, &delete(&[&key]))
        .exits(1)
        .says(&format!("{key}  not deleted: "))
        .says("AWS still lists it");
    assert_eq!(keys(&simulated, MEMBER), 1);
}

#[test]
fn the_session_that_deletes_is_verified_to_be_the_account_s() {
    let (simulated, key) = with_key(30 * DAY);
    let other = Fault::new(FaultKind::WrongAccount(id(13))).on(Operation::GetCallerIdentity);
    // The first root session lists, the second is to delete.
    with_change_at(
        &simulated,
        Operation::AssumeRoot,
        2,
        &delete(&[&key]),
        |world| world.fault(other),
    )
    .exits(1)
    .says(&format!("{key}  not deleted: account_mismatch"));
    assert_eq!(deletions(&simulated), 0);
    assert_eq!(keys(&simulated, MEMBER), 1);
}

#[test]
fn a_key_whose_id_is_a_command_is_not_offered_to_a_shell() {
    let (simulated, _) = with_key(30 * DAY);
    simulated.world.edit(id(MEMBER), |account| {
        let key = account.root.keys[0].as_mut().unwrap();
        key.id = "AKIA1; touch /tmp/x".to_owned();
        let used = key.last_used.as_mut().unwrap();
        used.region = "$(id)".into();
    });
    let ran = remediate(&simulated, &format!("--account {ACCOUNT}")).exits(0);
    let commands = ["aws ", "aws-root-exporter "];
    for line in ran.out.lines().map(str::trim) {
        if commands.iter().any(|command| line.starts_with(command)) {
            assert!(!line.contains("touch") && !line.contains("$("), "{line}");
        }
    }
    ran.says("1 root access key")
        .says("delete it in the console");
}

#[test]
fn an_account_without_keys_has_nothing_to_be_done() {
    let simulated = Simulated::with([MEMBER]);
    for account in [id(MEMBER), id(HUB)] {
        for rest in [
            String::new(),
            format!(" --delete AKIAIOSFODNN7EXAMPLE --confirm {account}"),
        ] {
            remediate(&simulated, &format!("--account {account}{rest}"))
                .exits(0)
                .says(&format!("Account {account} has no root access keys."))
                .says("nothing to do")
                .never_says("console");
        }
    }
    assert_eq!(deletions(&simulated), 0);
}

#[test]
fn the_management_account_is_for_the_console() {
    let simulated = Simulated::with([MEMBER]);
    let hub = id(HUB);
    simulated.world.edit(hub, |account| {
        account.root.create_key(now() - 100 * DAY);
        account
            .root
            .use_key(0, now() - 30 * DAY, "eu-west-3", "sts");
    });
    remediate(&simulated, &format!("--account {hub}"))
        .exits(0)
        .says("it is the organization's management account")
        .says("1 active")
        .says("for sts in eu-west-3")
        .says("Security credentials")
        .says("Deactivate")
        .says("Delete");
    remediate(
        &simulated,
        &format!("--account {hub} --delete AKIAIOSFODNN7EXAMPLE --confirm {hub}"),
    )
    .exits(1)
    .complains("nothing was deleted");
    assert_eq!(keys(&simulated, HUB), 1);
    assert_eq!(deletions(&simulated), 0);
}

#[test]
fn without_root_sessions_it_is_the_console_too() {
    let (simulated, _) = with_key(30 * DAY);
    simulated.world.organization(|it| it.root_access = false);
    remediate(&simulated, &format!("--account {ACCOUNT}"))
        .exits(0)
        .says("turn on centralized root access")
        .says("Security credentials");
    simulated.world.organization(|it| it.enabled = false);
    remediate(&simulated, &format!("--account {ACCOUNT}"))
        .exits(0)
        .says("in no organization")
        .says("Security credentials");
    assert_eq!(keys(&simulated, MEMBER), 1);
}

#[test]
fn missing_credentials_are_reported() {
    Bench::new()
        .with([
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ])
        .run(&format!("remediate --account {ACCOUNT}"))
        .exits(1)
        .complains("credentials");
}

/// The one call that changes anything is out of the daemon's reach.
#[test]
fn nothing_but_remediate_links_to_the_deleting_calls() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // The simulated AWS answers deletions; it makes none.
    let simulator = source.join("simulator");
    let mut folders = vec![source.clone()];
    let mut users = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.extend(Some(path).filter(|path| *path != simulator));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(&source).unwrap().to_owned();
            let sdk_calls = [
                "delete_access_key(",
                "delete_login_profile(",
                "update_access_key(",
            ];
            for call in sdk_calls.iter().filter(|call| text.contains(**call)) {
                assert_eq!(name.to_str(), Some("aws/delete.rs"), "{call}");
            }
            if text.contains("aws::delete") || text.contains("delete::root_key") {
                users.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(users, ["cli/remediate.rs"]);
}
