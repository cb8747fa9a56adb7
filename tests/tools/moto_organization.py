"""Makes an organization in a moto server, and changes it, by boto3.

`make`: creates the organization and its member accounts, and prints a JSON object of account ids
by name. `close ID`: closes a member account. `add NAME`: creates one more and prints its id.
"""

import json
import sys

import boto3

endpoint, command, *arguments = sys.argv[1:]
organizations = boto3.client(
    "organizations",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="any",
)


def create(name):
    status = organizations.create_account(
        AccountName=name, Email=f"{name.replace(' ', '.')}@example.com"
    )
    return status["CreateAccountStatus"]["AccountId"]


if command == "make":
    organizations.create_organization(FeatureSet="ALL")
    ids = {name: create(name) for name in arguments}
    for name, account in ids.items():
        tags = [{"Key": "team", "Value": f"team of {name}"}]
        organizations.tag_resource(ResourceId=account, Tags=tags)
    print(json.dumps(ids))
elif command == "close":
    organizations.close_account(AccountId=arguments[0])
elif command == "add":
    print(create(arguments[0]))
else:
    sys.exit(f"unknown command {command}")
