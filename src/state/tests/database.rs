//! The database over real files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{LIMITS, active, id, report, saved, start};
use crate::clock::{Clock, Moment, Timestamp};
use crate::state::{Changes, Database, Disk, Meta, Refusal, SavedAccount, State};
use crate::views::{Left, LeftReason};

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    (folder, path)
}

fn open(path: &Path, clock: &Clock) -> (Database, State) {
    Database::open(path, clock, LIMITS).unwrap()
}

fn of(accounts: impl IntoIterator<Item = (u64, SavedAccount)>) -> Changes {
    let accounts = accounts.into_iter();
    Changes {
        accounts: accounts
            .map(|(number, saved)| (id(number), Some(saved)))
            .collect(),
        meta: None,
    }
}

/// A closed database with one account that has so many keys.
fn holding(path: &Path, clock: &Clock, keys: u8) {
    let (mut database, _) = open(path, clock);
    let changes = of([(12, saved(clock, keys))]);
    database.commit(&changes).unwrap();
}

/// The keys of that account.
fn keys(state: &State, clock: &Clock) -> Option<u8> {
    active(state.accounts.get(&id(12))?, clock.moment())
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap().to_str().unwrap();
    path.with_file_name(format!("{name}{suffix}"))
}

fn names(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn committed_accounts_are_read_again_and_deleted_ones_are_not() {
    let (folder, path) = folder();
    let (clock, _hand) = start();
    let (mut database, state) = open(&path, &clock);
    assert_eq!(state, State::default());
    let meta = Meta {
        caller: Some(id(7)),
        ..Meta::default()
    };
    let mut with_report = saved(&clock, 1);
    with_report.report = Some(report(3));
    let mut changes = of([(12, with_report.clone()), (13, saved(&clock, 0))]);
    changes.meta = Some(meta.clone());
    database.commit(&changes).unwrap();
    changes = Changes::default();
    changes.accounts.insert(id(13), None);
    database.commit(&changes).unwrap();
    drop(database);
    let (_, state) = open(&path, &clock);
    assert_eq!(state.meta, meta);
    assert_eq!(state.accounts, [(id(12), with_report)].into());
    assert_eq!(names(&folder), ["state.redb"]);
}

#[test]
fn a_report_is_stored_when_it_changes_and_deleted_with_it() {
    let (_folder, path) = folder();
    let (clock, _hand) = start();
    let (mut database, _) = open(&path, &clock);
    let mut account = saved(&clock, 0);
    for report in [Some(report(1)), Some(report(2)), None, Some(report(3))] {
        account.report.clone_from(&report);
        for _ in 0..2 {
            database.commit(&of([(12, account.clone())])).unwrap();
        }
        drop(database);
        let read;
        (database, read) = open(&path, &clock);
        assert_eq!(read.accounts[&id(12)].report, report);
    }
}

#[test]
fn moments_age_by_the_wall_clock_value_by_value() {
    let (_folder, path) = folder();
    let (first, hand) = start();
    hand.advance(Duration::from_secs(500));
    let (mut database, _) = open(&path, &first);
    let left = Left {
        reason: LeftReason::Closed,
        until: first.moment() + Duration::from_secs(86_400),
    };
    let mut changes = of([(12, saved(&first, 0)), (13, saved(&first, 0))]);
    changes.meta = Some(Meta {
        left: [(id(9), left)].into(),
        ..Meta::default()
    });
    database.commit(&changes).unwrap();
    drop(database);

    // A second process, ten minutes later, that polls one account only.
    let (second, hand) = Clock::manual(first.now().plus(Duration::from_secs(600)));
    let (mut database, _) = open(&path, &second);
    hand.advance(Duration::from_secs(100));
    database.commit(&of([(13, saved(&second, 0))])).unwrap();
    drop(database);

    // A third, another ten minutes later.
    let (third, _hand) = Clock::manual(second.now().plus(Duration::from_secs(600)));
    let (_, state) = open(&path, &third);
    let due = |number| state.accounts[&id(number)].report_due;
    assert_eq!(due(12), Some(Moment::from_millis((3600 - 1300) * 1000)));
    assert_eq!(due(13), Some(Moment::from_millis((3600 - 600) * 1000)));
    let until = state.meta.left[&id(9)].until;
    assert_eq!(until, Moment::from_millis((86_400 - 1300) * 1000));
    let zero = |seconds: i64| {
        active(
            &state.accounts[&id(12)],
            Moment::from_millis(seconds * 1000),
        )
    };
    assert_eq!((zero(499), zero(500)), (Some(0), None), "1300 s of 1800");
}

#[test]
fn a_state_from_the_future_ages_from_now_on() {
    let (_folder, path) = folder();
    let (future, _hand) = Clock::manual(Timestamp::from_unix(4_000_000_000));
    holding(&path, &future, 0);
    let (now, _hand) = start();
    let (_, state) = open(&path, &now);
    let zero = |seconds: i64| {
        active(
            &state.accounts[&id(12)],
            Moment::from_millis(seconds * 1000),
        )
    };
    assert_eq!((zero(1799), zero(1800)), (Some(0), None));
}

#[test]
fn a_second_process_is_refused_with_the_reason() {
    let (_folder, path) = folder();
    let (clock, _hand) = start();
    let (mut database, _) = open(&path, &clock);
    let refusal = Database::open(&path, &clock, LIMITS).unwrap_err();
    assert!(matches!(refusal, Refusal::InUse(_)));
    let said = refusal.to_string();
    assert!(said.contains("state.redb: another process"), "{said}");
    // The first has not noticed.
    database.commit(&of([(12, saved(&clock, 1))])).unwrap();
    drop(database);
    assert_eq!(keys(&open(&path, &clock).1, &clock), Some(1));
}

#[test]
fn only_a_regular_file_is_opened_also_behind_a_link() {
    let (clock, _hand) = start();
    for behind_a_link in [false, true] {
        let (folder, path) = folder();
        let place = folder
            .path()
            .join(if behind_a_link { "place" } else { "state.redb" });
        if behind_a_link {
            symlink(&place, &path).unwrap();
        }
        let refused = || {
            let before = names(&folder);
            let refusal = Database::open(&path, &clock, LIMITS).unwrap_err();
            assert!(matches!(refusal, Refusal::NotAFile(_)), "{refusal}");
            assert_eq!(names(&folder), before);
            fs::remove_file(&place)
        };
        let fifo = Command::new("mkfifo").arg(&place).status().unwrap();
        assert!(fifo.success());
        refused().unwrap();
        for device in ["/dev/zero", "/dev/null", "/dev/full"] {
            symlink(device, &place).unwrap();
            refused().unwrap();
        }
        fs::create_dir(&place).unwrap();
        refused().unwrap_err();
    }
}

#[test]
fn an_unusable_file_is_set_aside_and_another_is_made() {
    let (clock, _hand) = start();
    let (_whole_folder, whole_path) = folder();
    holding(&whole_path, &clock, 1);
    let whole = fs::read(&whole_path).unwrap();
    let mut altered = whole.clone();
    // Somewhere in the account.
    let place = whole
        .windows(8)
        .position(|some| some == b"\"record\"")
        .unwrap();
    altered[place] ^= 1;
    let foreign_database = {
        let (_folder, path) = folder();
        let redb = redb::Database::create(&path).unwrap();
        drop(redb);
        fs::read(&path).unwrap()
    };
    let table: [(&str, Vec<u8>); 7] = [
        ("empty", Vec::new()),
        ("binary", vec![0; 4096]),
        ("foreign", b"{\"format\":\"terraform state\"}".to_vec()),
        ("torn", whole[..whole.len() / 2].to_vec()),
        ("only its start", whole[..9].to_vec()),
        ("altered", altered),
        ("another program's", foreign_database),
    ];
    for (name, content) in table {
        let (folder, path) = folder();
        fs::write(&path, &content).unwrap();
        let (mut database, state) = open(&path, &clock);
        assert_eq!(state, State::default(), "{name}");
        // redb repairs what it can before it gives up.
        let is_redb = ["altered", "another program's"].contains(&name);
        let aside = fs::read(suffixed(&path, ".unusable")).unwrap();
        assert!(is_redb || aside == content, "{name} is kept");
        database.commit(&of([(12, saved(&clock, 2))])).unwrap();
        drop(database);
        assert_eq!(keys(&open(&path, &clock).1, &clock), Some(2), "{name}");
        assert_eq!(names(&folder), ["state.redb", "state.redb.unusable"]);
    }
}

#[test]
fn a_state_of_a_newer_version_is_set_aside() {
    let (folder, path) = folder();
    let (clock, _hand) = start();
    holding(&path, &clock, 1);
    let redb = redb::Database::create(&path).unwrap();
    let transaction = redb.begin_write().unwrap();
    let meta: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("meta");
    let mut table = transaction.open_table(meta).unwrap();
    table.insert("version", &b"99"[..]).unwrap();
    drop(table);
    transaction.commit().unwrap();
    drop(redb);
    assert_eq!(open(&path, &clock).1, State::default());
    assert_eq!(names(&folder), ["state.redb", "state.redb.unusable"]);
}

#[test]
fn no_altered_byte_is_accepted_and_none_makes_it_panic() {
    let (clock, _hand) = start();
    let (_folder, path) = folder();
    holding(&path, &clock, 1);
    let whole = fs::read(&path).unwrap();
    let expected = open(&path, &clock).1;
    let mut random = fastrand::Rng::with_seed(7);
    for turn in 0..150 {
        let (_folder, path) = folder();
        let mut content = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..content.len());
            content[at] = random.u8(..);
        }
        if turn % 3 == 0 {
            content.truncate(random.usize(..content.len()));
        }
        fs::write(&path, &content).unwrap();
        let (_, state) = open(&path, &clock);
        let is_truth = state == expected || state == State::default();
        assert!(is_truth, "turn {turn}: {state:?}");
    }
}

