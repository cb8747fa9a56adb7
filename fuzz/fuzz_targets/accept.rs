//! Any bytes as `Accept` and `Accept-Encoding`: `checks/accept.rs` checks the result.
//!
//! Run it with `make fuzz TARGET=accept`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/accept.rs"]
mod accept;

fuzz_target!(|bytes: &[u8]| {
    accept::check(bytes);
});
