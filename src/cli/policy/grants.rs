//! The exporter's permissions. Nothing else in the program lists them.
//!
//! `deploy/aws` grants the same with CloudFormation; a test compares the two. Sources: Service
//! Authorization Reference (IAM, STS, Organizations, SQS); IAM User Guide, "Centrally manage root access
//! for member accounts" and "AWS global condition context keys" (aws:ResourceAccount).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::document::{allow, document, fits, only_if};
use crate::account::{Access, Account, AccountId, Partition, Secret};
use crate::config::{Config, Detail};

/// Placeholders for the exporter's own role. IAM refuses them, so that a policy in which they were not
/// replaced trusts no role.
pub(super) const HUB_ACCOUNT: &str = "HUB_ACCOUNT_ID";
pub(super) const HUB_ROLE: &str = "HUB_ROLE_NAME";

/// A statement is as long as this many ARNs.
const STATEMENT: usize = 4;

/// The permissions that a configuration needs.
pub(super) struct Grants<'a> {
    pub config: &'a Config,
    pub partition: Partition,
    /// The ARN of the exporter's own role.
    pub hub: Option<&'a str>,
    /// The id of the organization.
    pub organization: Option<&'a str>,
}

/// A role that the exporter assumes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Role<'a> {
    /// With its path, if it has one.
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

    /// The calls to an account with its own credentials. They take no resource: each is about the
    /// account that makes it.
    pub fn read_own_account(&self) -> Option<Value> {
        let sources = &self.config.sources;
        let (report, summary) = (sources.credential_report, sources.account_summary);
        let actions: Vec<_> = [
            (report, "iam:GenerateCredentialReport"),
            (summary, "iam:GetAccountSummary"),
            (report, "iam:GetCredentialReport"),
        ]
        .into_iter()
        .filter_map(|(is_used, action)| is_used.then_some(action))
        .collect();
        (!actions.is_empty()).then(|| allow("ReadOwnAccount", actions, "*"))
    }

    /// The role in each monitored account: its trust policy and its policy.
    pub fn audit_roles(&self) -> Option<Value> {
        let policy = document(&[self.read_own_account()?]);
        let roles: Vec<Value> = self
            .roles()
            .into_iter()
            .map(|(role, accounts)| {
                let (path, name) = path_and_name(role.name);
                let accounts = if accounts.is_empty() {
                    json!("every member account")
                } else {
                    json!(accounts)
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

    /// The policy of the exporter's own role.
    pub fn hub(&self) -> Option<Value> {
        let exact = self.hub_with(self.enter_listed_roles())?;
        if fits(&exact) {
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
            self.read_events(),
        ];
        statements.extend(others.into_iter().flatten());
        (!statements.is_empty()).then(|| document(&statements))
    }

    /// The policy of a person who deletes root keys: it allows root sessions that list and delete
    /// them, and to find out which is the management account, which no root session can enter. `None`
    /// if no account has root credentials.
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
        let task_policies = [
            self.task_policy("IAMAuditRootUserCredentials"),
            self.task_policy("IAMDeleteRootUserCredentials"),
        ];
        let open = allow("OpenRootSessions", "sts:AssumeRoot", targets);
        Some(document(&[
            only_if(open, "sts:TaskPolicyArn", task_policies),
            allow(
                "KnowTheOrganization",
                "organizations:DescribeOrganization",
                "*",
            ),
        ]))
    }

    /// The name and the external id of the role in each member account of an organization.
    pub fn member_role(&self) -> (&'a str, Option<&'a Secret>) {
        let organization = &self.config.organization;
        match self.roles()[..] {
            // All listed accounts have the same role: this is the one to create.
            [(role, _)] if !organization.enabled => (role.name, role.external_id),
            _ => (&organization.role_name, organization.external_id.as_ref()),
        }
    }

    /// Each role that the exporter assumes, with its accounts; without any for the role in every
    /// member account.
    fn roles(&self) -> Vec<(Role<'a>, Vec<AccountId>)> {
        let organization = &self.config.organization;
        let mut roles: Vec<(Role<'a>, Vec<AccountId>)> = Vec::new();
        for account in &self.config.accounts {
            let Some((arn, external_id)) = role_arn(account) else {
                continue;
            };
            let Some((_, name)) = arn.split_once(":role/") else {
                continue;
            };
            let role = Role {
                name,
                external_id,
                partition: account.partition(),
            };
            match roles.iter_mut().find(|(known, _)| *known == role) {
                Some((_, accounts)) => accounts.push(account.id),
                None => roles.push((role, vec![account.id])),
            }
        }
        if self.enters_member_roles() || roles.is_empty() {
            let role = Role {
                name: &organization.role_name,
                external_id: organization.external_id.as_ref(),
                partition: self.partition,
            };
            roles.push((role, Vec::new()));
        }
        roles
    }

    /// The account is the principal and the role a condition: IAM stores a role that is the principal
    /// by a hidden id, so that a new role of the same name could not assume this one.
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
            // The caller must at least be in the organization of the role's account.
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

    /// Whether the caller's own account is read with its own credentials.
    fn reads_own_account(&self) -> bool {
        let accounts = &self.config.accounts;
        let is_own = |account: &Account| account.access == Some(Access::Caller);
        self.config.organization.enabled || accounts.is_empty() || accounts.iter().any(is_own)
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

    /// The same permissions in fewer characters: where many accounts have a role of the same name,
    /// that name and the accounts.
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
            let sid = format!("EnterRolesByName{}", at + 1);
            let enter = allow(&sid, "sts:AssumeRole", role);
            only_if(enter, "aws:ResourceAccount", accounts)
        }));
        statements
    }

    fn enter_member_roles(&self) -> Option<Value> {
        self.enters_member_roles().then(|| {
            let name = &self.config.organization.role_name;
            let roles = format!("arn:{}:iam::*:role/{name}", self.partition);
            // Only roles in the caller's own organization.
            let organization = self.organization.unwrap_or("${aws:PrincipalOrgID}");
            let enter = allow("EnterMemberRoles", "sts:AssumeRole", roles);
            only_if(enter, "aws:ResourceOrgID", organization)
        })
    }

    fn open_audit_sessions(&self) -> Option<Value> {
        let opens =
            self.config.organization.uses_root_sessions() && self.partition.has_root_credentials();
        opens.then(|| {
            let accounts = format!("arn:{}:iam::*:root", self.partition);
            let open = allow("OpenAuditRootSessions", "sts:AssumeRoot", accounts);
            let task_policy = self.task_policy("IAMAuditRootUserCredentials");
            only_if(open, "sts:TaskPolicyArn", task_policy)
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
            if organization.details.contains(&Detail::Ou) {
                actions.extend([
                    "organizations:ListAccountsForParent",
                    "organizations:ListOrganizationalUnitsForParent",
                    "organizations:ListRoots",
                ]);
            }
            allow("FindAccounts", actions, "*")
        })
    }

    /// The events of this process: its own queue and no other.
    fn read_events(&self) -> Option<Value> {
        let queue = self.config.events.queue.as_ref()?;
        let region = queue.region.as_deref().unwrap_or(&self.config.aws.region);
        let partition = Partition::of_region(region);
        let (account, name) = (queue.account, &queue.name);
        let actions = [
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
        ];
        let queue = format!("arn:{partition}:sqs:{region}:{account}:{name}");
        Some(allow("ReadEvents", actions, queue))
    }

    fn task_policy(&self, name: &str) -> String {
        format!("arn:{}:iam::aws:policy/root-task/{name}", self.partition)
    }
}

/// The path and the name of a role whose name has its path before it.
pub(super) fn path_and_name(role: &str) -> (String, &str) {
    match role.rsplit_once('/') {
        Some((path, name)) => (format!("/{path}/"), name),
        None => ("/".to_owned(), role),
    }
}

fn enter_each<'a>(roles: impl Iterator<Item = &'a str>) -> Vec<Value> {
    let roles: BTreeSet<&str> = roles.collect();
    if roles.is_empty() {
        return Vec::new();
    }
    vec![allow("EnterListedRoles", "sts:AssumeRole", roles)]
}

fn role_arn(account: &Account) -> Option<(&str, Option<&Secret>)> {
    match &account.access {
        Some(Access::Role { arn, external_id }) => Some((arn, external_id.as_ref())),
        Some(Access::Caller | Access::Profile(_)) | None => None,
    }
}
