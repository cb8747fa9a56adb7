//! The organization: its accounts, a page at a time, their tags, and its root access features.
//!
//! Names of accounts and e-mail addresses are never logged.

use std::collections::BTreeMap;

use aws_sdk_iam::types::FeatureType;
use aws_sdk_organizations::types::{AccountState, AccountStatus};

use super::Aws;
use super::operation::Operation;
use super::session::{Denial, account_of_arn};
use crate::account::{AccountId, RootFeatures};
use crate::failure::{Failure, Reason};

const DESCRIBE_ORGANIZATION: Operation = Operation::organizations("DescribeOrganization");
const LIST_ACCOUNTS: Operation = Operation::organizations("ListAccounts");
const LIST_TAGS: Operation = Operation::organizations("ListTagsForResource");
const LIST_FEATURES: Operation = Operation::iam("ListOrganizationsFeatures");

/// An account of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: AccountId,
    /// Its name in the organization.
    pub name: String,
    /// Whether its credentials work, so that a root key would matter: it is active, or its closure
    /// is pending.
    pub living: bool,
    /// The organization's management account, as the account's ARN names it.
    pub management: Option<AccountId>,
}

/// A page of the organization's accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPage {
    /// The accounts; a page may hold none and not be the last.
    pub members: Vec<Member>,
    /// What to ask for the next page with; `None` on the last.
    pub next: Option<String>,
}

impl Aws {
    /// organizations:DescribeOrganization: the management account of the caller's organization.
    ///
    /// # Errors
    ///
    /// A [`Failure`]; [`Reason::Unsupported`] where the caller is in no organization.
    pub async fn management_account(&self, region: &str) -> Result<AccountId, Failure> {
        let organizations = &self.clients(region).organizations;
        let request = || organizations.describe_organization().send();
        let answer = self.ask_as_caller(DESCRIBE_ORGANIZATION, region, Denial::OfSession, request);
        let organization = answer.await?.value.organization;
        organization
            .and_then(|it| it.master_account_id)
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| {
                Failure::new(
                    Reason::Other,
                    format!("{DESCRIBE_ORGANIZATION}: the answer names no management account"),
                )
            })
    }

    /// organizations:ListAccounts: one page of the organization's accounts.
    ///
    /// # Errors
    ///
    /// A [`Failure`]; [`Reason::Unsupported`] where the caller is in no organization.
    pub async fn list_accounts(
        &self,
        region: &str,
        token: Option<&str>,
    ) -> Result<AccountPage, Failure> {
        let organizations = &self.clients(region).organizations;
        let request = || {
            let request = organizations.list_accounts();
            request.set_next_token(token.map(str::to_owned)).send()
        };
        let answer = self.ask_as_caller(LIST_ACCOUNTS, region, Denial::OfSession, request);
        let output = answer.await?.value;
        let members = output.accounts.iter().flatten().map(member);
        Ok(AccountPage {
            members: members.collect::<Result<_, _>>()?,
            next: output.next_token.filter(|next| !next.is_empty()),
        })
    }

    /// organizations:ListTagsForResource: all tags of an account.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn account_tags(
        &self,
        region: &str,
        account: AccountId,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let organizations = &self.clients(region).organizations;
        let mut tags = BTreeMap::new();
        let mut next: Option<String> = None;
        loop {
            let request = || {
                let request = organizations.list_tags_for_resource();
                let request = request.resource_id(account.to_string());
                request.set_next_token(next.clone()).send()
            };
            let page = self.ask_as_caller(LIST_TAGS, region, Denial::OfTarget, request);
            let page = page.await?.value;
            let known = tags.len();
            let read = page.tags.unwrap_or_default();
            tags.extend(read.into_iter().map(|tag| (tag.key, tag.value)));
            next = page.next_token.filter(|next| !next.is_empty());
            // AWS allows an account 50 tags; pages that bring nothing new must not go on for ever.
            if next.is_none() || tags.len() == known {
                return Ok(tags);
            }
        }
    }

    /// iam:ListOrganizationsFeatures: which features of centralized root access are enabled.
    ///
    /// # Errors
    ///
    /// A [`Failure`]; then nothing is known of the features.
    pub async fn organizations_features(&self, region: &str) -> Result<RootFeatures, Failure> {
        let iam = &self.clients(region).iam;
        let request = || iam.list_organizations_features().send();
        let answer = self.ask_as_caller(LIST_FEATURES, region, Denial::OfSession, request);
        let enabled = answer.await?.value.enabled_features.unwrap_or_default();
        Ok(RootFeatures {
            credentials_management: enabled.contains(&FeatureType::RootCredentialsManagement),
            sessions: enabled.contains(&FeatureType::RootSessions),
        })
    }
}

fn member(account: &aws_sdk_organizations::types::Account) -> Result<Member, Failure> {
    let id = account.id.as_deref().and_then(|id| id.parse().ok());
    let Some(id) = id else {
        // A list with a hole is no complete list.
        return Err(Failure::new(
            Reason::Other,
            "organizations:ListAccounts: an entry has no account id of 12 digits",
        ));
    };
    Ok(Member {
        id,
        name: account.name.clone().unwrap_or_default(),
        living: is_living(account.state.as_ref(), account.status.as_ref()),
        // arn:aws:organizations::<management account>:account/<organization>/<account>
        management: account.arn.as_deref().and_then(account_of_arn),
    })
}

/// What `State` says, or the `Status` it replaced. An account with neither, or with an unknown
/// one, is watched: to leave one out needs a reason.
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
    fn the_state_beats_the_retired_status_and_neither_is_active() {
        let table = [
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
        for (state, status, expected) in table {
            let found = is_living(
                state.map(AccountState::from).as_ref(),
                status.map(AccountStatus::from).as_ref(),
            );
            assert_eq!(found, expected, "{state:?}, {status:?}");
        }
    }

    #[test]
    fn the_management_account_is_in_the_arn() {
        let account = aws_sdk_organizations::types::Account::builder()
            .id("000000000012")
            .arn("arn:aws:organizations::111122223333:account/o-x/000000000012")
            .build();
        let member = member(&account).unwrap();
        assert_eq!(member.management, Some("111122223333".parse().unwrap()));
        assert_eq!(member.id, "000000000012".parse().unwrap());
    }
}
