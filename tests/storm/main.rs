//! The storm: thirty accounts with all kinds of faults at once, real changes in the midst of them,
//! replicas of IAM that lag, and the real daemon killed and started again and again. Every scrape is
//! held to rules that follow from what AWS answered, and in the calm after it to the truth.
//!
//! `STORM_SEED` decides what happens and in which order, `STORM_MINUTES` for how long; a failure
//! names the seed. Without one every change of the code meets the same storm; `make storm` makes
//! others. Which answer meets which change is up to the machine, so the same seed may need some
//! storms to fail again.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod answers;
mod fleet;
mod plan;
mod rules;
#[cfg(test)]
mod rules_tests;

use std::env;
use std::time::{Duration, Instant};

use fleet::Fleet;

/// The storm where no other is asked for.
const SEED: u64 = 21;

/// How long after the last fault and the last change everything is true again, at most.
const CALM: Duration = Duration::from_secs(60);

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} must be a whole number, not {text:?}")))
}

#[test]
fn in_a_storm_no_rule_is_broken_and_afterwards_the_truth_is_shown() {
    let seed = number("STORM_SEED").unwrap_or(SEED);
    let length = Duration::from_secs(60 * number("STORM_MINUTES").unwrap_or(1));
    eprintln!("the storm of STORM_SEED={seed}");
    let mut fleet = Fleet::at_anchor(seed);
    let outcome = fleet.run(plan::of(seed, length, fleet.accounts()), CALM);
    match outcome {
        Ok(summary) => eprintln!("STORM_SEED={seed}: {summary}"),
        Err(why) => panic!("STORM_SEED={seed}: {why}"),
    }
}

/// Waits until that moment, which a slow machine may have passed already.
fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}
