//! That each rule finds what breaks it, and lets pass what only looks like that.

use std::time::{Duration, Instant};

use aws_simulator::{Call, Counts, Inventory, Operation, Reported};

use crate::answers::{Answers, Topic};
use crate::rules::{Known, SAVED_WITHIN, STALENESS, Scrape, Shown, check};

const LIST: Operation = Operation::ListAccessKeys;
const SUMMARY: Operation = Operation::GetAccountSummary;
const REPORT: Operation = Operation::GetCredentialReport;

/// An account over some minutes: what AWS answers, and what is scraped. Seconds count from its
/// beginning.
struct Account {
    begun: Instant,
    answers: Answers,
    before: [Shown; 4],
}

impl Account {
    /// One whose source answered so, second by second, with so many keys present and active.
    fn with(source: Operation, answers: &[(usize, usize)]) -> Self {
        Self {
            begun: Instant::now(),
            answers: Answers::default(),
            before: Default::default(),
        }
        .answer(source, 0, answers)
    }

    fn at(&self, second: u64) -> Instant {
        self.begun + Duration::from_secs(second)
    }

    fn call(&self, operation: Operation, second: u64) -> Call {
        Call {
            at: i64::try_from(second).unwrap(),
            moment: self.at(second),
            account: None,
            operation: Some(operation),
            status: Some(200),
            error: None,
            external_id: false,
            whole: true,
            reported: None,
        }
    }

    fn answer(mut self, source: Operation, first: u64, answers: &[(usize, usize)]) -> Self {
        for (second, (present, active)) in (first..).zip(answers) {
            let root = Inventory {
                keys: Counts {
                    present: *present,
                    active: *active,
                },
                mfa: true,
                ..Inventory::default()
            };
            let mut call = self.call(source, second);
            let generated = (source == REPORT).then_some(call.at);
            call.reported = Some(Reported { root, generated });
            self.answers.take(&call);
        }
        self
    }

    fn fail(mut self, operation: Operation, second: u64) -> Self {
        let mut call = self.call(operation, second);
        call.whole = false;
        self.answers.take(&call);
        self
    }

    fn kill(mut self, second: u64) -> Self {
        let killed = self.at(second);
        let saved = killed.checked_sub(SAVED_WITHIN).unwrap();
        self.answers.lose(saved, killed);
        self
    }

    fn shown_before(mut self, present: usize, active: usize) -> Self {
        self.before[Topic::Keys as usize] = keys((present, active));
        self
    }

    /// What the rules say of a scrape that shows so many keys, or none at all.
    fn check(&self, second: u64, shown: impl Into<Option<(usize, usize)>>) -> Result<(), String> {
        let scrape = |second, shown| Scrape {
            begun: self.at(second),
            ended: self.at(second),
            shown,
        };
        let mut now = [Shown::default(); 4];
        now[Topic::Keys as usize] = shown.into().map_or(Shown::default(), keys);
        let known = Known {
            before: &scrape(second, self.before),
            answers: &self.answers,
            most_counted: &|_| 2,
        };
        // The other topics show what was said last, until it expires.
        let mut scrape = scrape(second, now);
        for topic in [Topic::Certificates, Topic::MfaOff, Topic::Password] {
            let said = self.answers.of(topic).last();
            let said = said.filter(|said| said.at + STALENESS > scrape.begun);
            scrape.shown[topic as usize] = said.map_or(Shown::default(), |said| Shown {
                present: Some(said.counts.present),
                active: Some(said.counts.active),
            });
        }
        check(&scrape, known)
    }
}

fn keys((present, active): (usize, usize)) -> Shown {
    Shown {
        present: Some(present),
        active: Some(active),
    }
}

#[track_caller]
fn broken(result: Result<(), String>, why: &str) {
    let said = result.expect_err("a rule is broken");
    assert!(said.contains(why), "{said}");
}

#[test]
fn no_more_is_shown_than_a_source_says() {
    let account = Account::with(LIST, &[(1, 1), (1, 1), (1, 1)]);
    account.check(10, (1, 1)).unwrap();
    broken(account.check(10, (2, 1)), "no source says more");
    broken(account.check(10, (2, 2)), "no source says more");
}

