//! A running simulator, and a small HTTP client that returns every byte of an answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use aws_simulator::{Account, AccountId, Service, Simulator, World};

pub const NOW: i64 = 1_789_132_492;

pub fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

/// The management account and hub.
pub fn hub() -> AccountId {
    id("999000000001")
}

/// A member account with the roles `audit` (external id `let-me-in`) and `open`.
pub fn member() -> AccountId {
    id("000000000042")
}

/// A simulator, its world and its clock.
pub struct Bench {
    pub world: World,
    pub simulator: Simulator,
    now: Arc<AtomicI64>,
}

/// The credentials of a request.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    pub key: String,
    pub token: Option<String>,
}

pub fn outside() -> Credentials {
    Credentials {
        key: "AKIAOUTSIDE000000000".to_owned(),
        token: None,
    }
}

/// An answer, complete or not.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Answer {
    /// The text of the first element of that name.
    pub fn element(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
    }

    pub fn code(&self) -> (u16, &str) {
        (self.status, self.element("Code").unwrap_or(""))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn summary(&self, entry: &str) -> Option<i64> {
        let (_, rest) = self
            .body
            .split_once(&format!("<key>{entry}</key><value>"))?;
        rest.split_once('<')?.0.parse().ok()
    }

    pub fn report(&self) -> String {
        let content = self.element("Content").unwrap();
        String::from_utf8(BASE64_STANDARD.decode(content).unwrap()).unwrap()
    }

    pub fn credentials(&self) -> Credentials {
        Credentials {
            key: self.element("AccessKeyId").unwrap().to_owned(),
            token: self.element("SessionToken").map(str::to_owned),
        }
    }
}

impl Bench {
    pub async fn start() -> Self {
        let world = World::new(Account::new(hub(), "management", 0));
        world.add(
            Account::new(member(), "member", 0)
                .with_role("audit", Some("let-me-in"))
                .with_role("open", None),
        );
        Self::of(world).await
    }

    pub async fn of(world: World) -> Self {
        let now = Arc::new(AtomicI64::new(NOW));
        let clock = Arc::clone(&now);
        let clock = Arc::new(move || clock.load(Ordering::SeqCst));
        let simulator = Simulator::start(world.clone(), "127.0.0.1:0", clock)
            .await
            .unwrap();
        Self {
            world,
            simulator,
            now,
        }
    }

    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Sends a request and gives everything that comes back until the connection closes.
    pub async fn bytes(&self, head: &str, body: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.simulator.address()).await.unwrap();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: aws\r\nConnection: close\r\nContent-Length: {}\r\n{head}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // A reset ends the answer too; what came before it counts.
        let _ = stream.read_to_end(&mut bytes).await;
        bytes
    }

    async fn exchange(&self, head: &str, body: &str) -> Answer {
        let bytes = timeout(Duration::from_secs(10), self.bytes(head, body))
            .await
            .unwrap();
        parse(&bytes)
    }

    /// Calls an operation of the query protocol.
    pub async fn query(
        &self,
        credentials: &Credentials,
        service: Service,
        action: &str,
        params: &[(&str, &str)],
    ) -> Answer {
        let (scope, version) = match service {
            Service::Iam => ("iam", "2010-05-08"),
            _ => ("sts", "2011-06-15"),
        };
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", version)
            .extend_pairs(params)
            .finish();
        self.exchange(&head(credentials, scope), &body).await
    }

    pub async fn iam(&self, credentials: &Credentials, action: &str) -> Answer {
        self.query(credentials, Service::Iam, action, &[]).await
    }

    pub async fn sts(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        self.query(&outside(), Service::Sts, action, params).await
    }

    /// Calls an operation of Organizations.
    pub async fn organizations(&self, operation: &str, body: Value) -> Answer {
        let head = format!(
            "{}X-Amz-Target: AWSOrganizationsV20161128.{operation}\r\n",
            head(&outside(), "organizations")
        );
        self.exchange(&head, &body.to_string()).await
    }

    /// Calls an operation of SQS as the hub.
    pub async fn sqs(&self, operation: &str, body: Value) -> Answer {
        self.sqs_as(&outside(), operation, body).await
    }

    /// Calls an operation of SQS.
    pub async fn sqs_as(&self, credentials: &Credentials, operation: &str, body: Value) -> Answer {
        let head = format!(
            "{}X-Amz-Target: AmazonSQS.{operation}\r\n",
            head(credentials, "sqs")
        );
        self.exchange(&head, &body.to_string()).await
    }

    /// Calls an operation of IAM or STS with that user agent; `body` is the query.
    pub async fn with_agent(&self, credentials: &Credentials, agent: &str, body: &str) -> Answer {
        let head = format!("{}User-Agent: {agent}\r\n", head(credentials, "iam"));
        self.exchange(&head, body).await
    }

    /// A session of the member's open role.
    pub async fn role_session(&self) -> Credentials {
        let role = [
            ("RoleArn", "arn:aws:iam::000000000042:role/open"),
            ("RoleSessionName", "test"),
        ];
        let answer = self.sts("AssumeRole", &role).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.credentials()
    }

    /// A root session in the member account; `policy` is `Audit` or `Delete`.
    pub async fn root_session(&self, policy: &str) -> Answer {
        let arn = format!("arn:aws:iam::aws:policy/root-task/IAM{policy}RootUserCredentials");
        let params = [
            ("TargetPrincipal", "000000000042"),
            ("TaskPolicyArn.arn", arn.as_str()),
        ];
        self.sts("AssumeRoot", &params).await
    }
}

pub fn head(credentials: &Credentials, scope: &str) -> String {
    let token = credentials
        .token
        .as_ref()
        .map_or_else(String::new, |token| {
            format!("X-Amz-Security-Token: {token}\r\n")
        });
    format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={}/20260911/us-east-1/{scope}/aws4_request, \
         SignedHeaders=host, Signature=00\r\n{token}",
        credentials.key
    )
}

fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Answer::default();
    };
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    Answer {
        status: status.parse().unwrap(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}
