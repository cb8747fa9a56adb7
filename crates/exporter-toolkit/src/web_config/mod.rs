//! The web configuration file: TLS, client certificates, passwords, headers and a limit of requests,
//! in the format that Prometheus' exporters share.
//!
//! The file and those that it names are read again when their content has changed. A change that is
//! not valid is logged and not used; neither is one that would switch off a protection.
//!
//! * `yaml` parses the file, `rules` checks it; `error` says what is wrong with it.
//! * `tls` makes the TLS settings of a listener, `client_auth` verifies clients' certificates.
//! * `passwords` verifies users, `rate_limit` limits requests.

mod client_auth;
mod error;
mod passwords;
mod rate_limit;
mod rules;
mod tls;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::passwords::Memory;
use crate::files::{self, TimedReads};

pub(crate) use self::error::Refusal;
pub use self::error::WebConfigError;
pub(crate) use self::rules::Rules;

/// How long the files are taken for current before they are read again.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// How long a request, or a reload, waits for the files.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// How long after the start of a reading that hangs a request starts another one.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// A web configuration file, which is read again as it changes.
pub struct WebConfig {
    path: PathBuf,
    current: RwLock<Arc<Rules>>,
    tls_changed: watch::Sender<()>,
    /// Outlives changes of the file.
    memory: Arc<Memory>,
    reads: TimedReads,
    /// The last reading, valid or not. Never locked while the files are read.
    last: Mutex<Reading>,
}

struct Reading {
    /// When a reading last began or ended.
    at: Instant,
    files: Files,
    /// The newest reading that has begun, and the newest that has ended.
    begun: u64,
    ended: u64,
}

/// The content of the file and of those that it names; an error's text where one is unreadable.
type Files = BTreeMap<PathBuf, Result<Vec<u8>, String>>;

impl fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl WebConfig {
    /// Reads the file and those that it names.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read, or is not valid. The text is one line.
    pub fn open(path: &Path) -> Result<Self, WebConfigError> {
        let memory = Arc::default();
        let (files, rules) = read(path, &memory);
        Ok(Self {
            path: path.to_owned(),
            current: RwLock::new(Arc::new(rules?)),
            tls_changed: watch::Sender::new(()),
            memory,
            reads: TimedReads::new(READ_WITHIN),
            last: Mutex::new(Reading {
                at: Instant::now(),
                files,
                begun: 0,
                ended: 0,
            }),
        })
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn serves_tls(&self) -> bool {
        self.rules().tls.is_some()
    }

    /// Whether clients are authenticated, by a password or by a certificate.
    #[must_use]
    pub fn authenticates(&self) -> bool {
        self.rules().authenticates()
    }

    /// Reads the files again and uses them from now on.
    ///
    /// # Errors
    ///
    /// When they are not valid, or take long to read; then nothing changes. The text is one line.
    pub async fn reload(self: &Arc<Self>) -> Result<(), WebConfigError> {
        self.read_in_time(true).await
    }

    /// Changes where a connection must end because its TLS settings are not current any more.
    pub(crate) fn tls_changes(&self) -> watch::Receiver<()> {
        self.tls_changed.subscribe()
    }

    /// The rules, at most a second old; the previous ones while another request reads the files.
    pub(crate) async fn current(self: &Arc<Self>) -> Arc<Rules> {
        let is_due = {
            let mut last = self.lock();
            let wait = if self.reads.is_idle() {
                READ_AGAIN
            } else {
                TRY_AGAIN
            };
            let is_due = last.at.elapsed() >= wait;
            if is_due {
                // The requests that come meanwhile need not read them too.
                last.at = Instant::now();
            }
            is_due
        };
        if is_due && let Err(error) = self.read_in_time(false).await {
            tracing::error!(
                %error,
                "the web configuration cannot be read or is not valid; it stays as it was"
            );
        }
        self.rules()
    }

    /// Reads the files, and waits for that as long as is sensible. What is read later is used all the
    /// same, unless a newer reading has ended before.
    async fn read_in_time(self: &Arc<Self>, is_reload: bool) -> Result<(), WebConfigError> {
        let nth = self.begin();
        let this = Arc::clone(self);
        let reading = move || {
            let (files, rules) = read(&this.path, &this.memory);
            this.end(nth, files, rules, is_reload)
        };
        let read = self.reads.run(reading).await;
        read.unwrap_or_else(|error| Err(WebConfigError::invalid(&self.path, error.to_string())))
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of a new reading.
    fn begin(&self) -> u64 {
        let mut last = self.lock();
        last.begun += 1;
        last.begun
    }

    /// Uses what a reading read. Of files that are as before, only a reload reports what is wrong.
    fn end(
        &self,
        nth: u64,
        files: Files,
        rules: Result<Rules, WebConfigError>,
        is_reload: bool,
    ) -> Result<(), WebConfigError> {
        let mut last = self.lock();
        if nth < last.ended {
            return Ok(());
        }
        last.ended = nth;
        last.at = Instant::now();
        let same = files == last.files;
        last.files = files;
        if same && !is_reload {
            return Ok(());
        }
        let rules = rules?;
        if let Some(lost) = self.rules().lost_in(&rules) {
            return Err(WebConfigError::invalid(
                &self.path,
                format!(
                    "{lost} would be switched off, which takes a restart; put it back or restart \
                     the exporter"
                ),
            ));
        }
        if !same {
            tracing::info!(file = %self.path.display(), "the web configuration has changed and is in use");
            let has_tls = rules.tls.is_some();
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
            if has_tls {
                self.tls_changed.send_replace(());
            }
        }
        Ok(())
    }
}

/// Reads and checks the file, and returns the content of all that was read.
fn read(path: &Path, memory: &Arc<Memory>) -> (Files, Result<Rules, WebConfigError>) {
    let mut files = Files::new();
    let mut read = |path: &Path| {
        let content = files::read(path);
        let copy = content.as_ref().map(Clone::clone);
        files.insert(path.to_owned(), copy.map_err(ToString::to_string));
        content.map_err(|source| WebConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })
    };
    let rules = Rules::read(path, &mut read, memory);
    (files, rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> (tempfile::TempDir, Arc<WebConfig>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        std::fs::write(&path, text).unwrap();
        let config = WebConfig::open(&path).unwrap();
        (folder, Arc::new(config))
    }

    #[tokio::test]
    async fn readings_that_hang_do_not_hold_up_later_ones() {
        let (_folder, config) = opened("rate_limit: {interval: 1h, burst: 3}\n");
        let hang = || config.reads.begin().unwrap();
        let _hanging: Vec<_> = (1..files::MOST_READS).map(|_| hang()).collect();
        assert!(config.current().await.bucket.is_some());
        std::fs::write(&config.path, "").unwrap();
        config.reload().await.unwrap();
        assert!(config.current().await.bucket.is_none(), "it was read again");
        let _last = hang();
        let error = config.reload().await.unwrap_err().to_string();
        assert!(error.contains("takes too long to read"), "{error}");
        assert!(config.current().await.bucket.is_none());
    }

    #[tokio::test]
    async fn a_late_reading_does_not_undo_a_newer_one() {
        let (_folder, config) = opened("");
        let late = config.begin();
        let (files, rules) = read(&config.path, &config.memory);
        std::fs::write(&config.path, "rate_limit: {interval: 1h, burst: 3}\n").unwrap();
        config.reload().await.unwrap();
        config.end(late, files, rules, true).unwrap();
        assert!(config.rules().bucket.is_some());
        assert!(config.reads.is_idle());
    }
}
