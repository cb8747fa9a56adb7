//! What each policy lets do, and what none may.

use std::collections::BTreeSet;

use serde_json::Value;

use super::grants::Grants;
use super::template;
use crate::config::{Config, Detail, Overrides};

fn config(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    crate::config::load(Some(&file), [], &Overrides::default(), &()).unwrap()
}

const LISTED: &str = r#"
[aws]
region = "us-gov-west-1"

[[accounts]]
id = "000000000012"
role_arn = "arn:aws-us-gov:iam::000000000012:role/audit/reader"
external_id = "one"
region = "us-gov-west-1"

[[accounts]]
id = "111122223333"
role_arn = "arn:aws-us-gov:iam::111122223333:role/audit/reader"
external_id = "one"
region = "us-gov-west-1"

[[accounts]]
id = "222233334444"
profile = "legacy"
region = "us-gov-west-1"
"#;

/// As [`config`] would read it, were the organization all there is.
fn organization(access: crate::config::MemberAccess) -> Config {
    let mut config = config("");
    config.organization.enabled = true;
    config.organization.access = access;
    config
}

fn actions(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(document, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(action) if name == "Action" => {
                        found.insert(action.clone());
                    }
                    Value::Array(actions) if name == "Action" => {
                        found.extend(actions.iter().map(|it| it.as_str().unwrap().to_owned()));
                    }
                    _ => collect(field, found),
                }
            }
        }
        _ => {}
    }
}

fn set<const N: usize>(actions: [&str; N]) -> BTreeSet<String> {
    actions.map(str::to_owned).into()
}

const READ: [&str; 3] = [
    "iam:GenerateCredentialReport",
    "iam:GetAccountSummary",
    "iam:GetCredentialReport",
];

#[test]
fn an_exporter_of_its_own_account_may_read_it_and_nothing_more() {
    let config = config("");
    let hub = Grants::new(&config, None, None).hub().unwrap();
    assert_eq!(actions(&hub), set(READ));
}

#[test]
fn a_source_that_is_off_needs_no_permission() {
    let config = config("[sources]\ncredential_report = false\n");
    let hub = Grants::new(&config, None, None).hub().unwrap();
    assert_eq!(actions(&hub), set(["iam:GetAccountSummary"]));
}

#[test]
fn listed_roles_are_assumed_by_their_arns_alone() {
    let config = config(LISTED);
    let hub = Grants::new(&config, None, None).hub().unwrap();
    assert_eq!(actions(&hub), set(["sts:AssumeRole"]));
    assert_eq!(
        hub["Statement"][0]["Resource"],
        serde_json::json!([
            "arn:aws-us-gov:iam::000000000012:role/audit/reader",
            "arn:aws-us-gov:iam::111122223333:role/audit/reader",
        ])
    );
}

#[test]
fn an_organization_gets_the_permissions_that_its_access_needs() {
    use crate::config::MemberAccess::{Both, Role, Root};
    let always = [
        "iam:ListOrganizationsFeatures",
        "organizations:DescribeOrganization",
        "organizations:ListAccounts",
    ];
    for (access, entering) in [
        (Role, vec!["sts:AssumeRole"]),
        (Root, vec!["sts:AssumeRoot"]),
        (Both, vec!["sts:AssumeRole", "sts:AssumeRoot"]),
    ] {
        let config = organization(access);
        let hub = Grants::new(&config, None, None).hub().unwrap();
        let expected: BTreeSet<String> = READ
            .into_iter()
            .chain(always)
            .chain(entering)
            .map(str::to_owned)
            .collect();
        assert_eq!(actions(&hub), expected, "{access:?}");
    }
    let mut config = organization(Role);
    config.organization.tag_labels = vec!["team".to_owned()];
    let hub = Grants::new(&config, None, None).hub().unwrap();
    assert!(actions(&hub).contains("organizations:ListTagsForResource"));
    for (detail, needs_more) in [(Detail::Email, false), (Detail::Ou, true)] {
        config.organization.details = [detail].into();
        let hub = Grants::new(&config, None, None).hub().unwrap();
        for action in [
            "organizations:ListAccountsForParent",
            "organizations:ListOrganizationalUnitsForParent",
            "organizations:ListRoots",
        ] {
            assert_eq!(actions(&hub).contains(action), needs_more, "{action}");
        }
    }
}

