//! SQS: standard queues of the hub, over the JSON protocol.
//!
//! Source: SQS API Reference, version 2012-11-05.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::answer::{Failure, Reply};
use crate::context::Context;
use crate::id::AccountId;
use crate::operation::Operation;
use crate::queue::{Messages, Receive, Received};

/// All queues, by name.
pub(crate) type Queues = BTreeMap<String, Messages>;

/// The most entries of a batch, and the most messages of an answer.
const MOST: usize = 10;

/// The largest message, in bytes.
const LARGEST: usize = 1 << 20;

/// Answers a request that its caller may make.
pub(crate) fn answer(
    queues: &mut Queues,
    hub: AccountId,
    context: &Context,
) -> Result<Reply, Failure> {
    let name = queue_name(hub, context)?;
    let queue = queues.get_mut(&name).ok_or_else(no_queue)?;
    match context.operation {
        Operation::ReceiveMessage => receive(queue, name, context),
        Operation::DeleteMessage => {
            delete(queue, context.request.member("ReceiptHandle"))?;
            Ok(Reply::Json(json!({})))
        }
        Operation::DeleteMessageBatch => batch(context, |entry| {
            delete(queue, entry.get("ReceiptHandle")).map(|()| json!({}))
        }),
        Operation::SendMessage => {
            let result = send(queue, |name| context.request.member(name))?;
            Ok(Reply::Json(result))
        }
        Operation::SendMessageBatch => batch(context, |entry| send(queue, |name| entry.get(name))),
        _ => attributes(queue, &name, hub, context),
    }
}

/// Messages as `ReceiveMessage` answers them.
pub(crate) fn messages(received: &[Received], with_receive_count: bool) -> Value {
    let messages = received.iter().map(|message| {
        let mut value = json!({
            "MessageId": message_id(message.id),
            "ReceiptHandle": message.handle(),
            "MD5OfBody": md5(&message.body),
            "Body": &*message.body,
        });
        if with_receive_count {
            let count = message.receives.to_string();
            value["Attributes"] = json!({"ApproximateReceiveCount": count});
        }
        value
    });
    json!({"Messages": messages.collect::<Vec<_>>()})
}

fn message_id(number: u64) -> String {
    format!("00000000-0000-4000-9000-{number:012x}")
}

fn md5(text: &str) -> String {
    format!("{:x}", md5::compute(text))
}

fn no_queue() -> Failure {
    let message = "The specified queue does not exist.";
    Failure::new(400, "QueueDoesNotExist", message)
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(400, "InvalidParameterValue", message)
}

/// The name of the queue in `QueueUrl`, whose last parts are the account and the name.
fn queue_name(hub: AccountId, context: &Context) -> Result<String, Failure> {
    let url = context.request.member("QueueUrl").and_then(Value::as_str);
    let url = url.ok_or_else(|| {
        let message = "The request must contain the parameter QueueUrl.";
        Failure::new(400, "MissingParameter", message)
    })?;
    let mut parts = url.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let is_of_hub = parts.next().and_then(|id| id.parse().ok()) == Some(hub);
    if !is_of_hub {
        return Err(no_queue());
    }
    if context.caller.account != hub {
        let operation = context.operation.as_str().to_lowercase();
        return Err(Failure::denied(format!(
            "User: {} is not authorized to perform: sqs:{operation} on resource: \
             arn:aws:sqs:us-east-1:{hub}:{name} because no resource-based policy allows the \
             sqs:{operation} action",
            context.caller.arn()
        )));
    }
    Ok(name.to_owned())
}

/// A whole number among the parameters.
fn number(
    context: &Context,
    name: &str,
    allowed: std::ops::RangeInclusive<u64>,
) -> Result<Option<u64>, Failure> {
    let Some(value) = context.request.member(name) else {
        return Ok(None);
    };
    let number = value.as_u64().filter(|number| allowed.contains(number));
    number.map(Some).ok_or_else(|| {
        let (least, most) = (allowed.start(), allowed.end());
        invalid(format!(
            "Value {value} for parameter {name} is invalid. Reason: Must be between {least} and \
             {most}, if provided."
        ))
    })
}

fn receive(queue: &mut Messages, name: String, context: &Context) -> Result<Reply, Failure> {
    let most = number(context, "MaxNumberOfMessages", 1..=10)?.unwrap_or(1);
    let wait = number(context, "WaitTimeSeconds", 0..=20)?.unwrap_or(0);
    let visibility = number(context, "VisibilityTimeout", 0..=43_200)?;
    let asks = |list: &str| {
        let names = context.request.member(list).and_then(Value::as_array);
        names.is_some_and(|names| {
            let mut names = names.iter().filter_map(Value::as_str);
            names.any(|name| matches!(name, "All" | "ApproximateReceiveCount"))
        })
    };
    let now = Instant::now();
    let receive = Receive {
        queue: name,
        most: usize::try_from(most).unwrap_or(MOST),
        visibility: visibility.map_or(queue.settings.visibility, Duration::from_secs),
        until: now + Duration::from_secs(wait),
        with_receive_count: asks("AttributeNames") || asks("MessageSystemAttributeNames"),
    };
    let received = queue.receive(receive.most, receive.visibility, now);
    Ok(if received.is_empty() {
        Reply::Wait(receive)
    } else {
        Reply::Json(messages(&received, receive.with_receive_count))
    })
}

