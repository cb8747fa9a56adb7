//! Disks that will not have the state file: full, read-only, no folder where one was. It costs the
//! saving, for as long as it lasts, and never a figure.
//!
//! The disks are mounted in a namespace of the daemon's own (`unshare -rm`), so that nobody has to
//! be root and nothing of the machine changes. Where there are no such namespaces the tests fail:
//! the daemon never says where it listens, and `unshare` says why.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_root_exporter::simulator::{Fault, FaultKind};
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::simulated::{Simulated, account, id, listed, now};
use crate::support::{PATIENCE, eventually};

const ACTIVE: &str = "aws_root_access_keys_active";
const SAVED: &str = "aws_root_exporter_state_last_save_successful";
const ONE: u64 = 12;
const OF: [(&str, &str); 1] = [("account", "000000000012")];

/// A disk of 256 KiB over the folder `disk`.
const SMALL: &str = "mount -t tmpfs -o size=256k tmpfs disk";

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
            assert!(filler.metadata().unwrap().len() < 1 << 20, "it has an end");
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

    fn figure(&self, keys: f64, saved: f64) {
        self.daemon.scrape_until(|shown| {
            shown.expect(ACTIVE, &OF, keys)?;
            shown.expect(SAVED, &[], saved)
        });
    }
}

/// The state file, which is whole.
fn whole(path: &Path) -> Value {
    let text = fs::read(path).expect("there is a state file");
    serde_json::from_slice(&text).expect("the state file is whole")
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
fn a_disk_that_fills_up_keeps_the_last_whole_file_and_no_figure_waits_for_room() {
    let aws = with_keys(0);
    let mounted = Mounted::start(&aws, SMALL, &[]);
    mounted.figure(0.0, 1.0);
    eventually(PATIENCE, || {
        mounted
            .state()
            .exists()
            .then_some(())
            .ok_or_else(|| "not saved yet".to_owned())
    });
    mounted.fill();
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    mounted.figure(1.0, 0.0);
    whole(&mounted.state());
    let half = mounted.disk.join("state.redb.tmp");
    eventually(PATIENCE, || {
        (!half.exists())
            .then_some(())
            .ok_or_else(|| "half a file takes up room".to_owned())
    });
    let said = mounted.daemon.process.lines().join("\n");
    assert_eq!(
        said.matches("the state cannot be saved").count(),
        1,
        "it is said once: {said}"
    );
    fs::remove_file(mounted.disk.join("filler")).unwrap();
    mounted.figure(1.0, 1.0);
    knows(&mounted.state(), 1.0);
}

#[test]
fn a_start_on_a_full_disk_shows_what_is_so_and_saves_when_there_is_room() {
    let aws = with_keys(1);
    let mounted = Mounted::start(&aws, FULL, &[]);
    mounted.figure(1.0, 0.0);
    fs::remove_file(mounted.disk.join("filler")).unwrap();
    mounted.figure(1.0, 1.0);
    knows(&mounted.state(), 1.0);
}

#[test]
fn a_read_only_folder_costs_the_saving_and_what_is_in_it_is_read() {
    let first = with_keys(1);
    let earlier = Mounted::start(&first, SMALL, &[]);
    earlier.figure(1.0, 1.0);
    knows(&earlier.state(), 1.0);
    let content = fs::read(earlier.state()).unwrap();
    drop(earlier);

    let dark = with_keys(1);
    dark.world.fault(Fault::new(FaultKind::ServiceFailure));
    let mounted = Mounted::start(&dark, READ_ONLY, &[("state.redb", &content)]);
    mounted.figure(1.0, 0.0);
    assert_eq!(fs::read(mounted.state()).unwrap(), content);
    mounted.inside("mount -o remount,bind,rw \"$1\"");
    dark.world.clear_faults();
    mounted.figure(1.0, 1.0);
}

#[test]
fn a_torn_file_that_cannot_be_moved_is_not_said_to_be_moved() {
    let aws = with_keys(1);
    let torn = b"{\"format\":\"aws-root";
    let mounted = Mounted::start(&aws, READ_ONLY, &[("state.redb", torn)]);
    mounted.figure(1.0, 0.0);
    assert_eq!(fs::read(mounted.state()).unwrap(), torn);
    let said = mounted.daemon.process.lines().join("\n");
    assert!(said.contains("not a whole state file"), "{said}");
    assert!(!said.contains("it was set aside"), "{said}");
    mounted.inside("mount -o remount,bind,rw \"$1\"");
    mounted.figure(1.0, 1.0);
    knows(&mounted.state(), 1.0);
}

#[test]
fn a_file_where_the_folder_should_be_costs_only_the_saving() {
    let aws = with_keys(1);
    let launch = aws.launch(&config());
    let folder = launch.path("disk");
    fs::write(&folder, "somebody's").unwrap();
    let daemon = launch.start();
    let figure = |saved| {
        daemon.scrape_until(|shown| {
            shown.expect(ACTIVE, &OF, 1.0)?;
            shown.expect(SAVED, &[], saved)
        });
    };
    figure(0.0);
    assert_eq!(fs::read(&folder).unwrap(), b"somebody's");
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    figure(1.0);
    knows(&folder.join("state.redb"), 1.0);
}

#[test]
fn a_folder_that_takes_the_files_place_while_it_runs_costs_only_the_saving() {
    let aws = with_keys(1);
    let launch = aws.launch(&config());
    let folder = launch.path("disk");
    fs::create_dir(&folder).unwrap();
    let state = folder.join("state.redb");
    let daemon = launch.start();
    let figure = |keys, saved| {
        daemon.scrape_until(|shown| {
            shown.expect(ACTIVE, &OF, keys)?;
            shown.expect(SAVED, &[], saved)
        });
    };
    figure(1.0, 1.0);
    // A save may be under way, which would put the file back.
    eventually(PATIENCE, || {
        let _ = fs::remove_file(&state);
        fs::create_dir(&state).map_err(|error| error.to_string())
    });
    fs::write(state.join("somebody's"), "data").unwrap();
    aws.world.edit(id(ONE), |account| {
        account.root.create_key(now());
    });
    figure(2.0, 0.0);
    assert_eq!(fs::read(state.join("somebody's")).unwrap(), b"data");
    fs::remove_dir_all(&state).unwrap();
    figure(2.0, 1.0);
    knows(&state, 2.0);
}

#[test]
fn a_device_or_a_pipe_is_neither_read_nor_moved_nor_replaced() {
    let aws = with_keys(1);
    let pipe = "mount -t tmpfs tmpfs disk
        mkfifo disk/state.redb";
    let device = "mount -t tmpfs tmpfs disk
        ln -s /dev/zero disk/state.redb";
    for place in [pipe, device] {
        let mounted = Mounted::start(&aws, place, &[]);
        mounted.figure(1.0, 0.0);
        let kind = fs::symlink_metadata(mounted.state()).unwrap().file_type();
        assert!(!kind.is_file(), "{place}: it was replaced");
        assert!(
            !mounted.disk.join("state.redb.unusable").exists(),
            "{place}"
        );
        fs::remove_file(mounted.state()).unwrap();
        mounted.figure(1.0, 1.0);
    }
}
