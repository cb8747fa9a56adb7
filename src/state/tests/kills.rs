//! A process that commits and is killed at any moment, again and again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{LIMITS, id, report, saved, start};
use crate::clock::Moment;
use crate::state::{Changes, Database, Disk};

/// How often it is killed.
const KILLS: u64 = 20;

/// How many accounts each commit writes.
const ACCOUNTS: u64 = 20;

/// The child is this very test once more.
const TEST: &str = "state::tests::kills::twenty_kills_in_a_commit_tear_nothing_and_lose_nothing_that_was_committed";

/// Says to the child where to commit, and from which number on. The parent has neither.
const PATH: &str = "STATE_PATH";
const FROM: &str = "STATE_FROM";

#[test]
fn twenty_kills_in_a_commit_tear_nothing_and_lose_nothing_that_was_committed() {
    if let Some(path) = std::env::var_os(PATH) {
        return commit_for_ever(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let (clock, _hand) = start();
    let mut random = fastrand::Rng::new();
    let mut newest = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture"])
            .env(PATH, &path)
            .env(FROM, newest.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let committed = lines.filter_map(|line| {
            let line = line.unwrap();
            line.strip_prefix("committed ")?.parse::<i64>().ok()
        });
        // After the first one it is opening the database no more.
        for number in committed.take(random.usize(1..8)) {
            newest = number;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (database, state) = Database::open(&path, &clock, LIMITS).unwrap();
        drop(database);
        let mut numbers: Vec<i64> = state
            .accounts
            .values()
            .map(|account| account.report_due.unwrap().millis())
            .collect();
        numbers.dedup();
        let [number] = numbers[..] else {
            panic!("kill {kill}: half a commit: {numbers:?}");
        };
        assert!(number >= newest, "kill {kill}: {number} after {newest}");
        assert_eq!(state.accounts.len() as u64, ACCOUNTS, "kill {kill}");
        newest = number;
    }
    let names = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 1, "nothing was set aside");
}

/// The child: commits one number after another, and says each.
fn commit_for_ever(path: &Path) {
    let from: i64 = std::env::var(FROM).unwrap().parse().unwrap();
    let (clock, _hand) = start();
    let (mut database, _) = Database::open(path, &clock, LIMITS).unwrap();
    for number in from + 1.. {
        let mut changes = Changes::default();
        for account in 0..ACCOUNTS {
            let mut saved = saved(&clock, 1);
            saved.report_due = Some(Moment::from_millis(number));
            saved.report = Some(report(usize::try_from(number).unwrap()));
            changes.accounts.insert(id(account), Some(saved));
        }
        database.commit(&changes).unwrap();
        println!("\ncommitted {number}");
    }
}
