//! Push: which polls follow an event, when an account is polled rarely, and that no message changes a
//! value or makes one appear later.

use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::activity::{Activity, RootEvent};
use crate::schedule::notices::{FromQueue, Notice};
use crate::schedule::push::PushSettings;
use crate::views::{EventStats, MessageKind};

const RELAXED: Duration = Duration::from_secs(900);
const ECHO_TIMEOUT: Duration = Duration::from_secs(300);
const SECOND: Duration = Duration::from_secs(1);

fn push_settings(relaxed_interval: Duration) -> Settings {
    Settings {
        push: Some(PushSettings {
            relaxed_interval,
            echo_timeout: ECHO_TIMEOUT,
        }),
        ..settings()
    }
}

fn nothing(account: AccountId) -> Notice {
    Notice {
        account,
        summary: None,
        activity: None,
        tampered: None,
        rule_put: None,
    }
}

fn activity(account: u64, event_id: &str, event: RootEvent) -> Notice {
    Notice {
        activity: Some(Activity {
            id: event_id.to_owned(),
            ..Activity::example(event, START)
        }),
        ..nothing(id(account))
    }
}

/// Root makes a key.
fn made(account: u64) -> Notice {
    activity(account, "e1", RootEvent::CreateAccessKey)
}

fn tampering() -> Notice {
    Notice {
        tampered: Some(START),
        ..nothing(id(1))
    }
}

fn echo(account: AccountId, request: RequestId) -> Notice {
    Notice {
        summary: Some(request),
        ..nothing(account)
    }
}

impl Simulation {
    /// Accounts of which every source says the same: how many active keys each has is in the cell, and
    /// none at first.
    fn pushed(accounts: u64, relaxed_interval: Duration) -> (Self, Rc<Cell<u8>>) {
        let keys = Rc::new(Cell::new(0));
        let script = Rc::clone(&keys);
        let script = move |_, _: &Question| Reply::Keys(script.get(), script.get());
        let settings = push_settings(relaxed_interval);
        let mut simulation = Self::with(settings, State::default(), accounts, Box::new(script));
        let exporter = &simulation.views.exporter;
        exporter.note(|view| view.events = Some(EventStats::default()));
        simulation.core.take(FromQueue::Up(true));
        (simulation, keys)
    }

    /// One account whose push is verified, and that is polled rarely.
    fn relaxed() -> (Self, Rc<Cell<u8>>) {
        let (mut simulation, keys) = Self::pushed(1, RELAXED);
        simulation.run_with_echoes(INTERVAL * 3);
        assert_eq!(simulation.push(), (Some(true), RELAXED));
        (simulation, keys)
    }

    fn deliver(&mut self, notices: Vec<Notice>) -> Vec<MessageKind> {
        let (done, mut kinds) = oneshot::channel();
        self.core.take(FromQueue::Events(notices, done));
        kinds.try_recv().unwrap()
    }

    /// Lets time pass second by second, and delivers the echo of each poll in the second after it.
    fn run_with_echoes(&mut self, duration: Duration) {
        for _ in 0..duration.as_secs() {
            let before = self.summaries.len();
            self.run(SECOND);
            let echoes = self.summaries[before..].iter();
            let echoes = echoes.map(|(account, request)| echo(*account, *request));
            let echoes = echoes.collect();
            self.deliver(echoes);
        }
    }

    /// When an account was polled since `start`, in seconds after it.
    fn polls_since(&self, account: u64, start: Moment) -> Vec<u64> {
        let polls = self.asked.get(&(id(account), "summary")).into_iter();
        let polls = polls.flatten().filter(|at| **at >= start);
        polls.map(|at| at.since(start).as_secs()).collect()
    }

    /// Whether push is up, and the interval in force.
    fn push(&self) -> (Option<bool>, Duration) {
        let push = self.views.get(id(1)).unwrap().push;
        (push.up, push.interval)
    }
}

