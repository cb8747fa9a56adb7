//! What survives a restart, and what an odd state file does: nothing but cost its own content.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aws_root_exporter::simulator::{Fault, FaultKind};
use serde_json::Value;

use crate::support::daemon::{Daemon, Launch};
use crate::support::simulated::{Simulated, account, id, listed, now};
use crate::support::{PATIENCE, eventually};

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

/// The state file, once it can be read and names these accounts.
fn saved(path: &Path, accounts: &[u64]) -> Value {
    eventually(PATIENCE, || {
        let text = fs::read(path).map_err(|error| error.to_string())?;
        let state: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let known = state["state"]["accounts"].as_object().unwrap();
        let known: Vec<_> = known.keys().cloned().collect();
        let wanted: Vec<_> = accounts.iter().map(|n| id(*n).to_string()).collect();
        (known == wanted)
            .then_some(state)
            .ok_or(format!("it names {known:?}"))
    })
}

/// Starts over a state file with that content, and waits for the truth on `/metrics` and on disk.
fn start_over(content: &[u8]) -> (Launched, Simulated) {
    let aws = with_a_key();
    let launch = aws.launch(&config(&[ONE]));
    let path = launch.path("state.redb");
    fs::write(&path, content).unwrap();
    (Launched::start(launch), aws)
}

struct Launched {
    daemon: Daemon,
    path: std::path::PathBuf,
}

impl Launched {
    fn start(launch: Launch) -> Self {
        let path = launch.path("state.redb");
        let daemon = launch.start();
        daemon.wait_until_ready();
        daemon.scrape_until(|shown| shown.expect(ACTIVE, &OF, 1.0));
        Self { daemon, path }
    }
}

#[test]
fn a_file_that_cannot_be_used_is_set_aside_and_the_start_goes_on() {
    let aws = with_a_key();
    let first = Launched::start(aws.launch(&config(&[ONE])));
    let good = saved(&first.path, &[ONE]);
    let text = good.to_string();
    let mut newer = good.clone();
    newer["version"] = 99.into();
    let mut foreign = good;
    foreign["format"] = "terraform state".into();
    let unusable = [
        text.as_bytes()[..text.len() / 2].to_vec(),
        newer.to_string().into_bytes(),
        foreign.to_string().into_bytes(),
        b"{}".to_vec(),
        Vec::new(),
        vec![0; 4096],
    ];
    for content in unusable {
        let (next, _aws) = start_over(&content);
        saved(&next.path, &[ONE]);
        // Nothing of what was there is lost: a person may want it back.
        let aside = next.path.with_file_name("state.redb.unusable");
        assert_eq!(fs::read(aside).unwrap(), content);
        let said = next.daemon.process.lines().join("\n");
        assert!(said.contains("set aside"), "{said}");
    }
}

#[test]
fn a_folder_in_the_place_of_the_file_or_its_temporary_costs_only_the_saving() {
    for name in ["state.redb", "state.redb.tmp"] {
        let aws = with_a_key();
        let launch = aws.launch(&config(&[ONE]));
        let folder = launch.path(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("somebody's"), "data").unwrap();
        let next = Launched::start(launch);
        next.daemon
            .scrape_until(|shown| shown.expect(SAVED, &[], 0.0));
        let theirs = fs::read_to_string(folder.join("somebody's"));
        assert_eq!(theirs.unwrap(), "data", "a folder is not ours to empty");
        // It mends itself once the disk does.
        fs::remove_dir_all(&folder).unwrap();
        next.daemon
            .scrape_until(|shown| shown.expect(SAVED, &[], 1.0));
        saved(&next.path, &[ONE]);
        next.daemon.process.signal("TERM");
        assert_eq!(next.daemon.exit_code(PATIENCE), 0);
    }
}

#[test]
fn the_file_is_its_owners_alone_also_where_it_was_everybodys() {
    let aws = with_a_key();
    let launch = aws.launch(&config(&[ONE]));
    for name in ["state.redb", "state.redb.tmp"] {
        let path = launch.path(name);
        fs::write(&path, "{}").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    }
    let started = Launched::start(launch);
    saved(&started.path, &[ONE]);
    let mode = fs::metadata(&started.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}

#[test]
fn what_is_known_of_accounts_no_longer_configured_is_dropped() {
    let aws = with_a_key();
    aws.world.add(account(13, "sold"));
    let first = Launched::start(aws.launch(&config(&[ONE, 13])));
    let state = saved(&first.path, &[ONE, 13]).to_string();

    let launch = aws.launch(&config(&[ONE]));
    fs::write(launch.path("state.redb"), state).unwrap();
    let next = Launched::start(launch);
    let state = saved(&next.path, &[ONE]);
    // That it was here once is told for a day; what was known of it is not.
    assert_eq!(
        state["state"]["left"]["000000000013"]["reason"], "removed",
        "{state}"
    );
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
    saved(&path, &[ONE]);
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
    let mut state = saved(&first.path, &[ONE]);
    drop(first);
    // So many that reading them takes longer than a scraper takes to come.
    let accounts: Vec<u64> = (1..=2_000).collect();
    let one = state["state"]["accounts"]["000000000012"].clone();
    for number in &accounts {
        state["state"]["accounts"][id(*number).to_string()] = one.clone();
    }
    let dark = Simulated::with([]);
    dark.world.fault(Fault::new(FaultKind::ServiceFailure));
    let launch = dark.launch(&config(&accounts));
    fs::write(launch.path("state.redb"), state.to_string()).unwrap();
    let shown = launch.start().scrape();
    let active = shown.all(ACTIVE, &[]);
    assert_eq!(active.len(), accounts.len());
    assert!(active.iter().all(|sample| sample.value > 0.0));
}
