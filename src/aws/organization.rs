//! The organization: its accounts, page by page, their tags, and its root access features.
//!
//! Names of accounts and e-mail addresses are never logged.

use std::collections::BTreeMap;

use aws_sdk_iam::types::FeatureType;
use aws_sdk_organizations::types::{Account, AccountState, AccountStatus};

use super::call::Sent;
use super::client::{Aws, Clients};
use super::operation::Operation;
use super::session::{Denial, Signer, account_of_arn};
use crate::account::{AccountId, RootFeatures};
use crate::failure::Failure;

const DESCRIBE_ORGANIZATION: Operation = Operation::new("organizations", "DescribeOrganization");
const LIST_ACCOUNTS: Operation = Operation::new("organizations", "ListAccounts");
const LIST_TAGS: Operation = Operation::new("organizations", "ListTagsForResource");
const LIST_ROOTS: Operation = Operation::new("organizations", "ListRoots");
const LIST_UNITS: Operation = Operation::new("organizations", "ListOrganizationalUnitsForParent");
const LIST_UNIT_ACCOUNTS: Operation = Operation::new("organizations", "ListAccountsForParent");
const LIST_FEATURES: Operation = Operation::iam("ListOrganizationsFeatures");

/// An account of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: AccountId,
    /// Its name in the organization.
    pub name: String,
    /// The e-mail address of its root user.
    pub email: Option<String>,
    /// Whether its credentials work, so that a root key would matter: it is active, or is about to
    /// be closed.
    pub living: bool,
    /// The organization's management account, from the account's ARN.
    pub management: Option<AccountId>,
}

/// A page of the organization's accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPage {
    /// The accounts; an empty page may not be the last.
    pub members: Vec<Member>,
    /// The token of the next page; `None` on the last.
    pub next: Option<String>,
}

/// A question about the tree of the organizational units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitQuestion {
    /// Which roots there are.
    Roots,
    /// Which units are directly in this root or unit.
    Units(String),
    /// Which accounts are.
    Accounts(String),
}

/// A root or an organizational unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A page of the answer to a [`UnitQuestion`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitPage {
    /// The units.
    pub units: Vec<Unit>,
    /// The accounts.
    pub accounts: Vec<AccountId>,
    /// The token of the next page; `None` on the last.
    pub next: Option<String>,
}

impl Aws {
    /// organizations:DescribeOrganization: the management account of the caller's organization.
    ///
    /// Fails with the reason `unsupported` where the caller is in no organization.
    pub async fn management_account(&self) -> Result<AccountId, Failure> {
        let signer = Signer::caller(self, Denial::OfSession);
        let request = |aws: &Clients| aws.organizations.describe_organization().send();
        let answer = self.ask(signer, DESCRIBE_ORGANIZATION, request, Sent::finish);
        let organization = answer.await?.value.organization;
        organization
            .and_then(|it| it.master_account_id)
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| {
                DESCRIBE_ORGANIZATION.bad_answer("the answer names no management account")
            })
    }

    /// organizations:ListAccounts: one page of the organization's accounts.
    ///
    /// Fails with the reason `unsupported` where the caller is in no organization.
    pub async fn list_accounts(&self, token: Option<&str>) -> Result<AccountPage, Failure> {
        let request = |aws: &Clients| {
            let request = aws.organizations.list_accounts();
            request.set_next_token(token.map(str::to_owned)).send()
        };
        let signer = Signer::caller(self, Denial::OfSession);
        let answer = self.ask(signer, LIST_ACCOUNTS, request, Sent::finish);
        let output = answer.await?.value;
        let members = output.accounts.iter().flatten().map(member);
        Ok(AccountPage {
            members: members.collect::<Result<_, _>>()?,
            next: output.next_token.filter(|next| !next.is_empty()),
        })
    }

    /// organizations:ListRoots, `ListOrganizationalUnitsForParent` or `ListAccountsForParent`: one page of
    /// the tree of the organizational units.
    pub async fn organizational_units(
        &self,
        question: &UnitQuestion,
        token: Option<&str>,
    ) -> Result<UnitPage, Failure> {
        let signer = Signer::caller(self, Denial::OfTarget);
        let token = || token.map(str::to_owned);
        let unit = |id: Option<String>, name: Option<String>| {
            let (id, name) = (id?, name.unwrap_or_default());
            Some(Unit { id, name })
        };
        let (units, accounts, next) = match question {
            UnitQuestion::Roots => {
                let request = |aws: &Clients| {
                    let request = aws.organizations.list_roots();
                    request.set_next_token(token()).send()
                };
                let answer = self.ask(signer, LIST_ROOTS, request, Sent::finish);
                let page = answer.await?.value;
                let roots = page.roots.unwrap_or_default().into_iter();
                let units: Vec<_> = roots.filter_map(|it| unit(it.id, it.name)).collect();
                (units, Vec::new(), page.next_token)
            }
            UnitQuestion::Units(parent) => {
                let request = |aws: &Clients| {
                    let request = aws.organizations.list_organizational_units_for_parent();
                    request.parent_id(parent).set_next_token(token()).send()
                };
                let answer = self.ask(signer, LIST_UNITS, request, Sent::finish);
                let page = answer.await?.value;
                let units = page.organizational_units.unwrap_or_default().into_iter();
                let units: Vec<_> = units.filter_map(|it| unit(it.id, it.name)).collect();
                (units, Vec::new(), page.next_token)
            }
            UnitQuestion::Accounts(parent) => {
                let request = |aws: &Clients| {
                    let request = aws.organizations.list_accounts_for_parent();
                    request.parent_id(parent).set_next_token(token()).send()
                };
                let answer = self.ask(signer, LIST_UNIT_ACCOUNTS, request, Sent::finish);
                let page = answer.await?.value;
                let accounts = page.accounts.unwrap_or_default().into_iter();
                let accounts = accounts.filter_map(|it| it.id?.parse().ok()).collect();
                (Vec::new(), accounts, page.next_token)
            }
        };
        Ok(UnitPage {
            units,
            accounts,
            next: next.filter(|next| !next.is_empty()),
        })
    }

    /// organizations:ListTagsForResource: all tags of an account.
    pub async fn account_tags(
        &self,
        account: AccountId,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let signer = Signer::caller(self, Denial::OfTarget);
        let mut tags = BTreeMap::new();
        let mut next: Option<String> = None;
        loop {
            let request = |aws: &Clients| {
                let request = aws.organizations.list_tags_for_resource();
                let request = request.resource_id(account.to_string());
                request.set_next_token(next.clone()).send()
            };
            let page = self.ask(signer, LIST_TAGS, request, Sent::finish).await?;
            let known = tags.len();
            let read = page.value.tags.unwrap_or_default();
            tags.extend(read.into_iter().map(|tag| (tag.key, tag.value)));
            next = page.value.next_token.filter(|next| !next.is_empty());
            // An account has at most 50 tags; pages without a new one must not go on for ever.
            if next.is_none() || tags.len() == known {
                return Ok(tags);
            }
        }
    }

    /// iam:ListOrganizationsFeatures: the enabled features of centralized root access.
    pub async fn organizations_features(&self) -> Result<RootFeatures, Failure> {
        let request = |aws: &Clients| aws.iam.list_organizations_features().send();
        let signer = Signer::caller(self, Denial::OfSession);
        let answer = self.ask(signer, LIST_FEATURES, request, Sent::finish);
        let enabled = answer.await?.value.enabled_features.unwrap_or_default();
        Ok(RootFeatures {
            credentials_management: enabled.contains(&FeatureType::RootCredentialsManagement),
            sessions: enabled.contains(&FeatureType::RootSessions),
        })
    }
}

