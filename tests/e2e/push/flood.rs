//! Forged messages: whoever can write to the queue costs a poll now and then, and nothing else.

use serde_json::{Value, json};

use super::*;

/// An event about the account that nobody caused, with an id of its own.
fn forged(number: usize, name: &str, detail: &Value) -> String {
    let mut event = json!({
        "version": "0",
        "id": format!("forged-{number}"),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.iam",
        "account": OF[0].1,
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "eventTime": "2026-03-14T14:38:41Z",
            "eventSource": "iam.amazonaws.com",
            "eventName": name,
            "awsRegion": "us-east-1",
            "sourceIPAddress": "203.0.113.66",
            "userAgent": "forged ".repeat(20),
            "eventID": format!("00000000-0000-4000-8000-{number:012}"),
        },
    });
    let fields = detail.as_object().expect("an object");
    let known = event["detail"].as_object_mut().expect("an object");
    known.extend(fields.clone());
    event.to_string()
}

/// The echo of a poll that nobody made.
pub fn forged_echo(number: usize) -> String {
    let role = json!({"userIdentity": {"type": "AssumedRole"}, "requestID": number.to_string()});
    forged(number, SUMMARY, &role)
}

/// Root creates a key, which it does not.
fn forged_key(number: usize) -> String {
    let made = json!({
        "userIdentity": {"type": "Root", "accountId": OF[0].1},
        "responseElements": {"accessKey": {"accessKeyId": format!("AKIAFORGED{number:010}")}},
    });
    forged(number, "CreateAccessKey", &made)
}

/// A message that is no event.
pub fn garbage(number: usize) -> String {
    match number % 4 {
        0 => "garbage ".repeat(number % 100 + 1),
        1 => "[".repeat(number % 1_000 + 1),
        2 => json!({"source": "example.iam", "account": OF[0].1, "detail": {}}).to_string(),
        _ => forged_key(number).replace(OF[0].1, "no account"),
    }
}

#[test]
fn forged_messages_cost_a_poll_every_two_seconds_and_no_memory() {
    const FORGED: usize = 20_000;
    /// An idle machine needs a tenth of that.
    const BOUND: Duration = Duration::from_secs(200);
    let aws = with_queue(&[ONE]);
    let queue = aws.world.queue(QUEUE);
    let daemon = aws.launch(&Pace::RARE.config(&aws)).start();
    wait_until_reading(&daemon);
    let message = |number: usize| match number % 5 {
        0 | 1 => forged_key(number),
        2 => forged_echo(number),
        3 => garbage(number),
        _ => forged_key(number).replace(OF[0].1, "000000000099"),
    };
    let drained = || {
        let left = queue.counts();
        let left = left.visible + left.in_flight;
        (left == 0).then_some(()).ok_or(format!("{left} are left"))
    };
    // The buffers of a few calls at a time are no growth.
    queue.send_all((0..1_000).map(message));
    eventually(PATIENCE, drained);
    let memory = daemon.process.peak_memory();

    let before = polls(&aws);
    queue.send_all((1_000..FORGED).map(message));
    let begun = Instant::now();
    eventually(BOUND, drained);
    let took = begun.elapsed();
    let polls = polls(&aws) - before;
    // The kernel counts the pages of each processor apart: a peak read later may be a few pages lower.
    let growth = daemon.process.peak_memory().saturating_sub(memory);
    println!(
        "{:.0} messages a second, {polls} polls in {took:.1?}, {} KiB more memory",
        amount(FORGED - 1_000) / took.as_secs_f64(),
        growth >> 10
    );
    assert!(growth < 20 << 20, "{growth} bytes");
    // And a regular one.
    let most = took.as_secs() / 2 + 3;
    assert!(polls <= most, "{polls} polls in {took:?}");

    let shown = daemon.scrape();
    shown.expect(ACTIVE, &OF, 0.0).unwrap();
    assert_eq!(shown.value(PUSH_UP, &OF), None);
    for (kind, share) in [("root", 2), ("malformed", 1), ("ignored", 2), ("echo", 0)] {
        // A message that was not deleted in time comes again.
        let wanted = amount(FORGED / 5 * share);
        let read = messages(&shown, kind);
        assert!(read >= wanted, "{kind}: {read} of {wanted}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands are exact")]
fn amount(count: usize) -> f64 {
    count as f64
}
