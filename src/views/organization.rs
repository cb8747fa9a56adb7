//! The last complete account list of an organization: what a start goes by while Organizations
//! does not answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use root_posture::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

/// The last complete account list of an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownOrganization {
    /// Its management account.
    pub management: Option<AccountId>,
    /// The keys of the tags that were read.
    #[serde(default)]
    pub tag_labels: Vec<String>,
    /// All accounts, whatever becomes of them here.
    pub members: BTreeMap<AccountId, KnownMember>,
}

/// An account of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMember {
    /// Its name in the organization.
    pub name: String,
    /// Whether it is in use: active, or its closure is pending.
    pub living: bool,
    /// Its tags, as far as they become labels.
    pub tags: Arc<BTreeMap<String, String>>,
    /// When its tags were read, by the local clock; `None` for never.
    pub tags_at: Option<Timestamp>,
}
