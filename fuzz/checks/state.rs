//! Any bytes as a state file of version 0.1: damaged files are refused with a message, others are
//! imported, and what was imported can be judged, saved and read again.

use std::time::Duration;

use aws_root_exporter::clock::Clock;
use aws_root_exporter::state::import;
use root_posture::{Limits, Moment, Record, Timestamp, judge};

const LIMITS: Limits = Limits {
    interval: Duration::from_secs(60),
    in_force: Duration::from_secs(60),
    max_staleness: Duration::from_secs(36_000),
    max_live_staleness: Duration::from_secs(1_800),
};

/// Checks the bytes; returns whether they are a state file that can be imported.
///
/// # Panics
///
/// If a guarantee is broken.
pub fn check(bytes: &[u8]) -> bool {
    if !import::is_state_file(bytes) {
        return false;
    }
    let (clock, _control) = Clock::manual(Timestamp::from_unix(1_789_132_492));
    let state = match import::read(bytes, &clock, &LIMITS) {
        Ok(state) => state,
        Err(problem) => {
            assert!(!problem.is_empty());
            assert!(
                !problem.chars().any(char::is_control),
                "not printable: {problem:?}"
            );
            return false;
        }
    };
    for account in state.accounts.values() {
        let saved = serde_json::to_vec(account).expect("writing to memory cannot fail");
        let again: Record = serde_json::from_slice::<serde_json::Value>(&saved)
            .and_then(|account| serde_json::from_value(account["record"].clone()))
            .expect("a saved account cannot be read");
        assert_eq!(again, account.record, "saving changes the record");
        can_be_judged(again, clock.moment());
    }
    true
}

/// Judges a record at extreme times, and after a restart an hour later, when no alarm may be lost.
fn can_be_judged(mut record: Record, now: Moment) {
    for moment in [i64::MIN, 0, i64::MAX].map(Moment::from_millis) {
        let shown = judge(&record, moment, &LIMITS);
        let _ = shown.keys_active.and_then(|metric| metric.at(moment));
    }
    record.end_first_start();
    let before = judge(&record, now, &LIMITS);
    record.shift(-3_600_000);
    let after = judge(&record, now, &LIMITS);
    let keys = |active: Option<root_posture::Metric>| active.and_then(|metric| metric.at(now));
    let alarm = keys(before.keys_active).filter(|active| *active > 0);
    assert!(
        alarm.is_none() || keys(after.keys_active) >= alarm,
        "{alarm:?} keys, an hour later {:?}",
        after.keys_active
    );
}
