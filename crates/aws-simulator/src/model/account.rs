//! An account and its roles.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use super::replica::Past;
use super::report::Report;
use super::user::{ROOT, User};
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
    /// The names of its organizational units below the root; none for an account in the root itself.
    pub units: Vec<String>,
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
    /// The largest value of `AccountAccessKeysPresent`. AWS does not document whether it counts two keys
    /// as 2 or only says that there are any.
    pub most_keys_counted: usize,
    /// Entries of its summary with another value than the true one; `None` leaves the entry out.
    pub summary_overrides: BTreeMap<&'static str, Option<i64>>,
    past: Past,
}

impl Account {
    /// An active account without IAM users, whose root user has MFA, a password and no key.
    #[must_use]
    pub fn new(id: AccountId, name: impl Into<String>, created: i64) -> Self {
        let mut root = User::new(ROOT, created);
        root.password = true;
        root.password_last_changed = Some(created);
        root.mfa = true;
        Self {
            id,
            name: name.into(),
            in_organization: true,
            state: Some(AccountState::Active),
            status: Some(AccountState::Active),
            units: Vec::new(),
            tags: BTreeMap::new(),
            created,
            root,
            users: Vec::new(),
            roles: BTreeMap::new(),
            report: Report::default(),
            most_keys_counted: 2,
            summary_overrides: BTreeMap::new(),
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
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// The external id that its trust policy requires.
    pub external_id: Option<String>,
    /// The operations that its permissions leave out.
    pub denied: Vec<Operation>,
}
