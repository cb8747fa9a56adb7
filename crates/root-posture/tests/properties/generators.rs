//! The generators produce every kind of evidence often enough.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use root_posture::{LiveSource, SourcesInUse};

use crate::MINUTE;
use crate::traces::{Event, Said, Step, Trace, traces};

/// How many of these traces have such an event, with the time before it.
fn with(traces: &[Trace], is_such: impl Fn(&Step) -> bool) -> usize {
    let has = |trace: &&Trace| trace.steps.iter().any(&is_such);
    traces.iter().filter(has).count()
}

#[test]
fn the_generators_produce_every_kind_of_evidence() {
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
