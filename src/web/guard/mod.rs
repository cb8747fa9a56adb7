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
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
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

/// The web configuration file, as it is now.
pub struct WebConfig {
    path: PathBuf,
    current: RwLock<Arc<Rules>>,
    tls_changed: watch::Sender<()>,
    /// Outlives a change of the file.
    memory: Arc<Memory>,
    /// What was read last, good or not, and when. Held while the files are read, on a thread of
    /// its own; who finds it held goes by what is current.
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    at: Instant,
    files: Files,
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
            seen: Arc::new(Mutex::new(Seen {
                at: Instant::now(),
                files,
            })),
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
        let read = async {
            loop {
                if let Some(read) = self.read_in_the_background(true).await {
                    return read;
                }
                // Somebody else reads them.
                sleep(Duration::from_millis(20)).await;
            }
        };
        let read = timeout(READ_WITHIN, read).await;
        read.unwrap_or_else(|_| Err(WebConfigError::invalid(&self.path, TAKES_LONG)))
    }

    /// Becomes ready where a connection may not be let in any more that was when it was opened.
    pub(super) fn tls_changes(&self) -> watch::Receiver<()> {
        self.tls_changed.subscribe()
    }

    /// The rules as of a second ago at most, and how they were before while another looks.
    pub(super) async fn current(self: &Arc<Self>) -> Arc<Rules> {
        let due = match self.seen.try_lock() {
            Ok(mut seen) if seen.at.elapsed() >= LOOK_AGAIN => {
                // Whoever comes while the files are read need not look as well.
                seen.at = Instant::now();
                true
            }
            _ => false,
        };
        if due {
            let read = timeout(READ_WITHIN, self.read_in_the_background(false)).await;
            let problem = match read {
                Ok(Some(Err(error))) => Some(error),
                Ok(_) => None,
                Err(_) => Some(WebConfigError::invalid(&self.path, TAKES_LONG)),
            };
            if let Some(error) = problem {
                tracing::error!(
                    %error,
                    "the web configuration cannot be read or is not good; it stays as it was"
                );
            }
        }
        self.rules()
    }

    /// Reads the files on a thread where that may hang; `None` where one does already.
    async fn read_in_the_background(
        self: &Arc<Self>,
        asked: bool,
    ) -> Option<Result<(), WebConfigError>> {
        let this = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let mut seen = match this.seen.try_lock() {
                Ok(seen) => seen,
                Err(TryLockError::Poisoned(seen)) => seen.into_inner(),
                Err(TryLockError::WouldBlock) => return None,
            };
            Some(this.read_again(&mut seen, asked))
        });
        // A panic there has been logged by its hook; what is current stays.
        read.await.unwrap_or(Some(Ok(())))
    }

    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files. What was read before, good or not, is judged again only when `asked`.
    fn read_again(&self, seen: &mut Seen, asked: bool) -> Result<(), WebConfigError> {
        let (files, rules) = read(&self.path, &self.memory);
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

    #[tokio::test]
    async fn files_that_cannot_be_read_to_the_end_cost_a_deadline_and_stay_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        std::fs::write(&path, "rate_limit: {interval: 1h, burst: 3}\n").unwrap();
        let config = Arc::new(WebConfig::open(&path).unwrap());
        // Another thread reads them, from a disk that hangs.
        let (read, is_read) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let seen = Arc::clone(&config.seen);
        let reading = std::thread::spawn(move || {
            let _reading = seen.lock().unwrap();
            begun.send(()).unwrap();
            let _ = is_read.recv();
        });
        has_begun.recv().unwrap();
        assert!(config.current().await.bucket.is_some(), "at once");
        let error = config.reload().await.unwrap_err().to_string();
        assert!(error.contains("takes too long to read"), "{error}");
        drop(read);
        reading.join().unwrap();
        config.reload().await.unwrap();
    }
}
