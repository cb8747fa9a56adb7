//! HTTP/2 as a hostile client speaks it, frame by frame: floods, resets, heads without an end. The
//! connection ends or is held to its limits, and everybody else is served.
//!
//! The frames are written by hand (RFC 9113, section 4.1, and RFC 7541 for the heads), for no
//! library would.

use std::time::{Duration, Instant};

use aws_root_exporter::web::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::PATIENCE;
use crate::support::{Server, short};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

/// Flags of frames.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET /metrics` of `http://a`.
const GET_METRICS: &[u8] = b"\x82\x86\x04\x08/metrics\x01\x01a";

/// More frames than any limit lets through.
const FLOOD: usize = 200_000;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header that no table knows and that none shall remember.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// A frame as it came.
#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

struct Client(TcpStream);

impl Client {
    /// A connection whose settings are exchanged.
    async fn connect(server: &Server) -> Self {
        let mut stream = server.connect().await;
        let opening = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
        stream.write_all(&opening).await.unwrap();
        Self(stream)
    }

    /// Sends a frame; `false` when the server has gone.
    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let bytes = frame(kind, flags, stream, payload);
        let sent = tokio::time::timeout(PATIENCE, self.0.write_all(&bytes)).await;
        sent.expect("the server reads, or hangs up").is_ok()
    }

    /// The next frame; `None` when the server has gone.
    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        let read = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut head));
        read.await.expect("the server answers, or hangs up").ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        })
    }

    /// The code with which the server says goodbye; `None` when it hangs up without a word. A
    /// reset may overtake the word.
    async fn goodbye(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                code = Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
            }
        }
        code
    }

    /// Takes all that comes, so that the flood is not held up by answers that nobody takes, and
    /// hands out the half to send by.
    fn unread(self) -> tokio::net::tcp::OwnedWriteHalf {
        let (mut read, write) = self.0.into_split();
        tokio::spawn(async move {
            let mut scrap = [0; 4096];
            while read.read(&mut scrap).await.is_ok_and(|read| read > 0) {}
        });
        write
    }
}

/// Floods a connection with what `frames` makes, until it ends; how many there were by then.
async fn flood(client: Client, frames: impl Fn(usize) -> Vec<u8>) -> usize {
    let mut stream = client.unread();
    let start = Instant::now();
    for number in 0..FLOOD {
        let sent = tokio::time::timeout(PATIENCE, stream.write_all(&frames(number))).await;
        match sent {
            Ok(Ok(())) => assert!(start.elapsed() < PATIENCE, "it never ends"),
            _ => return number,
        }
    }
    FLOOD
}

/// Others are served, and in time.
async fn others_are_served(server: &Server) {
    let start = Instant::now();
    assert_eq!(server.get("/metrics").await.status, 200);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(1), "a scrape took {took:?}");
}

