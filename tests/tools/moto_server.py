"""An AWS on loopback for the end-to-end tests: moto's own server, moto's own protocol code.

moto knows nothing of root users: its credential report has no root row and is dated 2015, and
its account summary always says 0 root keys. What a test wants different it says by flags; without
one this is moto as it is, but for the record of its calls:

  --root-keys JSON   {"000000000123": ["active", "inactive"], ...}: for these accounts the report
                     gets a root row with these keys and is dated when it was generated, and the
                     summary agrees with it
  --guarded JSON     {"role ARN": ["iam:GetCredentialReport", ...], ...}: moto checks every
                     signature and every permission. The caller is a user whose policy allows
                     sts:AssumeRole for these roles and no other; each may do what its list names
  --caller-policy JSON   a policy that the caller of a guarded server has instead
  --queues JSON      {"name": ["a message", ...], ...}: queues of the caller's account

Standard output says `port N` once the server listens, in guarded mode `caller ID SECRET` before
it, and `call ACCOUNT OPERATION [ROLE EXTERNAL-ID]` for each call it carries out. It also says
`answer ACCOUNT OPERATION REQUEST-ID` for each answer of IAM, with the id in that answer's header
x-amzn-RequestId, and `queue ACCESS-KEY OPERATION` for each call of SQS. The server ends when its
standard input does, so that it never outlives the test that started it.
"""

import argparse
import json
import sys
import threading
from datetime import datetime, timezone

from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.responses import ActionResult
from moto.iam.access_control import IAMRequestBase
from moto.iam.models import IAMBackend, iam_backends
from moto.iam.responses import IamResponse
from moto.server import ThreadedMotoServer
from moto.sqs.models import sqs_backends
from moto.sqs.responses import SQSResponse
from moto.sts.responses import TokenResponse
from werkzeug.exceptions import HTTPException

CALLER_ACCOUNT = "123456789012"
CREATED = "2024-05-06T07:08:09Z"

output = threading.Lock()


def say(*words):
    with output:
        print(*words, flush=True)


def record(response, operation, details=lambda handler: ()):
    """Says each call of an operation that moto lets through, then lets moto answer it."""
    answer = getattr(response, operation)

    def recorded(handler):
        name = "".join(word.capitalize() for word in operation.split("_"))
        say("call", handler.current_account, name, *details(handler))
        return answer(handler)

    setattr(response, operation, recorded)


def record_answers():
    plain = IamResponse.call_action

    def call_action(handler):
        status, headers, body = plain(handler)
        operation = handler._get_action()
        say("answer", handler.current_account, operation, headers["x-amzn-requestid"])
        return status, headers, body

    IamResponse.call_action = call_action


def record_queues():
    plain = SQSResponse.call_action

    def call_action(handler):
        say("queue", handler.access_key, handler._get_action())
        return plain(handler)

    SQSResponse.call_action = call_action


def assumed(handler):
    return handler._get_param("RoleArn"), handler._get_param("ExternalId") or "-"


def root_row(account, keys):
    slots = []
    for slot in range(2):
        if slot < len(keys):
            active = "true" if keys[slot] == "active" else "false"
            slots += [active, CREATED, "N/A", "N/A", "N/A"]
        else:
            slots += ["false", "N/A", "N/A", "N/A", "N/A"]
    row = ["<root_account>", f"arn:aws:iam::{account}:root", CREATED]
    row += ["not_supported", "no_information", "not_supported", "not_supported", "true"]
    row += slots + ["false", "N/A", "false", "N/A"]
    return ",".join(row) + "\n"