fn delete(queue: &mut Messages, handle: Option<&Value>) -> Result<(), Failure> {
    let handle = handle.and_then(Value::as_str).unwrap_or_default();
    queue.delete(handle).map_err(|_| {
        let message =
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        Failure::new(400, "ReceiptHandleIsInvalid", message)
    })
}

fn send<'a>(
    queue: &mut Messages,
    member: impl Fn(&str) -> Option<&'a Value>,
) -> Result<Value, Failure> {
    let body = member("MessageBody").and_then(Value::as_str).unwrap_or("");
    if body.is_empty() {
        let message = "The request must contain the parameter MessageBody.";
        return Err(Failure::new(400, "MissingParameter", message));
    }
    if body.len() > LARGEST {
        let message = "One or more parameters are invalid. Reason: Message must be shorter than \
                       1048576 bytes.";
        return Err(invalid(message));
    }
    let delay = member("DelaySeconds").and_then(Value::as_u64).unwrap_or(0);
    let arrives = (delay > 0).then(|| Instant::now() + Duration::from_secs(delay));
    let id = queue.send(body.into(), arrives);
    Ok(json!({"MessageId": message_id(id), "MD5OfMessageBody": md5(body)}))
}

/// Applies an operation to each entry of a batch.
fn batch(
    context: &Context,
    mut apply: impl FnMut(&Value) -> Result<Value, Failure>,
) -> Result<Reply, Failure> {
    let entries = context.request.member("Entries").and_then(Value::as_array);
    let entries = entries.map_or(&[][..], Vec::as_slice);
    if entries.is_empty() {
        let message = "There should be at least one entry in the request.";
        return Err(Failure::new(400, "EmptyBatchRequest", message));
    }
    if entries.len() > MOST {
        let message = format!(
            "Maximum number of entries per request are {MOST}. You have sent {}.",
            entries.len()
        );
        return Err(Failure::new(400, "TooManyEntriesInBatchRequest", message));
    }
    let id = |entry: &Value| entry["Id"].as_str().unwrap_or_default().to_owned();
    let ids: HashSet<_> = entries.iter().map(id).collect();
    if ids.len() < entries.len() {
        let message = "Two or more batch entries in the request have the same Id.";
        return Err(Failure::new(400, "BatchEntryIdsNotDistinct", message));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match apply(entry) {
            Ok(mut result) => {
                result["Id"] = Value::String(id(entry));
                successful.push(result);
            }
            Err(failure) => failed.push(json!({
                "Id": id(entry),
                "Code": failure.code,
                "Message": failure.message,
                "SenderFault": true,
            })),
        }
    }
    let mut answer = json!({"Successful": successful});
    if !failed.is_empty() {
        answer["Failed"] = Value::Array(failed);
    }
    Ok(Reply::Json(answer))
}

fn attributes(
    queue: &mut Messages,
    name: &str,
    hub: AccountId,
    context: &Context,
) -> Result<Reply, Failure> {
    let counts = queue.counts(Instant::now());
    let settings = queue.settings;
    let all = [
        ("QueueArn", format!("arn:aws:sqs:us-east-1:{hub}:{name}")),
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        (
            "ApproximateNumberOfMessagesNotVisible",
            counts.in_flight.to_string(),
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            counts.delayed.to_string(),
        ),
        (
            "VisibilityTimeout",
            settings.visibility.as_secs().to_string(),
        ),
        (
            "MessageRetentionPeriod",
            settings.retention.as_secs().to_string(),
        ),
    ];
    let asked = context.request.member("AttributeNames");
    let asked = asked
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut attributes = Map::new();
    for wanted in asked.iter().filter_map(Value::as_str) {
        let mut known = false;
        for (name, value) in &all {
            if wanted == "All" || wanted == *name {
                known = true;
                attributes.insert((*name).to_owned(), Value::String(value.clone()));
            }
        }
        if !known {
            let message = format!("Unknown Attribute {wanted}.");
            return Err(Failure::new(400, "InvalidAttributeName", message));
        }
    }
    Ok(Reply::Json(if attributes.is_empty() {
        json!({})
    } else {
        json!({"Attributes": attributes})
    }))
}
