//! Random traces of evidence, and the strategies that generate them.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::select;
use root_posture::{
    Answer, Counts, Evidence, LiveSource, Moment, ReportClaim, SourcesInUse, Timestamp, Topic,
    Topics, Values,
};

use crate::MINUTE;

/// An answer of one live source, `delay` milliseconds after its request.
#[derive(Clone)]
pub struct Said {
    pub source: LiveSource,
    pub delay: i64,
    pub values: Values,
}

#[derive(Clone)]
pub enum Event {
    Answer(Said),
    /// Both live sources, at the same moment and in this order.
    Both([Said; 2]),
    /// An attempt that failed at once or was given up so long after it began.
    Failure {
        source: LiveSource,
        topics: [bool; 4],
        delay: i64,
    },
    /// A report, by AWS's clock so many milliseconds old; less than nothing is in AWS's future.
    Report {
        age: i64,
        values: Values,
    },
    NoReportYet,
    /// Another process goes on, whose clock is so far from this one's.
    Restart(i64),
    TimePasses,
}

/// An event, so many milliseconds after the one before.
#[derive(Clone, Debug)]
pub struct Step {
    pub wait: i64,
    pub event: Event,
}

#[derive(Clone)]
pub struct Trace {
    pub first_start: SourcesInUse,
    pub steps: Vec<Step>,
}

/// One line a step, close to the notation of `scenarios`.
impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "first start: {:?}", self.first_start)?;
        let mut at = 0;
        for step in &self.steps {
            at += step.wait;
            writeln!(f, "@{}.{:03} {:?}", at / 1000, at % 1000, step.event)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(said) => write!(f, "{said:?}"),
            Self::Both([one, two]) => write!(f, "{one:?} {two:?}"),
            Self::Failure {
                source,
                topics,
                delay,
            } => write!(f, "{source:?} fails on {topics:?}~{delay} ms"),
            Self::Report { age, values } => write!(f, "Report {}~{age} ms", written(values)),
            Self::NoReportYet => f.write_str("no report yet"),
            Self::Restart(millis) => write!(f, "restart, the clock moves by {millis} ms"),
            Self::TimePasses => f.write_str("."),
        }
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = written(&self.values);
        write!(f, "{:?} {values}~{} ms", self.source, self.delay)
    }
}

/// Keys, certificates, MFA off, password: present/active of each.
pub fn written(values: &Values) -> String {
    let value = |topic| match values.get(topic) {
        Some(Counts { present, active }) => format!("{present}/{active}"),
        None => "-".to_owned(),
    };
    Topic::ALL.map(value).join(",")
}

pub fn counts() -> impl Strategy<Value = Counts> {
    select(vec![
        (0, 0),
        (0, 0),
        (1, 0),
        (1, 1),
        (1, 1),
        (2, 0),
        (2, 1),
        (2, 2),
        (3, 3),
    ])
    .prop_map(|(present, active)| Counts { present, active })
}

pub fn summary_counts() -> impl Strategy<Value = Counts> {
    select(vec![0, 0, 0, 1, 1, 2, 3]).prop_map(|present| Counts { present, active: 0 })
}

/// Says something of these topics.
pub fn values<C: Strategy<Value = Counts>>(
    counts: fn() -> C,
    is_said: impl Strategy<Value = [bool; 4]>,
) -> impl Strategy<Value = Values> {
    let flag = || any::<bool>().prop_map(Counts::flag);
    let said = (counts(), counts(), flag(), flag());
    (said, is_said).prop_map(|((keys, certificates, mfa, password), is_said)| {
        let all = [keys, certificates, mfa, password];
        let said = Topic::ALL.into_iter().zip(all).zip(is_said);
        said.fold(Values::default(), |values, ((topic, value), is_said)| {
            values.with(topic, is_said.then_some(value))
        })
    })
}

/// All topics, or some are left out.
pub fn most_topics() -> impl Strategy<Value = [bool; 4]> {
    prop::array::uniform4(prop::bool::weighted(0.9))
}

pub fn said(source: LiveSource) -> impl Strategy<Value = Said> {
    let values = match source {
        LiveSource::Summary => values(summary_counts, most_topics()).boxed(),
        LiveSource::List => values(counts, most_topics()).boxed(),
    };
    let delay = prop_oneof![4 => Just(0), 1 => 0..2 * MINUTE];
    (values, delay).prop_map(move |(values, delay)| Said {
        source,
        delay,
        values,
    })
}

