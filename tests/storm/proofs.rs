//! That the witness speaks up: each kind of lie told to it, beside the truths that look like one.

use std::time::{Duration, Instant};

use crate::history::{Counts, History, Truth, Way};
use crate::witness::{Nature, Shown, Witness};

const REPORT: i64 = 1_000;
const START: i64 = 5_000;

fn nature(way: Way) -> Nature {
    Nature {
        way,
        summary_counts: 2,
        first_report: REPORT,
        report_takes: 2,
    }
}

fn truth(active: u8, present: u8) -> Truth {
    Truth {
        keys: Counts { active, present },
        mfa: 1,
        ..Truth::default()
    }
}

/// These truths one after the other, a minute apart.
fn history(truths: &[(u8, u8)]) -> History {
    let mut history = History::new(truth(truths[0].0, truths[0].1), START);
    let mut now = START;
    for (active, present) in &truths[1..] {
        now += 60;
        history.begin(truth(*active, *present), now);
        history.done(now);
    }
    history
}

fn shown(active: impl Into<Option<u8>>, present: impl Into<Option<u8>>) -> Shown {
    Shown {
        keys: vec![active.into(), present.into()],
        certificates: vec![Some(0)],
        mfa: vec![Some(1)],
        password: vec![Some(0)],
        report: Some(REPORT),
        is_stale: false,
    }
}

/// What the witness says at the last of these scrapes; the others it must let pass.
fn at_last(way: Way, history: &History, scrapes: &[Shown]) -> Result<(), String> {
    let mut witness = Witness::new(nature(way), Instant::now());
    let (last, before) = scrapes.split_last().unwrap();
    for scrape in before {
        witness.take(scrape, Instant::now(), history).unwrap();
    }
    witness.take(last, Instant::now(), history)
}

fn lie(said: Result<(), String>, what: &str) {
    let said = said.expect_err("that was a lie");
    assert!(said.contains(what), "{said}");
}

#[test]
fn what_was_never_true_is_a_lie() {
    let history = history(&[(0, 0), (1, 1)]);
    for way in [Way::Role, Way::Both, Way::Root] {
        lie(at_last(way, &history, &[shown(2, 2)]), "was never true");
        let mut without_mfa = shown(0, 0);
        without_mfa.mfa = vec![Some(0)];
        lie(at_last(way, &history, &[without_mfa]), "was never true");
    }
}

#[test]
fn what_is_not_true_yet_is_a_lie() {
    let mut future = history(&[(0, 0)]);
    let mut witness = Witness::new(nature(Way::Root), Instant::now());
    let ended = Instant::now();
    future.begin(truth(1, 1), START);
    lie(witness.take(&shown(1, 1), ended, &future), "");
    witness.take(&shown(1, 1), Instant::now(), &future).unwrap();
}

#[test]
fn going_back_is_a_lie_unless_the_world_did() {
    let there = history(&[(1, 2), (0, 1)]);
    let back = [shown(1, 2), shown(0, 1), shown(1, 2)];
    lie(at_last(Way::Root, &there, &back), "came back");
    let there_and_back = history(&[(1, 2), (0, 1), (1, 2)]);
    at_last(Way::Root, &there_and_back, &back).unwrap();
}

#[test]
fn an_alarm_that_is_gone_is_a_lie_and_what_is_fine_may_go_when_it_is_old() {
    let alarm = history(&[(1, 1)]);
    for is_stale in [false, true] {
        let mut gone = shown(None, None);
        gone.is_stale = is_stale;
        let said = at_last(Way::Both, &alarm, &[shown(1, 1), gone.clone()]);
        lie(said, "is gone");
        let fine = at_last(Way::Both, &history(&[(0, 0)]), &[shown(0, 0), gone]);
        assert_eq!(fine.is_ok(), is_stale, "{fine:?}");
    }
}

#[test]
fn a_summary_does_not_see_what_a_list_does() {
    let history = history(&[(0, 1), (1, 1)]);
    let witness = |way| Witness::new(nature(way), Instant::now());
    // An inactive key was made active: the report of before cannot know.
    witness(Way::Role)
        .is_settled(&shown(0, 1), &history)
        .unwrap();
    lie(witness(Way::Both).is_settled(&shown(0, 1), &history), "");
    witness(Way::Both)
        .is_settled(&shown(1, 1), &history)
        .unwrap();
}

#[test]
fn a_key_that_comes_after_none_was_shown_is_not_the_old_one() {
    let history = history(&[(0, 1), (0, 0), (1, 1)]);
    let scrapes = [shown(0, 1), shown(0, 0), shown(0, 1)];
    lie(at_last(Way::Role, &history, &scrapes), "came back");
    // Where nobody looked meanwhile it cannot be told from the old one.
    at_last(Way::Role, &history, &[shown(0, 1), shown(0, 1)]).unwrap();
}

#[test]
fn a_kill_may_take_back_the_last_seconds_but_no_rise() {
    let lowered = history(&[(1, 1), (0, 0)]);
    let raised = history(&[(0, 0), (1, 1)]);
    let second = Duration::from_secs(1);
    // What became better, how long before the kill, and whether it may be taken back.
    for (history, scrapes, ago, may) in [
        (&lowered, [shown(1, 1), shown(0, 0), shown(1, 1)], 1, true),
        (&lowered, [shown(1, 1), shown(0, 0), shown(1, 1)], 60, false),
        (&raised, [shown(0, 0), shown(1, 1), shown(0, 0)], 1, false),
        (
            &raised,
            [shown(0, 0), shown(1, 1), shown(None, None)],
            1,
            false,
        ),
    ] {
        let mut witness = Witness::new(nature(Way::Both), Instant::now());
        for scrape in &scrapes[..2] {
            witness.take(scrape, Instant::now(), history).unwrap();
        }
        witness.restarted(Instant::now() + second * ago);
        let said = witness.take(&scrapes[2], Instant::now(), history);
        assert_eq!(said.is_ok(), may, "{said:?}");
    }
}

#[test]
fn a_report_that_aws_never_made_is_a_lie() {
    let mut other = shown(0, 0);
    other.report = Some(START - 60);
    lie(
        at_last(Way::Role, &history(&[(0, 0)]), &[other]),
        "never made",
    );
}
