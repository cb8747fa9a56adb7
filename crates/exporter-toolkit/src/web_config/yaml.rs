//! The YAML of the web configuration file. An unknown key is an error.
//!
//! Source: Prometheus exporter-toolkit, docs/web-configuration.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::WebConfigError;

/// Reads a file that the configuration names.
pub(crate) type Read<'a> = dyn FnMut(&Path) -> Result<Vec<u8>, WebConfigError> + 'a;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebFile {
    pub tls_server_config: Option<TlsSection>,
    pub http_server_config: Option<HttpSection>,
    pub basic_auth_users: Option<BTreeMap<String, String>>,
    pub rate_limit: Option<RateSection>,
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

/// `http_server_config`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpSection {
    /// Without effect: the server speaks HTTP/1.1 only, as every client does.
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    pub headers: Option<BTreeMap<String, String>>,
}

/// `rate_limit`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RateSection {
    pub interval: Option<String>,
    pub burst: Option<u32>,
}

/// Parses the file at `path`.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<WebFile, WebConfigError> {
    let invalid = |problem: &str| WebConfigError::invalid(path, problem);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| invalid("is not UTF-8 text; save the file as UTF-8"))?;
    // Errors must not quote the text: it may be a key or a hash.
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    let file: Option<WebFile> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map_or_else(String::new, |at| {
                format!("line {}, column {}: ", at.line(), at.column())
            });
            let message = error.to_string();
            let message = message.lines().next().unwrap_or_default();
            let problem = if message.contains("$2") || message.contains("-----BEGIN") {
                "a value of the wrong type"
            } else {
                message
            };
            invalid(&format!("{place}{problem}"))
        })?;
    Ok(file.unwrap_or_default())
}
