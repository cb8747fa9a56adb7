//! Asks a running server whether it is healthy, for images and for probes that can run a command.
//!
//! It needs no secret: a server that requires a password or a certificate shows by that that it runs.
//! And since it sends nothing secret, it accepts any certificate.

use std::error::Error;
use std::fmt;
use std::io;
use std::iter;
use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, AlertDescription, ClientConfig, DigitallySignedStruct, SignatureScheme,
};

use crate::site::{CHALLENGE, HEALTHY};

/// How long the server may take to answer. Less than the 3 s that images' checks usually have.
const WITHIN: Duration = Duration::from_millis(2500);

/// How much of the reason of an unhealthy server is read.
const REASON_BYTES: usize = 1024;

/// The URL of a server: `http://` or `https://`, a host, and a path, which is `/-/healthy` when
/// there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthUrl(Uri);

/// What is wrong with the text of a [`HealthUrl`], and what to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HealthUrlError(&'static str);

const NOT_A_URL: HealthUrlError =
    HealthUrlError("not a URL; write it like http://127.0.0.1:9100/-/healthy");
const NO_SCHEME: HealthUrlError = HealthUrlError("only http:// and https:// can be requested");
const HAS_PASSWORD: HealthUrlError = HealthUrlError(
    "leave out the user and the password: the check needs none, and a command line is no place for \
     them",
);

impl FromStr for HealthUrl {
    type Err = HealthUrlError;

    fn from_str(text: &str) -> Result<Self, HealthUrlError> {
        let uri: Uri = text.parse().map_err(|_| NOT_A_URL)?;
        let authority = uri.authority().ok_or(NOT_A_URL)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(NO_SCHEME);
        }
        if authority.as_str().contains('@') {
            return Err(HAS_PASSWORD);
        }
        let mut parts = uri.into_parts();
        if parts.path_and_query.as_ref().is_none_or(|path| path == "/") {
            parts.path_and_query = HEALTHY.parse().ok();
        }
        let uri = Uri::from_parts(parts).map_err(|_| NOT_A_URL)?;
        Ok(Self(uri))
    }
}

impl fmt::Display for HealthUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl HealthUrl {
    fn is_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// The host, an IPv6 address without the brackets that it has in a URL.
    fn host(&self) -> &str {
        let host = self.0.host().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    fn port(&self) -> u16 {
        let default = if self.is_tls() { 443 } else { 80 };
        self.0.port_u16().unwrap_or(default)
    }
}

/// How a server has shown that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers that it is healthy.
    Healthy,
    /// It requires a password.
    RequiresPassword,
    /// It requires a client certificate.
    RequiresCertificate,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::RequiresPassword => "healthy: it answers, and requires a password",
            Self::RequiresCertificate => "healthy: it answers, and requires a certificate",
        })
    }
}

/// Why a server is not known to be healthy.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// There is no connection.
    #[error("no connection: {0}; does the exporter run, and listen there?")]
    Connect(#[source] io::Error),
    /// It does not answer in time.
    #[error("no answer within {} s", WITHIN.as_secs_f32())]
    Late,
    /// It answers, but not with HTTP, or not with TLS.
    #[error("no valid answer: {0}; is it http:// or https://, and the right port?")]
    Broken(#[source] Broken),
    /// It answers that it is not healthy, and why.
    #[error("not healthy: {0}")]
    Unhealthy(String),
    /// It answers with another status.
    #[error("answered {0} where a healthy exporter answers 200; is it the right port and path?")]
    Status(StatusCode),
}

type Broken = Box<dyn Error + Send + Sync>;

/// Asks a server whether it is healthy.
///
/// # Errors
///
/// When it does not answer within 2.5 s, or not as a healthy server does.
pub async fn healthcheck(url: &HealthUrl) -> Result<Health, HealthError> {
    tokio::time::timeout(WITHIN, check(url))
        .await
        .unwrap_or(Err(HealthError::Late))
}

async fn check(url: &HealthUrl) -> Result<Health, HealthError> {
    let stream = TcpStream::connect((url.host(), url.port()))
        .await
        .map_err(HealthError::Connect)?;
    if !url.is_tls() {
        return judge(request(stream, url).await.map_err(HealthError::Broken)?);
    }
    match request_by_tls(stream, url).await {
        Ok(answer) => judge(answer),
        Err(error) if is_certificate_required(&*error) => Ok(Health::RequiresCertificate),
        Err(error) => Err(HealthError::Broken(error)),
    }
}

fn judge(answer: Response<String>) -> Result<Health, HealthError> {
    let challenge = answer.headers().get(WWW_AUTHENTICATE);
    match answer.status() {
        StatusCode::OK => Ok(Health::Healthy),
        StatusCode::UNAUTHORIZED if challenge.is_some_and(|it| it == CHALLENGE) => {
            Ok(Health::RequiresPassword)
        }
        StatusCode::SERVICE_UNAVAILABLE if !answer.body().is_empty() => {
            Err(HealthError::Unhealthy(answer.into_body()))
        }
        status => Err(HealthError::Status(status)),
    }
}

async fn request_by_tls(stream: TcpStream, url: &HealthUrl) -> Result<Response<String>, Broken> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(url.host().to_owned())?;
    let connector = TlsConnector::from(Arc::new(config));
    request(connector.connect(name, stream).await?, url).await
}

