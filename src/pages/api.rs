//! The JSON API: the accounts as [`crate::views::AccountJson`] writes them.
//!
//! It answers with what is known and changes nothing.

use std::io;

use bytes::Bytes;
use exporter_toolkit::hyper::header::CONTENT_TYPE;
use exporter_toolkit::hyper::{Response, StatusCode};
use serde::Serialize;

use crate::account::AccountId;
use crate::views::{AccountJson, AccountsJson, Snapshot};

/// Every account: `{"accounts":[…]}`, by id.
///
/// # Errors
///
/// When the JSON cannot be written.
pub(super) fn accounts(snapshot: &Snapshot) -> io::Result<Response<Bytes>> {
    let accounts = snapshot.accounts.iter().map(AsRef::as_ref);
    let accounts = AccountsJson::of(accounts, snapshot.moment);
    response(StatusCode::OK, &accounts)
}

/// One account; status 404 when it is not monitored here.
///
/// # Errors
///
/// When the JSON cannot be written.
pub(super) fn account(snapshot: &Snapshot, id: AccountId) -> io::Result<Response<Bytes>> {
    match snapshot.account(id) {
        Some(view) => response(StatusCode::OK, &AccountJson::of(view, snapshot.moment)),
        None => response(
            StatusCode::NOT_FOUND,
            &serde_json::json!({"error": "this account is not watched here"}),
        ),
    }
}

fn response(status: StatusCode, value: &impl Serialize) -> io::Result<Response<Bytes>> {
    let mut content = serde_json::to_vec(value)?;
    content.push(b'\n');
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .body(content.into())
        .map_err(io::Error::other)
}
