//! Organizations: the list of accounts, their tags, and IAM's view of the organization.
//!
//! Sources: Organizations API Reference, version 2016-11-28; IAM API Reference,
//! `ListOrganizationsFeatures`.

use std::collections::BTreeSet;
use std::ops::Bound::{Included, Unbounded};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::{Failure, Reply};
use crate::context::Context;
use crate::fault::FaultKind;
use crate::id::AccountId;
use crate::model::{Account, State};
use crate::operation::Operation;
use crate::request::Request;

/// Answers a request that its caller may make.
pub(crate) fn answer(state: &State, context: &Context) -> Result<Reply, Failure> {
    let organization = &state.organization;
    if !organization.enabled {
        let message = "Your account is not a member of an organization.";
        return Err(Failure::new(
            400,
            "AWSOrganizationsNotInUseException",
            message,
        ));
    }
    if context.operation == Operation::DescribeOrganization {
        return Ok(Reply::Json(json!({"Organization": describe(state)})));
    }
    if !organization.administers(context.caller.account) {
        return Err(Failure::denied(
            "You don't have permissions to access this resource.",
        ));
    }
    if context.operation == Operation::ListTagsForResource {
        return tags(state, context.request);
    }
    match context.operation {
        Operation::ListRoots => return Ok(Reply::Json(json!({"Roots": [describe_root(state)]}))),
        Operation::ListOrganizationalUnitsForParent => return units(state, context.request),
        Operation::ListAccountsForParent => return accounts_of_unit(state, context.request),
        _ => {}
    }
    if context.has(FaultKind::EmptyPageForEver) {
        return Ok(empty_page(&Token::default()));
    }
    list(state, context.request)
}

/// Which features of centralised root access are on: both, or none.
pub(crate) fn features(state: &State, context: &Context) -> Result<Reply, Failure> {
    let organization = &state.organization;
    if !organization.enabled {
        let message = "Your account is not a member of an organization.";
        return Err(Failure::new(404, "OrganizationNotFoundException", message));
    }
    if !organization.administers(context.caller.account) {
        let code = "AccountNotManagementOrDelegatedAdministratorException";
        let message =
            "The account is neither the management account nor a delegated administrator.";
        return Err(Failure::new(403, code, message));
    }
    let enabled = if organization.root_access {
        "<member>RootCredentialsManagement</member><member>RootSessions</member>"
    } else {
        ""
    };
    Ok(Reply::Xml(format!(
        "<OrganizationId>o-simulated0</OrganizationId>\
         <EnabledFeatures>{enabled}</EnabledFeatures>"
    )))
}

fn describe(state: &State) -> Value {
    let management = state.organization.management;
    json!({
        "Id": "o-simulated0",
        "Arn": format!("arn:aws:organizations::{management}:organization/o-simulated0"),
        "FeatureSet": "ALL",
        "MasterAccountId": management.to_string(),
    })
}

fn tags(state: &State, request: &Request) -> Result<Reply, Failure> {
    let account = request.target().and_then(|id| state.accounts.get(&id));
    let account = account.filter(|it| it.in_organization).ok_or_else(|| {
        let message = "You specified a target that doesn't exist.";
        Failure::new(400, "TargetNotFoundException", message)
    })?;
    let tags = account.tags.iter();
    let tags: Vec<Value> = tags
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    Ok(Reply::Json(json!({"Tags": tags})))
}

/// The root's id.
const ROOT: &str = "r-sim0";

fn describe_root(state: &State) -> Value {
    let management = state.organization.management;
    json!({
        "Id": ROOT,
        "Arn": format!("arn:aws:organizations::{management}:root/o-simulated0/{ROOT}"),
        "Name": "Root",
        "PolicyTypes": [],
    })
}

/// The paths of all units, each below the root.
fn unit_paths(state: &State) -> BTreeSet<&[String]> {
    let members = state.accounts.values().filter(|it| it.in_organization);
    members
        .flat_map(|account| (1..=account.units.len()).map(|depth| &account.units[..depth]))
        .collect()
}

/// The id of a unit: that of the root, or one that only the path decides.
fn unit_id(path: &[String]) -> String {
    if path.is_empty() {
        return ROOT.to_owned();
    }
    // FNV-1a, with an end after each name.
    let bytes = path.iter().flat_map(|name| name.bytes().chain([0]));
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("ou-sim0-{hash:08x}")
}