#[test]
fn only_the_owner_may_read_the_file_also_where_an_older_one_was_open() {
    let (_folder, path) = folder();
    let (clock, _hand) = start();
    holding(&path, &clock, 1);
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(keys(&open(&path, &clock).1, &clock), Some(1));
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_link_at_a_name_that_it_creates_is_never_followed() {
    let (clock, _hand) = start();
    for suffix in [".tmp", ".unusable"] {
        let (folder, path) = folder();
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&victim, suffixed(&path, suffix)).unwrap();
        fs::write(&path, "not a state").unwrap();
        holding(&path, &clock, 1);
        assert_eq!(fs::read(&victim).unwrap(), b"precious", "{suffix}");
        assert_eq!(mode(&victim), 0o644, "{suffix}");
        assert_eq!(keys(&open(&path, &clock).1, &clock), Some(1), "{suffix}");
    }
}

#[test]
fn a_link_to_a_state_is_followed_and_stays_a_link() {
    let (folder, path) = folder();
    let (clock, _hand) = start();
    let target = folder.path().join("elsewhere");
    holding(&target, &clock, 1);
    symlink(&target, &path).unwrap();
    holding(&path, &clock, 2);
    assert_eq!(keys(&open(&target, &clock).1, &clock), Some(2));

    fs::write(&target, "precious").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
    holding(&path, &clock, 1);
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert_eq!(mode(&target), 0o644);
    assert!(suffixed(&path, ".unusable").is_symlink());
}

