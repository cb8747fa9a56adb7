//! What a program implements to be served: its metrics, its health, and pages of its own.

use std::fmt;
use std::io;

use bytes::Bytes;
use hyper::{Response, Uri};

use crate::format::MetricsWriter;

/// An exporter: where the server's answers come from.
///
/// Only [`write_metrics`](Self::write_metrics) is required.
pub trait Exporter: Send + Sync + 'static {
    /// Writes all metrics as OpenMetrics 1.0.0, `# EOF` included.
    ///
    /// It may block: it runs on a thread of its own, never twice at the same time. The server turns
    /// the text into the format and encoding that the client accepts. Write neither exemplars nor
    /// timestamps: the older text format has no exemplars, and other timestamps. Samples that seldom
    /// change can be packed once and written with [`MetricsWriter::write_packed`].
    ///
    /// # Errors
    ///
    /// Those of `out`. The client gets status 500 and no half of an answer.
    fn write_metrics(&self, out: &mut MetricsWriter) -> fmt::Result;

    /// A number that differs once written metrics must not be served again.
    ///
    /// Metrics are cached for up to a second while this stays the same. Let it change with what a
    /// scrape may not miss, such as an alert's metric.
    fn version(&self) -> u64 {
        0
    }

    /// The answer of `/-/healthy`.
    ///
    /// # Errors
    ///
    /// Why the process must be restarted, in one line; it is sent with status 503.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// The answer of `/-/ready`.
    ///
    /// # Errors
    ///
    /// What is not complete yet, in one line; it is sent with status 503.
    fn readiness(&self) -> Result<(), String> {
        Ok(())
    }

    /// The page at a path, where the exporter has one; called for paths that the server itself does not
    /// answer.
    fn page(&self, path: &str, query: &str) -> Option<Page> {
        let _ = (path, query);
        None
    }

    /// The answer to a path at which there is nothing, with status 404; a line of text by default. It is
    /// counted as `other`.
    fn not_found(&self, path: &str) -> Option<Page> {
        let _ = path;
        None
    }

    /// The URL under which people reach the exporter, behind a proxy for example.
    ///
    /// A listener on loopback answers for its host too, and its pages may request a reload.
    fn external_url(&self) -> Option<Uri> {
        None
    }

    /// Counts an answer by its handler and its status code.
    ///
    /// The handlers are `metrics`, `healthy`, `ready`, `reload`, those of the pages, and `other` for
    /// unknown paths and for requests that were refused before they had a path.
    fn request_answered(&self, handler: &'static str, status: u16) {
        let _ = (handler, status);
    }

    /// Counts a connection that was closed to make room for another.
    fn connection_evicted(&self) {}
}

/// A page of the exporter's own, which is rendered only once the request is admitted.
pub struct Page {
    pub(crate) handler: &'static str,
    pub(crate) render: Box<dyn FnOnce() -> io::Result<Response<Bytes>> + Send>,
}

impl Page {
    /// A page that is counted under `handler` and made by `render`, which may block.
    ///
    /// Requests that wait for the same path and query get the same response. The server compresses
    /// it and adds `Vary`, `Cache-Control: no-store` and `X-Content-Type-Options: nosniff`.
    pub fn new(
        handler: &'static str,
        render: impl FnOnce() -> io::Result<Response<Bytes>> + Send + 'static,
    ) -> Self {
        Self {
            handler,
            render: Box::new(render),
        }
    }
}
