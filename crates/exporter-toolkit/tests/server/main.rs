//! A server over real sockets: what it answers, and what a client may not do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by failing, its helpers included"
)]

mod hangups;
#[path = "../support/mod.rs"]
mod support;

use std::future::pending;
use std::io::Read as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use exporter_toolkit::{Limits, ListenAddress, Listener, Listeners, Server as Toolkit, Settings};
use flate2::bufread::GzDecoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::support::client::{Answer, PATIENCE, ask, rest_of};
use crate::support::{Server, TestExporter, listener, short};

#[tokio::test]
async fn each_path_has_its_answer() {
    let server = Server::start().await;
    assert_eq!(server.get("/metrics").await.status, 200);
    assert_eq!(server.get("/metrics?name=x").await.status, 200);
    let front = server.get("/").await;
    assert_eq!((front.status, front.text()), (200, "<h1>front</h1>\n"));
    let healthy = server.get("/-/healthy?").await;
    assert_eq!((healthy.status, healthy.text()), (200, "OK\n"));
    for path in [
        "/metrics/",
        "/METRICS",
        "//metrics",
        "//",
        "/../metrics",
        "/x/../metrics",
        "/metrics%00",
        "/%6detrics",
        "/-/reload",
        "/-/",
        "/etc/passwd",
    ] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_page_is_compressed_for_a_client_that_accepts_it_and_stored_nowhere() {
    let server = Server::start().await;
    let packed = server.ask("GET", "/", "Accept-Encoding: gzip\r\n").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("Accept-Encoding"));
    assert_eq!(packed.header("cache-control"), Some("no-store"));
    assert_eq!(packed.header("x-content-type-options"), Some("nosniff"));
    let mut text = String::new();
    GzDecoder::new(&packed.body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "<h1>front</h1>\n");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::start().await;
    for path in ["/", "/-/healthy", "/-/ready", "/nowhere"] {
        let get = server.get(path).await;
        let head = server.ask("HEAD", path, "").await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        for header in ["content-type", "content-length", "cache-control"] {
            assert_eq!(head.header(header), get.header(header), "{path}");
        }
        assert_eq!(
            get.header("content-length"),
            Some(get.body.len().to_string().as_str())
        );
    }
    // The metrics count the requests and the processor's time, so their length changes.
    let head = server.ask("HEAD", "/metrics", "").await;
    assert_eq!(head.status, 200);
    assert!(head.body.is_empty());
    let length: usize = head.header("content-length").unwrap().parse().unwrap();
    assert!(length > 0);
}

#[tokio::test]
async fn other_methods_are_refused_with_what_is_allowed() {
    let server = Server::start().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        for path in ["/", "/metrics", "/-/healthy", "/-/ready"] {
            let answer = server.ask(method, path, "").await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
        assert_eq!(server.ask(method, "/nowhere", "").await.status, 404);
    }
}

#[tokio::test]
async fn the_metrics_come_in_the_format_and_encoding_that_was_asked_for() {
    let server = Server::start().await;
    let plain = server.get("/metrics").await;
    let content_type = plain.header("content-type").unwrap();
    assert!(content_type.starts_with("text/plain; version=0.0.4"));
    assert_eq!(plain.header("vary"), Some("Accept, Accept-Encoding"));
    assert_eq!(plain.header("content-encoding"), None);

    let open = server
        .ask(
            "GET",
            "/metrics",
            "Accept: application/openmetrics-text;version=1.0.0\r\nAccept-Encoding: gzip\r\n",
        )
        .await;
    let content_type = open.header("content-type").unwrap();
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    assert_eq!(open.header("content-encoding"), Some("gzip"));
    assert_eq!(
        open.header("content-length"),
        Some(open.body.len().to_string().as_str())
    );
    let mut text = String::new();
    let mut member = GzDecoder::new(&open.body[..]);
    member.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(member.into_inner().is_empty(), "it is one member of gzip");

    let picture = server.ask("GET", "/metrics", "Accept: image/png\r\n").await;
    assert_eq!(picture.status, 200);
    let refused = server
        .ask("GET", "/metrics", "Accept-Encoding: gzip;q=0\r\n")
        .await;
    assert_eq!(refused.header("content-encoding"), None);
}

