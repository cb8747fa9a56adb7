//! The page that says what is wrong with a request, with a link to a list of what there is.

use std::io;

use askama::Template;
use bytes::Bytes;
use exporter_toolkit::hyper::{Response, StatusCode};

use super::html;

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    home: &'a str,
    title: &'a str,
    text: &'a str,
    /// The link that leads on: where, from the overview on, and its text.
    way: (&'static str, &'static str),
}

/// The page as a response. `home` leads from the request's folder to the overview, as `../`.
pub(super) fn response(
    status: StatusCode,
    home: &str,
    title: &str,
    text: &str,
) -> io::Result<Response<Bytes>> {
    let way = ("", "Show all accounts");
    html::response(
        status,
        &Problem {
            home,
            title,
            text,
            way,
        },
    )
}

/// The page for a name that no runbook has.
pub(super) fn no_runbook() -> io::Result<Response<Bytes>> {
    let page = Problem {
        home: "../",
        title: "There is no runbook of this name",
        text: "Each alert has one.",
        way: ("runbooks", "Show all runbooks"),
    };
    html::response(StatusCode::NOT_FOUND, &page)
}

/// The page for a path that does not exist.
pub(crate) fn not_found(path: &str) -> io::Result<Response<Bytes>> {
    let depth = path.matches('/').count().saturating_sub(1);
    response(
        StatusCode::NOT_FOUND,
        &"../".repeat(depth),
        "There is no such page",
        "The address is wrong, or the page has moved.",
    )
}
