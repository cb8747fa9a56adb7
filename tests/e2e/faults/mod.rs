//! The fault matrix: each fault in each operation, what it is counted as and what is shown.
//!
//! `table.rs` is the statement; the others verify it row by row and write it down for users.

mod accounts;
mod addresses;
mod lists;
mod page;
mod table;
mod values;
