//! State files of version 0.1, as it wrote them.

use std::fs;

use root_posture::{Counts, Onset, Posture, Source, judge};
use serde_json::{Value, json};

use super::{LIMITS, id, start};
use crate::clock::{Clock, Moment, Timestamp};
use crate::state::import::{is_state_file, read};
use crate::state::{Database, Disk, State};

/// When the files were written, and by the monotonic clock.
const WRITTEN: i64 = 1_789_132_000;
const MOMENT: i64 = 50_000_000;

/// Evidence that was true, and received, so many seconds before the file was written.
fn stamp(age: i64) -> Value {
    json!({ "at": WRITTEN - age, "received": MOMENT - age * 1000, "age_at_receipt": 0 })
}

fn look(age: i64, source: &str, verdict: &Value, confirmed: bool) -> Value {
    json!({
        "stamp": stamp(age), "source": source, "verdict": verdict, "active": 0, "answers": null,
        "confirmed": confirmed,
    })
}

fn counts(present: u8, active: u8) -> Value {
    json!({ "present": present, "active": active })
}

fn nothing() -> Value {
    json!({ "look": null, "doubted": null, "listed": null })
}

/// A report an hour old with these keys and that MFA.
fn report(keys: &Value, mfa: bool) -> Value {
    json!({
        "stamp": {
            "at": WRITTEN - 3600, "received": MOMENT - 3_000_000, "age_at_receipt": 600_000
        },
        "keys": keys, "certificates": counts(0, 0), "mfa": mfa, "password": true,
    })
}

fn record() -> Value {
    json!({
        "report": null, "challenger": null, "keys": nothing(), "certificates": nothing(),
        "mfa": null, "password": null, "last_look": null,
        "following": { "none_at": null, "seen": null },
    })
}

fn file(record: &Value) -> Vec<u8> {
    let account = json!({
        "record": record, "report": null, "root_keys": null, "report_due": MOMENT + 60_000,
        "last_success": { "account_summary": WRITTEN },
    });
    let document = json!({
        "format": "aws-root-exporter state", "version": 1,
        "saved_at": WRITTEN, "saved_moment": MOMENT,
        "state": {
            "caller": "000000000007", "organization": null, "left": {},
            "accounts": { "000000000012": account },
        },
    });
    let mut content = document.to_string().into_bytes();
    content.push(b'\n');
    content
}

/// The clock of a process that starts when the file has just been written.
fn now() -> Clock {
    Clock::manual(Timestamp::from_unix(WRITTEN)).0
}

fn posture(record: &Value) -> Posture {
    let clock = now();
    let state = read(&file(record), &clock, &LIMITS).unwrap();
    judge(&state.accounts[&id(12)].record, clock.moment(), &LIMITS)
}

/// Keys as they are shown, present and active.
fn keys(record: &Value) -> Option<Counts> {
    let posture = posture(record);
    Some(Counts {
        present: posture.keys_present?.value,
        active: posture.keys_active?.value,
    })
}

