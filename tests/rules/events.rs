//! Alerts on events of root and on push, with scrapes every 15 s, 60 s and 2 minutes.

use crate::course::{Course, EVALUATION, Replica};
use crate::samples::{
    CREATED, HOUR, MINUTE, check, healthy, of_account, one_in, seconds_ago, shard, with,
};

const KEY_CREATED: &str = "alertname=\"AWSRootAccessKeyCreated\"";
const ACTIVITY: &str = "alertname=\"AWSRootActivity\"";
const TAMPERED: &str = "alertname=\"AWSRootPushTampered\"";
const PUSH_DOWN: &str = "alertname=\"AWSAccountPushDown\"";
const EVENTS_DOWN: &str = "alertname=\"AWSRootExporterEventsDown\"";

/// The alerts on something that happened, with how many of them fire for [`knows`].
const HAPPENED: [(&str, u32); 3] = [(KEY_CREATED, 2), (ACTIVITY, 1), (TAMPERED, 1)];

/// The sample that has the newest time of an event of root.
fn act(event: &str, at: f64) -> (String, f64) {
    let labels = format!("event=\"{event}\"");
    of_account("aws_root_activity_last_timestamp_seconds", &labels, at)
}

/// The samples of an exporter that knows of an event for each of these alerts, at one time.
fn knows(now: u32, at: f64) -> Vec<(String, f64)> {
    let tampered = "aws_account_push_tampered_timestamp_seconds";
    let mut all = healthy(now, 0.0, now);
    all.extend([
        act("CreateAccessKey", at),
        act("UpdateAccessKeyActive", at),
        act("PasswordUpdated", at),
        of_account(tampered, "", at),
    ]);
    all
}

/// Expects all of the alerts at each evaluation from one second to another.
fn all_fire(course: Course, seconds: (u32, u32)) -> Course {
    HAPPENED
        .into_iter()
        .fold(course, |course, (selector, count)| {
            course.firing(seconds, selector, count)
        })
}

/// Expects none of them, nor one that reads another metric of push.
fn none_fires(course: Course, seconds: (u32, u32)) -> Course {
    const ALL: &str = "alertname=~\"AWSRootAccessKeyCreated|AWSRootActivity|AWSRootPushTampered|AWSAccountPushDown|AWSRootExporterEventsDown|AWSRootEvidenceStale\"";
    course.firing(seconds, ALL, 0)
}

/// The samples of an exporter from before push.
fn older_version(now: u32) -> Vec<(String, f64)> {
    let mut all = healthy(now, 0.0, now);
    all.retain(|(series, _)| {
        let new = ["push_up", "poll_interval", "events_up"];
        !new.iter().any(|name| series.contains(name))
    });
    all
}

#[test]
fn an_event_fires_with_the_next_evaluation_and_outlasts_failed_scrapes_and_restarts() {
    check(|every| {
        // Scrapes fail now and then; for 10 minutes from 30 minutes on the exporter is down, and for
        // another 10 it has lost its state.
        let scrape = move |now: u32| match now {
            _ if one_in(now, every, 7 * MINUTE) => None,
            0..CREATED | 2_400..3_000 => Some(healthy(now, 0.0, now)),
            1_800..2_400 => None,
            _ => Some(knows(now, f64::from(CREATED) - 5.0)),
        };
        let course = Course::new("events", every, vec![Replica::new("a", scrape)]);
        let course = none_fires(course, (0, CREATED - EVALUATION));
        vec![all_fire(
            course,
            (CREATED + 2 * every + EVALUATION, CREATED + 58 * MINUTE),
        )]
    });
}

