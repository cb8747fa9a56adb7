//! The organization's list: read page by page, and compared with the one before.
//!
//! Half a list is none, and a list that lost many accounts is not taken at its first word.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use crate::account::AccountId;
use crate::aws::{AccountPage, Member, MemberState};
use crate::backoff::Backoff;
use crate::clock::Moment;
use crate::failure::{Failure, Reason};
use crate::views::{KnownMember, KnownOrganization};

/// How often in a row one page may fail before the list is given up. With 3 % of the calls failing,
/// a list of 500 pages is given up once in 10^11 times.
pub(super) const PATIENCE: u32 = 8;

/// How often the list is read from its beginning because AWS does not know its own token any more.
const MOST_RESTARTS: u32 = 2;

/// So many empty pages in a row are no list.
const MOST_EMPTY_PAGES: usize = 100;

/// A list that is being read. What was read stays while a page is tried again.
#[derive(Debug, Default)]
pub(super) struct Reading {
    members: BTreeMap<AccountId, Member>,
    token: Option<String>,
    tokens: HashSet<String>,
    empty: usize,
    restarts: u32,
    failures: u32,
}

/// How a reading goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask for the next page at once.
    Next,
    /// Ask for the same page again after a pause.
    Again {
        /// How long to wait.
        pause: Duration,
        /// How often in a row it has failed now.
        failures: u32,
        /// Why it failed.
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
        match answer {
            Ok(AccountPage::Page { members, next }) => self.take_page(members, next),
            Ok(AccountPage::TokenExpired) => {
                if self.restarts == MOST_RESTARTS {
                    return Step::GivenUp(no_list("its tokens do not work"));
                }
                *self = Self {
                    restarts: self.restarts + 1,
                    ..Self::default()
                };
                Step::Next
            }
            Err(failure) => {
                self.failures += 1;
                if self.failures > PATIENCE || !may_pass(failure.reason) {
                    return Step::GivenUp(failure);
                }
                Step::Again {
                    pause: page_backoff().pause(self.failures, draw),
                    failures: self.failures,
                    failure,
                }
            }
        }
    }

    fn take_page(&mut self, members: Vec<Member>, next: Option<String>) -> Step {
        self.failures = 0;
        self.empty = if members.is_empty() {
            self.empty + 1
        } else {
            0
        };
        self.members
            .extend(members.into_iter().map(|member| (member.id, member)));
        let Some(next) = next else {
            let members = std::mem::take(&mut self.members);
            // The management account is always one of them.
            if members.is_empty() {
                return Step::GivenUp(no_list("it is empty"));
            }
            return Step::Whole(members.into_values().collect());
        };
        if self.empty >= MOST_EMPTY_PAGES || !self.tokens.insert(next.clone()) {
            return Step::GivenUp(no_list("its pages do not end"));
        }
        self.token = Some(next);
        Step::Next
    }
}

/// Whether a failure may pass by itself within seconds.
pub(super) fn may_pass(reason: Reason) -> bool {
    !matches!(reason, Reason::AccessDenied | Reason::Unsupported)
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
    let mut members: BTreeMap<AccountId, KnownMember> = listed
        .into_iter()
        .map(|member| {
            let known = before.members.get(&member.id).cloned().unwrap_or_default();
            let known = KnownMember {
                name: member.name,
                living: member.state == MemberState::InUse,
                ..known
            };
            (member.id, known)
        })
        .collect();
    let in_use = before.members.iter().filter(|(_, member)| member.living);
    let count = in_use.clone().count();
    let mut lost: BTreeMap<AccountId, &KnownMember> = in_use
        .filter(|(id, _)| !members.get(id).is_some_and(|member| member.living))
        .map(|(id, member)| (*id, member))
        .collect();
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
