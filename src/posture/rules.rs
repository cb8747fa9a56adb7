//! The rules, one test each. Times are seconds; a look is taken every 60.

use std::time::Duration;

use super::*;
use crate::evidence::{Counts, Listed, Summary};

const LIMITS: Limits = Limits {
    max_staleness: Duration::from_secs(36_000),
    max_live_staleness: Duration::from_secs(1_800),
};
const GAP: Duration = Duration::from_secs(30);
const HOUR: i64 = 3600;

fn at(seconds: i64) -> Stamp {
    Stamp::live(
        Timestamp::from_unix(seconds),
        Moment::from_millis(seconds * 1000),
    )
}

fn moment(seconds: i64) -> Moment {
    Moment::from_millis(seconds * 1000)
}

/// A report generated at `generated` that arrives at `now`.
fn report(generated: i64, now: i64, active: u8, present: u8) -> ReportFacts {
    ReportFacts {
        stamp: Stamp::dated(
            Timestamp::from_unix(generated),
            Timestamp::from_unix(now),
            moment(now),
        ),
        keys: Some(Counts { active, present }),
        certificates: Some(Counts::default()),
        mfa: Some(true),
        password: Some(true),
    }
}

/// A look at `now` whose summary counts so many keys.
fn summary(now: i64, keys: u8) -> Look {
    Look {
        stamp: at(now),
        summary: Some(Summary {
            keys: Some(keys),
            certificates: Some(0),
            mfa: Some(true),
            password: Some(true),
        }),
        listed: None,
    }
}

/// A look at `now` by a root session that lists so many keys.
fn session(now: i64, active: u8, present: u8) -> Look {
    Look {
        stamp: at(now),
        summary: None,
        listed: Some(Listed {
            keys: Some(Counts { active, present }),
            ..Listed::default()
        }),
    }
}

/// An account whose cold start is over.
fn record() -> Record {
    let mut record = Record::new(Awaited::default());
    record.settle(moment(0));
    record
}

/// Active and present, as shown at `now`.
fn keys(record: &Record, now: i64) -> (Option<u8>, Option<u8>) {
    let posture = record.posture(LIMITS);
    let value = |figure: Option<Figure>| figure.and_then(|figure| figure.at(moment(now)));
    (value(posture.keys_active), value(posture.keys_present))
}

fn known(active: u8, present: u8) -> (Option<u8>, Option<u8>) {
    (Some(active), Some(present))
}

const UNKNOWN: (Option<u8>, Option<u8>) = (None, None);

fn evidence(record: &Record) -> (Source, i64) {
    let figure = record.posture(LIMITS).keys_active.unwrap();
    (figure.source, figure.observed.unix())
}

#[test]
fn nothing_learnt_is_no_sample() {
    assert_eq!(record().posture(LIMITS), Posture::default());
}

#[test]
fn a_report_alone_speaks_for_itself() {
    for (active, present) in [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)] {
        let mut record = record();
        assert_eq!(
            record.report_arrived(report(0, HOUR, active, present)),
            Demand::Nothing
        );
        assert_eq!(keys(&record, HOUR), known(active, present));
        assert_eq!(evidence(&record), (Source::CredentialReport, 0));
    }
}

#[test]
fn a_summary_alone_tells_none_from_some() {
    for (seen, shown) in [(0, known(0, 0)), (1, known(1, 1)), (2, known(1, 1))] {
        let mut record = record();
        record.look_arrived(summary(60, seen), GAP);
        assert_eq!(keys(&record, 60), shown);
        assert_eq!(evidence(&record), (Source::AccountSummary, 60));
    }
}

#[test]
fn a_summary_without_the_entry_leaves_the_word_to_the_report() {
    let mut record = record();
    let _ = record.report_arrived(report(0, 10, 1, 1));
    let mut look = summary(60, 0);
    look.summary = Some(Summary::default());
    record.look_arrived(look, GAP);
    assert_eq!(keys(&record, 60), known(1, 1));
}

#[test]
fn a_key_beyond_those_the_report_explains_was_created_since_and_is_active() {
    let table = [
        // report: active, present; summary; shown: active, present
        ((0, 0), 1, known(1, 1)),
        ((0, 1), 1, known(0, 1)),
        ((1, 1), 1, known(1, 1)),
        ((0, 1), 2, known(1, 2)),
        ((0, 2), 1, known(0, 2)),
        ((1, 2), 2, known(1, 2)),
        ((0, 0), 2, known(2, 2)),
        ((0, 0), 9, known(2, 2)),
    ];
    for ((active, present), seen, shown) in table {
        let mut record = record();
        let _ = record.report_arrived(report(0, 10, active, present));
        record.look_arrived(summary(60, seen), GAP);
        assert_eq!(
            keys(&record, 60),
            shown,
            "report {active}/{present}, summary {seen}"
        );
    }
}

