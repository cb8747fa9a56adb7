//! The fault matrix: each fault in each operation, the reason that is counted and the values meanwhile.
//!
//! `table.rs` is the matrix; the other files verify it row by row and write it down for users.

mod accounts;
mod addresses;
mod lists;
mod page;
mod table;
mod values;
