//! Failed scrapes, second replicas and strange labels: none silences an alert, none makes one.
//!
//! Each course of events has its mirror image, in which a single bad sample neither fires nor
//! resolves anything, and each is run with scrapes every 15 s, 60 s and 2 minutes.

use std::fs;
use std::process::Command;

use crate::samples::{Course, EVALUATION, Replica, Scrape, promtool_file};
use test_support::program::succeed;
use test_support::repository;

use crate::support::RULES;

const INTERVALS: [u32; 3] = [15, 60, 120];
const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;

/// The longest that a problem's end may take: most of 5 minutes must have been fine.
const END: u32 = 5 * MINUTE;

fn check(courses: impl Fn(u32) -> Vec<Course>) {
    let rules = repository(RULES[0]).display().to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut promtool = Command::new("promtool");
    promtool.args(["test", "rules"]);
    for every in INTERVALS {
        let path = folder.path().join(format!("{every}.yml"));
        fs::write(&path, promtool_file(&rules, &courses(every))).expect("it is writable");
        promtool.arg(path);
    }
    succeed(&mut promtool);
}

/// Series of account 111122223333, with these labels more.
fn of_account(name: &str, labels: &str, value: f64) -> (String, f64) {
    let comma = if labels.is_empty() { "" } else { "," };
    (
        format!("{name}{{account=\"111122223333\"{comma}{labels}}}"),
        value,
    )
}

fn info(account: &str) -> (String, f64) {
    let labels = format!("account=\"{account}\",account_name=\"x\",partition=\"aws\"");
    (format!("aws_account_info{{{labels}}}"), 1.0)
}

fn of_exporter(name: &str, value: f64) -> (String, f64) {
    (format!("{name}{{}}"), value)
}

/// What every exporter exports: its one shard.
fn shard() -> [(String, f64); 2] {
    [
        of_exporter("aws_root_exporter_shard_index", 0.0),
        of_exporter("aws_root_exporter_shard_total", 1.0),
    ]
}

fn seconds_ago(now: u32, ago: u32) -> f64 {
    f64::from(now) - f64::from(ago)
}

