//! The pages and the JSON API over real sockets, of views that a test fills.

mod api;
mod pasted;
mod served;
mod support;
