//! Passwords, headers and the limit of requests.

use std::time::{Duration, Instant};

use crate::server::{Folder, until};

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
                assert!(!answer.text.contains("aws_root"), "{arguments:?}");
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
    let error = server.site.reload_web_config().unwrap_err().to_string();
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
