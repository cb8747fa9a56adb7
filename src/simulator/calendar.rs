//! Unix seconds written as AWS writes times. It must not use the clock room or any reader of
//! times: what the exporter reads has to be checked against something it did not write.

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    weekday: i64,
}

/// Howard Hinnant's `civil_from_days`, good for every year that four digits can write.
fn civil(unix: i64) -> Civil {
    let (days, rest) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
        hour: rest / 3_600,
        minute: rest / 60 % 60,
        second: rest % 60,
        weekday: days.rem_euclid(7),
    }
}

/// `2026-09-11T13:14:52` and then `zone`: `Z`, or `+00:00` as AWS wrote it before.
pub(super) fn iso(unix: i64, zone: &str) -> String {
    let c = civil(unix);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{zone}",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

/// The `Date` header's form (RFC 9110, section 5.6.7): `Fri, 11 Sep 2026 13:14:52 GMT`.
pub(super) fn http(unix: i64) -> String {
    let c = civil(unix);
    let name = |names: &'static [&'static str], index: i64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index))
            .copied()
            .unwrap_or_default()
    };
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        name(&DAYS, c.weekday),
        c.day,
        name(&MONTHS, c.month - 1),
        c.year,
        c.hour,
        c.minute,
        c.second
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_as_aws_writes_them() {
        assert_eq!(iso(1_789_132_492, "Z"), "2026-09-11T13:14:52Z");
        assert_eq!(iso(0, "+00:00"), "1970-01-01T00:00:00+00:00");
        assert_eq!(iso(951_782_399, "Z"), "2000-02-28T23:59:59Z");
        assert_eq!(iso(951_782_400, "Z"), "2000-02-29T00:00:00Z");
        assert_eq!(http(1_789_132_492), "Fri, 11 Sep 2026 13:14:52 GMT");
        assert_eq!(http(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
