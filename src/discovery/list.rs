//! Assembles the list of accounts from the configuration and from what AWS answered. Asks nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::shard;
use crate::account::{Access, Account, AccountId, Details, Partition};
use crate::config::{Config, Detail, MemberAccess};
use crate::schedule::{Absent, AccountList};
use crate::views::{KnownMember, KnownOrganization};

/// The answers of AWS, or those in the state.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The caller's own account.
    pub caller: Option<AccountId>,
    /// Whether AWS confirmed the caller in this run.
    pub caller_confirmed: bool,
    /// The organization.
    pub organization: Option<Arc<KnownOrganization>>,
    /// Whether AWS confirmed the organization in this run.
    pub organization_confirmed: bool,
}

/// The accounts to monitor; `None` while too little is known.
pub(super) fn assemble(config: &Config, known: &Known) -> Option<AccountList> {
    let settings = &config.organization;
    let organization = known.organization.as_ref().zip(known.caller);
    let organization = organization.filter(|_| settings.enabled);
    let mut accounts = Vec::new();
    let mut absent = HashMap::new();
    let mut take = |id, account: Result<Account, Absent>| match account {
        _ if !shard::holds(&config.shard, id) => drop(absent.insert(id, Absent::OtherShard)),
        Ok(account) => accounts.push(Arc::new(account)),
        Err(reason) => drop(absent.insert(id, reason)),
    };
    for account in &config.accounts {
        let mut account = account.clone();
        if let Some((organization, _)) = organization
            && let Some(member) = organization.members.get(&account.id)
        {
            if account.name.is_empty() {
                account.name.clone_from(&member.name);
            }
            account.details = details(config, member);
        }
        take(account.id, Ok(account));
    }
    let mut list = AccountList::default();
    if let Some((organization, caller)) = organization {
        let listed: BTreeSet<_> = config.accounts.iter().map(|account| account.id).collect();
        let members = organization.members.iter();
        for (id, member) in members.filter(|(id, _)| !listed.contains(id)) {
            let account = if settings.exclude.contains(id) {
                Err(Absent::Excluded)
            } else if !member.living {
                Err(Absent::Inactive)
            } else {
                Ok(account(config, organization, caller, *id, member))
            };
            take(*id, account);
        }
        list.caller = Some(caller);
        list.complete = true;
        list.confirmed = known.organization_confirmed && known.caller_confirmed;
        list.organization = Some(Arc::clone(organization));
    } else if settings.enabled {
        // Configured accounts do not wait for the organization.
        if accounts.is_empty() {
            return None;
        }
    } else if config.accounts.is_empty() {
        let caller = known.caller?;
        let member = KnownMember::default();
        let organization = KnownOrganization::default();
        take(
            caller,
            Ok(account(config, &organization, caller, caller, &member)),
        );
        list.caller = Some(caller);
        list.complete = true;
        list.confirmed = known.caller_confirmed;
    } else {
        list.complete = true;
        list.confirmed = true;
    }
    list.accounts = accounts;
    list.absent = Arc::new(absent);
    Some(list)
}

/// An account of the organization, and how it is read.
fn account(
    config: &Config,
    organization: &KnownOrganization,
    caller: AccountId,
    id: AccountId,
    member: &KnownMember,
) -> Account {
    let settings = &config.organization;
    let region = config.aws.region.clone();
    let role = || Access::Role {
        arn: format!(
            "arn:{}:iam::{id}:role/{}",
            Partition::of_region(&region),
            settings.role_name
        ),
        external_id: settings.external_id.clone(),
    };
    let (access, root_session) = if id == caller {
        (Some(Access::Caller), false)
    } else if Some(id) == organization.management {
        // It takes no root session.
        (Some(role()), false)
    } else {
        match settings.access {
            MemberAccess::Role => (Some(role()), false),
            MemberAccess::Root => (None, true),
            MemberAccess::Both => (Some(role()), true),
        }
    };
    let mut labels = Arc::clone(&member.tags);
    if !labels.keys().all(|key| settings.tag_labels.contains(key)) {
        Arc::make_mut(&mut labels).retain(|key, _| settings.tag_labels.contains(key));
    }
    Account {
        id,
        name: member.name.clone(),
        labels,
        exceptions: config.exceptions.get(&id).cloned().unwrap_or_default(),
        details: details(config, member),
        region,
        access,
        root_session,
    }
}

