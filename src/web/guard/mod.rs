//! What stands between a connection and the site: TLS, passwords, a limit of requests, headers.
//! All of it comes from one file, `web.config_file`, in the form that Prometheus' exporters share.
//!
//! * `file` reads the YAML and judges it; `error` says what is wrong with it.
//! * `tls` makes the TLS side of a listener, `client` judges clients' certificates.
//! * `passwords` knows users, `bucket` counts requests.
//!
//! The file and what it names are read again when their content has changed. A change that is not
//! good is told and not taken; neither is one that would take a protection away.

mod bucket;
mod client;
mod error;
mod file;
mod passwords;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::ServerConfig;

use self::bucket::Bucket;
use self::file::Judged;
use self::passwords::{Memory, Passwords, Verdict};

pub use self::error::WebConfigError;
use crate::files;

/// How long what was read is taken for current before the files are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long reading the files may take before a request, or a reload, goes on without it.
const READ_WITHIN: Duration = Duration::from_secs(2);

/// How long after one that hangs a request begins another reading.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// How many readings may hang at the same time, each on a thread.
const MOST_READINGS: usize = 8;

/// The web configuration file, as it is now.
pub struct WebConfig {
    path: PathBuf,
    current: RwLock<Arc<Rules>>,
    tls_changed: watch::Sender<()>,
    /// Outlives a change of the file.
    memory: Arc<Memory>,
    /// What was read last, good or not. Never held while the files are read.
    seen: Mutex<Seen>,
}

struct Seen {
    /// When a reading last began or ended.
    at: Instant,
    files: Files,
    /// How many readings are under way.
    readings: usize,
    /// The newest reading that has begun, and the newest that has ended.
    begun: u64,
    ended: u64,
}

/// The content of the file and of those that it names; an error's text where one is unreadable.
type Files = BTreeMap<PathBuf, Result<Vec<u8>, String>>;

const TAKES_LONG: &str = "takes too long to read; see whether its disk answers";

/// What the file asks for.
pub(super) struct Rules {
    /// Without it the listener speaks plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether a client shows a certificate of a known authority, or is not served.
    pub certificates_verified: bool,
    /// Set on every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    passwords: Option<Passwords>,
    bucket: Option<Bucket>,
}

/// Why a request is refused before its path is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// More requests than `rate_limit` allows.
    TooMany,
    /// No password, or a wrong one.
    Unauthorized,
    /// Too many passwords wait to be verified.
    Busy,
}

impl Rules {
    /// Whether this asks a client for something that only some have.
    pub fn asks_who_it_is(&self) -> bool {
        self.passwords.is_some() || self.certificates_verified
    }

    /// Lets a request in, or says why not.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(bucket) = &self.bucket
            && !bucket.take(Instant::now())
        {
            return Err(Refusal::TooMany);
        }
        let Some(passwords) = &self.passwords else {
            return Ok(());
        };
        match passwords.verify(headers.get(AUTHORIZATION)).await {
            Verdict::Known => Ok(()),
            Verdict::Unknown => Err(Refusal::Unauthorized),
            Verdict::Busy => Err(Refusal::Busy),
        }
    }

    /// What would be lost by going over to `next`.
    fn lost_in(&self, next: &Self) -> Option<&'static str> {
        if self.tls.is_some() && next.tls.is_none() {
            Some("tls_server_config")
        } else if self.passwords.is_some() && next.passwords.is_none() {
            Some("basic_auth_users")
        } else if self.certificates_verified && !next.certificates_verified {
            Some("the clients' certificates")
        } else {
            None
        }
    }
}

/// Whether a file with these bytes is good, where each file that it names holds `named`.
pub(super) fn judged(path: &Path, bytes: &[u8], named: &[u8]) -> Result<(), WebConfigError> {
    let mut read = |asked: &Path| Ok(if asked == path { bytes } else { named }.to_vec());
    file::judge(path, &mut read).map(drop)
}

