//! The file itself: its YAML, and whether what it says can be done. A key that is not known is an
//! error, and so is a value that could only be ignored.
//!
//! Source: Prometheus exporter-toolkit, docs/web-configuration.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use tokio_rustls::rustls::ServerConfig;

use super::bucket::Bucket;
use super::error::WebConfigError;
use super::{passwords, tls};

/// What a good file asks for.
pub(super) struct Judged {
    pub tls: Option<Arc<ServerConfig>>,
    pub certificates_verified: bool,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// bcrypt hashes by user.
    pub users: BTreeMap<String, String>,
    pub bucket: Option<Bucket>,
}

/// Reads a file, and remembers that it was read.
pub(super) type Read<'a> = dyn FnMut(&Path) -> Result<Vec<u8>, WebConfigError> + 'a;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebFile {
    tls_server_config: Option<TlsSection>,
    http_server_config: Option<HttpSection>,
    basic_auth_users: Option<BTreeMap<String, String>>,
    rate_limit: Option<RateSection>,
}

/// `tls_server_config`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsSection {
    pub cert: Option<String>,
    pub key: Option<String>,
    pub client_ca: Option<String>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub client_ca_file: Option<PathBuf>,
    pub client_auth_type: Option<String>,
    pub client_allowed_sans: Option<Vec<String>>,
    pub min_version: Option<String>,
    pub max_version: Option<String>,
    pub cipher_suites: Option<Vec<String>>,
    pub curve_preferences: Option<Vec<String>>,
    pub prefer_server_cipher_suites: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpSection {
    /// Nothing hangs on it: HTTP/1.1 is all that is spoken, and every client speaks it.
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    headers: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RateSection {
    interval: Option<String>,
    burst: Option<u32>,
}

/// The headers that exporters agree on, with the values that make sense; none is any.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// Reads and judges the file and what it names.
pub(super) fn judge(path: &Path, read: &mut Read<'_>) -> Result<Judged, WebConfigError> {
    let file = parse(path, &read(path)?)?;
    let invalid = |problem: String| WebConfigError::invalid(path, problem);
    let tls = file.tls_server_config.unwrap_or_default();
    let http = file.http_server_config.unwrap_or_default();
    let users = users(file.basic_auth_users.unwrap_or_default()).map_err(invalid)?;
    let headers = headers(http.headers.unwrap_or_default()).map_err(invalid)?;
    let bucket = bucket(file.rate_limit).map_err(invalid)?;
    let served = tls::judge(path, &tls, read)?;
    Ok(Judged {
        certificates_verified: served.as_ref().is_some_and(|tls| tls.certificates_verified),
        tls: served.map(|tls| tls.config),
        headers,
        users,
        bucket,
    })
}

fn parse(path: &Path, bytes: &[u8]) -> Result<WebFile, WebConfigError> {
    let invalid = |problem: &str| WebConfigError::invalid(path, problem);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| invalid("is not UTF-8 text; save the file as UTF-8"))?;
    // Without the part of the text that is wrong: that may be a key or a hash.
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    let file: Option<WebFile> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map_or_else(String::new, |at| {
                format!("line {}, column {}: ", at.line(), at.column())
            });
            let message = error.to_string();
            let message = message.lines().next().unwrap_or_default();
            let said = if message.contains("$2") || message.contains("-----BEGIN") {
                "a value of the wrong type"
            } else {
                message
            };
            invalid(&format!("{place}{said}"))
        })?;
    Ok(file.unwrap_or_default())
}

fn users(users: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    for (user, hash) in &users {
        if user.contains(':') {
            return Err(format!(
                "basic_auth_users: {user:?}: a user's name cannot have a colon; rename the user"
            ));
        }
        let Some(cost) = passwords::cost(hash) else {
            return Err(format!(
                "basic_auth_users: {user:?}: the value is not a bcrypt hash; make one with \
                 `htpasswd -nBC 10 \"\"`"
            ));
        };
        if cost > passwords::MOST {
            return Err(format!(
                "basic_auth_users: {user:?}: cost {cost} would keep a core busy for seconds or more at \
                 each wrong password, and {} is the most; make one with `htpasswd -nBC 10 \"\"`",
                passwords::MOST
            ));
        }
    }
    Ok(users)
}

fn headers(headers: BTreeMap<String, String>) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let mut set = Vec::new();
    for (name, value) in headers {
        let place = format!("http_server_config: headers: {name}");
        let Some((_, values)) = HEADERS.iter().find(|(known, _)| *known == name) else {
            let known = HEADERS.map(|(known, _)| known).join(", ");
            return Err(format!("{place}: cannot be set (known: {known})"));
        };
        if !values.is_empty() && !values.contains(&value.as_str()) {
            return Err(format!(
                "{place}: {value:?} will not do; write {}",
                values.join(" or ")
            ));
        }
        if value.is_empty() {
            continue;
        }
        let header = HeaderName::from_bytes(name.as_bytes()).ok();
        let value = HeaderValue::from_str(&value).ok();
        let (Some(header), Some(value)) = (header, value) else {
            return Err(format!(
                "{place}: the value cannot stand in a header; write it on one line of plain text"
            ));
        };
        set.push((header, value));
    }
    Ok(set)
}