pub fn both(order: [LiveSource; 2]) -> impl Strategy<Value = Event> {
    order.map(said).prop_map(|mut both| {
        both[0].delay = 0;
        both[1].delay = 0;
        Event::Both(both)
    })
}

pub fn events() -> impl Strategy<Value = Event> {
    let [summary, list] = LiveSource::ALL;
    let failure = |source| {
        let topics = prop::array::uniform4(prop::bool::weighted(0.8));
        let delay = prop_oneof![Just(0), 0..MINUTE];
        (topics, delay).prop_map(move |(topics, delay)| Event::Failure {
            source,
            topics,
            delay,
        })
    };
    let age = prop_oneof![
        Just(0),
        0..2 * MINUTE,
        0..30 * MINUTE,
        0..=4 * 60 * MINUTE,
        -60 * MINUTE..0
    ];
    let report = (age, values(counts, Just([true; 4])))
        .prop_map(|(age, values)| Event::Report { age, values });
    prop_oneof![
        4 => said(summary).prop_map(Event::Answer),
        4 => said(list).prop_map(Event::Answer),
        2 => both([summary, list]),
        2 => both([list, summary]),
        2 => failure(summary),
        2 => failure(list),
        3 => report,
        1 => Just(Event::NoReportYet),
        1 => (-9_999_999..9_999_999_i64).prop_map(Event::Restart),
        1 => Just(Event::TimePasses),
    ]
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![
        1 => 0..2_i64,
        2 => 0..30_000_i64,
        8 => Just(MINUTE),
        2 => MINUTE..5 * MINUTE,
        2 => 10 * MINUTE..20 * MINUTE,
        1 => 20 * MINUTE..5 * 60 * MINUTE,
        1 => 9 * 60 * MINUTE..40 * 60 * MINUTE,
    ];
    let step = (wait, events()).prop_map(|(wait, event)| Step { wait, event });
    prop::collection::vec(step, 1..40)
}

pub fn traces() -> impl Strategy<Value = Trace> {
    let sources = prop_oneof![
        3 => Just([false; 3]),
        1 => prop::array::uniform3(any::<bool>()),
    ];
    // The columns of an account's report do not come and go.
    (sources, most_topics(), steps()).prop_map(|([summary, list, report], is_reported, steps)| {
        let mut steps = steps;
        for step in &mut steps {
            if let Event::Report { values, .. } = &mut step.event {
                for (topic, _) in Topic::ALL.into_iter().zip(is_reported).filter(|it| !it.1) {
                    *values = values.with(topic, None);
                }
            }
        }
        let first_start = SourcesInUse {
            summary,
            list,
            report,
        };
        Trace { first_start, steps }
    })
}

/// The evidence of an event, one after the other. `aws` is AWS's clock, which no restart moves.
pub fn evidence(event: &Event, now: Moment, aws: i64) -> Vec<Evidence> {
    let date = |age: i64| Timestamp::from_unix((aws - age).div_euclid(1000));
    let answer = |said: &Said| {
        let asked = now.shifted(-said.delay);
        Evidence::Answer(Answer {
            source: said.source,
            asked,
            date: date(said.delay),
            values: said.values,
        })
    };
    match event {
        Event::Answer(said) => vec![answer(said)],
        Event::Both(both) => both.iter().map(answer).collect(),
        Event::Failure {
            source,
            topics,
            delay,
        } => {
            let failed = Topic::ALL.into_iter().zip(topics);
            let failed: Vec<Topic> = failed
                .filter_map(|(topic, failed)| failed.then_some(topic))
                .collect();
            vec![Evidence::Failure {
                source: *source,
                topics: Topics::of(&failed),
                asked: now.shifted(-delay),
            }]
        }
        Event::Report { age, values } => {
            let generated = now.shifted(-age.max(&0));
            vec![Evidence::Report(ReportClaim {
                received: now,
                generated,
                date: date(*age),
                values: *values,
            })]
        }
        Event::NoReportYet => vec![Evidence::NoReportYet(now)],
        Event::Restart(_) | Event::TimePasses => Vec::new(),
    }
}
