//! Passwords, headers and the limit of requests.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{Folder, PATIENCE, until};

fn users(cost: u32) -> String {
    let hash = bcrypt::hash("right", cost).unwrap();
    format!("basic_auth_users:\n  prometheus: {hash}\n")
}

#[tokio::test]
async fn no_path_answers_without_the_password() {
    let folder = Folder::new().web(&users(4));
    let server = folder.serve().await;
    for path in [
        "/",
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/-/reload",
        "/nowhere",
        "/../x",
    ] {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let url = server.http(path);
            let method: &[&str] = match method {
                "HEAD" => &["--head"],
                other => &["-X", other],
            };
            for with in [
                &[][..],
                &["-u", "prometheus:wrong"],
                &["-u", "nobody:right"],
                &["-H", "Authorization: Bearer x"],
            ] {
                let arguments = [method, with, &["--path-as-is", &url]].concat();
                let answer = folder.curl(&arguments).await;
                assert_eq!(answer.status, 401, "{arguments:?}");
                let challenge = answer.header("www-authenticate").unwrap();
                assert!(challenge.starts_with("Basic "), "{challenge}");
                assert!(!answer.text.contains("test_line"), "{arguments:?}");
            }
        }
    }
    let url = server.http("/metrics");
    let answer = folder.curl(&["-u", "prometheus:right", &url]).await;
    assert_eq!(answer.status, 200);
    let health = format!("http://{}/-/healthy", server.health);
    assert_eq!(folder.curl(&[&health]).await.status, 200);
}

#[tokio::test]
async fn twenty_scrapes_pay_for_one_bcrypt() {
    // One bcrypt of this cost takes longer than all the scrapes may.
    let folder = Folder::new().web(&users(10));
    let server = folder.serve().await;
    let url = server.http("/metrics");
    let first = folder.curl(&["-u", "prometheus:right", &url]).await;
    assert_eq!(first.status, 200);
    let start = Instant::now();
    for _ in 0..20 {
        let answer = folder.curl(&["-u", "prometheus:right", &url]).await;
        assert_eq!(answer.status, 200);
    }
    let took = start.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
}

#[tokio::test]
async fn a_changed_password_is_taken_by_itself() {
    let folder = Folder::new().web(&users(4));
    let server = folder.serve().await;
    let url = server.http("/-/healthy");
    let ask = |user: &'static str| folder.curl(&["-u", user, &url]);
    assert_eq!(ask("prometheus:right").await.status, 200);
    let hash = bcrypt::hash("changed", 4).unwrap();
    folder.write(
        "web.yml",
        &format!("basic_auth_users: {{prometheus: {hash}}}\n"),
    );
    until(
        "the new password",
        || ask("prometheus:changed"),
        |answer| answer.status == 200,
    )
    .await;
    assert_eq!(ask("prometheus:right").await.status, 401);

    folder.write("web.yml", "");
    let error = server.refused_reload().await;
    assert!(
        error.contains("basic_auth_users would be switched off"),
        "{error}"
    );
    assert_eq!(ask(":").await.status, 401);
}

#[tokio::test]
async fn headers_are_set_on_every_answer() {
    let headers = "http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n    Strict-Transport-Security: max-age=60\n";
    let folder = Folder::new().web(&format!("{}{headers}", users(4)));
    let server = folder.serve().await;
    for (user, status) in [("prometheus:right", 200), ("prometheus:wrong", 401)] {
        let answer = folder.curl(&["-u", user, &server.http("/")]).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-frame-options"), Some("sameorigin"));
        assert_eq!(
            answer.header("strict-transport-security"),
            Some("max-age=60")
        );
    }
}

#[tokio::test]
async fn more_requests_than_the_rate_allows_are_told_to_come_back() {
    let folder = Folder::new().web("rate_limit: {interval: 1h, burst: 3}\n");
    let server = folder.serve().await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(folder.curl(&[&server.http("/-/healthy")]).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scraper_with_the_password_is_served_among_idle_half_open_and_guessing_clients() {
    let folder = Folder::new().web(&users(6));
    let server = folder.serve().await;
    let url = server.http("/metrics");
    let right = ["-u", "prometheus:right", "--max-time", "1", &url];
    assert_eq!(folder.curl(&right).await.status, 200);
    // It keeps its connection between two scrapes.
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    let scrape = request("prometheus:right", "");
    kept.write_all(scrape.as_bytes()).await.unwrap();
    kept.read_exact(&mut [0; 15]).await.unwrap();

    let mut holding = Vec::new();
    for number in 0..1_400 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        if number % 7 < 2 {
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nHo")
                .await
                .unwrap();
        }
        holding.push(stream);
    }
    let mut guessing = tokio::task::JoinSet::new();
    for number in 0..60 {
        let user = ["prometheus", "nobody"][number % 2];
        let address = server.address;
        guessing.spawn(async move {
            for _ in 0..20 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let guess = request(&format!("{user}:wrong"), "Connection: close\r\n");
                stream.write_all(guess.as_bytes()).await.unwrap();
                let mut answer = Vec::new();
                // It may have to give way, which is a reset.
                let _ = stream.read_to_end(&mut answer).await;
                let answer = String::from_utf8_lossy(&answer);
                let status = answer.split(' ').nth(1).unwrap_or("none");
                assert!(["401", "503", "none"].contains(&status), "{answer}");
            }
        });
    }
    // The file is read anew, with the same password in it.
    folder.write(
        "web.yml",
        &format!(
            "# touched\n{}",
            std::fs::read_to_string(folder.path().join("web.yml")).unwrap()
        ),
    );
    server.config.reload().await.unwrap();
    for _ in 0..10 {
        let answer = folder.curl(&right).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    kept.write_all(scrape.as_bytes()).await.unwrap();
    let mut more = vec![0; 4096];
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains("HTTP/1.1 200 OK") {
        let read = kept.read(&mut more).await.unwrap();
        assert!(
            read > 0,
            "its connection was closed for an unauthenticated client's"
        );
        text.extend_from_slice(&more[..read]);
    }
    guessing.join_all().await;
}

fn request(credentials: &str, headers: &str) -> String {
    let credentials = STANDARD.encode(credentials);
    format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n{headers}\r\n"
    )
}

#[tokio::test]
async fn a_refused_client_s_connection_is_closed() {
    let folder = Folder::new().web(&users(4));
    let server = folder.serve().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let guess = request("prometheus:wrong", "");
    stream.write_all(guess.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    end.await.expect("the connection is closed").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 401 "));
}
