//! A small HTTP/1.1 client that returns the bytes on the wire: one request a connection, no redirect
//! followed, nothing decompressed, no header beyond `Host` and `Connection` that a test did not name.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::PATIENCE;

/// An answer, its body as sent but for the chunked transfer coding.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Response {
    /// A header's value, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Its body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }
}

/// `GET path` with these headers.
///
/// # Errors
///
/// The connection fails or the answer is not HTTP: the server may be about to start or to stop.
pub fn try_get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
    request("GET", address, path, headers)
}

/// `POST path` without a body, to a server that must answer.
pub fn post(address: SocketAddr, path: &str) -> Response {
    request("POST", address, path, &[("Content-Length", "0")])
        .unwrap_or_else(|error| panic!("POST {path}: {error}"))
}

/// A request with any method and no body.
///
/// # Errors
///
/// As [`try_get`].
pub fn request(
    method: &str,
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(name);
        request.push_str(": ");
        request.push_str(value);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(method, &answer).ok_or_else(|| io::Error::other("not a whole HTTP/1.1 answer"))
}

/// `GET path` of a server that must answer.
pub fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
    try_get(address, path, headers).unwrap_or_else(|error| panic!("GET {path}: {error}"))
}

fn parse(method: &str, answer: &[u8]) -> Option<Response> {
    let head_end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..head_end]).ok()?;
    let rest = &answer[head_end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .map(|line| line.split_once(':'))
        .map(|field| field.map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
        .collect::<Option<_>>()?;
    let mut response = Response {
        status,
        headers,
        body: Vec::new(),
    };
    response.body = if response.header("transfer-encoding") == Some("chunked") {
        unchunk(rest)?
    } else {
        let length = match response.header("content-length") {
            Some(length) if method != "HEAD" => length.parse().ok()?,
            _ => rest.len(),
        };
        (rest.len() == length).then(|| rest.to_vec())?
    };
    Some(response)
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line_end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[line_end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

#[test]
fn a_chunked_body_is_put_together() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nroot\r\n5;x=y\r\n keys\r\n0\r\n\r\n";
    assert_eq!(parse("GET", answer).unwrap().text(), "root keys");
}

#[test]
fn a_body_that_was_cut_short_is_no_answer() {
    assert!(parse("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nroot").is_none());
    assert!(
        parse(
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nroot\r\n"
        )
        .is_none()
    );
}
