//! The documents are true: what they name exists, what they link to is there, what they promise
//! or deny is what the binary does, and the code keeps the order that `ARCHITECTURE.md` tells of.
//!
//! A test that fails here says which file to open and what to write there.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod arrows;
mod circles;
mod links;
mod markdown;
mod names;
mod promises;
mod source;
