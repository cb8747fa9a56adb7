//! The pages for people and the JSON API: which accounts have a root key, since when, and what to
//! do about it.
//!
//! Pure: a snapshot and a path in, a response out. The templates escape whatever they are given.
//! No script, nothing from elsewhere, nothing that is sent anywhere: the content security policy
//! in `html` lets the browser hold us to that.
//!
//! * `paths` says what is at a path; `html` and `api` answer it.
//! * `finding` says what is wrong with an account, the worst first.
//! * `words` are the times, sources, reasons and sentences of the pages.
//! * `query` is what the overview was asked for; it is all in the URL.
//! * `overview` is the page `/`, `account` the page `/accounts/{id}`.
//! * `since` says since when there is a key, `remedy` what to do.

mod account;
mod api;
mod finding;
mod html;
mod overview;
mod paths;
mod query;
mod remedy;
mod since;
mod words;

pub use paths::Pages;
