//! An exporter for the tests, a server of it, and the smallest HTTP client.

#![allow(dead_code, reason = "no test file needs all of it")]

pub mod client;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exporter_toolkit::hyper::Response;
use exporter_toolkit::{
    Exporter, Limits, Listener, Listeners, MetricsWriter, Page, Server as Toolkit, Settings,
};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use client::{Answer, ask};

/// Has one metric of as many lines as a test wants, about 200 bytes each, and the page `/`.
#[derive(Default)]
pub struct TestExporter {
    lines: u64,
    pub evicted: AtomicU64,
    pub answered: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

impl TestExporter {
    pub fn of(lines: u64) -> Arc<Self> {
        Arc::new(Self {
            lines,
            ..Self::default()
        })
    }
}

impl Exporter for TestExporter {
    fn write_metrics(&self, out: &mut MetricsWriter) -> fmt::Result {
        writeln!(out, "# HELP test_line A line.\n# TYPE test_line gauge")?;
        let team = "payments".repeat(20);
        for line in 0..=self.lines {
            writeln!(out, "test_line{{number=\"{line:012}\",team=\"{team}\"}} 1")?;
        }
        out.write_str("# EOF\n")
    }

    fn page(&self, path: &str, _: &str) -> Option<Page> {
        (path == "/").then(|| Page::new("front", || Ok(Response::new("<h1>front</h1>\n".into()))))
    }

    fn request_answered(&self, handler: &'static str, status: u16) {
        let mut answered = self.answered.lock().unwrap();
        *answered.entry((handler, status)).or_default() += 1;
    }

    fn connection_evicted(&self) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub health: SocketAddr,
    pub exporter: Arc<TestExporter>,
    pub stop: oneshot::Sender<()>,
    pub served: JoinHandle<()>,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(Limits::default(), 0).await
    }

    pub async fn with(limits: Limits, lines: u64) -> Self {
        let settings = Settings {
            limits,
            ..Settings::default()
        };
        Self::of(TestExporter::of(lines), settings).await
    }

    pub async fn of(exporter: Arc<TestExporter>, settings: Settings) -> Self {
        let (main, health) = (listener().await, listener().await);
        let (address, health_address) = (main.local_addr(), health.local_addr());
        let listeners = Listeners {
            everyone: vec![main],
            probes: vec![health],
        };
        let (stop, stopped) = oneshot::channel();
        let toolkit = Toolkit::new(Arc::clone(&exporter) as _, settings);
        let served = tokio::spawn(toolkit.serve(listeners, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            health: health_address,
            exporter,
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
    let any = "127.0.0.1:0".parse().unwrap();
    let listeners = Listeners::open(&[any], None).await.unwrap();
    listeners.everyone.into_iter().next().unwrap()
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
