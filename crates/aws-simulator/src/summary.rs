//! `GetAccountSummary`: the map, its four root entries from the root user as it is now.

use std::fmt::Write;

use crate::model::{Account, Counts, Inventory};

/// The root user's credentials as the summary counts them.
pub(crate) fn counted(account: &Account) -> Inventory {
    let root = account.root.inventory();
    let present = |present| Counts { present, active: 0 };
    Inventory {
        keys: present(root.keys.present.min(account.most_keys_counted)),
        certificates: present(root.certificates.present.min(1)),
        ..root
    }
}

/// The entries of `SummaryMap` as XML.
pub(crate) fn entries(account: &Account) -> String {
    let root = counted(account);
    let mfa_devices = account.all_users().filter(|user| user.mfa).count();
    let entries = [
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
    for (name, value) in entries {
        let value = match account.summary_overrides.get(name) {
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
