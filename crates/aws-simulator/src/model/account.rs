//! An account, its roles, and how its summary departs from the truth.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use super::replica::Past;
use super::report::Report;
use super::user::{Password, ROOT, User};
use crate::id::AccountId;
use crate::operation::Operation;

/// An account of the simulated AWS.
#[derive(Clone, Debug)]
pub struct Account {
    id: AccountId,
    /// Its name in Organizations.
    pub name: String,
    /// Whether the organization lists it.
    pub in_organization: bool,
    /// Organizations' `State`; `None` leaves it out of the answer.
    pub state: Option<AccountState>,
    /// Organizations' `Status`, retired since September 2026; `None` leaves it out.
    pub status: Option<AccountState>,
    /// Its tags in the organization.
    pub tags: BTreeMap<String, String>,
    /// When it was created.
    pub created: i64,
    /// The root user.
    pub root: User,
    /// The IAM users, in any order.
    pub users: Vec<User>,
    /// The roles, by name without a path.
    pub roles: BTreeMap<String, Role>,
    /// Its credential report.
    pub report: Report,
    /// How its account summary departs from the truth.
    pub summary: Summary,
    past: Past,
}

impl Account {
    /// An active account without IAM users, whose root user has MFA, a password and no key.
    #[must_use]
    pub fn new(id: AccountId, name: impl Into<String>, created: i64) -> Self {
        let mut root = User::new(ROOT, created);
        root.password = Password::Present;
        root.password_last_changed = Some(created);
        root.mfa = true;
        Self {
            id,
            name: name.into(),
            in_organization: true,
            state: Some(AccountState::Active),
            status: Some(AccountState::Active),
            tags: BTreeMap::new(),
            created,
            root,
            users: Vec::new(),
            roles: BTreeMap::new(),
            report: Report::default(),
            summary: Summary::default(),
            past: Past::default(),
        }
    }

    /// The same account with a role that the hub may assume.
    #[must_use]
    pub fn with_role(mut self, name: &str, external_id: Option<&str>) -> Self {
        let role = Role {
            external_id: external_id.map(str::to_owned),
            ..Role::default()
        };
        self.roles.insert(name.to_owned(), role);
        self
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// Changes the account and remembers what the root user was before.
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.root.clone();
        let result = change(self);
        if self.root != before {
            self.past.keep(before);
        }
        result
    }

    /// The account as a replica sees it that lags by that much.
    pub(crate) fn seen_after(&self, lag: Duration) -> Cow<'_, Self> {
        match self.past.before(lag) {
            None => Cow::Borrowed(self),
            Some(root) => Cow::Owned(Self {
                root: root.clone(),
                ..self.clone()
            }),
        }
    }

    /// All users, the root user first.
    pub(crate) fn all_users(&self) -> impl Iterator<Item = &User> {
        std::iter::once(&self.root).chain(&self.users)
    }
}

/// Organizations' `State` of an account; its `Status` knows three of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Being set up; only a `State`.
    PendingActivation,
    /// In use.
    Active,
    /// Suspended by AWS.
    Suspended,
    /// To be closed; its credentials still work.
    PendingClosure,
    /// Closed; only a `State`.
    Closed,
}

impl AccountState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
            Self::Closed => "CLOSED",
        }
    }
}

/// A role and who may assume it.
#[derive(Clone, Debug)]
pub struct Role {
    /// The external id that its trust policy requires.
    pub external_id: Option<String>,
    /// Whether its trust policy names the caller at all.
    pub trusts_caller: bool,
    /// The operations that its permissions leave out.
    pub denied: Vec<Operation>,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            external_id: None,
            trusts_caller: true,
            denied: Vec::new(),
        }
    }
}

/// How an account's summary departs from the truth.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The largest value of `AccountAccessKeysPresent`. AWS does not document whether it counts two keys
    /// as 2 or only says that there are any.
    pub most_keys: usize,
    /// Entries with another value than the true one; `None` leaves the entry out.
    pub overrides: BTreeMap<&'static str, Option<i64>>,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            most_keys: 2,
            overrides: BTreeMap::new(),
        }
    }
}
