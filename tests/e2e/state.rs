//! What survives a restart, and what the daemon does with an odd file in the place of the state.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use aws_simulator::{Fault, FaultKind};
use serde_json::json;

use test_support::daemon::{Daemon, Launch};
use test_support::simulated::{Simulated, account, id, listed, now};
use test_support::state::{self, knowing};
use test_support::{PATIENCE, eventually};

const ACTIVE: &str = "aws_root_access_keys_active";
const SAVED: &str = "aws_root_exporter_state_last_save_successful";
const ONE: u64 = 12;
const OF: [(&str, &str); 1] = [("account", "000000000012")];

fn config(accounts: &[u64]) -> String {
    let accounts: String = accounts.iter().copied().map(listed).collect();
    format!("refresh.interval = \"1s\"\nstate.path = \"state.redb\"\n{accounts}")
}

/// An AWS with that account, which has a root access key.
fn with_a_key() -> Simulated {
    let mut account = account(ONE, "production");
    account.root.create_key(1_700_000_000);
    account.store_report(now() - 3600);
    Simulated::with([account])
}

/// The same, but every call fails: a daemon knows what is in its state and nothing more.
fn dark() -> Simulated {
    let aws = with_a_key();
    aws.world.fault(Fault::new(FaultKind::ServiceFailure));
    aws
}

struct Launched {
    daemon: Daemon,
    path: PathBuf,
}

impl Launched {
    /// Starts, and waits until the key is on `/metrics`.
    fn start(launch: Launch) -> Self {
        let path = launch.path("state.redb");
        let daemon = launch.start();
        daemon.wait_until_ready();
        daemon.scrape_until(|shown| shown.expect(ACTIVE, &OF, 1.0));
        Self { daemon, path }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_file_that_cannot_be_used_is_set_aside_and_the_start_goes_on() {
    let aws = with_a_key();
    let first = Launched::start(aws.launch(&config(&[ONE])));
    knowing(&first.path, &[ONE]);
    let whole = fs::read(&first.path).unwrap();
    let torn = &whole[..whole.len() / 2];
    for content in [torn, b"{\"format\":\"terraform state\"}"] {
        let aws = with_a_key();
        let launch = aws.launch(&config(&[ONE]));
        fs::write(launch.path("state.redb"), content).unwrap();
        let next = Launched::start(launch);
        knowing(&next.path, &[ONE]);
        // A person may want it back. redb first tries to repair what begins like a database.
        let aside = fs::read(next.path.with_file_name("state.redb.unusable")).unwrap();
        let is_redb = content == torn;
        assert!(is_redb || aside == content, "the file is kept");
        let logged = next.daemon.process.lines().join("\n");
        assert!(logged.contains("set aside"), "{logged}");
    }
}

#[test]
fn a_file_of_3_gb_costs_neither_the_start_nor_a_value() {
    let aws = with_a_key();
    let first = Launched::start(aws.launch(&config(&[ONE])));
    knowing(&first.path, &[ONE]);
    let whole = fs::read(&first.path).unwrap();
    let old: &[u8] = b"{\"format\":\"aws-root-exporter state\",\"version\":1,";
    for start in [&b""[..], old, &whole] {
        let launch = aws.launch(&config(&[ONE]));
        let path = launch.path("state.redb");
        fs::write(&path, start).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(3_000_000_000).unwrap();
        let started = Instant::now();
        let next = Launched::start(launch);
        knowing(&next.path, &[ONE]);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(20), "{took:?}");
        let peak = next.daemon.process.peak_memory();
        assert!(peak < 500 << 20, "{} bytes: {peak} bytes", start.len());
        if start.len() < whole.len() {
            let aside = fs::metadata(next.path.with_file_name("state.redb.unusable"));
            assert_eq!(aside.unwrap().len(), 3_000_000_000, "it is kept");
        }
    }
}

#[test]
fn what_is_not_a_regular_file_refuses_the_start_and_stays_as_it_is() {
    let aws = with_a_key();
    for kind in ["a folder", "a pipe", "a link to a device"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        match kind {
            "a folder" => fs::create_dir(&path).unwrap(),
            "a pipe" => {
                let made = Command::new("mkfifo").arg(&path).status();
                assert!(made.unwrap().success());
            }
            _ => symlink("/dev/full", &path).unwrap(),
        }
        let before = fs::symlink_metadata(&path).unwrap();
        let config = config(&[ONE]).replace("state.redb", path.to_str().unwrap());
        let finished = aws.launch(&config).finish();
        assert_eq!(finished.code, 1, "{kind}: {finished:?}");
        let errors = finished.errors().join("\n");
        let message = format!("{}: not a regular file; name a file", path.display());
        assert!(errors.contains(&message), "{kind}: {errors}");
        let after = fs::symlink_metadata(&path).unwrap();
        assert_eq!(after.file_type(), before.file_type(), "{kind}");
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1, "{kind}: there is another file beside it");
    }
}

