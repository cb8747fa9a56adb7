//! Who may do what: the one place where the exporter's rights are listed.
//!
//! `deploy/aws` offers the same rights as CloudFormation; a test compares the two. Sources: Service
//! Authorization Reference (IAM, STS, Organizations); IAM User Guide, "Centrally manage root access
//! for member accounts" and "AWS global condition context keys" (aws:ResourceAccount).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::size;
use crate::account::{Access, Account, AccountId, Partition, Secret};
use crate::config::Config;

/// Stand where nobody has said what the exporter runs as. IAM refuses them, so that a policy that
/// was not filled in trusts nobody.
pub(super) const HUB_ACCOUNT: &str = "HUB_ACCOUNT_ID";
pub(super) const HUB_ROLE: &str = "HUB_ROLE_NAME";

/// So many ARNs are as long as a statement.
const STATEMENT: usize = 4;

/// What the configuration needs.
pub(super) struct Grants<'a> {
    pub config: &'a Config,
    pub partition: Partition,
    /// The ARN of the exporter's own role.
    pub hub: Option<&'a str>,
    /// The id of the organization.
    pub organization: Option<&'a str>,
}

/// A role that is entered, and what it asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Role<'a> {
    /// With its path before it when it has one.
    name: &'a str,
    external_id: Option<&'a Secret>,
    partition: Partition,
}

impl<'a> Grants<'a> {
    pub fn new(config: &'a Config, hub: Option<&'a str>, organization: Option<&'a str>) -> Self {
        Self {
            config,
            partition: Partition::of_region(&config.aws.region),
            hub,
            organization,
        }
    }

    /// What is asked of an account with its own credentials. None of it takes a resource: it
    /// speaks of the account that asks.
    pub fn read_own_account(&self) -> Option<Value> {
        let sources = &self.config.sources;
        let mut actions = Vec::new();
        if sources.credential_report {
            actions.push("iam:GenerateCredentialReport");
        }
        if sources.account_summary {
            actions.push("iam:GetAccountSummary");
        }
        if sources.credential_report {
            actions.push("iam:GetCredentialReport");
        }
        (!actions.is_empty()).then(|| {
            json!({
                "Sid": "ReadOwnAccount",
                "Effect": "Allow",
                "Action": actions,
                "Resource": "*",
            })
        })
    }

    /// The role in each watched account: whom it trusts and what it may do.
    pub fn audit_roles(&self) -> Option<Value> {
        let policy = document(&[self.read_own_account()?]);
        let roles: Vec<Value> = self
            .roles()
            .into_iter()
            .map(|(role, accounts)| {
                let (path, name) = match role.name.rsplit_once('/') {
                    Some((path, name)) => (format!("/{path}/"), name),
                    None => ("/".to_owned(), role.name),
                };
                json!({
                    "Accounts": accounts,
                    "Path": path,
                    "RoleName": name,
                    "AssumeRolePolicyDocument": self.trust(role),
                    "PolicyDocument": policy,
                })
            })
            .collect();
        Some(json!({ "Roles": roles }))
    }

    /// What the exporter's own identity may do.
    pub fn hub(&self) -> Option<Value> {
        let exact = self.hub_with(self.enter_listed_roles())?;
        if size::fits(&exact) {
            return Some(exact);
        }
        self.hub_with(self.enter_roles_by_name())
    }

    fn hub_with(&self, enter_listed_roles: Vec<Value>) -> Option<Value> {
        let mut statements = Vec::new();
        if self.reads_own_account() {
            statements.extend(self.read_own_account());
        }
        statements.extend(enter_listed_roles);
        let others = [
            self.enter_member_roles(),
            self.open_audit_sessions(),
            self.find_accounts(),
        ];
        statements.extend(others.into_iter().flatten());
        (!statements.is_empty()).then(|| document(&statements))
    }

