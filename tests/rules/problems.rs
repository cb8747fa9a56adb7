//! Alerts on problems, with scrapes every 15 s, 60 s and 2 minutes: failed scrapes do not silence them,
//! and a single bad or fine sample neither fires nor resolves them.

use crate::course::{Course, EVALUATION, Replica};
use crate::samples::{HOUR, MINUTE, check, healthy, one_in, seconds_ago, with};

/// The longest time that a resolution may take: most of 5 minutes must have been fine.
const END: u32 = 5 * MINUTE;

/// An alert on a problem, and the samples of an exporter while it lasts.
struct Problem {
    alert: &'static str,
    /// Seconds from the begin of the problem to the alert.
    after: u32,
    /// One scrape fails in each period of so many seconds.
    failure: u32,
    /// When it begins. `AWSAccountsMissing` needs an hour before, in which the account is monitored.
    begin: u32,
    /// The samples at a second, if the problem began at the other.
    bad: fn(now: u32, since: u32) -> Vec<(String, f64)>,
}

const PROBLEMS: [Problem; 9] = [
    Problem {
        alert: "AWSAccountUnreadable",
        after: 10 * MINUTE,
        failure: 8 * MINUTE,
        begin: 20 * MINUTE,
        bad: |now, since| {
            let last = Some(seconds_ago(since, 60));
            let mut all = healthy(now, 0.0, since);
            for source in ["credential_report", "account_summary"] {
                let labels = format!("{{account=\"111122223333\",source=\"{source}\"}}");
                let success = format!("aws_account_last_success_timestamp_seconds{labels}");
                all = with(
                    all,
                    &[
                        (&format!("aws_account_up{labels}"), Some(0.0)),
                        (&success, last),
                    ],
                );
            }
            all
        },
    },
    Problem {
        alert: "AWSAccountRefreshFailing",
        after: 30 * MINUTE,
        failure: 25 * MINUTE,
        begin: 20 * MINUTE,
        bad: |now, _| {
            with(
                healthy(now, 0.0, now),
                &[(
                    "aws_account_up{account=\"111122223333\",source=\"credential_report\"}",
                    Some(0.0),
                )],
            )
        },
    },
    Problem {
        alert: "AWSRootPostureUnknown",
        after: 15 * MINUTE,
        failure: 14 * MINUTE,
        begin: 20 * MINUTE,
        bad: |now, _| {
            with(
                healthy(now, 0.0, now),
                &[(
                    "aws_root_access_keys_active{account=\"111122223333\"}",
                    None,
                )],
            )
        },
    },
    Problem {
        alert: "AWSRootEvidenceStale",
        after: 15 * MINUTE,
        failure: 14 * MINUTE,
        begin: 20 * MINUTE,
        bad: |now, since| {
            with(
                healthy(now, 0.0, now),
                &[(
                    "aws_account_last_success_timestamp_seconds{account=\"111122223333\",source=\"account_summary\"}",
                    Some(seconds_ago(since, 1801)),
                )],
            )
        },
    },
    Problem {
        alert: "AWSCredentialReportStale",
        after: 15 * MINUTE,
        failure: 14 * MINUTE,
        begin: 20 * MINUTE,
        bad: |now, since| {
            with(
                healthy(now, 0.0, now),
                &[(
                    "aws_credential_report_generated_timestamp_seconds",
                    Some(seconds_ago(since, 10 * HOUR + 1)),
                )],
            )
        },
    },
    Problem {
        alert: "AWSAccountsMissing",
        after: 10 * MINUTE,
        failure: 9 * MINUTE,
        begin: 70 * MINUTE,
        bad: |now, _| {
            let mut all = healthy(now, 0.0, now);
            all.retain(|(series, _)| !series.contains("111122223333"));
            all
        },
    },
    Problem {
        alert: "AWSAccountPushDown",
        after: 30 * MINUTE,
        failure: 25 * MINUTE,
        begin: 20 * MINUTE,
        bad: |now, _| {
            with(
                healthy(now, 0.0, now),
                &[("aws_account_push_up", Some(0.0))],
            )
        },
    },
    // No echo returns while the queue cannot be read.
    Problem {
        alert: "AWSRootExporterEventsDown",
        after: 15 * MINUTE,
        failure: 14 * MINUTE,
        begin: 20 * MINUTE,
        bad: |now, _| {
            with(
                healthy(now, 0.0, now),
                &[
                    ("aws_root_exporter_events_up", Some(0.0)),
                    ("aws_account_push_up", Some(0.0)),
                ],
            )
        },
    },
    // Discovery is stuck: its last attempt succeeded, hours ago.
    Problem {
        alert: "AWSOrganizationDiscoveryFailing",
        after: 30 * MINUTE,
        failure: 25 * MINUTE,
        begin: 20 * MINUTE,
        bad: |now, since| {
            with(
                healthy(now, 0.0, now),
                &[(
                    "aws_root_exporter_discovery_last_success_timestamp_seconds",
                    Some(seconds_ago(since, 2 * HOUR + 1)),
                )],
            )
        },
    },
];