#[test]
fn a_second_process_on_the_same_path_does_not_start_nor_disturb_the_first() {
    let aws = with_a_key();
    let first = Launched::start(aws.launch(&config(&[ONE])));
    let config = config(&[ONE]).replace("state.redb", first.path.to_str().unwrap());
    let second = aws.launch(&config).finish();
    assert_eq!(second.code, 1, "{second:?}");
    let errors = second.errors().join("\n");
    assert!(
        errors.contains("another process uses this state"),
        "{errors}"
    );
    // The first still saves.
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    first.daemon.scrape_until(|shown| {
        shown.expect(ACTIVE, &OF, 2.0)?;
        shown.expect(SAVED, &[], 1.0)
    });
    first.daemon.process.signal("TERM");
    assert_eq!(first.daemon.exit_code(PATIENCE), 0);
}

#[test]
fn a_link_at_the_name_of_a_file_that_it_creates_is_never_followed() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    fs::set_permissions(&victim, Permissions::from_mode(0o644)).unwrap();
    let aws = with_a_key();
    let launch = aws.launch(&config(&[ONE]));
    for name in ["state.redb.tmp", "state.redb.unusable"] {
        symlink(&victim, launch.path(name)).unwrap();
    }
    // There must be something to set aside.
    fs::write(launch.path("state.redb"), "not a state").unwrap();
    let started = Launched::start(launch);
    knowing(&started.path, &[ONE]);
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert_eq!(mode(&victim), 0o644);
}

#[test]
fn a_folder_at_the_temporary_name_costs_only_the_saving() {
    let aws = with_a_key();
    let launch = aws.launch(&config(&[ONE]));
    let folder = launch.path("state.redb.tmp");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("data"), "data").unwrap();
    let next = Launched::start(launch);
    next.daemon
        .scrape_until(|shown| shown.expect(SAVED, &[], 0.0));
    let content = fs::read_to_string(folder.join("data"));
    assert_eq!(content.unwrap(), "data", "the folder is left alone");
    fs::remove_dir_all(&folder).unwrap();
    next.daemon
        .scrape_until(|shown| shown.expect(SAVED, &[], 1.0));
    knowing(&next.path, &[ONE]);
}

