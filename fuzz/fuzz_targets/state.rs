//! Any bytes as the state file: `checks/state.rs` says what must hold.
//!
//! Run it with `make fuzz TARGET=state`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/state.rs"]
mod state;

fuzz_target!(|bytes: &[u8]| {
    state::check(bytes);
});