#[test]
fn an_event_is_followed_by_polls_at_once_and_after_5_15_and_60_seconds() {
    let (mut simulation, _) = Simulation::pushed(1, RELAXED);
    simulation.run(SECOND * 100);
    let arrival = simulation.clock.moment();
    assert_eq!(simulation.deliver(vec![made(1)]), [MessageKind::Root]);
    simulation.run(SECOND * 130);
    let polls = simulation.polls_since(1, arrival);
    // The regular ones are at 20 and 80.
    assert_eq!(polls, [0, 5, 15, 20, 60, 80]);
    let view = simulation.views.get(id(1)).unwrap();
    assert_eq!(view.activities.recent().len(), 1);
    assert_eq!(simulation.active(1), Some(0), "an event is no evidence");
}

#[test]
fn a_key_is_exported_2_seconds_after_its_event_and_16_where_two_polls_are_stale() {
    for (stale_for, within) in [(0, 2), (14, 16)] {
        let (mut simulation, keys) = Simulation::pushed(1, RELAXED);
        simulation.run(SECOND * 121);
        simulation.deliver(vec![made(1)]);
        let mut passed = 0;
        while simulation.active(1) != Some(1) {
            assert!(passed < within, "stale for {stale_for} s");
            if passed >= stale_for {
                keys.set(1);
            }
            simulation.run(SECOND);
            passed += 1;
        }
        let shown = simulation.clock.moment();
        simulation.run(SECOND * 60);
        let polls = simulation.polls_since(1, shown);
        assert_eq!(polls.len(), 1, "the regular one: {polls:?}");
    }
}

#[test]
fn events_of_one_account_cause_a_poll_every_two_seconds_at_most() {
    let (mut simulation, _) = Simulation::pushed(2, RELAXED);
    simulation.run(SECOND * 10);
    let start = simulation.clock.moment();
    for round in 0..600 {
        let forged = |n| activity(1, &format!("{round}-{n}"), RootEvent::DeleteAccessKey);
        simulation.deliver((0..20).map(forged).collect());
        simulation.run(SECOND / 10);
    }
    let polls = simulation.polls_since(1, start).len();
    assert!((25..=32).contains(&polls), "{polls} in a minute");
    assert_eq!(simulation.polls_since(2, start).len(), 1);
    let details = &simulation.asked[&(id(1), "certificates")];
    let details = details.iter().filter(|at| **at >= start).count();
    assert!(details <= 2, "{details} polls of the details");
    let view = simulation.views.get(id(1)).unwrap();
    assert_eq!(view.activities.recent().len(), 50);
}

#[test]
fn the_calls_of_a_script_with_a_root_key_cause_few_polls() {
    let (mut simulation, _) = Simulation::pushed(1, RELAXED);
    simulation.run(SECOND * 10);
    let start = simulation.clock.moment();
    for n in 0..120 {
        simulation.deliver(vec![activity(1, &n.to_string(), RootEvent::Other)]);
        simulation.run(SECOND);
    }
    let polls = simulation.polls_since(1, start).len();
    assert!(polls <= 10, "{polls} in two minutes");
}

#[test]
fn a_duplicate_causes_no_poll() {
    let (mut simulation, _) = Simulation::pushed(1, RELAXED);
    simulation.deliver(vec![made(1)]);
    simulation.run(SECOND * 130);
    let again = simulation.clock.moment();
    assert_eq!(simulation.deliver(vec![made(1)]), [MessageKind::Root]);
    simulation.run(SECOND * 20);
    assert!(simulation.polls_since(1, again).len() <= 1);
}

#[test]
fn events_of_all_accounts_cause_fifty_polls_a_second_and_delay_no_regular_one() {
    const ACCOUNTS: u64 = 2000;
    let (mut simulation, _) = Simulation::pushed(ACCOUNTS, RELAXED);
    simulation.run(INTERVAL * 2);
    let start = simulation.clock.moment();
    let polled = simulation.summaries.len();
    simulation.run(INTERVAL);
    let regular = simulation.summaries.len() - polled;
    let start_of_events = simulation.clock.moment();
    assert_eq!(start_of_events.since(start), INTERVAL);
    simulation.deliver((1..=ACCOUNTS).map(made).collect());
    simulation.run(INTERVAL);
    let extra = simulation.summaries.len() - polled - 2 * regular;
    // 40 a second, as long as there are any.
    assert!((2300..=50 * 60).contains(&extra), "{extra} in a minute");
    let gap = simulation.longest_gap("summary");
    assert!(gap <= INTERVAL + SECOND, "{gap:?}");
}

