//! SQS: queues, long polls, visibility, batches and errors.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Answer, Bench, member};
use aws_simulator::{Fault, FaultKind, Queue, QueueCounts, QueueSettings};

/// A bench with a queue and its URL.
async fn bench() -> (Bench, Queue, String) {
    let bench = Bench::start().await;
    let queue = bench.world.create_queue("events", QueueSettings::default());
    let url = bench.simulator.queue_url("events");
    (bench, queue, url)
}

async fn receive(bench: &Bench, url: &str, most: u32, wait: u32) -> Vec<Value> {
    let body = json!({"QueueUrl": url, "MaxNumberOfMessages": most, "WaitTimeSeconds": wait});
    let answer = bench.sqs("ReceiveMessage", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let messages = answer.json()["Messages"].as_array().cloned();
    messages.unwrap_or_default()
}

fn error(answer: &Answer) -> (u16, Value, &str) {
    let header = answer.headers.get("x-amzn-query-error");
    let kind = answer.json()["__type"].clone();
    (answer.status, kind, header.map_or("", String::as_str))
}

#[tokio::test]
async fn a_message_is_received_as_aws_sends_it_and_deleted() {
    let (bench, queue, url) = bench().await;
    assert!(url.ends_with("/999000000001/events"), "{url}");
    queue.send("hello");
    let body = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let answer = bench.sqs("ReceiveMessage", body).await;
    assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.0");
    let message = &answer.json()["Messages"][0];
    assert_eq!(message["Body"], "hello");
    assert_eq!(message["MD5OfBody"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(message["MessageId"].as_str().unwrap().len(), 36);
    assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "1");

    let body = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
    let answer = bench.sqs("DeleteMessage", body).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    let expected = QueueCounts {
        deleted: 1,
        received: 1,
        ..QueueCounts::default()
    };
    assert_eq!(queue.counts(), expected);
}

#[tokio::test]
async fn an_answer_has_ten_messages_at_most_and_those_in_flight_are_hidden() {
    let (bench, queue, url) = bench().await;
    queue.send_all((0..25).map(|number| number.to_string()));
    let mut bodies = BTreeSet::new();
    for expected in [10, 10, 5, 0] {
        let messages = receive(&bench, &url, 10, 0).await;
        assert_eq!(messages.len(), expected);
        bodies.extend(messages.iter().map(|it| it["Body"].to_string()));
    }
    assert_eq!(bodies.len(), 25);
    assert_eq!(queue.counts().in_flight, 25);
}

#[tokio::test]
async fn a_message_that_is_not_deleted_comes_again_after_its_timeout() {
    let bench = Bench::start().await;
    let settings = QueueSettings {
        visibility: Duration::from_millis(300),
        ..QueueSettings::default()
    };
    let queue = bench.world.create_queue("short", settings);
    let url = bench.simulator.queue_url("short");
    queue.send("again");
    let start = Instant::now();
    let first = receive(&bench, &url, 1, 0).await;
    assert!(receive(&bench, &url, 1, 0).await.is_empty());
    let second = receive(&bench, &url, 1, 20).await;
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(300), "{waited:?}");
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    assert_eq!(first[0]["MessageId"], second[0]["MessageId"]);
    assert_ne!(first[0]["ReceiptHandle"], second[0]["ReceiptHandle"]);
    assert_eq!(queue.counts().received, 2);
}

#[tokio::test]
async fn a_request_can_say_how_long_its_messages_are_hidden() {
    let (bench, queue, url) = bench().await;
    queue.send("again");
    let body = json!({"QueueUrl": url, "VisibilityTimeout": 0});
    for _ in 0..3 {
        let answer = bench.sqs("ReceiveMessage", body.clone()).await;
        assert_eq!(answer.json()["Messages"][0]["Body"], "again");
    }
}

#[tokio::test]
async fn a_long_poll_ends_as_soon_as_a_message_arrives() {
    let (bench, queue, url) = bench().await;
    let start = Instant::now();
    let send = async {
        while bench.world.total("ReceiveMessage") == 0 {
            tokio::task::yield_now().await;
        }
        queue.send("at last");
    };
    let (messages, ()) = tokio::join!(receive(&bench, &url, 10, 20), send);
    assert_eq!(messages[0]["Body"], "at last");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_long_poll_without_a_message_ends_empty_after_its_time() {
    let (bench, queue, url) = bench().await;
    let start = Instant::now();
    assert!(receive(&bench, &url, 10, 1).await.is_empty());
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(queue.counts(), QueueCounts::default());
}

#[tokio::test]
async fn a_long_poll_whose_client_left_takes_no_message() {
    let (bench, queue, url) = bench().await;
    let poll = receive(&bench, &url, 10, 20);
    assert!(
        tokio::time::timeout(Duration::from_millis(200), poll)
            .await
            .is_err()
    );
    // The server learns of it with its next turn; the other client's connection takes longer.
    let other = receive(&bench, &url, 10, 20);
    let send = async {
        while bench.world.total("ReceiveMessage") < 2 {
            tokio::task::yield_now().await;
        }
        queue.send("for the other");
    };
    let (messages, ()) = tokio::join!(other, send);
    assert_eq!(messages.len(), 1);
}

#[tokio::test]
async fn batches_say_which_entries_failed() {
    let (bench, queue, url) = bench().await;
    let entries = json!([
        {"Id": "one", "MessageBody": "first"},
        {"Id": "two", "MessageBody": "second"},
        {"Id": "empty", "MessageBody": ""},
    ]);
    let body = json!({"QueueUrl": url, "Entries": entries});
    let sent = bench.sqs("SendMessageBatch", body).await.json();
    assert_eq!(sent["Successful"][0]["Id"], "one");
    assert_eq!(
        sent["Successful"][1]["MD5OfMessageBody"]
            .as_str()
            .unwrap()
            .len(),
        32
    );
    assert_eq!(sent["Failed"][0]["Id"], "empty");
    let body = json!({"QueueUrl": url, "MessageBody": "third"});
    let sent = bench.sqs("SendMessage", body).await.json();
    assert!(sent["MessageId"].is_string(), "{sent}");

    let messages = receive(&bench, &url, 10, 0).await;
    let mut entries: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(number, it)| json!({"Id": number.to_string(), "ReceiptHandle": it["ReceiptHandle"]}))
        .collect();
    entries.push(json!({"Id": "forged", "ReceiptHandle": "no handle"}));
    let body = json!({"QueueUrl": url, "Entries": entries});
    let deleted = bench.sqs("DeleteMessageBatch", body).await.json();
    assert_eq!(deleted["Successful"].as_array().unwrap().len(), 3);
    let failed = &deleted["Failed"][0];
    assert_eq!(failed["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(
        (&failed["Id"], &failed["SenderFault"]),
        (&json!("forged"), &json!(true))
    );
    assert_eq!(queue.counts().deleted, 3);
}

#[tokio::test]
async fn attributes_are_those_that_were_asked_for() {
    let (bench, queue, url) = bench().await;
    queue.send_all(["one", "two", "three"]);
    receive(&bench, &url, 1, 0).await;
    let body = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let answer = bench.sqs("GetQueueAttributes", body).await.json();
    let expected = json!({
        "QueueArn": "arn:aws:sqs:us-east-1:999000000001:events",
        "ApproximateNumberOfMessages": "2",
        "ApproximateNumberOfMessagesNotVisible": "1",
        "ApproximateNumberOfMessagesDelayed": "0",
        "VisibilityTimeout": "30",
        "MessageRetentionPeriod": "345600",
    });
    assert_eq!(answer["Attributes"], expected);
    let body = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
    let answer = bench.sqs("GetQueueAttributes", body).await.json();
    assert_eq!(answer["Attributes"].as_object().unwrap().len(), 1);
    let answer = bench
        .sqs("GetQueueAttributes", json!({"QueueUrl": url}))
        .await;
    assert_eq!(answer.body, "{}");
}

#[tokio::test]
async fn errors_have_a_type_and_the_code_of_the_query_protocol() {
    let (bench, queue, url) = bench().await;
    let other = url.replace("999000000001", "000000000042");
    for missing in [bench.simulator.queue_url("absent"), other] {
        let answer = bench
            .sqs("ReceiveMessage", json!({"QueueUrl": missing}))
            .await;
        let kind = json!("com.amazonaws.sqs#QueueDoesNotExist");
        let header = "AWS.SimpleQueueService.NonExistentQueue;Sender";
        assert_eq!(error(&answer), (400, kind, header));
    }
    let session = bench.role_session().await;
    for (operation, body, kind, header) in [
        (
            "DeleteMessage",
            json!({"QueueUrl": url, "ReceiptHandle": "?"}),
            "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid;Sender",
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": url, "MaxNumberOfMessages": 11}),
            "com.amazon.coral.service#InvalidParameterValueException",
            "InvalidParameterValue;Sender",
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": url, "WaitTimeSeconds": 21}),
            "com.amazon.coral.service#InvalidParameterValueException",
            "InvalidParameterValue;Sender",
        ),
        (
            "DeleteMessageBatch",
            json!({"QueueUrl": url, "Entries": []}),
            "com.amazonaws.sqs#EmptyBatchRequest",
            "AWS.SimpleQueueService.EmptyBatchRequest;Sender",
        ),
        (
            "GetQueueAttributes",
            json!({"QueueUrl": url, "AttributeNames": ["Colour"]}),
            "com.amazonaws.sqs#InvalidAttributeName",
            "InvalidAttributeName;Sender",
        ),
        (
            "PurgeQueue",
            json!({"QueueUrl": url}),
            "com.amazon.coral.service#UnknownOperationException",
            "InvalidAction;Sender",
        ),
    ] {
        let answer = bench.sqs(operation, body).await;
        assert_eq!(error(&answer), (400, json!(kind), header), "{operation}");
    }
    queue.send("for the hub only");
    let answer = bench
        .sqs_as(&session, "ReceiveMessage", json!({"QueueUrl": url}))
        .await;
    let kind = json!("com.amazon.coral.service#AccessDeniedException");
    assert_eq!(error(&answer), (400, kind, "AccessDenied;Sender"));
    assert_eq!(bench.world.count(member(), "ReceiveMessage"), 1);
    bench.world.delete_queue("events");
    let answer = bench.sqs("ReceiveMessage", json!({"QueueUrl": url})).await;
    assert_eq!(
        answer.json()["__type"],
        "com.amazonaws.sqs#QueueDoesNotExist"
    );
}

#[tokio::test]
async fn faults_apply_to_queues_too() {
    let (bench, queue, url) = bench().await;
    queue.send("kept");
    for (kind, status, name, header) in [
        (
            FaultKind::Throttling,
            400,
            "com.amazonaws.sqs#RequestThrottled",
            "RequestThrottled;Sender",
        ),
        (
            FaultKind::AccessDenied,
            400,
            "com.amazon.coral.service#AccessDeniedException",
            "AccessDenied;Sender",
        ),
        (
            FaultKind::ServiceFailure,
            500,
            "com.amazon.coral.service#InternalFailure",
            "InternalFailure;Receiver",
        ),
        (
            FaultKind::InvalidToken,
            400,
            "com.amazon.coral.service#UnrecognizedClientException",
            "InvalidClientTokenId;Sender",
        ),
    ] {
        let fault = Fault::new(kind).on("ReceiveMessage").times(1);
        bench.world.fault(fault);
        let answer = bench.sqs("ReceiveMessage", json!({"QueueUrl": url})).await;
        assert_eq!(error(&answer), (status, json!(name), header));
    }
    assert_eq!(queue.counts().visible, 1);
    // The answer is lost, so the message is in flight and nobody has it.
    bench.world.fault(Fault::new(FaultKind::Torn).times(1));
    let answer = bench.sqs("ReceiveMessage", json!({"QueueUrl": url})).await;
    assert!(serde_json::from_str::<Value>(&answer.body).is_err());
    assert_eq!(queue.counts().in_flight, 1);
}

#[tokio::test]
async fn an_answer_to_a_long_poll_meets_its_faults() {
    let (bench, queue, url) = bench().await;
    bench
        .world
        .fault(Fault::new(FaultKind::TruncatedXml).times(1));
    let send = async {
        while bench.world.total("ReceiveMessage") == 0 {
            tokio::task::yield_now().await;
        }
        queue.send("spoilt");
    };
    let body = json!({"QueueUrl": url, "WaitTimeSeconds": 20});
    let (answer, ()) = tokio::join!(bench.sqs("ReceiveMessage", body), send);
    assert!(
        answer.body.starts_with("{\"Messages\":["),
        "{}",
        answer.body
    );
    assert!(serde_json::from_str::<Value>(&answer.body).is_err());
}

#[tokio::test]
async fn a_hundred_thousand_messages_go_in_and_out() {
    let (bench, queue, url) = bench().await;
    queue.send_all((0..100_000).map(|number| number.to_string()));
    assert_eq!(queue.counts().visible, 100_000);
    let messages = receive(&bench, &url, 10, 0).await;
    assert_eq!(messages.len(), 10);
    assert_eq!(queue.counts().visible, 99_990);
}