#[test]
fn old_events_of_a_new_version_are_quiet_and_times_in_the_future_fire() {
    check(|every| {
        // The exporter is replaced by one with push at 20 minutes.
        let upgraded = |name: &str, at: f64| {
            let scrape = move |now: u32| {
                let failed = now > 0 && one_in(now, every, 7 * MINUTE);
                let all = match now {
                    0..CREATED => older_version(now),
                    _ => knows(now, at),
                };
                (!failed).then_some(all)
            };
            Course::new(
                format!("events {name}"),
                every,
                vec![Replica::new("a", scrape)],
            )
        };
        let from = CREATED + 2 * every + EVALUATION;
        // The clock of Prometheus is 10 minutes behind, or something is very wrong.
        let ahead = upgraded("in 10 minutes", f64::from(CREATED + 10 * MINUTE));
        let wrong = upgraded("in many years", 4e9);
        let end = CREATED + HOUR + 4 * every + EVALUATION;
        vec![
            none_fires(upgraded("of long ago", -90_000.0), (0, HOUR)),
            none_fires(upgraded("without a time", -1e9), (0, HOUR)),
            all_fire(ahead, (from, from + 30 * MINUTE)),
            all_fire(wrong, (from, from + 30 * MINUTE)).firing(
                (end, end + 10 * MINUTE),
                ACTIVITY,
                0,
            ),
        ]
    });
}

#[test]
fn an_event_that_arrives_hours_late_is_reported() {
    check(|every| {
        let late = 130 * MINUTE;
        let scrape = move |now: u32| {
            Some(if now < late {
                healthy(now, 0.0, now)
            } else {
                knows(now, f64::from(HOUR))
            })
        };
        let course = Course::new("late events", every, vec![Replica::new("a", scrape)]);
        let course = none_fires(course, (late - 10 * MINUTE, late - EVALUATION));
        let ends = late + HOUR;
        vec![
            all_fire(course, (late + every + EVALUATION, ends - EVALUATION)).firing(
                (ends + 2 * every, ends + 10 * MINUTE),
                ACTIVITY,
                0,
            ),
        ]
    });
}

#[test]
fn one_alert_although_only_one_of_two_replicas_received_the_event() {
    check(|every| {
        // Both know of an event at 20 minutes, b does not know of the one at 100. Scrapes of a fail.
        let again = 100 * MINUTE;
        let first = move |now: u32| match now {
            _ if now > again && one_in(now, every, 8 * MINUTE) => None,
            0..CREATED => Some(healthy(now, 0.0, now)),
            CREATED..6_000 => Some(knows(now, f64::from(CREATED))),
            _ => Some(knows(now, f64::from(again))),
        };
        let second = |now: u32| match now {
            0..CREATED => Some(healthy(now, 0.0, now)),
            _ => Some(knows(now, f64::from(CREATED))),
        };
        let course = Course::new(
            "two replicas",
            every,
            vec![Replica::new("a", first), Replica::new("b", second)],
        );
        let ends = |at: u32| at + HOUR + 2 * every + EVALUATION;
        vec![
            all_fire(
                course,
                (CREATED + every + EVALUATION, CREATED + HOUR - EVALUATION),
            )
            .firing((ends(CREATED), again - EVALUATION), ACTIVITY, 0)
            .firing(
                (again + every + EVALUATION, again + HOUR - EVALUATION),
                ACTIVITY,
                1,
            )
            .firing((ends(again), ends(again) + 30 * MINUTE), ACTIVITY, 0)
            .firing((CREATED + every + EVALUATION, ends(again)), TAMPERED, 1),
        ]
    });
}

#[test]
fn events_end_when_the_account_leaves_and_fire_again_when_it_returns() {
    check(|every| {
        // It leaves at 35 minutes, the exporter restarts at 45 and no longer says so. Back at 60 minutes
        // there is a new event.
        let (left, back) = (35 * MINUTE, HOUR);
        let scrape = move |now: u32| match now {
            0..CREATED => Some(healthy(now, 0.0, now)),
            CREATED..2_100 => Some(knows(now, f64::from(CREATED))),
            2_100..HOUR => {
                let mut all = healthy(now, 0.0, now);
                all.retain(|(series, _)| !series.contains("111122223333"));
                if now < 45 * MINUTE {
                    all.push(of_account("aws_account_left", "reason=\"removed\"", 1.0));
                }
                Some(all)
            }
            _ => Some(knows(now, f64::from(back))),
        };
        let course = Course::new("the account leaves", every, vec![Replica::new("a", scrape)]);
        let course = all_fire(course, (CREATED + every + EVALUATION, left - EVALUATION));
        let course = none_fires(course, (left + every + EVALUATION, back - EVALUATION));
        vec![all_fire(
            course,
            (back + every + EVALUATION, back + 30 * MINUTE),
        )]
    });
}

