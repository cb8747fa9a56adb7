//! `check` for programs: the objects of `/api/v1/accounts`.

use serde_json::{Value, json};

use super::saved::Made;
use super::seen::{Checked, Seen};
use crate::views::AccountJson;

/// All that was seen as `{"accounts":[…]}`; for saved reports also which file was whose.
pub(super) fn print(checked: &[Checked]) -> String {
    let accounts: Vec<Value> = checked
        .iter()
        .filter_map(|checked| match checked {
            Checked::Account(seen) => Some(account(seen)),
            Checked::Unread { .. } => None,
        })
        .collect();
    let mut all = json!({ "accounts": accounts });
    let reports: Vec<Value> = checked.iter().filter_map(report).collect();
    if !reports.is_empty() {
        all["reports"] = reports.into();
    }
    format!("{all:#}\n")
}

fn account(seen: &Seen) -> Value {
    let mut account = json!(AccountJson::of(&seen.view, seen.moment));
    if let Some((_, Made::Between { .. })) = seen.saved {
        // The CSV does not say when it was made.
        account["observed"] = Value::Null;
        account["root"]["access_keys_active_since"] = Value::Null;
        account["report"]["generated"] = Value::Null;
        account["sources"]["credential_report"]["last_success"] = Value::Null;
    }
    account
}

fn report(checked: &Checked) -> Option<Value> {
    match checked {
        Checked::Unread {
            what,
            why,
            is_report: true,
            ..
        } => Some(json!({ "file": what, "account": null, "error": why })),
        Checked::Unread { .. } => None,
        Checked::Account(seen) => {
            let (file, _) = seen.saved.as_ref()?;
            Some(json!({ "file": file, "account": seen.view.account.id, "error": null }))
        }
    }
}
