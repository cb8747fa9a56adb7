//! Reload: the configuration is read again, judged whole, and taken whole or not at all.
//!
//! Asked for by SIGHUP, by `POST /-/reload`, or by the file itself when `reload.auto` is on. What
//! is known of the accounts that stay, their schedule and their sessions are not touched.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use super::serve;
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors};
use crate::discovery::Wanted;
use crate::views::Views;
use crate::web::{ReloadRequest, Reloaded, Site};

/// How often the file is looked at when `reload.auto` is on. Its content is compared, through
/// whatever links lead to it: Kubernetes replaces a file by swapping a link above it.
const WATCH: Duration = Duration::from_secs(5);

/// How long the schedule may take to follow.
const FOLLOW: Duration = Duration::from_secs(10);

/// Reads the configuration the way the process was started with.
pub(super) type Load = Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Owns the configuration that runs.
pub(super) struct Reloader {
    pub load: Load,
    pub running: Arc<Config>,
    pub wanted: watch::Sender<Wanted>,
    pub follows: watch::Receiver<u64>,
    pub requests: mpsc::Receiver<ReloadRequest>,
    pub site: Arc<Site>,
    pub store: Arc<Views>,
    pub clock: Clock,
}

impl Reloader {
    /// Reloads whenever that is asked for.
    pub async fn run(mut self, mut hangups: Hangups) {
        let mut seen = content(self.running.source_file.as_deref()).await;
        let mut look = tokio::time::interval(WATCH);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = hangups.next() => {
                    seen = content(self.running.source_file.as_deref()).await;
                    let _ = self.reload("SIGHUP").await;
                }
                Some(word) = self.requests.recv() => {
                    seen = content(self.running.source_file.as_deref()).await;
                    let reloaded = self.reload("request").await;
                    // Who asked may be gone.
                    let _ = word.send(reloaded);
                }
                _ = look.tick(), if self.running.reload.auto => {
                    let now = content(self.running.source_file.as_deref()).await;
                    // A file that is away for a moment is being replaced.
                    if now.is_some() && now != seen {
                        seen = now;
                        let _ = self.reload("the file changed").await;
                    }
                }
            }
        }
    }

    async fn reload(&mut self, because: &str) -> Reloaded {
        let reloaded = self.try_reload().await;
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

    async fn try_reload(&mut self) -> Reloaded {
        let load = Arc::clone(&self.load);
        let config = tokio::task::spawn_blocking(move || load())
            .await
            .map_err(|error| error.to_string())?
            .map_err(|errors| errors.to_string())?;
        let fixed = fixed_settings(&self.running, &config);
        if !fixed.is_empty() {
            return Err(format!(
                "{} cannot change while the exporter runs; restart it, or set {} back",
                fixed.join(", "),
                if fixed.len() == 1 { "it" } else { "them" },
            ));
        }
        let site = Arc::clone(&self.site);
        tokio::task::spawn_blocking(move || site.reload_web_config())
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        let config = Arc::new(config);
        let generation = self.wanted.borrow().generation + 1;
        self.wanted.send_replace(Wanted {
            generation,
            settings: serve::settings(&config),
            config: Arc::clone(&config),
        });
        self.site.set_metrics(serve::metrics_options(&config));
        let shard = (config.shard.index, config.shard.total);
        self.store.exporter.note(|view| view.shard = shard);
        self.running = config;
        let followed = self.follows.wait_for(|follows| *follows >= generation);
        match tokio::time::timeout(FOLLOW, followed).await {
            Ok(Ok(_)) => Ok("the configuration was read again and is in use".to_owned()),
            _ => Err(
                "the configuration is good, and the schedule does not take it up; please \
                      report this"
                    .to_owned(),
            ),
        }
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

/// What is in the file; `None` where there is none, or it cannot be read now.
async fn content(path: Option<&Path>) -> Option<Vec<u8>> {
    let path: PathBuf = path?.to_owned();
    tokio::fs::read(path).await.ok()
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
    use super::*;
    use crate::config::Refresh;

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
        assert!(fixed_settings(&running, &new).is_empty());
        new.aws.region = "eu-central-1".to_owned();
        new.state.path = Some("state.redb".into());
        assert_eq!(fixed_settings(&running, &new), ["state.path", "aws.region"]);
    }
}