#[test]
fn one_answer_that_says_less_lowers_nothing_and_two_lower() {
    let once = Account::with(LIST, &[(1, 1), (1, 1), (0, 0)]);
    once.check(10, (1, 1)).unwrap();
    broken(once.check(10, (0, 0)), "no two later answers say less");
    let twice = once.answer(LIST, 3, &[(0, 0)]);
    twice.check(10, (0, 0)).unwrap();
    broken(twice.check(10, (1, 1)), "no source says more");
    twice.check(4, (1, 1)).unwrap();
}

#[test]
fn a_summary_that_says_none_twice_ends_what_a_list_said() {
    let account = Account::with(LIST, &[(1, 1)]).fail(LIST, 1);
    let none = account.answer(SUMMARY, 7, &[(0, 0)]);
    broken(none.check(15, (0, 0)), "no two later answers say less");
    none.answer(SUMMARY, 8, &[(0, 0)])
        .check(15, (0, 0))
        .unwrap();
}

#[test]
fn a_key_that_only_a_summary_counts_is_active() {
    let account = Account::with(REPORT, &[(0, 0)]).answer(SUMMARY, 1, &[(1, 0), (1, 0)]);
    account.check(20, (1, 1)).unwrap();
    broken(account.check(20, (1, 0)), "no two later answers say less");
    account.check(4, (0, 0)).unwrap();
}

#[test]
fn an_inactive_key_is_not_active_while_the_summary_lags() {
    let account = Account::with(LIST, &[(1, 0), (1, 0), (0, 0), (0, 0), (0, 0)]);
    let account = account.answer(SUMMARY, 0, &[(1, 0), (1, 0), (1, 0), (1, 0), (1, 0)]);
    account.check(10, (1, 0)).unwrap();
    broken(account.check(10, (1, 1)), "no source says more");
}

#[test]
fn a_report_counts_until_a_live_source_refutes_it() {
    let account = Account::with(LIST, &[(0, 0), (0, 0)]).fail(LIST, 2);
    let account = account.answer(REPORT, 10, &[(1, 1)]);
    broken(account.check(19, (0, 0)), "is in force");
    // It may be held.
    account.check(17, (0, 0)).unwrap();
    let refuted = account.answer(LIST, 20, &[(0, 0), (0, 0)]);
    refuted.check(30, (0, 0)).unwrap();
    broken(refuted.check(30, (1, 1)), "no source says more");
}

#[test]
fn what_is_alarming_falls_by_answers_alone() {
    let account = Account::with(LIST, &[(1, 1)]).shown_before(1, 1).kill(2);
    broken(account.check(3, (0, 0)), "no answer says less");
    broken(account.check(3, None), "is gone");
    let less = account.answer(LIST, 3, &[(0, 0)]);
    less.check(3, (0, 0)).unwrap();
    broken(less.check(60, (0, 0)), "no answer says less");
}

#[test]
fn a_zero_needs_a_source_that_says_so_and_a_recent_answer() {
    let account = Account::with(SUMMARY, &[(0, 0), (0, 0)]);
    account.check(10, (0, 0)).unwrap();
    broken(account.check(20, (0, 0)), "old");
    let failed = Account::with(SUMMARY, &[(1, 0)]);
    broken(failed.check(3, (0, 0)), "no source says so");
}

#[test]
fn a_value_is_there_while_a_live_source_answers() {
    let account = Account::with(SUMMARY, &[(0, 0), (0, 0)]);
    broken(account.check(10, None), "no value");
    account.check(20, None).unwrap();
}

#[test]
fn an_answer_after_a_failed_call_or_before_a_kill_may_be_unknown() {
    let account = |second| {
        Account::with(LIST, &[(0, 0)])
            .fail(LIST, 1)
            .answer(LIST, second, &[(1, 1)])
    };
    account(6).check(17, (0, 0)).unwrap();
    broken(
        account(7).check(17, (0, 0)),
        "no two later answers say less",
    );
    account(7).kill(14).check(17, (0, 0)).unwrap();
    broken(
        account(7).kill(16).check(17, (0, 0)),
        "no two later answers say less",
    );
}