def give_root_keys(root_keys):
    """Puts a root user into the reports and summaries of these accounts."""
    generated = {}
    plain_generate = IAMBackend.generate_report
    plain_csv = IAMBackend.get_credential_report
    plain_answer = IamResponse.get_credential_report
    plain_summary = IamResponse.get_account_summary

    def generate_report(backend):
        # Like AWS: one report an account, which is not made again within 4 hours.
        generated.setdefault(backend.account_id, datetime.now(timezone.utc))
        plain_generate(backend)

    def csv(backend):
        text = plain_csv(backend)
        if backend.account_id not in root_keys:
            return text
        header, users = text.split("\n", 1)
        row = root_row(backend.account_id, root_keys[backend.account_id])
        return f"{header}\n{row}{users}"

    def get_credential_report(handler):
        answer = plain_answer(handler)
        account = handler.backend.account_id
        if account in root_keys:
            answer.result["GeneratedTime"] = generated[account].strftime("%Y-%m-%dT%H:%M:%SZ")
        return answer

    def get_account_summary(handler):
        answer = plain_summary(handler)
        keys = root_keys.get(handler.backend.account_id)
        if keys is None:
            return answer
        figures = dict(answer.result["SummaryMap"])
        figures["AccountAccessKeysPresent"] = 1 if keys else 0
        figures["AccountMFAEnabled"] = 1
        return ActionResult({"SummaryMap": figures})

    IAMBackend.generate_report = generate_report
    IAMBackend.get_credential_report = csv
    IamResponse.get_credential_report = get_credential_report
    IamResponse.get_account_summary = get_account_summary


def policy(actions, resource):
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refuse_as_aws_does():
    """moto wraps its refusals in <Errors>, as EC2 does. IAM and STS do not, and the AWS SDKs
    that keep to the protocol, Rust's among them, find no error code in there."""
    check = ActionAuthenticatorMixin._authenticate_and_authorize_normal_action

    def checked(handler, resource="*"):
        try:
            check(handler, resource)
        except HTTPException as refusal:
            for wrapper in ("<Errors>", "</Errors>"):
                refusal.description = refusal.description.replace(wrapper, "")
            raise

    ActionAuthenticatorMixin._authenticate_and_authorize_normal_action = checked


def name_permissions_as_aws_does():
    """sqs:DeleteMessage permits DeleteMessageBatch too; moto asks for a permission of that name."""
    plain = IAMRequestBase.__init__

    def init(request, *arguments, action, **named):
        action = action.replace("DeleteMessageBatch", "DeleteMessage")
        plain(request, *arguments, action=action, **named)

    IAMRequestBase.__init__ = init


def make_queues(queues):
    backend = sqs_backends[CALLER_ACCOUNT]["us-east-1"]
    for name, messages in queues.items():
        backend.create_queue(name)
        for message in messages:
            backend.send_message(name, message)


def guard(roles, caller_policy):
    """Turns moto's authentication on, after making the caller and the roles it may enter."""
    home = iam_backends[CALLER_ACCOUNT]["aws"]
    home.create_user(region_name="us-east-1", user_name="exporter")
    caller_policy = caller_policy or policy("sts:AssumeRole", list(roles))
    home.put_user_policy("exporter", "read", caller_policy)
    key = home.create_access_key("exporter")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": CALLER_ACCOUNT}}
    for arn, actions in roles.items():
        account, name = arn.split(":")[4], arn.rsplit("/", 1)[1]
        backend = iam_backends[account]["aws"]
        backend.create_role(
            role_name=name,
            assume_role_policy_document=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
            path="/",
            permissions_boundary=None,
            description="",
            tags=[],
            max_session_duration="3600",
        )
        backend.put_role_policy(name, "read", policy(actions, "*"))
    refuse_as_aws_does()
    name_permissions_as_aws_does()
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    say("caller", key.access_key_id, key.secret_access_key)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root-keys", type=json.loads, default={})
    parser.add_argument("--guarded", type=json.loads)
    parser.add_argument("--caller-policy")
    parser.add_argument("--queues", type=json.loads, default={})
    arguments = parser.parse_args()

    give_root_keys(arguments.root_keys)
    for operation in ("generate_credential_report", "get_credential_report", "get_account_summary"):
        record(IamResponse, operation)
    record(TokenResponse, "assume_role", assumed)
    record(TokenResponse, "get_caller_identity")
    record_answers()
    record_queues()
    make_queues(arguments.queues)
    if arguments.guarded is not None:
        guard(arguments.guarded, arguments.caller_policy)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    say("port", server.get_host_and_port()[1])
    sys.stdin.read()


if __name__ == "__main__":
    main()
