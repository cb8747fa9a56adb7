//! The organization: its accounts, a page at a time, and their tags.
//!
//! Names are the organization's own words; like e-mail addresses, they are not logged.

use std::collections::BTreeMap;

use aws_sdk_organizations::types::{AccountState, AccountStatus};

use super::call::send;
use super::{Answer, Aws};
use crate::account::AccountId;
use crate::failure::{Failure, Reason};

/// Whether an account can be entered, and so have a root key that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has its credentials: it is active, or its closure is pending.
    Living,
    /// It is closed, suspended or not active yet.
    Inactive,
}

/// An account of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: AccountId,
    /// Its name in the organization.
    pub name: String,
    /// Whether it is in use.
    pub standing: Standing,
    /// The organization's management account, as the account's ARN names it.
    pub management: Option<AccountId>,
}

/// A page of organizations:ListAccounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        self.with_caller(|caller| async move {
            let request = self.clients(region).organizations.describe_organization();
            let (call, tap, result) = send!(self, "organizations",
                "DescribeOrganization",
                caller,
                request
            );
            self.book(call, &tap, result)?
                .value
                .organization
                .and_then(|it| it.master_account_id)
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| {
                    Failure::new(
                        Reason::Other,
                        "organizations:DescribeOrganization: the answer names no management account",
                    )
                })
        })
        .await
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
    ) -> Result<Answer<AccountPage>, Failure> {
        self.with_caller(|caller| async move {
            let request = self
                .clients(region)
                .organizations
                .list_accounts()
                .set_next_token(token.map(str::to_owned));
            let (call, tap, result) = send!(self, "organizations", "ListAccounts", caller, request);
            let answer = self.book(call, &tap, result)?;
            let members = answer.value.accounts.iter().flatten().map(member);
            let page = AccountPage {
                members: members.collect::<Result<_, _>>()?,
                next: answer
                    .value
                    .next_token
                    .clone()
                    .filter(|next| !next.is_empty()),
            };
            Ok(answer.map(|_| page))
        })
        .await
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
        let mut tags = BTreeMap::new();
        let mut token = None;
        loop {
            let page = self.tag_page(region, account, token.as_deref()).await?;
            let known = tags.len();
            tags.extend(page.0);
            token = page.1;
            // AWS allows an account 50 tags; pages that bring nothing new must not go on for ever.
            if token.is_none() || tags.len() == known {
                return Ok(tags);
            }
        }
    }

    async fn tag_page(
        &self,
        region: &str,
        account: AccountId,
        token: Option<&str>,
    ) -> Result<(Vec<(String, String)>, Option<String>), Failure> {
        self.with_caller(|caller| async move {
            let request = self
                .clients(region)
                .organizations
                .list_tags_for_resource()
                .resource_id(account.to_string())
                .set_next_token(token.map(str::to_owned));
            let (call, tap, result) = send!(
                self,
                "organizations",
                "ListTagsForResource",
                caller,
                request
            );
            let output = self.book(call, &tap, result)?.value;
            let tags = output.tags.unwrap_or_default();
            Ok((
                tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
                output.next_token.filter(|next| !next.is_empty()),
            ))
        })
        .await
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
        standing: standing(account.state.as_ref(), account.status.as_ref()),
        // arn:aws:organizations::<management account>:account/<organization>/<account>
        management: account
            .arn
            .as_deref()
            .and_then(|arn| arn.split(':').nth(4)?.parse().ok()),
    })
}

/// What `State` says, or the `Status` it replaced. Neither, or a word that is not known, is an
/// account to watch: to leave one out needs a reason.
///
/// Source: Organizations API Reference, `Account`; `Status` is retired since 2026-09-09.
fn standing(state: Option<&AccountState>, status: Option<&AccountStatus>) -> Standing {
    match (state, status) {
        (
            Some(AccountState::Suspended | AccountState::Closed | AccountState::PendingActivation),
            _,
        )
        | (None, Some(AccountStatus::Suspended)) => Standing::Inactive,
        _ => Standing::Living,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_beats_the_retired_status_and_neither_is_active() {
        use Standing::{Inactive, Living};
        let table = [
            (Some("ACTIVE"), None, Living),
            (Some("PENDING_CLOSURE"), Some("SUSPENDED"), Living),
            (Some("SUSPENDED"), Some("ACTIVE"), Inactive),
            (Some("CLOSED"), None, Inactive),
            (Some("PENDING_ACTIVATION"), None, Inactive),
            (Some("NEW_WORD"), None, Living),
            (None, Some("ACTIVE"), Living),
            (None, Some("PENDING_CLOSURE"), Living),
            (None, Some("SUSPENDED"), Inactive),
            (None, None, Living),
        ];
        for (state, status, expected) in table {
            let found = standing(
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
