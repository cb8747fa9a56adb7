//! Push: reads the queue in which EventBridge puts CloudTrail's events about root, and hands them to
//! the schedule.
//!
//! A message is deleted once it has taken effect, and what root did once that is on disk; one that is
//! not deleted comes again. A queue that cannot be read is tried again for ever, and costs nothing but
//! time: the schedule polls as if there were no queue.

mod message;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tracing::{info, warn};

use crate::activity::Activity;
use crate::aws::Aws;
use crate::aws::queue::{BATCH, LONGEST_WAIT, Message, Queue, Receipt};
use crate::backoff::Backoff;
use crate::clock::{Clock, Moment};
use crate::config::QueueUrl;
use crate::discovery::Desired;
use crate::failure::{Failure, Reason};
use crate::schedule::{FromQueue, Notice, Notices};
use crate::state::Gate;
use crate::views::{EventStats, Exporter, MessageKind};

pub use message::{Malformed, read};

/// How many calls read the queue at a time, while each finds a full batch.
const MOST_RECEIVERS: usize = 4;

/// How long the first call waits for a message: whether the queue can be read shows soon.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The pauses in which messages gather, where there are few: before they are received, and before they
/// are deleted. Each call costs money and about as much CPU as a poll.
const RECEIVED_TOGETHER: Duration = Duration::from_millis(400);
const DELETED_TOGETHER: Duration = Duration::from_secs(3);

/// How long the deletion of a batch may take.
const DELETED_WITHIN: Duration = Duration::from_secs(10);

/// How many messages may wait to be deleted.
const MOST_HANDLED: usize = 1000;

/// The pauses after a failure double up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often malformed messages are logged.
const MALFORMED_LOGGED: Duration = Duration::from_secs(60);

/// Reads the queue of the configuration.
#[derive(Clone, Debug)]
pub struct Events {
    /// The configuration to follow.
    pub changes: watch::Receiver<Desired>,
    /// AWS.
    pub aws: Aws,
    /// Its clock.
    pub clock: Clock,
    /// Takes the events.
    pub notices: Notices,
    /// Says when they are on disk.
    pub gate: Gate,
    /// The view of the exporter itself.
    pub exporter: Arc<Exporter>,
}

impl Events {
    /// Reads the queue of the configuration in use, whichever that is.
    pub async fn run(self) {
        let mut changes = self.changes.clone();
        loop {
            let queue = changes.borrow_and_update().config.events.queue.clone();
            let is_pushed = queue.is_some();
            self.exporter.note(|view| {
                let stats = view.events.take().unwrap_or_default();
                view.events = is_pushed.then_some(EventStats { up: None, ..stats });
            });
            let another = changes.wait_for(|desired| desired.config.events.queue != queue);
            let ended = match &queue {
                None => another.await.is_err(),
                Some(url) => tokio::select! {
                    another = another => another.is_err(),
                    () = self.read(url) => true,
                },
            };
            if ended {
                // The daemon stops.
                return std::future::pending().await;
            }
            // An error means that the schedule has gone.
            let _ = self.notices.send(FromQueue::Another).await;
        }
    }

    /// Reads a queue until the schedule has gone.
    async fn read(&self, url: &QueueUrl) {
        let queue = Arc::new(Queue {
            url: url.to_string(),
            region: url.region.clone(),
        });
        let (handled, deletes) = mpsc::channel(MOST_HANDLED);
        let reader = Reader {
            events: self,
            queue: Arc::clone(&queue),
            handled,
            malformed_logged: None,
        };
        tokio::select! {
            () = reader.run() => {}
            () = self.delete(&queue, deletes) => {}
        }
    }

