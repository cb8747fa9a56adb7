//! Since when an account has an active root key, as far as the evidence was followed.
//!
//! For people only: no figure depends on it. A credential report says when a key was created; of a
//! key that only live evidence has seen, this is all that is known: it was not there at one time
//! and was there at a later one.

use serde::{Deserialize, Serialize};

use super::Judged;
use crate::clock::Timestamp;

/// When an active root key came to light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onset {
    /// When evidence first showed it, by AWS's clock.
    pub seen: Timestamp,
    /// When evidence last said that there was none, before that.
    pub none_at: Option<Timestamp>,
}

/// Follows the evidence from one judgement to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Following {
    none_at: Option<Timestamp>,
    seen: Option<Timestamp>,
}

impl Following {
    /// Takes note of what the evidence says now.
    pub fn note(&mut self, judged: &Judged) {
        let newest = judged.active_by.iter().flatten().map(|(_, stamp)| stamp.at);
        let Some(at) = newest.max() else { return };
        if judged.counts.active == 0 {
            *self = Self {
                none_at: Some(at),
                seen: None,
            };
        } else {
            self.seen.get_or_insert(at);
        }
    }

    /// Since when there is an active key, where there is one.
    pub fn onset(self) -> Option<Onset> {
        self.seen.map(|seen| Onset {
            seen,
            none_at: self.none_at.filter(|none_at| *none_at < seen),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::evidence::{Counts, Source, Stamp};

    fn judged(active: u8, at: i64) -> Judged {
        let stamp = Stamp::live(Timestamp::from_unix(at), Moment::default());
        let by = [Some((Source::AccountSummary, stamp)), None];
        Judged {
            counts: Counts {
                active,
                present: active,
            },
            active_by: by,
            present_by: by,
        }
    }

    fn after(evidence: &[(u8, i64)]) -> Option<(i64, Option<i64>)> {
        let mut following = Following::default();
        for (active, at) in evidence {
            following.note(&judged(*active, *at));
        }
        let onset = following.onset()?;
        Some((onset.seen.unix(), onset.none_at.map(Timestamp::unix)))
    }

    #[test]
    fn a_key_appeared_between_the_last_none_and_the_first_some() {
        assert_eq!(after(&[(0, 10), (0, 20), (1, 30)]), Some((30, Some(20))));
        assert_eq!(after(&[(1, 30)]), Some((30, None)));
    }

    #[test]
    fn later_evidence_of_it_and_a_second_key_do_not_move_it() {
        let evidence = [(0, 20), (1, 30), (1, 40), (2, 50), (1, 60)];
        assert_eq!(after(&evidence), Some((30, Some(20))));
    }

    #[test]
    fn it_ends_with_the_key_and_begins_anew_with_the_next() {
        assert_eq!(after(&[(1, 30), (0, 40)]), None);
        assert_eq!(after(&[(1, 30), (0, 40), (1, 50)]), Some((50, Some(40))));
    }

    #[test]
    fn a_none_that_is_no_older_than_the_some_bounds_nothing() {
        assert_eq!(after(&[(0, 40), (1, 30)]), Some((30, None)));
    }
}
