//! Parses credential reports, from bytes to typed rows.
//!
//! `rows` splits the text into rows, `columns` finds the columns by their names, `fields` parses one
//! row, `parse` checks the whole, `users` counts the IAM users, `content` holds the types. A root row
//! that cannot be parsed is an error, never a zero.

mod columns;
mod content;
mod error;
mod fields;
mod parse;
mod rows;
mod users;

#[cfg(test)]
mod tests;

pub use content::{CertificateSlot, CredentialReport, KeySlot, RootRow, Slot, UserRow};
pub use error::{Flaw, ReportError};
pub use parse::parse;
pub use users::UserCounts;
