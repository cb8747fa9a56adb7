//! TLS: versions, clients' certificates, and certificates that are renewed or withdrawn.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::server::{Authority, Folder, PATIENCE, until};

const TLS: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

fn folder(authority: &Authority) -> Folder {
    Folder::new()
        .certificate("server", authority)
        .authority("ca", authority)
}

#[tokio::test]
async fn http_1_1_is_spoken_over_tls_and_plain_http_is_not() {
    for http2 in [true, false] {
        let folder = folder(&Authority::new());
        let folder = folder.web(&format!("{TLS}http_server_config: {{http2: {http2}}}\n"));
        let server = folder.serve().await;
        let url = server.https("/metrics");
        // A client that would rather speak HTTP/2 is told by ALPN that it cannot.
        for flag in ["--http2", "--http1.1"] {
            let answer = folder.curl(&["--cacert", "ca.crt", flag, &url]).await;
            assert_eq!((answer.status, answer.version()), (200, "HTTP/1.1"));
            assert!(answer.text.contains("test_line"));
            let head = folder
                .curl(&["--cacert", "ca.crt", flag, "--head", &url])
                .await;
            assert_eq!(head.status, 200, "{head:?}");
            assert!(
                head.header("content-length")
                    .is_some_and(|length| length != "0")
            );
        }
        assert_eq!(folder.curl(&[&server.http("/metrics")]).await.status, 0);
        let health = format!("http://{}/-/healthy", server.health);
        assert_eq!(folder.curl(&[&health]).await.status, 200);
    }
}

#[tokio::test]
async fn a_version_of_tls_outside_the_limits_is_refused() {
    for (limits, refused, spoken) in [
        ("", ["--tls-max", "1.1"], "--tlsv1.2"),
        ("  min_version: TLS13\n", ["--tls-max", "1.2"], "--tlsv1.3"),
        (
            "  max_version: TLS12\n",
            ["--tlsv1.3", "--http1.1"],
            "--tlsv1.2",
        ),
    ] {
        let folder = folder(&Authority::new()).web(&format!("{TLS}{limits}"));
        let server = folder.serve().await;
        let url = server.https("/metrics");
        let ciphers = ["--ciphers", "DEFAULT@SECLEVEL=0", "--cacert", "ca.crt"];
        let arguments = [&ciphers[..], &refused[..], &[&url]].concat();
        let answer = folder.curl(&arguments).await;
        assert_eq!(answer.status, 0, "{limits}");
        assert!(
            answer.error.contains("SSL") || answer.error.contains("TLS"),
            "{answer:?}"
        );
        let answer = folder.curl(&["--cacert", "ca.crt", spoken, &url]).await;
        assert_eq!(answer.status, 200, "{limits} {answer:?}");
    }
}

#[tokio::test]
async fn a_cipher_that_is_not_listed_is_refused() {
    let suites = "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n  curve_preferences: [CurveP384]\n";
    let folder = folder(&Authority::new()).web(&format!("{TLS}{suites}"));
    let server = folder.serve().await;
    let url = server.https("/metrics");
    let ask = async |cipher, curve| {
        let arguments = [
            "--cacert",
            "ca.crt",
            "--ciphers",
            cipher,
            "--curves",
            curve,
            &url,
        ];
        folder.curl(&arguments).await.status
    };
    assert_eq!(
        ask("ECDHE-ECDSA-AES256-GCM-SHA384", "P-384:P-256").await,
        200
    );
    assert_eq!(ask("ECDHE-ECDSA-AES128-GCM-SHA256", "P-384:P-256").await, 0);
    assert_eq!(ask("ECDHE-ECDSA-AES256-GCM-SHA384", "P-256").await, 0);
}

#[tokio::test]
async fn each_client_auth_type_lets_in_whom_it_says() {
    let (ours, other) = (Authority::new(), Authority::new());
    // With no certificate, with one of ours, with one of somebody else.
    for (auth, authority, none, known, stranger) in [
        ("NoClientCert", "", 200, 200, 200),
        ("RequestClientCert", "", 200, 200, 200),
        ("RequireAnyClientCert", "", 0, 200, 200),
        ("RequireClientCert", "", 0, 200, 200),
        (
            "VerifyClientCertIfGiven",
            "  client_ca_file: clients.crt\n",
            200,
            200,
            0,
        ),
        (
            "RequireAndVerifyClientCert",
            "  client_ca_file: clients.crt\n",
            0,
            200,
            0,
        ),
    ] {
        let folder = folder(&ours)
            .authority("clients", &ours)
            .web(&format!("{TLS}{authority}  client_auth_type: {auth}\n"));
        let server = folder.serve().await;
        for path in ["/metrics", "/", "/-/healthy", "/nowhere"] {
            let url = server.https(path);
            let ask = async |with: &[&str]| {
                let arguments = [&["--cacert", "ca.crt"], with, &[&url]].concat();
                folder.curl(&arguments).await.status
            };
            let found = |status| {
                if path == "/nowhere" && status == 200 {
                    404
                } else {
                    status
                }
            };
            assert_eq!(ask(&[]).await, found(none), "{auth} {path}, none");
        }
        let url = server.https("/metrics");
        let with = [
            "--cacert",
            "ca.crt",
            "--cert",
            "client.crt",
            "--key",
            "client.key",
            &url,
        ];
        let folder = folder.client(&ours, "prometheus@example.org");
        assert_eq!(folder.curl(&with).await.status, known, "{auth}, ours");
        let folder = folder.client(&other, "prometheus@example.org");
        assert_eq!(
            folder.curl(&with).await.status,
            stranger,
            "{auth}, another's"
        );
    }
}

