//! A server of the room `web` in the test's own process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_root_exporter::account::{Access, Account};
use aws_root_exporter::clock::Clock;
use aws_root_exporter::metrics;
use aws_root_exporter::views::{AccountView, Views};
use aws_root_exporter::web::{Limits, Listener, Settings, Site, bind, serve};
use root_posture::Posture;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::{Answer, ask};

pub struct Server {
    pub address: SocketAddr,
    pub health: SocketAddr,
    pub store: Arc<Views>,
    pub stop: oneshot::Sender<()>,
    pub served: JoinHandle<()>,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(Limits::default(), 0).await
    }

    pub async fn with(limits: Limits, accounts: u64) -> Self {
        let store = Arc::new(Views::new(Clock::system()));
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

pub fn site(store: &Arc<Views>, telemetry_path: &str, limits: Limits) -> Arc<Site> {
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
            labels: Arc::new([("team".to_owned(), "payments".repeat(20))].into()),
        }),
        posture: Posture::default(),
        report: None,
        onset: root_posture::Onset::default(),
        listed: None,
        sources: Vec::new(),
    }
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
