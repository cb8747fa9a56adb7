//! The storm: thirty accounts in all kinds of trouble at once, real changes in the midst of it, the
//! real daemon killed and started again and again; and a witness who knows the truth and compares
//! it with every scrape.
//!
//! `STORM_SEED` decides what happens and in which order, `STORM_MINUTES` for how long; a failure
//! tells the seed. Without one every change of the code is judged by the same storm; `make storm`
//! makes others. When which answer meets which change is the machine's doing, so that the same seed
//! may need some storms to fail again.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod fleet;
mod history;
mod plan;
mod proofs;
#[allow(
    dead_code,
    reason = "the end-to-end tests use all of it, the storm a part"
)]
#[path = "../e2e/support/mod.rs"]
mod support;
mod witness;

use std::env;
use std::time::{Duration, Instant};

use fleet::Fleet;

/// The storm that is made where nobody asks for another.
const SEED: u64 = 21;

/// How long after the last fault and the last change everything is true again, at most.
const CALM: Duration = Duration::from_secs(60);

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} must be a whole number, not {text:?}")))
}

#[test]
fn in_a_storm_nothing_is_shown_that_is_not_true_and_afterwards_all_is_known() {
    let seed = number("STORM_SEED").unwrap_or(SEED);
    let length = Duration::from_secs(60 * number("STORM_MINUTES").unwrap_or(1));
    eprintln!("the storm of STORM_SEED={seed}");
    let mut fleet = Fleet::at_anchor(seed);
    let outcome = fleet.weather(plan::of(seed, length, fleet.accounts()), CALM);
    match outcome {
        Ok(told) => eprintln!("STORM_SEED={seed}: {told}"),
        Err(why) => panic!("STORM_SEED={seed}: {why}"),
    }
}

/// Waits until that moment, which a slow machine may have passed already.
fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}
