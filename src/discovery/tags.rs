//! The tags of accounts: which account's are read next, and equal ones once in memory.
//!
//! An account whose tags cannot be read does not delay the others.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::account::AccountId;
use crate::clock::{Moment, Timestamp};
use crate::failure::{Failure, Reason};

use super::organization::page_backoff;

/// How many accounts' tags are read at the same time.
const AT_ONCE: usize = 4;

/// A round ends after this many failures in a row: the permission is missing, or AWS is down.
const MAX_FAILURES: u32 = 10;

/// Tags of accounts, where equal ones are the same: most accounts have those of another.
#[derive(Debug, Default)]
pub(super) struct SharedTags(HashSet<Arc<BTreeMap<String, String>>>);

impl SharedTags {
    /// The tags that are equal to these and were shared before; else these.
    pub fn share(&mut self, tags: Arc<BTreeMap<String, String>>) -> Arc<BTreeMap<String, String>> {
        if let Some(equal) = self.0.get(&tags) {
            return Arc::clone(equal);
        }
        self.0.insert(Arc::clone(&tags));
        tags
    }

    /// Forgets those that no account has any more.
    pub fn forget_unused(&mut self) {
        self.0.retain(|tags| Arc::strong_count(tags) > 1);
    }
}

/// The accounts whose tags are to be read, in rounds that begin with each list.
#[derive(Debug, Default)]
pub(super) struct Tags {
    queue: VecDeque<AccountId>,
    reading: HashSet<AccountId>,
    /// The accounts whose tags could not be read the last time, and that time.
    failed: HashMap<AccountId, Moment>,
    /// Failures in a row in this round.
    failures: u32,
    /// Throttled calls in a row.
    throttled: u32,
    /// When the next account may be read.
    due: Moment,
}

impl Tags {
    /// Begins a round with the accounts whose tags are due, each with the time of its last reading.
    /// Those that failed come last, and those that were never read first.
    pub fn begin(&mut self, due: impl Iterator<Item = (Option<Timestamp>, AccountId)>) {
        let mut due: Vec<_> = due
            .filter(|(_, id)| !self.reading.contains(id))
            .map(|(read, id)| (self.failed.get(&id).copied(), read, id))
            .collect();
        due.sort_unstable();
        self.queue = due.into_iter().map(|(_, _, id)| id).collect();
        self.failures = 0;
    }

    /// When the next account may be read; `None` where there is none.
    pub fn due(&self) -> Option<Moment> {
        (!self.queue.is_empty() && self.reading.len() < AT_ONCE).then_some(self.due)
    }

    /// Takes the account that is read now.
    pub fn next(&mut self) -> Option<AccountId> {
        let id = self.queue.pop_front()?;
        self.reading.insert(id);
        Some(id)
    }

    /// Whether the round is over.
    pub fn is_over(&self) -> bool {
        self.queue.is_empty() && self.reading.is_empty()
    }

    /// Takes the outcome of an account. Returns whether it is the first failure since all worked.
    pub fn take(
        &mut self,
        id: AccountId,
        outcome: Result<(), &Failure>,
        now: Moment,
        draw: f64,
    ) -> bool {
        self.reading.remove(&id);
        match outcome {
            Ok(()) => {
                self.failed.remove(&id);
                self.failures = 0;
                self.throttled = 0;
                false
            }
            Err(failure) if failure.reason == Reason::Throttled => {
                self.queue.push_back(id);
                self.throttled += 1;
                self.due = now + page_backoff().pause(self.throttled, draw);
                false
            }
            Err(_) => {
                let is_first = self.failed.is_empty();
                self.failed.insert(id, now);
                self.failures += 1;
                if self.failures >= MAX_FAILURES {
                    self.queue.clear();
                }
                is_first
            }
        }
    }

    /// Forgets the accounts that are not in the organization.
    pub fn keep(&mut self, is_member: impl Fn(&AccountId) -> bool) {
        self.failed.retain(|id, _| is_member(id));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    fn id(number: u64) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    #[test]
    fn equal_tags_are_shared_and_forgotten_with_their_last_account() {
        let tags = |team: &str| Arc::new(BTreeMap::from([("team".to_owned(), team.to_owned())]));
        let mut shared = SharedTags::default();
        let [one, two, other] = ["a", "a", "b"].map(|team| shared.share(tags(team)));
        assert!(Arc::ptr_eq(&one, &two) && !Arc::ptr_eq(&one, &other));
        drop(other);
        shared.forget_unused();
        assert_eq!(shared.0.len(), 1);
    }

    /// Reads the tags of 200 accounts in rounds ten minutes apart. Returns the accounts with labels,
    /// the number of calls, and the number of reported failures.
    fn read(
        rounds: u64,
        answer: impl Fn(AccountId) -> Result<(), Failure>,
    ) -> (BTreeSet<AccountId>, usize, usize) {
        let mut tags = Tags::default();
        let mut labelled = BTreeSet::new();
        let (mut calls, mut reported) = (0, 0);
        for round in 0..rounds {
            let mut now = Moment::default() + Duration::from_secs(600 * round);
            let unread = (1..=200).map(id).filter(|id| !labelled.contains(id));
            tags.begin(unread.map(|id| (None, id)).collect::<Vec<_>>().into_iter());
            while let Some(due) = tags.due() {
                now = now.max(due);
                let next = tags.next().unwrap();
                calls += 1;
                let outcome = answer(next);
                reported += usize::from(tags.take(next, outcome.as_ref().copied(), now, 0.5));
                if outcome.is_ok() {
                    labelled.insert(next);
                }
            }
            assert!(tags.is_over());
        }
        (labelled, calls, reported)
    }

    fn denied() -> Failure {
        Failure::new(Reason::AccessDenied, "denied")
    }

    #[test]
    fn one_account_whose_tags_always_fail_costs_no_other_its_labels() {
        let answer = |account| {
            if account == id(7) {
                Err(denied())
            } else {
                Ok(())
            }
        };
        let (labelled, calls, reported) = read(6, answer);
        assert_eq!(labelled.len(), 199);
        assert_eq!(calls, 199 + 6);
        assert_eq!(reported, 1);
    }

    #[test]
    fn accounts_that_failed_come_last_and_take_turns() {
        let mut tags = Tags::default();
        for (number, at) in [(1, 1_000), (2, 2_000)] {
            tags.begin([(None, id(number))].into_iter());
            let failing = tags.next().unwrap();
            let now = Moment::from_millis(at);
            tags.take(failing, Err(&denied()), now, 0.5);
        }
        tags.begin((1..=4).map(|number| (None, id(number))));
        let order: Vec<_> = std::iter::from_fn(|| tags.next()).collect();
        assert_eq!(order, [id(3), id(4), id(1), id(2)]);
    }

    #[test]
    fn a_missing_permission_costs_ten_calls_a_round() {
        let (labelled, calls, reported) = read(6, |_| Err(denied()));
        assert_eq!((labelled.len(), calls, reported), (0, 60, 1));
    }

    #[test]
    fn a_throttled_account_is_asked_again_after_a_pause() {
        let mut tags = Tags::default();
        tags.begin([(None, id(1))].into_iter());
        let next = tags.next().unwrap();
        let throttled = Failure::new(Reason::Throttled, "slow down");
        let now = Moment::from_millis(5_000);
        assert!(!tags.take(next, Err(&throttled), now, 1.0));
        assert_eq!(tags.due(), Some(now + Duration::from_secs(1)));
        assert_eq!(tags.next(), Some(next));
    }
}
