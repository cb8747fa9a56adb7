//! Reports, and live sources that contradict them: rules 2, 4 and 5.

use root_posture::report::parse;
use root_posture::{
    Answer, Evidence, LiveSource, Moment, Partition, Posture, Record, ReportClaim, RootKey, Source,
    Timestamp, Topic, Topics, Values, judge,
};

use crate::notation::{LIMITS, Machine, counted, token};

#[test]
fn a_report_lowers_the_value_of_a_live_source_only_when_clearly_later() {
    counted(&[
        (
            "hardly later, and the live sources fail",
            "S1 K1/1 = 1 | S1 K1/1 = 1 | Sx Kx = 1 | @900 R0/0~10 = 1",
        ),
        (
            "clearly later",
            "S1 K1/1 = 1 | S1 K1/1 = 1 | Sx Kx = 1 | @1000 R0/0~10 = 0 | S0 K0/0 = 0 | Sx Kx = 0",
        ),
        (
            "16 minutes after a failure",
            "K1/1 = 1 | Kx = 1 | @960 R0/0~0 = 0",
        ),
        (
            "one millisecond's worth of margin",
            "K1/1 = 1 | Kx = 1 | @901 R0/0~1 = 1 | @902 R0/0~1 = 0",
        ),
        (
            "the list comes back after it",
            "K1/1 = 1 | K1/1 = 1 | Kx = 1 | @5000 R0/0~10 = 0 | @5060 K0/0 = 0",
        ),
        (
            "a new key is still new after a report that does not know it",
            "R0/0 = 0 | S1 = 1 | @91 R0/0 = 1 | @120 S1 = 1 | @300 R1/0 = 0",
        ),
        (
            "a report dated in the future is as old as its receipt",
            "R0/0~0 = 0 | S1 = 1 | S1 = 1",
        ),
        (
            "a report lowers a report",
            "R2/2 = 2/2 | @4h R1/1 = 1/1 | @8h R1/0 = 1/0 | @12h R0/0 = 0/0",
        ),
    ]);
}

#[test]
fn a_report_counts_until_two_later_answers_refute_it() {
    counted(&[
        (
            "both nones must be later",
            "R1/1 = 1 | S1 = 1 | S0 = 1 | @130 R1/1 = 1 | @180 S0 = 1 | @240 S0 = 0",
        ),
        (
            "two hours of failures do not make the first none a second",
            "R1/1 = 1 | S1 = 1 | S0 = 1 | Sx = 1 | @7300 R1/1~10 = 1 | @7320 S0 = 1 | @7380 S0 = 0",
        ),
        (
            "refuted, and never back",
            "R1/1 = 1 | S0 = 1 | S0 = 0 | Sx = 0 | @1919 Sx = 0 | @1921 Sx = ? | @9000 S0 = 0",
        ),
        (
            "a status is refuted as well",
            "R1/1 = 1 | S1 K1/0 = 1 | S1 K1/0 = 0 | S1 Kx = 0 | @1000 S1 = 0",
        ),
        (
            "the list refutes the report, the summary stays above it",
            "R1/1 = 1 | K0/0 S1 = 1 | K0/0 S1 = 1 | K0/0 S0 = 1 | K0/0 S0 = 0",
        ),
    ]);
}

#[test]
fn a_report_is_held_while_a_live_source_that_confirmed_less_still_answers() {
    counted(&[
        (
            "the list fails before it, and outvotes no source",
            "K1/0 = 0 | K1/0 = 0 | Kx = 0 | @142 R1/1~2 = 1",
        ),
        (
            "as before, with a summary beside it",
            "S1 K1/0 = 0 | S1 K1/0 = 0 | S1 Kx = 0 | @142 R1/1~2 = 1 | S1 Kx = 1 | S1 Kx = 1 | @20000 Kx = 1",
        ),
        (
            "the list goes on saying inactive",
            "K1/0 = 0 | K1/0 = 0 | @82 R1/1 = 0 | @120 K1/0 = 0 | K1/0 = 0 | Kx = 0",
        ),
        (
            "the list says so once more, then fails",
            "K1/0 = 0 | K1/0 = 0 | @82 R1/1 = 0 | @120 K1/0 = 0 | Kx = 1",
        ),
        (
            "the attempt after the report fails",
            "S1 K1/0 = 0 | S1 K1/0 = 0 | @82 R1/1~2 = 0 | @83 S1 Kx = 1 | @143 S1 K1/0 = 1 | @203 S1 K1/0 = 0",
        ),
        (
            "the list agrees with it",
            "K1/0 = 0 | K1/0 = 0 | @82 R1/1 = 0 | @120 K1/1 = 1",
        ),
        (
            "the summary fails, and answers again",
            "S0 = 0 | S0 = 0 | @70 R1/1 = 0 | @71 Sx = 1 | @120 S0 = 1 | @180 S0 = 0",
        ),
        (
            "the summary goes on saying none",
            "S0 = 0 | S0 = 0 | @70 R1/1 = 0 | @71 S0 = 0 | @120 S0 = 0 | @180 S0 = 0 | @240 Sx = 0 | S1 = 1",
        ),
        (
            "refuted before the summary fails",
            "S0 = 0 | S0 = 0 | @90 R1/1 = 0 | @120 S0 = 0 | @180 S0 = 0 | Sx = 0",
        ),
        (
            "the summary agrees with it",
            "S0 = 0 | S0 = 0 | @70 R1/1 = 0 | @71 S1 = 1",
        ),
        (
            "a hold ends after four intervals, whatever happens",
            "K1/0 = 0 | K1/0 = 0 | @82 R1/1 = 0 | @321 . = 0 | @322 . = 1",
        ),
        (
            "an answer that was not confirmed before holds nothing",
            "K1/0 = 0 | @42 R1/1 = 1",
        ),
        (
            "an answer of 16 minutes before holds nothing",
            "K1/0 = 0 | K1/0 = 0 | @1022 R1/1 = 1",
        ),
        (
            "while it is held, the one before counts as far as it agrees",
            "R2/1 = 1 | K1/0 = 1 | K1/0 = 0 | @130 R2/2 = 0 | Kx = 2",
        ),
    ]);
}