fn member(account: &Account) -> Result<Member, Failure> {
    let Some(id) = account.id.as_deref().and_then(|id| id.parse().ok()) else {
        // A list with a gap is not complete.
        return Err(LIST_ACCOUNTS.bad_answer("an entry has no account id of 12 digits"));
    };
    Ok(Member {
        id,
        name: account.name.clone().unwrap_or_default(),
        email: account.email.clone(),
        living: is_living(account.state.as_ref(), account.status.as_ref()),
        // arn:aws:organizations::<management account>:account/<organization>/<account>
        management: account.arn.as_deref().and_then(account_of_arn),
    })
}

/// Whether an account is in use, by its `State`, or the `Status` that it replaced. One with neither,
/// or with an unknown value, is in use: it is left out only for a reason.
///
/// Source: Organizations API Reference, `Account`; `Status` is retired since 2026-09-09.
fn is_living(state: Option<&AccountState>, status: Option<&AccountStatus>) -> bool {
    use AccountState::{Closed, PendingActivation, Suspended};
    match state {
        Some(state) => !matches!(state, Suspended | Closed | PendingActivation),
        None => status != Some(&AccountStatus::Suspended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_overrides_the_status_and_neither_means_active() {
        let cases = [
            (Some("ACTIVE"), None, true),
            (Some("PENDING_CLOSURE"), Some("SUSPENDED"), true),
            (Some("SUSPENDED"), Some("ACTIVE"), false),
            (Some("CLOSED"), None, false),
            (Some("PENDING_ACTIVATION"), None, false),
            (Some("NEW_WORD"), None, true),
            (None, Some("ACTIVE"), true),
            (None, Some("PENDING_CLOSURE"), true),
            (None, Some("SUSPENDED"), false),
            (None, None, true),
        ];
        for (state, status, expected) in cases {
            let found = is_living(
                state.map(AccountState::from).as_ref(),
                status.map(AccountStatus::from).as_ref(),
            );
            assert_eq!(found, expected, "{state:?}, {status:?}");
        }
    }

    #[test]
    fn the_management_account_is_in_the_arn() {
        let account = Account::builder()
            .id("000000000012")
            .arn("arn:aws:organizations::111122223333:account/o-x/000000000012")
            .build();
        let member = member(&account).unwrap();
        assert_eq!(member.management, Some("111122223333".parse().unwrap()));
        assert_eq!(member.id, "000000000012".parse().unwrap());
    }
}
