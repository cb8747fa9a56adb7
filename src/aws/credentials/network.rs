//! The HTTP clients: which certificates they trust, and what they never send through a proxy.
//!
//! The SDK reads no `AWS_CA_BUNDLE`, and asks a proxy even for the metadata of the instance: one
//! that answers with its own would make us read another account. A bundle that cannot be read is a
//! failed call, never a client that trusts something else.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

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

use super::Variables;
use super::files::SharedFiles;

/// Where containers are given credentials: ECS, and EKS Pod Identity.
///
/// Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// A header that every request to the instance's metadata has.
///
/// Source: EC2 User Guide, "Use the Instance Metadata Service".
const METADATA_HEADERS: [&str; 2] = [
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
];

/// A file of certificates that are trusted in place of the system's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::aws) struct CaBundle {
    /// Its path.
    pub path: PathBuf,
    /// What names it: a variable, or a profile and its file.
    pub from: String,
}

impl CaBundle {
    /// `AWS_CA_BUNDLE`, else the `ca_bundle` of the profile.
    pub(super) fn find(
        variables: &Variables,
        files: Option<&SharedFiles>,
        profile: &str,
    ) -> Option<Self> {
        const VARIABLE: &str = "AWS_CA_BUNDLE";
        if let Some(path) = variables.get(VARIABLE) {
            let (path, from) = (variables.expanded(path), VARIABLE.to_owned());
            return Some(Self { path, from });
        }
        let (path, file) = files?.get(profile, "ca_bundle")?;
        Some(Self {
            path: variables.expanded(path),
            from: format!("ca_bundle of profile '{profile}' in {}", file.display()),
        })
    }

    /// Reads the certificates, and says what is wrong with the file where there are none.
    ///
    /// # Errors
    ///
    /// A text that names the file, and what names it.
    pub fn read(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let named = |problem: &dyn std::fmt::Display| {
            let (path, from) = (self.path.display(), &self.from);
            format!("the CA bundle {path} ({from}) {problem}")
        };
        let pem = exporter_toolkit::files::read(&self.path)
            .map_err(|error| named(&format_args!("cannot be read: {error}")))?;
        // The SDK panics on those that cannot be used.
        let mut store = RootCertStore::empty();
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .filter_map(Result::ok)
            .filter(|certificate| store.add(certificate.clone()).is_ok())
            .collect();
        if certificates.is_empty() {
            return Err(named(&"holds no certificate; it must be a PEM file"));
        }
        Ok(certificates)
    }
}

/// A client for AWS's services; `None` where the SDK's own does.
pub(super) fn for_services(bundle: Option<&CaBundle>) -> Option<SharedHttpClient> {
    bundle.map(|bundle| trusting(bundle, ProxyConfig::from_env()))
}

/// A client for the providers of credentials: it asks AWS as [`for_services`] does, and the instance
/// or the container itself.
pub(super) fn for_providers(bundle: Option<&CaBundle>, variables: &Variables) -> SharedHttpClient {
    let full_uri = variables.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let containers = CONTAINER_HOSTS.into_iter().chain(full_uri.and_then(host));
    let client = |proxy: ProxyConfig| match bundle {
        Some(bundle) => trusting(bundle, proxy),
        None => client(None, proxy),
    };
    SharedHttpClient::new(Routing {
        services: client(ProxyConfig::from_env()),
        near: client(ProxyConfig::disabled()),
        containers: containers.map(str::to_ascii_lowercase).collect(),
    })
}

/// Host and port of a URI.
fn host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

fn trusting(bundle: &CaBundle, proxy: ProxyConfig) -> SharedHttpClient {
    SharedHttpClient::new(Trusting {
        bundle: bundle.clone(),
        proxy,
        built: Mutex::default(),
    })
}

/// The client that the SDK makes by default, but for what it trusts and its proxies.
fn client(trusted: Option<TlsContext>, proxy: ProxyConfig) -> SharedHttpClient {
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

/// Trusts the certificates of a bundle, which is read again when the file changes: within the
/// months that a daemon lives, an authority is replaced.
#[derive(Debug)]
struct Trusting {
    bundle: CaBundle,
    proxy: ProxyConfig,
    built: Mutex<Option<Built>>,
}

#[derive(Debug)]
struct Built {
    client: SharedHttpClient,
    stamp: Stamp,
}

type Stamp = Option<(SystemTime, u64)>;

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl Trusting {
    /// The client of the bundle as it is now; the one before while that cannot be read.
    fn client(&self) -> Result<SharedHttpClient, String> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.bundle.path);
        if let Some(built) = built.as_ref().filter(|built| built.stamp == now) {
            return Ok(built.client.clone());
        }
        match (self.bundle.read(), built.as_ref()) {
            (Ok(certificates), _) => {
                let client = client(Some(trust(&certificates)?), self.proxy.clone());
                let new = Built {
                    client: client.clone(),
                    stamp: now,
                };
                *built = Some(new);
                Ok(client)
            }
            (Err(_), Some(built)) => Ok(built.client.clone()),
            (Err(problem), None) => Err(problem),
        }
    }
}

fn trust(certificates: &[CertificateDer<'_>]) -> Result<TlsContext, String> {
    let store = certificates
        .iter()
        .fold(TrustStore::empty(), |store, certificate| {
            store.with_pem_certificate(format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                STANDARD.encode(certificate)
            ))
        });
    let context = TlsContext::builder().with_trust_store(store).build();
    context.map_err(|error| error.to_string())
}

impl HttpClient for Trusting {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        match self.client() {
            Ok(client) => client.http_connector(settings, components),
            Err(problem) => SharedHttpConnector::new(Refusing(problem)),
        }
    }
}

/// Answers no request.
#[derive(Debug)]
struct Refusing(String);

impl HttpConnector for Refusing {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let refusal = ConnectorError::other(self.0.clone().into(), None);
        HttpConnectorFuture::ready(Err(refusal))
    }
}

/// Asks the instance and the container without a proxy.
#[derive(Debug)]
struct Routing {
    services: SharedHttpClient,
    near: SharedHttpClient,
    /// Host and port of what gives credentials to containers.
    containers: Arc<[String]>,
}

impl HttpClient for Routing {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Route {
            services: self.services.http_connector(settings, components),
            near: self.near.http_connector(settings, components),
            containers: Arc::clone(&self.containers),
        })
    }
}

#[derive(Debug)]
struct Route {
    services: SharedHttpConnector,
    near: SharedHttpConnector,
    containers: Arc<[String]>,
}

impl Route {
    fn is_near(&self, request: &HttpRequest) -> bool {
        let host = host(request.uri()).map(str::to_ascii_lowercase);
        METADATA_HEADERS
            .iter()
            .any(|name| request.headers().contains_key(name))
            || host.is_some_and(|host| self.containers.contains(&host))
    }
}

impl HttpConnector for Route {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if self.is_near(&request) {
            self.near.call(request)
        } else {
            self.services.call(request)
        }
    }
}
