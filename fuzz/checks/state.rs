//! Any bytes as the state file: torn ones are told, whole ones are read as they stand, and what
//! was read can be reasoned over, saved and read again.

use std::time::Duration;

use aws_root_exporter::clock::Clock;
use aws_root_exporter::views::{State, decode, encode};
use root_posture::{Limits, Posture, Record};
use root_posture::{Moment, Timestamp};

const LIMITS: Limits = Limits {
    max_staleness: Duration::from_secs(36_000),
    max_live_staleness: Duration::from_secs(1_800),
};

/// Whether the bytes are a state file that can be used.
///
/// # Panics
///
/// When a promise is broken.
pub fn check(bytes: &[u8]) -> bool {
    let (clock, hand) = Clock::manual(Timestamp::from_unix(1_789_132_492));
    let state = match decode(bytes, &clock) {
        Ok(state) => state,
        Err(what) => {
            assert!(!what.is_empty());
            assert!(
                !what.chars().any(char::is_control),
                "a line cannot be printed: {what:?}"
            );
            return false;
        }
    };
    let saved = encoded(&state, &clock);
    let again = decode(&saved, &clock).expect("what was saved can be read");
    assert_eq!(again, state, "saving changes nothing");
    for cut in [saved.len() / 3, saved.len() / 2, saved.len() - 3] {
        assert!(
            decode(&saved[..cut], &clock).is_err(),
            "a torn file is told"
        );
    }
    for account in state.accounts.values() {
        reasoned(&account.record, &clock);
    }
    // A restart an hour later, over the same file.
    hand.advance(Duration::from_secs(3_600));
    let later = decode(&saved, &clock).expect("what was saved can be read");
    for (id, account) in &later.accounts {
        let before = state.accounts[id].record.posture(LIMITS);
        let after = account.record.posture(LIMITS);
        alarms_stay(&before, &after, clock.moment());
    }
    true
}

fn encoded(state: &State, clock: &Clock) -> Vec<u8> {
    let mut saved = Vec::new();
    encode(&mut saved, state, clock).expect("memory takes everything");
    saved
}

/// What is known of an account, asked for at odd times and after failures. That the figures agree
/// with each other is not asked: a file can be made to say anything.
fn reasoned(record: &Record, clock: &Clock) {
    let mut record = record.clone();
    for moment in [i64::MIN, 0, i64::MAX].map(Moment::from_millis) {
        let shown = record.posture(LIMITS);
        let _ = shown.keys_active.and_then(|figure| figure.at(moment));
    }
    record.look_failed();
    record.report_failed();
    record.settle(clock.moment());
    let _ = record.posture(LIMITS);
}

/// A figure that is not fine outlives time and failures.
fn alarms_stay(before: &Posture, after: &Posture, now: Moment) {
    let Some(alarm) = before
        .keys_active
        .as_ref()
        .filter(|figure| figure.value > 0)
    else {
        return;
    };
    let shown = after.keys_active.as_ref().and_then(|figure| figure.at(now));
    assert!(
        shown.is_some_and(|keys| keys > 0),
        "{} keys by {:?}, which became {shown:?}",
        alarm.value,
        alarm.source
    );
}
