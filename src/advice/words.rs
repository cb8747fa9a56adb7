//! Words for people: sentences with times in them, lengths of time, numbers, sources and reasons.

use std::time::Duration;

use crate::failure::Reason;
use root_posture::{Source, Timestamp};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Plain text.
    Text(String),
    /// Text from an event, which any client may have chosen.
    Given(String),
    /// A point in time: exact, and how long ago it was.
    Time(Timestamp),
}

/// A sentence with times in it.
pub(crate) type Sentence = Vec<Piece>;

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Timestamp> for Piece {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

/// Makes a sentence of texts and times.
macro_rules! sentence {
    ($($piece:expr),+ $(,)?) => { vec![$($crate::advice::words::Piece::from($piece)),+] };
}
pub(crate) use sentence;

/// A sentence in plain text.
pub(crate) fn line(sentence: &Sentence) -> String {
    let texts = sentence.iter().map(|piece| match piece {
        Piece::Text(text) | Piece::Given(text) => text.clone(),
        Piece::Time(time) => minute(*time),
    });
    texts.collect()
}

/// A time to the second: `2026-11-24 13:04:22 UTC`.
pub(crate) fn exact(time: Timestamp) -> String {
    let text = time.to_string();
    match text.strip_suffix('Z') {
        Some(local) => format!("{} UTC", local.replace('T', " ")),
        None => text,
    }
}

/// A time to the minute: `2026-09-11 13:14Z`.
pub(crate) fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute}Z"),
        // A year that RFC 3339 cannot write.
        _ => text,
    }
}

/// How long before `now` a time was: `3 min ago`. AWS's clock may be ahead of the local one, so a
/// time in the future is `just now`.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    let age = now.since(time);
    if age < Duration::from_secs(2) {
        "just now".to_owned()
    } else {
        format!("{} ago", span(age))
    }
}

/// A time for templates, which pass references: exact, and how long before `now` it was.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates pass references"
)]
pub(crate) fn times(time: &Timestamp, now: &Timestamp) -> (String, String) {
    (exact(*time), ago(*time, *now))
}

/// A length of time in whole units of one kind: `90 min`, `36 h`, `40 days`.
pub(crate) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..100 => format!("{seconds} s"),
        100..6_000 => format!("{} min", seconds / MINUTE),
        6_000..172_800 => format!("{} h", seconds / HOUR),
        _ if seconds < 730 * DAY => format!("{} days", seconds / DAY),
        _ => format!("{} years", seconds / (365 * DAY)),
    }
}

/// `1 account`, `2,000 accounts`.
pub(crate) fn accounts(number: usize) -> String {
    let noun = if number == 1 { "account" } else { "accounts" };
    format!("{} {noun}", grouped(number))
}

/// A number with its thousands separated: `1,234,567`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The name of a source in a sentence.
pub(crate) fn source(source: Source) -> &'static str {
    match source {
        Source::CredentialReport => "credential report",
        Source::AccountSummary => "account summary",
        Source::RootSession => "root session",
    }
}

/// What a source contains and how old its answers can be.
pub(crate) fn source_note(source: Source) -> &'static str {
    match source {
        Source::CredentialReport => "Everything, but AWS makes a new one at most every 4 hours.",
        Source::AccountSummary => "Live: whether root keys exist, MFA, password.",
        Source::RootSession => "Live: each root key with its status and last use.",
    }
}

/// Why a call failed.
pub(crate) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Throttled => "AWS throttles the calls",
        Reason::AccessDenied => "a permission is missing",
        Reason::Credentials => "the exporter has no usable AWS credentials",
        Reason::AssumeRole => "the account's role could not be assumed",
        Reason::Timeout => "no answer in time",
        Reason::Network => "no connection to AWS",
        Reason::Service => "AWS itself failed",
        Reason::LimitExceeded => "AWS has no capacity to make a report now",
        Reason::ReportPending => "AWS did not finish the report in time",
        Reason::ReportMalformed => "the report could not be read",
        Reason::AccountMismatch => "the answer came from another account",
        Reason::Unsupported => "AWS does not offer this here",
        Reason::Other => "an unexpected error",
    }
}

/// What to do about a failed call.
pub(crate) fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::Throttled | Reason::LimitExceeded => {
            "The exporter slows down by itself. If this lasts, find out what else calls IAM in the \
             account so often, or raise refresh.interval."
        }
        Reason::AccessDenied => {
            "Give the role in the account the permissions that `aws-root-exporter policy audit-role` \
             prints. Look for a permissions boundary or a service control policy that denies them; \
             one that denies root must exempt aws:AssumedRoot. If it worked before, find out in \
             CloudTrail who changed it."
        }
        Reason::Credentials => {
            "Check the exporter's own credentials: its instance profile, pod identity or profile, \
             and whether they have expired."
        }
        Reason::AssumeRole => {
            "Check that the role exists in the account, and that its trust policy names the \
             exporter's identity and external id. If it worked before, find out in CloudTrail who \
             changed it."
        }
        Reason::Timeout | Reason::Network => {
            "Check the connection from the exporter to AWS: DNS, proxy, firewall, VPC endpoints."
        }
        Reason::Service => "Check the AWS Health Dashboard. The exporter tries again by itself.",
        Reason::ReportPending => {
            "The exporter tries again by itself. An account with very many users may need a longer \
             refresh.report_timeout."
        }
        Reason::ReportMalformed => {
            "The last good report stays in use. The log says which line and column is wrong; please \
             report it."
        }
        Reason::AccountMismatch => {
            "The role or profile configured for the account belongs to another one: correct \
             role_arn or profile in the configuration."
        }
        Reason::Unsupported => {
            "Turn on centralized root access, correct the account's Region, or switch the source \
             off in the configuration."
        }
        Reason::Other => "Read the error message and the exporter's log.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_given_in_the_largest_unit_that_is_precise_enough() {
        let now = Timestamp::from_unix(1_800_000_000);
        for (seconds, text) in [
            (-5, "just now"),
            (1, "just now"),
            (2, "2 s ago"),
            (99, "99 s ago"),
            (100, "1 min ago"),
            (5_999, "99 min ago"),
            (6_000, "1 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 days ago"),
            (729 * 86_400, "729 days ago"),
            (730 * 86_400, "2 years ago"),
        ] {
            let time = Timestamp::from_unix(now.unix() - seconds);
            assert_eq!(ago(time, now), text);
        }
    }

    #[test]
    fn times_and_numbers_are_written_for_people() {
        let time = Timestamp::from_unix(1_800_000_000);
        assert_eq!(exact(time), "2027-01-15 08:00:00 UTC");
        assert_eq!(minute(time), "2027-01-15 08:00Z");
        let numbers = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(accounts(1), "1 account");
        assert_eq!(accounts(2_000), "2,000 accounts");
    }
}
