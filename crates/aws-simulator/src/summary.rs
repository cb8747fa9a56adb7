//! `GetAccountSummary`: the map, its four root entries from the root user as it is now.

use std::fmt::Write;

use crate::model::{Account, Counts, Inventory};

/// Some of the entries that nothing here depends on.
const FIXED: [(&str, usize); 8] = [
    ("UsersQuota", 5_000),
    ("Groups", 3),
    ("AccessKeysPerUserQuota", 2),
    ("Policies", 4),
    ("GlobalEndpointTokenVersion", 1),
    ("AssumeRolePolicySizeQuota", 2_048),
    ("InstanceProfiles", 0),
    ("Providers", 0),
];

/// The root user's credentials as the summary counts them.
pub(crate) fn counted(account: &Account) -> Inventory {
    let root = account.root.inventory();
    let present = |present| Counts { present, active: 0 };
    Inventory {
        keys: present(root.keys.present.min(account.summary.most_keys)),
        certificates: present(root.certificates.present.min(1)),
        ..root
    }
}

/// The entries of `SummaryMap` as XML.
pub(crate) fn entries(account: &Account) -> String {
    let root = counted(account);
    let mfa_devices = account.all_users().filter(|user| user.mfa).count();
    let live = [
        ("AccountAccessKeysPresent", root.keys.present),
        ("AccountMFAEnabled", usize::from(root.mfa)),
        ("AccountPasswordPresent", usize::from(root.password)),
        (
            "AccountSigningCertificatesPresent",
            root.certificates.present,
        ),
        ("Users", account.users.len()),
        ("Roles", account.roles.len()),
        ("MFADevices", mfa_devices),
        ("MFADevicesInUse", mfa_devices),
    ];
    let mut xml = String::new();
    for (name, value) in live.into_iter().chain(FIXED) {
        let value = match account.summary.overrides.get(name) {
            None => value.to_string(),
            Some(None) => continue,
            Some(Some(value)) => value.to_string(),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            xml,
            "<entry><key>{name}</key><value>{value}</value></entry>"
        );
    }
    xml
}