#[test]
fn a_file_that_cannot_be_read_is_set_aside() {
    let (folder, path) = folder();
    let (clock, _hand) = start();
    // A file that not even root can read from its beginning.
    symlink("/proc/self/mem", &path).unwrap();
    holding(&path, &clock, 1);
    assert_eq!(names(&folder), ["state.redb", "state.redb.unusable"]);
}

#[test]
fn a_missing_folder_prevents_saving_until_it_exists() {
    let (folder, _) = folder();
    let (clock, _hand) = start();
    let path = folder.path().join("disk/state.redb");
    let (mut database, state) = open(&path, &clock);
    assert_eq!(state, State::default());
    let changes = of([(12, saved(&clock, 1))]);
    database.commit(&changes).unwrap_err();
    fs::create_dir(path.parent().unwrap()).unwrap();
    database.commit(&changes).unwrap();
    database.commit(&changes).unwrap();
}

#[test]
fn a_file_that_is_replaced_or_removed_while_it_is_open_is_opened_anew() {
    let (_folder, path) = folder();
    let (clock, _hand) = start();
    let (mut database, _) = open(&path, &clock);
    let changes = of([(12, saved(&clock, 1))]);
    database.commit(&changes).unwrap();
    fs::remove_file(&path).unwrap();
    database.commit(&changes).unwrap();
    database.commit(&changes).unwrap();
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = database.commit(&changes).unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
    fs::remove_dir(&path).unwrap();
    database.commit(&changes).unwrap();
    drop(database);
    assert_eq!(keys(&open(&path, &clock).1, &clock), Some(1));
}

#[test]
fn a_report_is_stored_again_in_a_file_that_was_opened_anew() {
    let (_folder, path) = folder();
    let (clock, _hand) = start();
    let (mut database, _) = open(&path, &clock);
    let mut account = saved(&clock, 1);
    account.report = Some(report(5));
    database.commit(&of([(12, account.clone())])).unwrap();
    fs::remove_file(&path).unwrap();
    database.commit(&of([(12, account.clone())])).unwrap();
    drop(database);
    assert_eq!(open(&path, &clock).1.accounts[&id(12)], account);
}
