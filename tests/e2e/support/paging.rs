//! The whole way of a page: a simulated AWS, the daemon, Prometheus with the rules of `deploy/`,
//! Alertmanager with its routes, and a webhook in the pager's place. Every step is 2 s long.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::alertmanager::Alertmanager;
use super::aws::listen;
use super::daemon::Daemon;
use super::prometheus::Prometheus;
use super::simulated::{Simulated, account, id, listed};
use super::webhook::{Told, Webhook};
use super::{PATIENCE, eventually, http};

pub const ALERT: &str = "AWSRootAccessKeyActive";

/// Where people open the exporter's pages.
pub const EXTERNAL_URL: &str = "https://exporter.example.com/aws";

/// The account in which keys come and go, and one in which they do not.
pub const HERO: u64 = 12_345_678_901;
pub const OTHER: u64 = 111_122_223_333;

/// How Prometheus reaches the exporter.
#[derive(Clone, Copy)]
enum Scraped {
    Directly,
    /// Through a proxy that fails one scrape in five.
    ByProxy,
}

pub struct Way {
    scraped: Scraped,
    /// How many scrapes the proxy failed so far.
    pub failed_scrapes: Arc<AtomicUsize>,
    pub aws: Simulated,
    pub daemon: Option<Daemon>,
    pub prometheus: Prometheus,
    _alertmanager: Alertmanager,
    pub webhook: Webhook,
    // Outlives the daemons: the targets that Prometheus reads, and their state.
    folder: TempDir,
}

impl Way {
    /// All of it, once Prometheus has seen both accounts without a key.
    pub fn start() -> Self {
        Self::scraped(Scraped::Directly)
    }

    /// The same, with one scrape in five that fails.
    pub fn start_behind_a_bad_proxy() -> Self {
        Self::scraped(Scraped::ByProxy)
    }

    fn scraped(scraped: Scraped) -> Self {
        let aws = Simulated::with([account(HERO, "payments"), account(OTHER, "other")]);
        let webhook = Webhook::start();
        let alertmanager = Alertmanager::telling(webhook.address);
        let folder = TempDir::new().expect("a temporary folder");
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus");
        let prometheus = Prometheus::with(&format!(
            "global: {{scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 2s}}
rule_files: [{rules}/aws-root-exporter.rules.yml, {rules}/aws-iam-users.rules.yml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]
scrape_configs:
  - job_name: aws-root-exporter
    honor_labels: true
    file_sd_configs: [{{files: ['{}'], refresh_interval: 1s}}]
",
            alertmanager.address,
            folder.path().join("targets.json").display()
        ));
        let mut way = Self {
            scraped,
            failed_scrapes: Arc::default(),
            aws,
            daemon: None,
            prometheus,
            _alertmanager: alertmanager,
            webhook,
            folder,
        };
        way.start_daemon();
        eventually(PATIENCE, || {
            way.shows("count(aws_root_access_keys_active == 0)", "2")
        });
        way
    }

    /// Starts a daemon on a port of its own, the only target from then on.
    pub fn start_daemon(&mut self) {
        let accounts = [(HERO, "payments"), (OTHER, "other")];
        let accounts =
            accounts.map(|(number, name)| listed(number) + &format!("name = \"{name}\"\n"));
        let accounts = accounts.concat();
        let config = format!(
            "[web]\nexternal_url = \"{EXTERNAL_URL}/\"\n[refresh]\ninterval = \"2s\"\nmax_live_staleness = \"10s\"\n[state]\npath = \"{}\"\n{accounts}",
            self.folder.path().join("state.redb").display()
        );
        let daemon = self.aws.launch(&config).start();
        // Prometheus must never read half a file.
        let new = self.folder.path().join("targets.new");
        let target = match self.scraped {
            Scraped::Directly => daemon.address,
            Scraped::ByProxy => bad_proxy(daemon.address, Arc::clone(&self.failed_scrapes)),
        };
        fs::write(&new, format!("[{{\"targets\": [\"{target}\"]}}]")).unwrap();
        fs::rename(new, self.targets()).unwrap();
        self.daemon = Some(daemon);
    }

    fn targets(&self) -> PathBuf {
        self.folder.path().join("targets.json")
    }

    /// Whether a query has this one value.
    ///
    /// # Errors
    ///
    /// Says which it has.
    pub fn shows(&self, query: &str, wanted: &str) -> Result<(), String> {
        let value = self.prometheus.value(query)?;
        (value == wanted)
            .then_some(())
            .ok_or_else(|| format!("{query} is {value}, not {wanted}"))
    }

    pub fn create_key(&self) -> Instant {
        let now = super::simulated::now();
        let created = self.aws.world.edit(id(HERO), |a| a.root.create_key(now));
        assert!(created.is_some(), "two keys are there already");
        Instant::now()
    }

    pub fn delete_keys(&self) -> Instant {
        self.aws.world.edit(id(HERO), |a| a.root.delete_keys());
        Instant::now()
    }

    /// The first word of this kind after that moment, and how long it took.
    pub fn told_since(&self, since: Instant, status: &str) -> (Told, Duration) {
        let told = eventually(PATIENCE, || {
            let all = self.webhook.told();
            let mut found = all.iter().filter(|t| t.at > since && t.says(status, ALERT));
            found
                .next()
                .cloned()
                .ok_or_else(|| format!("nobody says {status}: {all:?}"))
        });
        let took = told.at - since;
        (told, took)
    }

    /// Waits until so many more scrapes have failed.
    pub fn fail_scrapes(&self, more: usize) {
        let before = self.failed_scrapes.load(Ordering::Relaxed);
        eventually(PATIENCE, || {
            let failed = self.failed_scrapes.load(Ordering::Relaxed) - before;
            (failed >= more)
                .then_some(())
                .ok_or_else(|| format!("{failed} scrapes failed"))
        });
    }

    /// How often somebody was notified of this status of the page.
    pub fn notifications(&self, status: &str) -> usize {
        let all = self.webhook.told();
        all.iter().filter(|told| told.says(status, ALERT)).count()
    }

    /// That no page has ended so far.
    pub fn stands(&self) {
        let told = self.webhook.told();
        assert!(
            !told.iter().any(|t| t.says("resolved", ALERT)),
            "the page was resolved: {told:#?}"
        );
    }
}

/// Hands requests on to this address, but for each fifth, which it answers with an error.
fn bad_proxy(to: SocketAddr, failed: Arc<AtomicUsize>) -> SocketAddr {
    let listener = listen();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || hand_on(&listener, to, &failed));
    address
}

fn hand_on(listener: &TcpListener, to: SocketAddr, failed: &AtomicUsize) {
    for (number, stream) in listener.incoming().enumerate() {
        let Ok(stream) = stream else { break };
        let fails = number % 5 == 4;
        // What goes wrong here is one more scrape that fails.
        let _ = answer(stream, to, fails);
        if fails {
            failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Answers one request, by which the connection ends.
fn answer(stream: TcpStream, to: SocketAddr, fails: bool) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = request.clone();
    while !header.trim().is_empty() {
        header.clear();
        reader.read_line(&mut header)?;
    }
    let path = request.split(' ').nth(1).unwrap_or("/");
    let (status, body) = if fails {
        ("503 Service Unavailable", Vec::new())
    } else {
        ("200 OK", http::try_get(to, path, &[])?.body)
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}
