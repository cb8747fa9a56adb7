//! The pages as responses: HTML with the headers that make a browser enforce our rules.

use std::io;
use std::sync::LazyLock;

use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use exporter_toolkit::hyper::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use exporter_toolkit::hyper::{Response, StatusCode};
use sha2::{Digest, Sha256};

/// The one style sheet, part of each page.
pub(super) const STYLE: &str = include_str!("templates/style.css");

/// What a browser may do with the pages: show them with this style and icon, and send the form.
static CONTENT_SECURITY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    )
});

/// A page as a response.
pub(super) fn response(status: StatusCode, page: &impl Template) -> io::Result<Response<Bytes>> {
    let html = page.render().map_err(io::Error::other)?;
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .header(CONTENT_SECURITY_POLICY, CONTENT_SECURITY.as_str())
        .header(REFERRER_POLICY, "no-referrer")
        .header(X_FRAME_OPTIONS, "DENY")
        .body(html.into())
        .map_err(io::Error::other)
}
