//! One connection: TLS where it is asked for, HTTP/1 on it, and an end for those that dribble.
//!
//! What a connection may wait for is one deadline at a time, which follows from its phase: for a
//! request, for the rest of a request's head, or for the client to take the answer. The stream
//! and the service tell the phase, the task that drives both keeps the deadline.
//!
//! HTTP/2 is not spoken: a scrape is one request, which it makes neither smaller nor faster, and
//! what many requests on one connection may cost would have to be limited anew.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::Limits;
use super::listener::Port;
use super::routes::{self, Peer, Site};

/// How long the rest of a request is thrown away after its refusal. Closing at once would make
/// the system send a reset, which may overtake the answer.
const LINGER: Duration = Duration::from_secs(1);

/// How soon a request follows its connection. Without it connections that are accepted at the same
/// time would push each other out where all others are kept.
const FRESH: Duration = Duration::from_millis(100);

/// How long a client may take nothing of its answer before its place is given to another.
const STUCK: Duration = Duration::from_secs(1);

/// Answers the requests on a connection until it ends, a limit ends it, or it is asked to end.
pub(super) async fn serve(stream: TcpStream, port: Port, site: Arc<Site>, progress: Arc<Progress>) {
    // Without it the last piece of an answer can wait for the client's acknowledgement. Where it
    // fails the connection is gone, as reading will tell.
    let _ = stream.set_nodelay(true);
    let rules = match site.guard(port.audience) {
        Some(guard) => Some(guard.current().await),
        None => None,
    };
    progress.begins();
    let tls = rules.and_then(|rules| rules.tls.clone());
    let peer = Peer { port, tls };
    let Some(tls) = &peer.tls else {
        serve_http(stream, peer, site, progress).await;
        return;
    };
    // The time for a TLS handshake is part of the time for the first request's head.
    let patience = progress.deadline(site.limits());
    let accepting = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
    match timeout_at(patience, accepting).await {
        Ok(Ok(stream)) => serve_http(stream, peer, site, progress).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a connection was cut off: its TLS handshake took too long"),
    }
}