#[test]
fn a_failing_account_gets_no_extra_poll() {
    let script = |_, _: &Question| Reply::Refused(Reason::Throttled);
    let settings = push_settings(RELAXED);
    let mut simulation = Simulation::with(settings, State::default(), 1, Box::new(script));
    simulation.run(INTERVAL * 10);
    let start = simulation.clock.moment();
    for n in 0..300 {
        simulation.deliver(vec![activity(
            1,
            &n.to_string(),
            RootEvent::CreateAccessKey,
        )]);
        simulation.run(SECOND * 2);
    }
    let polls = simulation.polls_since(1, start).len();
    assert!(polls < 60, "{polls} in ten minutes");
}

#[test]
fn an_account_whose_echoes_arrive_is_polled_every_quarter_of_an_hour() {
    let (mut simulation, _) = Simulation::relaxed();
    let start = simulation.clock.moment();
    simulation.run_with_echoes(RELAXED * 4);
    let polls = simulation.polls_since(1, start);
    assert!((4..=5).contains(&polls.len()), "{polls:?} in an hour");
    let lists = &simulation.asked[&(id(1), "keys")];
    let lists = lists.iter().filter(|at| **at >= start).count();
    assert!((4..=5).contains(&lists), "{lists} lists in an hour");
    assert_eq!(simulation.active(1), Some(0), "still known");
}

#[test]
fn without_echoes_or_with_forged_ones_an_account_is_polled_at_the_interval() {
    let (mut simulation, _) = Simulation::pushed(2, RELAXED);
    for n in 0..20 {
        simulation.run(INTERVAL);
        let newest = *simulation.summaries.last().unwrap();
        let forged = echo(id(1), RequestId::of(format!("forged {n}")));
        // The right request, but in the name of the other account.
        let other = if newest.0 == id(1) { id(2) } else { id(1) };
        let kinds = simulation.deliver(vec![forged, echo(other, newest.1)]);
        assert_eq!(kinds, [MessageKind::Ignored; 2]);
    }
    assert_eq!(simulation.push(), (None, INTERVAL));
    assert!(simulation.longest_gap("summary") <= INTERVAL);
}

#[test]
fn an_echo_counts_once_also_before_the_answer() {
    let (mut simulation, _) = Simulation::pushed(1, RELAXED);
    simulation.run(SECOND);
    let (account, request) = simulation.summaries[0];
    let kinds = simulation.deliver(vec![echo(account, request), echo(account, request)]);
    assert_eq!(kinds, [MessageKind::Echo, MessageKind::Ignored]);
    let view = simulation.views.exporter.view(Moment::default());
    assert_eq!(view.events.unwrap().delays.iter().sum::<u64>(), 1);
    assert_eq!(simulation.push().0, Some(true));

    let (mut simulation, _) = Simulation::pushed(1, RELAXED);
    simulation.run(QUICK / 2);
    let (account, request) = simulation.summaries[0];
    simulation.deliver(vec![echo(account, request)]);
    assert_eq!(simulation.push().0, None, "the answer may never come");
    simulation.run(QUICK);
    assert_eq!(simulation.push().0, Some(true));
}

