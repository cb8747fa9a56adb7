//! The pages for people and the JSON API: which accounts have a root key, since when, and what to
//! do about it.
//!
//! From a snapshot and a path to a response, without I/O. Templates escape all values. The pages
//! have no script and load nothing from elsewhere; the content security policy in `html` makes the
//! browser enforce that.

mod account;
mod api;
mod html;
mod overview;
mod problem;
mod query;
mod runbook;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use exporter_toolkit::Page;
use exporter_toolkit::hyper::Response;

use crate::views::{Snapshot, Views};

use query::{Query, Reload};

pub(crate) use api::account_json;
pub(crate) use problem::not_found;

/// The page of `views` at a path, with a link to the metrics at `telemetry_path`.
pub(crate) fn at(
    views: &Arc<Views>,
    telemetry_path: &Arc<str>,
    path: &str,
    query: &str,
) -> Option<Page> {
    if path == "/" {
        let query = Query::parse(query);
        let telemetry_path = Arc::clone(telemetry_path);
        return Some(page(views, "overview", move |snapshot| match &query {
            Ok(query) => overview::response(snapshot, query, &telemetry_path),
            Err(error) => overview::refusal(error),
        }));
    }
    if path == "/runbooks" {
        return Some(Page::new("runbooks", runbook::list));
    }
    if path == "/runbooks/" {
        return Some(Page::new("runbooks", || html::moved("../runbooks")));
    }
    if let Some(name) = path.strip_prefix("/runbooks/") {
        let name = name.to_owned();
        return Some(Page::new("runbooks", move || runbook::response(&name)));
    }
    if let Some(id) = path.strip_prefix("/accounts/") {
        let reload = Query::parse(query).map_or(Reload::On, |query| query.reload);
        let id = id.to_owned();
        return Some(page(views, "account", move |snapshot| {
            account::response(snapshot, &id, reload)
        }));
    }
    if let Some(rest) = path.strip_prefix("/api/v1/accounts") {
        return match rest {
            "" => {
                let query = Query::parse(query);
                Some(page(views, "api", move |snapshot| match &query {
                    Ok(query) => api::accounts(snapshot, query),
                    Err(error) => api::refusal(error),
                }))
            }
            id => {
                let id = id.strip_prefix('/')?.parse().ok()?;
                Some(page(views, "api", move |snapshot| {
                    api::account(snapshot, id)
                }))
            }
        };
    }
    None
}

/// A page that is counted under `handler`.
fn page(
    views: &Arc<Views>,
    handler: &'static str,
    render: impl FnOnce(&Snapshot) -> io::Result<Response<Bytes>> + Send + 'static,
) -> Page {
    let views = Arc::clone(views);
    Page::new(handler, move || render(&views.snapshot()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Timestamp};

    #[test]
    fn a_path_is_compared_whole() {
        let views = Arc::new(Views::new(Clock::manual(Timestamp::default()).0));
        for (path, exists) in [
            ("/api/v1/accounts", true),
            ("/api/v1/accounts/000000000012", true),
            ("/api/v1/accounts/", false),
            ("/api/v1/accounts/12", false),
            ("/api/v1/accounts/000000000012/", false),
            ("/api/v1/accounts000000000012", false),
            ("/api/v1/accounts/../accounts", false),
            ("/api/v1/accounts/%300000000012", false),
            ("/api/v1", false),
            ("/accounts/000000000012", true),
            // An id that is none has a page that says so.
            ("/accounts/12", true),
            ("/accounts/", true),
            ("/accounts", false),
            ("/runbooks", true),
            ("/runbooks/", true),
            ("/runbooks/AWSRootAccessKeyActive", true),
            ("/runbooks/none", true),
            ("/runbook", false),
            ("//", false),
        ] {
            let page = at(&views, &"/metrics".into(), path, "");
            assert_eq!(page.is_some(), exists, "{path}");
        }
    }
}