    /// What a person needs to delete root keys: to list first, then to delete, and to know which
    /// account no root session can enter. `None` where no account has root credentials.
    pub fn remediation(&self) -> Option<Value> {
        let accounts = &self.config.accounts;
        let listed: Vec<String> = accounts
            .iter()
            .filter(|account| account.partition().has_root_credentials())
            .map(|account| format!("arn:{}:iam::{}:root", account.partition(), account.id))
            .collect();
        let is_any = self.config.organization.enabled || accounts.is_empty();
        let targets = if is_any && self.partition.has_root_credentials() {
            json!(format!("arn:{}:iam::*:root", self.partition))
        } else if listed.is_empty() {
            return None;
        } else {
            json!(listed)
        };
        Some(document(&[
            json!({
                "Sid": "OpenRootSessions",
                "Effect": "Allow",
                "Action": "sts:AssumeRoot",
                "Resource": targets,
                "Condition": { "StringEquals": { "sts:TaskPolicyArn": [
                    self.task_policy("IAMAuditRootUserCredentials"),
                    self.task_policy("IAMDeleteRootUserCredentials"),
                ] } },
            }),
            json!({
                "Sid": "KnowTheOrganization",
                "Effect": "Allow",
                "Action": "organizations:DescribeOrganization",
                "Resource": "*",
            }),
        ]))
    }

    /// The name and the external id of the role that an organization's members have.
    pub fn member_role(&self) -> (&'a str, Option<&'a Secret>) {
        let organization = &self.config.organization;
        let only = match self.roles().as_slice() {
            // One role in every account is what there is to roll out, whoever listed it.
            [(role, _)] if !organization.enabled => Some(*role),
            _ => None,
        };
        only.map_or(
            (
                organization.role_name.as_str(),
                organization.external_id.as_ref(),
            ),
            |role| (role.name, role.external_id),
        )
    }