/// What the configuration asks for of what is known of a member.
fn details(config: &Config, member: &KnownMember) -> Arc<Details> {
    let wanted = &config.organization.details;
    let Details { email, ou } = &*member.details;
    let is_extra = |detail, known: &Option<String>| known.is_some() && !wanted.contains(&detail);
    if !is_extra(Detail::Email, email) && !is_extra(Detail::Ou, ou) {
        return Arc::clone(&member.details);
    }
    let kept = |detail, known: &Option<String>| known.clone().filter(|_| wanted.contains(&detail));
    Arc::new(Details {
        email: kept(Detail::Email, email),
        ou: kept(Detail::Ou, ou),
    })
}

/// The accounts of exceptions that this shard would monitor and does not: their exceptions have no
/// effect. `None` while the list is not complete.
pub(super) fn unused_exceptions(
    config: &Config,
    list: &AccountList,
) -> Option<BTreeSet<AccountId>> {
    if !list.complete || !list.confirmed {
        return None;
    }
    let of_exceptions = config.exceptions.keys().copied();
    let mut unused: BTreeSet<_> = of_exceptions
        .filter(|id| shard::holds(&config.shard, *id))
        .collect();
    if !unused.is_empty() {
        for account in &list.accounts {
            unused.remove(&account.id);
        }
    }
    Some(unused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Organization, Shard};

    fn id(number: u64) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    fn known(count: u64) -> Known {
        let member = |number: u64| KnownMember {
            name: format!("account {number}"),
            living: true,
            ..KnownMember::default()
        };
        Known {
            caller: Some(id(2)),
            caller_confirmed: true,
            organization: Some(Arc::new(KnownOrganization {
                management: Some(id(1)),
                members: (1..=count)
                    .map(|number| (id(number), member(number)))
                    .collect(),
                ..KnownOrganization::default()
            })),
            organization_confirmed: true,
        }
    }

    fn config(access: MemberAccess) -> Config {
        Config {
            organization: Organization {
                enabled: true,
                access,
                ..Organization::default()
            },
            ..Config::default()
        }
    }

    fn ways(access: MemberAccess) -> Vec<(Option<&'static str>, bool)> {
        let list = assemble(&config(access), &known(3)).unwrap();
        let way = |account: &Arc<Account>| {
            let access = account.access.as_ref().map(|access| match access {
                Access::Caller => "caller",
                Access::Role { .. } => "role",
                Access::Profile(_) => "profile",
            });
            (access, account.root_session)
        };
        list.accounts.iter().map(way).collect()
    }

    #[test]
    fn members_are_read_as_configured_and_the_management_account_by_its_role() {
        let (role, caller) = (Some("role"), Some("caller"));
        assert_eq!(
            ways(MemberAccess::Role),
            [(role, false), (caller, false), (role, false)]
        );
        assert_eq!(
            ways(MemberAccess::Root),
            [(role, false), (caller, false), (None, true)]
        );
        assert_eq!(
            ways(MemberAccess::Both),
            [(role, false), (caller, false), (role, true)]
        );
    }

    #[test]
    fn the_role_is_in_the_partition_of_the_region() {
        let mut config = config(MemberAccess::Role);
        config.aws.region = "us-gov-west-1".to_owned();
        config.organization.role_name = "security/audit".to_owned();
        let list = assemble(&config, &known(3)).unwrap();
        let Some(Access::Role { arn, .. }) = &list.accounts[2].access else {
            panic!("no role");
        };
        assert_eq!(arn, "arn:aws-us-gov:iam::000000000003:role/security/audit");
    }

    #[test]
    fn a_configured_account_replaces_the_discovered_one_and_takes_its_name() {
        let mut config = config(MemberAccess::Role);
        config.organization.exclude.insert(id(3));
        config.accounts.push(Account {
            id: id(3),
            name: String::new(),
            region: "eu-central-1".to_owned(),
            access: Some(Access::Profile("legacy".to_owned())),
            root_session: false,
            labels: Arc::default(),
            exceptions: Arc::default(),
            details: Arc::default(),
        });
        let list = assemble(&config, &known(3)).unwrap();
        let three: Vec<_> = list.accounts.iter().filter(|one| one.id == id(3)).collect();
        assert_eq!(three.len(), 1);
        assert_eq!(three[0].region, "eu-central-1");
        assert_eq!(three[0].name, "account 3");
    }

    #[test]
    fn an_account_has_the_details_that_the_configuration_asks_for_and_no_others() {
        let mut known = known(3);
        let organization = Arc::make_mut(known.organization.as_mut().unwrap());
        let member = organization.members.get_mut(&id(3)).unwrap();
        member.details = Arc::new(Details {
            email: Some("aws@example.com".to_owned()),
            ou: Some("Root/A".to_owned()),
        });
        for wanted in [
            &[][..],
            &[Detail::Email],
            &[Detail::Ou],
            &[Detail::Email, Detail::Ou],
        ] {
            let mut config = config(MemberAccess::Role);
            config.organization.details = wanted.iter().copied().collect();
            let list = assemble(&config, &known).unwrap();
            let details = &list.accounts[2].details;
            assert_eq!(details.email.is_some(), wanted.contains(&Detail::Email));
            assert_eq!(details.ou.is_some(), wanted.contains(&Detail::Ou));
        }
    }

    #[test]
    fn accounts_that_are_left_out_have_a_reason() {
        let mut known = known(5);
        let organization = Arc::make_mut(known.organization.as_mut().unwrap());
        organization.members.get_mut(&id(4)).unwrap().living = false;
        let mut config = config(MemberAccess::Role);
        config.organization.exclude.insert(id(5));
        let list = assemble(&config, &known).unwrap();
        assert_eq!(list.accounts.len(), 3);
        assert_eq!(list.absent[&id(4)], Absent::Inactive);
        assert_eq!(list.absent[&id(5)], Absent::Excluded);
    }

    #[test]
    fn exceptions_of_accounts_that_are_not_monitored_are_named_by_one_shard() {
        let mut unused = BTreeSet::new();
        for index in 0..3 {
            let mut config = config(MemberAccess::Role);
            config.shard = Shard { index, total: 3 };
            config.organization.exclude.insert(id(5));
            for number in [1, 5, 7, 8] {
                config.exceptions.insert(id(number), Arc::default());
            }
            let list = assemble(&config, &known(5)).unwrap();
            for id in unused_exceptions(&config, &list).unwrap() {
                assert!(unused.insert(id), "{id} twice");
            }
            let unconfirmed = AccountList {
                confirmed: false,
                ..list
            };
            assert_eq!(unused_exceptions(&config, &unconfirmed), None);
        }
        assert_eq!(unused, BTreeSet::from([5, 7, 8].map(id)));
    }

    #[test]
    fn shards_are_disjoint_and_their_union_is_the_organization() {
        let mut seen = BTreeSet::new();
        for index in 0..3 {
            let mut config = config(MemberAccess::Role);
            config.shard = Shard { index, total: 3 };
            let list = assemble(&config, &known(300)).unwrap();
            assert!(list.accounts.len() > 50, "shard {index}");
            assert_eq!(list.accounts.len() + list.absent.len(), 300);
            for account in &list.accounts {
                assert!(seen.insert(account.id), "{} twice", account.id);
            }
        }
        assert_eq!(seen.len(), 300);
    }

    #[test]
    fn configured_accounts_do_not_wait_for_the_organization() {
        let mut config = config(MemberAccess::Role);
        assert_eq!(assemble(&config, &Known::default()), None);
        config.accounts.push(Account {
            id: id(9),
            name: String::new(),
            region: "us-east-1".to_owned(),
            access: Some(Access::Caller),
            root_session: false,
            labels: Arc::default(),
            exceptions: Arc::default(),
            details: Arc::default(),
        });
        let list = assemble(&config, &Known::default()).unwrap();
        assert_eq!(list.accounts.len(), 1);
        assert!(!list.complete && !list.confirmed);
    }

    #[test]
    fn a_list_of_the_state_is_used_and_not_confirmed() {
        let of_state = Known {
            caller_confirmed: false,
            organization_confirmed: false,
            ..known(3)
        };
        let list = assemble(&config(MemberAccess::Role), &of_state).unwrap();
        assert!(list.complete && !list.confirmed);
    }
}
