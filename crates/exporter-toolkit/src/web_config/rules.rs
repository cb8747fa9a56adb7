//! What the web configuration requires of connections and requests, checked whole before it is used.
//!
//! A value that could only be ignored is an error.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::time::Instant;
use tokio_rustls::rustls::ServerConfig;

use super::error::{Refusal, WebConfigError};
use super::passwords::{self, Memory, Passwords};
use super::rate_limit::Bucket;
use super::tls;
use super::yaml::{self, RateSection, Read};

/// The headers that exporters may set, with the values that make sense; an empty list allows any.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// The rules of one reading of the file.
pub(crate) struct Rules {
    /// Without it the listener speaks plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether only clients with a certificate of a known authority are served.
    pub verifies_clients: bool,
    /// Set on every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) passwords: Option<Passwords>,
    pub(super) bucket: Option<Bucket>,
}

impl Rules {
    /// Reads and checks the file at `path` and those that it names.
    pub fn read(
        path: &Path,
        read: &mut Read<'_>,
        memory: &Arc<Memory>,
    ) -> Result<Self, WebConfigError> {
        let file = yaml::parse(path, &read(path)?)?;
        let invalid = |problem: String| WebConfigError::invalid(path, problem);
        let tls = file.tls_server_config.unwrap_or_default();
        let http = file.http_server_config.unwrap_or_default();
        let users = users(file.basic_auth_users.unwrap_or_default()).map_err(invalid)?;
        let headers = headers(http.headers.unwrap_or_default()).map_err(invalid)?;
        let bucket = bucket(file.rate_limit).map_err(invalid)?;
        let tls = tls::read(path, &tls, read)?;
        Ok(Self {
            verifies_clients: tls.as_ref().is_some_and(|tls| tls.verifies_clients),
            tls: tls.map(|tls| tls.config),
            headers,
            passwords: (!users.is_empty()).then(|| Passwords::new(users, Arc::clone(memory))),
            bucket,
        })
    }

    /// Whether clients are authenticated, by a password or by a certificate.
    pub fn authenticates(&self) -> bool {
        self.passwords.is_some() || self.verifies_clients
    }

    /// Admits a request, or says why not.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(bucket) = &self.bucket
            && !bucket.take(Instant::now())
        {
            return Err(Refusal::TooMany);
        }
        match &self.passwords {
            Some(passwords) => passwords.verify(headers.get(AUTHORIZATION)).await,
            None => Ok(()),
        }
    }

    /// The protection that `next` would switch off.
    pub fn lost_in(&self, next: &Self) -> Option<&'static str> {
        if self.tls.is_some() && next.tls.is_none() {
            Some("tls_server_config")
        } else if self.passwords.is_some() && next.passwords.is_none() {
            Some("basic_auth_users")
        } else if self.verifies_clients && !next.verifies_clients {
            Some("the clients' certificates")
        } else {
            None
        }
    }
}

/// The users, each with a name and a hash that can be used.
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

/// The headers, without empty ones.
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
                "{place}: {value:?} is not allowed; write {}",
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

/// The limit of requests, where there is one.
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
            "rate_limit: burst: 0 would admit no request; write how many may come at once"
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

    fn rules(text: &str) -> Result<Rules, String> {
        let mut read = |_: &Path| Ok(text.as_bytes().to_vec());
        Rules::read(Path::new("web.yml"), &mut read, &Arc::default())
            .map_err(|error| error.to_string())
    }

    fn problem(text: &str) -> String {
        let Err(problem) = rules(text) else {
            panic!("this is accepted: {text}");
        };
        assert!(problem.starts_with("web.yml: "), "{problem}");
        assert!(!problem.contains('\n'), "{problem}");
        problem
    }

    #[test]
    fn an_empty_file_requires_nothing() {
        for text in [
            "",
            "# nothing yet\n",
            "tls_server_config:\nbasic_auth_users:\n",
            "tls_server_config: {}\n",
            "rate_limit:\n  interval: 0\n  burst: 5\n",
        ] {
            let rules = rules(text).unwrap();
            assert!(rules.tls.is_none() && !rules.authenticates(), "{text}");
            assert!(rules.bucket.is_none(), "{text}");
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
    fn only_known_headers_can_be_set() {
        let headers = |lines: &str| format!("http_server_config:\n  headers:\n{lines}");
        let good = rules(&headers(
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
            |interval: &str| rules(&format!("rate_limit: {{interval: {interval}, burst: 1}}"));
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
