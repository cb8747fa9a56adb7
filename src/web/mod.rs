//! The exporter's face: listeners, limits, routes, pages.
//!
//! Only this room knows HTTP. It reads the store and never asks AWS, never waits for a refresh and
//! never holds a lock of the store while a client reads.
//!
//! * [`listen`] takes an address, [`inherited`] those that systemd holds; [`serve`] answers on them
//!   until it is told to stop.
//! * `listener` accepts connections, as many as the limits allow, and drains them at the end.
//! * `connection` speaks TLS and HTTP/1 on one connection and cuts those that dribble.
//! * `guard` is TLS, passwords and what else the web configuration file asks for.
//! * `reload` coalesces the requests for a reload.
//! * `routes` finds the answer to a request, `origin` says whether another site's page sent it.
//! * `negotiate` reads `Accept` and `Accept-Encoding`.
//! * `rendered` makes the bytes of the metrics, once for all who ask at the same time.
//! * `paths` finds what shows accounts: `pages` for people, `api` as JSON.
//! * `document` is such an answer, `shelf` makes them, one at a time.
//! * [`probe`] is the other side: it asks a running daemon whether it is healthy.
//!
//! More pages belong in `pages`.

mod api;
mod connection;
mod document;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod inherited;
mod listener;
mod negotiate;
mod origin;
mod pages;
mod paths;
mod probe;
mod reload;
mod rendered;
mod routes;
mod shelf;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::metrics;

pub use guard::{WebConfig, WebConfigError};
pub use inherited::{Inherited, InheritedError, inherited};
pub use listener::{BindError, Listener, bind, listen};
pub use probe::{Health, ProbeError, ProbeUrl, probe};
pub use reload::{ReloadRequests, Reloaded, Reloads};
pub use routes::Site;

use listener::Audience;

/// What of the serving is configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `web.telemetry_path`: where the metrics are. It begins with a slash. At `/` it takes the
    /// overview's place; the paths of the probes it cannot take.
    pub telemetry_path: String,
    /// `web.max_requests`: how many requests for metrics or pages are worked on at once; 0 is no
    /// limit, as in Prometheus' own exporters.
    pub max_requests: usize,
    /// What the metrics show.
    pub metrics: metrics::Options,
    /// What a client may take up.
    pub limits: Limits,
    /// Whom to ask for a reload; without it the path is not there.
    pub reloads: Option<Reloads>,
}

/// What a client may take up before it is refused or cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time from a connection's start, or from the first byte of a later request, to the end
    /// of that request's head.
    pub head_timeout: Duration,
    /// How long a connection may be kept open between two requests. Longer than the usual scrape
    /// interval of a minute, so that a scraper need not connect each time.
    pub idle_timeout: Duration,
    /// The time from the end of a request's head until the client has taken the whole answer.
    pub answer_timeout: Duration,
    /// How many bytes a request line and its headers may have together.
    pub head_bytes: usize,
    /// How many bytes of body a request may announce. None is ever used.
    pub body_bytes: u64,
    /// How many connections a listener serves at once; where there are more, the one that is most
    /// dispensable is closed.
    pub connections: usize,
    /// How long answers that are under way at the stop may take to end.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            answer_timeout: Duration::from_secs(60),
            head_bytes: 16 * 1024,
            body_bytes: 64 * 1024,
            connections: 512,
            grace: Duration::from_secs(4),
        }
    }
}

/// Answers on `listeners`, and on `health` for probes alone, until `shutdown` is ready. Then it
/// accepts nothing more, lets the answers that are under way end for at most
/// [`Limits::grace`], cuts the rest and returns.
///
/// Each listener is named in the log with its actual address. One that ends before that ends all:
/// to answer on some addresses only would hide it. Dropping the future stops at once.
pub async fn serve(
    listeners: Vec<Listener>,
    health: impl IntoIterator<Item = Listener>,
    site: Arc<Site>,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(());
    let mut tasks = JoinSet::new();
    let listeners = listeners
        .into_iter()
        .map(|listener| (listener, Audience::Everyone))
        .chain(
            health
                .into_iter()
                .map(|listener| (listener, Audience::Probes)),
        );
    for (listener, audience) in listeners {
        tracing::info!(
            address = %listener.local_addr(),
            serves = audience.as_str(),
            "listening"
        );
        if let Some(open) = site.left_open(&listener.port(audience)) {
            tracing::warn!(
                address = %listener.local_addr(),
                "{open}: which accounts have a root key is nothing for strangers; name a file with \
                 both in web.config_file, or let nobody but Prometheus reach this address"
            );
        }
        tasks.spawn(listener.serve(audience, Arc::clone(&site), stopped.clone()));
    }
    tokio::select! {
        () = shutdown => {}
        Some(_) = tasks.join_next() => return,
    }
    drop(stop);
    while tasks.join_next().await.is_some() {}
}
