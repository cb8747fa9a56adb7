//! Disks that do not take the state: full ones and read-only ones.
//!
//! They are mounted in a namespace of a child's own (`unshare -rm`), so that the tests need no root
//! and nothing of the machine changes.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use super::{LIMITS, active, id, report, saved, start};
use crate::clock::Clock;
use crate::state::{Changes, Database, Disk};

/// Says to a child where its disk is.
const DISK: &str = "STATE_DISK";

/// Runs this test of this file once more, in a child with a disk of its own, which does `work`.
fn on_a_disk(size: &str, test: &str, work: impl FnOnce(&Path)) {
    if let Some(disk) = std::env::var_os(DISK) {
        return work(Path::new(&disk));
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("set -e; mount -t tmpfs -o size={size} tmpfs $STATE_DISK; exec \"$@\"");
    let done = Command::new("unshare")
        .args(["-rm", "sh", "-c", &mount, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("state::tests::disks::{test}")])
        .arg("--nocapture")
        .env(DISK, folder.path())
        .output()
        .expect("unshare is in util-linux");
    let said = String::from_utf8_lossy(&done.stdout);
    let complained = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("1 passed"), "{said}{complained}");
}

/// So many accounts with so many keys each.
fn accounts(clock: &Clock, count: u64, keys: u8) -> Changes {
    let mut changes = Changes::default();
    for number in 0..count {
        let mut saved = saved(clock, keys);
        saved.report = Some(report(1));
        changes.accounts.insert(id(number), Some(saved));
    }
    changes
}

/// The keys of these accounts after a restart; `None` where not all have as many.
fn keys(path: &Path, clock: &Clock) -> Option<u8> {
    let (_, state) = Database::open(path, clock, LIMITS).unwrap();
    let mut keys = state
        .accounts
        .values()
        .map(|saved| active(saved, clock.moment()));
    let first = keys.next()?;
    keys.all(|keys| keys == first).then_some(first)?
}

#[test]
fn a_full_disk_prevents_saving_and_loses_nothing_saved() {
    on_a_disk(
        "512k",
        "a_full_disk_prevents_saving_and_loses_nothing_saved",
        fills_up,
    );
}

fn fills_up(disk: &Path) {
    let path = disk.join("state.redb");
    let (clock, _hand) = start();
    let (mut database, _) = Database::open(&path, &clock, LIMITS).unwrap();
    let mut count = 0;
    let full = loop {
        count += 20;
        assert!(count < 5_000, "the disk has an end");
        if let Err(error) = database.commit(&accounts(&clock, count, 1)) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    let again = database.commit(&accounts(&clock, count, 2)).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::StorageFull, "{again}");
    drop(database);
    // A start on the full disk.
    assert_eq!(keys(&path, &clock), Some(1));
    let (mut database, _) = Database::open(&path, &clock, LIMITS).unwrap();
    database.commit(&accounts(&clock, 5_000, 2)).unwrap_err();
    let mut mount = Command::new("mount");
    let more = ["-o", "remount,size=64m"];
    assert!(mount.args(more).arg(disk).status().unwrap().success());
    database.commit(&accounts(&clock, 5_000, 2)).unwrap();
    drop(database);
    assert_eq!(keys(&path, &clock), Some(2));
    assert!(!disk.join("state.redb.unusable").exists());
}

#[test]
fn a_read_only_disk_prevents_saving_and_is_still_read() {
    on_a_disk(
        "8m",
        "a_read_only_disk_prevents_saving_and_is_still_read",
        is_read_only,
    );
}

fn is_read_only(disk: &Path) {
    let remount = |how: &str| {
        let options = format!("remount,{how}");
        let mut mount = Command::new("mount");
        let done = mount.args(["-o", &options]).arg(disk).status().unwrap();
        assert!(done.success(), "{how}");
    };
    let (clock, _hand) = start();
    let path = disk.join("state.redb");
    let crashed = disk.join("crashed.redb");
    let (mut database, _) = Database::open(&path, &clock, LIMITS).unwrap();
    database.commit(&accounts(&clock, 100, 1)).unwrap();
    // A file that was not closed has to be repaired before it can be read.
    fs::copy(&path, &crashed).unwrap();
    drop(database);
    let torn = disk.join("torn.redb");
    fs::write(&torn, "not a state").unwrap();
    let absent = disk.join("absent.redb");
    remount("ro");
    for (path, known) in [
        (&path, Some(1)),
        (&crashed, Some(1)),
        (&torn, None),
        (&absent, None),
    ] {
        assert_eq!(keys(path, &clock), known, "{}", path.display());
        let (mut database, _) = Database::open(path, &clock, LIMITS).unwrap();
        for _ in 0..2 {
            let error = database.commit(&accounts(&clock, 100, 2)).unwrap_err();
            assert!(error.to_string().contains("Read-only"), "{error}");
        }
        remount("rw");
        database.commit(&accounts(&clock, 100, 2)).unwrap();
        drop(database);
        assert_eq!(keys(path, &clock), Some(2), "{}", path.display());
        remount("ro");
    }
}
