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
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::time::Instant;
use tokio_rustls::rustls::ServerConfig;

use self::bucket::Bucket;
use self::file::Judged;
use self::passwords::{Passwords, Verdict};

pub use self::error::WebConfigError;
use crate::files;

/// How long what was read is taken for current before the files are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The web configuration file, as it is now.
pub struct WebConfig {
    path: PathBuf,
    current: RwLock<Arc<Rules>>,
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

/// What the file asks for.
pub(super) struct Rules {
    /// Without it the listener speaks plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether a client shows a certificate of a known authority, or is not served.
    pub certificates_verified: bool,
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
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
        let (files, rules) = read(path);
        Ok(Self {
            path: path.to_owned(),
            current: RwLock::new(Arc::new(rules?)),
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

    /// Reads the files again and goes by them from now on. May block for reading them.
    ///
    /// # Errors
    ///
    /// When they are not good; then nothing changes. The text is one line.
    pub fn reload(&self) -> Result<(), WebConfigError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.read_again(&mut seen, true)
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
            let this = Arc::clone(self);
            let looked = tokio::task::spawn_blocking(move || {
                let mut seen = this.seen.lock().unwrap_or_else(PoisonError::into_inner);
                if let Err(error) = this.read_again(&mut seen, false) {
                    tracing::error!(
                        %error,
                        "the web configuration has changed and is not good; it stays as it was"
                    );
                }
            });
            // A panic there has been logged by its hook; what is current stays.
            let _ = looked.await;
        }
        self.rules()
    }

    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files. What was read before, good or not, is judged again only when `asked`.
    fn read_again(&self, seen: &mut Seen, asked: bool) -> Result<(), WebConfigError> {
        let (files, rules) = read(&self.path);
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
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        }
        Ok(())
    }
}

/// Reads the file and judges it, and tells all that was read for it.
fn read(path: &Path) -> (Files, Result<Rules, WebConfigError>) {
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
             http2,
             headers,
             users,
             bucket,
         }| Rules {
            tls,
            certificates_verified,
            http2,
            headers,
            passwords: (!users.is_empty()).then(|| Passwords::new(users)),
            bucket,
        },
    );
    (files, rules)
}
