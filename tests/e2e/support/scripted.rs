//! HTTP servers that a test scripts: the metadata of an instance, a container's credentials, a
//! proxy, an AWS in a Region. Each keeps the requests that it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use aws_root_exporter::clock::Timestamp;

use super::aws::listen;
use super::simulated::now;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its first line: method, target, version.
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    /// What is asked for.
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The Region that the request is signed for.
    pub fn region(&self) -> &str {
        let scope = self.header("authorization").split("Credential=").nth(1);
        scope
            .and_then(|it| it.split('/').nth(2))
            .unwrap_or_default()
    }
}

/// An answer: a status and a body.
pub type Answer = (u16, String);

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// Listens until the test ends.
pub struct Scripted {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Scripted {
    /// One that answers as `script` says, each request after `delay`.
    pub fn start(
        delay: Duration,
        script: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = listen();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let kept = Arc::clone(&requests);
        let script: Arc<Script> = Arc::new(script);
        thread::spawn(move || accept(&listener, &kept, delay, &script));
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn accept(
    listener: &TcpListener,
    kept: &Arc<Mutex<Vec<Request>>>,
    delay: Duration,
    script: &Arc<Script>,
) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { break };
        let (kept, script) = (Arc::clone(kept), Arc::clone(script));
        // A connection that breaks is the other side's to try again.
        thread::spawn(move || {
            let Ok(request) = read(&stream) else { return };
            kept.lock().unwrap().push(request.clone());
            let (status, body) = script(&request);
            // A server that is slow, not a wait for anything.
            thread::park_timeout(delay);
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\
                 x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\r\n",
                body.len()
            );
            (&stream).write_all((head + &body).as_bytes()).ok();
        });
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut request = Request::default();
    reader.read_line(&mut request.line)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        let value = value.trim().to_owned();
        request.headers.push((name.to_ascii_lowercase(), value));
    }
    let length = request.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Ok(request)
}

/// An hour from now, as AWS writes it.
pub fn in_an_hour() -> Timestamp {
    Timestamp::from_unix(now() + 3600)
}

/// Credentials as an instance and a container are given them, for an hour.
fn credentials(key: &str, secret: &str) -> String {
    let expiration = in_an_hour();
    format!(
        r#"{{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "{key}",
            "SecretAccessKey": "{secret}", "Token": "the-token-of-the-instance",
            "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "{expiration}"}}"#
    )
}

/// The metadata of an instance with a role, in a Region.
pub fn instance(delay: Duration, key: &'static str, region: &'static str) -> Scripted {
    Scripted::start(delay, move |request| {
        let target = request.target();
        match target.strip_prefix("/latest/") {
            Some("api/token") => (200, "a-token-of-metadata".to_owned()),
            Some("meta-data/placement/region") => (200, region.to_owned()),
            Some("meta-data/iam/security-credentials/") => (200, "the-role".to_owned()),
            Some("meta-data/iam/security-credentials/the-role") => {
                (200, credentials(key, "the-secret-of-the-instance"))
            }
            _ => (404, String::new()),
        }
    })
}

/// What gives a container its credentials.
pub fn container(key: &'static str) -> Scripted {
    Scripted::start(Duration::ZERO, move |_| {
        (200, credentials(key, "the-secret-of-the-container"))
    })
}

/// The answer of another server to the same request.
pub fn pass_on(address: SocketAddr, request: &Request) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the server is there");
    let mut text = request.line.clone();
    for (name, value) in &request.headers {
        if name != "connection" {
            text += &[name, ": ", value, "\r\n"].concat();
        }
    }
    text += &["connection: close\r\n\r\n", &request.body].concat();
    stream.write_all(text.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the server answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    (status.expect("a status"), body.to_owned())
}
