//! What an account of the simulated AWS is made of, and the changes a person could make to it.
//!
//! All times are Unix seconds. Nothing here knows of HTTP.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::operation::Operation;
use super::replica::Past;
use super::report::Report;
use super::summary::Summary;
use crate::account::{AccountId, Partition};

/// The two places an access key or a certificate can have: `0` is the report's `_1`.
pub type Slots<T> = [Option<T>; 2];

/// An account of the simulated AWS.
#[derive(Clone, Debug)]
pub struct Account {
    id: AccountId,
    /// The partition its ARNs name.
    pub partition: Partition,
    /// What Organizations calls it.
    pub name: String,
    /// Its root user's address.
    pub email: String,
    /// Whether the organization lists it.
    pub in_organization: bool,
    /// Organizations' `State`; `None` leaves it out of the answer.
    pub state: Option<AccountState>,
    /// Organizations' `Status`, retired since September 2026; `None` leaves it out.
    pub status: Option<AccountStatus>,
    /// Its tags in the organization.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: i64,
    /// The root user.
    pub root: User,
    /// The IAM users, in any order.
    pub users: Vec<User>,
    /// The roles, by name without a path.
    pub roles: BTreeMap<String, Role>,
    /// Its credential report.
    pub report: Report,
    /// What its account summary says beyond the truth.
    pub summary: Summary,
    /// Counted when the account changes, so that a summary costs the same with 5,000 users.
    pub(super) mfa_devices: usize,
    /// What the root user was before, for replicas that lag.
    past: Past,
}

impl Account {
    /// An active account with a root user without keys, with MFA and a password, and no user.
    #[must_use]
    pub fn new(id: AccountId, name: impl Into<String>, created: i64) -> Self {
        let name = name.into();
        let mut root = User::new("<root_account>", created);
        root.password = Password::Present;
        root.password_last_changed = Some(created);
        root.mfa = true;
        Self {
            id,
            partition: Partition::Aws,
            email: format!("aws+{name}@example.com"),
            name,
            in_organization: true,
            state: Some(AccountState::Active),
            status: Some(AccountStatus::Active),
            tags: BTreeMap::new(),
            created,
            root,
            users: Vec::new(),
            roles: BTreeMap::new(),
            report: Report::default(),
            summary: Summary::default(),
            mfa_devices: 1,
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

    /// Puts a report of the account as it is now in store, dated `generated_at`.
    pub fn store_report(&mut self, generated_at: i64) {
        let content = super::render::content(self);
        self.report.store(content, generated_at);
    }

    /// Changes the account, and keeps what the root user was before.
    pub(super) fn change<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.root.clone();
        let result = change(self);
        if self.root != before {
            self.past.keep(before);
        }
        self.mfa_devices = self.everybody().filter(|user| user.mfa).count();
        result
    }

    /// The account as a replica sees it whose root user is as old as that.
    pub(super) fn seen_after(&self, lag: Duration) -> Cow<'_, Self> {
        match self.past.before(lag) {
            None => Cow::Borrowed(self),
            Some(root) => Cow::Owned(Self {
                root: root.clone(),
                ..self.clone()
            }),
        }
    }

    /// Everybody with credentials, the root user first.
    pub(super) fn everybody(&self) -> impl Iterator<Item = &User> {
        std::iter::once(&self.root).chain(&self.users)
    }
}

/// Organizations' `State` of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Being set up.
    PendingActivation,
    /// In use.
    Active,
    /// Suspended by AWS.
    Suspended,
    /// To be closed; its credentials still work.
    PendingClosure,
    /// Closed.
    Closed,
}

impl AccountState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
            Self::Closed => "CLOSED",
        }
    }
}

/// Organizations' `Status` of an account, the older field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// In use.
    Active,
    /// Suspended or closed.
    Suspended,
    /// To be closed.
    PendingClosure,
}

impl AccountStatus {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
        }
    }
}

/// A role and whom it lets in.
#[derive(Clone, Debug)]
pub struct Role {
    /// The external id its trust policy asks for.
    pub external_id: Option<String>,
    /// Whether its trust policy names the caller at all.
    pub trusts_caller: bool,
    /// The longest session it gives, in seconds.
    pub max_session: i64,
    /// The operations its permissions leave out.
    pub denied: Vec<Operation>,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            external_id: None,
            trusts_caller: true,
            max_session: 3_600,
            denied: Vec::new(),
        }
    }
}

