//! Any bytes as `config.toml`: `checks/config.rs` checks the result.
//!
//! Run it with `make fuzz TARGET=config`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/config.rs"]
mod config;

fuzz_target!(|bytes: &[u8]| {
    config::check(bytes);
});
