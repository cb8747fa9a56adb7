//! What is exposed, read back from the bytes.
//!
//! `build` makes snapshots, `parse` reads both formats strictly.

mod build;
mod catalogue;
mod families;
mod formats;
mod parse;
mod renderer;