async fn serve_http<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    peer: Peer,
    site: Arc<Site>,
    progress: Arc<Progress>,
) {
    let limits = site.limits();
    let stream = Observed {
        stream,
        progress: Arc::clone(&progress),
        closed: false,
        linger: None,
    };
    let service = service_fn(|request: Request<Incoming>| {
        progress.request(!request.body().is_end_stream());
        let answer = routes::answer(&site, &peer, request);
        let progress = Arc::clone(&progress);
        async move {
            let response = answer.await?;
            let status = response.status();
            progress.admitted(!status.is_client_error() && !status.is_server_error());
            Ok::<_, routes::Outdated>(response.map(|body| Answer { body, progress }))
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
    let mut served = pin!(served);
    let mut asked_to_end = pin!(progress.asked_to_end.notified());
    let mut ends = false;
    let mut alarm = pin!(sleep_until(progress.deadline(limits)));
    let end = std::future::poll_fn(|cx| {
        if !ends && asked_to_end.as_mut().poll(cx).is_ready() {
            ends = true;
            served.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(end) = served.as_mut().poll(cx) {
            return Poll::Ready(Some(end));
        }
        let deadline = progress.deadline(limits);
        // Not left to the alarm: it is not asked where reading took all that tokio lets a task
        // have in one go, which a client who floods the connection sees to for ever.
        if Instant::now() >= deadline {
            return Poll::Ready(None);
        }
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx).map(|()| None)
    });
    match end.await {
        // What hyper refuses by itself never comes to the routes, and counts all the same.
        Some(Err(error)) if error.is_parse_too_large() => site.count_refused(431),
        Some(Err(error)) if error.is_parse() && !error.is_parse_version_h2() => {
            site.count_refused(400);
        }
        Some(Ok(()) | Err(_)) => {}
        None => tracing::debug!("a connection was cut off: it took too long"),
    }
}

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// For the first byte: of a TLS handshake or of a request.
    New,
    /// For the rest of a request's head.
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
pub(super) struct Progress {
    state: Mutex<State>,
    asked_to_end: Notify,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Whether its last answer was not a refusal.
    is_admitted: bool,
    /// Whether it goes by some TLS settings already.
    has_begun: bool,
    /// When the client last took a part of an answer.
    moved: Instant,
}

/// How dispensable a connection is whose client waits for nothing: the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Whether its request may be on the way: one that was accepted a moment ago.
    is_fresh: bool,
    /// Whether it has an answer and does not take it.
    is_stuck: bool,
    is_admitted: bool,
    since: Instant,
}

impl Progress {
    /// Of a connection that began just now.
    pub fn begun() -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::New,
                since: Instant::now(),
                is_admitted: false,
                has_begun: false,
                moved: Instant::now(),
            }),
            asked_to_end: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = phase;
        state.since = Instant::now();
        state.moved = state.since;
    }

    /// The TLS settings are chosen, or that there are none.
    fn begins(&self) {
        self.lock().has_begun = true;
    }

    /// Whether the connection goes by TLS settings that may be older than others.
    pub fn has_begun(&self) -> bool {
        self.lock().has_begun
    }

    /// The client took a part of an answer.
    fn wrote(&self) {
        self.lock().moved = Instant::now();
    }

    /// A request's head is complete.
    fn request(&self, body: bool) {
        self.enter(Phase::Answering { body });
    }

    /// An answer was made.
    fn admitted(&self, is_admitted: bool) {
        self.lock().is_admitted = is_admitted;
    }

    /// The client sent something.
    fn read(&self) {
        let mut state = self.lock();
        match state.phase {
            Phase::New => state.phase = Phase::Head,
            Phase::Idle => {
                state.phase = Phase::Head;
                state.since = Instant::now();
            }
            Phase::Head | Phase::Answering { .. } | Phase::Flushing { .. } => {}
        }
    }

    /// The answer's last bytes were handed to hyper. The deadline stays.
    fn answered(&self) {
        let mut state = self.lock();
        if let Phase::Answering { body } = state.phase {
            state.phase = Phase::Flushing { body };
        }
    }

    /// All that hyper had was handed to the system.
    fn flushed(&self) {
        let mut state = self.lock();
        if state.phase == (Phase::Flushing { body: false }) {
            state.phase = Phase::Idle;
            state.since = Instant::now();
        }
    }

    /// Whether the client may still be sending a request that nobody reads.
    fn request_unread(&self) -> bool {
        match self.lock().phase {
            Phase::New | Phase::Head => true,
            Phase::Idle => false,
            Phase::Answering { body } | Phase::Flushing { body } => body,
        }
    }

    /// When the patience with the connection ends.
    fn deadline(&self, limits: &Limits) -> Instant {
        let state = self.lock();
        state.since
            + match state.phase {
                Phase::New | Phase::Head => limits.head_timeout,
                Phase::Idle => limits.idle_timeout,
                Phase::Answering { .. } | Phase::Flushing { .. } => limits.answer_timeout,
            }
    }

    /// How dispensable the connection is; `None` while its client waits for an answer or takes it.
    pub fn rank(&self) -> Option<Rank> {
        let state = self.lock();
        let is_stuck = match state.phase {
            Phase::New | Phase::Head | Phase::Idle => false,
            Phase::Flushing { .. } if state.moved.elapsed() >= STUCK => true,
            Phase::Answering { .. } | Phase::Flushing { .. } => return None,
        };
        Some(Rank {
            is_fresh: state.since.elapsed() < FRESH,
            is_stuck,
            is_admitted: state.is_admitted,
            since: state.since,
        })
    }

    /// Whether no answer is under way on it.
    pub fn is_waiting(&self) -> bool {
        matches!(self.lock().phase, Phase::New | Phase::Head | Phase::Idle)
    }

    /// Lets the connection end once the request on it is answered.
    pub fn end_after_answer(&self) {
        self.asked_to_end.notify_one();
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
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.progress.wrote();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        self.progress.wrote();
        Poll::Ready(Ok(written))
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
        let since = progress.lock().since;
        progress.deadline(&Limits::default()) - since
    }

    #[test]
    fn each_phase_has_its_own_patience() {
        let limits = Limits::default();
        let progress = Progress::begun();
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
        let progress = Progress::begun();
        let before = progress.deadline(&limits);
        progress.read();
        assert_eq!(progress.deadline(&limits), before);
    }

    #[test]
    fn an_answer_that_is_made_and_not_taken_buys_no_time() {
        let limits = Limits::default();
        let progress = Progress::begun();
        progress.request(false);
        let before = progress.deadline(&limits);
        progress.answered();
        assert_eq!(progress.deadline(&limits), before);
    }

    #[test]
    fn flushing_before_the_answer_is_made_ends_nothing() {
        let progress = Progress::begun();
        progress.request(false);
        progress.flushed();
        assert_eq!(progress.lock().phase, Phase::Answering { body: false });
    }

    #[test]
    fn who_was_refused_is_dispensable_before_who_was_not_and_who_waits_longest_before_others() {
        let [refused, first, second, busy] = [(); 4].map(|()| Progress::begun());
        for (progress, is_admitted) in [(&first, true), (&second, true), (&refused, false)] {
            progress.request(false);
            assert_eq!(progress.rank(), None, "an answer is under way");
            progress.admitted(is_admitted);
            progress.answered();
            progress.flushed();
        }
        busy.request(false);
        let aged = |progress: &Progress| {
            progress.rank().map(|rank| Rank {
                is_fresh: false,
                ..rank
            })
        };
        assert!(aged(&refused) < aged(&first));
        assert!(
            aged(&second) < Progress::begun().rank(),
            "it may be about to ask"
        );
        assert!(aged(&first) < aged(&second));
        assert!(!busy.is_waiting() && second.is_waiting());
    }
}