/// What an exporter without any trouble exports of the account, observed at this second.
fn calm(now: u32, keys: f64, observed: u32) -> Vec<(String, f64)> {
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

/// The same with the series of these names set to a value, or taken away.
fn but(mut all: Vec<(String, f64)>, changes: &[(&str, Option<f64>)]) -> Vec<(String, f64)> {
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

/// A problem: what an exporter exports while it is there, since that second.
struct Problem {
    alert: &'static str,
    after: u32,
    /// One scrape fails in so many seconds.
    failure: u32,
    /// When it begins: `AWSAccountsMissing` needs an hour in which the account is there.
    begin: u32,
    bad: fn(now: u32, since: u32) -> Vec<(String, f64)>,
}

const PROBLEMS: [Problem; 7] = [
    Problem {
        alert: "AWSAccountUnreadable",
        after: 10 * MINUTE,
        failure: 8 * MINUTE,
        begin: 20 * MINUTE,
        bad: |now, since| {
            let last = Some(seconds_ago(since, 60));
            let mut all = calm(now, 0.0, since);
            for source in ["credential_report", "account_summary"] {
                let labels = format!("{{account=\"111122223333\",source=\"{source}\"}}");
                let success = format!("aws_account_last_success_timestamp_seconds{labels}");
                all = but(
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
            but(
                calm(now, 0.0, now),
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
            but(
                calm(now, 0.0, now),
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
            but(
                calm(now, 0.0, now),
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
            but(
                calm(now, 0.0, now),
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
            let mut all = calm(now, 0.0, now);
            all.retain(|(series, _)| !series.contains("111122223333"));
            all
        },
    },
    // Row 12: discovery is stuck. The last attempt succeeded, hours ago.
    Problem {
        alert: "AWSOrganizationDiscoveryFailing",
        after: 30 * MINUTE,
        failure: 25 * MINUTE,
        begin: 20 * MINUTE,
        bad: |now, since| {
            but(
                calm(now, 0.0, now),
                &[(
                    "aws_root_exporter_discovery_last_success_timestamp_seconds",
                    Some(seconds_ago(since, 2 * HOUR + 1)),
                )],
            )
        },
    },
];

/// Whether this is the one scrape of so many seconds.
const fn one_in(now: u32, every: u32, seconds: u32) -> bool {
    now % seconds < every
}

/// What is asked of all problems: rows 1, 2 and 12.
fn problem_stands(problem: &Problem, every: u32) -> Course {
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
            Some(calm(now, 0.0, now))
        }
    };
    let fires = begin + after + 2 * every + 2 * EVALUATION;
    Course::new(
        format!("{alert} fires and stands whatever single scrapes do"),
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

/// The mirror image: of a fine exporter a scrape fails now and then, and now and then one sample is
/// bad.
fn problem_stays_away(problem: &Problem, every: u32) -> Course {
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
            Some(calm(now, 0.0, now))
        }
    };
    Course::new(
        format!("{alert} does not come of single samples"),
        every,
        vec![Replica::new("a", scrape)],
    )
    .firing(
        (0, begin + 60 * MINUTE),
        &format!("alertname=\"{alert}\""),
        0,
    )
}

/// The other mirror image: while the problem is there, one sample in 20 minutes is fine.
fn problem_outlasts_a_fine_sample(problem: &Problem, every: u32) -> Course {
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
            calm(now, 0.0, now)
        } else {
            bad(now, begin)
        })
    };
    let fires = begin + after + 5 * MINUTE + 2 * every + 2 * EVALUATION;
    Course::new(
        format!("{alert} is not ended by a single fine sample"),
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
fn a_problem_is_reported_whatever_single_scrapes_do() {
    check(|every| PROBLEMS.iter().map(|p| problem_stands(p, every)).collect());
}

#[test]
fn single_samples_make_no_problem() {
    check(|every| {
        PROBLEMS
            .iter()
            .map(|p| problem_stays_away(p, every))
            .collect()
    });
}

#[test]
fn a_single_fine_sample_ends_no_problem() {
    check(|every| {
        PROBLEMS
            .iter()
            .map(|p| problem_outlasts_a_fine_sample(p, every))
            .collect()
    });
}

const DOWN: &str = "alertname=\"AWSRootExporterDown\"";

#[test]
fn a_target_that_is_mostly_down_is_down() {
    check(|every| {
        // One minute of five; with long intervals one scrape of five.
        let minute = every.max(MINUTE);
        let mostly_down = move |now: u32| {
            let up = now < 10 * MINUTE || now % (5 * minute) < minute || now >= 200 * MINUTE;
            up.then(|| calm(now, 0.0, now))
        };
        let now_and_then =
            move |now: u32| (!one_in(now, every, 4 * every)).then(|| calm(now, 0.0, now));
        let unbroken = move |now: u32| {
            let down = (20 * MINUTE..40 * MINUTE).contains(&now);
            (!down).then(|| calm(now, 0.0, now))
        };
        vec![
            Course::new(
                "up one minute of five",
                every,
                vec![Replica::new("a", mostly_down)],
            )
            .firing((0, 10 * MINUTE), DOWN, 0)
            .firing((30 * MINUTE, 200 * MINUTE), DOWN, 1)
            .firing((207 * MINUTE, 220 * MINUTE), DOWN, 0),
            Course::new(
                "one scrape of four fails",
                every,
                vec![Replica::new("a", now_and_then)],
            )
            .firing((0, 200 * MINUTE), DOWN, 0),
            Course::new(
                "down for twenty minutes",
                every,
                vec![Replica::new("a", unbroken)],
            )
            .firing((0, 22 * MINUTE), DOWN, 0)
            .firing((26 * MINUTE + every, 40 * MINUTE - every), DOWN, 1)
            .firing((46 * MINUTE + every, 60 * MINUTE), DOWN, 0),
        ]
    });
}

const KEY: &str = "alertname=\"AWSRootAccessKeyActive\"";

/// A key is created at 20 minutes.
const CREATED: u32 = 20 * MINUTE;

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is the outcome of a scrape, and scrapes can fail"
)]
fn keys(now: u32, count: u8, observed: u32) -> Scrape {
    Some(calm(now, f64::from(count), observed))
}

/// A replica that has not been able to poll since this second.
fn blind(since: u32, count: u8) -> impl Fn(u32) -> Scrape {
    move |now| keys(now, if now < since { 0 } else { count }, now.min(since))
}

#[test]
fn an_older_zero_of_a_blind_replica_ends_no_page() {
    check(|every| {
        // Row 4: a saw the key at 20 minutes and died at 40; b has been blind since 10.
        let dies = |now: u32| match now {
            0..CREATED => keys(now, 0, now),
            CREATED..2_400 => keys(now, 1, now),
            _ => None,
        };
        // b can poll again at 120 minutes; the key is gone.
        let recovers = |now: u32| match now {
            0..7_200 => blind(10 * MINUTE, 0)(now),
            _ => keys(now, 0, now),
        };
        // The mirror image: b's first zero after a's death is newer than a's key.
        let polls = |now: u32| {
            keys(
                now,
                0,
                if now < 45 * MINUTE {
                    now.min(CREATED)
                } else {
                    now
                },
            )
        };
        let replicas = || vec![Replica::new("a", dies), Replica::new("b", recovers)];
        let from = CREATED + 2 * every;
        vec![
            Course::new("a key, seen by a replica that died", every, replicas())
                .firing((0, CREATED - EVALUATION), KEY, 0)
                .firing((from, 120 * MINUTE - EVALUATION), KEY, 1)
                .firing((121 * MINUTE + 2 * every, 150 * MINUTE), KEY, 0),
            Course::new(
                "a key, and a newer zero of the other replica",
                every,
                vec![Replica::new("a", dies), Replica::new("b", polls)],
            )
            .firing((from, 45 * MINUTE - EVALUATION), KEY, 1)
            .firing((46 * MINUTE + 2 * every, 80 * MINUTE), KEY, 0),
        ]
    });
}

#[test]
fn an_older_key_of_a_blind_replica_does_not_stand_for_ever() {
    check(|every| {
        // Row 5: both saw the key; b has been blind since 30 minutes, and a saw it go at 40. Now
        // and then a scrape of a fails: b's old key does not return with it.
        let sees_it_go = move |now: u32| match now {
            0..CREATED => keys(now, 0, now),
            CREATED..2_400 => keys(now, 1, now),
            _ if one_in(now, every, 30 * MINUTE) => None,
            _ => keys(now, 0, now),
        };
        let goes_blind = |now: u32| match now {
            0..CREATED => keys(now, 0, now),
            _ => keys(now, 1, now.min(30 * MINUTE)),
        };
        // A new key, which a sees, pages again.
        let again = move |now: u32| match now {
            0..108_000 => sees_it_go(now),
            _ => keys(now, 1, now),
        };
        // The mirror image: b can poll, and sees the key go two minutes later than a. The page
        // stands until both agree.
        let later = |now: u32| match now {
            0..CREATED => keys(now, 0, now),
            CREATED..2_520 => keys(now, 1, now),
            _ => keys(now, 0, now),
        };
        let from = CREATED + 2 * every;
        let mut courses = vec![
            Course::new(
                "a key that goes, two replicas that poll",
                every,
                vec![Replica::new("a", sees_it_go), Replica::new("b", later)],
            )
            .firing((from, 42 * MINUTE - EVALUATION), KEY, 1)
            .firing((43 * MINUTE + 2 * every, 100 * MINUTE), KEY, 0),
        ];
        let long = |end: u32| {
            Course::new(
                "a key that went, and a blind replica",
                every,
                vec![Replica::new("a", again), Replica::new("b", goes_blind)],
            )
            .firing((from, 40 * MINUTE - EVALUATION), KEY, 1)
            .firing((46 * MINUTE + 2 * every, 120 * MINUTE), KEY, 0)
            .firing((end - 20 * MINUTE, end - EVALUATION), KEY, 0)
        };
        // 30 hours are long for promtool: once is enough.
        if every == 120 {
            let end = 30 * HOUR;
            courses.push(long(end).firing((end + 2 * every, end + 600), KEY, 1));
        } else {
            courses.push(long(150 * MINUTE));
        }
        courses
    });
}

#[test]
fn a_page_outlasts_a_failed_scrape_while_the_other_replica_is_behind() {
    check(|every| {
        // Row 6: b polls 10 minutes after a. In between scrapes of a fail.
        let first = move |now: u32| match now {
            0..CREATED => keys(now, 0, now),
            _ if one_in(now, every, 4 * MINUTE) && now < 30 * MINUTE && now > CREATED => None,
            CREATED..3_600 => keys(now, 1, now),
            _ if one_in(now, every, 4 * MINUTE) => None,
            _ => keys(now, 0, now),
        };
        let second = |now: u32| match now {
            0..1_800 => keys(now, 0, now.min(CREATED - 60)),
            1_800..3_660 => keys(now, 1, now),
            _ => keys(now, 0, now),
        };
        vec![
            Course::new(
                "one page and one end",
                every,
                vec![Replica::new("a", first), Replica::new("b", second)],
            )
            .firing((0, CREATED - EVALUATION), KEY, 0)
            .firing((CREATED + 2 * every, HOUR), KEY, 1)
            .firing((63 * MINUTE + 2 * every, 100 * MINUTE), KEY, 0),
        ]
    });
}

#[test]
fn the_same_holds_for_mfa_by_the_last_success_of_each_replica() {
    const MFA: &str = "alertname=\"AWSRootMFADisabled\"";
    #[expect(
        clippy::unnecessary_wraps,
        reason = "it is the outcome of a scrape, and scrapes can fail"
    )]
    fn mfa(now: u32, enabled: u8, polled: u32) -> Scrape {
        let mut all = calm(now, 0.0, now);
        for (series, value) in &mut all {
            if series.starts_with("aws_account_last_success") {
                *value = f64::from(polled);
            }
        }
        all.push(of_account("aws_root_mfa_enabled", "", f64::from(enabled)));
        Some(all)
    }
    check(|every| {
        let dies = |now: u32| match now {
            0..CREATED => mfa(now, 1, now),
            CREATED..3_600 => mfa(now, 0, now),
            _ => None,
        };
        let blind = |now: u32| mfa(now, 1, now.min(10 * MINUTE));
        let stale = |now: u32| mfa(now, 0, now.min(10 * MINUTE));
        let polls = |now: u32| mfa(now, 1, now);
        vec![
            Course::new(
                "MFA is off, seen by a replica that died",
                every,
                vec![Replica::new("a", dies), Replica::new("b", blind)],
            )
            .firing((36 * MINUTE + 2 * every, 2 * HOUR), MFA, 1),
            Course::new(
                "MFA is on, and a blind replica",
                every,
                vec![Replica::new("a", stale), Replica::new("b", polls)],
            )
            .firing((30 * MINUTE, 2 * HOUR), MFA, 0),
        ]
    });
}

const MISSING: &str = "alertname=\"AWSAccountsMissing\"";

#[test]
fn an_account_that_left_is_not_missing_after_a_restart() {
    check(|every| {
        // Row 7: it leaves at 70 minutes; the exporter forgets it at 100.
        let restarts = |now: u32| {
            let mut all = calm(now, 0.0, now);
            if now >= 70 * MINUTE {
                all.retain(|(series, _)| !series.contains("111122223333"));
                if now < 100 * MINUTE {
                    all.push(of_account("aws_account_left", "reason=\"closed\"", 1.0));
                }
            }
            Some(all)
        };
        // The mirror image: it left and came back long before it goes missing.
        let returns = |now: u32| {
            let mut all = calm(now, 0.0, now);
            if (10 * MINUTE..20 * MINUTE).contains(&now) || now >= 3 * HOUR {
                all.retain(|(series, _)| !series.contains("111122223333"));
            }
            if (10 * MINUTE..20 * MINUTE).contains(&now) {
                all.push(of_account("aws_account_left", "reason=\"removed\"", 1.0));
            }
            Some(all)
        };
        vec![
            Course::new("an account left", every, vec![Replica::new("a", restarts)]).firing(
                (0, 210 * MINUTE),
                MISSING,
                0,
            ),
            Course::new(
                "an account returned",
                every,
                vec![Replica::new("a", returns)],
            )
            .firing((0, 3 * HOUR + 9 * MINUTE), MISSING, 0)
            .firing((3 * HOUR + 11 * MINUTE + 2 * every, 4 * HOUR), MISSING, 1),
        ]
    });
}

#[test]
fn overwritten_account_labels_are_reported() {
    const OVERWRITTEN: &str = "alertname=\"AWSRootExporterLabelsOverwritten\"";
    // Row 8: Prometheus as it labels samples without `honor_labels`, where the target has a
    // label `account`.
    fn overwritten(now: u32) -> Vec<(String, f64)> {
        let labels = "account=\"monitoring\",exported_account=";
        let all = calm(now, 0.0, now).into_iter();
        all.map(|(series, value)| (series.replace("account=", labels), value))
            .collect()
    }
    check(|every| {
        let end = 40 * MINUTE;
        let scrape = move |now: u32| match now {
            _ if one_in(now, every, 7 * MINUTE) => None,
            1_200..2_400 => Some(overwritten(now)),
            _ => keys(now, 0, now),
        };
        vec![
            Course::new(
                "honor_labels is missing",
                every,
                vec![Replica::new("a", scrape)],
            )
            .firing((0, CREATED - EVALUATION), OVERWRITTEN, 0)
            .firing((CREATED + 2 * every, end), OVERWRITTEN, 1)
            .firing((end + 11 * MINUTE + every, end + HOUR), OVERWRITTEN, 0),
        ]
    });
}

#[test]
fn govcloud_is_not_alarmed_for_mfa() {
    const MFA: &str = "alertname=\"AWSRootMFADisabled\"";
    check(|every| {
        // Row 9: the root row of a GovCloud account says no MFA, and of a password nothing.
        let of = |partition: &'static str| {
            move |now: u32| {
                let failed = one_in(now, every, 7 * MINUTE);
                let all = calm(now, 0.0, now).into_iter();
                let replaced = all.map(|(series, value)| {
                    let partition = format!("partition=\"{partition}\"");
                    (series.replace("partition=\"aws\"", &partition), value)
                });
                let mfa = of_account("aws_root_mfa_enabled", "", 0.0);
                (!failed).then(|| replaced.chain([mfa]).collect())
            }
        };
        vec![
            Course::new("GovCloud", every, vec![Replica::new("a", of("aws-us-gov"))]).firing(
                (0, 2 * HOUR),
                MFA,
                0,
            ),
            Course::new("elsewhere", every, vec![Replica::new("a", of("aws"))]).firing(
                (17 * MINUTE + 2 * every, 2 * HOUR),
                MFA,
                1,
            ),
        ]
    });
}

