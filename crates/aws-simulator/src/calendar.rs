//! Unix seconds written as AWS writes times.
//!
//! It must not use what the daemon reads times with: one mistake must not pass unnoticed on both sides.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time before 1970 counts as 1970.
fn system_time(unix: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(unix).unwrap_or(0))
}

/// `2026-09-11T13:14:52Z`.
pub(crate) fn iso(unix: i64) -> String {
    humantime::format_rfc3339_seconds(system_time(unix)).to_string()
}

/// The form of the `Date` header, `Fri, 11 Sep 2026 13:14:52 GMT` (RFC 9110, section 5.6.7).
pub(crate) fn http(unix: i64) -> String {
    httpdate::fmt_http_date(system_time(unix))
}

/// `Sep 11, 2026 1:14:52 PM`, as CloudTrail writes times among IAM's response elements.
pub(crate) fn long(unix: i64) -> String {
    // "Fri, 11 Sep 2026 13:14:52 GMT" has all its parts.
    let text = http(unix);
    let mut parts = text.split(' ').skip(1);
    let mut part = || parts.next().unwrap_or_default();
    let (day, month, year, time) = (part(), part(), part(), part());
    let (hour, rest) = time.split_once(':').unwrap_or_default();
    let hour: u8 = hour.parse().unwrap_or_default();
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    let day = day.trim_start_matches('0');
    format!("{month} {day}, {year} {hour}:{rest} {half}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_written_as_aws_writes_them() {
        assert_eq!(iso(1_789_132_492), "2026-09-11T13:14:52Z");
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(http(1_789_132_492), "Fri, 11 Sep 2026 13:14:52 GMT");
        assert_eq!(long(1_789_132_492), "Sep 11, 2026 1:14:52 PM");
        assert_eq!(long(951_782_400), "Feb 29, 2000 12:00:00 AM");
        assert_eq!(long(86_400 * 3 + 43_200), "Jan 4, 1970 12:00:00 PM");
    }
}
