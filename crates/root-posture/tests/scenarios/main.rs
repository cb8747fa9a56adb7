//! Scenarios with the expected values after each step: examples of the rules, and the defects that led
//! to the rules.
//!
//! A row is the name of a scenario and its steps, divided by `|`. A step is
//! `@time evidence … = value`:
//!
//! * The time counts from the start (`@90`, `@2h`); without it a step comes 60 s after the one before.
//! * `S1` is a summary that counts 1; `K2/1` a list of 2 keys, 1 of them active; `R1/0` a report, one
//!   second old. Flags are `Son`, `Koff` (MFA) and `Syes`, `Kno` (password). `~20m` behind it: asked,
//!   or generated, 20 minutes before.
//! * `Sx`, `Kx`: a failed attempt. `P`: no report yet. `use:KR`: from now on with these sources. `.`:
//!   time passes.
//! * The expected value is the active count, or `present/active`, or the flag; `?` is no sample.
//!
//! Every row runs as it is, with a restart after each step, with one after every step, and with the
//! evidence of each step in the other order.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod expiry;
mod first_start;
mod flags;
mod live;
mod notation;
mod reports;
#[path = "../support/restart.rs"]
mod restart;