#[test]
fn a_removed_key_takes_two_looks_an_interval_apart() {
    let mut record = record();
    let _ = record.report_arrived(report(0, 10, 1, 1));
    record.look_arrived(summary(60, 0), GAP);
    assert_eq!(keys(&record, 60), known(1, 1), "after one look");
    record.look_arrived(summary(61, 0), GAP);
    assert_eq!(keys(&record, 61), known(1, 1), "after two at the same time");
    record.look_arrived(summary(120, 0), GAP);
    assert_eq!(keys(&record, 120), known(0, 0));
    assert_eq!(evidence(&record), (Source::AccountSummary, 120));
}

#[test]
fn a_look_that_fails_in_between_does_not_break_the_row_and_one_that_says_some_does() {
    let mut failing = record();
    let _ = failing.report_arrived(report(0, 10, 1, 1));
    failing.look_arrived(summary(60, 0), GAP);
    failing.look_failed();
    failing.look_arrived(summary(180, 0), GAP);
    assert_eq!(keys(&failing, 180), known(0, 0));

    let mut flapping = record();
    let _ = flapping.report_arrived(report(0, 10, 1, 1));
    for (now, seen) in [(60, 0), (120, 1), (180, 0)] {
        flapping.look_arrived(summary(now, seen), GAP);
        assert_eq!(keys(&flapping, now), known(1, 1));
    }
}

#[test]
fn an_old_report_that_comes_after_a_lone_look_still_needs_a_second_look() {
    let mut record = record();
    record.look_arrived(summary(60, 0), GAP);
    let _ = record.report_arrived(report(0, 61, 1, 1));
    assert_eq!(keys(&record, 61), known(1, 1));
    record.look_arrived(summary(120, 0), GAP);
    assert_eq!(keys(&record, 120), known(0, 0));
}

#[test]
fn a_report_just_after_a_look_that_said_none_waits_for_another_look() {
    let held_back = || {
        let mut record = record();
        record.look_arrived(summary(60, 0), GAP);
        record.look_arrived(summary(120, 0), GAP);
        assert_eq!(
            record.report_arrived(report(130, 131, 1, 1)),
            Demand::LookAtOnce
        );
        assert_eq!(keys(&record, 131), known(0, 0), "before the look");
        record
    };
    let mut none = held_back();
    none.look_arrived(summary(131, 0), GAP);
    assert_eq!(
        keys(&none, 131),
        known(0, 0),
        "the report's content was old"
    );
    none.look_arrived(summary(180, 0), GAP);
    assert_eq!(keys(&none, 180), known(0, 0));

    let mut some = held_back();
    some.look_arrived(summary(131, 1), GAP);
    assert_eq!(keys(&some, 131), known(1, 1));

    let mut failed = held_back();
    failed.look_failed();
    assert_eq!(keys(&failed, 131), known(1, 1));
    assert_eq!(evidence(&failed), (Source::CredentialReport, 130));
    failed.look_arrived(summary(180, 0), GAP);
    assert_eq!(keys(&failed, 180), known(1, 1), "lowering takes two looks");
    failed.look_arrived(summary(240, 0), GAP);
    assert_eq!(keys(&failed, 240), known(0, 0));
}

#[test]
fn a_look_in_the_second_of_the_report_answers_it() {
    let mut record = record();
    record.look_arrived(summary(100, 0), GAP);
    assert_eq!(
        record.report_arrived(report(100, 100, 1, 1)),
        Demand::LookAtOnce
    );
    record.look_arrived(summary(100, 0), GAP);
    assert_eq!(keys(&record, 100), known(0, 0));
}

#[test]
fn a_report_much_later_than_the_look_speaks_alone() {
    let blur = 15 * 60;
    for (seen, active, present) in [(0, 1, 1), (1, 0, 0), (1, 0, 1)] {
        let mut record = record();
        record.look_arrived(summary(0, seen), GAP);
        record.look_failed();
        let later = blur + 1;
        assert_eq!(
            record.report_arrived(report(later, later, active, present)),
            Demand::Nothing
        );
        assert_eq!(keys(&record, later), known(active, present));
    }
}

