//! One connection: TLS where it is configured, HTTP/1 on it, and a deadline for each phase.
//!
//! The stream and the service report to `progress`; the task that drives both keeps the deadline.
//! HTTP/2 is deliberately absent: a scrape is one request, which HTTP/2 makes neither smaller nor
//! faster, and its many requests on one connection would need limits of their own.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;

use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::listener::Endpoint;
use crate::progress::Progress;
use crate::site::{Outdated, Peer, Site};

/// How long the rest of a request is thrown away after its refusal. Closing at once would make
/// the system send a reset, which may overtake the answer.
const LINGER: Duration = Duration::from_secs(1);

/// Answers the requests on a connection until it ends, a limit ends it, or it is asked to end.
pub(crate) async fn serve(
    stream: TcpStream,
    endpoint: Endpoint,
    site: Arc<Site>,
    progress: Arc<Progress>,
) {
    // Without it the last piece of an answer can wait for the client's acknowledgement. It fails
    // only where the connection is gone, and then reading fails too.
    let _ = stream.set_nodelay(true);
    let tls = match site.web_config(endpoint.audience) {
        Some(config) => config.current().await.tls.clone(),
        None => None,
    };
    progress.begins();
    let peer = Peer { endpoint, tls };
    let Some(tls) = &peer.tls else {
        serve_http(stream, peer, site, progress).await;
        return;
    };
    // The time for a TLS handshake is part of the time for the first request's head.
    let deadline = progress.deadline(site.limits());
    let accepting = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
    match timeout_at(deadline, accepting).await {
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
        let answer = site.answer(&peer, request);
        let progress = Arc::clone(&progress);
        async move {
            let response = answer.await?;
            let status = response.status();
            progress.admitted(!status.is_client_error() && !status.is_server_error());
            let body = |body| Answer {
                body: Full::new(body),
                progress,
            };
            Ok::<_, Outdated>(response.map(body))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // The deadlines here cover the head's; hyper's would end idle connections with it.
        .header_read_timeout(None)
        // A client that closes its half still waits for the answer. Without this hyper takes the
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
        // The alarm alone is not enough: tokio does not poll it where reading used up the task's
        // budget, which a client that floods the connection can bring about for ever.
        if Instant::now() >= deadline {
            return Poll::Ready(None);
        }
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx).map(|()| None)
    });
    match end.await {
        // Requests that hyper itself refuses are counted too.
        Some(Err(error)) if error.is_parse_too_large() => {
            site.count_refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        Some(Err(error)) if error.is_parse() && !error.is_parse_version_h2() => {
            site.count_refused(StatusCode::BAD_REQUEST);
        }
        Some(Ok(()) | Err(_)) => {}
        None => tracing::debug!("a connection was cut off: it took too long"),
    }
}

/// A stream that reports to the progress of its connection.
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

/// An answer's body that reports when hyper has all of it, or has dropped it.
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