    /// Deletes messages that were handled, those with something to keep once that is on disk.
    async fn delete(&self, queue: &Arc<Queue>, mut handled: mpsc::Receiver<Handled>) {
        let mut together = Vec::new();
        let mut reported = None;
        while handled.recv_many(&mut together, MOST_HANDLED).await > 0 {
            if together.len() < BATCH {
                self.pause(DELETED_TOGETHER).await;
                while let Ok(more) = handled.try_recv() {
                    together.push(more);
                }
            }
            // Where the disk fails, SQS keeps what root did: it comes again.
            let is_safe = !together.iter().any(|it| it.is_kept) || self.gate.flushed().await;
            let handled = together.drain(..).filter(|it| is_safe || !it.is_kept);
            let receipts: Vec<Receipt> = handled.map(|it| it.receipt).collect();
            let mut deleting = JoinSet::new();
            for batch in receipts.chunks(BATCH) {
                if deleting.len() == MOST_RECEIVERS {
                    report_deletion(deleting.join_next().await, &mut reported);
                }
                let (this, queue, batch) = (self.clone(), Arc::clone(queue), batch.to_vec());
                deleting.spawn(async move { this.delete_batch(&queue, &batch).await });
            }
            while let Some(ended) = deleting.join_next().await {
                report_deletion(Some(ended), &mut reported);
            }
        }
    }

    /// Deletes up to [`BATCH`] messages. One that stays comes again.
    async fn delete_batch(&self, queue: &Queue, receipts: &[Receipt]) -> Result<(), Failure> {
        let end = self.clock.moment() + DELETED_WITHIN;
        tokio::select! {
            deleted = self.aws.delete_messages(queue, receipts) => deleted,
            () = self.clock.sleep_until(end) => {
                Err(Failure::new(Reason::Timeout, "sqs:DeleteMessageBatch: no answer in time"))
            }
        }
    }

    async fn pause(&self, duration: Duration) {
        let end = self.clock.moment() + duration;
        self.clock.sleep_until(end).await;
    }

    /// Publishes whether the queue can be read.
    fn set_up(&self, up: bool) {
        self.exporter.note(|view| {
            if let Some(events) = &mut view.events {
                events.up = Some(up);
            }
        });
    }
}

/// Logs a deletion that failed, once for each reason.
fn report_deletion(
    ended: Option<Result<Result<(), Failure>, JoinError>>,
    reported: &mut Option<Reason>,
) {
    let Some(Ok(deleted)) = ended else { return };
    let reason = deleted.as_ref().err().map(|failure| failure.reason);
    if let Err(failure) = deleted
        && *reported != reason
    {
        warn!(
            reason = %failure.reason, error = failure.message,
            "messages of the queue of events cannot be deleted, and come again"
        );
    }
    *reported = reason;
}

/// A message that has taken effect.
struct Handled {
    receipt: Receipt,
    /// Whether it says something to be kept on disk.
    is_kept: bool,
}

/// Reads one queue.
struct Reader<'a> {
    events: &'a Events,
    queue: Arc<Queue>,
    handled: mpsc::Sender<Handled>,
    /// When a malformed message was last logged.
    malformed_logged: Option<Moment>,
}

