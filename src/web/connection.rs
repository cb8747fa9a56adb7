//! One connection: TLS where it is asked for, HTTP/1 or HTTP/2 on it, and an end for those that
//! dribble.
//!
//! What a connection may wait for is one deadline at a time, which follows from its phase: for a
//! request, for the rest of a request's head, or for the client to take the answer. The stream
//! and the service tell the phase, the task that drives both keeps the deadline.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::Limits;
use super::listener::Audience;
use super::routes::{self, Site};
use super::streams::{MAX_STREAMS, Pieces, Streams};

/// How long the rest of a request is thrown away after its refusal. Closing at once would make
/// the system send a reset, which may overtake the answer.
const LINGER: Duration = Duration::from_secs(1);

/// How an HTTP/2 connection begins, as far as it takes to tell it from HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Answers the requests on a connection until it ends, a limit ends it, or the sender of
/// `stopped` is gone and nothing is under way on it.
pub(super) async fn serve(
    stream: TcpStream,
    audience: Audience,
    site: Arc<Site>,
    graceful: Watcher,
    mut stopped: watch::Receiver<()>,
) {
    // Without it the last piece of an answer can wait for the client's acknowledgement. Where it
    // fails the connection is gone, as reading will tell.
    let _ = stream.set_nodelay(true);
    // The time for a TLS handshake is part of the time for the first request's head.
    let start = Instant::now();
    let patience = start + site.limits().head_timeout;
    let rules = match site.guard(audience) {
        Some(guard) => Some(guard.current().await),
        None => None,
    };
    if let Some(tls) = rules.as_ref().and_then(|rules| rules.tls.as_ref()) {
        let accepting = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
        // Before there is HTTP on it nothing is under way that the stop should wait for.
        let accepted = tokio::select! {
            accepted = timeout_at(patience, accepting) => accepted,
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                serve_http2(stream, start, audience, site, graceful).await;
            }
            Ok(Ok(stream)) => serve_http1(stream, start, audience, site, graceful).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a connection was cut off: its TLS handshake took too long"),
        }
        return;
    }
    let mut first = [0; PREFACE.len()];
    let peeked = tokio::select! {
        peeked = timeout_at(patience, stream.peek(&mut first)) => peeked,
        _ = stopped.changed() => return,
    };
    let first = match peeked {
        Ok(Ok(read)) => &first[..read],
        // Gone, or silent.
        Ok(Err(_)) | Err(_) => return,
    };
    // A client that knows beforehand that this is HTTP/2 sends its preface in one piece.
    if first == PREFACE && rules.is_none_or(|rules| rules.http2) {
        serve_http2(stream, start, audience, site, graceful).await;
    } else {
        serve_http1(stream, start, audience, site, graceful).await;
    }
}

