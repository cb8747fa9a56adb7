//! The root access keys that AWS lists, and which of them may still be in use.

use std::time::Duration;

use root_posture::{RootKey, Timestamp};

use crate::advice::words::span;
use crate::cli::output::shown;

/// The root user's keys.
pub(super) struct Listed {
    pub keys: Vec<Key>,
    /// The time of the answer, by AWS's clock.
    pub at: Timestamp,
}

/// A root access key.
pub(super) struct Key {
    pub key: RootKey,
    /// Whether AWS said when it was last used.
    pub use_is_known: bool,
}

impl Key {
    /// Why it may be in use, unless it is known to be unused for this long.
    pub fn why_in_use(&self, now: Timestamp, unused_for: Duration) -> Option<String> {
        let RootKey {
            id,
            created,
            last_used,
            ..
        } = &self.key;
        let id = shown(id);
        let within = span(unused_for);
        if !self.use_is_known {
            return Some(format!(
                "AWS does not say when {id} was last used; try again, or add --even-if-used"
            ));
        }
        if let Some(used) = last_used
            && now.since(used.at) < unused_for
        {
            return Some(format!(
                "{id} was used at {}, within the last {within}; find out by whom (CloudTrail, \
                 userIdentity.accessKeyId), or add --even-if-used",
                used.at,
            ));
        }
        match created {
            // A key that was never used is as old as itself.
            Some(created) if now.since(*created) < unused_for => Some(format!(
                "{id} was created at {created}, within the last {within}: its user may not have \
                 started to use it; find out who created it, or add --even-if-used"
            )),
            None if last_used.is_none() => Some(format!(
                "AWS does not say when {id} was created; add --even-if-used to delete it anyway"
            )),
            _ => None,
        }
    }
}
