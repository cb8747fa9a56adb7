//! The pages for people: which accounts have a root key, since when, and what to do about it.
//!
//! Pure: a snapshot and a query in, HTML out. The templates escape whatever they are given; what
//! they are given is decided here. No script, nothing from elsewhere, nothing that is sent
//! anywhere: [`content_security_policy`] lets the browser hold us to that.
//!
//! * `finding` says what is wrong with an account, the worst first.
//! * `words` are the times, sources, reasons and sentences of the pages.
//! * `query` is what the overview was asked for; it is all in the URL.
//! * `overview` is the page `/`, `account` the page `/accounts/{id}`.
//! * `since` says since when there is a key, `remedy` what to do.

mod account;
mod finding;
mod overview;
mod query;
mod remedy;
mod since;
mod words;

use std::hash::Hash;
use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;
use sha2::{Digest, Sha256};

use super::document::{Document, Tag};
use super::negotiate::Encoding;
use crate::account::AccountId;
use crate::views::Snapshot;
use root_posture::Timestamp;

pub(super) use query::Query;

pub(super) const HTML: &str = "text/html; charset=utf-8";

/// The one style sheet, part of each page.
const STYLE: &str = include_str!("../templates/style.css");

/// For how long a page that shows the same evidence is still the same page. What is left is the
/// ages of things, which grow.
const SAME_PAGE: Duration = Duration::from_secs(15);

/// What a browser may do with the pages: show them, with our own style and icon, and send the
/// filter back to us.
pub(super) fn content_security_policy() -> HeaderValue {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'"
        );
        // Base64 and the text around it are fit for a header.
        HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    });
    POLICY.clone()
}

/// The page `/`.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn overview(
    snapshot: &Snapshot,
    query: &Query,
    telemetry_path: &str,
    encoding: Encoding,
) -> io::Result<Document> {
    let content = overview::Overview::of(snapshot, query, telemetry_path);
    let page = overview::Page {
        style: STYLE,
        now: snapshot.now,
        content: &content,
    };
    document(&page, &content, snapshot.now, encoding)
}

/// The page `/accounts/{id}`; `None` when the account is not watched here.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn account(
    snapshot: &Snapshot,
    id: AccountId,
    encoding: Encoding,
) -> io::Result<Option<Document>> {
    let Some(view) = snapshot.account(id) else {
        return Ok(None);
    };
    let content = account::Sheet::of(view, snapshot);
    let page = account::Page {
        style: STYLE,
        now: snapshot.now,
        content: &content,
    };
    document(&page, &content, snapshot.now, encoding).map(Some)
}

/// The page where there is no such account.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn missing() -> io::Result<String> {
    account::Missing { style: STYLE }
        .render()
        .map_err(io::Error::other)
}

fn document(
    page: &impl Template,
    content: &impl Hash,
    now: Timestamp,
    encoding: Encoding,
) -> io::Result<Document> {
    let html = page.render().map_err(io::Error::other)?;
    let age = now.unix().div_euclid(SAME_PAGE.as_secs().cast_signed());
    let tag = Tag::of(&(content, age));
    Document::new(HTML, html.into_bytes(), encoding, tag)
}
