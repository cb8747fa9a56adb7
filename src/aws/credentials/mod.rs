//! Where credentials come from: the SDK's own providers, and what they lack.
//!
//! Each reading of credentials makes a new provider, so that changed files count. No message holds
//! more of an access key than its last four characters, nor what a program printed.

mod environment;
mod files;
pub mod machine;
mod network;
mod process;
mod sources;
mod watch;

pub use process::end_processes;
pub(super) use sources::{Sources, checked, last_four};
pub(super) use watch::Watch;
