//! An answer in the making, and the headers that every answer has.

use std::fmt::Display;

use bytes::Bytes;
use hyper::body::Body;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Request, Response, StatusCode};

/// An answer. hyper adds Content-Length and leaves out the body for HEAD.
pub(crate) struct Reply(pub Response<Bytes>);

impl Reply {
    pub fn new(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Self::of(response).with(CONTENT_TYPE, content_type)
    }

    /// A response, which no cache on the way may store.
    pub fn of(response: Response<Bytes>) -> Self {
        Self(response)
            .with(CACHE_CONTROL, "no-store")
            .with(X_CONTENT_TYPE_OPTIONS, "nosniff")
    }

    /// One line of text.
    pub fn text(status: StatusCode, line: impl Display) -> Self {
        let body = format!("{line}\n");
        Self::new(status, "text/plain; charset=utf-8", body.into())
    }

    pub fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        let value = HeaderValue::from_static(value);
        self.0.headers_mut().insert(name, value);
        self
    }

    /// Closes the connection where a body follows, which is not read.
    pub fn closing_after<B: Body>(self, request: &Request<B>) -> Self {
        if request.body().is_end_stream() {
            return self;
        }
        self.with(CONNECTION, "close")
    }
}
