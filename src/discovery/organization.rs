//! The organization's list of accounts: read page by page, and merged into the one before.
//!
//! An incomplete list is never used, and a list that lost many accounts not before a second one
//! confirms it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::account::AccountId;
use crate::aws::{AccountPage, Member};
use crate::backoff::Backoff;
use crate::clock::Moment;
use crate::failure::{Failure, Reason};
use crate::views::{KnownMember, KnownOrganization};

/// How often one page is retried. With 3 % of the calls failing, a list of 500 pages fails once in
/// 10^11 times.
const MAX_RETRIES: u32 = 8;

/// After this many pages in a row without a new account the list fails.
const MAX_EMPTY_PAGES: u32 = 100;

/// Reads a list. Its pages stay while the next one is retried.
#[derive(Debug, Default)]
pub(super) struct ListReader {
    members: BTreeMap<AccountId, Member>,
    token: Option<String>,
    empty_pages: u32,
    failures: u32,
}

/// What to do after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Read the next page at once.
    Next,
    /// Read the same page again after a pause.
    Retry {
        pause: Duration,
        /// How often in a row it has failed.
        failures: u32,
        failure: Failure,
    },
    /// Use the list, which is complete.
    Complete(Vec<Member>),
    /// Give the list up.
    Failed(Failure),
}

impl ListReader {
    /// The token of the next page.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Takes the answer for a page; `draw` is a random number from 0 to 1.
    pub fn take(&mut self, answer: Result<AccountPage, Failure>, draw: f64) -> Step {
        let AccountPage { members, next } = match answer {
            Ok(page) => page,
            Err(failure) => {
                self.failures += 1;
                let Some(pause) = retry(&failure, self.failures, draw) else {
                    return Step::Failed(failure);
                };
                return Step::Retry {
                    pause,
                    failures: self.failures,
                    failure,
                };
            }
        };
        self.failures = 0;
        self.empty_pages += 1;
        for member in members {
            if self.members.insert(member.id, member).is_none() {
                self.empty_pages = 0;
            }
        }
        if next.is_some() {
            let is_repeated = next == self.token;
            self.token = next;
            if is_repeated || self.empty_pages == MAX_EMPTY_PAGES {
                return Step::Failed(failed("its pages do not end"));
            }
            return Step::Next;
        }
        // An organization has at least its management account.
        if self.members.is_empty() {
            return Step::Failed(failed("it is empty"));
        }
        Step::Complete(std::mem::take(&mut self.members).into_values().collect())
    }
}

/// How long to wait before a page is requested again that has failed so many times in a row; `None` to give
/// up. `draw` is a random number from 0 to 1.
pub(super) fn retry(failure: &Failure, failures: u32, draw: f64) -> Option<Duration> {
    let is_permanent = matches!(failure.reason, Reason::AccessDenied | Reason::Unsupported);
    (failures <= MAX_RETRIES && !is_permanent).then(|| page_backoff().pause(failures, draw))
}

/// The pauses after a failed page or tag: Organizations allows all callers of an organization
/// together a few calls a second.
pub(super) fn page_backoff() -> Backoff {
    Backoff::live(Duration::from_secs(1))
}

fn failed(why: &str) -> Failure {
    Failure::new(
        Reason::Other,
        format!("organizations:ListAccounts: {why}; the list stays as it was"),
    )
}

/// The accounts of a list that lost more than a tenth of them. They stay until a second list, half
/// an interval later, has lost them too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PendingLoss {
    pub accounts: BTreeSet<AccountId>,
    since: Moment,
}

impl PendingLoss {
    /// When a second list may confirm the loss.
    pub fn confirmable(&self, interval: Duration) -> Moment {
        self.since + interval / 2
    }
}

