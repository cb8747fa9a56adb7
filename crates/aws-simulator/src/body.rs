//! The body of an answer on its way out: whole, torn in the middle, or a byte a second.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::world::{Delivery, InFlight};

/// The body of an answer.
pub(crate) struct Answer {
    /// What is left to send.
    left: Bytes,
    /// The bytes that are promised.
    length: u64,
    delivery: Delivery,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Dropped with the last frame, so that a client that has read the whole answer never finds it
    /// still in flight.
    in_flight: Option<InFlight>,
}

impl Answer {
    pub(crate) fn new(mut body: Bytes, delivery: Delivery, in_flight: Option<InFlight>) -> Self {
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if delivery == Delivery::Torn {
            body.truncate(body.len() / 2);
        }
        Self {
            left: body,
            length,
            delivery,
            waiting: None,
            in_flight,
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
        let torn = self.delivery == Delivery::Torn;
        if self.left.is_empty() {
            let error = torn.then(|| Err(io::Error::other("torn by a fault")));
            return Poll::Ready(error);
        }
        let (size, pause) = match self.delivery {
            Delivery::OneByteASecond => (1, Some(Duration::from_secs(1))),
            // Long enough for the first half to leave before the connection breaks.
            Delivery::Torn => (self.left.len(), Some(Duration::from_millis(20))),
            _ => (self.left.len(), None),
        };
        let frame = self.left.split_to(size);
        self.waiting = pause.map(|pause| Box::pin(sleep(pause)));
        if self.left.is_empty() && !torn {
            self.in_flight = None;
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.delivery != Delivery::Torn
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