/// The alert fires and continues although single scrapes fail.
fn continues(problem: &Problem, every: u32) -> Course {
    let &Problem {
        alert,
        after,
        failure,
        begin,
        bad,
    } = problem;
    let end = begin + 90 * MINUTE;
    let selector = format!("alertname=\"{alert}\"");
    let scrape = move |now| {
        let failed = now > begin && one_in(now - begin, every, failure);
        if failed {
            None
        } else if now >= begin && now < end {
            Some(bad(now, begin))
        } else {
            Some(healthy(now, 0.0, now))
        }
    };
    let fires = begin + after + 2 * every + 2 * EVALUATION;
    Course::new(
        format!("{alert} fires and continues although single scrapes fail"),
        every,
        vec![Replica::new("a", scrape)],
    )
    .firing((0, begin + after - EVALUATION), &selector, 0)
    .firing((fires, end - EVALUATION), &selector, 1)
    .firing(
        (end + END + 2 * every, end + END + 2 * every + 600),
        &selector,
        0,
    )
}

/// The alert does not fire if single scrapes fail or have bad samples.
fn stays_quiet(problem: &Problem, every: u32) -> Course {
    let &Problem {
        alert,
        failure,
        begin,
        bad,
        ..
    } = problem;
    let scrape = move |now: u32| {
        if one_in(now, every, failure) {
            None
        } else if one_in(now + 3 * MINUTE, every, 20 * MINUTE) {
            Some(bad(now, now))
        } else {
            Some(healthy(now, 0.0, now))
        }
    };
    Course::new(
        format!("{alert} does not fire for single samples"),
        every,
        vec![Replica::new("a", scrape)],
    )
    .firing(
        (0, begin + 60 * MINUTE),
        &format!("alertname=\"{alert}\""),
        0,
    )
}

/// The alert does not resolve if one sample in 20 minutes is fine.
fn outlasts_a_fine_sample(problem: &Problem, every: u32) -> Course {
    let &Problem {
        alert,
        after,
        begin,
        bad,
        ..
    } = problem;
    let scrape = move |now: u32| {
        let fine = now < begin || one_in(now - begin + 15 * MINUTE, every, 20 * MINUTE);
        Some(if fine {
            healthy(now, 0.0, now)
        } else {
            bad(now, begin)
        })
    };
    let fires = begin + after + 5 * MINUTE + 2 * every + 2 * EVALUATION;
    Course::new(
        format!("{alert} does not resolve for a single fine sample"),
        every,
        vec![Replica::new("a", scrape)],
    )
    .firing(
        (fires, begin + 75 * MINUTE),
        &format!("alertname=\"{alert}\""),
        1,
    )
}

#[test]
fn a_problem_fires_although_single_scrapes_fail() {
    check(|every| PROBLEMS.iter().map(|p| continues(p, every)).collect());
}

#[test]
fn single_bad_samples_do_not_fire() {
    check(|every| PROBLEMS.iter().map(|p| stays_quiet(p, every)).collect());
}

#[test]
fn a_single_fine_sample_does_not_resolve_an_alert() {
    check(|every| {
        PROBLEMS
            .iter()
            .map(|p| outlasts_a_fine_sample(p, every))
            .collect()
    });
}
