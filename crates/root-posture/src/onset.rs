//! Since when an account has had an active root key.
//!
//! For display only: no metric depends on it. A credential report gives a key's time of creation; of a
//! key that only live sources have seen, it is known that it was absent at one time and present at a
//! later one.

use serde::{Deserialize, Serialize};

use crate::posture::Posture;
use crate::time::Timestamp;

/// When an active root key appeared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onset {
    /// When evidence first showed it, by AWS's clock; `None` while there is none.
    pub seen: Option<Timestamp>,
    /// The newest evidence before that without one.
    pub none_at: Option<Timestamp>,
}

impl Onset {
    /// Takes the next judgement into account. One without a value changes nothing.
    pub fn follow(&mut self, posture: &Posture) {
        let Some(active) = posture.keys_active else {
            return;
        };
        if active.value == 0 {
            self.none_at = Some(active.observed);
            self.seen = None;
        } else if self.seen.is_none() {
            self.seen = Some(active.observed);
            self.none_at = self.none_at.filter(|none_at| *none_at < active.observed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Source;
    use crate::posture::Metric;

    fn after(evidence: &[(u8, i64)]) -> (Option<i64>, Option<i64>) {
        let mut onset = Onset::default();
        for (value, observed) in evidence {
            onset.follow(&Posture {
                keys_active: Some(Metric {
                    value: *value,
                    source: Source::AccountSummary,
                    observed: Timestamp::from_unix(*observed),
                    fine_until: None,
                }),
                ..Posture::default()
            });
        }
        (
            onset.seen.map(Timestamp::unix),
            onset.none_at.map(Timestamp::unix),
        )
    }

    #[test]
    fn a_key_appeared_between_the_last_none_and_the_first_some() {
        assert_eq!(after(&[(0, 10), (0, 20), (1, 30)]), (Some(30), Some(20)));
        assert_eq!(after(&[(1, 30)]), (Some(30), None));
    }

    #[test]
    fn later_evidence_of_it_and_a_second_key_do_not_move_it() {
        let evidence = [(0, 20), (1, 30), (1, 40), (2, 50), (1, 60)];
        assert_eq!(after(&evidence), (Some(30), Some(20)));
    }

    #[test]
    fn it_ends_with_the_key_and_starts_again_with_the_next() {
        assert_eq!(after(&[(1, 30), (0, 40)]).0, None);
        assert_eq!(after(&[(1, 30), (0, 40), (1, 50)]), (Some(50), Some(40)));
    }

    #[test]
    fn a_none_after_the_first_some_is_ignored() {
        assert_eq!(after(&[(0, 40), (1, 30)]), (Some(30), None));
    }
}