#[test]
fn keys_have_the_values_of_version_0_1() {
    let summary = "account_summary";
    let session = "root_session";
    let none = json!("none");
    let some = |seen: u8| json!({ "some": seen });
    let base =
        |age, present, active| json!({ "stamp": stamp(age), "counts": counts(present, active) });
    // Name, report, the newest poll, the newest list; present and active.
    let table = [
        (
            "a report alone",
            counts(2, 1),
            Value::Null,
            Value::Null,
            (2, 1),
        ),
        (
            "a summary alone, which is active for all one knows",
            Value::Null,
            look(20, summary, &some(1), false),
            Value::Null,
            (1, 1),
        ),
        (
            "an inactive key that the summary counts",
            counts(1, 0),
            look(20, summary, &some(1), false),
            Value::Null,
            (1, 0),
        ),
        (
            "a key that came after the report",
            counts(0, 0),
            look(20, summary, &some(1), false),
            Value::Null,
            (1, 1),
        ),
        (
            "keys that went after the report",
            counts(2, 2),
            look(20, summary, &none, true),
            json!({ "stamp": stamp(20), "counts": counts(0, 0), "nothing": true }),
            (0, 0),
        ),
        (
            "no keys, and never any",
            counts(0, 0),
            look(20, summary, &none, false),
            Value::Null,
            (0, 0),
        ),
        (
            "a key that was deactivated after the report",
            counts(1, 1),
            look(20, session, &some(1), false),
            base(20, 1, 0),
            (1, 0),
        ),
        (
            "a key that came after an older one went, both later than the report",
            counts(1, 0),
            look(20, summary, &some(1), false),
            json!({ "stamp": stamp(900), "counts": counts(0, 0), "nothing": true }),
            (1, 1),
        ),
        (
            "a list of two, one of them active",
            Value::Null,
            look(20, session, &some(2), false),
            base(20, 2, 1),
            (2, 1),
        ),
        (
            "a key that the summary counts beyond the list",
            Value::Null,
            look(20, session, &some(2), false),
            base(20, 1, 0),
            (2, 1),
        ),
        (
            "a list that failed since, and a summary that goes on",
            Value::Null,
            look(20, summary, &some(1), false),
            base(200, 1, 0),
            (1, 0),
        ),
    ];
    for (name, reported, look, listed, (present, active)) in table {
        let mut record = record();
        if !reported.is_null() {
            record["report"] = report(&reported, true);
        }
        record["keys"]["look"] = look;
        record["keys"]["is_nothing"] = json!(!listed["nothing"].is_null());
        record["keys"]["listed"] = listed;
        assert_eq!(keys(&record), Some(Counts { present, active }), "{name}");
    }
}

#[test]
fn a_single_none_after_more_lowers_nothing() {
    let mut record = record();
    record["keys"]["look"] = look(80, "account_summary", &json!({ "some": 1 }), false);
    record["keys"]["doubted"] = stamp(20);
    assert_eq!(keys(&record).unwrap().present, 1);
}

#[test]
fn a_held_report_counts_after_the_one_before() {
    let mut record = record();
    record["report"] = report(&counts(1, 0), true);
    let mut newer = report(&counts(1, 1), true);
    newer["stamp"] = stamp(100);
    record["challenger"] = newer;
    assert_eq!(keys(&record).unwrap().active, 1);
}

#[test]
fn flags_have_the_values_of_version_0_1() {
    let said = |source: &str, on: bool| json!({ "stamp": stamp(20), "source": source, "on": on });
    for source in ["account_summary", "root_session"] {
        for (reported, newest) in [(true, false), (false, true)] {
            let mut record = record();
            record["report"] = report(&counts(0, 0), reported);
            record["mfa"] = said(source, newest);
            record["password"] = said(source, newest);
            let posture = posture(&record);
            let shown = posture.mfa_enabled.unwrap();
            assert_eq!(shown.value, u8::from(newest), "MFA by {source}");
        }
    }
    let mut record = record();
    record["report"] = report(&counts(0, 0), false);
    assert_eq!(
        posture(&record).mfa_enabled.unwrap().value,
        0,
        "report alone"
    );
}

#[test]
fn evidence_keeps_its_age_and_the_rest_is_imported_too() {
    let mut record = record();
    record["keys"]["look"] = look(60, "account_summary", &json!("none"), false);
    record["following"] = json!({ "none_at": 5, "seen": null });
    // Ten minutes later, in a process that has run for 100 s.
    let (clock, hand) = Clock::manual(Timestamp::from_unix(WRITTEN + 500));
    hand.advance(std::time::Duration::from_secs(100));
    let state = read(&file(&record), &clock, &LIMITS).unwrap();
    let saved = &state.accounts[&id(12)];
    let zero = judge(&saved.record, clock.moment(), &LIMITS)
        .keys_active
        .unwrap();
    // Half an hour after it was asked, 660 s ago.
    let until = clock.moment() + LIMITS.max_live_staleness - std::time::Duration::from_secs(660);
    assert_eq!(zero.fine_until, Some(until));
    assert_eq!(zero.observed, Timestamp::from_unix(WRITTEN - 60));
    let none_at = Some(Timestamp::from_unix(5));
    assert_eq!(
        saved.onset,
        Onset {
            seen: None,
            none_at
        }
    );
    assert_eq!(
        saved.report_due,
        Some(Moment::from_millis(100_000 + 60_000 - 600_000))
    );
    assert_eq!(state.meta.caller, Some(id(7)));
    assert_eq!(
        saved.last_success[&Source::AccountSummary],
        Timestamp::from_unix(WRITTEN)
    );
}

