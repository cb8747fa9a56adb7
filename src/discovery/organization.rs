//! The organization's list: read page by page, and compared with the one before.
//!
//! Half a list is none, and a list that lost many accounts is not taken at its first word.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::account::AccountId;
use crate::aws::{AccountPage, Member};
use crate::backoff::Backoff;
use crate::clock::Moment;
use crate::failure::{Failure, Reason};
use crate::views::{KnownMember, KnownOrganization};

/// How often in a row one page may fail before the list is given up. With 3 % of the calls failing,
/// a list of 500 pages is given up once in 10^11 times.
const PATIENCE: u32 = 8;

/// So many pages in a row that name no further account are no list.
const MOST_EMPTY_PAGES: u32 = 100;

/// A list that is being read. What was read stays while a page is tried again.
#[derive(Debug, Default)]
pub(super) struct Reading {
    members: BTreeMap<AccountId, Member>,
    token: Option<String>,
    empty: u32,
    failures: u32,
}

/// How a reading goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask for the next page at once.
    Next,
    /// Ask for the same page again after a pause.
    Again {
        pause: Duration,
        /// How often in a row it has failed now.
        failures: u32,
        failure: Failure,
    },
    /// The list is whole.
    Whole(Vec<Member>),
    /// The list is given up.
    GivenUp(Failure),
}

impl Reading {
    /// What to ask for the next page with.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Takes the answer for a page; `draw` is a random number from 0 to 1.
    pub fn take(&mut self, answer: Result<AccountPage, Failure>, draw: f64) -> Step {
        let AccountPage { members, next } = match answer {
            Ok(page) => page,
            Err(failure) => {
                self.failures += 1;
                let will_not_pass =
                    matches!(failure.reason, Reason::AccessDenied | Reason::Unsupported);
                if self.failures > PATIENCE || will_not_pass {
                    return Step::GivenUp(failure);
                }
                return Step::Again {
                    pause: page_backoff().pause(self.failures, draw),
                    failures: self.failures,
                    failure,
                };
            }
        };
        self.failures = 0;
        self.empty += 1;
        for member in members {
            if self.members.insert(member.id, member).is_none() {
                self.empty = 0;
            }
        }
        if next.is_some() {
            let is_repeated = next == self.token;
            self.token = next;
            if is_repeated || self.empty == MOST_EMPTY_PAGES {
                return Step::GivenUp(no_list("its pages do not end"));
            }
            return Step::Next;
        }
        // The management account is always one of them.
        if self.members.is_empty() {
            return Step::GivenUp(no_list("it is empty"));
        }
        Step::Whole(std::mem::take(&mut self.members).into_values().collect())
    }
}

/// The pauses after a page or a tag that failed: Organizations allows a few calls a second to all
/// callers of the organization together.
pub(super) fn page_backoff() -> Backoff {
    Backoff::live(Duration::from_secs(1))
}

fn no_list(why: &str) -> Failure {
    Failure::new(
        Reason::Other,
        format!("organizations:ListAccounts: {why}; the list stays as it was"),
    )
}

/// The doubt about a list that lost more than a tenth of the accounts: they stay until a second
/// list, half an interval later, has lost them too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// The accounts that the list lost.
    pub lost: BTreeSet<AccountId>,
    since: Moment,
}

impl Doubt {
    /// When a second list may confirm the loss.
    pub fn ends(&self, interval: Duration) -> Moment {
        self.since + interval / 2
    }
}

