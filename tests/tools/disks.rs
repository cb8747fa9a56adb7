//! Disks that cannot store the state: full, read-only, hanging, without the folder. While that lasts
//! nothing is saved, and no value is lost.
//!
//! The disks are mounted in a namespace of the daemon's own (`unshare -rm`), so that no root is needed
//! and nothing of the machine changes. Without such namespaces the tests fail with the error of
//! `unshare`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use aws_simulator::{Fault, FaultKind};

use test_support::daemon::Daemon;
use test_support::program::library;
use test_support::simulated::{Simulated, account, id, listed, now};
use test_support::{PATIENCE, eventually, state};

const ACTIVE: &str = "aws_root_access_keys_active";
const SAVED: &str = "aws_root_exporter_state_last_save_successful";
const ONE: u64 = 12;
const OF: [(&str, &str); 1] = [("account", "000000000012")];

/// A disk of 4 MiB over the folder `disk`: a state takes less than half of it.
const SMALL: &str = "mount -t tmpfs -o size=4m tmpfs disk";

/// The same, and not a byte left on it.
const FULL: &str = "mount -t tmpfs -o size=256k tmpfs disk
    if head -c 1M /dev/zero >disk/filler 2>/dev/null; then echo the disk is not full; exit 1; fi";

/// The folder itself, which cannot be written to.
const READ_ONLY: &str = "mount --bind disk disk
    mount -o remount,bind,ro disk
    if touch disk/x 2>/dev/null; then echo the disk can be written to; exit 1; fi";

fn config() -> String {
    format!(
        "refresh.interval = \"1s\"\nstate.path = \"disk/state.redb\"\n{}",
        listed(ONE)
    )
}

/// An AWS with the account, which has a report of an hour ago and so many root keys.
fn with_keys(keys: usize) -> Simulated {
    let mut account = account(ONE, "production");
    for _ in 0..keys {
        account.root.create_key(1_700_000_000);
    }
    account.store_report(now() - 3600);
    Simulated::with([account])
}

/// A daemon whose folder `disk`, which holds these files, `mount` made into a disk.
struct Mounted {
    daemon: Daemon,
    /// The folder as the daemon sees it.
    disk: PathBuf,
}

impl Mounted {
    fn start(aws: &Simulated, mount: &str, files: &[(&str, &[u8])]) -> Self {
        let launch = aws.launch(&config());
        let folder = launch.path("disk");
        fs::create_dir(&folder).unwrap();
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
        let script = format!("set -e\n{mount}\nexec \"$@\"");
        let daemon = launch
            .behind("unshare", &["-rm", "sh", "-c", &script, "sh"])
            .start();
        daemon.wait_until_ready();
        let root = PathBuf::from(format!("/proc/{}/root", daemon.process.id()));
        let disk = root.join(folder.strip_prefix("/").unwrap());
        Self { daemon, disk }
    }

    fn state(&self) -> PathBuf {
        self.disk.join("state.redb")
    }

    /// Takes what is left of the disk.
    fn fill(&self) {
        let mut filler = File::create(self.disk.join("filler")).unwrap();
        let block = [0; 4096];
        while filler.write_all(&block).is_ok() {
            assert!(filler.metadata().unwrap().len() < 8 << 20, "it has an end");
        }
    }

    /// Runs a command where the daemon is.
    fn inside(&self, command: &str) {
        let pid = self.daemon.process.id().to_string();
        let disk = self.disk.to_str().unwrap();
        let disk = disk.strip_prefix(&format!("/proc/{pid}/root")).unwrap();
        let done = Command::new("nsenter")
            .args(["--preserve-credentials", "-U", "-m", "-t", &pid])
            .args(["sh", "-c", command, "sh", disk])
            .status()
            .expect("nsenter is beside unshare, in util-linux");
        assert!(done.success(), "{command}: {done}");
    }

    fn value(&self, keys: f64, saved: f64) {
        self.daemon.scrape_until(|shown| {
            shown.expect(ACTIVE, &OF, keys)?;
            shown.expect(SAVED, &[], saved)
        });
    }
}

/// Waits until the file is one that a start, cut off from AWS, shows that many keys by.
fn knows(path: &Path, keys: f64) {
    eventually(PATIENCE, || {
        let content = fs::read(path).map_err(|error| error.to_string())?;
        let dark = Simulated::with([account(ONE, "production")]);
        dark.world.fault(Fault::new(FaultKind::ServiceFailure));
        let launch = dark.launch(&config());
        fs::create_dir(launch.path("disk")).unwrap();
        fs::write(launch.path("disk/state.redb"), content).unwrap();
        launch.start().scrape().expect(ACTIVE, &OF, keys)
    });
}

#[test]
fn a_disk_that_fills_up_keeps_the_state_whole_and_delays_no_value() {
    let aws = with_keys(0);
    let mounted = Mounted::start(&aws, SMALL, &[]);
    mounted.value(0.0, 1.0);
    state::knowing(&mounted.state(), &[ONE]);
    mounted.fill();
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    mounted.value(1.0, 0.0);
    state::read(&mounted.state()).expect("the state file is whole");
    let logged = mounted.daemon.process.lines().join("\n");
    assert_eq!(
        logged.matches("the state cannot be saved").count(),
        1,
        "it is logged once: {logged}"
    );
    fs::remove_file(mounted.disk.join("filler")).unwrap();
    mounted.value(1.0, 1.0);
    knows(&mounted.state(), 1.0);
    let names = fs::read_dir(&mounted.disk).unwrap().count();
    assert_eq!(names, 1, "nothing was set aside, nothing left over");
}