#[test]
fn events_are_read_from_the_queue_of_this_shard_alone() {
    for (region, host, arn) in [
        (
            "eu-west-1",
            "sqs.us-east-1.amazonaws.com",
            "arn:aws:sqs:us-east-1:111122223333:events-2-b",
        ),
        (
            "us-gov-west-1",
            "127.0.0.1:4566",
            "arn:aws-us-gov:sqs:us-gov-west-1:111122223333:events-2-b",
        ),
    ] {
        let config = config(&format!(
            "[aws]\nregion = \"{region}\"\n[shard]\nindex = 2\ntotal = 3\n\
             [events]\nqueue_url = \"https://{host}/111122223333/events-{{shard}}-b\"\n"
        ));
        let hub = Grants::new(&config, None, None).hub().unwrap();
        let statement = hub["Statement"].as_array().unwrap().last().unwrap();
        assert_eq!(statement["Resource"], arn);
        assert_eq!(
            actions(statement),
            set([
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage"
            ])
        );
    }
}

#[test]
fn root_sessions_of_the_daemon_can_only_read() {
    let config = organization(crate::config::MemberAccess::Root);
    let hub = Grants::new(&config, None, None).hub().unwrap();
    let opens = hub["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .find(|statement| statement["Action"] == "sts:AssumeRoot")
        .unwrap();
    assert_eq!(
        opens["Condition"]["StringEquals"]["sts:TaskPolicyArn"],
        "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
    );
}

#[test]
fn the_audit_role_trusts_one_role_under_a_condition() {
    let listed = config(LISTED);
    let hub = "arn:aws-us-gov:iam::999988887777:role/hub";
    let roles = Grants::new(&listed, Some(hub), None).audit_roles().unwrap();
    let role = &roles["Roles"][0];
    assert_eq!(role["Accounts"][1], "111122223333");
    assert_eq!(
        (&role["Path"], &role["RoleName"]),
        (&"/audit/".into(), &"reader".into())
    );
    let trust = &role["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(
        trust["Principal"]["AWS"],
        "arn:aws-us-gov:iam::999988887777:root"
    );
    assert_eq!(trust["Condition"]["ArnEquals"]["aws:PrincipalArn"], hub);
    assert_eq!(trust["Condition"]["StringEquals"]["sts:ExternalId"], "one");
    assert_eq!(roles["Roles"].as_array().unwrap().len(), 1);
    assert_eq!(actions(&role["PolicyDocument"]), set(READ));

    let bare = config("");
    for (organization, expected) in [
        (None, "${aws:ResourceOrgID}"),
        (Some("o-a1b2c3d4e5"), "o-a1b2c3d4e5"),
    ] {
        let roles = Grants::new(&bare, None, organization)
            .audit_roles()
            .unwrap();
        let trust = &roles["Roles"][0]["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(
            trust["Condition"]["StringEquals"]["aws:PrincipalOrgID"],
            expected
        );
        // Not filled in, it names no account that there could be.
        assert_eq!(
            trust["Principal"]["AWS"],
            "arn:aws:iam::HUB_ACCOUNT_ID:root"
        );
    }
}

#[test]
fn the_template_has_the_configuration_s_values_as_defaults() {
    let listed = config(LISTED);
    let member = template::member_role(&Grants::new(&listed, None, None)).unwrap();
    assert_eq!(member["Parameters"]["RoleName"]["Default"], "reader");
    assert_eq!(member["Parameters"]["ExternalId"]["Default"], "one");
    assert!(member["Parameters"]["HubRoleArn"].get("Default").is_none());
    assert_eq!(
        member["Resources"]["MemberRole"]["Properties"]["Path"],
        "/audit/"
    );
    let hub = "arn:aws:iam::999988887777:role/hub";
    let bare = config("");
    let member =
        template::member_role(&Grants::new(&bare, Some(hub), Some("o-a1b2c3d4e5"))).unwrap();
    assert_eq!(
        member["Parameters"]["RoleName"]["Default"],
        "aws-root-exporter"
    );
    assert_eq!(
        member["Parameters"]["OrganizationId"]["Default"],
        "o-a1b2c3d4e5"
    );
    assert_eq!(member["Parameters"]["HubRoleArn"]["Default"], hub);
}

#[test]
fn deleting_is_possible_through_the_task_policy_alone() {
    let listed = config(LISTED);
    let policy = Grants::new(&listed, None, None).remediation().unwrap();
    assert_eq!(
        actions(&policy),
        set(["organizations:DescribeOrganization", "sts:AssumeRoot"])
    );
    let opens = &policy["Statement"][0];
    assert_eq!(
        opens["Resource"][0],
        "arn:aws-us-gov:iam::000000000012:root"
    );
    assert_eq!(
        opens["Condition"]["StringEquals"]["sts:TaskPolicyArn"],
        serde_json::json!([
            "arn:aws-us-gov:iam::aws:policy/root-task/IAMAuditRootUserCredentials",
            "arn:aws-us-gov:iam::aws:policy/root-task/IAMDeleteRootUserCredentials",
        ])
    );
}

/// So many accounts, each entered by a role of that name.
fn many(count: u64, role: impl Fn(u64) -> String) -> Config {
    let account = |number: u64| {
        let id = 100_000_000_000 + number;
        let role = role(number);
        format!("[[accounts]]\nid = \"{id}\"\nrole_arn = \"arn:aws:iam::{id}:role/{role}\"\n")
    };
    config(&(0..count).map(account).collect::<String>())
}

/// Which roles may be entered, one by one.
fn entered(policies: &[Value]) -> BTreeSet<String> {
    let mut roles = BTreeSet::new();
    for policy in policies {
        let mut sids = BTreeSet::new();
        for statement in policy["Statement"].as_array().unwrap() {
            assert!(sids.insert(statement["Sid"].to_string()), "{policy:#}");
            if statement["Action"] != "sts:AssumeRole" {
                continue;
            }
            let resource = match &statement["Resource"] {
                Value::Array(resources) => resources.clone(),
                one => vec![one.clone()],
            };
            let accounts = &statement["Condition"]["StringEquals"]["aws:ResourceAccount"];
            for resource in resource {
                let resource = resource.as_str().unwrap();
                match accounts.as_array() {
                    Some(accounts) => roles.extend(
                        accounts
                            .iter()
                            .map(|account| resource.replacen('*', account.as_str().unwrap(), 1)),
                    ),
                    None => assert!(roles.insert(resource.to_owned())),
                }
            }
        }
    }
    roles
}

#[test]
fn a_policy_that_is_too_long_is_shortened_or_split_and_grants_the_same() {
    let one_name = |_| "aws-root-exporter".to_owned();
    let own_name = |number| format!("reader-{number:04}-{}", "x".repeat(40));
    for (count, role, policies) in [
        (100, &one_name as &dyn Fn(u64) -> String, 1),
        (200, &one_name, 1),
        (1_000, &one_name, 3),
        (200, &own_name, 3),
    ] {
        let config = many(count, role);
        let hub = Grants::new(&config, None, None).hub().unwrap();
        let parts = super::document::split(&hub);
        assert_eq!(parts.len(), policies, "{count}");
        for part in &parts {
            assert!(part.to_string().len() <= 6_144, "{count}");
        }
        let expected = (0..count).map(|number| {
            let id = 100_000_000_000 + number;
            format!("arn:aws:iam::{id}:role/{}", role(number))
        });
        assert_eq!(entered(&parts), expected.collect(), "{count}");
    }
    let config = many(400, one_name);
    let remediation = Grants::new(&config, None, None).remediation().unwrap();
    let parts = super::document::split(&remediation);
    let targets = parts.iter().flat_map(|part| {
        assert!(part.to_string().len() <= 6_144);
        part["Statement"].as_array().unwrap()
    });
    let targets = targets.filter_map(|statement| statement["Resource"].as_array());
    let targets = targets.flatten().map(Value::to_string);
    assert_eq!(targets.collect::<BTreeSet<_>>().len(), 400);
}

#[test]
fn where_no_account_has_root_credentials_there_is_nothing_to_delete() {
    let china = config("[aws]\nregion = \"cn-north-1\"\n");
    assert!(Grants::new(&china, None, None).remediation().is_none());
    let both = config(
        "[[accounts]]\nid = \"000000000012\"\nprofile = \"a\"\nregion = \"cn-north-1\"\n\
         [[accounts]]\nid = \"000000000013\"\nprofile = \"b\"\nregion = \"us-east-1\"\n",
    );
    let policy = Grants::new(&both, None, None).remediation().unwrap();
    assert_eq!(
        policy["Statement"][0]["Resource"],
        serde_json::json!(["arn:aws:iam::000000000013:root"])
    );
}

#[test]
fn no_policy_has_a_wildcard_for_an_action() {
    for config in [
        config(""),
        config(LISTED),
        organization(crate::config::MemberAccess::Both),
    ] {
        let grants = Grants::new(&config, None, None);
        for document in [
            grants.audit_roles(),
            grants.hub(),
            grants.remediation(),
            template::member_role(&grants),
        ] {
            for action in actions(&document.unwrap()) {
                assert!(!action.contains('*'), "{action}");
            }
        }
    }
}
