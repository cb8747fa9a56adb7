//! The storm: thirty accounts with all kinds of faults at once, changes in the midst of them, replicas of
//! IAM that lag, events that are late, lost or forged, and the daemon killed and started again and again.
//! Every scrape is checked by rules that follow from the answers of AWS, and in the calm after it by the
//! real state of the accounts. No rule knows of events: no value follows from one.
//!
//! `STORM_SEED` decides what happens and in which order, `STORM_MINUTES` for how long; a failure
//! names the seed. Without one the storm is always the same; `make storm` makes others. The timing
//! depends on the machine, so a seed may need several runs to fail again.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod answers;
mod events;
mod fleet;
mod plan;
#[path = "../../crates/aws-simulator/examples/simulator/random.rs"]
mod random;
mod rules;
#[cfg(test)]
mod rules_tests;

use std::env;
use std::time::{Duration, Instant};

use fleet::Fleet;

/// The default storm.
const SEED: u64 = 21;

/// The longest time from the last fault and change until all values are right.
const CALM: Duration = Duration::from_secs(60);

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} must be a whole number, not {text:?}")))
}

#[test]
fn in_a_storm_no_rule_is_broken_and_afterwards_all_values_are_right() {
    let seed = number("STORM_SEED").unwrap_or(SEED);
    let length = Duration::from_secs(60 * number("STORM_MINUTES").unwrap_or(1));
    eprintln!("the storm of STORM_SEED={seed}");
    let mut fleet = Fleet::new(seed);
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
