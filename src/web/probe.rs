//! Asks a running daemon whether it is healthy: for images and for probes that can run a command.
//!
//! It must need nothing that only some have. A daemon that asks for a password or a certificate
//! has shown by that that it runs, so the probe has neither; and since it says nothing that is
//! secret, it takes any certificate.

use std::error::Error;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::routes::{CHALLENGE, HEALTHY};

/// How long the daemon may take to answer. Less than the 3 s that the image's check has.
const PATIENCE: Duration = Duration::from_millis(2500);

/// How much of the reason of a daemon that is not healthy is read.
const REASON_BYTES: usize = 1024;

/// What is asked: `http://` or `https://`, a host, and a path, which is `/-/healthy` when there is
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeUrl(Uri);

/// What is wrong with the text of a [`ProbeUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeUrlError {
    /// It is no URL with a host.
    #[error("not a URL; write it like http://127.0.0.1:10057/-/healthy")]
    NotAUrl,
    /// The scheme is another one.
    #[error("only http:// and https:// can be asked")]
    Scheme,
    /// A user or password is in it.
    #[error(
        "leave out the user and the password: the health is told without, and a command line is no place for them"
    )]
    Password,
}

impl FromStr for ProbeUrl {
    type Err = ProbeUrlError;

    fn from_str(text: &str) -> Result<Self, ProbeUrlError> {
        let uri: Uri = text.parse().map_err(|_| ProbeUrlError::NotAUrl)?;
        let authority = uri.authority().ok_or(ProbeUrlError::NotAUrl)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(ProbeUrlError::Scheme);
        }
        if authority.as_str().contains('@') {
            return Err(ProbeUrlError::Password);
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Ok(Self(uri));
        }
        let mut parts = uri.into_parts();
        parts.path_and_query = HEALTHY.parse().ok();
        Uri::from_parts(parts)
            .map(Self)
            .map_err(|_| ProbeUrlError::NotAUrl)
    }
}

impl fmt::Display for ProbeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ProbeUrl {
    fn is_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Without the brackets that an IPv6 address has in a URL.
    fn host(&self) -> &str {
        let host = self.0.host().unwrap_or_default();
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }

    fn port(&self) -> u16 {
        let default = if self.is_tls() { 443 } else { 80 };
        self.0.port_u16().unwrap_or(default)
    }
}

/// By what a daemon has shown that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It says that it is healthy.
    Healthy,
    /// It asks for a password.
    AsksForPassword,
    /// It asks for a client certificate.
    AsksForCertificate,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::AsksForPassword => "healthy: it answers, and asks for a password",
            Self::AsksForCertificate => "healthy: it answers, and asks for a certificate",
        })
    }
}

/// Why a daemon is not known to be healthy.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// There is no connection.
    #[error("no connection: {0}; does the daemon run, and listen there (web.listen_address)?")]
    Connect(#[source] io::Error),
    /// It does not answer.
    #[error("no answer within {} s", PATIENCE.as_secs_f32())]
    Late,
    /// It answers, but not with HTTP, or not with TLS.
    #[error("no proper answer: {0}; is it http:// or https://, and the right port?")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// It says that it is not healthy, and why.
    #[error("not healthy: {0}")]
    Unhealthy(String),
    /// It answers something else.
    #[error(
        "answered {0} where a daemon that is healthy answers 200; is it the right port and path?"
    )]
    Status(StatusCode),
}

/// Asks a daemon whether it is healthy.
///
/// # Errors
///
/// When it does not answer within 2.5 s, or not as a daemon that is healthy does.
pub async fn probe(url: &ProbeUrl) -> Result<Health, ProbeError> {
    tokio::time::timeout(PATIENCE, ask(url))
        .await
        .unwrap_or(Err(ProbeError::Late))
}

async fn ask(url: &ProbeUrl) -> Result<Health, ProbeError> {
    let stream = TcpStream::connect((url.host(), url.port()))
        .await
        .map_err(ProbeError::Connect)?;
    if !url.is_tls() {
        return request(stream, url)
            .await
            .map_err(ProbeError::Broken)?
            .judge();
    }
    let asked = Arc::new(Asked::default());
    match request_by_tls(stream, url, &asked).await {
        Ok(answer) => answer.judge(),
        // It asked, got none, and said goodbye in TLS' own words.
        Err(error) if asked.0.load(Ordering::Relaxed) && is_alert(&*error) => {
            Ok(Health::AsksForCertificate)
        }
        Err(error) => Err(ProbeError::Broken(error)),
    }
}

/// What of an answer is judged.
struct Answer {
    status: StatusCode,
    challenges: bool,
    /// The first line of an answer that says 503.
    reason: String,
}

impl Answer {
    async fn read(response: Response<Incoming>) -> Result<Self, Broken> {
        let (head, body) = response.into_parts();
        let mut answer = Self {
            status: head.status,
            challenges: (head.headers.get(WWW_AUTHENTICATE))
                .is_some_and(|challenge| challenge == CHALLENGE),
            reason: String::new(),
        };
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            let body = Limited::new(body, REASON_BYTES).collect().await?.to_bytes();
            let text = String::from_utf8_lossy(&body);
            // Whoever answers: a terminal takes no orders from it.
            let line = text.lines().next().unwrap_or_default().chars();
            answer.reason = line.filter(|char| !char.is_control()).collect();
        }
        Ok(answer)
    }

    fn judge(self) -> Result<Health, ProbeError> {
        match self.status {
            StatusCode::OK => Ok(Health::Healthy),
            StatusCode::UNAUTHORIZED if self.challenges => Ok(Health::AsksForPassword),
            StatusCode::SERVICE_UNAVAILABLE if !self.reason.is_empty() => {
                Err(ProbeError::Unhealthy(self.reason))
            }
            status => Err(ProbeError::Status(status)),
        }
    }
}

type Broken = Box<dyn Error + Send + Sync>;

async fn request_by_tls(
    stream: TcpStream,
    url: &ProbeUrl,
    asked: &Arc<Asked>,
) -> Result<Answer, Broken> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.client_auth_cert_resolver = Arc::clone(asked) as _;
    let name = ServerName::try_from(url.host().to_owned())?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    request(stream, url).await
}

async fn request<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    url: &ProbeUrl,
) -> Result<Answer, Broken> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let path = url.0.path_and_query().map_or(HEALTHY, |path| path.as_str());
    let host = url.0.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path)
        .header(HOST, host)
        .body(Empty::<Bytes>::new())?;
    let mut connection = std::pin::pin!(connection);
    let mut answer =
        std::pin::pin!(async { Answer::read(sender.send_request(request).await?).await });
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

/// Whether the other side ended a TLS connection by an alert.
fn is_alert(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(|error| error.get_ref())
            .and_then(|error| error.downcast_ref::<rustls::Error>());
        if matches!(
            inner.or_else(|| error.downcast_ref()),
            Some(rustls::Error::AlertReceived(_))
        ) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Has no certificate to show, and remembers that it was asked for one.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        // Said so that `resolve` is called at all.
        true
    }
}

/// Takes any certificate.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
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
        let url = |text: &str| text.parse::<ProbeUrl>();
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
            ("", ProbeUrlError::NotAUrl),
            ("/-/healthy", ProbeUrlError::NotAUrl),
            ("localhost:10057", ProbeUrlError::Scheme),
            ("ftp://h/", ProbeUrlError::Scheme),
            ("http://u:p@h/", ProbeUrlError::Password),
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
        let (_stream, answer) = tokio::join!(daemon, probe(&url));
        let error = answer.unwrap_err();
        assert_eq!(error.to_string(), "not healthy: stands [1mstill");
    }
}
