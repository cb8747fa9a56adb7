//! How long a value is exported: rule 9.

use root_posture::{
    Answer, Counts, Evidence, LiveSource, Metric, Moment, Record, Timestamp, Topic, Topics, Values,
    judge,
};

use crate::notation::{LIMITS, counted};

#[test]
fn fine_values_expire_and_alarms_do_not() {
    counted(&[
        (
            "30 minutes after the last live answer",
            "K0/0 = 0 | K0/0 = 0 | @1859 Kx = 0 | @1860 . = ?",
        ),
        (
            "10 hours after a report",
            "R0/0~0 = 0 | @35999 . = 0 | @36000 . = ?",
        ),
        (
            "10 hours after the content of a report, not after its receipt",
            "@4h R0/0~4h = 0 | @35999 . = 0 | @36000 . = ?",
        ),
        (
            "a report that was generated since speaks for itself",
            "S0 = 0 | @10m R0/0 = 0 | @36598 . = 0 | @36599 . = ?",
        ),
        (
            "an earlier one does not",
            "R0/0 = 0 | S0 = 0 | @1859 . = 0 | @1860 . = ?",
        ),
        (
            "a key never does",
            "K1/1 = 1/1 | @30h Kx = 1/1 | @300h Sx = 1/1",
        ),
        (
            "an inactive key is present for ever, that it is inactive is not known for ever",
            "K1/0 = 1/0 | @1799 . = 1/0 | @1800 . = 1/?",
        ),
        (
            "a summary that counts one supports no zero of active ones",
            "K1/0 = 0 | @30m S1 Kx = 0 | @9h S1 = 0 | @36030 S1 = ?",
        ),
        ("nothing at all is no zero", ". = ? | Sx Kx = ? | P = ?"),
    ]);
}

/// The calls of a session fail one by one: the result of one topic's call does not affect the others.
#[test]
fn a_topic_whose_call_fails_expires_while_the_others_are_answered() {
    let mut record = Record::default();
    let moment = |second: i64| Moment::from_millis(second * 1000);
    let answer = |second: i64, values: Values| {
        Evidence::Answer(Answer {
            source: LiveSource::List,
            asked: moment(second),
            date: Timestamp::from_unix(second),
            values,
        })
    };
    let keys = Values::default().with(Topic::Keys, Some(Counts::NONE));
    let both = keys.with(Topic::MfaOff, Some(Counts::flag(false)));
    record.take(answer(0, both), &LIMITS);
    for minute in 1..=30 {
        record.take(answer(minute * 60, keys), &LIMITS);
        let failure = Evidence::Failure {
            source: LiveSource::List,
            topics: Topics::of(&[Topic::MfaOff]),
            asked: moment(minute * 60),
        };
        record.take(failure, &LIMITS);
        let now = moment(minute * 60);
        let posture = judge(&record, now, &LIMITS);
        let shown = |metric: Option<Metric>| metric.and_then(|metric| metric.at(now));
        assert_eq!(shown(posture.keys_active), Some(0), "minute {minute}");
        let mfa = (minute < 30).then_some(1);
        assert_eq!(shown(posture.mfa_enabled), mfa, "minute {minute}");
    }
}
