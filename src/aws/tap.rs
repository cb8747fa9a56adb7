//! Reads what the SDK does not hand out of an answer: its `Date` header, and whether it is whole.
//!
//! The SDK reads XML that ends too soon as if the rest were not there: a list of keys that breaks
//! off before its first key would be an empty list, and a root key would be shown as gone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::clock::Timestamp;

/// Keeps what is read of the answer to one call. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tap(Arc<Mutex<Seen>>);

/// What was read of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// When it was given, by AWS's clock; `None` without a `Date` header.
    pub date: Option<Timestamp>,
    /// Whether it ends before its end.
    pub is_cut_off: bool,
}

impl Tap {
    /// Notes the header `Date`, if there is one.
    pub fn see_date(&self, header: Option<&str>) {
        self.seen().date = header
            .and_then(|text| DateTime::from_str(text, Format::HttpDate).ok())
            .map(|date| Timestamp::from_unix(date.secs()));
    }

    /// Notes whether the body is whole.
    pub fn see_body(&self, body: &[u8]) {
        self.seen().is_cut_off = is_cut_off(body);
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a body is XML whose last tag is not the end of its first element. JSON is left to the
/// SDK, which takes no half of it.
fn is_cut_off(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    if body.first() != Some(&b'<') {
        return false;
    }
    let mut rest = body;
    // Past a declaration or a comment, to the first element.
    let name = loop {
        let Some(open) = rest.iter().position(|byte| *byte == b'<') else {
            return true;
        };
        rest = &rest[open + 1..];
        let length = rest
            .iter()
            .position(|byte| matches!(byte, b'>' | b'/') || byte.is_ascii_whitespace());
        match (rest.first(), length) {
            (Some(b'?' | b'!'), _) => {}
            (_, Some(length)) => break &rest[..length],
            (_, None) => return true,
        }
    };
    let end = body
        .strip_suffix(b">")
        .map(<[u8]>::trim_ascii_end)
        .and_then(|body| body.strip_suffix(name));
    !end.is_some_and(|body| body.ends_with(b"</"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "<ListAccessKeysResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
        <ListAccessKeysResult><AccessKeyMetadata><member><AccessKeyId>AKIAIOSFODNN7EXAMPLE\
        </AccessKeyId><Status>Active</Status></member></AccessKeyMetadata><IsTruncated>false\
        </IsTruncated></ListAccessKeysResult></ListAccessKeysResponse>";

    #[test]
    fn xml_is_whole_at_its_end_and_nowhere_before() {
        for before in ["", "<?xml version=\"1.0\"?>\n", "\n<!-- of AWS -->"] {
            for after in ["", "\n"] {
                let whole = format!("{before}{LIST}{after}");
                assert!(!is_cut_off(whole.as_bytes()), "{whole}");
            }
            let whole = format!("{before}{LIST}");
            for length in before.len() + 1..whole.len() {
                assert!(is_cut_off(&whole.as_bytes()[..length]), "{length} bytes");
            }
        }
    }

    #[test]
    fn only_xml_is_checked() {
        for body in ["", "{\"Accounts\": [", "no route to host"] {
            assert!(!is_cut_off(body.as_bytes()), "{body}");
        }
    }
}