#[test]
fn each_kind_of_event_has_an_alert_and_a_shard_that_takes_over_changes_nothing() {
    check(|every| {
        let first = move |now: u32| match now {
            0..CREATED => Some(healthy(now, 0.0, now)),
            CREATED..2_100 => {
                let mut all = knows(now, f64::from(CREATED));
                all.push(act("ConsoleLogin", f64::from(CREATED)));
                Some(all)
            }
            _ => Some(shard().to_vec()),
        };
        // The other one has the account from 40 minutes on, and has not received its events.
        let second = |now: u32| {
            Some(if now < 40 * MINUTE {
                shard().to_vec()
            } else {
                healthy(now, 0.0, now)
            })
        };
        let during = (CREATED + every + EVALUATION, CREATED + 58 * MINUTE);
        let kind = "alertname=\"AWSRootActivity\",event=\"ConsoleLogin\"";
        vec![
            Course::new(
                "kinds of events",
                every,
                vec![Replica::new("a", first), Replica::new("b", second)],
            )
            .firing(during, ACTIVITY, 2)
            .firing(during, kind, 1)
            .firing(during, KEY_CREATED, 2)
            .firing(during, TAMPERED, 1),
        ]
    });
}

/// Samples with push in this state.
fn push(now: u32, up: u8, queue: u8) -> Vec<(String, f64)> {
    with(
        healthy(now, 0.0, now),
        &[
            ("aws_account_push_up", Some(f64::from(up))),
            ("aws_root_exporter_events_up", Some(f64::from(queue))),
        ],
    )
}

#[test]
fn push_is_not_down_while_the_queue_is() {
    check(|every| {
        // After a restart push is not verified for a minute; then the queue cannot be read for two hours. When it can,
        // push is verified again within 4 minutes.
        let queue = move |now: u32| match now {
            _ if one_in(now, every, 14 * MINUTE) => None,
            1_140..1_200 | 8_400..8_640 => Some(push(now, 0, 1)),
            1_200..8_400 => Some(push(now, 0, 0)),
            _ => Some(push(now, 1, 1)),
        };
        // An account whose push is down stays so: the queue cannot be read from 60 to 120 minutes, and push works
        // again at 150.
        let account = |now: u32| match now {
            1_200..3_600 | 7_200..9_000 => Some(push(now, 0, 1)),
            3_600..7_200 => Some(push(now, 0, 0)),
            _ => Some(push(now, 1, 1)),
        };
        let down = CREATED + 15 * MINUTE + 2 * every + 2 * EVALUATION;
        let fires = CREATED + 30 * MINUTE + every + EVALUATION;
        vec![
            Course::new("the queue is down", every, vec![Replica::new("a", queue)])
                .firing((0, 4 * HOUR), PUSH_DOWN, 0)
                .firing((0, CREATED + 14 * MINUTE), EVENTS_DOWN, 0)
                .firing((down, 140 * MINUTE - EVALUATION), EVENTS_DOWN, 1)
                .firing((146 * MINUTE + 2 * every, 4 * HOUR), EVENTS_DOWN, 0),
            Course::new(
                "push is down, then the queue",
                every,
                vec![Replica::new("a", account)],
            )
            .firing((0, CREATED + 29 * MINUTE), PUSH_DOWN, 0)
            .firing((fires, 150 * MINUTE - EVALUATION), PUSH_DOWN, 1)
            .firing((156 * MINUTE + 2 * every, 3 * HOUR), PUSH_DOWN, 0),
        ]
    });
}