impl Reader<'_> {
    async fn run(mut self) {
        let backoff = Backoff::quick(LONGEST_PAUSE);
        let mut receiving = JoinSet::new();
        let mut wanted = 1;
        let mut wait = FIRST_WAIT;
        let mut failures = 0;
        let mut reported = None;
        let mut relied_on = false;
        loop {
            while receiving.len() < wanted {
                let (aws, queue) = (self.events.aws.clone(), Arc::clone(&self.queue));
                receiving.spawn(async move { aws.receive(&queue, wait).await });
            }
            let Some(received) = receiving.join_next().await else {
                continue;
            };
            let received = received.unwrap_or_else(|_| {
                let message = "reading the queue panicked; please report this with the log";
                Err(Failure::new(Reason::Other, message))
            });
            match received {
                Ok(messages) => {
                    if reported.take().is_some() {
                        info!(
                            queue = self.queue.url,
                            "the queue of events can be read again"
                        );
                    }
                    failures = 0;
                    wait = LONGEST_WAIT;
                    self.events.set_up(true);
                    if !std::mem::replace(&mut relied_on, true) {
                        self.tell(true).await;
                    }
                    let count = messages.len();
                    if self.handle(messages).await.is_err() {
                        return;
                    }
                    // SQS may return fewer than there are.
                    if count > BATCH / 2 {
                        wanted = MOST_RECEIVERS.min(wanted + 1);
                    } else if wanted > 1 {
                        wanted -= 1;
                    } else {
                        self.events.pause(RECEIVED_TOGETHER).await;
                    }
                }
                Err(failure) => {
                    if reported != Some(failure.reason) {
                        warn!(
                            queue = self.queue.url, reason = %failure.reason, error = failure.message,
                            "the queue of events cannot be read; accounts are polled at \
                             refresh.interval"
                        );
                        reported = Some(failure.reason);
                    }
                    (wanted, wait) = (1, FIRST_WAIT);
                    self.events.set_up(false);
                    // Calls that fail together are one failure.
                    if !receiving.is_empty() {
                        continue;
                    }
                    failures += 1;
                    // Not for one call that failed: to poll all accounts at once costs more.
                    if failures > 1 && std::mem::take(&mut relied_on) {
                        self.tell(false).await;
                    }
                    self.events.pause(backoff.pause(failures, 1.0)).await;
                }
            }
        }
    }

    /// Hands messages to the schedule, and to be deleted once they have taken effect.
    ///
    /// # Errors
    ///
    /// The schedule has gone.
    async fn handle(&mut self, messages: Vec<Message>) -> Result<(), Gone> {
        let now = self.events.clock.now();
        let mut notices = Vec::new();
        let mut receipts = Vec::new();
        let mut malformed = 0;
        for Message { body, receipt } in messages {
            match read(&body, now) {
                Ok(notice) => {
                    notices.push(self.without_own(notice));
                    receipts.push(receipt);
                }
                Err(why) => {
                    malformed += 1;
                    self.log_malformed(why);
                    let is_kept = false;
                    self.handled(Handled { receipt, is_kept }).await?;
                }
            }
        }
        let kinds = if notices.is_empty() {
            Vec::new()
        } else {
            let (done, kinds) = oneshot::channel();
            let message = FromQueue::Events(notices, done);
            self.events.notices.send(message).await.map_err(|_| Gone)?;
            kinds.await.map_err(|_| Gone)?
        };
        self.events.exporter.note(|view| {
            let Some(EventStats { messages, .. }) = &mut view.events else {
                return;
            };
            for kind in &kinds {
                *messages.entry(*kind).or_default() += 1;
            }
            *messages.entry(MessageKind::Malformed).or_default() += malformed;
        });
        for (receipt, kind) in receipts.into_iter().zip(kinds) {
            let is_kept = matches!(kind, MessageKind::Root | MessageKind::Tampering);
            self.handled(Handled { receipt, is_kept }).await?;
        }
        Ok(())
    }

    /// The notice without what our own root session did, which is no activity.
    fn without_own(&self, notice: Notice) -> Notice {
        let is_own = |key: &str| self.events.aws.is_own_root_session(notice.account, key);
        let is_of_others = |it: &Activity| !it.session().is_some_and(is_own);
        Notice {
            activity: notice.activity.filter(is_of_others),
            ..notice
        }
    }

    fn log_malformed(&mut self, why: Malformed) {
        let now = self.events.clock.moment();
        let logged = &mut self.malformed_logged;
        if logged.is_none_or(|at| now >= at + MALFORMED_LOGGED) {
            *logged = Some(now);
            warn!(
                queue = self.queue.url, %why,
                "a message is no event of CloudTrail and was deleted; see who may send to the queue"
            );
        }
    }

    /// Says to the schedule whether it can rely on the queue.
    async fn tell(&self, up: bool) {
        // An error means that the schedule has gone.
        let _ = self.events.notices.send(FromQueue::Up(up)).await;
    }

    async fn handled(&self, handled: Handled) -> Result<(), Gone> {
        self.handled.send(handled).await.map_err(|_| Gone)
    }
}

/// The schedule, or the task that deletes, has ended.
struct Gone;
