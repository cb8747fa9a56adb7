//! `healthcheck`, which has neither a password nor a certificate, against servers that require them.

use exporter_toolkit::{Health, HealthError, healthcheck};

use crate::server::{Authority, Folder};

const TLS: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

async fn asked(url: String) -> Result<Health, HealthError> {
    healthcheck(&url.parse().unwrap()).await
}

#[tokio::test]
async fn a_server_that_requires_a_password_runs() {
    let hash = bcrypt::hash("right", 4).unwrap();
    let folder = Folder::new().web(&format!("basic_auth_users:\n  prometheus: {hash}\n"));
    let server = folder.serve().await;
    let main = asked(server.http("/-/healthy")).await.unwrap();
    assert_eq!(main, Health::RequiresPassword);
    let health = asked(format!("http://{}", server.health)).await.unwrap();
    assert_eq!(health, Health::Healthy);
}

#[tokio::test]
async fn any_certificate_is_accepted_by_name_and_by_address() {
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
async fn a_server_that_requires_a_certificate_runs_in_each_version_of_tls() {
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
        assert_eq!(health, Health::RequiresCertificate, "{version}");
    }
}

#[tokio::test]
async fn what_is_not_a_healthy_server_is_an_error_of_its_own() {
    let folder = Folder::new()
        .certificate("server", &Authority::new())
        .web(TLS);
    let server = folder.serve().await;
    let plain = asked(server.http("/-/healthy")).await;
    assert!(matches!(plain, Err(HealthError::Broken(_))), "{plain:?}");
    let other = asked(server.https("/nothing")).await;
    assert!(matches!(other, Err(HealthError::Status(_))), "{other:?}");
    let tls = asked(format!("https://{}", server.health)).await;
    assert!(matches!(tls, Err(HealthError::Broken(_))), "{tls:?}");

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let late = asked(url.clone()).await;
    assert!(matches!(late, Err(HealthError::Late)), "{late:?}");
    drop(silent);
    let gone = asked(url).await;
    assert!(matches!(gone, Err(HealthError::Connect(_))), "{gone:?}");
}
