//! The state that survives a restart: a database, and the gate that decides when a value is published.
//!
//! It stores evidence, never a conclusion, and never credentials, session tokens or external ids. The
//! database belongs to this process alone; losing it costs one poll of each account.

mod database;
mod gate;
pub mod import;
mod saved;
#[cfg(test)]
mod tests;

pub use database::{Database, Refusal};
pub use gate::{Disk, Gate, Keeper};
pub use saved::{Changes, Meta, SavedAccount, State};