#[test]
fn within_the_quarter_of_an_hour_a_report_lowers_nothing_a_look_said() {
    let mut record = record();
    let _ = record.report_arrived(report(0, 10, 0, 0));
    record.look_arrived(summary(60, 1), GAP);
    let _ = record.report_arrived(report(600, 600, 0, 0));
    assert_eq!(keys(&record, 600), known(1, 1));
}

#[test]
fn a_later_report_that_knows_fewer_does_not_turn_an_inactive_key_active() {
    let mut record = record();
    let _ = record.report_arrived(report(0, 10, 0, 1));
    record.look_arrived(summary(60, 1), GAP);
    assert_eq!(keys(&record, 60), known(0, 1));
    // The inactive key was deleted, a report was made, and the next look is not yet due.
    let _ = record.report_arrived(report(90, 91, 0, 0));
    assert_eq!(keys(&record, 91), known(0, 1));
}

#[test]
fn a_later_report_tells_that_a_key_was_deactivated() {
    let mut record = record();
    let _ = record.report_arrived(report(0, 10, 0, 0));
    record.look_arrived(summary(60, 1), GAP);
    assert_eq!(keys(&record, 60), known(1, 1));
    let _ = record.report_arrived(report(90, 91, 0, 1));
    assert_eq!(keys(&record, 91), known(0, 1));
}

#[test]
fn a_root_session_knows_active_from_inactive_at_once() {
    let mut record = record();
    let _ = record.report_arrived(report(0, 10, 1, 1));
    record.look_arrived(session(60, 0, 1), GAP);
    assert_eq!(keys(&record, 60), known(0, 1));
    assert_eq!(evidence(&record), (Source::RootSession, 60));
    record.look_arrived(session(120, 1, 2), GAP);
    assert_eq!(keys(&record, 120), known(1, 2));
}

#[test]
fn the_summary_may_know_more_than_the_list() {
    let mut record = record();
    let look = Look {
        summary: summary(60, 1).summary,
        ..session(60, 0, 0)
    };
    record.look_arrived(look, GAP);
    assert_eq!(keys(&record, 60), known(1, 1), "none only if all say none");
}

#[test]
fn a_key_that_is_deleted_between_the_summary_and_the_list_is_none_that_was_created() {
    // Listed before; listed now, and gone; the summary; shown.
    let table = [
        ((0, 1), (0, 0), (0, 1), 1, known(0, 1)),
        ((1, 1), (0, 0), (1, 1), 1, known(1, 1)),
        ((1, 2), (1, 1), (0, 1), 2, known(1, 2)),
        ((0, 1), (1, 1), (0, 1), 2, known(1, 2)),
        ((0, 1), (0, 0), (0, 1), 2, known(1, 2)),
        ((0, 1), (0, 1), (0, 0), 2, known(1, 2)),
    ];
    for (before, now, gone, seen, shown) in table {
        let mut record = record();
        record.look_arrived(session(60, before.0, before.1), GAP);
        let mut look = session(120, now.0, now.1);
        look.summary = summary(120, seen).summary;
        if let Some(listed) = &mut look.listed {
            listed.keys_gone = Counts {
                active: gone.0,
                present: gone.1,
            };
        }
        record.look_arrived(look, GAP);
        assert_eq!(keys(&record, 120), shown, "{before:?}, {now:?}, {seen}");
    }
}

#[test]
fn what_two_looks_agreed_is_gone_explains_no_key_that_comes_later() {
    let mut record = record();
    let _ = record.report_arrived(report(0, 10, 0, 1));
    for (now, seen, shown) in [
        (60, 1, known(0, 1)),
        (120, 0, known(0, 1)),
        (180, 0, known(0, 0)),
        (240, 1, known(1, 1)),
    ] {
        record.look_arrived(summary(now, seen), GAP);
        assert_eq!(keys(&record, now), shown, "at {now}");
    }
    // A report of after that knows of the key what a summary cannot.
    let _ = record.report_arrived(report(300, 301, 0, 1));
    assert_eq!(keys(&record, 301), known(0, 1));
}

#[test]
fn a_look_in_the_second_of_a_report_that_is_there_sees_what_was_created_since() {
    let mut record = record();
    let _ = record.report_arrived(report(100, 100, 0, 1));
    record.look_arrived(summary(100, 2), GAP);
    assert_eq!(keys(&record, 100), known(1, 2));
}

