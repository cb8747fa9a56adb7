//! What a person should know about an account and do about it, as data: findings, the words for
//! its evidence, and remediation procedures.
//!
//! The pages, `check` and `remediate` show it, and the runbooks are tested against it. It is
//! computed from a view each time. Nothing here is stored, printed or written as HTML.

pub(crate) mod accepted;
pub(crate) mod activity;
mod finding;
pub(crate) mod keys;
pub(crate) mod origin;
pub(crate) mod procedure;
pub(crate) mod runbooks;
#[cfg(test)]
mod tests;
pub(crate) mod words;

pub(crate) use finding::{Finding, Findings, Level, RUNBOOKS, Sight, alerts};
pub(crate) use procedure::{Procedure, Step};