#[tokio::test]
async fn only_clients_with_an_allowed_name_get_in() {
    let ours = Authority::new();
    let folder = folder(&ours).web(&format!(
        "{TLS}  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n  \
         client_allowed_sans: [\"prometheus@example.org\", \"10.0.0.1\"]\n"
    ));
    let server = folder.serve().await;
    let url = server.https("/metrics");
    let with = [
        "--cacert",
        "ca.crt",
        "--cert",
        "client.crt",
        "--key",
        "client.key",
        &url,
    ];
    let folder = folder.client(&ours, "prometheus@example.org");
    assert_eq!(folder.curl(&with).await.status, 200);
    let folder = folder.client(&ours, "somebody@example.org");
    assert_eq!(folder.curl(&with).await.status, 0);
}

#[tokio::test]
async fn a_renewed_certificate_is_served_by_itself_and_a_broken_one_is_not() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = folder(&old).authority("new-ca", &new).web(TLS);
    let server = folder.serve().await;
    let url = server.https("/-/healthy");
    assert_eq!(folder.curl(&["--cacert", "ca.crt", &url]).await.status, 200);

    folder.write("server.crt", "-----BEGIN CERTIFICATE-----\n");
    assert!(server.config.reload().await.is_err());
    assert_eq!(folder.curl(&["--cacert", "ca.crt", &url]).await.status, 200);

    let folder = folder.certificate("server", &new);
    let ask = || folder.curl(&["--cacert", "new-ca.crt", &url]);
    until("the new certificate", ask, |answer| answer.status == 200).await;
    assert_eq!(folder.curl(&["--cacert", "ca.crt", &url]).await.status, 0);
}

#[tokio::test]
async fn a_reload_takes_a_renewed_certificate_at_once() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = folder(&old).authority("new-ca", &new).web(TLS);
    let server = folder.serve().await;
    let folder = folder.certificate("server", &new);
    server.config.reload().await.unwrap();
    let url = server.https("/-/healthy");
    let answer = folder.curl(&["--cacert", "new-ca.crt", &url]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn protection_is_not_lost_while_the_exporter_runs() {
    let folder = folder(&Authority::new()).web(TLS);
    let server = folder.serve().await;
    folder.write("web.yml", "");
    let error = server.refused_reload().await;
    assert!(
        error.contains("tls_server_config would be switched off"),
        "{error}"
    );
    assert_eq!(folder.curl(&[&server.http("/metrics")]).await.status, 0);
}

/// Asks on an open connection; `None` where it is closed without an answer.
async fn ask(stream: &mut TlsStream<TcpStream>) -> Option<String> {
    let request = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"OK\n") {
        match timeout(PATIENCE, stream.read_buf(&mut answer))
            .await
            .unwrap()
        {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
    String::from_utf8(answer).ok()
}

#[tokio::test]
async fn the_connection_of_a_client_whose_authority_is_withdrawn_ends_with_the_reload() {
    let (old, new) = (Authority::new(), Authority::new());
    let verified =
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.crt\n";
    let folder = folder(&old)
        .authority("clients", &old)
        .client(&old, "prometheus@example.org")
        .web(&format!("{TLS}{verified}"));
    let server = folder.serve().await;
    let path = |name: &str| folder.path().join(name);
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(path("ca.crt")).unwrap())
        .unwrap();
    let certificate = CertificateDer::from_pem_file(path("client.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(path("client.key")).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)
        .unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let connect = async || {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        connector.connect(name, stream).await.unwrap()
    };
    let (mut asks_again, mut waits) = (connect().await, connect().await);
    assert!(ask(&mut asks_again).await.is_some());
    assert!(ask(&mut waits).await.is_some());

    let folder = folder.authority("clients", &new);
    server.config.reload().await.unwrap();
    assert_eq!(ask(&mut asks_again).await, None);
    let mut rest = Vec::new();
    let end = timeout(PATIENCE, waits.read_to_end(&mut rest)).await;
    assert!(end.is_ok() && rest.is_empty(), "{rest:?}");
    drop(folder);
}
