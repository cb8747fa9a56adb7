//! The messages of a queue: which are visible, which are in flight, and until when.
//!
//! A standard queue: messages come in no particular order, and one that is not deleted in time comes again. The
//! real clock measures every timeout, as it does every delay. Nothing expires: no simulator runs for days
//! with messages that nobody receives.
//!
//! Source: SQS Developer Guide, "Amazon SQS visibility timeout" and "Amazon SQS standard queues".

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::sync::Notify;

/// A message comes before or after at most this many others that were sent with it.
const DISORDER: usize = 32;

/// The settings of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message stays hidden, if the request does not say; 30 seconds by default.
    pub visibility: Duration,
    /// What `GetQueueAttributes` says of the retention period; four days by default. Nothing expires.
    pub retention: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            visibility: Duration::from_secs(30),
            retention: Duration::from_secs(4 * 86_400),
        }
    }
}

/// How many messages of a queue are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Those that can be received.
    pub visible: usize,
    /// Those that were received and are hidden until their visibility timeout ends.
    pub in_flight: usize,
    /// Those that have not arrived yet.
    pub delayed: usize,
    /// Those that were deleted so far.
    pub deleted: usize,
    /// Receipts so far: a message that comes twice counts twice.
    pub received: usize,
}

/// A `ReceiveMessage` that waits for messages.
#[derive(Clone, Debug)]
pub(crate) struct Receive {
    pub(crate) queue: String,
    /// The most messages it takes.
    pub(crate) most: usize,
    /// How long they are hidden.
    pub(crate) visibility: Duration,
    /// When it gives up.
    pub(crate) until: Instant,
    /// Whether it asks how often each message was received.
    pub(crate) with_receive_count: bool,
}

/// A message as a receiver gets it.
pub(crate) struct Received {
    pub(crate) id: u64,
    pub(crate) receives: u32,
    pub(crate) body: Arc<str>,
}

impl Received {
    /// Its receipt handle, another one each time.
    pub(crate) fn handle(&self) -> String {
        format!("SIMULATED-{}-{}", self.id, self.receives)
    }
}

/// A text that is no receipt handle.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidHandle;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Not there before then.
    Delayed(Instant),
    Visible,
    /// Hidden until then.
    InFlight(Instant),
}

#[derive(Debug)]
struct Message {
    body: Arc<str>,
    receives: u32,
    place: Place,
}

/// The messages of a queue.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) settings: QueueSettings,
    /// Notified when messages arrive.
    pub(crate) arrivals: Arc<Notify>,
    all: HashMap<u64, Message>,
    /// Messages that were visible when they were put here; some may be deleted.
    visible: VecDeque<u64>,
    /// When which message becomes visible, if it is still hidden until then.
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    counts: QueueCounts,
    sent: u64,
    rng: Rng,
}

