//! How scenarios are made: mostly rounds of polls, with everything that can come between.

use proptest::prelude::*;
use proptest::sample::select;
use root_posture::{LiveSource, SourcesInUse};

use crate::account::{Change, Credential, State};
use crate::transition::{Ask, Outcome, Setup, Transition};

pub const SECOND: i64 = 1000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;

/// How long a scenario may be, in rounds and what comes between.
const LONGEST: usize = 24;

/// A setup and what happens.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub setup: Setup,
    pub transitions: Vec<Transition>,
}

pub fn scenarios() -> impl Strategy<Value = Scenario> {
    (setups(), prop::collection::vec(beats(), 1..LONGEST)).prop_map(|(setup, beats)| {
        let mut transitions: Vec<Transition> = beats.into_iter().flatten().collect();
        transitions.push(Transition::Settle);
        Scenario { setup, transitions }
    })
}

fn setups() -> impl Strategy<Value = Setup> {
    let state = (
        prop::array::uniform2(credentials()),
        prop::array::uniform2(credentials()),
        any::<bool>(),
        any::<bool>(),
    );
    let lag = || prop_oneof![6 => Just(0), 2 => 0..2 * MINUTE, 1 => 0..12 * MINUTE];
    (
        state,
        sources(),
        select(vec![60, 60, 15, 300]),
        [lag(), lag()],
        1..=2_u8,
        prop::array::uniform3(prop::bool::weighted(0.9)),
    )
        .prop_map(
            |(state, sources, interval, lags, summary_counts_to, [second, third, fourth])| {
                let (keys, certificates, mfa, password) = state;
                Setup {
                    state: State {
                        keys,
                        certificates,
                        mfa,
                        password,
                    },
                    sources,
                    interval,
                    lags,
                    summary_counts_to,
                    columns: [true, second, third, fourth],
                }
            },
        )
}

fn credentials() -> impl Strategy<Value = Credential> {
    use Credential::{Absent, Active, Inactive};
    select(vec![Absent, Absent, Active, Inactive])
}

fn sources() -> impl Strategy<Value = SourcesInUse> {
    let sources = |summary, list, report| SourcesInUse {
        summary,
        list,
        report,
    };
    prop_oneof![
        3 => Just(sources(true, true, true)),
        2 => Just(sources(true, false, true)),
        2 => Just(sources(true, true, false)),
        1 => Just(sources(false, true, true)),
        1 => Just(sources(false, true, false)),
        1 => Just(sources(false, false, true)),
        1 => Just(sources(true, false, false)),
    ]
}

fn beats() -> impl Strategy<Value = Vec<Transition>> {
    let one = |transition| vec![transition];
    prop_oneof![
        8 => rounds(),
        4 => changes().prop_map(Transition::Change).prop_map(one),
        2 => reports().prop_map(one),
        1 => (4 * HOUR..5 * HOUR, reports()).prop_map(|(wait, report)| {
            vec![Transition::Wait(wait), report]
        }),
        2 => waits().prop_map(Transition::Wait).prop_map(one),
        2 => prop_oneof![asks(LiveSource::Summary), asks(LiveSource::List)].prop_map(Transition::Ask).prop_map(one),
        1 => Just(vec![Transition::NoReportYet]),
        1 => Just(vec![Transition::Duplicate]),
        1 => prop_oneof![0..3 * SECOND, 0..2 * HOUR].prop_map(|down| vec![Transition::Restart { down }]),
        1 => (-HOUR..HOUR).prop_map(Transition::WallClockSteps).prop_map(one),
        1 => sources().prop_map(Transition::UseSources).prop_map(one),
    ]
}

/// Some polls in a row that go alike: an outage and a lag last for a while.
fn rounds() -> impl Strategy<Value = Vec<Transition>> {
    let asked = (
        asks(LiveSource::Summary),
        asks(LiveSource::List),
        any::<bool>(),
    );
    (1..4_usize, asked).prop_map(|(times, (summary, list, swap))| {
        let mut round = [
            Transition::Interval,
            Transition::Ask(summary),
            Transition::Ask(list),
        ];
        if swap {
            round.swap(1, 2);
        }
        round.repeat(times)
    })
}

fn changes() -> impl Strategy<Value = Change> {
    let slots = || 0..2_usize;
    prop_oneof![
        4 => (slots(), credentials()).prop_map(|(slot, to)| Change::Key(slot, to)),
        1 => (slots(), credentials()).prop_map(|(slot, to)| Change::Certificate(slot, to)),
        1 => any::<bool>().prop_map(Change::Mfa),
        1 => any::<bool>().prop_map(Change::Password),
    ]
}

fn asks(source: LiveSource) -> impl Strategy<Value = Ask> {
    let topics = match source {
        LiveSource::Summary => select(vec![
            [true; 4],
            [true; 4],
            [true; 4],
            [true, false, true, true],
        ]),
        // The calls of a root session: all, the keys, the details, or some of them.
        LiveSource::List => select(vec![
            [true; 4],
            [true; 4],
            [true, false, false, false],
            [false, true, true, true],
            [true, true, false, true],
        ]),
    };
    let lag = prop_oneof![6 => Just(0), 2 => 0..30 * SECOND, 1 => 0..15 * MINUTE];
    let latency = || prop_oneof![4 => Just(0), 1 => 1..30 * SECOND];
    let outcome = prop_oneof![
        12 => latency().prop_map(|after| Outcome::Answers { after }),
        3 => latency().prop_map(|after| Outcome::Fails { after }),
        1 => Just(Outcome::Hangs),
        1 => (31 * SECOND..20 * MINUTE).prop_map(|after| Outcome::AnswersLate { after }),
    ];
    (topics, lag, outcome).prop_map(move |(topics, lag, outcome)| Ask {
        source,
        topics,
        lag,
        outcome,
    })
}

fn reports() -> impl Strategy<Value = Transition> {
    let age = prop_oneof![4 => 0..30 * SECOND, 2 => 0..30 * MINUTE, 1 => 0..=4 * HOUR];
    let content_age = prop_oneof![4 => Just(0), 2 => 0..30 * SECOND, 1 => 0..15 * MINUTE];
    (age, content_age).prop_map(|(age, content_age)| Transition::Report { age, content_age })
}

fn waits() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => 0..30 * SECOND,
        3 => MINUTE..16 * MINUTE,
        3 => 14 * MINUTE..35 * MINUTE,
        1 => HOUR..4 * HOUR,
        1 => 9 * HOUR..12 * HOUR,
    ]
}
