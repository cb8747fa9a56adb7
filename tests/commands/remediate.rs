//! `remediate` over a simulated AWS: what it shows, what it refuses, what it deletes.

use aws_root_exporter::simulator::{Fault, FaultKind, Operation};

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

#[test]
fn without_delete_it_shows_the_keys_and_calls_nothing_that_writes() {
    let (simulated, key) = with_key(30 * DAY);
    remediate(&simulated, &format!("--account {ACCOUNT}"))
        .exits(0)
        .says(&format!("{key}  active, created "))
        .says("for sts in eu-west-3")
        .says("Nothing was changed.")
        .says(&format!("--account {ACCOUNT} --delete --confirm {ACCOUNT}"));
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
fn a_wrong_or_missing_confirmation_deletes_nothing() {
    let (simulated, _) = with_key(30 * DAY);
    for rest in [
        "--delete --confirm 000000000013",
        "--delete --confirm 12",
        "--delete",
        "--confirm 000000000012",
    ] {
        remediate(&simulated, &format!("--account {ACCOUNT} {rest}")).exits(2);
    }
    assert_eq!(keys(&simulated, MEMBER), 1);
    assert_eq!(deletions(&simulated), 0);
    assert!(simulated.world.calls().is_empty(), "AWS was asked");
}

#[test]
fn the_right_confirmation_deletes_the_keys_and_proves_it() {
    let (simulated, first) = with_key(30 * DAY);
    let second = simulated.world.edit(id(MEMBER), |account| {
        let second = account.root.create_key(now() - 90 * DAY).unwrap();
        account.root.deactivate_keys();
        second
    });
    simulated.world.edit(id(13), |account| {
        account.root.create_key(now() - 90 * DAY);
    });
    let ran = remediate(
        &simulated,
        &format!("--account {ACCOUNT} --delete --confirm {ACCOUNT}"),
    );
    ran.exits(0)
        .says("2 root access keys")
        .says("Deleted. Asked again, AWS lists no root access key")
        .complains(&format!("key={first}"))
        .complains(&format!("key={second}"))
        .complains("audit=true");
    assert_eq!(keys(&simulated, MEMBER), 0);
    assert_eq!(keys(&simulated, 13), 1, "another account's");
    assert_eq!(deletions(&simulated), 2);
}

#[test]
fn a_key_that_was_used_lately_stays_unless_that_is_overruled() {
    let (simulated, key) = with_key(3600);
    let delete = format!("--account {ACCOUNT} --delete --confirm {ACCOUNT}");
    remediate(&simulated, &format!("--account {ACCOUNT}"))
        .exits(0)
        .says("would be refused now");
    remediate(&simulated, &delete)
        .exits(1)
        .complains(&format!("nothing was deleted: {key} was used at"));
    assert_eq!(keys(&simulated, MEMBER), 1);
    assert_eq!(deletions(&simulated), 0);
    remediate(&simulated, &format!("{delete} --unused-for 30m")).exits(0);
    assert_eq!(keys(&simulated, MEMBER), 0);

    let (simulated, _) = with_key(3600);
    remediate(&simulated, &format!("{delete} --even-if-used")).exits(0);
    assert_eq!(keys(&simulated, MEMBER), 0);
}

#[test]
fn a_key_of_which_nobody_knows_the_last_use_stays() {
    let (simulated, _) = with_key(30 * DAY);
    simulated
        .world
        .fault(Fault::new(FaultKind::ServiceFailure).on(Operation::GetAccessKeyLastUsed));
    remediate(
        &simulated,
        &format!("--account {ACCOUNT} --delete --confirm {ACCOUNT}"),
    )
    .exits(1)
    .says("last use unknown")
    .complains("AWS does not say when");
    assert_eq!(keys(&simulated, MEMBER), 1);
}

#[test]
fn a_deletion_that_fails_is_told_and_logged() {
    let (simulated, key) = with_key(30 * DAY);
    simulated
        .world
        .fault(Fault::new(FaultKind::AccessDenied).on(Operation::DeleteAccessKey));
    remediate(
        &simulated,
        &format!("--account {ACCOUNT} --delete --confirm {ACCOUNT}"),
    )
    .exits(1)
    .complains("root access key not deleted")
    .complains(&key);
    assert_eq!(keys(&simulated, MEMBER), 1);
}

#[test]
fn an_account_without_keys_has_nothing_to_be_done() {
    let simulated = Simulated::with([MEMBER]);
    for rest in ["", " --delete --confirm 000000000012"] {
        remediate(&simulated, &format!("--account {ACCOUNT}{rest}"))
            .exits(0)
            .says("Account 000000000012 has no root access keys.");
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
        &format!("--account {hub} --delete --confirm {hub}"),
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
fn without_credentials_it_says_so() {
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
