//! The invariants of the judgement, which hold for any evidence in any order, however improbable.
//!
//! The evidence is random and need not fit any possible account; the accounts of the model test have
//! a true history. A failing case, once shrunk, belongs into `scenarios`.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod generators;
#[path = "../support/mod.rs"]
mod support;
mod traces;
mod walk;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use root_posture::{
    Counts, Evidence, Limits, LiveSource, MAX_CREDENTIALS, Metric, Posture, Topic, Values, judge,
};
use support::{Shown, moved};
use traces::{Event, Said, Step, Trace, counts, evidence, traces, values};
use walk::walk;

const LIMITS: Limits = Limits {
    interval: Duration::from_secs(60),
    in_force: Duration::from_secs(60),
    max_staleness: Duration::from_secs(10 * 3600),
    max_live_staleness: Duration::from_secs(30 * 60),
};

const MINUTE: i64 = 60_000;

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

    /// 1: a key in a live answer is exported at once, and so is a greater count of a summary than
    /// all that was known.
    #[test]
    fn one_answer_raises(trace in traces()) {
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

    /// 3: a report lowers only values it counts less of, and an older report changes nothing.
    /// (A second report within the four intervals for which one may be held: AWS makes none.)
    #[test]
    fn a_report_lowers_only_what_it_counts_less_of(trace in traces()) {
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

    /// 5: time ends no alarm, and changes nothing else before the announced moment.
    #[test]
    fn time_ends_no_alarm(trace in traces(), ahead in 1..50 * 60 * MINUTE) {
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

    /// 6: a source gave every exported value.
    #[test]
    fn every_value_comes_from_a_source(trace in traces()) {
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

    /// 7: no zero is exported past its limits.
    #[test]
    fn no_zero_outlives_its_limits(trace in traces(), ahead in 0..50 * 60 * MINUTE) {
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

    /// 8: a restart changes nothing, wherever in the trace.
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

    /// 11: a report that was refuted is refuted for good. Only it counts 2 here.
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
