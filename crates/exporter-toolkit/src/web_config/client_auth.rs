//! `client_auth_type`, `client_ca_file` and `client_allowed_sans`: which clients are admitted.
//!
//! A client that sends a certificate always proves that it has the key, whatever else is required.

use std::net::IpAddr;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::error::Problem;

/// `client_auth_type`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    /// No certificate is requested.
    None,
    /// One is requested, and neither required nor verified.
    Request,
    /// One is required, of any authority.
    RequireAny,
    /// None is required; one that is sent must be of a known authority.
    VerifyIfGiven,
    /// One of a known authority is required.
    RequireAndVerify,
}

impl ClientAuth {
    /// The type by its name in Go.
    pub fn parse(name: Option<&str>) -> Result<Self, Problem> {
        match name.unwrap_or_default() {
            "" | "NoClientCert" => Ok(Self::None),
            "RequestClientCert" => Ok(Self::Request),
            // The second is an old name.
            "RequireAnyClientCert" | "RequireClientCert" => Ok(Self::RequireAny),
            "VerifyClientCertIfGiven" => Ok(Self::VerifyIfGiven),
            "RequireAndVerifyClientCert" => Ok(Self::RequireAndVerify),
            other => {
                let problem = format!(
                    "{other:?} is unknown; write NoClientCert, RequestClientCert, \
                     RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert"
                );
                Err(("client_auth_type", problem.into()))
            }
        }
    }
}

/// The verifier of the clients' certificates.
pub(super) fn verifier(
    auth: ClientAuth,
    authorities: Vec<CertificateDer<'static>>,
    sans: Option<&[String]>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
    let requires = matches!(auth, ClientAuth::RequireAny | ClientAuth::RequireAndVerify);
    let verifies = auth == ClientAuth::VerifyIfGiven || auth == ClientAuth::RequireAndVerify;
    let (key, problem) = if verifies && authorities.is_empty() {
        (
            "client_ca_file",
            "is missing; name the authority that signs the clients' certificates",
        )
    } else if !authorities.is_empty() && auth == ClientAuth::None {
        (
            "client_auth_type",
            "requests no certificate, so that client_ca_file has no use; write \
             RequireAndVerifyClientCert",
        )
    } else if sans.is_some() && !requires {
        (
            "client_allowed_sans",
            "needs client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert: a client \
             without a certificate has no name",
        )
    } else if sans.is_some_and(<[_]>::is_empty) {
        (
            "client_allowed_sans",
            "is empty, so that no client would be admitted; name one, or remove the key",
        )
    } else if auth == ClientAuth::None {
        return Ok(WebPkiClientVerifier::no_client_auth());
    } else {
        let chain = verifies.then(|| chain(auth, &authorities, provider));
        let chain = chain.transpose();
        return Ok(Arc::new(Verifier {
            chain: chain.map_err(|problem| ("client_ca_file", problem.into()))?,
            authorities,
            required: requires,
            sans: sans.map(<[_]>::to_vec),
            provider: Arc::clone(provider),
        }));
    };
    Err((key, problem.into()))
}

/// The verifier of the chain from a certificate to an authority.
fn chain(
    auth: ClientAuth,
    authorities: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots
            .add(authority.clone())
            .map_err(|error| format!("a certificate in it cannot be an authority: {error}"))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
    let builder = if auth == ClientAuth::VerifyIfGiven {
        builder.allow_unauthenticated()
    } else {
        builder
    };
    builder.build().map_err(|error| error.to_string())
}

/// Verifies a client's certificate by its chain, where that is required, and by its names.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<dyn ClientCertVerifier>>,
    authorities: Vec<CertificateDer<'static>>,
    required: bool,
    sans: Option<Vec<String>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// Whether the certificate itself is in `client_ca_file`, as self-signed ones are, and valid now.
    /// The rules of the chain do not cover that: an authority is no client there.
    fn is_trusted_itself(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
        let listed = self
            .authorities
            .iter()
            .any(|authority| authority.as_ref() == certificate.as_ref());
        listed
            && X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| {
                let validity = parsed.validity();
                let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
                (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now)
            })
    }
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain
            .as_ref()
            .map_or(&[], |chain| chain.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain
            && !self.is_trusted_itself(end_entity, now)
        {
            chain.verify_client_cert(end_entity, intermediates, now)?;
        }
        if let Some(allowed) = &self.sans
            && !names(end_entity).iter().any(|name| allowed.contains(name))
        {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The subject alternative names that can be allowed: DNS, e-mail, IP and URI.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(names)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
                Some((*text).to_owned())
            }
            GeneralName::IPAddress(bytes) => {
                let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
                address.ok().map(|address| address.to_string())
            }
            _ => None,
        })
        .collect()
}