#[test]
fn a_start_on_a_full_disk_shows_right_values_and_saves_when_there_is_room() {
    let aws = with_keys(1);
    let mounted = Mounted::start(&aws, FULL, &[]);
    mounted.value(1.0, 0.0);
    fs::remove_file(mounted.disk.join("filler")).unwrap();
    mounted.value(1.0, 1.0);
    knows(&mounted.state(), 1.0);
}

#[test]
fn a_read_only_folder_is_read_and_nothing_is_saved() {
    let first = with_keys(1);
    let earlier = Mounted::start(&first, SMALL, &[]);
    earlier.value(1.0, 1.0);
    knows(&earlier.state(), 1.0);
    let content = fs::read(earlier.state()).unwrap();
    drop(earlier);

    let dark = with_keys(1);
    dark.world.fault(Fault::new(FaultKind::ServiceFailure));
    let mounted = Mounted::start(&dark, READ_ONLY, &[("state.redb", &content)]);
    mounted.value(1.0, 0.0);
    assert!(fs::read(mounted.state()).unwrap() == content, "it changed");
    mounted.inside("mount -o remount,bind,rw \"$1\"");
    dark.world.clear_faults();
    mounted.value(1.0, 1.0);
}

#[test]
fn a_torn_file_that_cannot_be_moved_is_moved_once_it_can_be() {
    let aws = with_keys(1);
    let torn = b"{\"format\":\"aws-root";
    let mounted = Mounted::start(&aws, READ_ONLY, &[("state.redb", torn)]);
    mounted.value(1.0, 0.0);
    assert_eq!(fs::read(mounted.state()).unwrap(), torn);
    let logged = || mounted.daemon.process.lines().join("\n");
    assert!(!logged().contains("was set aside"), "{}", logged());
    mounted.inside("mount -o remount,bind,rw \"$1\"");
    mounted.value(1.0, 1.0);
    knows(&mounted.state(), 1.0);
    assert!(logged().contains("was set aside"), "{}", logged());
    let aside = fs::read(mounted.disk.join("state.redb.unusable"));
    assert_eq!(aside.unwrap(), torn);
}

#[test]
fn with_a_file_where_the_folder_should_be_nothing_is_saved() {
    let aws = with_keys(1);
    let launch = aws.launch(&config());
    let folder = launch.path("disk");
    fs::write(&folder, "data").unwrap();
    let daemon = launch.start();
    let value = |saved| {
        daemon.scrape_until(|shown| {
            shown.expect(ACTIVE, &OF, 1.0)?;
            shown.expect(SAVED, &[], saved)
        });
    };
    value(0.0);
    assert_eq!(fs::read(&folder).unwrap(), b"data");
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    value(1.0);
    knows(&folder.join("state.redb"), 1.0);
}

#[test]
fn with_a_folder_in_the_place_of_the_file_nothing_is_saved() {
    let aws = with_keys(1);
    let launch = aws.launch(&config());
    let folder = launch.path("disk");
    fs::create_dir(&folder).unwrap();
    let state = folder.join("state.redb");
    let daemon = launch.start();
    let value = |keys, saved| {
        daemon.scrape_until(|shown| {
            shown.expect(ACTIVE, &OF, keys)?;
            shown.expect(SAVED, &[], saved)
        });
    };
    value(1.0, 1.0);
    // A commit between the two makes the file anew.
    eventually(PATIENCE, || {
        let _ = fs::remove_file(&state);
        fs::create_dir(&state).map_err(|error| error.to_string())
    });
    fs::write(state.join("data"), "data").unwrap();
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    value(2.0, 0.0);
    assert_eq!(fs::read(state.join("data")).unwrap(), b"data");
    fs::remove_dir_all(&state).unwrap();
    value(2.0, 1.0);
    knows(&state, 2.0);
}

#[test]
fn a_disk_that_hangs_is_reported_within_ten_seconds_and_no_value_waits_for_it() {
    let aws = with_keys(0);
    let launch = aws.launch(&config());
    fs::create_dir(launch.path("disk")).unwrap();
    let hung = launch.path("hung");
    let hung_disk = library("hung_disk.c", &launch.path("hung_disk.so"));
    let daemon = launch
        .environment([
            ("LD_PRELOAD", hung_disk),
            ("HUNG", hung.display().to_string()),
        ])
        .start();
    let value = |keys, saved| {
        daemon.scrape_until(|shown| {
            shown.expect(ACTIVE, &OF, keys)?;
            shown.expect(SAVED, &[], saved)
        });
    };
    value(0.0, 1.0);
    fs::write(&hung, "").unwrap();
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    let hung_since = Instant::now();
    value(1.0, 0.0);
    let after = hung_since.elapsed();
    assert!(after < Duration::from_secs(10), "reported after {after:?}");
    let logged = daemon.process.lines().join("\n");
    assert!(logged.contains("the disk does not answer"), "{logged}");
    assert!(logged.contains("disk/state.redb"), "{logged}");
    fs::remove_file(&hung).unwrap();
    value(1.0, 1.0);

    // Nor does the end wait for it.
    fs::write(&hung, "").unwrap();
    aws.world
        .edit(id(ONE), |account| account.root.delete_keys());
    daemon.scrape_until(|shown| shown.expect(ACTIVE, &OF, 0.0));
    daemon.process.signal("TERM");
    assert_eq!(daemon.exit_code(PATIENCE), 0);
}
