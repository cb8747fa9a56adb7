//! Any bytes as `config.toml`: `checks/config.rs` says what must hold.
//!
//! Run it with `make fuzz TARGET=config`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/config.rs"]
mod config;

fuzz_target!(|bytes: &[u8]| {
    config::check(bytes);
});
