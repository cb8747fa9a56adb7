//! Private parts of the crate for a fuzzer, and no part of its interface: each function passes bytes
//! on and decides nothing.

use std::path::Path;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName, HeaderValue};

use crate::body::Encoding;
use crate::format::Format;
use crate::negotiate;
use crate::web_config::Rules;

/// Whether a web configuration file with these bytes can be used, where each file that it names
/// holds `named`.
///
/// # Errors
///
/// Why not.
pub fn web_config(bytes: &[u8], named: &[u8]) -> Result<(), String> {
    let path = Path::new("web.yml");
    let mut read = |asked: &Path| Ok(if asked == path { bytes } else { named }.to_vec());
    let rules = Rules::read(path, &mut read, &Arc::default());
    rules.map(drop).map_err(|error| error.to_string())
}

/// The format for these lines of `Accept`. A line that cannot come over the wire is left out.
#[must_use]
pub fn format(lines: &[&[u8]]) -> Format {
    negotiate::format(&headers(&ACCEPT, lines))
}

/// Whether the answer is compressed for these lines of `Accept-Encoding`.
#[must_use]
pub fn is_compressed(lines: &[&[u8]]) -> bool {
    negotiate::encoding(&headers(&ACCEPT_ENCODING, lines)) == Encoding::Gzip
}

fn headers(name: &HeaderName, lines: &[&[u8]]) -> HeaderMap {
    let values = lines
        .iter()
        .filter_map(|line| HeaderValue::from_bytes(line).ok());
    values.map(|value| (name.clone(), value)).collect()
}