#[tokio::test]
async fn the_health_listener_answers_probes_and_nothing_else() {
    let server = Server::start().await;
    assert_eq!(
        ask(server.health, "GET", "/-/healthy", "").await.status,
        200
    );
    assert_eq!(ask(server.health, "GET", "/-/ready", "").await.status, 200);
    for path in ["/", "/metrics", "/-/reload"] {
        assert_eq!(ask(server.health, "GET", path, "").await.status, 404);
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_told_so_and_counted() {
    let server = Server::start().await;
    // More than the server reads: the answer must arrive all the same.
    let long = "x".repeat(300_000);
    let header = server.ask("GET", "/", &format!("X-Long: {long}\r\n")).await;
    assert_eq!(header.status, 431);
    assert_eq!(server.get(&format!("/{long}")).await.status, 431);
    let many = "X-Many: y\r\n".repeat(200);
    assert_eq!(server.ask("GET", "/", &many).await.status, 431);
    assert_eq!(server.get("/-/healthy").await.status, 200);
    let answered = server.exporter.answered.lock().unwrap();
    assert_eq!(answered[&("other", 431)], 3);
}

#[tokio::test]
async fn what_is_not_http_is_a_bad_request() {
    let server = Server::start().await;
    for bytes in [
        "no http at all\r\n\r\n",
        "GET /metrics HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = Answer::parse(&rest_of(&mut stream).await);
        assert_eq!(answer.status, 400, "{bytes}");
    }
}

#[tokio::test]
async fn a_body_is_not_wanted() {
    let server = Server::start().await;
    let send = async |headers: &str, body: &[u8]| {
        let mut stream = server.connect().await;
        let head = format!("GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        Answer::parse(&rest_of(&mut stream).await)
    };
    let large = send("Content-Length: 300000\r\n", &vec![b'x'; 300_000]).await;
    assert_eq!(large.status, 413);
    let unsent = send("Content-Length: 65537\r\nExpect: 100-continue\r\n", b"").await;
    assert_eq!(unsent.status, 413);
    let small = send("Content-Length: 5\r\n", b"hello").await;
    assert_eq!(small.status, 200);
    assert_eq!(small.header("connection"), Some("close"));
    let chunked = send("Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n").await;
    assert_eq!(chunked.status, 200);
}

#[tokio::test]
async fn a_body_is_never_read_as_the_next_request() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let smuggled = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let request = format!(
        "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{smuggled}",
        smuggled.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = Answer::parse(&rest_of(&mut stream).await);
    assert_eq!(answer.text(), "OK\n");
}

#[tokio::test]
async fn a_connection_serves_request_after_request() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream
            .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"OK\n") {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn half_requests_are_closed_and_the_next_scrape_is_in_time() {
    let limits = Limits {
        head_timeout: Duration::from_millis(1500),
        ..Limits::default()
    };
    let server = Server::with(limits, 0).await;
    let mut halves = Vec::new();
    for _ in 0..400 {
        let mut stream = server.connect().await;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHo")
            .await
            .unwrap();
        halves.push(stream);
    }
    let start = Instant::now();
    assert_eq!(server.get("/metrics").await.status, 200);
    assert!(start.elapsed() < Duration::from_secs(1));
    for stream in &mut halves {
        assert!(rest_of(stream).await.is_empty());
    }
}

#[tokio::test]
async fn a_request_that_dribbles_is_closed() {
    let server = Server::with(short(), 0).await;
    let mut stream = server.connect().await;
    let start = Instant::now();
    while stream.write_all(b"G").await.is_ok() {
        assert!(start.elapsed() < PATIENCE, "it is cut off");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_silent_and_an_idle_connection_are_closed() {
    let server = Server::with(short(), 0).await;
    let mut silent = server.connect().await;
    assert!(rest_of(&mut silent).await.is_empty());
    let mut idle = server.connect().await;
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(Answer::parse(&rest_of(&mut idle).await).text(), "OK\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_only_hold_connections_keep_no_scraper_out() {
    // Only room for a new one closes any of them.
    let limits = Limits {
        head_timeout: Duration::from_secs(3600),
        idle_timeout: Duration::from_secs(3600),
        ..Limits::default()
    };
    let most = limits.connections;
    let server = Server::with(limits, 100).await;
    let mut holding = Vec::new();
    for number in 0..1_000 {
        let mut stream = server.connect().await;
        if number % 2 == 0 {
            let request = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n";
            stream.write_all(request).await.unwrap();
            stream.read_exact(&mut [0; 12]).await.unwrap();
        } else if number % 4 == 1 {
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nHo")
                .await
                .unwrap();
        }
        holding.push(stream);
    }
    let start = Instant::now();
    let metrics = server.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    let evicted = server.exporter.evicted.load(Ordering::Relaxed);
    let evicted = usize::try_from(evicted).unwrap();
    // Its own may be answered a moment before another has given way to it.
    assert!(
        evicted == 1_001 - most || evicted == 1_000 - most,
        "{evicted}"
    );
    // Those that have waited longest went.
    assert!(rest_of(&mut holding[0]).await.len() < 1_000);
    let last = holding.last_mut().unwrap();
    last.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(Answer::parse(&rest_of(last).await).text(), "OK\n");
}

#[tokio::test]
async fn a_request_under_way_is_never_closed_for_another() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let server = Server::with(limits, MANY).await;
    let (mut slow, mut bytes) = slow_reader(&server).await;
    slow.shutdown().await.unwrap();
    assert_eq!(server.get("/-/healthy").await.status, 200);
    bytes.extend(rest_of(&mut slow).await);
    let whole = Answer::parse(&bytes);
    let length = whole.body.len().to_string();
    assert_eq!(whole.header("content-length"), Some(length.as_str()));
}

#[tokio::test]
async fn a_listener_of_this_machine_alone_answers_for_its_own_names_alone() {
    let server = Server::start().await;
    for (host, status) in [
        ("localhost", 200),
        ("127.0.0.1:9100", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("10.0.0.1", 421),
    ] {
        for path in ["/metrics", "/", "/-/healthy"] {
            let mut stream = server.connect().await;
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = Answer::parse(&rest_of(&mut stream).await);
            assert_eq!(answer.status, status, "{host} {path}");
        }
    }
}

/// Asks for more than fits into the sockets' buffers and takes only the first bytes.
async fn slow_reader(server: &Server) -> (TcpStream, Vec<u8>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut bytes = vec![0; 1024];
    stream.read_exact(&mut bytes).await.unwrap();
    (stream, bytes)
}

/// Enough for an answer of about 8 MB, more than the system buffers for one connection.
const MANY: u64 = 40_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_holds_up_nobody_and_is_cut_off() {
    let limits = Limits {
        answer_timeout: Duration::from_secs(5),
        ..Limits::default()
    };
    let server = Server::with(limits, MANY).await;
    let (mut slow, _) = slow_reader(&server).await;
    let whole = server.get("/metrics").await;
    assert_eq!(whole.status, 200);
    // It takes nothing more; that it was cut off shows when it can send nothing any more.
    let start = Instant::now();
    while slow.write_all(b"\r\n").await.is_ok() {
        assert!(start.elapsed() < PATIENCE, "it is cut off");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let taken = rest_of(&mut slow).await.len();
    assert!(taken < whole.body.len() / 2, "{taken} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stop_lets_an_answer_under_way_end_and_accepts_nothing_new() {
    let server = Server::with(Limits::default(), MANY).await;
    let (mut slow, mut bytes) = slow_reader(&server).await;
    let mut idle = server.connect().await;
    server.stop.send(()).unwrap();
    assert!(rest_of(&mut idle).await.is_empty(), "idle ones are closed");
    assert!(TcpStream::connect(server.address).await.is_err());
    assert!(!server.served.is_finished(), "an answer is under way");
    bytes.extend(rest_of(&mut slow).await);
    let answer = Answer::parse(&bytes);
    assert_eq!(
        answer.header("content-length"),
        Some(answer.body.len().to_string().as_str())
    );
    timeout(PATIENCE, server.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_stop_does_not_wait_for_ever() {
    let limits = Limits {
        grace: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::with(limits, 0).await;
    let mut half = server.connect().await;
    half.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
    // Once this is answered the server has read the half request too.
    assert_eq!(server.get("/-/healthy").await.status, 200);
    let start = Instant::now();
    server.stop.send(()).unwrap();
    timeout(PATIENCE, server.served).await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(3));
    assert!(rest_of(&mut half).await.is_empty());
}

#[tokio::test]
async fn dropping_the_server_closes_everything() {
    let server = Server::start().await;
    let mut idle = server.connect().await;
    server.served.abort();
    assert!(rest_of(&mut idle).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_scrapers_is_answered_or_told_to_come_back() {
    let server = Server::with(Limits::default(), 500).await;
    let address = server.address;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..30 {
        clients.spawn(async move {
            let mut statuses = Vec::new();
            for _ in 0..20 {
                let answer = ask(address, "GET", "/metrics", "Accept-Encoding: gzip\r\n").await;
                statuses.push(answer.status);
            }
            statuses
        });
    }
    let statuses = clients.join_all().await.concat();
    assert_eq!(statuses.len(), 600);
    assert!(statuses.contains(&200));
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)));
}

#[tokio::test]
async fn a_taken_port_is_one_line_that_names_it() {
    let first = listener().await;
    let address = first.local_addr();
    let taken = [ListenAddress::Ip(address)];
    let error = Listeners::open(&taken, None).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "cannot listen on {address}: the port is taken; stop the process that listens there \
             (`ss -ltnp` names it) or choose another port"
        )
    );
}

#[tokio::test]
async fn several_listeners_serve_the_same() {
    let listeners = vec![listener().await, listener().await];
    let addresses: Vec<_> = listeners.iter().map(Listener::local_addr).collect();
    let settings = Settings {
        telemetry_path: "/m".to_owned(),
        ..Settings::default()
    };
    let listeners = Listeners {
        everyone: listeners,
        probes: Vec::new(),
    };
    tokio::spawn(Toolkit::new(TestExporter::of(0), settings).serve(listeners, pending()));
    for address in addresses {
        assert_eq!(ask(address, "GET", "/m", "").await.status, 200);
        assert_eq!(ask(address, "GET", "/metrics", "").await.status, 404);
    }
}
