//! Private parts of this room, for the fuzzer and for the test that replays its seeds. It is no part
//! of the interface, and nothing else may use it: each function hands bytes on and judges nothing.

use std::path::Path;

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName, HeaderValue};

use super::guard;
use super::negotiate::{self, Encoding};
use crate::metrics::Format;

/// The web configuration file, judged; of the files that it names, each is `named`.
///
/// # Errors
///
/// What is wrong, as the log would say it.
pub fn web_config(bytes: &[u8], named: &[u8]) -> Result<(), String> {
    guard::judged(Path::new("web.yml"), bytes, named).map_err(|error| error.to_string())
}

/// The format for these lines of `Accept`. A line that cannot come over the wire is left out.
#[must_use]
pub fn format(lines: &[&[u8]]) -> Format {
    negotiate::format(&headers(&ACCEPT, lines))
}

/// Whether the answer is packed, for these lines of `Accept-Encoding`.
#[must_use]
pub fn is_packed(lines: &[&[u8]]) -> bool {
    negotiate::encoding(&headers(&ACCEPT_ENCODING, lines)) == Encoding::Gzip
}

fn headers(name: &HeaderName, lines: &[&[u8]]) -> HeaderMap {
    let values = lines
        .iter()
        .filter_map(|line| HeaderValue::from_bytes(line).ok());
    values.map(|value| (name.clone(), value)).collect()
}
