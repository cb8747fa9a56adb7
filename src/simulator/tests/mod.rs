//! The simulator from outside: over a real connection, with a clock that the tests move.

mod client;
mod faults;
mod iam;
mod organizations;
mod sdk;
mod sts;
