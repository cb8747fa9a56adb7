//! The pages as responses: HTML with the headers that make a browser enforce our rules.

use std::io;
use std::sync::LazyLock;

use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use exporter_toolkit::hyper::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY, REFRESH,
    X_FRAME_OPTIONS,
};
use exporter_toolkit::hyper::{Response, StatusCode};
use sha2::{Digest, Sha256};

use super::query::Reload;

/// The one style sheet, part of each page.
pub(super) const STYLE: &str = include_str!("templates/style.css");

/// After how many seconds a browser reloads a page. The style sheet shows a page that was not reloaded
/// for longer as out of date.
const RELOAD_SECONDS: &str = "30";

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

/// A redirection to an address that is relative to the requested one.
pub(super) fn moved(to: &'static str) -> io::Result<Response<Bytes>> {
    Response::builder()
        .status(StatusCode::PERMANENT_REDIRECT)
        .header(LOCATION, to)
        .body(Bytes::new())
        .map_err(io::Error::other)
}

/// A page that the browser reloads, so that a tab left open shows the state of now. A header does that
/// without a script, and the browser keeps the place on the page.
pub(super) fn reloading(
    status: StatusCode,
    page: &impl Template,
    reload: Reload,
) -> io::Result<Response<Bytes>> {
    let mut response = response(status, page)?;
    if reload == Reload::On {
        let seconds = HeaderValue::from_static(RELOAD_SECONDS);
        response.headers_mut().insert(REFRESH, seconds);
    }
    Ok(response)
}