#[test]
fn the_accounts_of_an_organization_that_vanishes_are_missing() {
    check(|every| {
        // Row 10: two organizations in one job, each with its own exporter; the second's target
        // is gone from Prometheus' discovery at 100 minutes. It has a shard that the first has not.
        let first = move |now: u32| {
            let failed = now > 0 && one_in(now, every, 12 * MINUTE);
            let mut all = shard().to_vec();
            all.push(info("000000000001"));
            (!failed).then_some(all)
        };
        let second = |index: f64, account: &'static str| {
            move |now: u32| {
                let mut all = vec![
                    of_exporter("aws_root_exporter_shard_index", index),
                    of_exporter("aws_root_exporter_shard_total", 2.0),
                    info(account),
                ];
                all.push((
                    format!("aws_root_access_keys_active{{account=\"{account}\"}}"),
                    1.0,
                ));
                all.push((
                    format!(
                        "aws_root_access_keys_observed_timestamp_seconds{{account=\"{account}\"}}"
                    ),
                    f64::from(now),
                ));
                Some(all)
            }
        };
        let gone = 100 * MINUTE;
        let from = gone + 10 * MINUTE + 3 * every + 2 * EVALUATION;
        let replicas = |until: u32| {
            vec![
                Replica::new("a", first),
                Replica::new("b", second(0.0, "000000000002")).between(0, until),
                Replica::new("c", second(1.0, "000000000003")).between(0, until),
            ]
        };
        vec![
            Course::new("an organization vanishes", every, replicas(gone))
                .firing((0, gone), MISSING, 0)
                .firing((from, 210 * MINUTE), MISSING, 2)
                .firing((2 * every, 210 * MINUTE), KEY, 2),
            Course::new("both stay", every, replicas(u32::MAX)).firing((0, 3 * HOUR), MISSING, 0),
        ]
    });
}
