//! What there is in the simulated AWS: accounts, users, reports, the organization.
//!
//! Data and the changes a person could make to it. Nothing here knows of requests, answers or HTTP.
//! All times are Unix seconds.

mod account;
mod organization;
mod replica;
mod report;
mod user;

use std::collections::{BTreeMap, HashMap};

pub use account::{Account, AccountState, Role};
pub use organization::Organization;
pub(crate) use report::{Content, Stage};
pub use report::{LIFETIME, Ready, Report};
pub use user::{AccessKey, Certificate, Counts, Inventory, LastUse, User};
pub(crate) use user::{ROOT, unique_id};

use crate::id::AccountId;

/// Everything that operations read and change.
#[derive(Debug)]
pub(crate) struct State {
    /// The account of every access key that the simulator did not give out.
    pub(crate) hub: AccountId,
    /// Accounts of such keys, one by one; while there are any, a key that is missing is invalid.
    pub(crate) callers: HashMap<String, AccountId>,
    pub(crate) organization: Organization,
    pub(crate) accounts: BTreeMap<AccountId, Account>,
}
