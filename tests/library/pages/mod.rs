//! The pages and the JSON API over real sockets, of views that a test fills.

mod accepted;
mod activity;
mod api;
mod overview;
mod pasted;
mod served;
mod support;
