//! The whole path of a page: a simulated AWS, the daemon, Prometheus with the rules of `deploy/`,
//! Alertmanager with its routes, and a webhook in the pager's place. Every step takes 2 s.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use test_support::daemon::Daemon;
use test_support::prometheus::Prometheus;
use test_support::server::Server;
use test_support::simulated::{Simulated, account, id, listed, now};
use test_support::{PATIENCE, eventually, http, repository};

use super::alertmanager::Alertmanager;
use super::webhook::{Notification, Webhook};

pub const ALERT: &str = "AWSRootAccessKeyActive";

/// The URL of the exporter's pages.
pub const EXTERNAL_URL: &str = "https://exporter.example.com/aws";

/// The account with the key, and one without.
pub const HERO: u64 = 12_345_678_901;
pub const OTHER: u64 = 111_122_223_333;

/// How Prometheus reaches the exporter.
#[derive(Clone, Copy)]
enum Scraped {
    Directly,
    /// Through a proxy that fails one scrape in five.
    ByProxy,
}

pub struct Path {
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

impl Path {
    /// Starts all of it, and waits until Prometheus has seen both accounts without a key.
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
        let alertmanager = Alertmanager::notifying(webhook.address);
        let folder = TempDir::new().expect("a temporary folder");
        let rules = repository("deploy/prometheus");
        let rules = rules.display();
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
        let mut path = Self {
            scraped,
            failed_scrapes: Arc::default(),
            aws,
            daemon: None,
            prometheus,
            _alertmanager: alertmanager,
            webhook,
            folder,
        };
        path.start_daemon();
        eventually(PATIENCE, || {
            path.shows("count(aws_root_access_keys_active == 0)", "2")
        });
        path
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
    /// It has another.
    pub fn shows(&self, query: &str, wanted: &str) -> Result<(), String> {
        let value = self.prometheus.value(query)?;
        (value == wanted)
            .then_some(())
            .ok_or_else(|| format!("{query} is {value}, not {wanted}"))
    }

    pub fn create_key(&self) -> Instant {
        let created = self.aws.world.edit(id(HERO), |a| a.root.create_key(now()));
        assert!(created.is_some(), "two keys are there already");
        Instant::now()
    }

    pub fn delete_keys(&self) -> Instant {
        self.aws.world.edit(id(HERO), |a| a.root.delete_keys());
        Instant::now()
    }

    /// The first notification of this status after that moment, and how long it took.
    pub fn notified_since(&self, since: Instant, status: &str) -> (Notification, Duration) {
        let notification = eventually(PATIENCE, || {
            let all = self.webhook.received();
            let mut found = all
                .iter()
                .filter(|it| it.at > since && it.is(status, ALERT));
            found
                .next()
                .cloned()
                .ok_or_else(|| format!("no notification {status}: {all:?}"))
        });
        let took = notification.at - since;
        (notification, took)
    }

    /// Waits until that many more scrapes have failed.
    pub fn fail_scrapes(&self, more: usize) {
        let before = self.failed_scrapes.load(Ordering::Relaxed);
        eventually(PATIENCE, || {
            let failed = self.failed_scrapes.load(Ordering::Relaxed) - before;
            (failed >= more)
                .then_some(())
                .ok_or_else(|| format!("{failed} scrapes failed"))
        });
    }

    /// How many notifications of this status of the page there were.
    pub fn notifications(&self, status: &str) -> usize {
        let all = self.webhook.received();
        all.iter().filter(|it| it.is(status, ALERT)).count()
    }

    /// Checks that no page has been resolved so far.
    pub fn is_still_paged(&self) {
        let all = self.webhook.received();
        assert!(
            !all.iter().any(|it| it.is("resolved", ALERT)),
            "the page was resolved: {all:#?}"
        );
    }
}

/// A proxy in front of this address that answers each fifth request with an error.
fn bad_proxy(to: SocketAddr, failed: Arc<AtomicUsize>) -> SocketAddr {
    let requests = AtomicUsize::new(0);
    let proxy = Server::start(move |request| {
        let fails = requests.fetch_add(1, Ordering::Relaxed) % 5 == 4;
        let scrape = http::try_get(to, request.target(), &[]);
        if let Some(scrape) = scrape.ok().filter(|_| !fails) {
            return (200, scrape.text().to_owned());
        }
        failed.fetch_add(1, Ordering::Relaxed);
        (503, String::new())
    });
    proxy.address
}
