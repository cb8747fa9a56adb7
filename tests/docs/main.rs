//! The documents agree with the program, and the code has the structure that `ARCHITECTURE.md` describes.
//!
//! A test that fails here says which file to change, and how.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod arrows;
mod circles;
mod copies;
mod links;
mod markdown;
mod names;
mod promises;
mod source;
