//! `check` for spreadsheets: one line an account. No cell is a formula, whatever an account is
//! called.

use std::borrow::Cow;

use super::seen::{Checked, Seen, Verdict};
use root_posture::KeyDetail;
use root_posture::Metric;
use root_posture::report::Slot;

const HEADER: [&str; 21] = [
    "account",
    "name",
    "verdict",
    "root_access_keys_active",
    "root_access_keys_present",
    "root_mfa_enabled",
    "key_1_id",
    "key_1_active",
    "key_1_last_rotated",
    "key_1_last_used",
    "key_1_last_used_region",
    "key_1_last_used_service",
    "key_2_id",
    "key_2_active",
    "key_2_last_rotated",
    "key_2_last_used",
    "key_2_last_used_region",
    "key_2_last_used_service",
    "observed",
    "report",
    "error",
];

/// All that was seen, under a header. What is not known is empty.
pub(super) fn print(checked: &[Checked]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |record: &[String]| {
        let record = record.iter().map(|cell| plain(cell));
        // Writing to memory cannot fail, and every record has the header's length.
        let _ = writer.write_record(record.collect::<Vec<_>>().iter().map(|cell| &**cell));
    };
    write(&HEADER.map(str::to_owned));
    for checked in checked {
        match checked {
            Checked::Account(seen) => write(&account(seen)),
            Checked::Unread { what, why, .. } => write(&torn(what, why)),
        }
    }
    // Flushing to memory cannot fail, and what was written is UTF-8.
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// The cell as spreadsheets show it, instead of computing it: an apostrophe before what would begin
/// a formula.
///
/// Source: OWASP, "CSV Injection".
fn plain(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

fn account(seen: &Seen) -> Vec<String> {
    let posture = &seen.view.posture;
    let value = |figure: Option<Metric>| text(seen.value(figure));
    let mut record = vec![
        seen.view.account.id.to_string(),
        seen.view.account.name.clone(),
        verdict(seen.verdict()).to_owned(),
        value(posture.keys_active),
        value(posture.keys_present),
        value(posture.mfa_enabled),
    ];
    let keys = seen.keys();
    for slot in Slot::ALL {
        let told = keys.iter().filter_map(|key| key.told);
        record.extend(key(told.into_iter().find(|told| told.slot == slot)));
    }
    let failures: Vec<String> = seen
        .view
        .sources
        .iter()
        .filter(|source| source.up == Some(false))
        .filter_map(|source| {
            let (_, failure) = source.last_failure.as_ref()?;
            Some(format!("{}: {failure}", source.source))
        })
        .collect();
    record.extend([
        text(seen.observed()),
        seen.saved
            .as_ref()
            .map_or_else(String::new, |(file, _)| file.clone()),
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

fn torn(file: &str, why: &str) -> Vec<String> {
    let filled = ["", "", verdict(Verdict::Unknown)];
    let blanks = HEADER.len() - filled.len() - 2;
    filled
        .into_iter()
        .chain(std::iter::repeat_n("", blanks))
        .chain([file, why])
        .map(str::to_owned)
        .collect()
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clean => "none",
        Verdict::Unknown => "unknown",
        Verdict::Found { active: 0, .. } => "inactive",
        Verdict::Found { .. } => "active",
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
