//! Reload: the configuration is read again, judged whole, and taken whole or not at all.
//!
//! Asked for by SIGHUP, by `POST /-/reload`, or by the file itself when `reload.auto` is on. What
//! is known of the accounts that stay, their schedule and their sessions are not touched, and a
//! configuration that is the same touches nothing at all.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tracing::{error, info};

use super::serve;
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors};
use crate::discovery::Desired;
use crate::files;
use crate::views::Views;
use crate::web::{ReloadRequests, Reloaded, Site};

/// How often the file is looked at when `reload.auto` is on. Its content is compared, through
/// whatever links lead to it: Kubernetes replaces a file by swapping a link above it.
const WATCH: Duration = Duration::from_secs(5);

/// How long the schedule may take to follow.
const FOLLOW: Duration = Duration::from_secs(10);

/// How long after a reload the next one waits, so that a flood of requests costs little.
const PAUSE: Duration = Duration::from_millis(100);

/// What is said of a reload that panicked. The panic itself is on standard error.
const BROKE_OFF: &str = "the reload broke off, for a defect of the exporter; please report this";

/// How long reading the configuration may take.
const READ_WITHIN: Duration = Duration::from_secs(8);

/// How many readings may hang at the same time, each on a thread.
const MOST_READINGS: usize = 8;

const TAKES_LONG: &str =
    "the configuration takes too long to read; see whether the disk of its file answers";

/// Reads the configuration the way the process was started with.
pub(super) type Load = Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Owns the configuration that runs.
pub(super) struct Reloader {
    pub load: Load,
    pub wanted: watch::Sender<Desired>,
    pub follows: watch::Receiver<u64>,
    pub site: Arc<Site>,
    pub store: Arc<Views>,
    pub clock: Clock,
}

impl Reloader {
    /// Reloads whenever that is asked for, one at a time.
    pub async fn run(self, mut hangups: Hangups, mut requests: ReloadRequests) {
        let this = Arc::new(self);
        let mut seen = this.content().await;
        let mut watch = tokio::time::interval(WATCH);
        watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let auto = this.wanted.borrow().config.reload.auto;
            let because = tokio::select! {
                // Any reload covers the requests so far, a SIGHUP comes only once: it goes first.
                biased;
                () = hangups.next() => "SIGHUP",
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
        // In a task of its own, whose panic costs this reload and no other.
        let reloaded = tokio::spawn(async move { this.try_reload().await })
            .await
            .unwrap_or_else(|_| Err(BROKE_OFF.to_owned()));
        match &reloaded {
            Ok(done) => {
                info!(because, "{done}");
                let now = self.clock.now();
                self.store.exporter.note(|view| view.reload = (true, now));
            }
            Err(why) => {
                error!(
                    because,
                    error = why,
                    "reload failed; the configuration stays as it was"
                );
                self.store.exporter.note(|view| view.reload.0 = false);
            }
        }
        reloaded
    }

    async fn try_reload(&self) -> Reloaded {
        let load = Arc::clone(&self.load);
        let config = blocking(move || load())
            .await?
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
        let reloaded = self.site.reload_web_config().await;
        reloaded.map_err(|error| error.to_string())?;
        let mut generation = running.generation;
        if config != *running.config {
            generation += 1;
            self.site.set_metrics(serve::metrics_options(&config));
            let shard = (config.shard.index, config.shard.total);
            self.store.exporter.note(|view| view.shard = shard);
            self.wanted.send_replace(Desired {
                generation,
                settings: serve::settings(&config),
                config: Arc::new(config),
            });
        }
        let mut follows = self.follows.clone();
        let followed = follows.wait_for(|follows| *follows >= generation);
        match timeout(FOLLOW, followed).await {
            Ok(Ok(_)) => Ok("the configuration was read again and is in use".to_owned()),
            _ => Err(
                "the configuration is good, and the schedule does not take it up; please \
                      report this"
                    .to_owned(),
            ),
        }
    }

    /// What is in the file, or why it cannot be read. `None` where there is no file: one that is
    /// away for a moment is being replaced.
    async fn content(&self) -> Option<Result<Vec<u8>, String>> {
        let path = self.wanted.borrow().config.source_file.clone()?;
        match blocking(move || files::read(&path)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => None,
            Ok(read) => Some(read.map_err(|error| error.to_string())),
            Err(broke_off) => Some(Err(broke_off)),
        }
    }
}

/// Does what may block, or hang as long as a disk does.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    static READINGS: Semaphore = Semaphore::const_new(MOST_READINGS);

    let Ok(reading) = READINGS.try_acquire() else {
        return Err(TAKES_LONG.to_owned());
    };
    let work = move || {
        let done = work();
        drop(reading);
        done
    };
    match timeout(READ_WITHIN, tokio::task::spawn_blocking(work)).await {
        Ok(done) => done.map_err(|_| BROKE_OFF.to_owned()),
        Err(_) => Err(TAKES_LONG.to_owned()),
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

/// SIGHUP, where there is such a thing.
pub(super) struct Hangups(#[cfg(unix)] tokio::signal::unix::Signal);

impl Hangups {
    #[cfg(unix)]
    pub fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::hangup()).map(Self)
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "listening can fail elsewhere")]
    pub fn new() -> std::io::Result<Self> {
        Ok(Self())
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::Timestamp;
    use crate::config::Refresh;
    use crate::web::{self, Reloads};

    #[test]
    fn what_needs_a_restart_is_named() {
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
    async fn a_panic_costs_one_reload_and_an_equal_configuration_touches_nothing() {
        let config = Arc::new(Config::default());
        let (clock, _hand) = Clock::manual(Timestamp::from_unix(1_800_000_000));
        let store = Arc::new(Views::new(clock.clone()));
        let (reloads, requests) = Reloads::channel();
        let site = web::Settings {
            telemetry_path: "/metrics".to_owned(),
            max_requests: 1,
            metrics: serve::metrics_options(&config),
            limits: web::Limits::default(),
            reloads: Some(reloads.clone()),
        };
        let (wanted, wants) = watch::channel(Desired {
            generation: 0,
            settings: serve::settings(&config),
            config,
        });
        let (_follow, follows) = watch::channel(0);
        let calls = AtomicUsize::new(0);
        let reloader = Reloader {
            load: Arc::new(move || {
                assert_ne!(calls.fetch_add(1, Ordering::Relaxed), 0, "the first panics");
                Ok(Config::default())
            }),
            wanted,
            follows,
            site: Arc::new(Site::new(Arc::clone(&store), site)),
            store,
            clock,
        };
        let running = tokio::spawn(reloader.run(Hangups::new().unwrap(), requests));
        assert_eq!(reloads.ask().await, Err(BROKE_OFF.to_owned()));
        let second = reloads.ask().await;
        assert!(second.is_ok(), "{second:?}");
        assert!(!wants.has_changed().unwrap());
        running.abort();
    }
}
