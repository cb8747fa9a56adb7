//! Which view of the accounts a path names, and the response that shows it.

use std::io;
use std::sync::Arc;

use exporter_toolkit::Page;
use exporter_toolkit::hyper::Response;

use bytes::Bytes;

use super::query::Query;
use super::{api, html};
use crate::account::AccountId;
use crate::views::{Snapshot, Views};

/// The pages and the JSON API of some views.
#[derive(Debug)]
pub struct Pages {
    views: Arc<Views>,
    telemetry_path: Arc<str>,
}

impl Pages {
    /// The pages of `views`, which link to the metrics at `telemetry_path`.
    #[must_use]
    pub fn new(views: Arc<Views>, telemetry_path: &str) -> Self {
        Self {
            views,
            telemetry_path: telemetry_path.into(),
        }
    }

    /// The page at a path.
    #[must_use]
    pub fn at(&self, path: &str, query: &str) -> Option<Page> {
        let path = Path::parse(path, query)?;
        let views = Arc::clone(&self.views);
        let telemetry_path = Arc::clone(&self.telemetry_path);
        Some(Page::new(path.handler(), move || {
            path.response(&views.snapshot(), &telemetry_path)
        }))
    }
}

/// A path that shows accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Path {
    /// `/`.
    Overview(Query),
    /// `/accounts/{id}`.
    Account(AccountId),
    /// `/api/v1/accounts`.
    ApiAccounts,
    /// `/api/v1/accounts/{id}`.
    ApiAccount(AccountId),
}

impl Path {
    fn parse(path: &str, query: &str) -> Option<Self> {
        if path == "/" {
            return Some(Self::Overview(Query::parse(query)));
        }
        if let Some(id) = path.strip_prefix("/accounts/") {
            return id.parse().ok().map(Self::Account);
        }
        match path.strip_prefix("/api/v1/accounts")? {
            "" => Some(Self::ApiAccounts),
            id => id.strip_prefix('/')?.parse().ok().map(Self::ApiAccount),
        }
    }

    /// The value of the label `handler`.
    fn handler(&self) -> &'static str {
        match self {
            Self::Overview(_) => "overview",
            Self::Account(_) => "account",
            Self::ApiAccounts | Self::ApiAccount(_) => "api",
        }
    }

    fn response(&self, snapshot: &Snapshot, telemetry_path: &str) -> io::Result<Response<Bytes>> {
        match self {
            Self::Overview(query) => html::overview(snapshot, query, telemetry_path),
            Self::Account(id) => html::account(snapshot, *id),
            Self::ApiAccounts => api::accounts(snapshot),
            Self::ApiAccount(id) => api::account(snapshot, *id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_compared_whole() {
        let id = "000000000012".parse().unwrap();
        for (text, path) in [
            ("/api/v1/accounts", Some(Path::ApiAccounts)),
            ("/api/v1/accounts/000000000012", Some(Path::ApiAccount(id))),
            ("/api/v1/accounts/", None),
            ("/api/v1/accounts/12", None),
            ("/api/v1/accounts/000000000012/", None),
            ("/api/v1/accounts000000000012", None),
            ("/api/v1/accounts/../accounts", None),
            ("/api/v1/accounts/%300000000012", None),
            ("/api/v1", None),
            ("/accounts/000000000012", Some(Path::Account(id))),
            ("/accounts/12", None),
            ("/accounts/", None),
            ("/accounts", None),
            ("//", None),
        ] {
            assert_eq!(Path::parse(text, ""), path, "{text}");
        }
    }
}
