//! What a request says of the host it is for and of the page that sent it. A browser on this machine
//! sends what any web page asks of it, also to a listener that nobody else reaches.
//!
//! Sources: RFC 9110, 7.2 (`Host`); Fetch Standard, "`Origin` header"; W3C Fetch Metadata Request
//! Headers (`Sec-Fetch-Site`); RFC 6761, 6.3 (`localhost`).

use std::net::IpAddr;

use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{Request, Uri};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a browser lets a form of another site send without asking first.
const FORMS: [&str; 3] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];

/// Whether a request is for this machine's own name, for the `name` that the listener has in the
/// configuration, or for the host of `external`, the URL under which people reach the exporter. One
/// without a host is: no browser sends it.
pub(super) fn is_for_loopback<B>(
    request: &Request<B>,
    name: Option<&str>,
    external: Option<&str>,
) -> bool {
    let external = external.and_then(|url| url.parse::<Uri>().ok());
    let is_own = |authority: &Authority| {
        let host = authority.host();
        is_loopback(host)
            || name.is_some_and(|name| name.eq_ignore_ascii_case(host))
            || external
                .as_ref()
                .and_then(Uri::host)
                .is_some_and(|own| own.eq_ignore_ascii_case(host))
    };
    let hosts = request.headers().get_all(HOST);
    let mut named = hosts.iter().map(authority);
    named.all(|host| host.as_ref().is_some_and(is_own))
        && request.uri().authority().is_none_or(is_own)
}

/// Whether a name or an address, in brackets where it is of IPv6, is this machine's own.
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
pub(super) fn foreign(headers: &HeaderMap, external: Option<&str>) -> Option<&'static str> {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    let mut origins = headers.get_all(ORIGIN).iter();
    if sites.any(|site| site != "same-origin" && site != "none")
        || origins.any(|origin| !is_own_origin(origin, headers, external))
    {
        return Some("a page of another site cannot ask for this");
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
        return Some("a form cannot ask for this; send no body: curl -X POST");
    }
    None
}

fn is_own_origin(origin: &HeaderValue, headers: &HeaderMap, external: Option<&str>) -> bool {
    // An origin is a scheme and an authority and nothing else, or `null`.
    let origin = origin.to_str().ok().and_then(|it| it.parse::<Uri>().ok());
    let Some((scheme, own)) = origin
        .as_ref()
        .and_then(|it| it.scheme().zip(it.authority()))
    else {
        return false;
    };
    let external = external.and_then(|url| url.parse::<Uri>().ok());
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

    const EXTERNAL: Option<&str> = Some("https://roots.example.com/exporter");

    fn request(uri: &str, host: &str) -> Request<()> {
        Request::get(uri).header(HOST, host).body(()).unwrap()
    }

    #[test]
    fn only_this_machine_s_names_and_the_external_host_are_its_own() {
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
                is_for_loopback(&request("/", host), Some("exporter"), EXTERNAL),
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
        assert!(!is_for_loopback(&absolute, None, EXTERNAL));
        assert!(is_for_loopback(
            &Request::get("/").body(()).unwrap(),
            None,
            None
        ));
    }

    #[test]
    fn pages_of_other_sites_and_forms_are_foreign() {
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
            let foreign = foreign(&headers, EXTERNAL);
            assert_eq!(foreign.is_some(), is_foreign, "{name}: {value}");
        }
    }
}
