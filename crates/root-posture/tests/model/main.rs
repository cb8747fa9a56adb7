//! A reference model: a random true history of an account, sources that lag, fail and hang,
//! restarts and clocks that step; and what is shown, compared step by step with what the rules
//! allow, given the truth and what was answered.
//!
//! * `account` is the truth, `clock` the time, `reference` the world with all that was answered.
//! * `sut` is the record and its judgement.
//! * `transition` and `strategy` are what can happen, `driver` makes it happen to both.
//! * `assertions` are the rules. They never compute a judgement: they know the truth and the answers.
//! * `generators` tests that every kind of thing does happen.
//!
//! `MODEL_CASES` asks for more cases, `MODEL_SEED` for others.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod account;
mod assertions;
mod claims;
mod clock;
mod driver;
mod generators;
mod reference;
mod strategy;
#[path = "../support/mod.rs"]
mod support;
mod sut;
mod transition;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use strategy::scenarios;

/// The cases of an ordinary run, and their seed: each change is judged by the same ones.
const CASES: u32 = 200;
const SEED: u64 = 16;

#[test]
fn every_exported_value_is_allowed_by_the_truth_and_the_answers() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let cases = number("MODEL_CASES").map_or(CASES, |cases: u64| u32::try_from(cases).unwrap());
    let seed = number("MODEL_SEED").unwrap_or(SEED);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    });
    let outcome = runner.run(&scenarios(), |scenario| {
        driver::run(&scenario, None).map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Abort(reason)) => panic!("{reason}"),
        Err(TestError::Fail(_, scenario)) => {
            let mut trace = String::new();
            let what = driver::run(&scenario, Some(&mut trace));
            panic!("{what:?}\nMODEL_CASES={cases} MODEL_SEED={seed}\n{trace}");
        }
    }
}
