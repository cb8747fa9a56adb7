//! What the program decides about its server, and what a client may take up.

use std::sync::Arc;
use std::time::Duration;

use crate::reload::Reloads;
use crate::web_config::WebConfig;

/// The settings of a [`Server`](crate::Server).
#[derive(Clone, Debug)]
pub struct Settings {
    /// The path of the metrics. It begins with a slash, and takes the place of a page of the
    /// exporter's own; the paths under `/-/` it cannot take.
    pub telemetry_path: String,
    /// How many requests for metrics or pages are answered at once; 0 is no limit, as in Prometheus'
    /// own exporters.
    pub max_requests: usize,
    /// What a client may take up.
    pub limits: Limits,
    /// TLS, passwords and headers; without it the server speaks plain HTTP to any client.
    pub web_config: Option<Arc<WebConfig>>,
    /// Where a `POST /-/reload` goes; without it the path is not found.
    pub reloads: Option<Reloads>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            telemetry_path: "/metrics".to_owned(),
            max_requests: 40,
            limits: Limits::default(),
            web_config: None,
            reloads: None,
        }
    }
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
    /// How many connections a listener serves at once; above that, the most dispensable is closed.
    pub connections: usize,
    /// How long unfinished answers may take once the server stops.
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
