//! The operations on the queue of events, with the caller's credentials.
//!
//! Source: Amazon SQS API Reference.

use std::time::Duration;

use aws_sdk_sqs::operation::delete_message_batch::DeleteMessageBatchOutput;
use aws_sdk_sqs::operation::receive_message::ReceiveMessageOutput;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::call::{Answer, Sent};
pub use super::client::LONGEST_WAIT;
use super::client::{Aws, Clients};
use super::operation::Operation;
use super::session::{Denial, Signer};
use crate::failure::Failure;

/// The most messages that SQS returns or deletes in one call.
pub const BATCH: usize = 10;

const RECEIVE: Operation = Operation::new("sqs", "ReceiveMessage");
const DELETE: Operation = Operation::new("sqs", "DeleteMessageBatch");
const GET_ATTRIBUTES: Operation = Operation::new("sqs", "GetQueueAttributes");

/// A queue, and the Region where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its URL.
    pub url: String,
    /// Its Region; `None` for the caller's.
    pub region: Option<String>,
}

/// A message of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its text, which anyone who may send to the queue can write.
    pub body: String,
    /// What deletes it.
    pub receipt: Receipt,
}

/// The handle by which a received message is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt(String);

impl Aws {
    fn queue_signer<'a>(&'a self, queue: &'a Queue) -> Signer<'a> {
        let region = queue.region.as_deref();
        let region = region.unwrap_or(&self.0.settings.caller.region);
        let denial = Denial::OfSession;
        Signer::Caller { region, denial }
    }

    /// sqs:ReceiveMessage: up to [`BATCH`] messages, as soon as there are any, and none after `wait`,
    /// which is at most [`LONGEST_WAIT`]. Whole seconds of it count.
    pub async fn receive(&self, queue: &Queue, wait: Duration) -> Result<Vec<Message>, Failure> {
        let seconds = i32::try_from(wait.min(LONGEST_WAIT).as_secs()).unwrap_or(0);
        let most = i32::try_from(BATCH).unwrap_or(1);
        let request = |aws: &Clients| {
            let request = aws.sqs.receive_message().queue_url(&queue.url);
            let request = request.max_number_of_messages(most);
            request.wait_time_seconds(seconds).send()
        };
        let answer = self.ask(self.queue_signer(queue), RECEIVE, request, finish);
        let output: ReceiveMessageOutput = answer.await?.value;
        let messages = output.messages.unwrap_or_default().into_iter();
        let messages = messages.filter_map(|message| {
            Some(Message {
                body: message.body.unwrap_or_default(),
                receipt: Receipt(message.receipt_handle?),
            })
        });
        Ok(messages.collect())
    }

    /// sqs:DeleteMessageBatch: deletes up to [`BATCH`] messages. One that SQS does not delete comes
    /// again.
    pub async fn delete_messages(
        &self,
        queue: &Queue,
        receipts: &[Receipt],
    ) -> Result<(), Failure> {
        let entries = receipts.iter().take(BATCH).enumerate();
        // An entry without an id or a handle cannot be built; these have both.
        let entries = entries.filter_map(|(index, Receipt(handle))| {
            let entry = DeleteMessageBatchRequestEntry::builder();
            let entry = entry.id(index.to_string()).receipt_handle(handle);
            entry.build().ok()
        });
        let entries: Vec<_> = entries.collect();
        let request = |aws: &Clients| {
            let request = aws.sqs.delete_message_batch().queue_url(&queue.url);
            request.set_entries(Some(entries.clone())).send()
        };
        let answer = self.ask(self.queue_signer(queue), DELETE, request, finish);
        let output: DeleteMessageBatchOutput = answer.await?.value;
        match output.failed.first() {
            None => Ok(()),
            Some(entry) => {
                let problem = format!("{} of a message, and perhaps of more", entry.code);
                Err(DELETE.bad_answer(&problem))
            }
        }
    }

    /// sqs:GetQueueAttributes: about how many messages wait in the queue. Shows that it exists and
    /// may be read, and takes no message.
    pub async fn messages_waiting(&self, queue: &Queue) -> Result<u64, Failure> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = |aws: &Clients| {
            let request = aws.sqs.get_queue_attributes().queue_url(&queue.url);
            request.attribute_names(name.clone()).send()
        };
        let answer = self.ask(self.queue_signer(queue), GET_ATTRIBUTES, request, finish);
        let attributes = answer.await?.value.attributes.unwrap_or_default();
        let count = attributes.get(&name).and_then(|count| count.parse().ok());
        Ok(count.unwrap_or(0))
    }
}

/// Finishes a call, and says what to do where there is no such queue.
fn finish<T, E>(sent: Sent<T, E>) -> Result<Answer<T>, Failure>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = sent.service_error().and_then(|error| error.code());
    let is_missing = code.is_some_and(|code| {
        code.ends_with("NonExistentQueue") || code.ends_with("QueueDoesNotExist")
    });
    sent.finish().map_err(|failure| {
        if is_missing {
            let reason = failure.reason;
            return failure.explained(
                reason,
                "there is no such queue: correct events.queue_url, or create the queue \
                 (deploy/aws/events-hub.yaml); SQS also says so where access is denied",
            );
        }
        failure
    })
}