/// A user with credentials: the root user or an IAM user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, as the report's first column has it.
    pub name: String,
    /// When the user was made.
    pub created: i64,
    /// Whether there is a console password.
    pub password: Password,
    /// Last sign-in with it.
    pub password_last_used: Option<i64>,
    /// When it was last changed.
    pub password_last_changed: Option<i64>,
    /// Whether there is an MFA device.
    pub mfa: bool,
    /// Access keys.
    pub keys: Slots<AccessKey>,
    /// Signing certificates.
    pub certificates: Slots<Certificate>,
}

/// A console password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Password {
    /// There is none.
    Absent,
    /// There is one.
    Present,
    /// There is one and the report says `not_supported`, as it did for the root user for years.
    NotSupported,
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id, `AKIA…`.
    pub id: String,
    /// Whether it can be used.
    pub active: bool,
    /// When it was made: the report's `last_rotated`.
    pub created: i64,
    /// Its last use.
    pub last_used: Option<LastUse>,
}

/// Where and when an access key was last used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: i64,
    /// In which Region.
    pub region: Cow<'static, str>,
    /// With which service.
    pub service: Cow<'static, str>,
}

/// A signing certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its id.
    pub id: String,
    /// Whether it can be used.
    pub active: bool,
    /// When it was uploaded: the report's `last_rotated`.
    pub uploaded: i64,
}

/// So many exist, and so many of them are active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that exist.
    pub present: usize,
    /// Those that are active; a summary does not say.
    pub active: usize,
}

/// How many credentials a user has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Access keys.
    pub keys: Counts,
    /// Signing certificates.
    pub certificates: Counts,
    /// Whether there is an MFA device.
    pub mfa: bool,
    /// Whether there is a console password.
    pub password: bool,
}

impl User {
    /// A user without any credential.
    #[must_use]
    pub fn new(name: impl Into<String>, created: i64) -> Self {
        Self {
            name: name.into(),
            created,
            password: Password::Absent,
            password_last_used: None,
            password_last_changed: None,
            mfa: false,
            keys: [None, None],
            certificates: [None, None],
        }
    }

    /// Makes an active access key in the first free slot and gives its id; `None` when both are
    /// taken, as AWS allows two.
    pub fn create_key(&mut self, now: i64) -> Option<String> {
        let slot = self.keys.iter_mut().find(|slot| slot.is_none())?;
        let id = unique_id("AKIASIM");
        *slot = Some(AccessKey {
            id: id.clone(),
            active: true,
            created: now,
            last_used: None,
        });
        Some(id)
    }

    /// Uploads an active signing certificate into the first free slot and gives its id; `None`
    /// when both are taken.
    pub fn upload_certificate(&mut self, now: i64) -> Option<String> {
        let slot = self.certificates.iter_mut().find(|slot| slot.is_none())?;
        let id = unique_id("CERTSIM");
        *slot = Some(Certificate {
            id: id.clone(),
            active: true,
            uploaded: now,
        });
        Some(id)
    }

    /// How many credentials there are.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let count = |are_active: Vec<bool>| Counts {
            present: are_active.len(),
            active: are_active.into_iter().filter(|active| *active).count(),
        };
        let keys = self.keys.iter().flatten();
        let certificates = self.certificates.iter().flatten();
        Inventory {
            keys: count(keys.map(|key| key.active).collect()),
            certificates: count(certificates.map(|one| one.active).collect()),
            mfa: self.mfa,
            password: self.password != Password::Absent,
        }
    }

    /// Turns every access key off.
    pub fn deactivate_keys(&mut self) {
        for key in self.keys.iter_mut().flatten() {
            key.active = false;
        }
    }

    /// Deletes every access key.
    pub fn delete_keys(&mut self) {
        self.keys = [None, None];
    }

    /// Notes a use of the key in slot `slot` (0 or 1), if there is one.
    pub fn use_key(
        &mut self,
        slot: usize,
        at: i64,
        region: impl Into<Cow<'static, str>>,
        service: impl Into<Cow<'static, str>>,
    ) {
        if let Some(Some(key)) = self.keys.get_mut(slot) {
            key.last_used = Some(LastUse {
                at,
                region: region.into(),
                service: service.into(),
            });
        }
    }
}

/// An id of twenty characters that no real account has, unique in the process.
pub(super) fn unique_id(prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let digits = (0..13_u32).rev().map(|place| {
        let digit = usize::try_from(number.checked_shr(5 * place).unwrap_or(0) & 31).unwrap_or(0);
        char::from(ALPHABET[digit])
    });
    prefix.chars().chain(digits).collect()
}