#[test]
fn a_missing_echo_ends_the_relaxed_interval_within_its_timeout_and_for_a_while() {
    let (mut simulation, _) = Simulation::relaxed();
    let before = simulation.summaries.len();
    while simulation.summaries.len() == before {
        simulation.run(SECOND);
    }
    simulation.run(ECHO_TIMEOUT);
    assert_eq!(simulation.push(), (Some(false), INTERVAL));
    let lost = simulation.clock.moment();
    // Echoes arrive again, but they verify nothing before another timeout has passed.
    simulation.run_with_echoes(ECHO_TIMEOUT.saturating_sub(SECOND));
    assert!(simulation.polls_since(1, lost).len() >= 4);
    assert_eq!(simulation.push(), (Some(false), INTERVAL));
    simulation.run_with_echoes(INTERVAL * 2);
    assert_eq!(simulation.push(), (Some(true), RELAXED));
}

#[test]
fn tampering_ends_the_relaxed_interval_at_once() {
    let (mut simulation, _) = Simulation::relaxed();
    let at = simulation.clock.moment();
    let kinds = simulation.deliver(vec![tampering()]);
    assert_eq!(kinds, [MessageKind::Tampering]);
    assert_eq!(simulation.push(), (Some(false), INTERVAL));
    simulation.run_with_echoes(ECHO_TIMEOUT.saturating_sub(SECOND));
    assert_eq!(simulation.push(), (Some(false), INTERVAL));
    assert!(simulation.polls_since(1, at).len() >= 4);
    let view = simulation.views.get(id(1)).unwrap();
    assert_eq!(view.push.tampered, Some(START));
}

#[test]
fn a_rule_that_is_made_before_any_echo_is_the_roll_out_and_later_tampering() {
    let rule_put = || Notice {
        rule_put: Some(START),
        ..nothing(id(1))
    };
    let (mut simulation, _) = Simulation::pushed(1, RELAXED);
    assert_eq!(simulation.deliver(vec![rule_put()]), [MessageKind::Ignored]);
    simulation.run_with_echoes(INTERVAL * 3);
    assert_eq!(simulation.push(), (Some(true), RELAXED));
    assert_eq!(
        simulation.deliver(vec![rule_put()]),
        [MessageKind::Tampering]
    );
    assert_eq!(simulation.push(), (Some(false), INTERVAL));
}

#[test]
fn a_queue_that_cannot_be_read_ends_the_relaxed_intervals_at_once() {
    let (mut simulation, _) = Simulation::relaxed();
    let at = simulation.clock.moment();
    simulation.core.take(FromQueue::Up(false));
    assert_eq!(simulation.push(), (Some(true), INTERVAL));
    simulation.run(INTERVAL * 3);
    assert_eq!(simulation.polls_since(1, at).len(), 3);
}

#[test]
fn an_account_is_polled_at_the_interval_while_a_reported_key_may_still_show() {
    let (mut simulation, keys) = Simulation::relaxed();
    simulation.deliver(vec![made(1)]);
    // IAM's answers are 70 s behind, longer than the extra polls last.
    simulation.run_with_echoes(SECOND * 70);
    assert_eq!(simulation.active(1), Some(0));
    assert_eq!(simulation.push(), (Some(true), INTERVAL));
    keys.set(1);
    simulation.run_with_echoes(INTERVAL + SECOND);
    assert_eq!(simulation.active(1), Some(1));
    // A key that was gone before any poll lets it rest after a quarter of an hour.
    let (mut simulation, _) = Simulation::relaxed();
    simulation.deliver(vec![made(1)]);
    simulation.run_with_echoes(RELAXED + INTERVAL * 2);
    assert_eq!(simulation.push(), (Some(true), RELAXED));
}

#[test]
fn a_failed_poll_ends_no_series() {
    let refused = Rc::new(Cell::new(false));
    let script = Rc::clone(&refused);
    let script = move |_, question: &Question| match question {
        Question::Summary(_) | Question::RootKeys if script.get() => {
            Reply::Refused(Reason::Throttled)
        }
        _ => Reply::Keys(0, 0),
    };
    let settings = push_settings(RELAXED);
    let mut simulation = Simulation::with(settings, State::default(), 1, Box::new(script));
    simulation.run(SECOND * 121);
    let arrival = simulation.clock.moment();
    refused.set(true);
    simulation.deliver(vec![made(1)]);
    simulation.run(SECOND);
    refused.set(false);
    simulation.run(SECOND * 90);
    let polls = simulation.polls_since(1, arrival);
    // The first failed; the retry serves what came due meanwhile, and the last step is made.
    assert!(polls.contains(&60), "{polls:?}");
}