async fn request<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    url: &HealthUrl,
) -> Result<Response<String>, Broken> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let path = url.0.path_and_query().map_or(HEALTHY, |path| path.as_str());
    let host = url.0.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path)
        .header(HOST, host)
        .body(Empty::<Bytes>::new())?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async { first_line(sender.send_request(request).await?).await });
    tokio::select! {
        answer = &mut answer => answer,
        // The end of the connection may come first, with the answer behind it or with the reason
        // why there is none.
        ended = &mut connection => {
            ended?;
            answer.await
        }
    }
}

/// The answer, with its first line as the body where it may say why a server is not healthy.
async fn first_line(response: Response<Incoming>) -> Result<Response<String>, Broken> {
    let (head, body) = response.into_parts();
    let mut line = String::new();
    if head.status == StatusCode::SERVICE_UNAVAILABLE {
        let body = Limited::new(body, REASON_BYTES).collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&body);
        // Any program may answer there; its text must not control a terminal.
        let first = text.lines().next().unwrap_or_default().chars();
        line = first.filter(|char| !char.is_control()).collect();
    }
    Ok(Response::from_parts(head, line))
}

/// Whether the server ended the connection because it got no client certificate.
fn is_certificate_required(error: &(dyn Error + 'static)) -> bool {
    iter::successors(Some(error), |error| Error::source(*error)).any(|error| {
        let io = error.downcast_ref::<io::Error>();
        let inner = io.and_then(|io| io.get_ref()?.downcast_ref());
        let error: Option<&rustls::Error> = inner.or_else(|| error.downcast_ref());
        let alert = AlertDescription::CertificateRequired;
        error == Some(&rustls::Error::AlertReceived(alert))
    })
}

/// Accepts any certificate.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_url_has_a_scheme_a_host_and_a_path() {
        let url = |text: &str| text.parse::<HealthUrl>();
        for (text, host, port, asked) in [
            ("http://h", "h", 80, "http://h/-/healthy"),
            ("https://h/", "h", 443, "https://h/-/healthy"),
            ("http://[::1]:10057/x", "::1", 10057, "http://[::1]:10057/x"),
        ] {
            let url = url(text).unwrap();
            assert_eq!((url.host(), url.port()), (host, port), "{text}");
            assert_eq!(url.to_string(), asked);
        }
        for (text, error) in [
            ("", NOT_A_URL),
            ("/-/healthy", NOT_A_URL),
            ("localhost:10057", NO_SCHEME),
            ("ftp://h/", NO_SCHEME),
            ("http://u:p@h/", HAS_PASSWORD),
        ] {
            assert_eq!(url(text), Err(error), "{text}");
        }
    }

    #[tokio::test]
    async fn why_a_daemon_is_not_healthy_is_its_first_line_without_control_characters() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let daemon = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
            let body = "stands \x1b[1mstill\nmore\n";
            let length = body.len();
            let head = format!("HTTP/1.1 503 Unavailable\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
            stream
        };
        let url = url.parse().unwrap();
        let (_stream, answer) = tokio::join!(daemon, healthcheck(&url));
        let error = answer.unwrap_err();
        assert_eq!(error.to_string(), "not healthy: stands [1mstill");
    }
}
