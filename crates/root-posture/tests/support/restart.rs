//! A restart of the process, as the record sees it.

use root_posture::Record;

/// The record as another process reads it: written, read, and moved to that process's clock.
pub fn restarted(record: &Record, shift_millis: i64) -> Record {
    let written = serde_json::to_vec(record).unwrap();
    let mut read: Record = serde_json::from_slice(&written).unwrap();
    assert_eq!(&read, record, "nothing is lost on disk");
    read.shift(shift_millis);
    read
}