impl Messages {
    pub(crate) fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            arrivals: Arc::new(Notify::new()),
            all: HashMap::new(),
            visible: VecDeque::new(),
            due: BinaryHeap::new(),
            counts: QueueCounts::default(),
            sent: 0,
            rng: Rng::with_seed(0),
        }
    }

    /// Adds a message that arrives then, or at once, and returns its number.
    pub(crate) fn send(&mut self, body: Arc<str>, arrives: Option<Instant>) -> u64 {
        self.sent += 1;
        let id = self.sent;
        let place = arrives.map_or(Place::Visible, Place::Delayed);
        let message = Message {
            body,
            receives: 0,
            place,
        };
        self.all.insert(id, message);
        *self.count(place) += 1;
        match arrives {
            None => self.visible.push_back(id),
            Some(at) => self.due.push(Reverse((at, id))),
        }
        self.arrivals.notify_waiters();
        id
    }

    /// Receives up to `most` messages and hides them for that long.
    pub(crate) fn receive(
        &mut self,
        most: usize,
        visibility: Duration,
        now: Instant,
    ) -> Vec<Received> {
        self.advance(now);
        let mut received = Vec::new();
        while received.len() < most && !self.visible.is_empty() {
            let place = self.rng.usize(..self.visible.len().min(DISORDER));
            let Some(id) = self.visible.swap_remove_front(place) else {
                break;
            };
            let Some(message) = self.all.get_mut(&id) else {
                continue;
            };
            message.receives += 1;
            let until = now + visibility;
            message.place = Place::InFlight(until);
            received.push(Received {
                id,
                receives: message.receives,
                body: message.body.clone(),
            });
            self.due.push(Reverse((until, id)));
            self.counts.visible -= 1;
            self.counts.in_flight += 1;
            self.counts.received += 1;
        }
        received
    }

    /// Deletes the message of a receipt handle. As at AWS, the handle of a message that is gone works, and
    /// one from before its last receipt works too but deletes nothing.
    pub(crate) fn delete(&mut self, handle: &str) -> Result<(), InvalidHandle> {
        let numbers = handle.strip_prefix("SIMULATED-").ok_or(InvalidHandle)?;
        let (id, receives) = numbers.split_once('-').ok_or(InvalidHandle)?;
        let id: u64 = id.parse().map_err(|_| InvalidHandle)?;
        let receives: u32 = receives.parse().map_err(|_| InvalidHandle)?;
        let Some(message) = self.all.get(&id).filter(|it| it.receives == receives) else {
            return Ok(());
        };
        let place = message.place;
        self.all.remove(&id);
        *self.count(place) -= 1;
        self.counts.deleted += 1;
        Ok(())
    }

    /// How many messages are where.
    pub(crate) fn counts(&mut self, now: Instant) -> QueueCounts {
        self.advance(now);
        self.counts
    }

    /// The bodies of the messages that are there, in the order in which they were sent.
    pub(crate) fn bodies(&mut self, now: Instant) -> Vec<String> {
        self.advance(now);
        let arrived = self.all.iter();
        let mut arrived: Vec<_> = arrived
            .filter(|(_, message)| !matches!(message.place, Place::Delayed(_)))
            .collect();
        arrived.sort_by_key(|(id, _)| **id);
        let bodies = arrived.into_iter();
        bodies
            .map(|(_, message)| message.body.to_string())
            .collect()
    }

    /// When the next hidden message may become visible.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    fn count(&mut self, place: Place) -> &mut usize {
        match place {
            Place::Delayed(_) => &mut self.counts.delayed,
            Place::Visible => &mut self.counts.visible,
            Place::InFlight(_) => &mut self.counts.in_flight,
        }
    }

    /// Makes the messages visible whose time has come.
    fn advance(&mut self, now: Instant) {
        while let Some(Reverse((at, id))) = self.due.peek().copied() {
            if at > now {
                return;
            }
            self.due.pop();
            // Deleted, or received again since.
            let Some(message) = self.all.get_mut(&id) else {
                continue;
            };
            let before = message.place;
            if before == Place::Delayed(at) || before == Place::InFlight(at) {
                message.place = Place::Visible;
                self.visible.push_back(id);
                *self.count(before) -= 1;
                self.counts.visible += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDDEN: Duration = Duration::from_secs(30);

    fn queue(messages: usize) -> Messages {
        let mut queue = Messages::new(QueueSettings::default());
        for number in 0..messages {
            queue.send(number.to_string().into(), None);
        }
        queue
    }

    #[test]
    fn a_message_comes_again_when_its_timeout_has_ended() {
        let (mut queue, now) = (queue(1), Instant::now());
        let first = queue.receive(10, HIDDEN, now);
        assert_eq!(first.len(), 1);
        let early = now + HIDDEN / 2;
        assert!(queue.receive(10, HIDDEN, early).is_empty());
        assert_eq!(queue.counts(early).in_flight, 1);
        let again = queue.receive(10, HIDDEN, now + HIDDEN);
        assert_eq!((again[0].id, again[0].receives), (first[0].id, 2));

        queue.delete(&first[0].handle()).unwrap();
        assert_eq!(queue.counts(now).deleted, 0, "an old handle");
        queue.delete(&again[0].handle()).unwrap();
        queue.delete(&again[0].handle()).unwrap();
        let counts = queue.counts(now + 3 * HIDDEN);
        assert_eq!(
            counts,
            QueueCounts {
                deleted: 1,
                received: 2,
                ..QueueCounts::default()
            }
        );
    }

    #[test]
    fn the_handle_of_a_message_that_is_visible_again_deletes_it() {
        let (mut queue, now) = (queue(1), Instant::now());
        let handle = queue.receive(1, HIDDEN, now)[0].handle();
        assert_eq!(queue.counts(now + HIDDEN).visible, 1);
        queue.delete(&handle).unwrap();
        assert!(queue.receive(1, HIDDEN, now + HIDDEN).is_empty());
        assert_eq!(queue.counts(now + HIDDEN).visible, 0);
    }

    #[test]
    fn every_message_is_received_once_and_not_in_order() {
        let (mut queue, now) = (queue(1_000), Instant::now());
        let mut ids = Vec::new();
        while let received @ [_, ..] = queue.receive(10, HIDDEN, now).as_slice() {
            ids.extend(received.iter().map(|message| message.id));
        }
        let sorted: Vec<u64> = (1..=1_000).collect();
        assert_ne!(ids, sorted);
        ids.sort_unstable();
        assert_eq!(ids, sorted);
    }

    #[test]
    fn a_delayed_message_arrives_when_it_is_due() {
        let (mut queue, now) = (queue(0), Instant::now());
        queue.send("late".into(), Some(now + HIDDEN));
        assert_eq!(queue.counts(now).delayed, 1);
        assert!(queue.bodies(now).is_empty());
        assert!(queue.receive(1, HIDDEN, now).is_empty());
        assert_eq!(queue.next_due(), Some(now + HIDDEN));
        assert_eq!(queue.bodies(now + HIDDEN), ["late"]);
        assert_eq!(queue.receive(1, HIDDEN, now + HIDDEN).len(), 1);
    }

    #[test]
    fn a_text_that_is_no_handle_is_refused() {
        let mut queue = queue(1);
        for handle in ["", "SIMULATED-1", "SIMULATED-x-1", "1-1"] {
            assert_eq!(queue.delete(handle), Err(InvalidHandle), "{handle}");
        }
    }
}
