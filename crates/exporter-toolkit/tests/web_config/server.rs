//! A server behind a web configuration file, and clients of it: rustls, and curl as one that is
//! not ours.

use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exporter_toolkit::{Limits, Settings, WebConfig};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use tempfile::TempDir;

use crate::support::{self, TestExporter};

pub use crate::support::client::PATIENCE;

/// A folder with the web configuration file and what it names.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    /// Writes `web.yml`.
    pub fn web(self, text: &str) -> Self {
        self.write("web.yml", text);
        self
    }

    /// A certificate of the authority for localhost, as `NAME.crt` and `NAME.key`.
    pub fn certificate(self, name: &str, authority: &Authority) -> Self {
        let (certificate, key) =
            authority.issue(&[SanType::DnsName("localhost".try_into().unwrap())]);
        self.write(&format!("{name}.crt"), &certificate);
        self.write(&format!("{name}.key"), &key);
        self
    }

    /// The authority's own certificate, as `NAME.crt`.
    pub fn authority(self, name: &str, authority: &Authority) -> Self {
        self.write(&format!("{name}.crt"), &authority.0.pem());
        self
    }

    /// A client certificate with one e-mail address, as `client.crt` and `client.key`.
    pub fn client(self, authority: &Authority, email: &str) -> Self {
        let (certificate, key) = authority.issue(&[SanType::Rfc822Name(email.try_into().unwrap())]);
        self.write("client.crt", &certificate);
        self.write("client.key", &key);
        self
    }

    /// Reads the file as the daemon does.
    pub fn open(&self) -> Result<Arc<WebConfig>, String> {
        WebConfig::open(&self.path().join("web.yml"))
            .map(Arc::new)
            .map_err(|error| error.to_string())
    }

    /// A server that goes by the file.
    pub async fn serve(&self) -> Server {
        self.serve_within(Limits::default()).await
    }

    /// The same, and what a client may take up is this.
    pub async fn serve_within(&self, limits: Limits) -> Server {
        let config = self.open().unwrap();
        let settings = Settings {
            limits,
            web_config: Some(Arc::clone(&config)),
            ..Settings::default()
        };
        let server = support::Server::of(TestExporter::of(0), settings).await;
        Server { config, server }
    }

    /// Asks with curl, which takes its files from here.
    pub fn curl(&self, arguments: &[&str]) -> impl Future<Output = Answer> + use<> {
        let folder = self.path().to_owned();
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let output = tokio::task::spawn_blocking(move || {
            Command::new("curl")
                .args(["-sS", "-i", "--max-time", "20"])
                .args(arguments)
                .current_dir(folder)
                .output()
                .expect("curl is missing: install it")
        });
        async move { Answer::of(&output.await.unwrap()) }
    }
}

pub struct Server {
    pub config: Arc<WebConfig>,
    server: support::Server,
}

impl Deref for Server {
    type Target = support::Server;

    fn deref(&self) -> &support::Server {
        &self.server
    }
}

impl Server {
    /// Why a reload of the file fails.
    pub async fn refused_reload(&self) -> String {
        self.config.reload().await.unwrap_err().to_string()
    }

    pub fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn https(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }
}

/// What curl got; without an answer the status is 0.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    pub error: String,
}

impl Answer {
    fn of(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap_or(0),
            text,
            error: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub fn version(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.trim_end())
        })
    }
}

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        // A name of its own: a certificate whose issuer is its subject seems to sign itself.
        params
            .distinguished_name
            .push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn issue(&self, names: &[SanType]) -> (String, String) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// Asks until the answer is right.
pub async fn until<F>(what: &str, mut ask: impl FnMut() -> F, right: impl Fn(&Answer) -> bool)
where
    F: Future<Output = Answer>,
{
    let start = Instant::now();
    loop {
        let answer = ask().await;
        if right(&answer) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
