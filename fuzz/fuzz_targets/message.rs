//! Any bytes as a message of the queue of events: `checks/message.rs` checks the result.
//!
//! Run it with `make fuzz TARGET=message`.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/message.rs"]
mod message;

fuzz_target!(|bytes: &[u8]| {
    message::check(bytes);
});
