//! What a client accepts: reads `Accept` and `Accept-Encoding` (RFC 9110, 12.5.1 and 12.5.3).
//!
//! Never refuses: a scraper that accepts nothing of ours gets the text format, which every scraper
//! reads, and plain bytes.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::body::Encoding;
use crate::format::Format;

/// The format to answer in.
///
/// The higher quality wins. At equal quality a format that is named wins over one that only a
/// wildcard allows; of two named ones OpenMetrics, of two wildcards text, so that `*/*` and a
/// browser's header get what every reader understands.
pub(crate) fn format(headers: &HeaderMap) -> Format {
    // The range that names the format most exactly decides its quality.
    let rank = |format| {
        items(headers, &ACCEPT)
            .filter_map(|item| Some((item.precedence(format)?, item.quality?)))
            .max()
            .filter(|(_, quality)| *quality > 0)
            .map(|(precedence, quality)| (quality, precedence >= 2))
    };
    match (rank(Format::OpenMetrics), rank(Format::Text)) {
        (Some(open), Some(text)) if open > text || (open == text && open.1) => Format::OpenMetrics,
        (Some(_), None) => Format::OpenMetrics,
        _ => Format::Text,
    }
}

/// The encoding to answer in: gzip where it is allowed and plain bytes are not preferred.
pub(crate) fn encoding(headers: &HeaderMap) -> Encoding {
    let quality = |names: &[&str]| {
        items(headers, &ACCEPT_ENCODING)
            .filter(|item| names.iter().any(|name| item.is(name)))
            .filter_map(|item| item.quality)
            .max()
    };
    // RFC 9110, 8.4.1.3: x-gzip is gzip.
    let gzip = quality(&["gzip", "x-gzip"])
        .or_else(|| quality(&["*"]))
        .unwrap_or(0);
    if gzip > 0 && gzip >= quality(&["identity"]).unwrap_or(0) {
        Encoding::Gzip
    } else {
        Encoding::Identity
    }
}

/// One item of a list header: a name, parameters, a quality.
struct Item<'a> {
    name: &'a str,
    version: Option<&'a str>,
    /// In thousandths; `None` when it cannot be read, and then the item is ignored.
    quality: Option<u16>,
}

impl<'a> Item<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = split(text, ';').map(str::trim);
        let mut item = Self {
            name: parts.next().unwrap_or_default(),
            version: None,
            quality: Some(1000),
        };
        for part in parts {
            let Some((name, value)) = part.split_once('=') else {
                continue;
            };
            let (name, value) = (name.trim_end(), value.trim_start());
            if name.eq_ignore_ascii_case("q") {
                item.quality = thousandths(value);
            } else if name.eq_ignore_ascii_case("version") {
                item.version = Some(unquoted(value));
            }
            // Others, such as charset and escaping, distinguish none of our formats.
        }
        item
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// How exactly the item names the format, as RFC 9110, 12.5.1 orders media ranges: 0 for `*/*`,
    /// 1 for the type, 2 for the name, 3 for name and version. `None` where it does not allow it.
    fn precedence(&self, format: Format) -> Option<u8> {
        let (kind, name, versions) = match format {
            // Every reader of OpenMetrics 0.0.1 reads 1.0.0.
            Format::OpenMetrics => (
                "application/*",
                "application/openmetrics-text",
                ["1.0.0", "0.0.1"],
            ),
            Format::Text => ("text/*", "text/plain", ["0.0.4"; 2]),
        };
        match self.version {
            _ if self.is("*/*") => Some(0),
            _ if self.is(kind) => Some(1),
            _ if !self.is(name) => None,
            None => Some(2),
            Some(version) if version == versions[0] => Some(3),
            Some(version) => (version == versions[1]).then_some(2),
        }
    }
}

/// The items of a list header, all its lines together. A line that is not ASCII is ignored.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Item<'a>> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| split(line, ','))
        .map(Item::parse)
}

/// Splits at a separator that is not within double quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |char| {
        if escaped {
            escaped = false;
        } else if quoted && char == '\\' {
            escaped = true;
        } else if char == '"' {
            quoted = !quoted;
        }
        char == separator && !quoted
    })
}

fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value)
}

