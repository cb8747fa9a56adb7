//! Root keys that a list lacks and that may still be counted by the summary beside it.
//!
//! The two are asked side by side and answered one after the other. A key that was deleted in
//! between is in one and not in the other, and must not be taken for one that was created.

use crate::evidence::{Counts, RootKey};

/// How many keys of the list before are not in this one, by their last status. Only the look in
/// which they went is in doubt: in the next one, what is counted and not listed was created since.
pub(super) fn gone(before: &[RootKey], listed: &[RootKey]) -> Counts {
    let is_listed = |id: &str| listed.iter().any(|key| key.id == id);
    count(before.iter().filter(|key| !is_listed(&key.id)))
}

/// How many keys there are, and how many of them are active.
pub(super) fn count<'a>(keys: impl IntoIterator<Item = &'a RootKey>) -> Counts {
    let mut counts = Counts::default();
    for key in keys {
        counts.present = counts.present.saturating_add(1);
        counts.active = counts.active.saturating_add(u8::from(key.active));
    }
    counts
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

    #[test]
    fn a_key_is_gone_by_its_id_and_counts_as_it_was() {
        let counts = |active, present| Counts { active, present };
        let before = [key("one", true), key("two", false)];
        let table: [(&[RootKey], Counts); 4] = [
            (&before, counts(0, 0)),
            (&[key("one", false)], counts(0, 1)),
            (&[key("two", true), key("new", true)], counts(1, 1)),
            (&[], counts(1, 2)),
        ];
        for (listed, expected) in table {
            assert_eq!(gone(&before, listed), expected, "{listed:?}");
        }
    }
}
