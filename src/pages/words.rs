//! The words of the pages: times, sources, reasons, sentences.

use std::fmt;
use std::time::Duration;

use crate::failure::Reason;
use root_posture::Source;
use root_posture::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    Text(String),
    /// A point in time, which the page shows as exact as it is and says how long ago it was.
    Time(Timestamp),
}

/// A sentence with times in it.
pub(super) type Sentence = Vec<Piece>;

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
    ($($piece:expr),+ $(,)?) => { vec![$($crate::pages::words::Piece::from($piece)),+] };
}
pub(super) use sentence;

/// A time as people read it: `2026-11-24 13:04:22 UTC`.
pub(super) fn exact(time: Timestamp) -> String {
    let text = time.to_string();
    match text.strip_suffix('Z') {
        Some(local) => format!("{} UTC", local.replace('T', " ")),
        None => text,
    }
}

/// How long before `now` a time was: `3 min ago`. AWS's clock may be ahead of ours, so what seems
/// to lie in the future was just now.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    let age = now.since(time);
    if age < Duration::from_secs(2) {
        "just now".to_owned()
    } else {
        format!("{} ago", span(age))
    }
}

/// A length of time, in the largest unit that tells enough.
pub(super) fn span(length: Duration) -> String {
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
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

/// A number with its thousands apart.
pub(super) fn grouped(number: usize) -> String {
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

/// A source as it is called in a sentence.
pub(super) fn source(source: Source) -> &'static str {
    match source {
        Source::CredentialReport => "credential report",
        Source::AccountSummary => "account summary",
        Source::RootSession => "root session",
    }
}

/// What a source is asked for and how old its answers can be.
pub(super) fn source_note(source: Source) -> &'static str {
    match source {
        Source::CredentialReport => "Everything, but AWS renews it at most once in 4 hours.",
        Source::AccountSummary => "Live: whether root keys exist, MFA, password.",
        Source::RootSession => "Live: each root key with its status and last use.",
    }
}

/// Why a refresh failed.
pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Throttled => "AWS asks to slow down",
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
        Reason::Other => "something unforeseen",
    }
}

/// What a person does about it.
pub(super) fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::Throttled | Reason::LimitExceeded => {
            "The exporter slows down by itself. If it stays, find out who else asks IAM so often in \
             this account, or raise refresh.interval."
        }
        Reason::AccessDenied => {
            "Give the exporter's role in this account the permissions of `aws-root-exporter policy \
             audit-role`, and look for a service control policy that denies them. If it worked \
             before, find out in CloudTrail who changed it."
        }
        Reason::Credentials => {
            "Look at the exporter's own credentials: its instance profile, pod identity or profile, \
             and whether they have expired."
        }
        Reason::AssumeRole => {
            "Look whether the role exists in this account and trusts the exporter's identity and \
             external id. If it worked before, find out in CloudTrail who changed it."
        }
        Reason::Timeout | Reason::Network => {
            "Look at the way from the exporter to AWS: DNS, proxy, firewall, VPC endpoints."
        }
        Reason::Service => "Look at the AWS Health Dashboard. The exporter tries again by itself.",
        Reason::ReportPending => {
            "The exporter asks again by itself. Accounts with very many users can need a longer \
             refresh.report_timeout."
        }
        Reason::ReportMalformed => {
            "What was known stays in use. The log names line and column; please report it."
        }
        Reason::AccountMismatch => {
            "The role or profile configured for this account leads into another one: correct \
             role_arn or profile in the configuration."
        }
        Reason::Unsupported => "Switch this source off for this account, or look at its Region.",
        Reason::Other => "The message below and the exporter's log say more.",
    }
}

/// A text that a template writes many times without copying it.
pub(super) struct Times {
    pub exact: String,
    pub ago: String,
}

impl Times {
    pub fn of(time: Timestamp, now: Timestamp) -> Self {
        Self {
            exact: exact(time),
            ago: ago(time, now),
        }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.exact, self.ago)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_largest_unit_that_tells_enough() {
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
        assert_eq!(
            exact(Timestamp::from_unix(1_800_000_000)),
            "2027-01-15 08:00:00 UTC"
        );
        let numbers = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(count(1, "account", "accounts"), "1 account");
        assert_eq!(count(2, "account", "accounts"), "2 accounts");
    }
}
