//! A server of the room `web` in the test's own process, and the smallest client of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_root_exporter::account::{Access, Account};
use aws_root_exporter::clock::Clock;
use aws_root_exporter::metrics;
use aws_root_exporter::posture::Posture;
use aws_root_exporter::store::{AccountView, Store};
use aws_root_exporter::web::{Limits, Listener, Settings, Site, bind, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes, so that a hang is a failure.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Server {
    pub address: SocketAddr,
    pub health: SocketAddr,
    pub store: Arc<Store>,
    pub stop: oneshot::Sender<()>,
    pub served: JoinHandle<()>,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(Limits::default(), 0).await
    }

    pub async fn with(limits: Limits, accounts: u64) -> Self {
        let store = Arc::new(Store::new(Clock::system()));
        for number in 0..accounts {
            store.put(account(number));
        }
        let site = site(&store, "/metrics", limits);
        let main = listener().await;
        let health = listener().await;
        let (address, health_address) = (main.local_addr(), health.local_addr());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(vec![main], Some(health), site, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            health: health_address,
            store,
            stop,
            served,
        }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        ask(self.address, method, path, headers).await
    }
}

pub async fn listener() -> Listener {
    bind("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

pub fn site(store: &Arc<Store>, telemetry_path: &str, limits: Limits) -> Arc<Site> {
    let settings = Settings {
        telemetry_path: telemetry_path.to_owned(),
        max_requests: 40,
        metrics: metrics::Options::default(),
        limits,
        reloads: None,
    };
    Arc::new(Site::new(Arc::clone(store), settings))
}

pub fn account(number: u64) -> AccountView {
    AccountView {
        account: Arc::new(Account {
            id: format!("{number:012}").parse().unwrap(),
            name: String::new(),
            region: "us-east-1".to_owned(),
            access: Some(Access::Caller),
            root_session: false,
            labels: [("team".to_owned(), "payments".repeat(20))].into(),
        }),
        posture: Posture::default(),
        report: None,
        root_keys: None,
        sources: Vec::new(),
    }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer in {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: bytes[end + 4..].to_vec(),
            head,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub async fn ask(address: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    Answer::parse(&rest_of(&mut stream).await)
}

/// Everything until the server closes. A reset is an end too.
pub async fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .expect("the server closes the connection");
    bytes
}

pub fn short() -> Limits {
    Limits {
        head_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(300),
        answer_timeout: Duration::from_millis(300),
        grace: Duration::from_millis(300),
        ..Limits::default()
    }
}