impl fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl WebConfig {
    /// Reads the file and what it names.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read, or asks for what cannot be done. The text is one line.
    pub fn open(path: &Path) -> Result<Self, WebConfigError> {
        let memory = Arc::default();
        let (files, rules) = read(path, &memory);
        Ok(Self {
            path: path.to_owned(),
            current: RwLock::new(Arc::new(rules?)),
            tls_changed: watch::Sender::new(()),
            memory,
            seen: Mutex::new(Seen {
                at: Instant::now(),
                files,
                readings: 0,
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

    /// Whether a client must show who it is, by a password or by a certificate.
    #[must_use]
    pub fn asks_who_it_is(&self) -> bool {
        self.rules().asks_who_it_is()
    }

    /// Reads the files again and goes by them from now on.
    ///
    /// # Errors
    ///
    /// When they are not good, or take long to read; then nothing changes. The text is one line.
    pub async fn reload(self: &Arc<Self>) -> Result<(), WebConfigError> {
        self.read_in_time(true).await
    }

    /// Becomes ready where a connection may not be let in any more that was when it was opened.
    pub(super) fn tls_changes(&self) -> watch::Receiver<()> {
        self.tls_changed.subscribe()
    }

    /// The rules as of a second ago at most, and how they were before while somebody else looks.
    pub(super) async fn current(self: &Arc<Self>) -> Arc<Rules> {
        let is_due = {
            let mut seen = self.lock();
            let age = seen.at.elapsed();
            let is_due = if seen.readings == 0 {
                age >= LOOK_AGAIN
            } else {
                age >= TRY_AGAIN
            };
            if is_due {
                // Whoever comes while the files are read need not look as well.
                seen.at = Instant::now();
            }
            is_due
        };
        if is_due && let Err(error) = self.read_in_time(false).await {
            tracing::error!(
                %error,
                "the web configuration cannot be read or is not good; it stays as it was"
            );
        }
        self.rules()
    }

    /// Reads the files on a thread where that may hang, and waits for it as long as is sensible. What
    /// is read later counts all the same, unless a later reading has ended before.
    async fn read_in_time(self: &Arc<Self>, asked: bool) -> Result<(), WebConfigError> {
        let takes_long = || WebConfigError::invalid(&self.path, TAKES_LONG);
        let nth = self.begin().ok_or_else(takes_long)?;
        let this = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            let (files, rules) = read(&this.path, &this.memory);
            this.end(nth, files, rules, asked)
        });
        match timeout(READ_WITHIN, reading).await {
            Ok(read) => read.unwrap_or_else(|_| {
                // A panic there has been logged by its hook; what is current stays.
                self.lock().readings -= 1;
                Ok(())
            }),
            Err(_) => Err(takes_long()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new reading; `None` where too many hang.
    fn begin(&self) -> Option<u64> {
        let mut seen = self.lock();
        if seen.readings == MOST_READINGS {
            return None;
        }
        seen.readings += 1;
        seen.begun += 1;
        Some(seen.begun)
    }

    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what a reading read. What was read before, good or not, is judged again only when
    /// `asked`.
    fn end(
        &self,
        nth: u64,
        files: Files,
        rules: Result<Rules, WebConfigError>,
        asked: bool,
    ) -> Result<(), WebConfigError> {
        let mut seen = self.lock();
        seen.readings -= 1;
        if nth < seen.ended {
            return Ok(());
        }
        seen.ended = nth;
        seen.at = Instant::now();
        let same = files == seen.files;
        seen.files = files;
        if same && !asked {
            return Ok(());
        }
        let rules = rules?;
        let current = self.rules();
        if let Some(lost) = current.lost_in(&rules) {
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

/// Reads the file and judges it, and tells all that was read for it.
fn read(path: &Path, memory: &Arc<Memory>) -> (Files, Result<Rules, WebConfigError>) {
    let mut files = Files::new();
    let mut read = |path: &Path| {
        let content = files::read(path);
        let kept = content
            .as_ref()
            .map(Clone::clone)
            .map_err(ToString::to_string);
        files.insert(path.to_owned(), kept);
        content.map_err(|error| WebConfigError::unread(path, error))
    };
    let rules = file::judge(path, &mut read).map(
        |Judged {
             tls,
             certificates_verified,
             headers,
             users,
             bucket,
         }| Rules {
            tls,
            certificates_verified,
            headers,
            passwords: (!users.is_empty()).then(|| Passwords::new(users, Arc::clone(memory))),
            bucket,
        },
    );
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
    async fn readings_that_hang_cost_nothing_that_comes_after_them() {
        let (_folder, config) = opened("rate_limit: {interval: 1h, burst: 3}\n");
        for _ in 1..MOST_READINGS {
            config.begin().unwrap();
        }
        assert!(config.current().await.bucket.is_some());
        std::fs::write(&config.path, "").unwrap();
        config.reload().await.unwrap();
        assert!(config.current().await.bucket.is_none(), "it was read again");
        config.begin().unwrap();
        let error = config.reload().await.unwrap_err().to_string();
        assert!(error.contains("takes too long to read"), "{error}");
        assert!(config.current().await.bucket.is_none());
    }

    #[tokio::test]
    async fn what_was_read_late_does_not_undo_what_was_read_since() {
        let (_folder, config) = opened("");
        let late = config.begin().unwrap();
        let (files, rules) = read(&config.path, &config.memory);
        std::fs::write(&config.path, "rate_limit: {interval: 1h, burst: 3}\n").unwrap();
        config.reload().await.unwrap();
        config.end(late, files, rules, true).unwrap();
        assert!(config.rules().bucket.is_some());
        assert_eq!(config.lock().readings, 0);
    }
}