/// Reads a qvalue: 0 or 1 with at most three decimals (RFC 9110, 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals = format!("{decimals:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn with(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn format_for(lines: &[&str]) -> &'static str {
        match format(&with(&ACCEPT, lines)) {
            Format::OpenMetrics => "openmetrics",
            Format::Text => "text",
        }
    }

    #[test]
    fn the_format_follows_accept() {
        for (accept, expected) in [
            ("*/*", "text"),
            ("text/plain", "text"),
            ("TEXT/Plain; Version=0.0.4", "text"),
            ("text/*", "text"),
            ("application/openmetrics-text", "openmetrics"),
            ("application/openmetrics-text;version=1.0.0", "openmetrics"),
            (
                "application/openmetrics-text; version=\"1.0.0\"; charset=utf-8",
                "openmetrics",
            ),
            ("application/openmetrics-text;version=0.0.1", "openmetrics"),
            ("application/openmetrics-text;version=2.0.0", "text"),
            ("application/*", "openmetrics"),
            // Quality decides.
            (
                "application/openmetrics-text;q=0.4,text/plain;q=0.5",
                "text",
            ),
            (
                "text/plain;q=0.5,application/openmetrics-text;q=0.501",
                "openmetrics",
            ),
            ("application/openmetrics-text;q=0.5,*/*", "text"),
            ("application/openmetrics-text;q=0", "text"),
            ("text/plain;q=0,*/*;q=0.1", "openmetrics"),
            ("*/*;q=0", "text"),
            (
                "application/openmetrics-text, application/openmetrics-text;version=1.0.0;q=0, \
                 text/plain;q=0.1",
                "text",
            ),
            // Equal quality: a name beats a wildcard, and OpenMetrics text.
            ("*/*,application/openmetrics-text", "openmetrics"),
            ("text/plain,application/openmetrics-text", "openmetrics"),
            ("text/plain,*/*", "text"),
            ("application/*,text/*", "text"),
            // Unknown formats are passed over.
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;q=0.6,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.4",
                "openmetrics",
            ),
            (
                "application/vnd.google.protobuf,text/plain;q=0.3,*/*;q=0.1",
                "text",
            ),
            ("application/vnd.google.protobuf", "text"),
            ("image/png", "text"),
            ("text/plain;version=1.0.0,image/png", "text"),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                "text",
            ),
            // What cannot be read counts for nothing.
            ("", "text"),
            (";;q=,,=\"", "text"),
            ("application/openmetrics-text;q=nan", "text"),
            ("application/openmetrics-text;q=2", "text"),
            ("application/openmetrics-text;q=0.1234", "text"),
            (
                "x/y;a=\"application/openmetrics-text,\",text/plain;q=0.1",
                "text",
            ),
        ] {
            assert_eq!(format_for(&[accept]), expected, "{accept}");
        }
    }

    #[test]
    fn no_accept_at_all_means_text() {
        assert_eq!(format_for(&[]), "text");
    }

    #[test]
    fn what_prometheus_sends_gets_open_metrics() {
        assert_eq!(
            format_for(&["application/openmetrics-text;version=1.0.0,\
                 application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1"]),
            "openmetrics"
        );
        assert_eq!(
            format_for(&[
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ]),
            "openmetrics"
        );
    }

    #[test]
    fn several_lines_are_one_list() {
        assert_eq!(
            format_for(&["text/plain;q=0.1", "application/openmetrics-text"]),
            "openmetrics"
        );
    }

    #[test]
    fn the_encoding_follows_accept_encoding() {
        for (accept, expected) in [
            ("", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("GZIP", Encoding::Gzip),
            ("x-gzip", Encoding::Gzip),
            ("*", Encoding::Gzip),
            ("deflate, gzip;q=0.001, br", Encoding::Gzip),
            ("gzip;q=0", Encoding::Identity),
            ("gzip;q=0.000, *", Encoding::Identity),
            ("gzip; q = 0", Encoding::Identity),
            ("*;q=0", Encoding::Identity),
            ("gzip, *;q=0", Encoding::Gzip),
            ("identity", Encoding::Identity),
            ("identity, gzip;q=0.5", Encoding::Identity),
            ("identity;q=0.5, gzip", Encoding::Gzip),
            ("gzip;q=junk", Encoding::Identity),
            ("gzipped", Encoding::Identity),
        ] {
            assert_eq!(
                encoding(&with(&ACCEPT_ENCODING, &[accept])),
                expected,
                "{accept}"
            );
        }
        assert_eq!(encoding(&HeaderMap::new()), Encoding::Identity);
    }

    proptest! {
        #[test]
        fn no_header_breaks_the_reading(line in "[ -~]{0,80}") {
            format(&with(&ACCEPT, &[&line]));
            encoding(&with(&ACCEPT_ENCODING, &[&line]));
        }
    }
}