#[test]
fn only_its_owner_may_read_the_file() {
    let aws = with_a_key();
    let first = Launched::start(aws.launch(&config(&[ONE])));
    knowing(&first.path, &[ONE]);
    assert_eq!(mode(&first.path), 0o600, "of a new file");
    let launch = aws.launch(&config(&[ONE]));
    let path = launch.path("state.redb");
    fs::copy(&first.path, &path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let next = Launched::start(launch);
    assert_eq!(mode(&next.path), 0o600, "of an existing file");
}

/// The state file of version 0.1 in which a report of an hour ago says that the account has a key.
fn of_version_0_1() -> String {
    let (at, moment) = (now(), 50_000_000);
    let none = json!({ "look": null, "doubted": null, "listed": null });
    let report = json!({
        "stamp": { "at": at - 3600, "received": moment - 3_000_000, "age_at_receipt": 600_000 },
        "keys": { "present": 1, "active": 1 }, "certificates": { "present": 0, "active": 0 },
        "mfa": true, "password": true,
    });
    let record = json!({
        "report": report, "challenger": null, "keys": none, "certificates": none,
        "mfa": null, "password": null, "last_look": null,
        "following": { "none_at": null, "seen": null },
    });
    let account = json!({
        "record": record, "report": null, "root_keys": null, "report_due": moment + 60_000,
        "last_success": { "credential_report": at - 3000 },
    });
    let state = json!({
        "caller": null, "organization": null, "left": {},
        "accounts": { "000000000012": account },
    });
    let document = json!({
        "format": "aws-root-exporter state", "version": 1,
        "saved_at": at, "saved_moment": moment, "state": state,
    });
    format!("{document}\n")
}

#[test]
fn a_state_file_of_version_0_1_is_imported_once() {
    let content = of_version_0_1();
    let aws = dark();
    let launch = aws.launch(&config(&[ONE]));
    let path = launch.path("state.redb");
    let old = launch.path("state.json");
    fs::write(&old, &content).unwrap();
    let daemon = launch.start();
    daemon.scrape().expect(ACTIVE, &OF, 1.0).unwrap();
    assert!(!old.exists(), "it would be imported again");
    let aside = old.with_file_name("state.json.imported");
    assert_eq!(fs::read_to_string(aside).unwrap(), content);
    knowing(&path, &[ONE]);
}

#[test]
fn what_is_known_of_accounts_no_longer_configured_is_dropped() {
    let aws = with_a_key();
    aws.world.add(account(13, "sold"));
    let first = Launched::start(aws.launch(&config(&[ONE, 13])));
    knowing(&first.path, &[ONE, 13]);

    let launch = aws.launch(&config(&[ONE]));
    fs::copy(&first.path, launch.path("state.redb")).unwrap();
    let next = Launched::start(launch);
    knowing(&next.path, &[ONE]);
    // That it was here once is kept for a day; what was known of it is not.
    state::read_until(&next.path, |state| {
        let left = &state["meta"]["meta"]["value"]["left"]["000000000013"];
        (left["reason"] == "removed")
            .then_some(())
            .ok_or_else(|| state["meta"].to_string())
    });
    let shown = next.daemon.scrape();
    assert!(shown.all(ACTIVE, &[("account", "000000000013")]).is_empty());
}

#[test]
fn a_rise_is_on_disk_before_it_is_shown() {
    let mut account = account(ONE, "production");
    account.store_report(now() - 3600);
    let aws = Simulated::with([account]);
    let launch = aws.launch(&config(&[ONE]));
    let path = launch.path("state.redb");
    let daemon = launch.start();
    daemon.wait_until_ready();
    daemon.scrape_until(|shown| shown.expect(ACTIVE, &OF, 0.0));
    knowing(&path, &[ONE]);
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    // Killed in the moment that a scraper has seen it.
    let on_disk = eventually(PATIENCE, || {
        daemon.scrape().expect(ACTIVE, &OF, 1.0)?;
        daemon.process.signal("KILL");
        Ok(fs::read(&path).unwrap())
    });
    aws.world.fault(Fault::new(FaultKind::ServiceFailure));
    let launch = aws.launch(&config(&[ONE]));
    fs::write(launch.path("state.redb"), on_disk).unwrap();
    let daemon = launch.start();
    let shown = daemon.scrape();
    shown
        .expect(ACTIVE, &OF, 1.0)
        .expect("the state file knows it");
}

#[test]
fn the_first_scrape_shows_all_that_was_known() {
    let aws = with_a_key();
    let first = Launched::start(aws.launch(&config(&[ONE])));
    let mut known = knowing(&first.path, &[ONE]);
    drop(first);
    // So many that reading them takes longer than a scraper takes to come.
    let accounts: Vec<u64> = (1..=2_000).collect();
    let one = known["accounts"]["000000000012"].clone();
    for number in &accounts {
        known["accounts"][id(*number).to_string()] = one.clone();
    }
    let aws = dark();
    let launch = aws.launch(&config(&accounts));
    state::write(&launch.path("state.redb"), &known);
    let shown = launch.start().scrape();
    let active = shown.all(ACTIVE, &[]);
    assert_eq!(active.len(), accounts.len());
    assert!(active.iter().all(|sample| sample.value > 0.0));
}
