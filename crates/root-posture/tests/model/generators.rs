//! The scenarios do contain everything that can happen, and not seldom.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use root_posture::{LiveSource, SourcesInUse, Topic};

use crate::account::{Change, Credential};
use crate::strategy::{HOUR, MINUTE, SECOND, Scenario, scenarios};
use crate::transition::{Ask, Outcome, Transition};

fn sample() -> Vec<Scenario> {
    let mut runner = TestRunner::deterministic();
    let strategy = scenarios();
    (0..500)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// Fails unless at least one in twenty of the scenarios is such.
fn often(what: &str, sample: &[Scenario], is_such: impl Fn(&Scenario) -> bool) {
    let count = sample.iter().filter(|scenario| is_such(scenario)).count();
    assert!(count >= 25, "{what}: {count} of {}", sample.len());
}

fn happens(what: &str, sample: &[Scenario], is_such: impl Fn(&Transition) -> bool) {
    often(what, sample, |scenario| {
        scenario.transitions.iter().any(&is_such)
    });
}

#[test]
fn the_truth_changes_in_every_way() {
    use Credential::{Absent, Active, Inactive};
    let sample = sample();
    let change = |what: &str, is_such: fn(&Change) -> bool| {
        happens(
            what,
            &sample,
            |transition| matches!(transition, Transition::Change(change) if is_such(change)),
        );
    };
    change("a key is made or activated", |it| {
        matches!(it, Change::Key(_, Active))
    });
    change("a key is deactivated", |it| {
        matches!(it, Change::Key(_, Inactive))
    });
    change("a key is deleted", |it| {
        matches!(it, Change::Key(_, Absent))
    });
    change("a certificate changes", |it| {
        matches!(it, Change::Certificate(..))
    });
    change("MFA goes on", |it| matches!(it, Change::Mfa(true)));
    change("MFA goes off", |it| matches!(it, Change::Mfa(false)));
    change("a password is set", |it| {
        matches!(it, Change::Password(true))
    });
    change("a password is removed", |it| {
        matches!(it, Change::Password(false))
    });
    for active in 0..=2 {
        often("active keys at first", &sample, |scenario| {
            scenario.setup.state.of(Topic::Keys).active == active
        });
    }
}

#[test]
fn the_sources_answer_fail_and_lag_in_every_way() {
    let sample = sample();
    for source in LiveSource::ALL {
        let ask = |what: &str, is_such: fn(&Ask) -> bool| {
            happens(
                what,
                &sample,
                |transition| matches!(transition, Transition::Ask(ask) if ask.source == source && is_such(ask)),
            );
        };
        ask("an answer at once", |ask| {
            matches!(ask.outcome, Outcome::Answers { after: 0 })
        });
        ask(
            "a slow answer",
            |ask| matches!(ask.outcome, Outcome::Answers { after } if after > SECOND),
        );
        ask("a failure", |ask| {
            matches!(ask.outcome, Outcome::Fails { .. })
        });
        ask("a hang", |ask| matches!(ask.outcome, Outcome::Hangs));
        ask("an answer after the deadline", |ask| {
            matches!(ask.outcome, Outcome::AnswersLate { .. })
        });
        ask("an answer that lags", |ask| ask.lag > MINUTE);
        ask("a topic left out", |ask| ask.topics.contains(&false));
        often("a source that always lags", &sample, |scenario| {
            scenario.setup.lags[source as usize] > MINUTE
        });
    }
    let report = |what: &str, is_such: fn(i64, i64) -> bool| {
        happens(
            what,
            &sample,
            |transition| matches!(transition, Transition::Report { age, content_age } if is_such(*age, *content_age)),
        );
    };
    report("a new report", |age, content_age| {
        age < MINUTE && content_age == 0
    });
    report("an old report", |age, _| age > HOUR);
    report("a report of old content", |_, content_age| {
        content_age > MINUTE
    });
    happens("no report yet", &sample, |it| {
        matches!(it, Transition::NoReportYet)
    });
    happens("the same once more", &sample, |it| {
        matches!(it, Transition::Duplicate)
    });
    for sources in ["SKR", "SR", "SK", "KR", "K", "R", "S"] {
        let sources = SourcesInUse {
            summary: sources.contains('S'),
            list: sources.contains('K'),
            report: sources.contains('R'),
        };
        often("sources in use", &sample, |scenario| {
            scenario.setup.sources == sources
        });
    }
    for interval in [15, 60, 300] {
        often("an interval", &sample, |scenario| {
            scenario.setup.interval == interval
        });
    }
    for most in [1, 2] {
        often("a summary that counts so far", &sample, |scenario| {
            scenario.setup.summary_counts_to == most
        });
    }
}

#[test]
fn time_passes_every_limit_and_processes_restart() {
    let sample = sample();
    let wait = |what: &str, least: i64| {
        happens(
            what,
            &sample,
            |it| matches!(it, Transition::Wait(millis) if *millis >= least),
        );
    };
    wait("a wait", 0);
    wait("one that ends a run", 18 * MINUTE);
    wait("one beyond max_live_staleness", 31 * MINUTE);
    wait("one until the next report", 4 * HOUR);
    wait("one that leaves max_staleness hardly any time", 9 * HOUR);
    happens(
        "a quick restart",
        &sample,
        |it| matches!(it, Transition::Restart { down } if *down < 3 * SECOND),
    );
    happens(
        "a slow restart",
        &sample,
        |it| matches!(it, Transition::Restart { down } if *down > 10 * MINUTE),
    );
    happens(
        "a step of the wall clock ahead",
        &sample,
        |it| matches!(it, Transition::WallClockSteps(millis) if *millis > MINUTE),
    );
    happens(
        "a step of the wall clock back",
        &sample,
        |it| matches!(it, Transition::WallClockSteps(millis) if *millis < -MINUTE),
    );
    happens("other sources", &sample, |it| {
        matches!(it, Transition::UseSources(_))
    });
    often("many transitions", &sample, |scenario| {
        scenario.transitions.len() > 60
    });
    often("few transitions", &sample, |scenario| {
        scenario.transitions.len() < 15
    });
}
