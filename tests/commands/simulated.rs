//! The accounts of these tests in the simulated AWS, and configurations that name them.

use test_support::simulated::account;
pub use test_support::simulated::{DAY, EXTERNAL_ID, HUB, ROLE, Simulated, id, now};

/// A simulated AWS with the management account and these members.
pub fn with(members: impl IntoIterator<Item = u64>) -> Simulated {
    let account = |number| account(number, &format!("account-{number}"));
    Simulated::with(members.into_iter().map(account))
}

/// The configuration that lists these accounts, each entered by its role.
pub fn listed(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers
        .into_iter()
        .map(test_support::simulated::listed)
        .collect()
}

/// The configuration that monitors the organization, with `access`.
pub fn organization(access: &str) -> String {
    format!(
        "[organization]\nenabled = true\naccess = \"{access}\"\nexternal_id = \"{EXTERNAL_ID}\"\n"
    )
}
