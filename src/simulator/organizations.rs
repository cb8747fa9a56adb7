//! Organizations: the list of accounts, their tags, and what IAM says of the organization.
//!
//! Sources: Organizations API Reference, version 2016-11-28; IAM API Reference,
//! `ListOrganizationsFeatures`.

use std::collections::BTreeSet;
use std::ops::Bound::{Included, Unbounded};

use serde_json::{Map, Value, json};

use super::account::Account;
use super::answer::{Failure, Reply};
use super::fault::FaultKind;
use super::operation::Operation;
use super::request::Request;
use super::session::Caller;
use super::world::State;
use crate::account::AccountId;

/// The organization the accounts belong to.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Whether there is one.
    pub enabled: bool,
    /// Its management account.
    pub management: AccountId,
    /// Accounts that may list the others and open root sessions as if they were that one.
    pub delegated: BTreeSet<AccountId>,
    /// Whether centralised root access is on.
    pub root_access: bool,
    /// Accounts on a page, 20 at AWS.
    pub page_size: usize,
    /// The page, counted from 0, before which an empty one with a `NextToken` comes.
    pub empty_page_before: Option<usize>,
}

impl Organization {
    pub(super) fn new(management: AccountId) -> Self {
        Self {
            enabled: true,
            management,
            delegated: BTreeSet::new(),
            root_access: true,
            page_size: 20,
            empty_page_before: None,
        }
    }

    /// Whether that account may ask about the others.
    pub(super) fn administers(&self, account: AccountId) -> bool {
        account == self.management || self.delegated.contains(&account)
    }
}

/// Answers a request that its caller may make.
pub(super) fn answer(
    state: &State,
    caller: &Caller,
    operation: Operation,
    request: &Request,
    faults: &[FaultKind],
) -> Result<Reply, Failure> {
    let organization = &state.organization;
    if !organization.enabled {
        return Err(Failure::new(
            400,
            "AWSOrganizationsNotInUseException",
            "Your account is not a member of an organization.",
        ));
    }
    if operation == Operation::DescribeOrganization {
        return Ok(Reply::Json(json!({"Organization": describe(state)})));
    }
    if !organization.administers(caller.account) {
        return Err(Failure::denied(
            "You don't have permissions to access this resource.",
        ));
    }
    if operation == Operation::ListTagsForResource {
        return tags(state, request);
    }
    if faults.contains(&FaultKind::EmptyPageForEver) {
        return Ok(Reply::Json(
            json!({"Accounts": [], "NextToken": Token::first().text()}),
        ));
    }
    list(state, request)
}

/// Which features of centralised root access are on: both, or none.
pub(super) fn features(organization: &Organization, caller: &Caller) -> Result<Reply, Failure> {
    if !organization.enabled {
        return Err(Failure::new(
            404,
            "OrganizationNotFoundException",
            "Your account is not a member of an organization.",
        ));
    }
    if !organization.administers(caller.account) {
        return Err(Failure::new(
            403,
            "AccountNotManagementOrDelegatedAdministratorException",
            "The account is neither the management account nor a delegated administrator.",
        ));
    }
    let enabled = if organization.root_access {
        "<member>RootCredentialsManagement</member><member>RootSessions</member>"
    } else {
        ""
    };
    Ok(Reply::xml(format!(
        "<OrganizationId>o-simulated0</OrganizationId>\
         <EnabledFeatures>{enabled}</EnabledFeatures>"
    )))
}

fn arn(state: &State, resource: &str) -> String {
    let management = state.organization.management;
    format!("arn:aws:organizations::{management}:{resource}")
}

fn describe(state: &State) -> Value {
    let management = state.organization.management;
    let email = state
        .accounts
        .get(&management)
        .map_or("", |account| account.email.as_str());
    json!({
        "Id": "o-simulated0",
        "Arn": arn(state, "organization/o-simulated0"),
        "FeatureSet": "ALL",
        "MasterAccountArn": arn(state, &format!("account/o-simulated0/{management}")),
        "MasterAccountId": management,
        "MasterAccountEmail": email,
        "AvailablePolicyTypes": [],
    })
}

fn tags(state: &State, request: &Request) -> Result<Reply, Failure> {
    let account = request
        .target()
        .and_then(|id| state.accounts.get(&id))
        .filter(|account| account.in_organization)
        .ok_or_else(|| {
            Failure::new(
                400,
                "TargetNotFoundException",
                "You specified a target that doesn't exist.",
            )
        })?;
    let tags: Vec<Value> = account
        .tags
        .iter()
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    Ok(Reply::Json(json!({"Tags": tags})))
}

/// Where a page begins.
#[derive(Clone, Copy)]
struct Token {
    page: usize,
    /// Its first account; `None` for the first there is.
    from: Option<AccountId>,
    /// Whether the empty page that comes before this one has been shown.
    shown_empty: bool,
}

impl Token {
    fn first() -> Self {
        Self {
            page: 0,
            from: None,
            shown_empty: false,
        }
    }

    fn text(self) -> String {
        let from = self.from.map_or_else(String::new, |from| from.to_string());
        format!("page-{}-{from}-{}", self.page, u8::from(self.shown_empty))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("page-")?.split('-');
        Some(Self {
            page: parts.next()?.parse().ok()?,
            from: match parts.next()? {
                "" => None,
                from => Some(from.parse().ok()?),
            },
            shown_empty: parts.next()? == "1",
        })
    }
}

fn list(state: &State, request: &Request) -> Result<Reply, Failure> {
    let organization = &state.organization;
    let token = match request.member("NextToken").and_then(Value::as_str) {
        None => Token::first(),
        Some(text) => Token::parse(text).ok_or_else(|| {
            Failure::new(
                400,
                "InvalidInputException",
                "You specified an invalid value.",
            )
        })?,
    };
    if organization.empty_page_before == Some(token.page) && !token.shown_empty {
        let again = Token {
            shown_empty: true,
            ..token
        };
        return Ok(Reply::Json(
            json!({"Accounts": [], "NextToken": again.text()}),
        ));
    }
    let asked = request
        .member("MaxResults")
        .and_then(Value::as_u64)
        .and_then(|asked| usize::try_from(asked).ok())
        .unwrap_or(usize::MAX);
    let size = organization.page_size.min(asked).max(1);
    let mut members = state
        .accounts
        .range((token.from.map_or(Unbounded, Included), Unbounded))
        .map(|(_, account)| account)
        .filter(|account| account.in_organization);
    let page: Vec<Value> = members
        .by_ref()
        .take(size)
        .map(|account| describe_account(state, account))
        .collect();
    let mut answer = json!({"Accounts": page});
    if let Some(next) = members.next() {
        let next = Token {
            page: token.page + 1,
            from: Some(next.id()),
            shown_empty: false,
        };
        answer["NextToken"] = Value::String(next.text());
    }
    Ok(Reply::Json(answer))
}

fn describe_account(state: &State, account: &Account) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("Id", json!(account.id()));
    set(
        "Arn",
        json!(arn(
            state,
            &format!("account/o-simulated0/{}", account.id())
        )),
    );
    set("Email", json!(account.email));
    set("Name", json!(account.name));
    set("JoinedMethod", json!("CREATED"));
    set("JoinedTimestamp", json!(account.created));
    if let Some(value) = account.state {
        set("State", json!(value.as_str()));
    }
    if let Some(status) = account.status {
        set("Status", json!(status.as_str()));
    }
    Value::Object(fields)
}
