//! The pages for people: which accounts have a root key, since when, and what to do about it.
//!
//! From a snapshot and a query to HTML, without I/O. Templates escape all values. The pages have no
//! script and load nothing from elsewhere; [`content_security_policy`] makes the browser enforce
//! that.

mod account;
mod overview;
mod query;

use std::io;
use std::sync::LazyLock;

use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;
use sha2::{Digest, Sha256};

use super::document::{Document, Tag};
use super::negotiate::Encoding;
use crate::account::AccountId;
use crate::views::Snapshot;

pub(super) use query::Query;

pub(super) const HTML: &str = "text/html; charset=utf-8";

/// The one style sheet, part of each page.
const STYLE: &str = include_str!("../templates/style.css");

/// What a browser may do with the pages: show them with this style and icon, and send the form.
pub(super) fn content_security_policy() -> HeaderValue {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'"
        );
        // Base64 and the text around it are valid in a header.
        HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    });
    POLICY.clone()
}

/// The page `/`.
///
/// # Errors
///
/// The page cannot be rendered.
pub(super) fn overview(
    snapshot: &Snapshot,
    query: &Query,
    telemetry_path: &str,
    encoding: Encoding,
) -> io::Result<Document> {
    let page = overview::Page::of(snapshot, query, telemetry_path, STYLE);
    document(&page, encoding)
}

/// The page `/accounts/{id}`; `None` if the account is not watched here.
///
/// # Errors
///
/// The page cannot be rendered.
pub(super) fn account(
    snapshot: &Snapshot,
    id: AccountId,
    encoding: Encoding,
) -> io::Result<Option<Document>> {
    let Some(view) = snapshot.account(id) else {
        return Ok(None);
    };
    document(&account::Page::of(view, snapshot, STYLE), encoding).map(Some)
}

/// The page for an account that is not watched here.
#[derive(Template)]
#[template(path = "missing.html")]
struct Missing {
    style: &'static str,
}

/// The page for an account that is not watched here.
///
/// # Errors
///
/// The page cannot be rendered.
pub(super) fn missing() -> io::Result<String> {
    let page = Missing { style: STYLE };
    page.render().map_err(io::Error::other)
}

fn document(page: &impl Template, encoding: Encoding) -> io::Result<Document> {
    let html = page.render().map_err(io::Error::other)?;
    let tag = Tag::of(&html);
    Document::new(HTML, html.into_bytes(), encoding, tag)
}
