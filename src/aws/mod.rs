//! The calls to AWS: credentials, sessions, operations, and the reason for each failure.
//!
//! Nothing here decides when to ask again, or what an answer means for an account. Only [`delete`]
//! changes anything in AWS.

#![allow(
    clippy::missing_errors_doc,
    reason = "every operation fails with a `Failure`, whose reason says why"
)]

mod call;
mod classify;
mod client;
mod credentials;
mod current_call;
pub mod delete;
mod hint;
mod operation;
mod organization;
mod polled_call;
mod questions;
pub mod queue;
mod request_id;
mod root;
mod session;
mod slot;
#[cfg(test)]
mod tests;

pub use call::Answer;
pub use client::{Aws, CallObserver, Settings};
pub use credentials::{end_processes, machine};
pub use organization::{AccountPage, Member, Unit, UnitPage, UnitQuestion};
pub use questions::{Fetched, ReportState};
pub use request_id::RequestId;
pub use session::Identity;
pub use slot::SessionKind;
