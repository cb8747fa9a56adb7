//! The body of an answer on its way out: whole, torn in the middle, or a byte a second.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use crate::world::{Delivery, InFlight};

/// The body of an answer. `in_flight` is dropped with the last frame, so that a client that has read the
/// whole answer never finds it still in flight.
pub(crate) fn body(
    bytes: Bytes,
    delivery: Delivery,
    in_flight: Option<InFlight>,
) -> UnsyncBoxBody<Bytes, io::Error> {
    let (size, pause) = match delivery {
        Delivery::OneByteASecond => (1, Duration::from_secs(1)),
        // Long enough for the first half to leave before the connection breaks.
        Delivery::Torn => (bytes.len() / 2, Duration::from_millis(20)),
        Delivery::Whole | Delivery::Refuse | Delivery::Never => (bytes.len(), Duration::ZERO),
    };
    let frames = move |(mut left, mut in_flight, wait): (Bytes, _, Option<Duration>)| async move {
        if let Some(wait) = wait {
            tokio::time::sleep(wait).await;
            if delivery == Delivery::Torn {
                let error = io::Error::other("torn by a fault");
                return Some((Err(error), (Bytes::new(), in_flight, None)));
            }
        }
        if left.is_empty() {
            return None;
        }
        let frame = left.split_to(size);
        if left.is_empty() {
            in_flight = None;
        }
        let wait = (!pause.is_zero()).then_some(pause);
        Some((Ok(Frame::data(frame)), (left, in_flight, wait)))
    };
    StreamBody::new(stream::unfold((bytes, in_flight, None), frames)).boxed_unsync()
}
