//! The last complete account list of an organization, which a start uses while AWS Organizations does
//! not answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use root_posture::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::Details;

/// The last complete account list of an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownOrganization {
    /// Its management account.
    pub management: Option<AccountId>,
    /// The configured tag keys that were read.
    #[serde(default)]
    pub tag_labels: Vec<String>,
    /// All accounts, monitored or not.
    pub members: BTreeMap<AccountId, KnownMember>,
}

/// An account of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMember {
    /// Its name in the organization.
    pub name: String,
    /// Whether it is in use: active, or its closure is pending.
    pub living: bool,
    /// Those of its tags that become labels.
    pub tags: Arc<BTreeMap<String, String>>,
    /// When its tags were read, by the local clock; `None` for never.
    pub tags_at: Option<Timestamp>,
    /// What else is known of it, where the configuration asks for it.
    #[serde(default)]
    pub details: Arc<Details>,
    /// When its organizational units were read, by the local clock; `None` for never.
    #[serde(default)]
    pub units_at: Option<Timestamp>,
}