    /// Each role that is entered, once, and in which accounts.
    fn roles(&self) -> Vec<(Role<'a>, Value)> {
        let organization = &self.config.organization;
        let mut roles: Vec<(Role<'a>, Vec<AccountId>)> = Vec::new();
        for account in &self.config.accounts {
            let Some(role) = role_of(account) else {
                continue;
            };
            match roles.iter_mut().find(|(known, _)| *known == role) {
                Some((_, accounts)) => accounts.push(account.id),
                None => roles.push((role, vec![account.id])),
            }
        }
        let mut roles: Vec<(Role<'a>, Value)> = roles
            .into_iter()
            .map(|(role, accounts)| (role, json!(accounts)))
            .collect();
        if self.enters_member_roles() || roles.is_empty() {
            let role = Role {
                name: &organization.role_name,
                external_id: organization.external_id.as_ref(),
                partition: self.partition,
            };
            roles.push((role, json!("every member account")));
        }
        roles
    }

    /// The account is the principal and the role a condition: a role that is named as the
    /// principal is bound by a hidden id, and one made anew under its name could not enter.
    fn trust(&self, role: Role<'_>) -> Value {
        let partition = role.partition;
        let (account, hub) = match self.hub {
            Some(hub) => (hub.split(':').nth(4).unwrap_or_default(), hub.to_owned()),
            None => (
                HUB_ACCOUNT,
                format!("arn:{partition}:iam::{HUB_ACCOUNT}:role/{HUB_ROLE}"),
            ),
        };
        let mut bounds = json!({});
        if let Some(id) = self.organization {
            bounds["aws:PrincipalOrgID"] = json!(id);
        }
        match role.external_id {
            Some(secret) => bounds["sts:ExternalId"] = json!(secret.expose()),
            // Whoever enters is at least of the organization that the role's account is of.
            None if self.organization.is_none() => {
                bounds["aws:PrincipalOrgID"] = json!("${aws:ResourceOrgID}");
            }
            None => {}
        }
        document(&[json!({
            "Sid": "Exporter",
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:{partition}:iam::{account}:root") },
            "Action": "sts:AssumeRole",
            "Condition": {
                "ArnEquals": { "aws:PrincipalArn": hub },
                "StringEquals": bounds,
            },
        })])
    }

    /// Whether the caller's own account is read with the caller's credentials.
    fn reads_own_account(&self) -> bool {
        self.config.organization.enabled
            || self.config.accounts.is_empty()
            || self
                .config
                .accounts
                .iter()
                .any(|account| account.access == Some(Access::Caller))
    }

    fn enters_member_roles(&self) -> bool {
        use crate::config::MemberAccess::{Both, Role};
        let organization = &self.config.organization;
        organization.enabled && matches!(organization.access, Role | Both)
    }

    fn enter_listed_roles(&self) -> Vec<Value> {
        let roles = self.config.accounts.iter().filter_map(role_arn);
        enter_each(roles.map(|(arn, _)| arn))
    }

    /// The same rights in fewer characters: where many accounts have a role of one name, that name
    /// and the accounts.
    fn enter_roles_by_name(&self) -> Vec<Value> {
        let mut by_name: BTreeMap<String, BTreeMap<&str, &str>> = BTreeMap::new();
        for (arn, _) in self.config.accounts.iter().filter_map(role_arn) {
            let fields: Vec<&str> = arn.splitn(6, ':').collect();
            if let [_, partition, _, _, id, role] = fields[..] {
                let any = format!("arn:{partition}:iam::*:{role}");
                by_name.entry(any).or_default().insert(id, arn);
            }
        }
        let few = |accounts: &BTreeMap<&str, &str>| accounts.len() < STATEMENT;
        let rest = by_name.values().filter(|accounts| few(accounts));
        let mut statements = enter_each(rest.flat_map(|few| few.values().copied()));
        let named = by_name.iter().filter(|(_, accounts)| !few(accounts));
        statements.extend(named.enumerate().map(|(at, (role, accounts))| {
            let accounts: Vec<&&str> = accounts.keys().collect();
            json!({
                "Sid": format!("EnterRolesByName{}", at + 1),
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Resource": role,
                "Condition": { "StringEquals": { "aws:ResourceAccount": accounts } },
            })
        }));
        statements
    }

    fn enter_member_roles(&self) -> Option<Value> {
        self.enters_member_roles().then(|| {
            json!({
                "Sid": "EnterMemberRoles",
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Resource": format!(
                    "arn:{}:iam::*:role/{}",
                    self.partition, self.config.organization.role_name
                ),
                // No role outside the caller's own organization.
                "Condition": { "StringEquals": {
                    "aws:ResourceOrgID": self.organization.unwrap_or("${aws:PrincipalOrgID}"),
                } },
            })
        })
    }

    fn open_audit_sessions(&self) -> Option<Value> {
        let opens =
            self.config.organization.uses_root_sessions() && self.partition.has_root_credentials();
        opens.then(|| {
            json!({
                "Sid": "OpenAuditRootSessions",
                "Effect": "Allow",
                "Action": "sts:AssumeRoot",
                "Resource": format!("arn:{}:iam::*:root", self.partition),
                "Condition": { "StringEquals": {
                    "sts:TaskPolicyArn": self.task_policy("IAMAuditRootUserCredentials"),
                } },
            })
        })
    }

    fn find_accounts(&self) -> Option<Value> {
        let organization = &self.config.organization;
        organization.enabled.then(|| {
            let mut actions = vec![
                "iam:ListOrganizationsFeatures",
                "organizations:DescribeOrganization",
                "organizations:ListAccounts",
            ];
            if !organization.tag_labels.is_empty() {
                actions.push("organizations:ListTagsForResource");
            }
            json!({
                "Sid": "FindAccounts",
                "Effect": "Allow",
                "Action": actions,
                "Resource": "*",
            })
        })
    }

    fn task_policy(&self, name: &str) -> String {
        format!("arn:{}:iam::aws:policy/root-task/{name}", self.partition)
    }
}

/// A policy of these statements.
pub(super) fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn enter_each<'a>(roles: impl Iterator<Item = &'a str>) -> Vec<Value> {
    let roles: BTreeSet<&str> = roles.collect();
    let statement = json!({
        "Sid": "EnterListedRoles",
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": roles,
    });
    (!roles.is_empty())
        .then_some(statement)
        .into_iter()
        .collect()
}

fn role_arn(account: &Account) -> Option<(&str, Option<&Secret>)> {
    match &account.access {
        Some(Access::Role { arn, external_id }) => Some((arn, external_id.as_ref())),
        Some(Access::Caller | Access::Profile(_)) | None => None,
    }
}

fn role_of(account: &Account) -> Option<Role<'_>> {
    let (arn, external_id) = role_arn(account)?;
    Some(Role {
        name: arn.split_once(":role/")?.1,
        external_id,
        partition: account.partition(),
    })
}