fn bucket(section: Option<RateSection>) -> Result<Option<Bucket>, String> {
    let Some(section) = section else {
        return Ok(None);
    };
    let text = section.interval.as_deref().unwrap_or("0");
    let interval = interval(text).ok_or_else(|| {
        format!(
            "rate_limit: interval: {text:?} is not a duration; write it like \"100ms\" or \"1s\""
        )
    })?;
    if interval.is_zero() {
        return Ok(None);
    }
    match section.burst.unwrap_or(0) {
        0 => Err(
            "rate_limit: burst: 0 would let no request in; write how many may come at once"
                .to_owned(),
        ),
        burst => Ok(Some(Bucket::new(interval, burst))),
    }
}

/// A duration as Go writes it: `1m30s`, `1.5s`, `100ms`, `0`; a bare number is nanoseconds.
fn interval(text: &str) -> Option<Duration> {
    if let Ok(nanoseconds) = text.parse() {
        return Some(Duration::from_nanos(nanoseconds));
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest
            .find(|char: char| char.is_ascii_digit() || char == '.')
            .unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        rest = &rest[end..];
        total += number * unit;
    }
    Duration::try_from_secs_f64(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Result<Judged, String> {
        let text = text.to_owned();
        judge(Path::new("web.yml"), &mut |_| Ok(text.clone().into_bytes()))
            .map_err(|error| error.to_string())
    }

    fn problem(text: &str) -> String {
        let Err(problem) = judged(text) else {
            panic!("this is taken for good: {text}");
        };
        assert!(problem.starts_with("web.yml: "), "{problem}");
        assert!(!problem.contains('\n'), "{problem}");
        problem
    }

    #[test]
    fn an_empty_file_asks_for_nothing() {
        for text in [
            "",
            "# nothing yet\n",
            "tls_server_config:\nbasic_auth_users:\n",
            "tls_server_config: {}\n",
            "rate_limit:\n  interval: 0\n  burst: 5\n",
        ] {
            let judged = judged(text).unwrap();
            assert!(judged.tls.is_none() && judged.users.is_empty(), "{text}");
            assert!(judged.bucket.is_none(), "{text}");
        }
    }

    #[test]
    fn unknown_and_doubled_keys_are_named_with_their_place() {
        let unknown = problem("basic_auth_users: {}\ntls_server_confg: {}\n");
        assert!(unknown.contains("tls_server_confg"), "{unknown}");
        assert!(unknown.contains("line 2"), "{unknown}");
        let within = problem("tls_server_config:\n  cert_fil: a\n");
        assert!(within.contains("cert_fil"), "{within}");
        let doubled = problem("basic_auth_users: {}\nbasic_auth_users: {}\n");
        assert!(doubled.contains("basic_auth_users"), "{doubled}");
    }

    #[test]
    fn no_secret_gets_into_an_error() {
        for text in [
            "basic_auth_users: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\n",
            "basic_auth_users:\n  prometheus: hunter2\n",
            "tls_server_config: \"-----BEGIN PRIVATE KEY-----hunter2\"\n",
            "tls_server_config:\n  cert_file: a\n  key: |\n   hunter2\n  key_file: x\n",
        ] {
            let problem = problem(text);
            assert!(!problem.contains("hunter2"), "{problem}");
            assert!(!problem.contains("X0h1g"), "{problem}");
        }
    }

    #[test]
    fn a_header_is_one_of_those_that_are_agreed_on() {
        let headers = |lines: &str| format!("http_server_config:\n  headers:\n{lines}");
        let good = judged(&headers(
            "    X-Frame-Options: deny\n    X-XSS-Protection: \"\"\n",
        ));
        let set = good.unwrap().headers;
        assert_eq!(set.len(), 1);
        assert_eq!(set[0].1, "deny");
        assert!(problem(&headers("    X-Other: x\n")).contains("X-Other: cannot be set"));
        assert!(problem(&headers("    X-Frame-Options: never\n")).contains("deny or sameorigin"));
    }

    #[test]
    fn a_rate_has_an_interval_and_a_burst() {
        let rate =
            |interval: &str| judged(&format!("rate_limit: {{interval: {interval}, burst: 1}}"));
        for good in ["1s", "100ms", "1.5s", "1m30s", "1000000"] {
            assert!(rate(good).unwrap().bucket.is_some(), "{good}");
        }
        assert_eq!(interval("1m1.5s"), Some(Duration::from_millis(61_500)));
        for bad in ["soon", "1", "-1s", "1x", "s", "1s2"] {
            assert_eq!(interval(bad).is_none(), bad != "1", "{bad}");
        }
        assert!(problem("rate_limit: {interval: 1s}").contains("burst"));
        assert!(problem("rate_limit: {interval: soon, burst: 1}").contains("soon"));
    }
}
