//! The organization's list: read page by page, and weighed against the one before.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use crate::account::AccountId;
use crate::aws::{Aws, Member, Standing};
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::failure::{Failure, Reason};
use crate::views::{KnownMember, KnownOrganization};

/// How often one page may be throttled before the list is given up for this time.
const PATIENCE: u32 = 8;

/// So many empty pages in a row are no list.
const MOST_EMPTY_PAGES: usize = 100;

/// The pauses after a throttled call: Organizations allows a few calls a second to all callers of
/// the organization together.
pub(super) fn throttle_backoff() -> Backoff {
    Backoff::live(Duration::from_secs(1))
}

/// All accounts of the organization, whatever their state.
///
/// # Errors
///
/// A [`Failure`] when any page could not be read: half a list is none.
pub(super) async fn read(aws: &Aws, clock: &Clock, region: &str) -> Result<Vec<Member>, Failure> {
    let mut members = BTreeMap::new();
    let mut tokens = HashSet::new();
    let mut token: Option<String> = None;
    let mut throttled = 0;
    let mut empty = 0;
    loop {
        let page = match aws.list_accounts(region, token.as_deref()).await {
            Ok(answer) => answer.value,
            Err(failure) if failure.reason == Reason::Throttled && throttled < PATIENCE => {
                throttled += 1;
                let pause = throttle_backoff().pause(throttled, fastrand::f64());
                clock.sleep_until(clock.moment() + pause).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        throttled = 0;
        empty = if page.members.is_empty() {
            empty + 1
        } else {
            0
        };
        members.extend(page.members.into_iter().map(|member| (member.id, member)));
        let Some(next) = page.next else { break };
        if empty >= MOST_EMPTY_PAGES || !tokens.insert(next.clone()) {
            return Err(Failure::new(
                Reason::Other,
                "organizations:ListAccounts: the pages do not end; the list stays as it was",
            ));
        }
        token = Some(next);
    }
    if members.is_empty() {
        // The management account is always one of them.
        return Err(Failure::new(
            Reason::Other,
            "organizations:ListAccounts: the list is empty; it stays as it was",
        ));
    }
    Ok(members.into_values().collect())
}

/// Weighs each list against the one before: a list that lost more than a tenth of the accounts
/// needs a second one that agrees.
#[derive(Debug, Default)]
pub(super) struct Scale {
    /// What the last list would have lost.
    doubted: Option<BTreeSet<AccountId>>,
}

/// What a list was worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Weighed {
    /// The organization as it is to be taken now.
    pub organization: KnownOrganization,
    /// How many accounts the list would have lost, where that was not believed yet.
    pub doubted: Option<usize>,
}

impl Scale {
    pub fn weigh(&mut self, before: Option<&KnownOrganization>, listed: Vec<Member>) -> Weighed {
        let management = listed.iter().find_map(|member| member.management);
        let empty = KnownOrganization::default();
        let before = before.unwrap_or(&empty);
        let mut members: BTreeMap<AccountId, KnownMember> = listed
            .into_iter()
            .map(|member| {
                let known = before.members.get(&member.id).cloned().unwrap_or_default();
                let member_now = KnownMember {
                    name: member.name,
                    living: member.standing == Standing::Living,
                    ..known
                };
                (member.id, member_now)
            })
            .collect();
        let living = |id: &AccountId| members.get(id).is_some_and(|member| member.living);
        let were_living = before.members.iter().filter(|(_, member)| member.living);
        let count = were_living.clone().count();
        let gone: BTreeSet<AccountId> = were_living
            .map(|(id, _)| *id)
            .filter(|id| !living(id))
            .collect();
        let is_doubtful = gone.len() * 10 > count && self.doubted.as_ref() != Some(&gone);
        let doubted = is_doubtful.then_some(gone.len());
        if is_doubtful {
            for id in &gone {
                if let Some(member) = before.members.get(id) {
                    members.insert(*id, member.clone());
                }
            }
            self.doubted = Some(gone);
        } else {
            self.doubted = None;
        }
        Weighed {
            organization: KnownOrganization {
                management: management.or(before.management),
                members,
                tag_labels: before.tag_labels.clone(),
            },
            doubted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    fn member(number: u64, standing: Standing) -> Member {
        Member {
            id: id(number),
            name: format!("account {number}"),
            standing,
            management: Some(id(1)),
        }
    }

    fn list(numbers: impl IntoIterator<Item = u64>) -> Vec<Member> {
        numbers
            .into_iter()
            .map(|number| member(number, Standing::Living))
            .collect()
    }

    fn living(weighed: &Weighed) -> usize {
        let members = weighed.organization.members.values();
        members.filter(|member| member.living).count()
    }

    #[test]
    fn a_tenth_may_go_at_once() {
        let mut scale = Scale::default();
        let first = scale.weigh(None, list(1..=20));
        let second = scale.weigh(Some(&first.organization), list(1..=18));
        assert_eq!((living(&second), second.doubted), (18, None));
    }

    #[test]
    fn more_than_a_tenth_needs_a_second_list_that_agrees() {
        let mut scale = Scale::default();
        let first = scale.weigh(None, list(1..=20)).organization;
        let doubted = scale.weigh(Some(&first), list(1..=10));
        assert_eq!((living(&doubted), doubted.doubted), (20, Some(10)));
        // Another list, another loss: nothing agrees yet.
        let other = scale.weigh(Some(&doubted.organization), list(1..=11));
        assert_eq!((living(&other), other.doubted), (20, Some(9)));
        let agreed = scale.weigh(Some(&other.organization), list(1..=11));
        assert_eq!((living(&agreed), agreed.doubted), (11, None));
    }

    #[test]
    fn a_list_that_is_whole_again_ends_the_doubt() {
        let mut scale = Scale::default();
        let first = scale.weigh(None, list(1..=20)).organization;
        let half = scale.weigh(Some(&first), list(1..=10)).organization;
        let whole = scale.weigh(Some(&half), list(1..=20)).organization;
        let half_again = scale.weigh(Some(&whole), list(1..=10));
        assert_eq!(half_again.doubted, Some(10));
    }

    #[test]
    fn suspended_accounts_count_as_lost_and_new_ones_join_a_doubted_list() {
        let mut scale = Scale::default();
        let first = scale.weigh(None, list(1..=9)).organization;
        let mut next = list(2..=10);
        next.push(member(1, Standing::Inactive));
        let doubted = scale.weigh(Some(&first), next);
        assert_eq!((living(&doubted), doubted.doubted), (10, Some(1)));
    }

    #[test]
    fn a_renamed_account_keeps_its_tags() {
        let mut scale = Scale::default();
        let mut first = scale.weigh(None, list(1..=3)).organization;
        let tags = BTreeMap::from([("team".to_owned(), "payments".to_owned())]);
        first
            .members
            .get_mut(&id(2))
            .unwrap()
            .tags
            .clone_from(&tags);
        let mut next = list(1..=3);
        next[1].name = "renamed".to_owned();
        let second = scale.weigh(Some(&first), next).organization;
        let renamed = &second.members[&id(2)];
        assert_eq!((renamed.name.as_str(), &renamed.tags), ("renamed", &tags));
        assert_eq!(second.management, Some(id(1)));
    }
}
