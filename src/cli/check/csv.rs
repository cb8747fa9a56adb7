//! `check --format csv`: one line an account. No cell is a formula, whatever an account is called.

use std::borrow::Cow;

use super::checked::{Checked, CheckedAccount};
use crate::cli::args::CheckFinding;
use root_posture::KeyDetail;
use root_posture::report::Slot;

const HEADER: &str = "account,name,verdict,\
    root_access_keys_active,root_access_keys_present,root_access_keys_accepted,root_mfa_enabled,\
    key_1_id,key_1_active,key_1_last_rotated,\
    key_1_last_used,key_1_last_used_region,key_1_last_used_service,\
    key_2_id,key_2_active,key_2_last_rotated,\
    key_2_last_used,key_2_last_used_region,key_2_last_used_service,\
    observed,report,error";

/// The results under a header. An unknown value is empty.
pub(super) fn print(checked: &[Checked]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |record: &[String]| {
        // Writing to memory cannot fail, and every record has the header's length.
        let _ = writer.write_record(record.iter().map(|cell| plain(cell).into_owned()));
    };
    let header: Vec<_> = HEADER.split(',').map(str::to_owned).collect();
    write(&header);
    for checked in checked {
        let verdict = if checked.is_accepted() {
            "accepted"
        } else {
            verdict(&checked.findings())
        };
        match checked {
            Checked::Account(checked) => write(&account(checked, verdict)),
            Checked::Unread { what, why, .. } => {
                let mut record = vec![String::new(); header.len() - 2];
                verdict.clone_into(&mut record[2]);
                record.extend([what.clone(), why.clone()]);
                write(&record);
            }
        }
    }
    // Flushing to memory cannot fail, and what was written is UTF-8.
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// The cell with an apostrophe before what a spreadsheet would take for a formula.
///
/// Source: OWASP, "CSV Injection".
fn plain(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

fn account(checked: &CheckedAccount, verdict: &str) -> Vec<String> {
    let view = &checked.view;
    let mut record = vec![
        view.account.id.to_string(),
        view.account.name.clone(),
        verdict.to_owned(),
        text(checked.keys().active),
        text(checked.keys().present),
        text(Some(checked.accepted()).filter(|keys| *keys > 0)),
        text(checked.value(view.posture.mfa_enabled)),
    ];
    let keys = checked.each_key();
    for slot in Slot::ALL {
        let mut listed = keys.iter().filter_map(|key| key.listed);
        record.extend(key(listed.find(|key| key.slot == slot)));
    }
    let failures: Vec<String> = checked.failures().collect();
    record.extend([
        text(checked.observed()),
        text(checked.saved.as_ref().map(|(file, _)| file)),
        failures.join("; "),
    ]);
    record
}

fn key(key: Option<KeyDetail<'_>>) -> [String; 6] {
    [
        text(key.and_then(|key| key.id)),
        text(key.map(|key| key.active)),
        text(key.and_then(|key| key.last_rotated)),
        text(key.and_then(|key| key.last_used)),
        text(key.and_then(|key| key.last_used_region)),
        text(key.and_then(|key| key.last_used_service)),
    ]
}

fn verdict(findings: &[CheckFinding]) -> &'static str {
    match findings {
        [CheckFinding::Active, ..] => "active",
        found if found.contains(&CheckFinding::Present) => "inactive",
        found if found.contains(&CheckFinding::Unknown) => "unknown",
        _ => "none",
    }
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula() {
        for cell in [
            "=HYPERLINK(\"http://x\")",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "＝1",
        ] {
            assert_eq!(plain(cell), format!("'{cell}"));
        }
        for cell in ["", "production", "a=b", "2026-09-11T13:14:52Z"] {
            assert_eq!(plain(cell), cell);
        }
    }
}
