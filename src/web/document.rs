//! What a page or the API answers: bytes with a tag that tells whether they are news.
//!
//! A client that sends the tag back (`If-None-Match`) gets an answer without a body when nothing
//! has changed since.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::HeaderMap;
use hyper::header::{HeaderValue, IF_NONE_MATCH};

use super::negotiate::Encoding;

/// Bytes for a client, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub content_type: &'static str,
    pub body: Bytes,
    pub encoding: Encoding,
    pub tag: Tag,
}

impl Document {
    /// Packs the content as the client can take it.
    ///
    /// # Errors
    ///
    /// When it cannot be packed.
    pub fn new(
        content_type: &'static str,
        content: Vec<u8>,
        encoding: Encoding,
        tag: Tag,
    ) -> io::Result<Self> {
        let body = match encoding {
            Encoding::Identity => content,
            Encoding::Gzip => {
                let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
                packed.write_all(&content)?;
                packed.finish()?
            }
        };
        Ok(Self {
            content_type,
            body: body.into(),
            encoding,
            tag,
        })
    }
}

/// An entity tag (RFC 9110, 8.8.3). A weak one: packed or not, it is the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u64);

impl Tag {
    /// The tag of what is made from `content`, and from nothing else, by this version of the
    /// program.
    pub fn of(content: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        (crate::build::VERSION, crate::build::revision()).hash(&mut hasher);
        content.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// The value of the header `ETag`.
    pub fn header(self) -> HeaderValue {
        let mut text = String::new();
        // Writing to a string does not fail, and hexadecimal digits are fit for a header.
        let _ = write!(text, "W/\"{:016x}\"", self.0);
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("W/\"\""))
    }

    /// Whether the client has what this is the tag of (RFC 9110, 13.1.2).
    pub fn is_known_to(self, headers: &HeaderMap) -> bool {
        let own = self.header();
        let own = own.as_bytes().strip_prefix(b"W/").unwrap_or_default();
        headers.get_all(IF_NONE_MATCH).iter().any(|header| {
            header.as_bytes().split(|byte| *byte == b',').any(|tag| {
                let tag = tag.trim_ascii();
                tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == own
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(tag: Tag, values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
        }
        tag.is_known_to(&headers)
    }

    #[test]
    fn a_tag_is_known_to_who_names_it_in_any_spelling() {
        let tag = Tag::of(&"content");
        let weak = tag.header().to_str().unwrap().to_owned();
        let strong = weak.strip_prefix("W/").unwrap();
        for values in [
            &[weak.as_str()][..],
            &[strong],
            &["*"],
            &[&format!("\"x\", {weak} ,\"y\"")],
            &["\"x\"", strong],
        ] {
            assert!(known(tag, values), "{values:?}");
        }
        let unquoted = strong.trim_matches('"');
        for values in [&[][..], &[""], &["\"x\""], &[unquoted], &["W/"]] {
            assert!(!known(tag, values), "{values:?}");
        }
    }

    #[test]
    fn other_content_has_another_tag() {
        assert_eq!(Tag::of(&"a"), Tag::of(&"a"));
        assert_ne!(Tag::of(&"a"), Tag::of(&"b"));
    }
}
