//! The judgement agrees with an independent program that states the same rules.
//!
//! `reference.txt.gz` holds random evidence and what that program, written before this crate and
//! sharing no code with it, made of each step. A line is a trace, its parts divided by `;`:
//!
//! * the limits in seconds (interval, `max_staleness`, `max_live_staleness`) and the sources in use
//!   (`S` summary, `K` list, `R` report, `-` for none);
//! * then the steps: time since the step before, the evidence, the metrics (`=`: as before), and,
//!   where time alone changes a value, how much later which values stand.
//!
//! Times are in eighths of a second. Evidence is `S…` or `K…` (an answer), `R…:age` (a report),
//! `F` with source and topics (a failure), `N` (no report yet) or `X` (nothing). Values stand in the
//! order of [`Topic::ALL`], two digits each (present and active). A metric is
//! `value@age of its evidence<time to its expiry`.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::Read;
use std::time::Duration;

use root_posture::{
    Answer, Counts, Evidence, Limits, LiveSource, Metric, Moment, Posture, Record, ReportClaim,
    SourcesInUse, Timestamp, Topic, Topics, Values, judge,
};

/// Milliseconds in the unit of the file.
const UNIT: i64 = 125;

/// `REFERENCE_TRACES` names another file of the same form, to replay more than is committed.
#[test]
fn random_traces_agree_with_the_reference() {
    let packed = match std::env::var_os("REFERENCE_TRACES") {
        Some(path) => std::fs::read(path).unwrap(),
        None => include_bytes!("reference.txt.gz").to_vec(),
    };
    let traces = unpacked(&packed);
    for (number, line) in traces.lines().enumerate() {
        replay(number, line);
    }
    assert!(traces.lines().count() >= 10_000, "all of them");
}

fn unpacked(packed: &[u8]) -> String {
    let mut traces = String::new();
    let mut reader = flate2::read::GzDecoder::new(packed);
    reader.read_to_string(&mut traces).unwrap();
    traces
}

fn replay(number: usize, line: &str) {
    let mut parts = line.split(';');
    let (limits, sources) = header(parts.next().unwrap());
    let mut record = Record::new(sources);
    let mut now = Moment::default();
    let mut expected = String::new();
    for (step, part) in parts.enumerate() {
        let mut fields = part.split(' ');
        now = now.shifted(millis(fields.next().unwrap()));
        if let Some(evidence) = evidence(fields.next().unwrap(), now) {
            record.take(evidence, &limits);
        }
        let metrics = fields.next().unwrap();
        let posture = judge(&record, now, &limits);
        let found = written(&posture, now);
        if metrics != "=" {
            metrics.clone_into(&mut expected);
        }
        assert_eq!(found, expected, "trace {number}, step {step}: {part}");
        if let (Some(ahead), Some(values)) = (fields.next(), fields.next()) {
            let later = now.shifted(millis(ahead));
            let found = values_of(&judge(&record, later, &limits));
            assert_eq!(found, values, "trace {number}, step {step}, later: {part}");
        } else {
            let review = posture.review_at;
            assert!(
                review.is_none_or(|review| review > now),
                "trace {number}, step {step}: nothing is reviewed in the past"
            );
        }
    }
}

fn header(text: &str) -> (Limits, SourcesInUse) {
    let fields: Vec<&str> = text.split(' ').collect();
    let seconds = |text: &str| Duration::from_secs_f64(text.parse().unwrap());
    let limits = Limits {
        interval: seconds(fields[0]),
        in_force: seconds(fields[0]),
        max_staleness: seconds(fields[1]),
        max_live_staleness: seconds(fields[2]),
    };
    let sources = SourcesInUse {
        summary: fields[3].contains('S'),
        list: fields[3].contains('K'),
        report: fields[3].contains('R'),
    };
    (limits, sources)
}

fn evidence(text: &str, now: Moment) -> Option<Evidence> {
    let (kind, rest) = text.split_at(1);
    Some(match kind {
        "S" | "K" => Evidence::Answer(Answer {
            source: live(kind),
            asked: now,
            date: date(now),
            values: values(rest),
        }),
        "R" => {
            let (said, age) = rest.split_once(':').unwrap();
            let generated = now.shifted(-millis(age));
            Evidence::Report(ReportClaim {
                received: now,
                generated,
                date: date(generated),
                values: values(said),
            })
        }
        "F" => {
            let (source, topics) = rest.split_at(1);
            let failed = topics.bytes().zip(Topic::ALL);
            let failed: Vec<Topic> = failed
                .filter_map(|(digit, topic)| (digit == b'1').then_some(topic))
                .collect();
            Evidence::Failure {
                source: live(source),
                topics: Topics::of(&failed),
                asked: now,
            }
        }
        "N" => Evidence::NoReportYet(now),
        "X" => return None,
        _ => panic!("evidence {text}"),
    })
}

fn live(text: &str) -> LiveSource {
    match text {
        "S" => LiveSource::Summary,
        "K" => LiveSource::List,
        _ => panic!("source {text}"),
    }
}

fn values(text: &str) -> Values {
    let digits = text.as_bytes().chunks(2).zip(Topic::ALL);
    digits.fold(Values::default(), |values, (pair, topic)| {
        let value = (pair != b"..").then(|| Counts {
            present: pair[0] - b'0',
            active: pair[1] - b'0',
        });
        values.with(topic, value)
    })
}

fn millis(text: &str) -> i64 {
    text.parse::<i64>().unwrap() * UNIT
}

/// AWS's clock, which in these traces counts eighths of a second so that no time is lost in it.
fn date(moment: Moment) -> Timestamp {
    Timestamp::from_unix(moment.millis() / UNIT)
}

/// The metrics in the order of the file.
fn metrics(posture: &Posture) -> [Option<Metric>; 5] {
    let mfa_off = posture.mfa_enabled.map(|mfa| Metric {
        value: 1 - mfa.value,
        ..mfa
    });
    [
        posture.keys_present,
        posture.keys_active,
        posture.certificates_active,
        mfa_off,
        posture.password_enabled,
    ]
}

fn written(posture: &Posture, now: Moment) -> String {
    let now = now.millis() / UNIT;
    let written = metrics(posture).map(|metric| {
        let Some(metric) = metric else {
            return "-".to_owned();
        };
        let expiry = metric
            .fine_until
            .map(|until| format!("<{}", until.millis() / UNIT - now));
        let age = now - metric.observed.unix();
        format!("{}@{age}{}", metric.value, expiry.unwrap_or_default())
    });
    written.join(",")
}

fn values_of(posture: &Posture) -> String {
    metrics(posture)
        .map(|metric| metric.map_or("-".to_owned(), |metric| metric.value.to_string()))
        .concat()
}
