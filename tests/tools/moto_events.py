"""Makes the path of events in a moto server, and sends events on it, by boto3.

`make FILE`: creates the queue and the rules of FILE, and the buses that these name. FILE is a JSON
array of `{"name", "bus", "state", "pattern", "target"}`; a target is an ARN. `put FILE`: puts the
events of FILE, a JSON array as EventBridge delivers them, on the default bus. `send FILE`: sends the
texts of FILE, a JSON array, to the queue. `receive`: takes all messages from the queue and prints their
bodies as a JSON array. `count`: prints how many messages the queue has, those that were received and
not deleted included.
"""

import json
import sys

import boto3

QUEUE = "aws-root-exporter-0"

endpoint, command, *arguments = sys.argv[1:]


def client(service):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="any",
    )


def given():
    with open(arguments[0], encoding="utf-8") as file:
        return json.load(file)


def batches(items, size=10):
    return (items[first : first + size] for first in range(0, len(items), size))


def queue_url():
    return client("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"]


def make():
    client("sqs").create_queue(QueueName=QUEUE, Attributes={"VisibilityTimeout": "60"})
    events = client("events")
    rules = given()
    for bus in {rule["bus"] for rule in rules} - {"default"}:
        events.create_event_bus(Name=bus)
    for rule in rules:
        place = {"Name": rule["name"], "EventBusName": rule["bus"]}
        pattern = json.dumps(rule["pattern"])
        events.put_rule(**place, State=rule["state"], EventPattern=pattern)
        target = {"Id": "next", "Arn": rule["target"]}
        if ":sqs:" in rule["target"]:
            # moto leaves the account out of a message, unless a transformer asks for the whole event.
            target["InputTransformer"] = {"InputTemplate": "<aws.events.event.json>"}
        events.put_targets(Rule=rule["name"], EventBusName=rule["bus"], Targets=[target])


def put():
    for batch in batches(given()):
        entries = [
            {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
            }
            for event in batch
        ]
        answer = client("events").put_events(Entries=entries)
        assert answer["FailedEntryCount"] == 0, answer


def send():
    url = queue_url()
    for batch in batches(given()):
        entries = [{"Id": str(nth), "MessageBody": text} for nth, text in enumerate(batch)]
        answer = client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
        assert not answer.get("Failed"), answer


def receive():
    sqs, url = client("sqs"), queue_url()
    bodies = []
    while True:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        messages = answer.get("Messages", [])
        if not messages:
            return print(json.dumps(bodies))
        bodies += [message["Body"] for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def count():
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = client("sqs").get_queue_attributes(QueueUrl=queue_url(), AttributeNames=names)
    print(sum(int(answer["Attributes"][name]) for name in names))


{"make": make, "put": put, "send": send, "receive": receive, "count": count}[command]()