/// Merges a list into what was known before, and says what it lost that is in doubt.
pub(super) fn merge(
    before: Option<&KnownOrganization>,
    listed: Vec<Member>,
    doubt: Option<&Doubt>,
    now: Moment,
    interval: Duration,
) -> (KnownOrganization, Option<Doubt>) {
    let empty = KnownOrganization::default();
    let before = before.unwrap_or(&empty);
    let management = listed.iter().find_map(|member| member.management);
    let members = listed.into_iter().map(|member| {
        let mut known = before.members.get(&member.id).cloned().unwrap_or_default();
        known.name = member.name;
        known.living = member.living;
        (member.id, known)
    });
    let mut members: BTreeMap<AccountId, KnownMember> = members.collect();
    let in_use = before.members.iter().filter(|(_, member)| member.living);
    let count = in_use.clone().count();
    let is_lost = |id| !members.get(id).is_some_and(|member| member.living);
    let lost = in_use.filter(|(id, _)| is_lost(id));
    let mut lost: BTreeMap<AccountId, &KnownMember> = lost.map(|(id, it)| (*id, it)).collect();
    let next = match doubt {
        _ if lost.len() * 10 <= count => {
            lost.clear();
            None
        }
        Some(doubt) if now < doubt.ends(interval) => Some(doubt.clone()),
        _ => {
            // What both lists lost is gone.
            lost.retain(|id, _| !doubt.is_some_and(|doubt| doubt.lost.contains(id)));
            let lost: BTreeSet<AccountId> = lost.keys().copied().collect();
            (!lost.is_empty()).then_some(Doubt { lost, since: now })
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
        Err(Failure::new(reason, "as the test wants"))
    }

    #[test]
    fn a_list_of_500_pages_of_which_three_calls_in_a_hundred_fail_completes() {
        let mut random = fastrand::Rng::with_seed(10);
        let mut reading = Reading::default();
        let (mut calls, mut pauses) = (0, Duration::ZERO);
        let members = loop {
            calls += 1;
            let number = reading.token().map_or(1, |token| token.parse().unwrap());
            let answer = if random.u8(0..100) < 3 {
                failure(Reason::Service)
            } else {
                Ok(page(number, number, (number < 500).then_some(number + 1)))
            };
            match reading.take(answer, random.f64()) {
                Step::Next => {}
                Step::Again { pause, .. } => pauses += pause,
                Step::Whole(members) => break members,
                Step::GivenUp(failure) => panic!("{failure}"),
            }
        };
        assert_eq!(members.len(), 500);
        assert!((510..530).contains(&calls), "{calls}");
        assert!(pauses < Duration::from_secs(60), "{pauses:?}");
    }

    #[test]
    fn a_page_is_tried_nine_times_and_a_page_that_works_begins_the_count_anew() {
        let mut reading = Reading::default();
        for number in 1..=3 {
            for failures in 1..=PATIENCE {
                let Step::Again {
                    pause,
                    failures: found,
                    ..
                } = reading.take(failure(Reason::Timeout), 1.0)
                else {
                    panic!("given up after {failures}");
                };
                assert_eq!(found, failures);
                assert!(pause <= Duration::from_secs(10));
            }
            let step = reading.take(Ok(page(number, number, Some(number + 1))), 1.0);
            assert_eq!(step, Step::Next);
        }
        for _ in 1..=PATIENCE {
            reading.take(failure(Reason::Network), 1.0);
        }
        let last = reading.take(failure(Reason::Network), 1.0);
        assert!(matches!(last, Step::GivenUp(_)), "{last:?}");
    }

    #[test]
    fn what_does_not_pass_by_itself_ends_a_reading_at_once() {
        for reason in [Reason::AccessDenied, Reason::Unsupported] {
            let step = Reading::default().take(failure(reason), 1.0);
            assert!(matches!(step, Step::GivenUp(_)), "{step:?}");
        }
    }

    #[test]
    fn pages_that_do_not_end_are_no_list() {
        let again = |token: &dyn Fn(u32) -> String| {
            let mut reading = Reading::default();
            (0..=MOST_EMPTY_PAGES)
                .map(|nth| {
                    let page = AccountPage {
                        members: Vec::new(),
                        next: Some(token(nth)),
                    };
                    reading.take(Ok(page), 1.0)
                })
                .position(|step| matches!(step, Step::GivenUp(_)))
        };
        assert_eq!(again(&|_| "same".to_owned()), Some(1));
        assert_eq!(again(&|nth| nth.to_string()), Some(99));
    }

    /// Lists that follow each other, and the time at which they do.
    #[derive(Default)]
    struct Lists {
        known: Option<KnownOrganization>,
        doubt: Option<Doubt>,
        now: Moment,
    }

    impl Lists {
        /// Merges a list; how many accounts are in use then, and how many of those are in doubt.
        fn merge(&mut self, listed: Vec<Member>) -> (usize, usize) {
            let doubt = self.doubt.as_ref();
            let (known, doubt) = merge(self.known.as_ref(), listed, doubt, self.now, INTERVAL);
            let in_use = known.members.values().filter(|it| it.living).count();
            let in_doubt = doubt.as_ref().map_or(0, |doubt| doubt.lost.len());
            (self.known, self.doubt) = (Some(known), doubt);
            (in_use, in_doubt)
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
    fn what_both_lists_lost_is_dropped_and_nothing_else() {
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
    fn a_list_that_is_whole_again_ends_the_doubt() {
        let mut lists = Lists::default();
        lists.merge(list(1..=20));
        lists.merge(list(1..=10));
        assert_eq!(lists.wait(INTERVAL).merge(list(1..=20)), (20, 0));
        assert_eq!(lists.wait(INTERVAL).merge(list(1..=10)), (20, 10));
    }

    #[test]
    fn suspended_accounts_count_as_lost_and_new_ones_join_a_doubted_list() {
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
        let tags =
            std::sync::Arc::new(BTreeMap::from([("team".to_owned(), "payments".to_owned())]));
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
