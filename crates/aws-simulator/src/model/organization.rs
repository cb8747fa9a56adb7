//! The organization that the accounts belong to.

use std::collections::BTreeSet;

use crate::id::AccountId;

/// The organization that the accounts belong to.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Whether there is one.
    pub enabled: bool,
    /// Its management account.
    pub management: AccountId,
    /// Accounts that may list the others and open root sessions, as the management account may.
    pub delegated: BTreeSet<AccountId>,
    /// Whether centralised root access is on.
    pub root_access: bool,
    /// Accounts on a page, 20 at AWS.
    pub page_size: usize,
    /// The page, counted from 0, that an empty page with a `NextToken` precedes.
    pub empty_page_before: Option<usize>,
}

impl Organization {
    pub(crate) fn new(management: AccountId) -> Self {
        Self {
            enabled: true,
            management,
            delegated: BTreeSet::new(),
            root_access: true,
            page_size: 20,
            empty_page_before: None,
        }
    }

    /// Whether that account may act on the others.
    pub(crate) fn administers(&self, account: AccountId) -> bool {
        account == self.management || self.delegated.contains(&account)
    }
}
