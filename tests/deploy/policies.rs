//! The command `policy` prints the same permissions that the templates in `deploy/aws` grant.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::cloudformation::Stack;
use test_support::daemon::command as exporter;
use test_support::program::{succeed, succeed_silently, texts, venv, yaml};
use test_support::repository;

use super::support::walk;

const HUB: &str = "deploy/aws/hub.yaml";
const MEMBER: &str = "deploy/aws/member-role.stackset.yaml";
const REMEDIATION: &str = "deploy/aws/remediation.yaml";

const HUB_ARN: &str = "arn:aws:iam::999988887777:role/aws-root-exporter-hub";
const ORGANIZATION: &str = "o-a1b2c3d4e5";

fn template(path: &str) -> Value {
    yaml([repository(path)]).remove(0)
}

/// The output of `policy` with a configuration.
fn printed(config: &str, line: &str) -> Value {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("config.toml"), config).unwrap();
    let mut command = exporter();
    command
        .current_dir(folder.path())
        .arg("policy")
        .args(line.split(' '));
    serde_json::from_str(&succeed(&mut command)).unwrap()
}

/// The statements of a role's only policy.
fn statements(stack: &Stack, role: &str) -> Value {
    stack.property(role, "Policies")[0]["PolicyDocument"]["Statement"].clone()
}

#[test]
fn the_printed_stackset_is_the_template_of_the_member_role() {
    assert_eq!(printed("", "stackset"), template(MEMBER));
}

#[test]
fn the_audit_role_is_that_of_the_template() {
    let template = template(MEMBER);
    for (config, organization) in [
        (
            "[organization]\nexternal_id = \"abc\"\n",
            Some(ORGANIZATION),
        ),
        ("[organization]\nexternal_id = \"abc\"\n", None),
        ("", Some(ORGANIZATION)),
    ] {
        let external_id = if config.is_empty() { "" } else { "abc" };
        let stack = Stack::new(
            &template,
            [
                ("HubRoleArn", HUB_ARN),
                ("OrganizationId", organization.unwrap_or_default()),
                ("ExternalId", external_id),
            ],
        );
        let made = |name: &str| stack.property("MemberRole", name);
        let option = organization.map_or_else(String::new, |id| format!(" --organization {id}"));
        let printed = printed(config, &format!("audit-role --hub {HUB_ARN}{option}"));
        let role = &printed["Roles"][0];
        assert_eq!(
            role["AssumeRolePolicyDocument"],
            made("AssumeRolePolicyDocument")
        );
        assert_eq!(role["RoleName"], made("RoleName"));
        assert_eq!(
            role["PolicyDocument"]["Statement"],
            statements(&stack, "MemberRole")
        );
    }
}

#[test]
fn the_hub_policy_is_that_of_the_template() {
    let template = template(HUB);
    let stack = Stack::new(&template, [("Access", "none"), ("Discovery", "false")]);
    assert_eq!(
        printed("", "hub")["Statement"],
        statements(&stack, "HubRole")
    );
    for access in ["role", "root", "both"] {
        let config = format!(
            "[organization]\nenabled = true\naccess = \"{access}\"\ntag_labels = [\"team\"]\n\
             details = [\"ou\"]\n"
        );
        let stack = Stack::new(
            &template,
            [("Access", access), ("OrganizationId", ORGANIZATION)],
        );
        assert_eq!(
            printed(&config, &format!("hub --organization {ORGANIZATION}"))["Statement"],
            statements(&stack, "HubRole")
        );
    }
}

#[test]
fn the_permissions_on_the_queue_of_events_are_those_of_the_template() {
    const QUEUE: &str = "arn:aws:sqs:us-east-1:999988887777:aws-root-exporter-0";
    let template = template(HUB);
    let given = [
        ("Access", "none"),
        ("Discovery", "false"),
        ("EventQueueArns", QUEUE),
    ];
    let mut made = statements(&Stack::new(&template, given), "HubRole");
    // A list with one item means the same as the item.
    let queues = made[1]["Resource"].take();
    assert_eq!(queues, serde_json::json!([QUEUE]));
    made[1]["Resource"] = queues[0].clone();
    let url = "https://sqs.us-east-1.amazonaws.com/999988887777/aws-root-exporter-{shard}";
    let config = format!("[events]\nqueue_url = \"{url}\"\n");
    assert_eq!(printed(&config, "hub")["Statement"], made);
}

#[test]
fn the_remediation_policy_is_that_of_the_template() {
    let template = template(REMEDIATION);
    let stack = Stack::new(&template, [("TrustedPrincipalArn", HUB_ARN)]);
    assert_eq!(
        printed("", "remediate")["Statement"],
        statements(&stack, "RemediationRole")
    );
    let stack = Stack::new(
        &template,
        [
            ("TrustedPrincipalArn", HUB_ARN),
            ("AccountId", "000000000012"),
        ],
    );
    let config = "[[accounts]]\nid = \"000000000012\"\nprofile = \"x\"\n";
    let mut printed = printed(config, "remediate")["Statement"].clone();
    // A list with one item means the same as the item.
    printed[0]["Resource"] = printed[0]["Resource"][0].clone();
    assert_eq!(printed, statements(&stack, "RemediationRole"));
}

#[test]
fn cfn_lint_finds_nothing_in_the_printed_template() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("member.json");
    for config in [
        "",
        "[organization]\nexternal_id = \"abc\"\nrole_name = \"audit/reader\"\n",
    ] {
        let template = printed(config, &format!("stackset --organization {ORGANIZATION}"));
        std::fs::write(&file, template.to_string()).unwrap();
        succeed_silently(
            Command::new(venv("cfn-lint"))
                .args(["--include-checks", "I", "--"])
                .arg(&file),
        );
    }
}

#[test]
fn printed_policies_have_no_action_wildcard_and_the_configured_partition() {
    let config = "[aws]\nregion = \"us-gov-west-1\"\n";
    for kind in ["audit-role", "hub", "stackset", "remediate"] {
        let printed = printed(config, kind);
        walk(&printed, &mut |value| {
            if let Some(action) = value.get("Action") {
                assert!(!action.to_string().contains('*'), "{kind}: {action}");
            }
        });
        assert!(
            !printed.to_string().contains("arn:aws:"),
            "{kind}: {printed}"
        );
    }
}

#[test]
fn missing_values_are_reported_and_invalid_ones_refused() {
    let folder = TempDir::new().unwrap();
    let run = |line: &str| {
        let output = exporter()
            .current_dir(folder.path())
            .args(line.split(' '))
            .output()
            .unwrap();
        (output.status.code().unwrap(), texts(&output).1)
    };
    let (code, message) = run("policy audit-role");
    assert_eq!(code, 0);
    assert!(message.contains("--hub"), "{message}");
    for line in [
        "policy audit-role --hub 999988887777",
        "policy audit-role --hub arn:aws:iam::999988887777:role/*",
        "policy stackset --organization 999988887777",
    ] {
        assert_eq!(run(line).0, 2, "{line}");
    }
}
