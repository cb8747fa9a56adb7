//! The example serves what the README promises of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

#[allow(dead_code, reason = "its main function runs elsewhere")]
#[path = "../examples/exporter.rs"]
mod exporter;
mod support;

use exporter_toolkit::{Listeners, WebConfig};
use support::client::ask;
use support::listener;

async fn started(web_yml: Option<&str>) -> std::net::SocketAddr {
    let listener = listener().await;
    let address = listener.local_addr();
    let listeners = Listeners {
        everyone: vec![listener],
        probes: Vec::new(),
    };
    let web_config = web_yml.map(|text| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.yml");
        std::fs::write(&file, text).unwrap();
        WebConfig::open(&file).unwrap()
    });
    tokio::spawn(exporter::serve(listeners, web_config));
    address
}

#[tokio::test]
async fn it_serves_its_metric_and_its_health() {
    let address = started(None).await;
    let metrics = ask(address, "GET", "/metrics", "").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().ends_with("scrapes_total 1\n"));
    assert_eq!(ask(address, "GET", "/-/healthy", "").await.text(), "OK\n");
}

#[tokio::test]
async fn it_requires_the_password_of_web_yml() {
    let hash = bcrypt::hash("secret", 4).unwrap();
    let address = started(Some(&format!("basic_auth_users: {{me: {hash}}}"))).await;
    assert_eq!(ask(address, "GET", "/metrics", "").await.status, 401);
    let header = "Authorization: Basic bWU6c2VjcmV0\r\n";
    let metrics = ask(address, "GET", "/metrics", header).await;
    assert_eq!(metrics.status, 200);
}
