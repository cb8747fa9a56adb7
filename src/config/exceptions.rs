//! The `[[exceptions]]` of the file: root access keys that are accepted until a date.
//!
//! It does not know the date of today: an exception that has ended is valid.

use std::collections::BTreeMap;
use std::sync::Arc;

use figment::value::Value;
use time::Date;
use time::format_description::well_known::Iso8601;

use super::settings::EXCEPTIONS;
use super::table::{Merged, Table};
use super::values::{self, Parsed};
use crate::account::{AccessKeyId, AccountId, Exception};

/// The longest reason, in characters: it is shown in a line.
const LONGEST_REASON: usize = 500;

/// Reads all entries. One that is wrong is an error, and left out.
pub(super) fn read(merged: &Merged) -> BTreeMap<AccountId, Arc<[Exception]>> {
    let mut first: BTreeMap<(AccountId, AccessKeyId), usize> = BTreeMap::new();
    let mut exceptions: BTreeMap<AccountId, Vec<Exception>> = BTreeMap::new();
    for (index, entry) in merged.entries(EXCEPTIONS).iter().enumerate() {
        let Some((account, exception)) = exception(entry) else {
            continue;
        };
        let named = (account, exception.key.clone());
        if let Some(first) = first.get(&named) {
            let key = &exception.key;
            let problem = format!(
                "\"{key}\" of account {account} is listed twice, first as exceptions[{first}]; \
                 remove one"
            );
            entry.fail("key", problem);
            continue;
        }
        first.insert(named, index);
        exceptions.entry(account).or_default().push(exception);
    }
    let shared = exceptions.into_iter().map(|(id, list)| (id, list.into()));
    shared.collect()
}

fn exception(entry: &Table<'_>) -> Option<(AccountId, Exception)> {
    // That is an error already.
    if !entry.is_table() {
        return None;
    }
    for (key, example) in [
        ("account", "12 digits, in quotes"),
        ("key", "the access key id, in quotes"),
        ("reason", "why the key is accepted"),
        ("until", "the last day, like \"2027-12-31\""),
    ] {
        if entry.get(key).is_none() {
            let problem = format!("is missing; every exception needs it ({example})");
            entry.fail(key, problem);
        }
    }
    let account = entry.read("account", values::account_id);
    let key = entry.read("key", access_key_id);
    let reason = entry.read("reason", reason);
    let until = entry.read("until", date);
    let exception = Exception {
        key: key?,
        reason: reason?,
        until: until?,
    };
    Some((account?, exception))
}

fn access_key_id(value: &Value) -> Parsed<AccessKeyId> {
    let text = values::any_text(value)?;
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if !text.starts_with("AKIA") || text.len() < 16 || !text.bytes().all(is_plain) {
        return Err(format!(
            "{text:?} is not the id of an access key: AKIA and at least 12 capital letters and digits, \
             as AKIAIOSFODNN7EXAMPLE"
        ));
    }
    text.parse()
        .map_err(|error: crate::account::AccessKeyIdError| error.to_string())
}

fn reason(value: &Value) -> Parsed<String> {
    let text = values::any_text(value)?;
    if text.trim().is_empty() {
        return Err(format!("{text:?} is empty; write why the key is accepted"));
    }
    let length = text.chars().count();
    if length > LONGEST_REASON {
        return Err(format!(
            "has {length} characters; the most is {LONGEST_REASON}"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{text:?} is not a single line of text"));
    }
    Ok(text)
}

/// A day of the calendar, as `2027-12-31`.
fn date(value: &Value) -> Parsed<Date> {
    if values::kind(value) == "a date" {
        return Err("is a date; put it in quotes, like \"2027-12-31\"".to_owned());
    }
    let text = values::any_text(value)?;
    // ISO 8601 knows other forms, too, such as weeks.
    Date::parse(&text, &Iso8601::DATE)
        .ok()
        .filter(|date| date.to_string() == text)
        .ok_or_else(|| format!("{text:?} is not a day; write it like \"2027-12-31\""))
}
