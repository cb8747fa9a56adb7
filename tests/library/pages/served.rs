//! What a browser may do with a page, and that the server's counters are in the metrics.

use super::support::{Server, account};

#[tokio::test]
async fn a_page_may_load_and_run_nothing() {
    let server = Server::start([account("000000000012", "one")]).await;
    for (path, status) in [
        ("/", 200),
        ("/accounts/000000000012", 200),
        ("/accounts/999999999999", 404),
        ("/runbooks", 200),
        ("/runbooks/AWSRootAccessKeyActive", 200),
        ("/runbooks/none", 404),
    ] {
        let page = server.get(path).await;
        assert_eq!(page.status, status, "{path}");
        let header = |name| page.header(name).unwrap_or_default();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("cache-control"), "no-store");
    }
    let overview = server.get("/").await;
    assert!(overview.text().contains(r#"<a href="./metrics">"#));
}

#[tokio::test]
async fn the_runbooks_are_found_with_a_slash_too() {
    let server = Server::start([]).await;
    let page = server.get("/runbooks/").await;
    assert_eq!(page.status, 308);
    assert_eq!(page.header("location"), Some("../runbooks"));
}

#[tokio::test]
async fn answers_and_evictions_are_counted_in_the_metrics() {
    let server = Server::start([]).await;
    server.get("/").await;
    server.get("/nowhere").await;
    server.store.exporter.note(|view| view.evicted += 1);
    let metrics = server.get("/metrics").await;
    for line in [
        "aws_root_exporter_http_requests_total{handler=\"overview\",code=\"200\"} 1\n",
        "aws_root_exporter_http_requests_total{handler=\"other\",code=\"404\"} 1\n",
        "aws_root_exporter_http_connections_evicted_total 1\n",
    ] {
        assert!(metrics.text().contains(line), "{line}");
    }
}
