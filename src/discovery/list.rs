//! Assembles the list of accounts to watch from the configuration and what is known. Asks nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::shard;
use crate::account::{Access, Account, AccountId, Partition};
use crate::config::{Config, MemberAccess, Organization};
use crate::schedule::{Absent, AccountList};
use crate::views::{KnownMember, KnownOrganization};

/// What AWS has answered, or the state remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The caller's own account.
    pub caller: Option<AccountId>,
    /// Whether AWS has confirmed that in this run.
    pub caller_confirmed: bool,
    /// The organization.
    pub organization: Option<Arc<KnownOrganization>>,
    /// Whether AWS has confirmed that in this run.
    pub organization_confirmed: bool,
}

/// The accounts to watch; `None` while too little is known.
pub(super) fn assemble(config: &Config, known: &Known) -> Option<AccountList> {
    if config.organization.enabled {
        return of_organization(config, known);
    }
    let mut list = Assembly::new(config);
    if config.accounts.is_empty() {
        let caller = known.caller?;
        list.take(Account {
            id: caller,
            name: String::new(),
            region: config.aws.region.clone(),
            access: Some(Access::Caller),
            root_session: false,
            labels: std::collections::BTreeMap::new(),
        });
        return Some(list.finish(AccountList {
            caller: Some(caller),
            complete: true,
            confirmed: known.caller_confirmed,
            ..AccountList::default()
        }));
    }
    for account in &config.accounts {
        list.take(account.clone());
    }
    Some(list.finish(AccountList {
        complete: true,
        confirmed: true,
        ..AccountList::default()
    }))
}

fn of_organization(config: &Config, known: &Known) -> Option<AccountList> {
    let mut list = Assembly::new(config);
    let organization = known.organization.as_ref().zip(known.caller);
    for account in &config.accounts {
        let mut account = account.clone();
        if account.name.is_empty()
            && let Some((organization, _)) = organization
            && let Some(member) = organization.members.get(&account.id)
        {
            account.name.clone_from(&member.name);
        }
        list.take(account);
    }
    let Some((organization, caller)) = organization else {
        // The accounts of the configuration need not wait for the rest.
        let list = list.finish(AccountList::default());
        return Some(list).filter(|list| !list.accounts.is_empty());
    };
    let listed: BTreeSet<AccountId> = config.accounts.iter().map(|account| account.id).collect();
    let members = organization.members.iter();
    for (id, member) in members.filter(|(id, _)| !listed.contains(id)) {
        if !shard::holds(&config.shard, *id) {
            list.leave_out(*id, Absent::OtherShard);
        } else if config.organization.exclude.contains(id) {
            list.leave_out(*id, Absent::Excluded);
        } else if !member.living {
            list.leave_out(*id, Absent::Inactive);
        } else {
            let origin = Origin {
                caller,
                management: organization.management,
            };
            list.take(origin.account(config, *id, member));
        }
    }
    Some(list.finish(AccountList {
        caller: Some(caller),
        complete: true,
        confirmed: known.organization_confirmed && known.caller_confirmed,
        organization: Some(Arc::clone(organization)),
        ..AccountList::default()
    }))
}

/// From where the accounts of an organization are read.
struct Origin {
    caller: AccountId,
    management: Option<AccountId>,
}

impl Origin {
    fn account(&self, config: &Config, id: AccountId, member: &KnownMember) -> Account {
        let Organization {
            access,
            role_name,
            external_id,
            tag_labels,
            ..
        } = &config.organization;
        let region = config.aws.region.clone();
        let role = || Access::Role {
            arn: format!(
                "arn:{}:iam::{id}:role/{role_name}",
                Partition::of_region(&region)
            ),
            external_id: external_id.clone(),
        };
        let (access, root_session) = if id == self.caller {
            (Some(Access::Caller), false)
        } else if Some(id) == self.management {
            // A root session cannot be opened for it.
            (Some(role()), false)
        } else {
            match access {
                MemberAccess::Role => (Some(role()), false),
                MemberAccess::Root => (None, true),
                MemberAccess::Both => (Some(role()), true),
            }
        };
        let labels = member
            .tags
            .iter()
            .filter(|(key, _)| tag_labels.contains(key));
        Account {
            id,
            name: member.name.clone(),
            labels: labels
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            region,
            access,
            root_session,
        }
    }
}

/// A list that is being assembled.
struct Assembly<'a> {
    config: &'a Config,
    accounts: Vec<Arc<Account>>,
    absent: HashMap<AccountId, Absent>,
}

impl<'a> Assembly<'a> {
    fn new(config: &'a Config) -> Self {
        Self {
            config,
            accounts: Vec::new(),
            absent: HashMap::new(),
        }
    }

    /// Takes an account, unless it is another shard's.
    fn take(&mut self, account: Account) {
        if shard::holds(&self.config.shard, account.id) {
            self.accounts.push(Arc::new(account));
        } else {
            self.leave_out(account.id, Absent::OtherShard);
        }
    }

    fn leave_out(&mut self, id: AccountId, why: Absent) {
        self.absent.insert(id, why);
    }

    fn finish(self, list: AccountList) -> AccountList {
        AccountList {
            accounts: self.accounts,
            absent: Arc::new(self.absent),
            ..list
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Shard;

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
            labels: std::collections::BTreeMap::new(),
        });
        let list = assemble(&config, &known(3)).unwrap();
        let three: Vec<_> = list.accounts.iter().filter(|one| one.id == id(3)).collect();
        assert_eq!(three.len(), 1);
        assert_eq!(three[0].region, "eu-central-1");
        assert_eq!(three[0].name, "account 3");
    }

    #[test]
    fn accounts_left_out_have_a_reason() {
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
            labels: std::collections::BTreeMap::new(),
        });
        let list = assemble(&config, &Known::default()).unwrap();
        assert_eq!(list.accounts.len(), 1);
        assert!(!list.complete && !list.confirmed);
    }

    #[test]
    fn a_remembered_list_is_used_and_confirms_nothing() {
        let remembered = Known {
            caller_confirmed: false,
            organization_confirmed: false,
            ..known(3)
        };
        let list = assemble(&config(MemberAccess::Role), &remembered).unwrap();
        assert!(list.complete && !list.confirmed);
    }
}