#[test]
fn a_doubted_look_brings_no_list_with_it() {
    let mut record = record();
    record.look_arrived(session(60, 0, 1), GAP);
    record.look_arrived(session(120, 0, 0), GAP);
    assert_eq!(keys(&record, 120), known(0, 1));
    record.look_arrived(session(180, 0, 0), GAP);
    assert_eq!(keys(&record, 180), known(0, 0));
}

#[test]
fn a_cold_start_waits_until_each_source_has_answered_or_failed() {
    let awaited = Awaited {
        report: true,
        look: true,
    };
    let mut record = Record::new(awaited);
    record.look_arrived(summary(1, 1), GAP);
    record.settle(moment(1));
    assert_eq!(keys(&record, 1), UNKNOWN);
    let _ = record.report_arrived(report(0, 2, 0, 1));
    record.settle(moment(2));
    assert_eq!(keys(&record, 2), known(0, 1));

    let mut failing = Record::new(awaited);
    failing.look_arrived(summary(1, 1), GAP);
    failing.report_failed();
    failing.settle(moment(2));
    assert_eq!(keys(&failing, 2), known(1, 1));
}

#[test]
fn a_cold_start_waits_two_minutes_for_the_report_that_would_explain_a_key() {
    let mut record = Record::new(Awaited {
        report: true,
        look: true,
    });
    record.report_started(moment(1));
    record.look_arrived(summary(1, 1), GAP);
    record.settle(moment(120));
    assert_eq!(keys(&record, 120), UNKNOWN);
    record.settle(moment(121));
    assert_eq!(keys(&record, 121), known(1, 1));

    let mut clean = Record::new(Awaited {
        report: true,
        look: true,
    });
    clean.report_started(moment(1));
    clean.look_arrived(summary(1, 0), GAP);
    clean.settle(moment(1));
    assert_eq!(keys(&clean, 1), known(0, 0), "nothing to explain");
}

#[test]
fn once_anything_was_shown_a_new_key_waits_for_no_report() {
    let mut record = Record::new(Awaited {
        report: true,
        look: true,
    });
    record.report_started(moment(1));
    record.look_arrived(summary(1, 0), GAP);
    record.settle(moment(1));
    record.look_arrived(summary(61, 1), GAP);
    record.settle(moment(61));
    assert_eq!(keys(&record, 61), known(1, 1));
}

#[test]
fn a_zero_is_withdrawn_at_ten_hours_and_a_one_is_not() {
    for (present, shown) in [(0, UNKNOWN), (1, known(1, 1))] {
        let mut record = record();
        let _ = record.report_arrived(report(0, HOUR, present, present));
        assert_ne!(keys(&record, 10 * HOUR - 1), UNKNOWN);
        assert_eq!(keys(&record, 10 * HOUR), shown);
    }
}

#[test]
fn a_zero_of_an_account_whose_looks_stopped_lives_for_thirty_minutes() {
    let mut record = record();
    let _ = record.report_arrived(report(0, 10, 0, 0));
    record.look_arrived(summary(60, 0), GAP);
    record.look_failed();
    assert_eq!(keys(&record, 60 + 1_799), known(0, 0));
    assert_eq!(keys(&record, 60 + 1_800), UNKNOWN);
    // A report generated since supports it again.
    let _ = record.report_arrived(report(2_000, 2_001, 0, 0));
    assert_eq!(keys(&record, 9 * HOUR), known(0, 0));
}

#[test]
fn the_zero_beside_an_inactive_key_rests_on_the_report_and_goes_with_it() {
    let mut record = record();
    let _ = record.report_arrived(report(0, 10, 0, 1));
    for now in (60..=10 * HOUR).step_by(60) {
        record.look_arrived(summary(now, 1), GAP);
    }
    let now = 10 * HOUR;
    assert_eq!(keys(&record, now), (None, Some(1)));
    assert_eq!(evidence(&record), (Source::CredentialReport, 0));
}