#[test]
fn an_account_with_a_key_is_never_polled_rarely() {
    let (mut simulation, keys) = Simulation::relaxed();
    keys.set(1);
    simulation.deliver(vec![made(1)]);
    simulation.run_with_echoes(SECOND * 2);
    assert_eq!(simulation.active(1), Some(1));
    let start = simulation.clock.moment();
    simulation.run_with_echoes(INTERVAL * 10);
    assert_eq!(simulation.push(), (Some(true), INTERVAL));
    assert_eq!(simulation.polls_since(1, start).len(), 10);
    // Gone by two answers, it is calm again.
    keys.set(0);
    simulation.run_with_echoes(INTERVAL * 4);
    assert_eq!(simulation.active(1), Some(0));
    assert_eq!(simulation.push(), (Some(true), RELAXED));
}

#[test]
fn after_a_restart_push_has_to_be_verified_again_and_activity_is_known() {
    let (mut simulation, _) = Simulation::relaxed();
    simulation.deliver(vec![made(1)]);
    let saved = simulation.core.saved(id(1)).unwrap();
    let state = State {
        accounts: [(id(1), saved)].into(),
        ..State::default()
    };
    let script = |_, _: &Question| Reply::Keys(0, 0);
    let settings = push_settings(RELAXED);
    let mut restarted = Simulation::with(settings, state, 1, Box::new(script));
    restarted.core.take(FromQueue::Up(true));
    assert_eq!(restarted.push(), (Some(false), INTERVAL));
    let view = restarted.views.get(id(1)).unwrap();
    assert_eq!(view.activities.recent().len(), 1);
    restarted.run_with_echoes(INTERVAL * 3);
    assert_eq!(restarted.push(), (Some(true), RELAXED));
}

#[test]
fn with_an_equal_interval_push_only_speeds_up() {
    let (mut simulation, _) = Simulation::pushed(1, INTERVAL);
    simulation.run_with_echoes(INTERVAL * 20);
    assert_eq!(simulation.push(), (Some(true), INTERVAL));
    assert!(simulation.longest_gap("summary") <= INTERVAL);
}

/// The active keys that are exported at each half second, while there are `truth`, and messages of
/// these kinds arrive, forged or not.
fn exported(truth: &[u8], messages: &[(usize, u8, u8)]) -> Vec<Option<u8>> {
    let (mut simulation, keys) = Simulation::pushed(1, INTERVAL);
    let at_each = truth.iter().enumerate().map(|(at, there)| {
        keys.set(*there);
        for (_, kind, number) in messages.iter().filter(|(when, ..)| *when == at) {
            let event_id = number.to_string();
            let notice = match kind {
                0 => activity(1, &event_id, RootEvent::CreateAccessKey),
                1 => activity(1, &event_id, RootEvent::DeleteAccessKey),
                2 => activity(1, &event_id, RootEvent::Other),
                3 => tampering(),
                4 => echo(id(1), RequestId::of(event_id)),
                5 => match simulation.summaries.last() {
                    Some((account, request)) => echo(*account, *request),
                    None => nothing(id(1)),
                },
                _ => activity(2, &event_id, RootEvent::CreateAccessKey),
            };
            simulation.deliver(vec![notice]);
        }
        simulation.run(SECOND / 2);
        simulation.active(1)
    });
    at_each.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The same account with messages and without: every value is that of polls, and none is later.
    #[test]
    fn whatever_messages_arrive_no_value_is_another_or_later(
        messages in proptest::collection::vec((0usize..1600, 0u8..7, any::<u8>()), 0..80),
        changes in proptest::collection::vec((0usize..300, 0u8..3), 1..5),
    ) {
        // Long enough for each change to be seen and confirmed before the next.
        const SETTLED: usize = 400;
        let mut truth = vec![0; SETTLED];
        let mut spans = vec![(0, truth.len(), 0)];
        for (longer, keys) in changes {
            let from = truth.len();
            truth.extend(std::iter::repeat_n(keys, SETTLED + longer));
            spans.push((from, truth.len(), keys));
        }
        let plain = exported(&truth, &[]);
        let pushed = exported(&truth, &messages);
        for (from, to, keys) in spans {
            let first = |values: &[Option<u8>]| {
                values[from..to].iter().position(|value| *value == Some(keys))
            };
            let (plain, pushed) = (first(&plain), first(&pushed));
            prop_assert!(plain.is_some() && pushed.is_some());
            prop_assert!(pushed <= plain, "{keys} from {from}: {pushed:?} after {plain:?}");
        }
        for (at, value) in pushed.iter().enumerate() {
            // The value of a moment ago or of now, never one that was not.
            let value = value.unwrap_or(0);
            let since = at.saturating_sub(SETTLED);
            prop_assert!(truth[since..=at].contains(&value), "{value} at {at}");
        }
    }
}

