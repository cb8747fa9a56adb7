//! `GetAccountSummary`: the whole map, its four root entries from the root user as it is now.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::account::{Account, Counts, Inventory};

/// The entries that nothing here depends on, with AWS's default quotas.
const FIXED: [(&str, i64); 25] = [
    ("UsersQuota", 5_000),
    ("Groups", 3),
    ("GroupsQuota", 300),
    ("ServerCertificates", 0),
    ("ServerCertificatesQuota", 20),
    ("UserPolicySizeQuota", 2_048),
    ("GroupPolicySizeQuota", 5_120),
    ("GroupsPerUserQuota", 10),
    ("SigningCertificatesPerUserQuota", 2),
    ("AccessKeysPerUserQuota", 2),
    ("AttachedPoliciesPerGroupQuota", 10),
    ("AttachedPoliciesPerRoleQuota", 10),
    ("AttachedPoliciesPerUserQuota", 10),
    ("Policies", 4),
    ("PoliciesQuota", 1_500),
    ("PolicySizeQuota", 6_144),
    ("PolicyVersionsInUse", 9),
    ("PolicyVersionsInUseQuota", 10_000),
    ("VersionsPerPolicyQuota", 5),
    ("GlobalEndpointTokenVersion", 1),
    ("RolesQuota", 1_000),
    ("RolePolicySizeQuota", 10_240),
    ("AssumeRolePolicySizeQuota", 2_048),
    ("InstanceProfiles", 0),
    ("InstanceProfilesQuota", 1_000),
];

/// How an account's summary departs from the plain truth.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How two keys are counted.
    pub keys: KeyCount,
    /// Entries with another value than the true one; `None` leaves the entry out.
    pub overrides: BTreeMap<&'static str, Option<i64>>,
}

/// What `AccountAccessKeysPresent` says of two keys. AWS does not document it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyCount {
    /// 2.
    #[default]
    Each,
    /// 1: whether there is any.
    AtMostOne,
}

impl Summary {
    /// Leaves an entry out of the map.
    pub fn remove(&mut self, entry: &'static str) {
        self.overrides.insert(entry, None);
    }
}

/// How many credentials the summary counts for the root user.
pub(super) fn counted(account: &Account) -> Inventory {
    let root = account.root.inventory();
    let present = |present| Counts { present, active: 0 };
    Inventory {
        keys: present(match account.summary.keys {
            KeyCount::Each => root.keys.present,
            KeyCount::AtMostOne => root.keys.present.min(1),
        }),
        certificates: present(root.certificates.present.min(1)),
        ..root
    }
}

/// The entries of `SummaryMap` as XML.
pub(super) fn entries(account: &Account) -> String {
    let root = counted(account);
    let live = [
        ("AccountAccessKeysPresent", count(root.keys.present)),
        ("AccountMFAEnabled", i64::from(root.mfa)),
        ("AccountPasswordPresent", i64::from(root.password)),
        (
            "AccountSigningCertificatesPresent",
            count(root.certificates.present),
        ),
        ("Users", count(account.users.len())),
        ("Roles", count(account.roles.len())),
        ("MFADevices", count(account.mfa_devices)),
        ("MFADevicesInUse", count(account.mfa_devices)),
        ("Providers", 0),
    ];
    let mut xml = String::with_capacity(3_000);
    for (name, value) in live.into_iter().chain(FIXED) {
        let value = match account.summary.overrides.get(name) {
            None => value,
            Some(Some(value)) => *value,
            Some(None) => continue,
        };
        // Writing to a String cannot fail.
        let _ = write!(
            xml,
            "<entry><key>{name}</key><value>{value}</value></entry>"
        );
    }
    xml
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
