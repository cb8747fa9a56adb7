//! The JSON API: the accounts as [`crate::views::AccountJson`] writes them.
//!
//! It answers with what is known and changes nothing.

use std::io;

use bytes::Bytes;
use serde::Serialize;

use super::document::{Document, Tag};
use super::negotiate::Encoding;
use crate::account::AccountId;
use crate::views::{AccountJson, AccountsJson, Snapshot};

pub(super) const JSON: &str = "application/json";

/// Every account: `{"accounts":[…]}`, by id.
///
/// # Errors
///
/// When the JSON cannot be written.
pub(super) fn accounts(snapshot: &Snapshot, encoding: Encoding) -> io::Result<Document> {
    let accounts = snapshot.accounts.iter().map(AsRef::as_ref);
    document(&AccountsJson::of(accounts, snapshot.moment), encoding)
}

/// One account; `None` when it is not watched here.
///
/// # Errors
///
/// When the JSON cannot be written.
pub(super) fn account(
    snapshot: &Snapshot,
    id: AccountId,
    encoding: Encoding,
) -> io::Result<Option<Document>> {
    snapshot
        .account(id)
        .map(|view| document(&AccountJson::of(view, snapshot.moment), encoding))
        .transpose()
}

/// The answer where there is nothing.
pub(super) fn missing() -> Bytes {
    Bytes::from_static(b"{\"error\":\"this account is not watched here\"}\n")
}

fn document(value: &impl Serialize, encoding: Encoding) -> io::Result<Document> {
    let mut content = serde_json::to_vec(value)?;
    content.push(b'\n');
    let tag = Tag::of(&content);
    Document::new(JSON, content, encoding, tag)
}