/// Merges a list into the one before. Returns the loss that a second list must confirm, too.
pub(super) fn merge(
    before: Option<&KnownOrganization>,
    listed: Vec<Member>,
    pending: Option<&PendingLoss>,
    now: Moment,
    interval: Duration,
) -> (KnownOrganization, Option<PendingLoss>) {
    let empty = KnownOrganization::default();
    let before = before.unwrap_or(&empty);
    let management = listed.iter().find_map(|member| member.management);
    let members = listed.into_iter().map(|member| {
        let mut known = before.members.get(&member.id).cloned().unwrap_or_default();
        known.name = member.name;
        known.living = member.living;
        if known.details.email != member.email {
            Arc::make_mut(&mut known.details).email = member.email;
        }
        (member.id, known)
    });
    let mut members: BTreeMap<AccountId, KnownMember> = members.collect();
    let in_use = before.members.iter().filter(|(_, member)| member.living);
    let count = in_use.clone().count();
    let is_lost = |id| !members.get(id).is_some_and(|member| member.living);
    let lost = in_use.filter(|(id, _)| is_lost(id));
    let mut lost: BTreeMap<AccountId, &KnownMember> = lost.map(|(id, it)| (*id, it)).collect();
    let next = match pending {
        _ if lost.len() * 10 <= count => {
            lost.clear();
            None
        }
        Some(pending) if now < pending.confirmable(interval) => Some(pending.clone()),
        _ => {
            // Accounts that both lists lost are dropped.
            lost.retain(|id, _| !pending.is_some_and(|pending| pending.accounts.contains(id)));
            let accounts: BTreeSet<AccountId> = lost.keys().copied().collect();
            let since = now;
            (!accounts.is_empty()).then_some(PendingLoss { accounts, since })
        }
    };
    members.extend(lost.into_iter().map(|(id, member)| (id, member.clone())));
    let organization = KnownOrganization {
        management: management.or(before.management),
        members,
        tag_labels: before.tag_labels.clone(),
    };
    (organization, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(600);

    fn id(number: u64) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    fn member(number: u64, living: bool) -> Member {
        Member {
            id: id(number),
            name: format!("account {number}"),
            email: None,
            living,
            management: Some(id(1)),
        }
    }

    fn list(numbers: impl IntoIterator<Item = u64>) -> Vec<Member> {
        numbers
            .into_iter()
            .map(|number| member(number, true))
            .collect()
    }

    /// A page of the accounts with the numbers from `first` to `last`.
    fn page(first: u64, last: u64, next: Option<u64>) -> AccountPage {
        AccountPage {
            members: list(first..=last),
            next: next.map(|next| next.to_string()),
        }
    }

    fn failure(reason: Reason) -> Result<AccountPage, Failure> {
        Err(Failure::new(reason, "as the test has it"))
    }

    #[test]
    fn a_list_of_500_pages_of_which_three_calls_in_a_hundred_fail_completes() {
        let mut random = fastrand::Rng::with_seed(10);
        let mut reader = ListReader::default();
        let (mut calls, mut pauses) = (0, Duration::ZERO);
        let members = loop {
            calls += 1;
            let number = reader.token().map_or(1, |token| token.parse().unwrap());
            let answer = if random.u8(0..100) < 3 {
                failure(Reason::Service)
            } else {
                Ok(page(number, number, (number < 500).then_some(number + 1)))
            };
            match reader.take(answer, random.f64()) {
                Step::Next => {}
                Step::Retry { pause, .. } => pauses += pause,
                Step::Complete(members) => break members,
                Step::Failed(failure) => panic!("{failure}"),
            }
        };
        assert_eq!(members.len(), 500);
        assert!((510..530).contains(&calls), "{calls}");
        assert!(pauses < Duration::from_secs(60), "{pauses:?}");
    }

    #[test]
    fn a_page_is_tried_nine_times_and_a_page_that_works_resets_the_count() {
        let mut reader = ListReader::default();
        for number in 1..=3 {
            for failures in 1..=MAX_RETRIES {
                let Step::Retry {
                    pause,
                    failures: found,
                    ..
                } = reader.take(failure(Reason::Timeout), 1.0)
                else {
                    panic!("given up after {failures}");
                };
                assert_eq!(found, failures);
                assert!(pause <= Duration::from_secs(10));
            }
            let step = reader.take(Ok(page(number, number, Some(number + 1))), 1.0);
            assert_eq!(step, Step::Next);
        }
        for _ in 1..=MAX_RETRIES {
            reader.take(failure(Reason::Network), 1.0);
        }
        let last = reader.take(failure(Reason::Network), 1.0);
        assert!(matches!(last, Step::Failed(_)), "{last:?}");
    }

    #[test]
    fn a_permanent_failure_ends_the_list_at_once() {
        for reason in [Reason::AccessDenied, Reason::Unsupported] {
            let step = ListReader::default().take(failure(reason), 1.0);
            assert!(matches!(step, Step::Failed(_)), "{step:?}");
        }
    }

    #[test]
    fn pages_that_do_not_end_fail_the_list() {
        let again = |token: &dyn Fn(u32) -> String| {
            let mut reader = ListReader::default();
            (0..=MAX_EMPTY_PAGES)
                .map(|nth| {
                    let page = AccountPage {
                        members: Vec::new(),
                        next: Some(token(nth)),
                    };
                    reader.take(Ok(page), 1.0)
                })
                .position(|step| matches!(step, Step::Failed(_)))
        };
        assert_eq!(again(&|_| "same".to_owned()), Some(1));
        assert_eq!(again(&|nth| nth.to_string()), Some(99));
    }

    /// Consecutive lists, and the time.
    #[derive(Default)]
    struct Lists {
        known: Option<KnownOrganization>,
        pending: Option<PendingLoss>,
        now: Moment,
    }

    impl Lists {
        /// Merges a list. Returns how many accounts are in use, and how many of those are pending.
        fn merge(&mut self, listed: Vec<Member>) -> (usize, usize) {
            let pending = self.pending.as_ref();
            let (known, pending) = merge(self.known.as_ref(), listed, pending, self.now, INTERVAL);
            let in_use = known.members.values().filter(|it| it.living).count();
            let lost = pending.as_ref().map_or(0, |pending| pending.accounts.len());
            (self.known, self.pending) = (Some(known), pending);
            (in_use, lost)
        }

        fn wait(&mut self, duration: Duration) -> &mut Self {
            self.now = self.now + duration;
            self
        }
    }

    #[test]
    fn a_tenth_may_go_at_once() {
        let mut lists = Lists::default();
        lists.merge(list(1..=20));
        assert_eq!(lists.merge(list(1..=18)), (18, 0));
    }

    #[test]
    fn more_than_a_tenth_needs_a_second_list_half_an_interval_later() {
        let mut lists = Lists::default();
        lists.merge(list(1..=20));
        assert_eq!(lists.merge(list(1..=10)), (20, 10));
        let second = Duration::from_secs(1);
        assert_eq!(lists.wait(second * 299).merge(list(1..=10)), (20, 10));
        assert_eq!(lists.wait(second).merge(list(1..=10)), (10, 0));
    }

    #[test]
    fn only_accounts_that_both_lists_lost_are_dropped() {
        let mut lists = Lists::default();
        lists.merge(list(1..=20));
        assert_eq!(lists.merge(list(1..=10)), (20, 10));
        // The second list lost two of the ten, and three others.
        assert_eq!(lists.wait(INTERVAL / 2).merge(list(4..=18)), (18, 3));
        assert_eq!(lists.wait(INTERVAL / 2).merge(list(4..=18)), (15, 0));
    }

    #[test]
    fn lists_that_lost_different_accounts_confirm_nothing() {
        let mut lists = Lists::default();
        lists.merge(list(1..=20));
        assert_eq!(lists.merge(list(1..=10)), (20, 10));
        assert_eq!(lists.wait(INTERVAL).merge(list(11..=20)), (20, 10));
        assert_eq!(lists.wait(INTERVAL).merge(list(1..=10)), (20, 10));
    }

    #[test]
    fn a_complete_list_clears_the_pending_loss() {
        let mut lists = Lists::default();
        lists.merge(list(1..=20));
        lists.merge(list(1..=10));
        assert_eq!(lists.wait(INTERVAL).merge(list(1..=20)), (20, 0));
        assert_eq!(lists.wait(INTERVAL).merge(list(1..=10)), (20, 10));
    }

    #[test]
    fn suspended_accounts_count_as_lost_and_new_ones_are_added_all_the_same() {
        let mut lists = Lists::default();
        lists.merge(list(1..=9));
        let mut next = list(2..=10);
        next.push(member(1, false));
        assert_eq!(lists.merge(next.clone()), (10, 1));
        assert_eq!(lists.wait(INTERVAL).merge(next), (9, 0));
        assert!(!lists.known.unwrap().members[&id(1)].living);
    }

    #[test]
    fn a_renamed_account_keeps_its_tags() {
        let mut lists = Lists::default();
        lists.merge(list(1..=3));
        let tags = Arc::new(BTreeMap::from([("team".to_owned(), "payments".to_owned())]));
        let known = lists.known.as_mut().unwrap();
        known
            .members
            .get_mut(&id(2))
            .unwrap()
            .tags
            .clone_from(&tags);
        let mut next = list(1..=3);
        next[1].name = "renamed".to_owned();
        lists.merge(next);
        let known = lists.known.unwrap();
        let renamed = &known.members[&id(2)];
        assert_eq!((renamed.name.as_str(), &renamed.tags), ("renamed", &tags));
        assert_eq!(known.management, Some(id(1)));
    }
}
