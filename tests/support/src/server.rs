//! In-process HTTP servers whose answers a test decides: metadata of an instance, credentials of a
//! container, a proxy, a webhook. Each keeps the requests that it received.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use crate::simulated::now;
use crate::{PATIENCE, eventually, listen};

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its first line: method, target, version.
    pub line: String,
    /// Its headers, the names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Request {
    /// The path and the query.
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
        let region = scope.and_then(|scope| scope.split('/').nth(2));
        region.unwrap_or_default()
    }
}

/// An answer: a status and a body.
pub type Answer = (u16, String);

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// A server that answers as a script says, until the test ends.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// A server that answers at once.
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::slow(Duration::ZERO, script)
    }

    /// A server that answers each request after `delay`.
    pub fn slow(
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

    /// Its address as a URL.
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
        // A connection that breaks is for the client to try again.
        thread::spawn(move || {
            let Ok(request) = read(&stream) else { return };
            kept.lock().unwrap().push(request.clone());
            let (status, body) = script(&request);
            // A server that is slow, not a wait for anything.
            thread::park_timeout(delay);
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\
                 Content-Type: text/plain; version=0.0.4\r\n\
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
pub fn in_an_hour() -> String {
    let then = u64::try_from(now() + 3600).unwrap();
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(then)).to_string()
}

/// Credentials as an instance or a container receives them, for an hour.
fn credentials(key: &str, secret: &str) -> String {
    let expiration = in_an_hour();
    format!(
        r#"{{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "{key}",
            "SecretAccessKey": "{secret}", "Token": "the-token-of-the-instance",
            "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "{expiration}"}}"#
    )
}

/// The metadata of an instance with a role, in a Region.
pub fn instance(delay: Duration, key: &'static str, region: &'static str) -> Server {
    Server::slow(delay, move |request| {
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

/// The endpoint that gives a container its credentials.
pub fn container(key: &'static str) -> Server {
    Server::start(move |_| (200, credentials(key, "the-secret-of-the-container")))
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

/// An AWS that accepts connections and never answers.
pub struct Silence(TcpListener);

impl Silence {
    /// Listens; the system completes connections to a listener that accepts none.
    pub fn start() -> Self {
        Self(listen())
    }

    /// Its address as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// Waits for a caller, which then waits for an answer as long as the stream is held.
    pub fn take_caller(&self) -> TcpStream {
        self.0.set_nonblocking(true).expect("the listener is ours");
        eventually(PATIENCE, || match self.0.accept() {
            Ok((stream, _)) => Ok(stream),
            Err(error) => Err(format!("no caller: {error}")),
        })
    }
}
