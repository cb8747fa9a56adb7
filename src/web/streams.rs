//! The requests of one HTTP/2 connection, which come side by side, and how long each may take.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::Limits;

/// How many requests a connection may have under way. A scraper has one, a browser a few.
pub(super) const MAX_STREAMS: u32 = 32;

/// How much of an answer is handed over at once. hyper asks for the next piece when the client
/// has made room for it, so that an answer that is not taken is not taken for taken.
const PIECE: usize = 16 * 1024;

/// The requests under way. A lock of the standard library: it is held for a look-up only.
#[derive(Debug)]
pub(super) struct Streams(Mutex<State>);

#[derive(Debug)]
struct State {
    /// When each began, by number: the first is the oldest.
    open: BTreeMap<u64, Instant>,
    next: u64,
    /// Since when there has been none.
    quiet_since: Instant,
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    streams: Arc<Streams>,
    number: u64,
}

impl Streams {
    /// A connection that began then.
    pub fn since(start: Instant) -> Self {
        Self(Mutex::new(State {
            open: BTreeMap::new(),
            next: 0,
            quiet_since: start,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has come.
    pub fn open(self: &Arc<Self>) -> Open {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.open.insert(number, Instant::now());
        drop(state);
        Open {
            streams: Arc::clone(self),
            number,
        }
    }

    /// When the patience with the connection ends.
    pub fn deadline(&self, limits: &Limits) -> Instant {
        let state = self.lock();
        match state.open.first_key_value() {
            Some((_, oldest)) => *oldest + limits.answer_timeout,
            None if state.next == 0 => state.quiet_since + limits.head_timeout,
            None => state.quiet_since + limits.idle_timeout,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.streams.lock();
        state.open.remove(&self.number);
        if state.open.is_empty() {
            state.quiet_since = Instant::now();
        }
    }
}

/// An answer's body, handed over in pieces.
#[derive(Debug)]
pub(super) struct Pieces {
    rest: Bytes,
    _open: Open,
}

impl Pieces {
    pub fn new(body: Bytes, open: Open) -> Self {
        Self {
            rest: body,
            _open: open,
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_request_has_the_deadline() {
        let limits = Limits::default();
        let start = Instant::now();
        let streams = Arc::new(Streams::since(start));
        assert_eq!(streams.deadline(&limits), start + limits.head_timeout);
        let before = Instant::now();
        let (first, second) = (streams.open(), streams.open());
        let both = streams.deadline(&limits);
        assert!(both >= before + limits.answer_timeout);
        drop(second);
        assert_eq!(streams.deadline(&limits), both, "the first is still there");
        drop(first);
        assert!(streams.deadline(&limits) > both, "it is idle now");
    }

    #[tokio::test]
    async fn a_body_comes_whole_and_in_pieces() {
        use http_body_util::BodyExt as _;
        let streams = Arc::new(Streams::since(Instant::now()));
        let body = Bytes::from(vec![b'x'; 3 * PIECE + 1]);
        let mut pieces = Pieces::new(body.clone(), streams.open());
        let first = pieces.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), PIECE);
        assert_eq!(pieces.size_hint().exact(), Some(2 * PIECE as u64 + 1));
        let rest = pieces.collect().await.unwrap().to_bytes();
        assert_eq!(first.len() + rest.len(), body.len());
    }
}
