//! Root keys that a list lacks while the summary beside it still counts them.
//!
//! The two are asked side by side and answered one after the other. A key that was deleted in
//! between is in one and not in the other, and must not be taken for one that was created.

use crate::evidence::{Counts, RootKey};

/// Keys that were listed, are not any more and may still be counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Missing(Vec<RootKey>);

impl Missing {
    /// Takes a list, with the keys of the list before and with what the summary counts, and says
    /// which have gone since, by their last status. As long as the summary counts more than is
    /// listed, those of before are still among them: IAM's answers agree only after a while.
    pub fn note(&mut self, before: &[RootKey], listed: &[RootKey], counted: Option<u8>) -> Counts {
        let is_listed = |id: &str| listed.iter().any(|key| key.id == id);
        for key in before {
            if self.0.iter().all(|known| known.id != key.id) {
                self.0.push(key.clone());
            }
        }
        self.0.retain(|key| !is_listed(&key.id));
        let gone = count(&self.0);
        if counted.is_none_or(|counted| usize::from(counted) <= listed.len()) {
            self.0.clear();
        }
        gone
    }
}

/// How many keys there are, and how many of them are active.
pub(super) fn count(keys: &[RootKey]) -> Counts {
    let count = |active: bool| {
        let counted = keys.iter().filter(|key| !active || key.active);
        u8::try_from(counted.count()).unwrap_or(u8::MAX)
    };
    Counts {
        active: count(true),
        present: count(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, active: bool) -> RootKey {
        RootKey {
            id: id.to_owned(),
            active,
            created: None,
            last_used: None,
        }
    }

    fn counts(active: u8, present: u8) -> Counts {
        Counts { active, present }
    }

    #[test]
    fn a_key_that_left_the_list_is_missing_for_as_long_as_it_is_counted() {
        let mut missing = Missing::default();
        let (old, new) = ([key("old", false)], [key("new", true)]);
        assert_eq!(missing.note(&old, &[], Some(1)), counts(0, 1));
        assert_eq!(missing.note(&[], &[], Some(1)), counts(0, 1));
        assert_eq!(missing.note(&[], &new, Some(2)), counts(0, 1));
        assert_eq!(missing.note(&new, &new, Some(1)), counts(0, 1));
        assert_eq!(missing.note(&new, &new, Some(1)), counts(0, 0));
    }

    #[test]
    fn a_key_that_is_listed_again_is_not_missing() {
        let mut missing = Missing::default();
        let keys = [key("one", true), key("two", false)];
        assert_eq!(missing.note(&keys, &keys[..1], Some(2)), counts(0, 1));
        assert_eq!(missing.note(&keys[..1], &keys, Some(2)), counts(0, 0));
    }
}
