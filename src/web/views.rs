//! What people and programs read of the accounts: which view a path names, and its document.
//!
//! The pages come from `pages`, the JSON from `api`; both are made on the shelf.

use std::io;
use std::sync::Arc;

use super::api;
use super::document::Document;
use super::negotiate::Encoding;
use super::shelf::Shelf;
use crate::account::AccountId;
use crate::store::Store;

/// Something that shows accounts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// `/api/v1/accounts`.
    ApiAccounts,
    /// `/api/v1/accounts/{id}`.
    ApiAccount(AccountId),
}

impl View {
    /// The view at a path.
    pub fn at(path: &str) -> Option<Self> {
        let path = path.strip_prefix("/api/v1/accounts")?;
        match path.strip_prefix('/') {
            Some(id) => id.parse().ok().map(Self::ApiAccount),
            None if path.is_empty() => Some(Self::ApiAccounts),
            None => None,
        }
    }

    /// The value of the label `handler`.
    pub fn handler(&self) -> &'static str {
        match self {
            Self::ApiAccounts | Self::ApiAccount(_) => "api",
        }
    }
}

/// Makes the views.
#[derive(Debug)]
pub(super) struct Views {
    store: Arc<Store>,
    shelf: Shelf,
}

impl Views {
    /// Views of what is in the store.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
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
        let key = (view.clone(), encoding);
        self.shelf
            .get(key, move || {
                let snapshot = store.snapshot();
                match view {
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
        ] {
            assert_eq!(View::at(path), view, "{path}");
        }
    }
}