#[test]
fn mfa_takes_the_newest_source_and_a_report_only_when_clearly_later() {
    let mfa = |record: &Record, now| {
        record
            .posture(LIMITS)
            .mfa_enabled
            .and_then(|figure| figure.at(moment(now)))
    };
    let off = |mut report: ReportFacts| {
        report.mfa = Some(false);
        report
    };
    let mut record = record();
    let _ = record.report_arrived(off(report(0, 10, 0, 0)));
    assert_eq!(mfa(&record, 10), Some(0));
    record.look_arrived(summary(60, 0), GAP);
    assert_eq!(mfa(&record, 60), Some(1));
    let _ = record.report_arrived(off(report(600, 600, 0, 0)));
    assert_eq!(mfa(&record, 600), Some(1), "hardly later");
    let _ = record.report_arrived(off(report(1_000, 1_000, 0, 0)));
    assert_eq!(mfa(&record, 1_000), Some(0));
    assert_eq!(mfa(&record, 100 * HOUR), Some(0), "off never expires");
}

#[test]
fn mfa_that_is_on_expires_and_a_password_does_not() {
    let mut record = record();
    record.look_arrived(summary(60, 0), GAP);
    let posture = record.posture(LIMITS);
    let late = moment(60 + 1_800);
    assert_eq!(posture.mfa_enabled.unwrap().at(late), None);
    assert_eq!(posture.password_enabled.unwrap().at(late), Some(1));
}

#[test]
fn a_report_from_the_future_does_not_keep_out_the_true_ones() {
    let mut record = record();
    let mut future = report(0, 10, 0, 0);
    future.stamp.at = Timestamp::from_unix(1_000_000);
    let _ = record.report_arrived(future);
    let _ = record.report_arrived(report(100, 101, 1, 1));
    assert_eq!(keys(&record, 101), known(1, 1));

    let mut looked = self::record();
    let _ = looked.report_arrived(future);
    looked.look_arrived(summary(200, 1), GAP);
    assert_eq!(
        keys(&looked, 200),
        known(1, 1),
        "it is not taken as later than the look"
    );
}

#[test]
fn a_look_from_the_future_does_not_keep_out_the_report_that_follows() {
    let mut record = record();
    for now in [60, 120] {
        let mut look = summary(now, 0);
        look.stamp.at = Timestamp::from_unix(1_000_000);
        record.look_arrived(look, GAP);
    }
    record.look_failed();
    let _ = record.report_arrived(report(2_000, 2_001, 1, 1));
    assert_eq!(keys(&record, 2_001), known(1, 1));
}

#[test]
fn an_older_report_is_let_go() {
    let mut record = record();
    let _ = record.report_arrived(report(100, 101, 1, 1));
    let _ = record.report_arrived(report(50, 102, 0, 0));
    assert_eq!(keys(&record, 102), known(1, 1));
}

#[test]
fn ages_go_on_over_a_restart_and_never_below_zero() {
    let mut record = record();
    record.look_arrived(summary(60, 0), GAP);
    // The next process's clock starts at 0, ten minutes later by the wall.
    record.rebase(-(60 + 600) * 1000);
    assert_eq!(keys(&record, 0), known(0, 0));
    assert_eq!(keys(&record, 1_199), known(0, 0));
    assert_eq!(keys(&record, 1_200), UNKNOWN);
}

#[test]
fn certificates_follow_the_same_rules() {
    let certificates =
        |record: &Record| record.posture(LIMITS).certificates_active.map(|f| f.value);
    let look = |now, some| {
        let mut look = summary(now, 0);
        look.summary = Some(Summary {
            certificates: Some(some),
            ..Summary::default()
        });
        look
    };
    let mut record = record();
    let _ = record.report_arrived(report(0, 10, 0, 0));
    assert_eq!(certificates(&record), Some(0));
    record.look_arrived(look(60, 1), GAP);
    assert_eq!(certificates(&record), Some(1));
    record.look_arrived(look(120, 0), GAP);
    assert_eq!(certificates(&record), Some(1));
    record.look_arrived(look(180, 0), GAP);
    assert_eq!(certificates(&record), Some(0));
}

#[test]
fn worse_means_more_keys_or_mfa_gone() {
    let figure = |value| {
        Some(Figure {
            value,
            source: Source::AccountSummary,
            observed: Timestamp::default(),
            fine_until: None,
        })
    };
    let posture = |keys, mfa| Posture {
        keys_active: figure(keys),
        mfa_enabled: figure(mfa),
        ..Posture::default()
    };
    assert!(posture(1, 1).is_worse_than(&posture(0, 1)));
    assert!(posture(1, 1).is_worse_than(&Posture::default()));
    assert!(posture(0, 0).is_worse_than(&posture(0, 1)));
    assert!(!posture(0, 1).is_worse_than(&Posture::default()));
    assert!(!posture(0, 1).is_worse_than(&posture(1, 0)));
}
