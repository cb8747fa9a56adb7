//! An answer's body on its way out: whole, torn in the middle, or a byte a second.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::world::{Delivery, UnderWay};

/// The body of an answer.
pub(super) struct Answer {
    frames: VecDeque<Bytes>,
    length: u64,
    /// What the connection waits for between two frames.
    pause: Option<Duration>,
    /// Whether the connection breaks where the frames end.
    torn: bool,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Given back with the last frame, so that a client that has read the whole answer never
    /// finds it still under way.
    under_way: Option<UnderWay>,
}

impl Answer {
    pub(super) fn new(frames: Vec<Bytes>, delivery: Delivery, under_way: Option<UnderWay>) -> Self {
        let length: usize = frames.iter().map(Bytes::len).sum();
        let frames = match delivery {
            Delivery::OneByteASecond => {
                let whole = Bytes::from(frames.concat());
                (0..whole.len()).map(|at| whole.slice(at..=at)).collect()
            }
            Delivery::Torn => {
                let whole = Bytes::from(frames.concat());
                VecDeque::from([whole.slice(..whole.len() / 2)])
            }
            Delivery::Whole | Delivery::Refuse | Delivery::Never => frames.into(),
        };
        Self {
            frames,
            length: u64::try_from(length).unwrap_or(u64::MAX),
            pause: match delivery {
                Delivery::OneByteASecond => Some(Duration::from_secs(1)),
                // Long enough for the first half to leave before the connection breaks.
                Delivery::Torn => Some(Duration::from_millis(20)),
                _ => None,
            },
            torn: delivery == Delivery::Torn,
            waiting: None,
            under_way,
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(waiting) = &mut self.waiting {
            if waiting.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.waiting = None;
        }
        let Some(frame) = self.frames.pop_front() else {
            if self.torn {
                return Poll::Ready(Some(Err(io::Error::other("torn, as the fault asks"))));
            }
            return Poll::Ready(None);
        };
        self.waiting = self.pause.map(|pause| Box::pin(sleep(pause)));
        if self.frames.is_empty() && !self.torn {
            self.under_way = None;
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && !self.torn
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
