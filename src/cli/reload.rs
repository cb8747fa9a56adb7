//! Reload: the configuration is read again, and takes effect as a whole or not at all.
//!
//! SIGHUP, `POST /-/reload` and, with `reload.auto`, a change of the file cause one. It never touches
//! the evidence, the schedule or the sessions of the accounts that stay; an equal configuration
//! changes nothing.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use exporter_toolkit::files::{self, ReadError, TimedReads};
use exporter_toolkit::{ReloadRequests, Reloaded, WebConfig};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{error, info};

use super::wire;
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors};
use crate::discovery::Desired;
use crate::site::Site;
use crate::views::Views;

/// How often the file is read when `reload.auto` is on. Its content is compared, not its time:
/// Kubernetes replaces a file by swapping a link above it.
const WATCH: Duration = Duration::from_secs(5);

/// How long the schedule may take to adopt a configuration.
const FOLLOW: Duration = Duration::from_secs(10);

/// How long after a reload the next one waits, so that many requests cost little.
const PAUSE: Duration = Duration::from_millis(100);

/// The error of a reload that panicked. The panic itself is on standard error.
const PANICKED: &str = "the reload failed because of a bug in the exporter; please report this";

/// How long reading the configuration may take.
const READ_WITHIN: Duration = Duration::from_secs(8);

/// Reads the configuration from the file, environment and flags of this process.
pub(super) type Load = Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Owns the configuration in use.
pub(super) struct Reloader {
    pub load: Load,
    pub wanted: watch::Sender<Desired>,
    pub follows: watch::Receiver<u64>,
    pub site: Arc<Site>,
    pub web_config: Option<Arc<WebConfig>>,
    pub reads: TimedReads,
    pub store: Arc<Views>,
    pub clock: Clock,
}

/// Reads of the configuration, which may hang as long as a disk does.
pub(super) fn reads() -> TimedReads {
    TimedReads::new(READ_WITHIN)
}

impl Reloader {
    /// Reloads on each request, one at a time.
    pub async fn run(self, mut hangups: Signal, mut requests: ReloadRequests) {
        let this = Arc::new(self);
        let mut seen = this.content().await;
        let mut watch = tokio::time::interval(WATCH);
        watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let auto = this.wanted.borrow().config.reload.auto;
            let because = tokio::select! {
                // Any reload answers the requests so far, but a SIGHUP is delivered once: it goes
                // first.
                biased;
                Some(()) = hangups.recv() => "SIGHUP",
                () = requests.next() => "request",
                _ = watch.tick(), if auto => {
                    let now = this.content().await;
                    if now.is_none() || now == seen {
                        continue;
                    }
                    "the file changed"
                }
            };
            let reload = async {
                seen = this.content().await;
                Arc::clone(&this).reload(because).await
            };
            requests.answer(reload).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn reload(self: Arc<Self>, because: &str) -> Reloaded {
        let this = Arc::clone(&self);
        // In a task of its own: a panic fails this reload and no other.
        let reloaded = tokio::spawn(async move { this.try_reload().await })
            .await
            .unwrap_or_else(|_| Err(PANICKED.to_owned()));
        match &reloaded {
            Ok(done) => info!(because, "{done}"),
            Err(why) => error!(
                because,
                error = why,
                "reload failed; the previous configuration stays in use"
            ),
        }
        let (succeeded, now) = (reloaded.is_ok(), self.clock.now());
        let exporter = &self.store.exporter;
        exporter.note(|view| view.reload.record(succeeded, now));
        reloaded
    }

    async fn try_reload(&self) -> Reloaded {
        let load = Arc::clone(&self.load);
        let config = self.reads.run(move || load()).await;
        let config = config
            .map_err(unread)?
            .map_err(|errors| errors.to_string())?;
        let running = self.wanted.borrow().clone();
        let fixed = fixed_settings(&running.config, &config);
        if !fixed.is_empty() {
            return Err(format!(
                "{} cannot change while the exporter runs; restart it, or set {} back",
                fixed.join(", "),
                if fixed.len() == 1 { "it" } else { "them" },
            ));
        }
        if let Some(web_config) = &self.web_config {
            let reloaded = web_config.reload().await;
            reloaded.map_err(|error| error.to_string())?;
        }
        wire::warn_of_ended_exceptions(&config, &self.clock);
        let mut generation = running.generation;
        if config != *running.config {
            generation += 1;
            self.site.set_options(wire::metrics(&config));
            let shard = (config.shard.index, config.shard.total);
            self.store.exporter.note(|view| view.shard = shard);
            let wanted = wire::wanted(generation, Arc::new(config));
            self.wanted.send_replace(wanted);
        }
        let mut follows = self.follows.clone();
        let followed = follows.wait_for(|follows| *follows >= generation);
        match timeout(FOLLOW, followed).await {
            Ok(Ok(_)) => Ok("the configuration was read again and is in use".to_owned()),
            _ => Err(
                "the configuration is good, but the schedule does not use it yet; please report this"
                    .to_owned(),
            ),
        }
    }

    /// The content of the file, or why it cannot be read. `None` when there is no file: one that is
    /// missing for a moment is being replaced.
    async fn content(&self) -> Option<Result<Vec<u8>, String>> {
        let path = self.wanted.borrow().config.source_file.clone()?;
        match self.reads.run(move || files::read(&path)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => None,
            Ok(read) => Some(read.map_err(|error| error.to_string())),
            Err(error) => Some(Err(unread(error))),
        }
    }
}

/// Why the configuration was not read.
fn unread(error: ReadError) -> String {
    match error {
        ReadError::Late => format!("the configuration {error}"),
        ReadError::Panicked => PANICKED.to_owned(),
    }
}

/// The settings that differ and cannot change while the process runs.
fn fixed_settings(running: &Config, new: &Config) -> Vec<&'static str> {
    let differ = [
        (
            "web.listen_address",
            running.web.listen_addresses != new.web.listen_addresses,
        ),
        (
            "web.telemetry_path",
            running.web.telemetry_path != new.web.telemetry_path,
        ),
        (
            "web.config_file",
            running.web.config_file != new.web.config_file,
        ),
        (
            "web.max_requests",
            running.web.max_requests != new.web.max_requests,
        ),
        (
            "web.health_listen_address",
            running.web.health_listen_address != new.web.health_listen_address,
        ),
        ("log.level", running.log.level != new.log.level),
        ("log.format", running.log.format != new.log.format),
        (
            "refresh.timeout",
            running.refresh.timeout != new.refresh.timeout,
        ),
        ("state.path", running.state.path != new.state.path),
        ("aws.region", running.aws.region != new.aws.region),
        ("aws.profile", running.aws.profile != new.aws.profile),
    ];
    differ
        .into_iter()
        .filter_map(|(setting, differs)| differs.then_some(setting))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use exporter_toolkit::Reloads;
    use tokio::signal::unix::{SignalKind, signal};

