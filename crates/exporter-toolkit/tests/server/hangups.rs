//! Clients that close their connection, half or whole, at any moment: a whole request is answered,
//! half of one costs nothing, and nothing stays behind.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use exporter_toolkit::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use crate::support::client::{Answer, PATIENCE, rest_of};
use crate::support::{Server, short};

/// How many connections come and go.
const MANY: usize = 10_000;

/// How many of them at once, so that the machine's own queue is not what is tested.
const AT_ONCE: usize = 50;

const WHOLE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Sends the bytes, says that nothing more will come, and takes what there is.
async fn half_closed(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = server.connect().await;
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    rest_of(&mut stream).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_closes_its_half_after_a_request_is_answered() {
    // So many lines that the answer is not made yet when the end of the requests is seen.
    let server = Server::with(Limits::default(), 5_000).await;
    for path in ["/-/healthy", "/metrics", "/"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = Answer::parse(&half_closed(&server, request.as_bytes()).await);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(
            answer.header("content-length"),
            Some(answer.body.len().to_string().as_str()),
            "{path}: the answer is whole"
        );
    }
    let two = [WHOLE, b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat();
    let both = half_closed(&server, &two).await;
    assert!(both.ends_with(b"OK\n"), "the second is answered too");
}

#[tokio::test]
async fn half_a_request_and_then_the_end_is_closed_at_once() {
    // It is the end of the bytes that ends it, not the time for the rest.
    let limits = Limits {
        head_timeout: Duration::from_secs(3600),
        ..Limits::default()
    };
    let server = Server::with(limits, 0).await;
    for end in 0..WHOLE.len() {
        let answer = half_closed(&server, &WHOLE[..end]).await;
        let refused = answer.starts_with(b"HTTP/1.1 400 ");
        assert!(answer.is_empty() || refused, "{end} bytes: {answer:?}");
    }
    let body = b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf";
    let answer = Answer::parse(&half_closed(&server, body).await);
    assert_eq!(answer.status, 200, "a body is nothing to wait for");
}

#[tokio::test]
async fn a_client_that_closes_its_half_and_takes_nothing_is_cut_off() {
    let server = Server::with(short(), 40_000).await;
    let mut stream = server.connect().await;
    stream.write_all(WHOLE).await.unwrap();
    settled("it is served", || sockets(&server) == 1).await;
    stream.shutdown().await.unwrap();
    settled("it is cut off", || sockets(&server) == 0).await;
    drop(stream);
}

/// How many sockets the server has open on its port, the one it listens on aside. Files of the
/// whole process would count those of the tests beside this one.
///
/// Source: proc(5), `/proc/net/tcp`: a socket that no process holds any more has the inode 0.
fn sockets(server: &Server) -> usize {
    const LISTENING: &str = "0A";
    let port = format!(":{:04X}", server.address.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let held = table.lines().skip(1).filter(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns[1].ends_with(&port) && columns[3] != LISTENING && columns[9] != "0"
    });
    held.count()
}

/// Waits until it is so.
async fn settled(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One client, which does one of six things by its number.
async fn come_and_go(address: SocketAddr, number: usize) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let sent: &[u8] = match number % 6 {
        0 => b"",
        1 => b"G",
        2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        3 => b"\x16\x03\x01\x02\x00\x01",
        _ => WHOLE,
    };
    // Some are closed by a reset, which may come before what was sent is read.
    if number % 6 == 5 {
        stream.set_zero_linger().unwrap();
    }
    let _ = stream.write_all(sent).await;
    if number % 6 == 4 {
        let mut first = [0; 16];
        let _ = stream.read(&mut first).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_short_connections_leave_nothing_behind() {
    let server = Server::start().await;
    let address = server.address;
    assert_eq!(server.get("/metrics").await.status, 200);
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let quiet = tasks();
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..MANY {
        if clients.len() == AT_ONCE {
            clients.join_next().await.unwrap().unwrap();
        }
        clients.spawn(come_and_go(address, number));
    }
    while let Some(gone) = clients.join_next().await {
        gone.unwrap();
    }
    let start = Instant::now();
    assert_eq!(server.get("/metrics").await.status, 200);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(1), "a scrape took {took:?}");
    settled("no task stays", || tasks() <= quiet).await;
    settled("no socket stays open", || sockets(&server) == 0).await;
}
