//! Two replicas that differ, with scrapes every 15 s, 60 s and 2 minutes: the newer observation decides,
//! and a replica that cannot poll any more neither silences an alert nor prolongs one.

use crate::course::{Course, EVALUATION, Replica, Scrape};
use crate::samples::{CREATED, HOUR, KEY, MINUTE, check, healthy, keys, of_account, one_in};

/// A replica that has not been able to poll since this second.
fn stuck(since: u32, count: u8) -> impl Fn(u32) -> Scrape {
    move |now| keys(now, if now < since { 0 } else { count }, now.min(since))
}

#[test]
fn an_older_zero_of_a_stuck_replica_does_not_resolve_the_page() {
    check(|every| {
        // a sees the key at 20 minutes and dies at 40; b cannot poll since 10.
        let dies = |now: u32| match now {
            0..CREATED => keys(now, 0, now),
            CREATED..2_400 => keys(now, 1, now),
            _ => None,
        };
        // b can poll again at 120 minutes, when the key is gone.
        let recovers = |now: u32| match now {
            0..7_200 => stuck(10 * MINUTE, 0)(now),
            _ => keys(now, 0, now),
        };
        // The opposite: b's first zero after a's death is newer than a's key.
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
fn an_older_key_of_a_stuck_replica_does_not_page_for_ever() {
    check(|every| {
        // Both see the key; b cannot poll since 30 minutes, and a sees the key deleted at 40. When a
        // scrape of a fails, b's old key must not fire again.
        let sees_deletion = move |now: u32| match now {
            0..CREATED => keys(now, 0, now),
            CREATED..2_400 => keys(now, 1, now),
            _ if one_in(now, every, 30 * MINUTE) => None,
            _ => keys(now, 0, now),
        };
        let gets_stuck = |now: u32| match now {
            0..CREATED => keys(now, 0, now),
            _ => keys(now, 1, now.min(30 * MINUTE)),
        };
        // A new key that a sees pages again.
        let again = move |now: u32| match now {
            0..108_000 => sees_deletion(now),
            _ => keys(now, 1, now),
        };
        // The opposite: b can poll, and sees the deletion two minutes later than a. The page
        // lasts until both agree.
        let later = |now: u32| match now {
            0..CREATED => keys(now, 0, now),
            CREATED..2_520 => keys(now, 1, now),
            _ => keys(now, 0, now),
        };
        let from = CREATED + 2 * every;
        let mut courses = vec![
            Course::new(
                "a key is deleted, both replicas poll",
                every,
                vec![Replica::new("a", sees_deletion), Replica::new("b", later)],
            )
            .firing((from, 42 * MINUTE - EVALUATION), KEY, 1)
            .firing((43 * MINUTE + 2 * every, 100 * MINUTE), KEY, 0),
        ];
        let long = |end: u32| {
            Course::new(
                "a key was deleted, one replica is stuck",
                every,
                vec![Replica::new("a", again), Replica::new("b", gets_stuck)],
            )
            .firing((from, 40 * MINUTE - EVALUATION), KEY, 1)
            .firing((46 * MINUTE + 2 * every, 120 * MINUTE), KEY, 0)
            .firing((end - 20 * MINUTE, end - EVALUATION), KEY, 0)
        };
        // 30 hours take promtool long, so they are tested at one interval only.
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
fn a_page_outlasts_a_failed_scrape_while_the_other_replica_lags() {
    check(|every| {
        // b polls 10 minutes after a. In between scrapes of a fail.
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
                "one page and one resolution",
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
fn the_replica_with_the_newest_success_decides_about_mfa() {
    const MFA: &str = "alertname=\"AWSRootMFADisabled\"";
    #[expect(
        clippy::unnecessary_wraps,
        reason = "the result of a scrape, which can fail"
    )]
    fn mfa(now: u32, enabled: u8, polled: u32) -> Scrape {
        let mut all = healthy(now, 0.0, now);
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
        let stuck_enabled = |now: u32| mfa(now, 1, now.min(10 * MINUTE));
        let stuck_disabled = |now: u32| mfa(now, 0, now.min(10 * MINUTE));
        let polls = |now: u32| mfa(now, 1, now);
        vec![
            Course::new(
                "MFA is off, seen by a replica that died",
                every,
                vec![Replica::new("a", dies), Replica::new("b", stuck_enabled)],
            )
            .firing((36 * MINUTE + 2 * every, 2 * HOUR), MFA, 1),
            Course::new(
                "MFA is on, one replica is stuck",
                every,
                vec![Replica::new("a", stuck_disabled), Replica::new("b", polls)],
            )
            .firing((30 * MINUTE, 2 * HOUR), MFA, 0),
        ]
    });
}