#[test]
fn the_queue_of_one_replica_excuses_only_that_replica() {
    check(|every| {
        let end = 90 * MINUTE;
        let replica = |name, up: u8, queue: u8| {
            Replica::new(name, move |now: u32| {
                Some(if now < CREATED {
                    push(now, 1, 1)
                } else {
                    push(now, up, queue)
                })
            })
        };
        let fires = (CREATED + 30 * MINUTE + every + EVALUATION, end);
        vec![
            Course::new(
                "one queue is down, the other works",
                every,
                vec![replica("a", 0, 0), replica("b", 1, 1)],
            )
            .firing((0, end), PUSH_DOWN, 0),
            Course::new(
                "one queue is down, push of the other too",
                every,
                vec![replica("a", 0, 0), replica("b", 0, 1)],
            )
            .firing(fires, PUSH_DOWN, 1),
            Course::new(
                "push of one replica",
                every,
                vec![replica("a", 0, 1), replica("b", 1, 1)],
            )
            .firing(fires, PUSH_DOWN, 1)
            .firing((0, end), EVENTS_DOWN, 0),
        ]
    });
}

#[test]
fn push_that_is_switched_off_is_reported_for_two_hours_at_most() {
    check(|every| {
        let scrape = move |now: u32| match now {
            0..CREATED => Some(older_version(now)),
            CREATED..4_800 => Some(push(now, 0, 1)),
            _ => Some(older_version(now)),
        };
        let off = 80 * MINUTE;
        vec![
            Course::new(
                "push is switched off",
                every,
                vec![Replica::new("a", scrape)],
            )
            .firing((0, CREATED + 29 * MINUTE), PUSH_DOWN, 0)
            .firing((off - 10 * MINUTE, off + 110 * MINUTE), PUSH_DOWN, 1)
            .firing((off + 2 * HOUR + 2 * every, off + 3 * HOUR), PUSH_DOWN, 0),
        ]
    });
}

/// Samples of an account that is polled at this interval, last some seconds ago.
fn polled(now: u32, interval: Option<u32>, ago: u32) -> Vec<(String, f64)> {
    let summary = "aws_account_last_success_timestamp_seconds{account=\"111122223333\",source=\"account_summary\"";
    with(
        healthy(now, 0.0, now),
        &[
            ("aws_account_poll_interval_seconds", interval.map(f64::from)),
            (summary, Some(seconds_ago(now, ago))),
        ],
    )
}

#[test]
fn evidence_is_stale_after_two_intervals_and_half_an_hour() {
    const STALE: &str = "alertname=\"AWSRootEvidenceStale\"";
    check(|every| {
        let of = |name: &str, interval: Option<u32>, ago: u32| {
            let scrape = move |now: u32| {
                let failed = now > 0 && one_in(now, every, 7 * MINUTE);
                (!failed).then(|| polled(now, interval, ago))
            };
            Course::new(
                format!("evidence, {name}"),
                every,
                vec![Replica::new("a", scrape)],
            )
        };
        let end = HOUR;
        let fires = (15 * MINUTE + 2 * every + 2 * EVALUATION, end);
        vec![
            // One poll of a relaxed account fails.
            of("relaxed", Some(900), 1_600).firing((0, end), STALE, 0),
            of("relaxed and stale", Some(900), 1_810).firing(fires, STALE, 1),
            of("not relaxed and stale", Some(60), 1_810).firing(fires, STALE, 1),
            of("of an older version", None, 1_810).firing(fires, STALE, 1),
            // `refresh.interval` itself is long.
            of("every 40 minutes", Some(2_400), 4_600).firing((0, end), STALE, 0),
            of("every 40 minutes and stale", Some(2_400), 4_810).firing(fires, STALE, 1),
        ]
    });
}
