//! `tls_server_config`: certificates, versions and ciphers, for rustls with aws-lc-rs.
//!
//! What rustls does not offer is refused and never replaced by something weaker.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs::{self, kx_group};
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use super::client_auth::{self, ClientAuth};
use super::error::{Problem, WebConfigError};
use super::yaml::{Read, TlsSection};

/// The TLS of a listener.
pub(super) struct Tls {
    pub config: Arc<ServerConfig>,
    /// Whether only clients with a certificate of a known authority are admitted.
    pub verifies_clients: bool,
}

/// Reads what the section names; an empty section means no TLS.
pub(super) fn read(
    file: &Path,
    section: &TlsSection,
    read_file: &mut Read<'_>,
) -> Result<Option<Tls>, WebConfigError> {
    let invalid = |(key, problem): Problem| {
        WebConfigError::invalid(file, format!("tls_server_config: {key}: {problem}"))
    };
    let provider = provider(section).map_err(invalid)?;
    let versions = versions(section).map_err(invalid)?;
    let auth = ClientAuth::parse(section.client_auth_type.as_deref()).map_err(invalid)?;

    let mut pem = |key: &'static str, text: &Option<String>, path: &Option<PathBuf>| {
        pem(file, key, text.as_deref(), path.as_deref(), read_file)
    };
    let certificate = pem("cert", &section.cert, &section.cert_file)?;
    let key = pem("key", &section.key, &section.key_file)?;
    let authority = pem("client_ca", &section.client_ca, &section.client_ca_file)?;
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) if !wants_tls(section) => return Ok(None),
        (None, _) => {
            let problem = "is missing; name the file with the server's certificate";
            return Err(invalid(("cert_file", problem.into())));
        }
        (_, None) => {
            let problem = "is missing; name the file with the certificate's private key";
            return Err(invalid(("key_file", problem.into())));
        }
    };
    let chain = certificates(&certificate.bytes)
        .map_err(|problem| WebConfigError::invalid(&certificate.file, problem))?;
    let private = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|_| {
        WebConfigError::invalid(
            &key.file,
            "has no private key in PEM form; one begins with -----BEGIN PRIVATE KEY-----",
        )
    })?;
    let authorities = match &authority {
        None => Vec::new(),
        Some(pem) => certificates(&pem.bytes)
            .map_err(|problem| WebConfigError::invalid(&pem.file, problem))?,
    };
    let sans = section.client_allowed_sans.as_deref();
    let verifier = client_auth::verifier(auth, authorities, sans, &provider).map_err(invalid)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| {
            let problem =
                format!("{error}; name a suite of each version from min_version to max_version");
            invalid(("cipher_suites", problem.into()))
        })?;
    let mut config = builder
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, private)
        .map_err(|error| {
            let problem = match error {
                rustls::Error::InconsistentKeys(_) => {
                    "is not the key of the certificate; give the two that belong together"
                        .to_owned()
                }
                error => format!("this key or its certificate cannot be used: {error}"),
            };
            WebConfigError::invalid(&key.file, problem)
        })?;
    config.ignore_client_order = section.prefer_server_cipher_suites.unwrap_or(true);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Tls {
        config: Arc::new(config),
        verifies_clients: auth == ClientAuth::RequireAndVerify,
    }))
}

/// Whether a section without a certificate is a mistake. Versions and ciphers alone are none, as in
/// Prometheus' toolkit.
fn wants_tls(section: &TlsSection) -> bool {
    section.client_auth_type.is_some()
        || section.client_ca.is_some()
        || section.client_ca_file.is_some()
        || section.client_allowed_sans.is_some()
}

/// A PEM text and the file that it is in.
struct Pem {
    bytes: Vec<u8>,
    file: PathBuf,
}

