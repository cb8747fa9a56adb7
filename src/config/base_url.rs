//! The URL of a folder of pages, to which paths are appended: the exporter's own, or the runbooks.
//!
//! Metrics, alerts and logs show it, so it never holds a user or a password, and no error shows the
//! text that was refused.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// An `http` or `https` URL without credentials, query or fragment, and without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl FromStr for BaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text)
            .map_err(|_| "is not a URL; write it like \"https://exporter.example.com\"")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("begins with neither http:// nor https://; write it like \
                 \"https://exporter.example.com\"");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "has a user or a password, which everyone who reads an alert would see; leave \
                 them out",
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(
                "has a query (?) or a fragment (#); leave it out: paths are appended to the URL",
            );
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl BaseUrl {
    /// The URL, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_end_are_removed() {
        for (text, expected) in [
            (
                "https://exporter.example.com",
                "https://exporter.example.com",
            ),
            (
                "https://exporter.example.com/",
                "https://exporter.example.com",
            ),
            ("http://127.0.0.1:10057//", "http://127.0.0.1:10057"),
            ("http://[::1]:10057", "http://[::1]:10057"),
            (
                "https://example.com/aws/root/",
                "https://example.com/aws/root",
            ),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().as_str(), expected);
        }
    }

    #[test]
    fn characters_that_could_end_the_text_around_it_are_escaped() {
        let url: BaseUrl = "https://example.com/{{ x }}\"<\n#"
            .trim_end_matches('#')
            .parse()
            .unwrap();
        assert_eq!(
            url.as_str(),
            "https://example.com/%7B%7B%20x%20%7D%7D%22%3C"
        );
    }

    #[test]
    fn other_urls_are_refused() {
        for (text, error) in [
            ("", "is not a URL"),
            ("exporter.example.com", "is not a URL"),
            ("/accounts", "is not a URL"),
            ("https://", "is not a URL"),
            ("https://example.com:99999", "is not a URL"),
            ("localhost:10057", "begins with neither"),
            ("ftp://example.com", "begins with neither"),
            ("https://user:password@example.com", "has a user"),
            ("https://user@example.com", "has a user"),
            ("https://:password@example.com", "has a user"),
            ("https://example.com/?a=b", "has a query"),
            ("https://example.com/?", "has a query"),
            ("https://example.com/#a", "has a query"),
        ] {
            let refused = text.parse::<BaseUrl>().unwrap_err();
            assert!(refused.starts_with(error), "{text}: {refused}");
        }
    }
}