/// The older report counts once its own hold is over, which is when to judge again.
#[test]
fn of_two_held_reports_the_older_decides_when_to_judge_again() {
    let mut machine = Machine {
        record: Record::default(),
        shift: 0,
        topic: Topic::Keys,
    };
    for (at, said) in [(0, "K0/0"), (60, "K0/0"), (61, "R1/1"), (160, "R1/1")] {
        machine.take(token(said), at);
    }
    let judged = |at| judge(&machine.record, machine.moment(at), &LIMITS);
    let review_at = |at| judged(at).review_at;
    assert_eq!(review_at(160), Some(machine.moment(301)));
    assert_eq!(review_at(301), Some(machine.moment(400)));
    let active = |at| judged(at).keys_active.map(|metric| metric.value);
    assert_eq!([active(300), active(301)], [Some(0), Some(1)]);
}

/// A report of a root user without access keys, with those words in the last column.
fn report_with_words(words: &str) -> Values {
    let text = format!(
        "user,arn,password_enabled,mfa_active,access_key_1_active,access_key_1_last_rotated,\
         access_key_2_active,access_key_2_last_rotated,additional_credentials_info\n\
         <root_account>,arn:aws:iam::012345678901:root,false,true,false,N/A,false,N/A,{words}"
    );
    let report = parse(text.as_bytes(), None, Partition::Aws).unwrap();
    Values::of_row(report.root.as_ref())
}

#[test]
fn additional_keys_in_a_report_count_as_two_active_until_two_lists_disagree() {
    let key = RootKey {
        id: "AKIAEXAMPLE".to_owned(),
        active: false,
        created: None,
        last_used: None,
    };
    for (words, shown) in [
        ("2 additional access keys", [2, 2, 2, 1]),
        ("N/A", [0, 0, 1, 1]),
        ("", [0, 0, 1, 1]),
    ] {
        let mut record = Record::default();
        let mut found = Vec::new();
        for second in [0, 30, 60, 120] {
            let moment = Moment::from_millis(second * 1000);
            let date = Timestamp::from_unix(second);
            let evidence = match second {
                0 => Evidence::Report(ReportClaim {
                    received: moment,
                    generated: moment,
                    date,
                    values: report_with_words(words),
                }),
                30 => Evidence::Failure {
                    source: LiveSource::List,
                    topics: Topics::ALL,
                    asked: moment,
                },
                _ => Evidence::Answer(Answer {
                    source: LiveSource::List,
                    asked: moment,
                    date,
                    values: Values::of_keys([&key]),
                }),
            };
            record.take(evidence, &LIMITS);
            let posture = judge(&record, moment, &LIMITS);
            found.push(posture.keys_present.unwrap().value);
            if second == 0 {
                assert_eq!(posture.keys_active.unwrap().value, shown[0], "{words:?}");
                assert_eq!(posture.keys_by, Some(Source::CredentialReport));
            }
        }
        assert_eq!(found, shown, "{words:?}");
    }
}

#[test]
fn a_report_without_a_root_row_has_no_values() {
    let posture: Posture = {
        let mut record = Record::default();
        let claim = ReportClaim {
            received: Moment::default(),
            generated: Moment::default(),
            date: Timestamp::default(),
            values: Values::of_row(None),
        };
        record.take(Evidence::Report(claim), &LIMITS);
        judge(&record, Moment::default(), &LIMITS)
    };
    assert_eq!(posture, Posture::default());
}
