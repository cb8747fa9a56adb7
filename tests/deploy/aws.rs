//! The `CloudFormation` templates of `deploy/aws`: all but the one for remediation only read.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use test_support::program::{succeed_silently, venv, yaml};
use test_support::repository;

use super::support::walk;

const HUB: &str = "deploy/aws/hub.yaml";
const MEMBER: &str = "deploy/aws/member-role.stackset.yaml";
const REMEDIATION: &str = "deploy/aws/remediation.yaml";
const EVENTS_HUB: &str = "deploy/aws/events-hub.yaml";
const EVENTS_MEMBER: &str = "deploy/aws/events-member.stackset.yaml";
const TEMPLATES: [&str; 5] = [HUB, MEMBER, REMEDIATION, EVENTS_HUB, EVENTS_MEMBER];

fn template(path: &str) -> Value {
    let mut documents = yaml([repository(path)]);
    assert_eq!(documents.len(), 1, "{path} is not one document");
    documents.remove(0)
}

/// The statements of the policies of a template's roles, without their trust policies.
fn permissions(template: &Value) -> Vec<&Value> {
    let mut statements = Vec::new();
    for resource in template["Resources"].as_object().unwrap().values() {
        walk(&resource["Properties"]["Policies"], &mut |value| {
            if value.get("Effect").is_some() {
                statements.push(value);
            }
        });
    }
    statements
}

fn actions(statement: &Value) -> BTreeSet<&str> {
    match &statement["Action"] {
        Value::String(action) => BTreeSet::from([action.as_str()]),
        Value::Array(actions) => actions.iter().map(|a| a.as_str().unwrap()).collect(),
        other => panic!("no action: {other}"),
    }
}

fn statement<'a>(template: &'a Value, action: &str) -> &'a Value {
    let found: Vec<_> = permissions(template)
        .into_iter()
        .filter(|statement| actions(statement).contains(action))
        .collect();
    assert_eq!(found.len(), 1, "statements with {action}");
    found[0]
}

#[test]
fn cfn_lint_finds_nothing() {
    succeed_silently(
        Command::new(venv("cfn-lint"))
            .args(["--include-checks", "I", "--"])
            .args(TEMPLATES.map(repository)),
    );
}

#[test]
fn only_the_remediation_role_can_change_anything() {
    let read = [
        "iam:GenerateCredentialReport",
        "iam:GetAccountSummary",
        "iam:GetCredentialReport",
    ];
    let hub = [
        "iam:ListOrganizationsFeatures",
        "organizations:DescribeOrganization",
        "organizations:ListAccounts",
        "organizations:ListAccountsForParent",
        "organizations:ListOrganizationalUnitsForParent",
        "organizations:ListRoots",
        "organizations:ListTagsForResource",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sts:AssumeRole",
        "sts:AssumeRoot",
    ];
    for (path, allowed) in [
        (MEMBER, BTreeSet::from(read)),
        (HUB, read.into_iter().chain(hub).collect()),
    ] {
        let template = template(path);
        let statements = permissions(&template);
        assert!(statements.iter().all(|s| s["Effect"] == "Allow"));
        let granted: BTreeSet<_> = statements.into_iter().flat_map(actions).collect();
        assert_eq!(granted, allowed, "{path}");
    }
}

#[test]
fn root_sessions_are_limited_to_their_tasks() {
    let tasks = |path: &str| {
        let template = template(path);
        let statement = statement(&template, "sts:AssumeRoot");
        assert_eq!(actions(statement).len(), 1);
        let arn = statement["Resource"]["Fn::Sub"].as_str().unwrap();
        assert!(arn.ends_with(":root"), "{arn}");
        let mut tasks = Vec::new();
        walk(
            &statement["Condition"]["StringEquals"]["sts:TaskPolicyArn"],
            &mut |value| {
                if let Value::String(arn) = value {
                    tasks.push(arn.rsplit('/').next().unwrap().to_owned());
                }
            },
        );
        tasks
    };
    assert_eq!(tasks(HUB), ["IAMAuditRootUserCredentials"]);
    assert_eq!(
        tasks(REMEDIATION),
        [
            "IAMAuditRootUserCredentials",
            "IAMDeleteRootUserCredentials"
        ]
    );
}

#[test]
fn the_hub_assumes_one_role_and_the_member_trusts_one() {
    let (hub, member) = (template(HUB), template(MEMBER));
    let assumes = &statement(&hub, "sts:AssumeRole")["Resource"]["Fn::Sub"];
    assert_eq!(
        assumes,
        "arn:${AWS::Partition}:iam::*:role/${MemberRoleName}"
    );
    assert_eq!(
        hub["Parameters"]["MemberRoleName"]["Default"], member["Parameters"]["RoleName"]["Default"],
        "the templates have different names for the role"
    );

    let trust = &member["Resources"]["MemberRole"]["Properties"]["AssumeRolePolicyDocument"];
    let [trust] = &trust["Statement"].as_array().unwrap()[..] else {
        panic!("expected one statement: {trust}");
    };
    assert_eq!(
        trust["Condition"]["ArnEquals"]["aws:PrincipalArn"]["Ref"],
        "HubRoleArn"
    );
    // Either the organization or the external id is required.
    let [_, with, without] = &trust["Condition"]["StringEquals"]["Fn::If"]
        .as_array()
        .unwrap()[..]
    else {
        panic!("expected two cases: {trust}");
    };
    assert_eq!(with["aws:PrincipalOrgID"]["Ref"], "OrganizationId");
    assert_eq!(without["sts:ExternalId"]["Ref"], "ExternalId");
}

#[test]
fn no_arn_names_a_partition() {
    for path in TEMPLATES {
        let template = template(path);
        walk(&template["Resources"], &mut |value| {
            if let Value::String(text) = value {
                let fixed = text.contains("arn:aws");
                assert!(!fixed, "{path} names a partition: {text}");
            }
        });
    }
}

#[test]
fn the_default_role_name_is_that_of_the_configuration() {
    let config = fs::read_to_string(repository("config.toml")).unwrap();
    let name = template(MEMBER)["Parameters"]["RoleName"]["Default"].clone();
    let line = format!("#role_name = {name}\n");
    assert!(config.contains(&line), "config.toml has no {line}");
}
