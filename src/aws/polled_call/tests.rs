//! What a server sees of the first call and of those after it.

use std::sync::Mutex;

use aws_sdk_iam::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_smithy_types::retry::RetryConfig;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::aws::classify::{classify, is_hung_up};
use crate::aws::current_call::FromCurrentCall;
use crate::aws::operation::Operation;

const SUMMARY: &str = "<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap><entry>\
    <key>AccountAccessKeysPresent</key><value>1</value></entry></SummaryMap>\
    </GetAccountSummaryResult></GetAccountSummaryResponse>";

const ERROR: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>\
    <Message>unknown</Message></Error></ErrorResponse>";

/// In place of a status: closes the connection without an answer.
const HANG_UP: u16 = 0;

/// A request, and the number of the connection on which it came.
#[derive(Clone, Debug)]
struct Received {
    connection: usize,
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// When it was signed, in seconds of the Unix epoch.
    fn signed_at(&self) -> i64 {
        let compact = self.header("x-amz-date");
        let [year, month, day, hour, minute, second] =
            [0..4, 4..6, 6..8, 9..11, 11..13, 13..15].map(|place| &compact[place]);
        let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
        let time = aws_smithy_types::DateTime::from_str(
            &text,
            aws_smithy_types::date_time::Format::DateTime,
        );
        time.unwrap().secs()
    }
}

/// A server that keeps connections open. It answers the nth request with the nth status and `Date`.
struct Server {
    call: PolledCall,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    async fn start(answers: impl Into<Arc<[(u16, &'static str)]>>) -> Self {
        let answers = answers.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(
                    stream,
                    connection,
                    Arc::clone(&answers),
                    Arc::clone(&kept),
                ));
            }
        });
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(url)
            .credentials_provider(FromCurrentCall)
            .interceptor(FromCurrentCall)
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        let call = PolledCall::new(aws_sdk_iam::Client::from_conf(config), Clock::system());
        Self { call, received }
    }

    async fn call(&self) -> Sent {
        let call = current_call::with(credentials(), self.call.clone().send());
        call.await.0
    }

    async fn call_with_the_sdk(&self) -> Sent {
        let call = self.call.client.get_account_summary().send();
        current_call::with(credentials(), call).await.0
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

fn credentials() -> Credentials {
    let token = Some("token".to_owned());
    Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", token, None, "test")
}

async fn serve(
    stream: TcpStream,
    connection: usize,
    answers: Arc<[(u16, &'static str)]>,
    kept: Arc<Mutex<Vec<Received>>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(mut received) = receive(&mut stream).await {
        received.connection = connection;
        let nth = {
            let mut kept = kept.lock().unwrap();
            kept.push(received);
            kept.len() - 1
        };
        let (status, date) = answers[nth];
        let body = match status {
            HANG_UP => return,
            200 => SUMMARY,
            _ => ERROR,
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn receive(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |line: &String| {
        line.split_once(": ")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
    };
    let mut received = Received {
        connection: 0,
        line: lines.first()?.clone(),
        headers: lines.iter().filter_map(header).collect(),
        body: String::new(),
    };
    let length = received.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    received.body = String::from_utf8(body).unwrap();
    Some(received)
}

/// A `Date` that cannot be read.
const UNDATED: &str = "";

#[tokio::test]
async fn later_calls_send_what_the_first_sent_under_their_own_signature() {
    let server = Server::start([(200, UNDATED); 3]).await;
    for _ in 0..3 {
        let map = server.call().await.unwrap().summary_map.unwrap();
        assert_eq!(map[&"AccountAccessKeysPresent".into()], 1);
    }
    let [first, later @ ..] = &server.received()[..] else {
        panic!("nothing came");
    };
    assert_eq!(first.body, "Action=GetAccountSummary&Version=2010-05-08");
    assert!(
        first.header("user-agent").contains("aws-sdk-rust"),
        "{first:?}"
    );
    for later in later {
        assert_eq!((&later.line, &later.body), (&first.line, &first.body));
        for name in ["host", "content-type", "content-length", "user-agent"] {
            assert_eq!(later.header(name), first.header(name), "{name}");
        }
        assert_eq!(later.header("x-amz-security-token"), "token");
        let authorization = later.header("authorization");
        assert_eq!(scope(authorization), scope(first.header("authorization")));
        assert_eq!(scope(authorization), Some(("eu-central-1", "iam")));
        assert_eq!(later.connection, first.connection);
    }
}

#[tokio::test]
async fn a_connection_whose_server_fails_is_not_used_again() {
    let server = Server::start([
        (200, UNDATED),
        (503, UNDATED),
        (200, UNDATED),
        (200, UNDATED),
    ])
    .await;
    for _ in 0..4 {
        let _ = server.call().await;
    }
    let connections: Vec<_> = server.received().iter().map(|it| it.connection).collect();
    assert_eq!(connections, [0, 0, 1, 1]);
}

#[tokio::test]
async fn requests_are_signed_with_the_time_of_aws() {
    const LATER: &str = "Tue, 01 Jan 2092 00:00:00 GMT";
    const EARLIER: &str = "Mon, 01 Jan 2001 00:00:00 GMT";
    let server =
        Server::start([(200, LATER), (200, EARLIER), (200, UNDATED), (200, UNDATED)]).await;
    for _ in 0..4 {
        server.call().await.unwrap();
    }
    let signed: Vec<_> = server.received().iter().map(Received::signed_at).collect();
    let near = |at: i64, expected: i64| (at - expected).abs() < 600;
    assert!(near(signed[1], 3_849_984_000), "{signed:?}");
    assert!(near(signed[2], 978_307_200), "{signed:?}");
    // The third answer has no date that can be read, and corrects nothing.
    assert!(near(signed[3], 978_307_200), "{signed:?}");
}

#[tokio::test]
async fn a_date_beyond_all_signatures_breaks_no_later_call() {
    const LAST: &str = "Fri, 31 Dec 9999 23:59:59 GMT";
    const EARLIER: &str = "Mon, 01 Jan 2001 00:00:00 GMT";
    let server = Server::start([(200, LAST), (200, EARLIER), (200, EARLIER)]).await;
    for _ in 0..3 {
        server.call().await.unwrap();
    }
}

#[test]
fn the_scope_is_read_from_the_end() {
    let header = "AWS4-HMAC-SHA256 Credential=AKIA/WITH/SLASHES/20261130/cn-north-1/iam/aws4_request, \
        SignedHeaders=host, Signature=0";
    assert_eq!(scope(header), Some(("cn-north-1", "iam")));
    assert_eq!(
        scope("AWS4-HMAC-SHA256 Credential=AKIA, SignedHeaders=host"),
        None
    );
}

#[tokio::test]
async fn failures_after_which_a_call_is_made_again_are_those_of_the_sdk() {
    let operation = Operation::iam("GetAccountSummary");
    for status in [HANG_UP, 403, 408] {
        let server = Server::start([(200, UNDATED), (status, UNDATED), (status, UNDATED)]).await;
        server.call().await.unwrap();
        let ours = server.call().await.unwrap_err();
        let theirs = server.call_with_the_sdk().await.unwrap_err();
        assert_eq!(classify(operation, &ours), classify(operation, &theirs));
        assert_eq!(is_hung_up(&ours), status == HANG_UP);
        assert_eq!(is_hung_up(&theirs), status == HANG_UP);
    }
}