#[test]
fn a_regular_poll_is_made_that_is_due_while_an_extra_one_is_in_flight() {
    let (mut simulation, keys) = Simulation::pushed(1, RELAXED);
    simulation.run(Duration::from_millis(119_900));
    simulation.deliver(vec![made(1)]);
    simulation.run(Duration::from_millis(50));
    keys.set(1);
    // The extra poll has asked before that. The regular one at 120 s asks after it.
    simulation.run(SECOND);
    assert_eq!(simulation.active(1), Some(1));
}

#[test]
fn an_extra_poll_that_fails_does_not_postpone_the_regular_one() {
    let is_refused = Rc::new(Cell::new(false));
    let script = Rc::clone(&is_refused);
    let script = move |_, _: &Question| {
        if script.get() {
            Reply::Refused(Reason::Throttled)
        } else {
            Reply::Keys(0, 0)
        }
    };
    let settings = push_settings(RELAXED);
    let mut simulation = Simulation::with(settings, State::default(), 1, Box::new(script));
    simulation.run(SECOND * 118);
    let arrival = simulation.clock.moment();
    is_refused.set(true);
    simulation.deliver(vec![made(1)]);
    simulation.run(SECOND / 2);
    is_refused.set(false);
    simulation.run(SECOND * 3);
    let polls = simulation.polls_since(1, arrival);
    assert!(polls.contains(&2), "{polls:?}");
}

#[test]
fn an_event_that_arrives_during_an_extra_poll_is_followed_by_another() {
    let (mut simulation, keys) = Simulation::pushed(1, RELAXED);
    simulation.run(SECOND * 121);
    simulation.deliver(vec![activity(1, "login", RootEvent::ConsoleLogin)]);
    simulation.run(SECOND / 10);
    keys.set(1);
    simulation.deliver(vec![made(1)]);
    simulation.run(SECOND * 5 / 2);
    assert_eq!(simulation.active(1), Some(1));
}

#[test]
fn a_flood_about_some_accounts_does_not_stop_the_extra_polls_of_all() {
    const FLOODED: u64 = 100;
    let (mut simulation, _) = Simulation::pushed(200, RELAXED);
    simulation.run(SECOND * 121);
    let start = simulation.clock.moment();
    for round in 0..200 {
        let forged = |n| activity(n, &format!("{round}-{n}"), RootEvent::DeleteAccessKey);
        simulation.deliver((1..=FLOODED).map(forged).collect());
        simulation.run(SECOND / 10);
    }
    for flooded in 1..=FLOODED {
        let polls = simulation.polls_since(flooded, start).len();
        assert!(polls >= 5, "{polls} of account {flooded} in 20 seconds");
    }
    let arrival = simulation.clock.moment();
    simulation.deliver(vec![made(FLOODED + 50)]);
    simulation.run(SECOND * 5);
    let polls = simulation.polls_since(FLOODED + 50, arrival);
    assert!(polls.first().is_some_and(|at| *at <= 4), "{polls:?}");
}
