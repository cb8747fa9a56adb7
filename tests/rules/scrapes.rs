//! Unusual scrapes, every 15 s, 60 s and 2 minutes: targets that are down most of the time, accounts and
//! exporters that leave, and labels that Prometheus changed.

use crate::course::{Course, EVALUATION, Replica};
use crate::samples::{
    CREATED, HOUR, KEY, MINUTE, check, healthy, info, keys, of_account, of_exporter, one_in, shard,
};

const DOWN: &str = "alertname=\"AWSRootExporterDown\"";

#[test]
fn a_target_that_is_down_most_of_the_time_fires() {
    check(|every| {
        // One minute of five; with long intervals one scrape of five.
        let minute = every.max(MINUTE);
        let mostly_down = move |now: u32| {
            let up = now < 10 * MINUTE || now % (5 * minute) < minute || now >= 200 * MINUTE;
            up.then(|| healthy(now, 0.0, now))
        };
        let now_and_then =
            move |now: u32| (!one_in(now, every, 4 * every)).then(|| healthy(now, 0.0, now));
        let unbroken = move |now: u32| {
            let down = (20 * MINUTE..40 * MINUTE).contains(&now);
            (!down).then(|| healthy(now, 0.0, now))
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

const MISSING: &str = "alertname=\"AWSAccountsMissing\"";

#[test]
fn an_account_that_left_is_not_missing_after_a_restart() {
    check(|every| {
        // It leaves at 70 minutes; the exporter restarts at 100, and no longer reports that it left.
        let restarts = |now: u32| {
            let mut all = healthy(now, 0.0, now);
            if now >= 70 * MINUTE {
                all.retain(|(series, _)| !series.contains("111122223333"));
                if now < 100 * MINUTE {
                    all.push(of_account("aws_account_left", "reason=\"closed\"", 1.0));
                }
            }
            Some(all)
        };
        // The opposite: it left and came back long before it goes missing.
        let returns = |now: u32| {
            let mut all = healthy(now, 0.0, now);
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
    // As Prometheus labels samples without `honor_labels` if the target has a label `account`.
    fn overwritten(now: u32) -> Vec<(String, f64)> {
        let labels = "account=\"monitoring\",exported_account=";
        let all = healthy(now, 0.0, now).into_iter();
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
fn a_govcloud_root_user_needs_no_mfa() {
    const MFA: &str = "alertname=\"AWSRootMFADisabled\"";
    check(|every| {
        // The report of a GovCloud account has no MFA for root, and no value for the password.
        let of = |partition: &'static str| {
            move |now: u32| {
                let failed = one_in(now, every, 7 * MINUTE);
                let all = healthy(now, 0.0, now).into_iter();
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
fn accounts_are_missing_when_the_exporter_of_their_organization_is_removed() {
    check(|every| {
        // Two organizations in one job, each with its own exporter. The targets of the second, one of
        // them a shard that the first does not have, are removed at 100 minutes.
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
            Course::new("an organization is removed", every, replicas(gone))
                .firing((0, gone), MISSING, 0)
                .firing((from, 210 * MINUTE), MISSING, 2)
                .firing((2 * every, 210 * MINUTE), KEY, 2),
            Course::new("both stay", every, replicas(u32::MAX)).firing((0, 3 * HOUR), MISSING, 0),
        ]
    });
}
