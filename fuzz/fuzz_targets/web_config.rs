//! Any bytes as the web configuration file: `checks/web_config.rs` checks the result.
//!
//! Run it with `make fuzz TARGET=web_config`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/web_config.rs"]
mod web_config;

fuzz_target!(|bytes: &[u8]| {
    web_config::check(bytes);
});
