//! What people and programs read of the accounts: which view a path names, and its document.
//!
//! The pages come from `pages`, the JSON from `api`; both are made on the shelf.

use std::io;
use std::sync::Arc;

use super::api;
use super::document::Document;
use super::negotiate::Encoding;
use super::pages;
use super::shelf::Shelf;
use crate::account::AccountId;
use crate::views::Views;

/// Something that shows accounts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// `/`.
    Overview(pages::Query),
    /// `/accounts/{id}`.
    Account(AccountId),
    /// `/api/v1/accounts`.
    ApiAccounts,
    /// `/api/v1/accounts/{id}`.
    ApiAccount(AccountId),
}

impl View {
    /// The view at a path.
    pub fn at(path: &str, query: &str) -> Option<Self> {
        if path == "/" {
            return Some(Self::Overview(pages::Query::parse(query)));
        }
        if let Some(id) = path.strip_prefix("/accounts/") {
            return id.parse().ok().map(Self::Account);
        }
        match path.strip_prefix("/api/v1/accounts")? {
            "" => Some(Self::ApiAccounts),
            id => id.strip_prefix('/')?.parse().ok().map(Self::ApiAccount),
        }
    }

    /// Whether it is for people.
    pub fn is_page(&self) -> bool {
        matches!(self, Self::Overview(_) | Self::Account(_))
    }

    /// The value of the label `handler`.
    pub fn handler(&self) -> &'static str {
        match self {
            Self::Overview(_) => "overview",
            Self::Account(_) => "account",
            Self::ApiAccounts | Self::ApiAccount(_) => "api",
        }
    }
}

/// Makes what the paths name.
#[derive(Debug)]
pub(super) struct Paths {
    store: Arc<Views>,
    telemetry_path: Arc<str>,
    shelf: Shelf,
}

impl Paths {
    /// Paths of what is in the store.
    pub fn new(store: Arc<Views>, telemetry_path: &str) -> Self {
        Self {
            store,
            telemetry_path: telemetry_path.into(),
            shelf: Shelf::default(),
        }
    }

    /// A view as it is now; `None` when there is no such account.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub async fn get(&self, view: View, encoding: Encoding) -> io::Result<Option<Document>> {
        let store = Arc::clone(&self.store);
        let telemetry_path = Arc::clone(&self.telemetry_path);
        let key = (view.clone(), encoding);
        self.shelf
            .get(key, move || {
                let snapshot = store.snapshot();
                match view {
                    View::Overview(query) => {
                        pages::overview(&snapshot, &query, &telemetry_path, encoding).map(Some)
                    }
                    View::Account(id) => pages::account(&snapshot, id, encoding),
                    View::ApiAccounts => api::accounts(&snapshot, encoding).map(Some),
                    View::ApiAccount(id) => api::account(&snapshot, id, encoding),
                }
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_compared_whole() {
        let id = "000000000012".parse().unwrap();
        for (path, view) in [
            ("/api/v1/accounts", Some(View::ApiAccounts)),
            ("/api/v1/accounts/000000000012", Some(View::ApiAccount(id))),
            ("/api/v1/accounts/", None),
            ("/api/v1/accounts/12", None),
            ("/api/v1/accounts/000000000012/", None),
            ("/api/v1/accounts000000000012", None),
            ("/api/v1/accounts/../accounts", None),
            ("/api/v1/accounts/%300000000012", None),
            ("/api/v1", None),
            ("/accounts/000000000012", Some(View::Account(id))),
            ("/accounts/12", None),
            ("/accounts/", None),
            ("/accounts", None),
            ("//", None),
        ] {
            assert_eq!(View::at(path, ""), view, "{path}");
        }
    }
}