/// The path of the parent that a request names.
fn parent<'a>(state: &'a State, request: &Request) -> Result<&'a [String], Failure> {
    let id = request.member("ParentId").and_then(Value::as_str);
    let mut all = std::iter::once(&[][..]).chain(unit_paths(state));
    all.find(|path| Some(&*unit_id(path)) == id).ok_or_else(|| {
        let message = "We can't find a root or OU with the ParentId that you specified.";
        Failure::new(400, "ParentNotFoundException", message)
    })
}

fn units(state: &State, request: &Request) -> Result<Reply, Failure> {
    let parent = parent(state, request)?;
    let management = state.organization.management;
    let paths = unit_paths(state).into_iter();
    let children = paths.filter(|path| path.len() == parent.len() + 1 && path.starts_with(parent));
    let units = children.map(|path| {
        let id = unit_id(path);
        json!({
            "Id": id,
            "Arn": format!("arn:aws:organizations::{management}:ou/o-simulated0/{id}"),
            "Name": path.last(),
        })
    });
    page(state, request, "OrganizationalUnits", units.collect())
}

fn accounts_of_unit(state: &State, request: &Request) -> Result<Reply, Failure> {
    let parent = parent(state, request)?;
    let members = state.accounts.values().filter(|it| it.in_organization);
    let members = members.filter(|account| account.units == parent);
    let members = members.map(|account| describe_account(state, account));
    page(state, request, "Accounts", members.collect())
}

/// A page of entries. Its token is the number of entries before it.
fn page(state: &State, request: &Request, name: &str, all: Vec<Value>) -> Result<Reply, Failure> {
    let from = match request.member("NextToken").and_then(Value::as_str) {
        None => 0,
        Some(text) => text.parse::<usize>().map_err(|_| {
            let message = "You specified an invalid value.";
            Failure::new(400, "InvalidInputException", message)
        })?,
    };
    let size = state.organization.page_size.max(1);
    let count = all.len();
    let entries: Vec<_> = all.into_iter().skip(from).take(size).collect();
    let mut answer = json!({ name: entries });
    if from + size < count {
        answer["NextToken"] = json!((from + size).to_string());
    }
    Ok(Reply::Json(answer))
}

/// Where a page begins.
#[derive(Default, Serialize, Deserialize)]
struct Token {
    page: usize,
    /// Its first account; `None` for the first there is.
    from: Option<AccountId>,
    /// Whether the empty page before this one has been sent.
    empty_sent: bool,
}

impl Token {
    fn text(&self) -> String {
        // A struct of numbers always serializes.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn empty_page(next: &Token) -> Reply {
    Reply::Json(json!({"Accounts": [], "NextToken": next.text()}))
}

fn list(state: &State, request: &Request) -> Result<Reply, Failure> {
    let organization = &state.organization;
    let token = match request.member("NextToken").and_then(Value::as_str) {
        None => Token::default(),
        Some(text) => serde_json::from_str(text).map_err(|_| {
            let message = "You specified an invalid value.";
            Failure::new(400, "InvalidInputException", message)
        })?,
    };
    if organization.empty_page_before == Some(token.page) && !token.empty_sent {
        return Ok(empty_page(&Token {
            empty_sent: true,
            ..token
        }));
    }
    let most = request.member("MaxResults").and_then(Value::as_u64);
    let most = most.and_then(|most| usize::try_from(most).ok());
    let size = organization
        .page_size
        .min(most.unwrap_or(usize::MAX))
        .max(1);
    let mut members = state
        .accounts
        .range((token.from.map_or(Unbounded, Included), Unbounded))
        .map(|(_, account)| account)
        .filter(|account| account.in_organization);
    let page = members.by_ref().take(size);
    let page: Vec<Value> = page
        .map(|account| describe_account(state, account))
        .collect();
    let mut answer = json!({"Accounts": page});
    if let Some(next) = members.next() {
        let next = Token {
            page: token.page + 1,
            from: Some(next.id()),
            empty_sent: false,
        };
        answer["NextToken"] = Value::String(next.text());
    }
    Ok(Reply::Json(answer))
}

fn describe_account(state: &State, account: &Account) -> Value {
    let (management, id) = (state.organization.management, account.id());
    let mut description = json!({
        "Id": id.to_string(),
        "Arn": format!("arn:aws:organizations::{management}:account/o-simulated0/{id}"),
        "Email": format!("aws+{}@example.com", account.name),
        "Name": account.name,
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": account.created,
    });
    for (field, state) in [("State", account.state), ("Status", account.status)] {
        if let Some(state) = state {
            description[field] = json!(state.as_str());
        }
    }
    description
}