/// The corpus of the fuzzer: files that are read, and others whose name says that they are not.
#[test]
fn odd_files_are_read_or_refused_and_nothing_panics() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/state");
    let (clock, _hand) = start();
    let mut seen = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let content = fs::read(&path).unwrap();
        let is_read = is_state_file(&content) && read(&content, &clock, &LIMITS).is_ok();
        assert_eq!(is_read, !name.starts_with("refused"), "{name}");
        seen += 1;
    }
    assert!(seen > 5);
}

fn with_an_active_key() -> Vec<u8> {
    let mut record = record();
    record["report"] = report(&counts(1, 1), true);
    file(&record)
}

fn has_the_key(state: &State) -> bool {
    state.accounts.contains_key(&id(12)) && state.meta.caller == Some(id(7))
}

#[test]
fn a_json_file_at_the_path_or_beside_it_is_imported_once() {
    for name in ["state.redb", "state.json"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let old = folder.path().join(name);
        let content = with_an_active_key();
        fs::write(&old, &content).unwrap();
        let (database, state) = Database::open(&path, &now(), LIMITS).unwrap();
        assert!(has_the_key(&state), "{name}");
        drop(database);
        let aside = folder.path().join(format!("{name}.imported"));
        assert_eq!(fs::read(&aside).unwrap(), content, "{name}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{name}");
        // From the database, although nothing was committed since.
        let (_database, state) = Database::open(&path, &now(), LIMITS).unwrap();
        assert!(has_the_key(&state), "{name}");
    }
}

#[test]
fn a_json_file_beside_a_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let (clock, _hand) = start();
    drop(Database::open(&path, &clock, LIMITS).unwrap());
    fs::write(path.with_extension("json"), with_an_active_key()).unwrap();
    let (_database, state) = Database::open(&path, &clock, LIMITS).unwrap();
    assert_eq!(state, State::default());
    assert!(path.with_extension("json").exists());
}

#[test]
fn a_json_file_that_cannot_be_read_is_set_aside_at_the_path_and_left_alone_beside_it() {
    let mut torn = with_an_active_key();
    torn.truncate(torn.len() / 2);
    let newer = String::from_utf8(with_an_active_key()).unwrap();
    let newer = newer.replace("\"version\":1", "\"version\":9").into_bytes();
    for content in [torn, newer] {
        for name in ["state.redb", "state.json"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state.redb");
            let old = folder.path().join(name);
            fs::write(&old, &content).unwrap();
            let (_database, state) = Database::open(&path, &now(), LIMITS).unwrap();
            assert_eq!(state, State::default());
            let kept = match name {
                "state.redb" => folder.path().join("state.redb.unusable"),
                _ => old,
            };
            assert_eq!(fs::read(kept).unwrap(), content);
        }
    }
}

#[test]
fn an_import_that_cannot_be_written_is_published_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let old = path.with_extension("json");
    fs::write(&old, with_an_active_key()).unwrap();
    // Nothing can be made at the temporary file's name.
    let temporary = folder.path().join("state.redb.tmp");
    fs::create_dir(&temporary).unwrap();
    let (mut database, state) = Database::open(&path, &now(), LIMITS).unwrap();
    assert!(has_the_key(&state));
    assert!(old.exists());
    assert!(database.commit(&crate::state::Changes::default()).is_err());
    fs::remove_dir(&temporary).unwrap();
    database.commit(&crate::state::Changes::default()).unwrap();
    drop(database);
    assert!(has_the_key(
        &Database::open(&path, &now(), LIMITS).unwrap().1
    ));
}
