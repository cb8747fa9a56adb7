//! What holds for every evidence in any order, however improbable: the invariants of the judgement.
//!
//! The evidence is random and need not be of any account that could exist; the model test has
//! accounts with a true history. What a failing case shrinks to belongs into `scenarios.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::fmt;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use root_posture::{
    Answer, Counts, Evidence, Limits, LiveSource, MAX_CREDENTIALS, Metric, Moment, Posture, Record,
    ReportClaim, SourcesInUse, Timestamp, Topic, Topics, Values, judge,
};
use support::{Log, Shown, moved, restarted};

const LIMITS: Limits = Limits {
    interval: Duration::from_secs(60),
    max_staleness: Duration::from_secs(10 * 3600),
    max_live_staleness: Duration::from_secs(30 * 60),
};

const MINUTE: i64 = 60_000;

/// What one live source answers: so long after it was asked, in milliseconds.
#[derive(Clone)]
struct Said {
    source: LiveSource,
    delay: i64,
    values: Values,
}

#[derive(Clone)]
enum Event {
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
struct Step {
    wait: i64,
    event: Event,
}

#[derive(Clone)]
struct Trace {
    first_start: SourcesInUse,
    steps: Vec<Step>,
}

/// One line a step, close to the notation of `scenarios.rs`.
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
fn written(values: &Values) -> String {
    let value = |topic| match values.get(topic) {
        Some(Counts { present, active }) => format!("{present}/{active}"),
        None => "-".to_owned(),
    };
    Topic::ALL.map(value).join(",")
}

fn counts() -> impl Strategy<Value = Counts> {
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

fn summary_counts() -> impl Strategy<Value = Counts> {
    select(vec![0, 0, 0, 1, 1, 2, 3]).prop_map(|present| Counts { present, active: 0 })
}

/// Says something of these topics.
fn values<C: Strategy<Value = Counts>>(
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
fn most_topics() -> impl Strategy<Value = [bool; 4]> {
    prop::array::uniform4(prop::bool::weighted(0.9))
}

fn said(source: LiveSource) -> impl Strategy<Value = Said> {
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

fn both(order: [LiveSource; 2]) -> impl Strategy<Value = Event> {
    order.map(said).prop_map(|mut both| {
        both[0].delay = 0;
        both[1].delay = 0;
        Event::Both(both)
    })
}

fn events() -> impl Strategy<Value = Event> {
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

fn steps() -> impl Strategy<Value = Vec<Step>> {
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

fn traces() -> impl Strategy<Value = Trace> {
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
fn evidence(event: &Event, now: Moment, aws: i64) -> Vec<Evidence> {
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

/// One piece of evidence, or time that passed, and what it changed.
struct Seen<'t> {
    evidence: Option<Evidence>,
    /// The topics on which it is an answer that is not older than the newest.
    answered: Vec<Topic>,
    now: Moment,
    record: &'t Record,
    before: Posture,
    after: Posture,
    /// All evidence, this one included.
    log: &'t Log,
}

impl Seen<'_> {
    fn is_cold(&self) -> bool {
        Shown::ALL.iter().all(|it| it.metric(&self.after).is_none())
    }

    /// Whether a report was held before.
    fn had_held(&self) -> bool {
        self.before.review_at.is_some()
    }

    /// What the newest report says.
    fn reported(&self, shown: Shown) -> u8 {
        let report = self.log.report(shown.topic);
        report.map_or(0, |(_, value)| shown.pick(value).min(MAX_CREDENTIALS))
    }
}

/// Runs a trace and checks after each piece of evidence.
fn walk(
    trace: &Trace,
    mut check: impl FnMut(&Seen) -> Result<(), TestCaseError>,
) -> Result<(Record, Moment), TestCaseError> {
    let mut record = Record::new(trace.first_start);
    let mut log = Log::default();
    let mut now = Moment::default();
    let mut aws = 0;
    for step in &trace.steps {
        now = now.shifted(step.wait);
        aws += step.wait;
        if let Event::Restart(millis) = step.event {
            record = restarted(&record, millis);
            log.shift(millis);
            now = now.shifted(millis);
        }
        let evidence: Vec<Option<Evidence>> = match evidence(&step.event, now, aws) {
            none if none.is_empty() => vec![None],
            some => some.into_iter().map(Some).collect(),
        };
        for evidence in evidence {
            let before = judge(&record, now, &LIMITS);
            let mut answered = Vec::new();
            if let Some(evidence) = evidence {
                record.take(evidence, &LIMITS);
                answered = log.take(&evidence, LIMITS.interval);
            }
            check(&Seen {
                evidence,
                answered,
                now,
                record: &record,
                before,
                after: judge(&record, now, &LIMITS),
                log: &log,
            })?;
        }
    }
    Ok((record, now))
}

/// `PROPTEST_CASES` asks for more of them.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked_for = std::env::var_os("PROPTEST_CASES").map(|_| default.cases);
    ProptestConfig {
        cases: asked_for.unwrap_or(100),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/properties.txt",
        ))),
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    /// 1: what a live source says is there is shown at once, and so is what a summary counts
    /// beyond all that was known.
    #[test]
    fn one_witness_raises(trace in traces()) {
        walk(&trace, |seen| {
            let Some(Evidence::Answer(answer)) = seen.evidence else { return Ok(()) };
            for shown in Shown::ALL.into_iter().filter(|it| seen.answered.contains(&it.topic)) {
                let said = answer.values.get(shown.topic).unwrap();
                if seen.is_cold() || !seen.log.is_current(answer.source, shown.topic) {
                    continue;
                }
                let known = seen.log.known_lately(shown.topic, answer.asked);
                let least = match answer.source {
                    LiveSource::Summary if !shown.present => {
                        said.present.min(MAX_CREDENTIALS).saturating_sub(known)
                    }
                    _ => shown.pick(said).min(MAX_CREDENTIALS),
                };
                let value = shown.alarm(&seen.after);
                prop_assert!(value >= least, "{shown:?}: {value} after {answer:?}");
            }
            Ok(())
        })?;
    }

    /// 2: one answer that was not given before lowers nothing that a list or a report claimed.
    #[test]
    fn one_answer_lowers_nothing(trace in traces()) {
        walk(&trace, |seen| {
            let Some(Evidence::Answer(answer)) = seen.evidence else { return Ok(()) };
            for topic in &seen.answered {
                let answers = seen.log.answers(answer.source, *topic);
                let newest = answers.newest().unwrap();
                let was_given = newest.counted.len() > 1 || newest.first < newest.last;
                if was_given || seen.is_cold() {
                    continue;
                }
                let shown = Shown::active(*topic);
                let was = shown.alarm(&seen.before);
                let mut least = was.min(seen.log.claimed_in_force(shown));
                if seen.log.answers(LiveSource::List, *topic).newest().is_none() {
                    // Nothing explains what the summary counts, or how it was.
                    least = was;
                }
                if seen.had_held() {
                    // An answer may end a hold: then the report lowers.
                    least = least.min(seen.reported(shown));
                }
                let is = shown.alarm(&seen.after);
                prop_assert!(is >= least, "{shown:?}: {was}, {is} by {answer:?}");
            }
            Ok(())
        })?;
    }

    /// 3: a report lowers only what it says less of, and one that is not the newest changes nothing.
    /// (A second report within the four intervals for which one may be held: AWS makes none.)
    #[test]
    fn a_report_lowers_only_what_it_says_less_of(trace in traces()) {
        walk(&trace, |seen| {
            let Some(Evidence::Report(report)) = seen.evidence else { return Ok(()) };
            let is_newest = seen.log.reports.last() == Some(&report);
            for shown in Shown::ALL {
                let (was, is) = (shown.alarm(&seen.before), shown.alarm(&seen.after));
                if let (true, Some(said)) = (is_newest, report.values.get(shown.topic)) {
                    if seen.had_held() {
                        continue;
                    }
                    prop_assert!(is >= was.min(shown.pick(said)), "{shown:?}: {was}, {is}");
                } else if !is_newest && seen.before != Posture::default() {
                    prop_assert!(is == was, "{shown:?}: {was}, {is}, by an older report");
                }
            }
            Ok(())
        })?;
    }

    /// 4: a failure lowers only what the other live source has refuted by two answers.
    #[test]
    fn a_failure_lowers_only_what_the_other_source_refuted(trace in traces()) {
        walk(&trace, |seen| {
            let Some(Evidence::Failure { source, .. }) = seen.evidence else { return Ok(()) };
            for topic in Topic::ALL {
                let shown = Shown::active(topic);
                let (was, is) = (shown.alarm(&seen.before), shown.alarm(&seen.after));
                if is >= was || seen.had_held() && is >= seen.reported(shown) {
                    continue;
                }
                let other = match source {
                    LiveSource::Summary => seen.log.answers(LiveSource::List, topic).confirmed(),
                    LiveSource::List => {
                        seen.log.answers(LiveSource::Summary, topic).confirmed_none()
                    }
                };
                if source == LiveSource::List && other.is_some() {
                    // No list would show a key that came since the summary's none: what it counts
                    // beyond the list is explained, or not, by other evidence than before.
                    let claims = seen.log.answers(source, topic).unsettled().iter();
                    let claimed = claims.map(|claim| shown.pick(claim.value)).max();
                    if claimed.is_some_and(|claimed| is >= claimed) {
                        continue;
                    }
                }
                let claims = seen.log.answers(source, topic).unsettled();
                let is_refuted = other.is_some_and(|other| {
                    other.twice_since() > claims.first().map(|claim| claim.first)
                        && is >= shown.pick(other.value)
                });
                prop_assert!(is_refuted, "{shown:?}: {was}, {is} by a failure of {source:?}");
            }
            Ok(())
        })?;
    }

    /// 5: time lowers nothing alarming, and changes nothing else before the announced moment.
    #[test]
    fn time_lowers_nothing_alarming(trace in traces(), ahead in 1..50 * 60 * MINUTE) {
        walk(&trace, |seen| {
            let then = seen.now.shifted(ahead);
            let later = judge(seen.record, then, &LIMITS);
            let is_reviewed = seen.after.review_at.is_some_and(|at| at <= then);
            if !is_reviewed {
                prop_assert_eq!(seen.after, later);
            }
            for shown in Shown::ALL {
                let value = shown.alarm(&seen.after);
                if value > 0 && !is_reviewed {
                    prop_assert_eq!(shown.at(&later, then), Some(value));
                }
            }
            let review = seen.after.review_at;
            prop_assert!(review.is_none_or(|at| at > seen.now), "reviewed in the past");
            Ok(())
        })?;
    }

    /// 6: nothing is shown that no source said.
    #[test]
    fn nothing_is_shown_that_no_source_said(trace in traces()) {
        walk(&trace, |seen| {
            for shown in Shown::ALL {
                let Some(metric) = shown.metric(&seen.after) else { continue };
                let mut said = Vec::new();
                for source in LiveSource::ALL {
                    let streaks = &seen.log.answers(source, shown.topic).0;
                    said.extend(streaks.iter().map(|it| shown.claimed(Some(source), it.value)));
                }
                let reports = seen.log.reports.iter();
                said.extend(reports.filter_map(|it| Some(shown.pick(it.values.get(shown.topic)?))));
                let is_said = match metric.value {
                    0 => said.contains(&0),
                    value => said.iter().any(|said| *said >= value),
                };
                prop_assert!(is_said, "{shown:?}: {}, of {said:?}", metric.value);
            }
            Ok(())
        })?;
    }

    /// 7: no zero is shown past its limits.
    #[test]
    fn no_zero_is_shown_past_its_limits(trace in traces(), ahead in 0..50 * 60 * MINUTE) {
        walk(&trace, |seen| {
            for now in [seen.now, seen.now.shifted(ahead)] {
                let posture = judge(seen.record, now, &LIMITS);
                for shown in Shown::ALL.into_iter().filter(|it| it.topic != Topic::Password) {
                    let metric = shown.metric(&posture);
                    let expires = metric.is_some_and(|metric| metric.fine_until.is_some());
                    prop_assert_eq!(expires, metric.is_some_and(|metric| metric.value == 0));
                    if shown.at(&posture, now) == Some(0) {
                        let is_supported = seen.log.supports_zero(shown, now, &LIMITS);
                        prop_assert!(is_supported, "{shown:?} at {now:?}");
                    }
                }
            }
            Ok(())
        })?;
    }

    /// 8: neither does a restart change anything, wherever in the trace,
    #[test]
    fn a_restart_changes_nothing(trace in traces()) {
        let without = |step: &Step| match step.event {
            Event::Restart(_) => Step { wait: step.wait, event: Event::TimePasses },
            _ => step.clone(),
        };
        let straight = Trace {
            first_start: trace.first_start,
            steps: trace.steps.iter().map(without).collect(),
        };
        let judged = |trace: &Trace| -> Result<_, TestCaseError> {
            let mut judged = Vec::new();
            walk(trace, |seen| {
                judged.push((seen.now, seen.after));
                Ok(())
            })?;
            Ok(judged)
        };
        for ((here, restarted), (there, straight)) in judged(&trace)?.into_iter().zip(judged(&straight)?) {
            let millis = there.millis() - here.millis();
            prop_assert_eq!(moved(restarted, millis), straight);
        }
    }

    /// … nor does the order of two answers of the same moment.
    #[test]
    fn two_answers_of_a_moment_may_come_in_either_order(trace in traces()) {
        let swapped = |step: &Step| match &step.event {
            Event::Both([one, two]) => Step {
                wait: step.wait,
                event: Event::Both([two.clone(), one.clone()]),
            },
            _ => step.clone(),
        };
        let other = Trace {
            first_start: trace.first_start,
            steps: trace.steps.iter().map(swapped).collect(),
        };
        let (record, now) = walk(&trace, |_| Ok(()))?;
        let (other, _) = walk(&other, |_| Ok(()))?;
        prop_assert_eq!(judge(&record, now, &LIMITS), judge(&other, now, &LIMITS));
        prop_assert_eq!(record, other);
    }

    /// 9: four rounds in which both live sources agree decide everything.
    #[test]
    fn four_rounds_that_agree_decide_everything(
        trace in traces(),
        values in values(counts, Just([true; 4])),
        beyond_one in any::<bool>(),
    ) {
        let (mut record, mut now) = walk(&trace, |_| Ok(()))?;
        let most = if beyond_one { MAX_CREDENTIALS } else { 1 };
        let count = |value: Counts| Counts { present: value.present.min(most), active: 0 };
        let summary = Topic::ALL.into_iter().fold(values, |values, topic| match topic {
            Topic::Keys | Topic::Certificates => {
                values.with(topic, values.get(topic).map(count))
            }
            Topic::MfaOff | Topic::Password => values,
        });
        record.take(Evidence::NoReportYet(now.shifted(-2 * MINUTE)), &LIMITS);
        for _ in 0..4 {
            now = now.shifted(MINUTE);
            for (source, values) in [(LiveSource::Summary, summary), (LiveSource::List, values)] {
                let said = Said { source, delay: 0, values };
                for evidence in evidence(&Event::Answer(said), now, now.millis()) {
                    record.take(evidence, &LIMITS);
                }
            }
        }
        let posture = judge(&record, now, &LIMITS);
        for shown in Shown::ALL {
            if let Some(said) = values.get(shown.topic) {
                let expected = Some(shown.pick(said).min(MAX_CREDENTIALS));
                prop_assert_eq!(shown.at(&posture, now), expected, "{:?}", shown);
            }
        }
    }

    /// 10: values and record are bounded.
    #[test]
    fn values_and_records_are_bounded(trace in traces()) {
        walk(&trace, |seen| {
            let value = |metric: Option<Metric>| metric.map(|metric| metric.value);
            let Posture { keys_active, keys_present, certificates_active, .. } = seen.after;
            prop_assert!(value(keys_active) <= value(keys_present));
            prop_assert!(value(keys_present) <= Some(MAX_CREDENTIALS));
            prop_assert!(value(certificates_active) <= Some(MAX_CREDENTIALS));
            prop_assert!(value(seen.after.mfa_enabled) <= Some(1));
            prop_assert!(value(seen.after.password_enabled) <= Some(1));
            for topic in Topic::ALL {
                for source in LiveSource::ALL {
                    prop_assert!(seen.record.history(source, topic).runs().len() <= 8);
                }
            }
            prop_assert_eq!(judge(seen.record, seen.now, &LIMITS), seen.after);
            Ok(())
        })?;
    }

    /// 11: a report that was refuted is refuted for good. It alone says 2 here.
    #[test]
    fn a_refuted_report_never_returns(trace in traces(), place in any::<prop::sample::Index>()) {
        let mut trace = trace;
        let one = |values: Values| {
            values.iter().fold(values, |values, (topic, value)| {
                let most = Counts { present: 1, active: 1 };
                values.with(topic, Some(value.min(most)))
            })
        };
        for step in &mut trace.steps {
            match &mut step.event {
                Event::Answer(said) => said.values = one(said.values),
                Event::Both(both) => both.iter_mut().for_each(|said| said.values = one(said.values)),
                Event::Report { values, .. } => *values = one(*values),
                _ => {}
            }
        }
        let two = Counts { present: 2, active: 2 };
        let values = Values::default()
            .with(Topic::Keys, Some(two))
            .with(Topic::Certificates, Some(two));
        let report = Step { wait: MINUTE, event: Event::Report { age: 0, values } };
        trace.steps.insert(place.index(trace.steps.len() + 1), report);
        walk(&trace, |seen| {
            let report = seen.log.reports.iter().find(|report| report.values == values);
            let Some(report) = report else { return Ok(()) };
            for shown in Shown::ALL.into_iter().take(3) {
                let list = seen.log.answers(LiveSource::List, shown.topic);
                let summary = seen.log.answers(LiveSource::Summary, shown.topic);
                let mut nones = summary.0.iter().filter(|it| it.value.present == 0);
                let is_refuted = list.0.iter().any(|it| it.twice_since() >= Some(report.received))
                    || nones.any(|it| it.twice_since() >= Some(report.received));
                if is_refuted {
                    prop_assert!(shown.alarm(&seen.after) < 2, "{shown:?}");
                }
            }
            Ok(())
        })?;
    }
}

/// How many of these traces have such an event, with the time before it.
fn with(traces: &[Trace], is_such: impl Fn(&Step) -> bool) -> usize {
    let has = |trace: &&Trace| trace.steps.iter().any(&is_such);
    traces.iter().filter(has).count()
}

#[test]
fn the_generators_make_every_kind_of_evidence() {
    let mut runner = TestRunner::deterministic();
    let strategy = traces();
    let traces: Vec<Trace> = (0..1000)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect();
    let often = |what: &str, count: usize| assert!(count >= 100, "{what}: {count} of 1000");
    for source in LiveSource::ALL {
        let answer = |step: &Step, is_such: fn(&Said) -> bool| match &step.event {
            Event::Answer(said) => said.source == source && is_such(said),
            _ => false,
        };
        let speaks = |said: &Said| said.values.iter().count();
        often(
            "an answer alone",
            with(&traces, |step| answer(step, |_| true)),
        );
        often(
            "a late one",
            with(&traces, |step| answer(step, |said| said.delay > 0)),
        );
        let leaves_out = |step: &Step| match &step.event {
            Event::Answer(said) => said.source == source && (1..4).contains(&speaks(said)),
            _ => false,
        };
        often("a topic left out", with(&traces, leaves_out));
        let first =
            |step: &Step| matches!(&step.event, Event::Both(both) if both[0].source == source);
        often("both, this one first", with(&traces, first));
        let fails = |step: &Step, given_up: bool| {
            let Event::Failure {
                source: failed,
                topics,
                delay,
            } = &step.event
            else {
                return false;
            };
            *failed == source && topics.contains(&true) && (*delay > 0) == given_up
        };
        often("a failure", with(&traces, |step| fails(step, false)));
        often(
            "an attempt given up",
            with(&traces, |step| fails(step, true)),
        );
    }
    let report = |range: std::ops::RangeInclusive<i64>| {
        with(
            &traces,
            |step| matches!(step.event, Event::Report { age, .. } if range.contains(&age)),
        )
    };
    often("a report of this moment", report(0..=0));
    often("a report of the last 15 minutes", report(1..=15 * MINUTE));
    often("an old report", report(60 * MINUTE..=240 * MINUTE));
    often("a report of AWS's future", report(-60 * MINUTE..=-1));
    let out_of_order = traces.iter().filter(|trace| {
        let (mut now, mut newest) = (0, i64::MIN);
        trace.steps.iter().any(|step| {
            now += step.wait;
            let Event::Report { age, .. } = step.event else {
                return false;
            };
            let generated = now - age.max(0);
            newest = newest.max(generated);
            generated < newest
        })
    });
    often("reports out of order", out_of_order.count());
    let is = |kind: fn(&Event) -> bool| with(&traces, |step| kind(&step.event));
    often(
        "no report yet",
        is(|event| matches!(event, Event::NoReportYet)),
    );
    often("a restart", is(|event| matches!(event, Event::Restart(_))));
    often("time", is(|event| matches!(event, Event::TimePasses)));
    let wait = |range: std::ops::Range<i64>| with(&traces, |step| range.contains(&step.wait));
    often("two at one moment", wait(0..1));
    often("less than a gap", wait(1..30_000));
    often("an interval", wait(MINUTE..MINUTE + 1));
    often(
        "a silence that ends a run",
        wait(17 * MINUTE + 1..10_000 * MINUTE),
    );
    often(
        "beyond max_live_staleness",
        wait(30 * MINUTE..10_000 * MINUTE),
    );
    often("beyond max_staleness", wait(600 * MINUTE..10_000 * MINUTE));
    let cold = |trace: &&Trace| trace.first_start != SourcesInUse::default();
    often("a first start", traces.iter().filter(cold).count());
    often(
        "no first start",
        traces.iter().filter(|trace| !cold(trace)).count(),
    );
}
