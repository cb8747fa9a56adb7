//! Which host a request is for, and whether a page of another site sent it.
//!
//! A browser on this machine sends what any web page wants, to a listener on loopback too.
//!
//! Sources: RFC 9110, 7.2 (`Host`); Fetch Standard, "`Origin` header"; W3C Fetch Metadata Request
//! Headers (`Sec-Fetch-Site`); RFC 6761, 6.3 (`localhost`).

use std::net::IpAddr;

use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{Request, Uri};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The content types that a form of another site can send without a preflight request.
const FORMS: [&str; 3] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];

/// Whether a request is for a loopback name or address, for the listener's configured `name`, or for
/// the host of the `external` URL. One without a host is: no browser sends it.
pub(crate) fn is_for_loopback<B>(
    request: &Request<B>,
    name: Option<&str>,
    external: Option<&Uri>,
) -> bool {
    let is_own = |authority: &Authority| {
        let host = authority.host();
        is_loopback(host)
            || name.is_some_and(|name| name.eq_ignore_ascii_case(host))
            || external
                .and_then(Uri::host)
                .is_some_and(|own| own.eq_ignore_ascii_case(host))
    };
    let hosts = request.headers().get_all(HOST);
    let mut named = hosts.iter().map(authority);
    named.all(|host| host.as_ref().is_some_and(is_own))
        && request.uri().authority().is_none_or(is_own)
}

/// Whether a name or an address, an IPv6 one in brackets, is of loopback.
fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Why a request may come from a page of another site; `None` where it does not.
pub(crate) fn cross_site(headers: &HeaderMap, external: Option<&Uri>) -> Option<&'static str> {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    let mut origins = headers.get_all(ORIGIN).iter();
    if sites.any(|site| site != "same-origin" && site != "none")
        || origins.any(|origin| !is_own_origin(origin, headers, external))
    {
        return Some("a page of another site cannot request this");
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let is_form = |of: &HeaderValue| {
        let kind = of.as_bytes().split(|byte| *byte == b';').next();
        let kind = kind.unwrap_or_default().trim_ascii();
        FORMS
            .iter()
            .any(|form| form.as_bytes().eq_ignore_ascii_case(kind))
    };
    if types.any(is_form) {
        return Some("a form cannot request this; send no body: curl -X POST");
    }
    None
}

fn is_own_origin(origin: &HeaderValue, headers: &HeaderMap, external: Option<&Uri>) -> bool {
    // An origin is a scheme and an authority and nothing else, or `null`.
    let origin = origin.to_str().ok().and_then(|it| it.parse::<Uri>().ok());
    let Some((scheme, own)) = origin
        .as_ref()
        .and_then(|it| it.scheme().zip(it.authority()))
    else {
        return false;
    };
    let is_external =
        external.is_some_and(|url| url.scheme() == Some(scheme) && url.authority() == Some(own));
    is_external || headers.get(HOST).and_then(authority).as_ref() == Some(own)
}

fn authority(host: &HeaderValue) -> Option<Authority> {
    Authority::try_from(host.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external() -> Uri {
        Uri::from_static("https://roots.example.com/exporter")
    }

    fn request(uri: &str, host: &str) -> Request<()> {
        Request::get(uri).header(HOST, host).body(()).unwrap()
    }

    #[test]
    fn only_loopback_names_and_the_external_host_are_its_own() {
        for (host, own) in [
            ("localhost", true),
            ("LOCALHOST:9100", true),
            ("localhost.", true),
            ("a.localhost:80", true),
            ("127.0.0.1:9100", true),
            ("127.9.9.9", true),
            ("[::1]:9100", true),
            ("[::ffff:127.0.0.1]", true),
            ("roots.example.com", true),
            ("Roots.Example.com:8443", true),
            ("Exporter:9100", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1:9100", false),
            ("[::]", false),
            ("", false),
            ("user@localhost", true),
        ] {
            assert_eq!(
                is_for_loopback(&request("/", host), Some("exporter"), Some(&external())),
                own,
                "{host}"
            );
        }
        assert!(!is_for_loopback(
            &request("/", "roots.example.com"),
            None,
            None
        ));
        let absolute = request("http://evil.example/metrics", "localhost");
        assert!(!is_for_loopback(&absolute, None, Some(&external())));
        assert!(is_for_loopback(
            &Request::get("/").body(()).unwrap(),
            None,
            None
        ));
    }

    #[test]
    fn pages_of_other_sites_and_forms_are_refused() {
        for (name, value, is_foreign) in [
            ("accept", "*/*", false),
            ("origin", "http://localhost:9100", false),
            ("origin", "https://roots.example.com", false),
            ("origin", "http://roots.example.com", true),
            ("origin", "http://localhost:9101", true),
            ("origin", "https://evil.example", true),
            ("origin", "null", true),
            ("sec-fetch-site", "same-origin", false),
            ("sec-fetch-site", "none", false),
            ("sec-fetch-site", "same-site", true),
            ("sec-fetch-site", "cross-site", true),
            ("content-type", "application/json", false),
            ("content-type", "application/x-www-form-urlencoded", true),
            ("content-type", "Text/Plain; charset=utf-8", true),
            ("content-type", "multipart/form-data; boundary=a", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("localhost:9100"));
            headers.insert(name, HeaderValue::from_static(value));
            let refused = cross_site(&headers, Some(&external()));
            assert_eq!(refused.is_some(), is_foreign, "{name}: {value}");
        }
    }
}