    use super::*;
    use crate::clock::Timestamp;
    use crate::config::Refresh;

    #[test]
    fn settings_that_need_a_restart_are_named() {
        let running = Config::default();
        let mut new = Config {
            refresh: Refresh {
                interval: Duration::from_secs(10),
                ..Refresh::default()
            },
            ..Config::default()
        };
        new.web.external_url = Some("https://exporter.example.com".parse().unwrap());
        assert!(fixed_settings(&running, &new).is_empty());
        new.aws.region = "eu-central-1".to_owned();
        new.state.path = Some("state.redb".into());
        assert_eq!(fixed_settings(&running, &new), ["state.path", "aws.region"]);
    }

    #[tokio::test]
    async fn a_panic_fails_one_reload_and_an_equal_configuration_changes_nothing() {
        let config = Arc::new(Config::default());
        let (clock, _hand) = Clock::manual(Timestamp::from_unix(1_800_000_000));
        let store = Arc::new(Views::new(clock.clone()));
        let (reloads, requests) = Reloads::channel();
        let (site, _) = wire::site(&config, &store, None, reloads.clone());
        let (wanted, wants) = watch::channel(wire::wanted(0, config));
        let (_follow, follows) = watch::channel(0);
        let calls = AtomicUsize::new(0);
        let reloader = Reloader {
            load: Arc::new(move || {
                assert_ne!(calls.fetch_add(1, Ordering::Relaxed), 0, "the first panics");
                Ok(Config::default())
            }),
            wanted,
            follows,
            site,
            web_config: None,
            reads: reads(),
            store,
            clock,
        };
        let hangups = signal(SignalKind::hangup()).unwrap();
        let running = tokio::spawn(reloader.run(hangups, requests));
        assert_eq!(reloads.request().await, Err(PANICKED.to_owned()));
        let second = reloads.request().await;
        assert!(second.is_ok(), "{second:?}");
        assert!(!wants.has_changed().unwrap());
        running.abort();
    }
}
