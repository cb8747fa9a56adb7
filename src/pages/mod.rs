//! The pages for people and the JSON API: which accounts have a root key, since when, and what to
//! do about it.
//!
//! From a snapshot and a path to a response, without I/O. Templates escape all values. The pages
//! have no script and load nothing from elsewhere; the content security policy in `html` makes the
//! browser enforce that.

mod account;
mod api;
mod html;
mod overview;
mod paths;
mod query;

pub use paths::Pages;