#[tokio::test]
async fn a_request_by_hand_is_answered() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    assert!(
        client
            .send(HEADERS, END_HEADERS | END_STREAM, 1, GET_METRICS)
            .await
    );
    let mut body = Vec::new();
    loop {
        let frame = client.next().await.expect("the answer comes whole");
        if frame.stream == 1 && frame.kind == DATA {
            body.extend(frame.payload);
            if frame.flags & END_STREAM != 0 {
                break;
            }
        }
    }
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains("aws_root_exporter_build_info"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_opened_and_reset_end_the_connection() {
    let server = Server::with(Limits::default(), 500).await;
    let client = Client::connect(&server).await;
    let pair = |number: usize| {
        let stream = u32::try_from(number).unwrap() * 2 + 1;
        let open = frame(HEADERS, END_HEADERS | END_STREAM, stream, GET_METRICS);
        let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
        [open, reset].concat()
    };
    // In batches, as the attack does it: opened and reset before anybody could look.
    let batch = |number: usize| -> Vec<u8> {
        let first = number * 100;
        (first..first + 100).flat_map(pair).collect()
    };
    let batches = flood(client, batch).await;
    assert!(batches < 2_000, "{batches} hundred streams");
    others_are_served(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_without_a_request_end_with_the_time_for_the_first() {
    let server = Server::with(short(), 500).await;
    for (what, kind, payload) in [
        ("SETTINGS", SETTINGS, &[0, 3, 0, 0, 0, 100][..]),
        ("PING", PING, &[0; 8][..]),
        ("an unknown kind", 0x42, &[0; 64][..]),
    ] {
        let client = Client::connect(&server).await;
        let start = Instant::now();
        let frames = frame(kind, 0, 0, payload).repeat(100);
        let sent = flood(client, |_| frames.clone()).await;
        assert!(sent < FLOOD, "{what}: it goes on");
        assert!(start.elapsed() < PATIENCE, "{what}");
        others_are_served(&server).await;
    }
}

#[tokio::test]
async fn a_ping_and_settings_are_answered_and_buy_no_time() {
    let server = Server::with(short(), 0).await;
    let mut client = Client::connect(&server).await;
    assert!(client.send(PING, 0, 0, b"01234567").await);
    let mut echoed = false;
    while let Some(frame) = client.next().await {
        echoed |= frame.kind == PING && frame.flags & ACK != 0 && frame.payload == b"01234567";
    }
    assert!(
        echoed,
        "it was answered, and the connection ended all the same"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_goes_on_for_ever_ends_the_connection() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    assert!(client.send(HEADERS, END_STREAM, 1, GET_METRICS).await);
    let field = field("x-flood", &"y".repeat(100));
    let more = frame(CONTINUATION, 0, 1, &field);
    let sent = flood(client, |_| more.clone()).await;
    assert!(sent < FLOOD, "it goes on");
    // Nothing in them, which costs the client nothing.
    let mut client = Client::connect(&server).await;
    assert!(client.send(HEADERS, END_STREAM, 1, GET_METRICS).await);
    let sent = flood(client, |_| frame(CONTINUATION, 0, 1, &[]).repeat(100)).await;
    assert!(sent < FLOOD, "it goes on");
    others_are_served(&server).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    // 20 KiB, where 16 are allowed, in two frames that are allowed.
    let fields: Vec<u8> = (0..160)
        .flat_map(|_| field("x-large", &"y".repeat(120)))
        .collect();
    let (first, second) = fields.split_at(10_000);
    let first = [GET_METRICS, first].concat();
    assert!(client.send(HEADERS, END_STREAM, 1, &first).await);
    assert!(client.send(CONTINUATION, END_HEADERS, 1, second).await);
    loop {
        let frame = client.next().await.expect("it is told");
        if frame.stream == 1 {
            // 0x88 is `:status: 200` by the static table.
            let refused = frame.kind == HEADERS && frame.payload[0] != 0x88;
            assert!(refused || frame.kind == RST_STREAM, "{frame:?}");
            break;
        }
    }
    others_are_served(&server).await;
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection() {
    let server = Server::start().await;
    for (what, broken) in [
        ("a frame too large", frame(DATA, 0, 1, &vec![0; 20_000])),
        ("data of no stream", frame(DATA, 0, 1, b"x")),
        (
            "a stream of the server's",
            frame(HEADERS, 5, 2, GET_METRICS),
        ),
        (
            "a head that cannot be unpacked",
            frame(HEADERS, 5, 1, &[0xff; 50]),
        ),
        ("half a ping", frame(PING, 0, 0, &[0; 4])),
        (
            "settings that cannot be",
            frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
        ),
    ] {
        let mut client = Client::connect(&server).await;
        let _ = client.0.write_all(&broken).await;
        let code = client.goodbye().await;
        assert_ne!(code, Some(0), "{what} is no ordinary end");
    }
    others_are_served(&server).await;
}

#[tokio::test]
async fn half_a_frame_buys_no_time() {
    let server = Server::with(short(), 0).await;
    let whole = frame(HEADERS, END_HEADERS | END_STREAM, 1, GET_METRICS);
    for end in [0, 1, 9, whole.len() - 1] {
        let mut client = Client::connect(&server).await;
        client.0.write_all(&whole[..end]).await.unwrap();
        client.goodbye().await;
    }
    let mut stream = server.connect().await;
    stream.write_all(&PREFACE[..14]).await.unwrap();
    Client(stream).goodbye().await;
}