/// The PEM under `key`, or in the file under `key_file`, which is relative to `file`.
fn pem(
    file: &Path,
    key: &str,
    text: Option<&str>,
    path: Option<&Path>,
    read: &mut Read<'_>,
) -> Result<Option<Pem>, WebConfigError> {
    match (
        text.filter(|text| !text.is_empty()),
        path.filter(|path| !path.as_os_str().is_empty()),
    ) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(Pem {
            bytes: text.as_bytes().to_vec(),
            file: file.to_owned(),
        })),
        (None, Some(path)) => {
            let path = file.parent().unwrap_or(Path::new("")).join(path);
            Ok(Some(Pem {
                bytes: read(&path)?,
                file: path,
            }))
        }
        (Some(_), Some(_)) => Err(WebConfigError::invalid(
            file,
            format!("tls_server_config: both {key} and {key}_file are given; remove one"),
        )),
    }
}

/// All certificates of a PEM text, one at least.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(
            "has no certificate in PEM form; one begins with -----BEGIN CERTIFICATE-----"
                .to_owned(),
        ),
    }
}

fn versions(section: &TlsSection) -> Result<Vec<&'static SupportedProtocolVersion>, Problem> {
    let number = |key, value: &Option<String>, default: u8| match value.as_deref() {
        None | Some("") => Ok(default),
        Some("TLS12") => Ok(12),
        Some("TLS13") => Ok(13),
        Some("TLS10" | "TLS11") => Err((
            key,
            "TLS 1.0 and 1.1 are broken and not offered here; write TLS12 or TLS13".into(),
        )),
        Some(other) => {
            let problem = format!("{other:?} is unknown; write TLS12 or TLS13");
            Err((key, problem.into()))
        }
    };
    let least = number("min_version", &section.min_version, 12)?;
    let most = number("max_version", &section.max_version, 13)?;
    match (least, most) {
        (12, 12) => Ok(vec![&TLS12]),
        (12, _) => Ok(vec![&TLS13, &TLS12]),
        (_, 13) => Ok(vec![&TLS13]),
        _ => Err((
            "min_version",
            "is above max_version; no client could connect".into(),
        )),
    }
}

/// What rustls offers, narrowed to what the section names, in its order.
fn provider(section: &TlsSection) -> Result<Arc<CryptoProvider>, Problem> {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(names) = listed(section.cipher_suites.as_deref()) {
        let all = provider.cipher_suites.iter().copied();
        let known: Vec<_> = all.map(|suite| (go_name(suite), suite)).collect();
        let named = choose(names, &known, "cipher_suites")?;
        // Go lets only those of TLS 1.2 be chosen: those of 1.3 are always on.
        let is_13 = |suite: &SupportedCipherSuite| suite.tls13().is_some();
        let all_13 = provider
            .cipher_suites
            .iter()
            .filter(|suite| is_13(suite) && !named.iter().any(is_13));
        provider.cipher_suites = named.iter().chain(all_13).copied().collect();
    }
    if let Some(names) = listed(section.curve_preferences.as_deref()) {
        // Go has `CurveP521` too.
        let known: [(_, &'static dyn SupportedKxGroup); 4] = [
            ("X25519MLKEM768", kx_group::X25519MLKEM768),
            ("X25519", kx_group::X25519),
            ("CurveP256", kx_group::SECP256R1),
            ("CurveP384", kx_group::SECP384R1),
        ];
        let known = known.map(|(name, curve)| (name.to_owned(), curve));
        provider.kx_groups = choose(names, &known, "curve_preferences")?;
    }
    Ok(Arc::new(provider))
}

/// An empty list means the same as none.
fn listed(names: Option<&[String]>) -> Option<&[String]> {
    names.filter(|names| !names.is_empty())
}

/// The name of a cipher suite in Go, which knows those of TLS 1.3 by their names in RFC 8446.
fn go_name(suite: SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")
}

/// The values of these names, from a list of the known ones.
fn choose<T: Copy>(
    names: &[String],
    known: &[(String, T)],
    key: &'static str,
) -> Result<Vec<T>, Problem> {
    let find = |name: &String| {
        let found = known.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<_> = known.iter().map(|(known, _)| known.as_str()).collect();
            let known = known.join(", ");
            let problem = format!("{name:?} is not offered here (offered: {known})");
            (key, problem.into())
        })
    };
    names.iter().map(find).collect()
}