async fn serve_http1<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    start: Instant,
    audience: Audience,
    site: Arc<Site>,
    graceful: Watcher,
) {
    let limits = site.limits();
    let progress = Arc::new(Progress::since(start));
    let stream = Observed {
        stream,
        progress: Arc::clone(&progress),
        closed: false,
        linger: None,
    };
    let service = service_fn(|request: Request<Incoming>| {
        progress.request(!request.body().is_end_stream());
        let answer = routes::answer(&site, audience, request);
        let progress = Arc::clone(&progress);
        async move {
            let response = answer.await;
            Ok::<_, Infallible>(response.map(|body| Answer { body, progress }))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // The deadlines here cover the head's; hyper's would end idle connections with it.
        .header_read_timeout(None)
        // Who says that no request will follow still waits for the answer. Without it hyper takes the
        // end of the requests for the end of the client.
        .half_close(true)
        .max_header_size(limits.head_bytes)
        .serve_connection(TokioIo::new(stream), service);
    match until_late(graceful.watch(served), || progress.deadline(limits)).await {
        // What hyper refuses by itself never comes to the routes, and counts all the same.
        Some(Err(error)) if error.is_parse_too_large() => site.count_refused(431),
        Some(Err(error)) if error.is_parse() && !error.is_parse_version_h2() => {
            site.count_refused(400);
        }
        Some(Ok(()) | Err(_)) => {}
        None => tracing::debug!("a connection was cut off: it took too long"),
    }
}

async fn serve_http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    start: Instant,
    audience: Audience,
    site: Arc<Site>,
    graceful: Watcher,
) {
    let limits = site.limits().clone();
    let streams = Arc::new(Streams::since(start));
    let service = service_fn(|request: Request<Incoming>| {
        let open = streams.open();
        let site = Arc::clone(&site);
        async move {
            let head = request.method() == Method::HEAD;
            let mut response = routes::answer(&site, audience, request).await;
            let length = HeaderValue::from(response.body().size_hint().lower());
            response.headers_mut().insert(CONTENT_LENGTH, length);
            let body = if head {
                Bytes::new()
            } else {
                let collected = response.body_mut().collect().await;
                collected.unwrap_or_default().to_bytes()
            };
            Ok::<_, Infallible>(response.map(|_| Pieces::new(body, open)))
        }
    });
    let served = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .serve_connection(TokioIo::new(stream), service);
    let end = until_late(graceful.watch(served), || streams.deadline(&limits)).await;
    if end.is_none() {
        tracing::debug!("a connection was cut off: it took too long");
    }
}

/// Drives a connection to its end; `None` when its deadline, which may move, comes first.
async fn until_late<T>(
    served: impl Future<Output = T>,
    deadline: impl Fn() -> Instant,
) -> Option<T> {
    let mut served = pin!(served);
    let mut alarm = pin!(sleep_until(deadline()));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(end) = served.as_mut().poll(cx) {
            return Poll::Ready(Some(end));
        }
        let deadline = deadline();
        // Not left to the alarm: it is not asked where reading took all that tokio lets a task
        // have in one go, which a client who floods the connection sees to for ever.
        if Instant::now() >= deadline {
            return Poll::Ready(None);
        }
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// For its first request, or for the rest of a request's head.
    Head,
    /// For another request.
    Idle,
    /// For the answer to be made.
    Answering {
        /// Whether the request has a body, which nobody reads.
        body: bool,
    },
    /// For the client to take the answer's last bytes.
    Flushing {
        /// As above.
        body: bool,
    },
}

/// How far a connection is, and since when. A lock of the standard library: it is held for an
/// assignment only.
#[derive(Debug)]
struct Progress(Mutex<(Phase, Instant)>);

impl Progress {
    fn since(start: Instant) -> Self {
        Self(Mutex::new((Phase::Head, start)))
    }

    fn lock(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request's head is complete.
    fn request(&self, body: bool) {
        *self.lock() = (Phase::Answering { body }, Instant::now());
    }

    /// The client sent something.
    fn read(&self) {
        let mut state = self.lock();
        if state.0 == Phase::Idle {
            *state = (Phase::Head, Instant::now());
        }
    }

    /// The answer's last bytes were handed to hyper. The deadline stays.
    fn answered(&self) {
        let mut state = self.lock();
        if let Phase::Answering { body } = state.0 {
            state.0 = Phase::Flushing { body };
        }
    }

    /// All that hyper had was handed to the system.
    fn flushed(&self) {
        let mut state = self.lock();
        if state.0 == (Phase::Flushing { body: false }) {
            *state = (Phase::Idle, Instant::now());
        }
    }

    /// Whether the client may still be sending a request that nobody reads.
    fn request_unread(&self) -> bool {
        match self.lock().0 {
            Phase::Head => true,
            Phase::Idle => false,
            Phase::Answering { body } | Phase::Flushing { body } => body,
        }
    }

    /// When the patience with the connection ends.
    fn deadline(&self, limits: &Limits) -> Instant {
        let (phase, since) = *self.lock();
        since
            + match phase {
                Phase::Head => limits.head_timeout,
                Phase::Idle => limits.idle_timeout,
                Phase::Answering { .. } | Phase::Flushing { .. } => limits.answer_timeout,
            }
    }
}

/// A stream that tells the progress of the connection on it.
#[derive(Debug)]
struct Observed<S> {
    stream: S,
    progress: Arc<Progress>,
    closed: bool,
    linger: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.progress.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // hyper flushes the stream only when its own buffer is empty.
        self.progress.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.closed {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.closed = true;
        }
        if !this.progress.request_unread() {
            return Poll::Ready(Ok(()));
        }
        let linger = this.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        let mut scrap = [0; 4096];
        loop {
            if linger.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut scrap = ReadBuf::new(&mut scrap);
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut scrap));
            if read.is_err() || scrap.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// An answer's body that tells when it was handed over whole, or is not wanted any more.
#[derive(Debug)]
struct Answer {
    body: Full<Bytes>,
    progress: Arc<Progress>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.progress.answered();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the phase may last.
    fn patience(progress: &Progress) -> Duration {
        let since = progress.lock().1;
        progress.deadline(&Limits::default()) - since
    }

    #[test]
    fn each_phase_has_its_own_patience() {
        let limits = Limits::default();
        let progress = Progress::since(Instant::now());
        assert_eq!(patience(&progress), limits.head_timeout);
        progress.request(false);
        assert_eq!(patience(&progress), limits.answer_timeout);
        progress.answered();
        progress.flushed();
        assert_eq!(patience(&progress), limits.idle_timeout);
        progress.read();
        assert_eq!(patience(&progress), limits.head_timeout);
    }

    #[test]
    fn a_dribble_buys_no_time() {
        let limits = Limits::default();
        let progress = Progress::since(Instant::now());
        let before = progress.deadline(&limits);
        progress.read();
        assert_eq!(progress.deadline(&limits), before);
    }

    #[test]
    fn an_answer_that_is_made_and_not_taken_buys_no_time() {
        let limits = Limits::default();
        let progress = Progress::since(Instant::now());
        progress.request(false);
        let before = progress.deadline(&limits);
        progress.answered();
        assert_eq!(progress.deadline(&limits), before);
    }

    #[test]
    fn flushing_before_the_answer_is_made_ends_nothing() {
        let progress = Progress::since(Instant::now());
        progress.request(false);
        progress.flushed();
        assert_eq!(progress.lock().0, Phase::Answering { body: false });
    }
}
