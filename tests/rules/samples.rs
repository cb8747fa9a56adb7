//! The samples of an exporter on which all is fine, and changes to them.

use crate::course::{self, Course, EVALUATION, Scrape, Suite};
use crate::support::RULES;

const INTERVALS: [u32; 3] = [15, 60, 120];
pub const MINUTE: u32 = 60;
pub const HOUR: u32 = 60 * MINUTE;

/// Runs the courses that are made for each scrape interval.
pub fn check(courses: impl Fn(u32) -> Vec<Course>) {
    course::check(INTERVALS.map(|every| Suite {
        rules: RULES[0],
        evaluation: EVALUATION,
        courses: courses(every),
    }));
}

pub const KEY: &str = "alertname=\"AWSRootAccessKeyActive\"";

/// A key is created at 20 minutes.
pub const CREATED: u32 = 20 * MINUTE;

/// A sample of account 111122223333, with further labels.
pub fn of_account(name: &str, labels: &str, value: f64) -> (String, f64) {
    let comma = if labels.is_empty() { "" } else { "," };
    (
        format!("{name}{{account=\"111122223333\"{comma}{labels}}}"),
        value,
    )
}

pub fn info(account: &str) -> (String, f64) {
    let labels = format!("account=\"{account}\",account_name=\"x\",partition=\"aws\"");
    (format!("aws_account_info{{{labels}}}"), 1.0)
}

pub fn of_exporter(name: &str, value: f64) -> (String, f64) {
    (format!("{name}{{}}"), value)
}

/// The samples of an exporter with one shard.
pub fn shard() -> [(String, f64); 2] {
    [
        of_exporter("aws_root_exporter_shard_index", 0.0),
        of_exporter("aws_root_exporter_shard_total", 1.0),
    ]
}

pub fn seconds_ago(now: u32, ago: u32) -> f64 {
    f64::from(now) - f64::from(ago)
}

/// The samples of an exporter on which all is fine but for this number of active keys, observed at
/// this second.
pub fn healthy(now: u32, keys: f64, observed: u32) -> Vec<(String, f64)> {
    let mut all = shard().to_vec();
    all.extend([info("111122223333"), info("000000000001")]);
    all.extend([
        of_account("aws_root_access_keys_active", "", keys),
        of_account(
            "aws_root_access_keys_observed_timestamp_seconds",
            "",
            f64::from(observed),
        ),
        (
            "aws_root_access_keys_active{account=\"000000000001\"}".to_owned(),
            0.0,
        ),
        of_account("aws_credential_report_generated_timestamp_seconds", "", {
            seconds_ago(now, HOUR)
        }),
        of_account("aws_account_push_up", "", 1.0),
        of_account("aws_account_poll_interval_seconds", "", 900.0),
        of_exporter("aws_root_exporter_events_up", 1.0),
        of_exporter("aws_root_exporter_discovery_up", 1.0),
        of_exporter(
            "aws_root_exporter_discovery_last_success_timestamp_seconds",
            seconds_ago(now, 60),
        ),
    ]);
    for source in ["credential_report", "account_summary"] {
        let source = format!("source=\"{source}\"");
        all.push(of_account("aws_account_up", &source, 1.0));
        all.push(of_account(
            "aws_account_last_success_timestamp_seconds",
            &source,
            seconds_ago(now, 60),
        ));
    }
    all
}

/// The samples with those whose series begins so set to a value, or removed.
pub fn with(mut all: Vec<(String, f64)>, changes: &[(&str, Option<f64>)]) -> Vec<(String, f64)> {
    for (name, value) in changes {
        let at = all.iter().position(|(series, _)| series.starts_with(name));
        let at = at.unwrap_or_else(|| panic!("{name} is exported"));
        match value {
            Some(value) => all[at].1 = *value,
            None => drop(all.remove(at)),
        }
    }
    all
}

/// Whether this is the first scrape of a period of so many seconds.
pub const fn one_in(now: u32, every: u32, period: u32) -> bool {
    now % period < every
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the result of a scrape, which can fail"
)]
pub fn keys(now: u32, count: u8, observed: u32) -> Scrape {
    Some(healthy(now, f64::from(count), observed))
}
