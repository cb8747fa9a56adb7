//! The whole way of a page: a simulated AWS, the daemon, Prometheus with the rules of `deploy/`,
//! Alertmanager with its routes, and a webhook in the pager's place. Every step is 2 s long.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::alertmanager::Alertmanager;
use super::daemon::Daemon;
use super::prometheus::Prometheus;
use super::simulated::{Simulated, account, id, listed};
use super::webhook::{Told, Webhook};
use super::{PATIENCE, eventually};

pub const ALERT: &str = "AWSRootAccessKeyActive";

/// The account in which keys come and go, and one in which they do not.
pub const HERO: u64 = 12_345_678_901;
pub const OTHER: u64 = 111_122_223_333;

pub struct Way {
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
    file_sd_configs: [{{files: ['{}'], refresh_interval: 1s}}]
",
            alertmanager.address,
            folder.path().join("targets.json").display()
        ));
        let mut way = Self {
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
            "[refresh]\ninterval = \"2s\"\nmax_live_staleness = \"10s\"\n[state]\npath = \"{}\"\n{accounts}",
            self.folder.path().join("state.redb").display()
        );
        let daemon = self.aws.launch(&config).start();
        // Prometheus must never read half a file.
        let new = self.folder.path().join("targets.new");
        fs::write(&new, format!("[{{\"targets\": [\"{}\"]}}]", daemon.address)).unwrap();
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

    /// That no page has ended so far.
    pub fn stands(&self) {
        let told = self.webhook.told();
        assert!(
            !told.iter().any(|t| t.says("resolved", ALERT)),
            "the page was resolved: {told:#?}"
        );
    }
}
