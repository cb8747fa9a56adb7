//! The HTTP clients: which certificates they trust, and what they ask without a proxy.
//!
//! The SDK reads no `AWS_CA_BUNDLE`, and asks a proxy even for the instance's metadata: a proxy that
//! answers with its own would make this program read another account. A bundle that cannot be read
//! fails the call. It never leads to a client that trusts other certificates.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::imds;
use aws_config::provider_config::ProviderConfig;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::environment::{expanded, variable};
use super::files::{SharedFiles, Stamp, stamp};

/// The deadline of a request to the instance's metadata. The SDK's own is one second, and some
/// instances take longer at times.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of the instance's metadata.
pub(super) fn metadata(config: &ProviderConfig) -> imds::Client {
    imds::Client::builder()
        .configure(config)
        .connect_timeout(METADATA_TIMEOUT)
        .read_timeout(METADATA_TIMEOUT)
        .operation_attempt_timeout(METADATA_TIMEOUT)
        .operation_timeout(METADATA_TIMEOUT)
        .build()
}

/// A file of certificates that are trusted in place of the system's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CaBundle {
    path: PathBuf,
    /// The variable, or the profile and its file, that names it.
    from: String,
}

impl CaBundle {
    /// The file in `AWS_CA_BUNDLE`, else in the `ca_bundle` of the profile.
    pub fn find(files: Option<&SharedFiles>, profile: &str) -> Option<Self> {
        const VARIABLE: &str = "AWS_CA_BUNDLE";
        if let Some(path) = variable(VARIABLE) {
            let (path, from) = (expanded(&path), VARIABLE.to_owned());
            return Some(Self { path, from });
        }
        let (path, file) = files?.get(profile, "ca_bundle")?;
        let from = format!("ca_bundle of profile '{profile}' in {}", file.display());
        let path = expanded(path);
        Some(Self { path, from })
    }

    /// Reads the certificates that can be used.
    ///
    /// # Errors
    ///
    /// A text with the file, what names it, and the problem.
    pub fn read(&self) -> Result<TlsContext, String> {
        let named = |problem: &dyn std::fmt::Display| {
            let (path, from) = (self.path.display(), &self.from);
            format!("the CA bundle {path} ({from}) {problem}")
        };
        let pem = exporter_toolkit::files::read(&self.path)
            .map_err(|error| named(&format_args!("cannot be read: {error}")))?;
        // The SDK panics on certificates that cannot be used.
        let mut usable = RootCertStore::empty();
        let mut trusted = TrustStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok) {
            if usable.add(certificate.clone()).is_ok() {
                trusted = trusted.with_pem_certificate(format!(
                    "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                    STANDARD.encode(certificate)
                ));
            }
        }
        if usable.is_empty() {
            return Err(named(&"holds no certificate; it must be a PEM file"));
        }
        let context = TlsContext::builder().with_trust_store(trusted).build();
        context.map_err(|error| named(&error))
    }
}

/// A client with this proxy that trusts a bundle, or the system's certificates where there is none.
pub(super) fn client(bundle: Option<&CaBundle>, proxy: ProxyConfig) -> SharedHttpClient {
    match bundle {
        None => sdk_client(None, proxy),
        Some(bundle) => SharedHttpClient::new(TrustsBundle {
            bundle: bundle.clone(),
            proxy,
            built: Mutex::default(),
        }),
    }
}

/// The SDK's default client with these certificates and this proxy.
fn sdk_client(trusted: Option<TlsContext>, proxy: ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().tls_provider(Provider::rustls(CryptoMode::AwsLc));
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.set_proxy_config(Some(proxy.clone()));
        if let Some(trusted) = &trusted {
            builder.set_tls_context(trusted.clone());
        }
        builder.build()
    })
}

/// A client that trusts the certificates of a bundle. The file is read again when it changes, for an
/// authority may be replaced while the daemon runs.
#[derive(Debug)]
struct TrustsBundle {
    bundle: CaBundle,
    proxy: ProxyConfig,
    /// The client of the bundle as it was last read.
    built: Mutex<Option<(Stamp, SharedHttpClient)>>,
}

impl TrustsBundle {
    /// The client of the bundle as it is now; the one before while that cannot be read.
    fn client(&self) -> Result<SharedHttpClient, String> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.bundle.path);
        if let Some((_, client)) = built.as_ref().filter(|(stamp, _)| *stamp == now) {
            return Ok(client.clone());
        }
        match (self.bundle.read(), built.as_ref()) {
            (Ok(trusted), _) => {
                let client = sdk_client(Some(trusted), self.proxy.clone());
                *built = Some((now, client.clone()));
                Ok(client)
            }
            (Err(_), Some((_, client))) => Ok(client.clone()),
            (Err(problem), None) => Err(problem),
        }
    }
}

impl HttpClient for TrustsBundle {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        match self.client() {
            Ok(client) => client.http_connector(settings, components),
            Err(problem) => SharedHttpConnector::new(Refuses(problem)),
        }
    }
}

/// Fails every request with this problem.
#[derive(Debug)]
struct Refuses(String);

impl HttpConnector for Refuses {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let refusal = ConnectorError::other(self.0.clone().into(), None);
        HttpConnectorFuture::ready(Err(refusal))
    }
}
