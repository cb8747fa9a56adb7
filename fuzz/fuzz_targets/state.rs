//! Any bytes as the state file: `checks/state.rs` checks the result.
//!
//! Run it with `make fuzz TARGET=state`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/state.rs"]
mod state;

fuzz_target!(|bytes: &[u8]| {
    state::check(bytes);
});
