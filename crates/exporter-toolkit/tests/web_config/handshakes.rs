//! Bytes that are no TLS, or half of a handshake, on a port with TLS: the connection is closed in
//! time, and no other client waits for it.

use std::time::{Duration, Instant};

use exporter_toolkit::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{Authority, Folder, PATIENCE, Server};

const TLS: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

fn folder() -> Folder {
    let authority = Authority::new();
    Folder::new()
        .certificate("server", &authority)
        .authority("ca", &authority)
        .web(TLS)
}

/// Everything until the server hangs up; a reset is an end too.
async fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes));
    let _ = read.await.expect("the server hangs up");
    bytes
}

async fn sent(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// A record of TLS with that length in its head and these bytes after it.
fn record(kind: u8, length: u16, bytes: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &length.to_be_bytes(), bytes].concat()
}

/// The first message of a real client, as curl sends it.
async fn client_hello(folder: &Folder) -> Vec<u8> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("https://localhost:{port}/");
    let asking = tokio::spawn(folder.curl(&["--cacert", "ca.crt", &url]));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut hello = vec![0; 5];
    stream.read_exact(&mut hello).await.unwrap();
    let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
    hello.resize(5 + length, 0);
    stream.read_exact(&mut hello[5..]).await.unwrap();
    drop(stream);
    asking.await.unwrap();
    hello
}

async fn others_are_served(folder: &Folder, server: &Server) {
    let url = server.https("/metrics");
    let answer = folder.curl(&["--cacert", "ca.crt", &url]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn garbage_in_place_of_a_handshake_is_hung_up_on_without_a_page() {
    // Not the time ends it, but that it is no TLS.
    let patient = Limits {
        head_timeout: Duration::from_secs(3600),
        ..Limits::default()
    };
    let folder = folder();
    let server = folder.serve_within(patient).await;
    for (what, bytes) in [
        (
            "HTTP",
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        ),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("zeros", vec![0; 4096]),
        ("ones", vec![0xff; 4096]),
        ("an alert", record(21, 2, &[2, 40])),
        ("data before a handshake", record(23, 16, &[7; 16])),
        (
            "a message that cannot be",
            record(22, 8, &[1, 0, 0, 4, 9, 9, 9, 9]),
        ),
        ("a record without end", record(22, 0xffff, &vec![1; 70_000])),
    ] {
        let mut stream = sent(&server, &bytes).await;
        let answer = rest_of(&mut stream).await;
        let alert = answer.first().is_none_or(|kind| *kind == 21);
        assert!(alert && answer.len() < 64, "{what}: {answer:?}");
        others_are_served(&folder, &server).await;
    }
}

#[tokio::test]
async fn a_handshake_cut_anywhere_ends_in_time_and_at_once_when_the_client_has_gone() {
    let folder = folder();
    let hello = client_hello(&folder).await;
    let hasty = Limits {
        head_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = folder.serve_within(hasty).await;
    let cuts = [0, 1, 5, 6, hello.len() / 2, hello.len() - 1, hello.len()];
    for cut in cuts {
        // It waits for more, which never comes.
        let mut stream = sent(&server, &hello[..cut]).await;
        rest_of(&mut stream).await;
    }
    let patient = Limits {
        head_timeout: Duration::from_secs(3600),
        ..Limits::default()
    };
    let server = folder.serve_within(patient).await;
    for cut in cuts {
        let mut stream = sent(&server, &hello[..cut]).await;
        stream.shutdown().await.unwrap();
        rest_of(&mut stream).await;
    }
    others_are_served(&folder, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_in_mid_handshake_holds_up_nobody() {
    let folder = folder();
    let hello = client_hello(&folder).await;
    let server = folder.serve().await;
    let mut crowd = Vec::new();
    for number in 0..300 {
        let cut = number % hello.len();
        crowd.push(sent(&server, &hello[..cut]).await);
    }
    let start = Instant::now();
    others_are_served(&folder, &server).await;
    assert!(
        start.elapsed() < Limits::default().head_timeout,
        "it waited for them"
    );
}
