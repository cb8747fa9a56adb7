//! The commands as a person or a pipeline runs them: the real binary as a child process, its exit
//! code, and what it prints.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod check_live;
mod check_report;
mod environment;
mod healthcheck;
mod policy;
mod print;
mod remediate;
mod simulated;
mod usage;
