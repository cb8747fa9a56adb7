//! `check --format json`: the accounts as `/api/v1/accounts/{id}` has them.

use serde_json::{Value, json};

use super::checked::{Checked, CheckedAccount};
use super::saved::Made;
use crate::pages::account_json;

/// The accounts as `{"accounts":[…]}`, and for saved reports which file is of which account.
pub(super) fn print(checked: &[Checked]) -> String {
    let mut accounts = Vec::new();
    let mut reports = Vec::new();
    for checked in checked {
        match checked {
            Checked::Account(one) => {
                accounts.push(account(one));
                if let Some((file, _)) = &one.saved {
                    let id = one.view.account.id;
                    reports.push(json!({ "file": file, "account": id, "error": null }));
                }
            }
            Checked::Unread {
                what,
                why,
                is_report: true,
                ..
            } => {
                reports.push(json!({ "file": what, "account": null, "error": why }));
            }
            Checked::Unread { .. } => {}
        }
    }
    let mut all = json!({ "accounts": accounts });
    if !reports.is_empty() {
        all["reports"] = reports.into();
    }
    format!("{all:#}\n")
}

fn account(checked: &CheckedAccount) -> Value {
    let mut account = account_json(&checked.view, checked.moment, checked.now);
    if let Some((_, Made::Between { .. })) = checked.saved {
        // A CSV does not say when it was made.
        account["observed"] = Value::Null;
        account["root"]["first_seen"] = Value::Null;
        account["report"]["generated"] = Value::Null;
        account["sources"]["credential_report"]["last_success"] = Value::Null;
    }
    account
}
