//! `healthcheck`'s question, which has neither a password nor a certificate, to a daemon that asks
//! for them.

use aws_root_exporter::web::{Health, ProbeError, probe};

use crate::server::{Authority, Folder};

const TLS: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

async fn asked(url: String) -> Result<Health, ProbeError> {
    probe(&url.parse().unwrap()).await
}

#[tokio::test]
async fn who_asks_for_a_password_runs() {
    let hash = bcrypt::hash("right", 4).unwrap();
    let folder = Folder::new().web(&format!("basic_auth_users:\n  prometheus: {hash}\n"));
    let server = folder.serve().await;
    let main = asked(server.http("/-/healthy")).await.unwrap();
    assert_eq!(main, Health::AsksForPassword);
    let health = asked(format!("http://{}", server.health)).await.unwrap();
    assert_eq!(health, Health::Healthy);
}

#[tokio::test]
async fn any_certificate_will_do_by_name_and_by_address() {
    let folder = Folder::new()
        .certificate("server", &Authority::new())
        .web(TLS);
    let server = folder.serve().await;
    for url in [
        server.https("/-/healthy"),
        format!("https://{}/", server.address),
    ] {
        assert_eq!(asked(url).await.unwrap(), Health::Healthy);
    }
}

#[tokio::test]
async fn who_asks_for_a_certificate_runs_whichever_tls_it_speaks() {
    let authority = Authority::new();
    for version in ["TLS12", "TLS13"] {
        let folder = Folder::new()
            .certificate("server", &authority)
            .authority("ca", &authority)
            .web(&format!(
                "{TLS}  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n  \
                 min_version: {version}\n  max_version: {version}\n"
            ));
        let server = folder.serve().await;
        let health = asked(server.https("/-/healthy")).await.unwrap();
        assert_eq!(health, Health::AsksForCertificate, "{version}");
    }
}

#[tokio::test]
async fn what_is_not_a_healthy_daemon_is_told_apart() {
    let folder = Folder::new()
        .certificate("server", &Authority::new())
        .web(TLS);
    let server = folder.serve().await;
    let plain = asked(server.http("/-/healthy")).await;
    assert!(matches!(plain, Err(ProbeError::Broken(_))), "{plain:?}");
    let other = asked(server.https("/nothing")).await;
    assert!(matches!(other, Err(ProbeError::Status(_))), "{other:?}");
    let tls = asked(format!("https://{}", server.health)).await;
    assert!(matches!(tls, Err(ProbeError::Broken(_))), "{tls:?}");

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let late = asked(url.clone()).await;
    assert!(matches!(late, Err(ProbeError::Late)), "{late:?}");
    drop(silent);
    let gone = asked(url).await;
    assert!(matches!(gone, Err(ProbeError::Connect(_))), "{gone:?}");
}
