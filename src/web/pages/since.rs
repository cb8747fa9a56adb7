//! Since when there is a root key, and when it was last used.
//!
//! There are two answers to "since when". A credential report knows when a key was created; of a
//! key that is newer than the report, only that it was not there at one look and was at a later
//! one. Both are told as what they are.

use super::words::{self, Sentence, sentence};
use crate::views::AccountView;
use root_posture::KeyDetail;
use root_posture::{Moment, Timestamp};

/// What can be said in a line of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Since {
    /// `created` or `first seen`.
    pub how: &'static str,
    pub time: Timestamp,
}

/// How many active keys there are, and how many of them are known one by one.
fn active(view: &AccountView, moment: Moment) -> (usize, usize) {
    let shown = view.posture.keys_active.and_then(|keys| keys.at(moment));
    let known = view.root_keys().filter(|key| key.active).count();
    (usize::from(shown.unwrap_or(0)), known)
}

/// Since when, in short; `None` where there is no key or no time is known.
pub(super) fn short(view: &AccountView, moment: Moment) -> Option<Since> {
    let (shown, known) = active(view, moment);
    let first_seen = || {
        view.onset.seen.map(|time| Since {
            how: "first seen",
            time,
        })
    };
    if shown > known {
        return first_seen();
    }
    let present = view.posture.keys_present.and_then(|keys| keys.at(moment));
    if present.unwrap_or(0) == 0 {
        return None;
    }
    // The oldest of those that matter: of the active ones where there is one.
    view.root_keys()
        .filter(|key| shown == 0 || key.active)
        .filter_map(|key| key.last_rotated)
        .min()
        .map(|time| Since {
            how: "created",
            time,
        })
        .or_else(|| if shown > 0 { first_seen() } else { None })
}

/// Since when, in whole sentences.
pub(super) fn long(view: &AccountView, moment: Moment) -> Vec<Sentence> {
    let (shown, known) = active(view, moment);
    let mut told = Vec::new();
    for key in view.root_keys().filter(|key| shown == 0 || key.active) {
        let state = if key.active { "active" } else { "inactive" };
        let slot = key.slot.as_str();
        let by = match key.id {
            Some(id) => format!(" ({id}), by the root session."),
            None => ", by the credential report.".to_owned(),
        };
        told.push(match key.last_rotated {
            Some(time) => sentence![
                format!("Key {slot} ({state}) was created or last changed "),
                time,
                by
            ],
            None => sentence![format!(
                "When key {slot} ({state}) was created is not known."
            )],
        });
    }
    if shown > known {
        told.push(match view.report.as_deref() {
            Some(report) => sentence![format!(
                "The credential report of {} does not know {} yet, so AWS has not told when it \
                     was created.",
                words::exact(report.generated),
                if shown - known == 1 {
                    "an active key"
                } else {
                    "two active keys"
                }
            )],
            None => sentence![
                "No credential report was read yet, so it is not known when the key was created."
            ],
        });
    }
    if shown > 0
        && let Some(seen) = view.onset.seen
    {
        told.push(match view.onset.none_at {
            Some(none_at) if known == 0 || shown > known => sentence![
                "First seen ",
                seen,
                "; the evidence of ",
                none_at,
                " still said that there was none."
            ],
            _ => sentence!["First seen by this exporter ", seen, "."],
        });
    }
    told
}

/// When and where a root key was last used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum LastUse {
    /// There is no key.
    NoKey,
    /// Nothing says.
    Unknown,
    /// The key was never used.
    Never,
    /// The newest use of any key.
    Used {
        time: Timestamp,
        /// The service and the Region, where AWS says: `s3 in us-east-1`.
        place: String,
    },
}

/// When and where a root key was last used, as far as is known.
pub(super) fn last_use(view: &AccountView, moment: Moment) -> LastUse {
    let (shown, known) = active(view, moment);
    let used = view
        .root_keys()
        .filter_map(|key| Some((key.last_used?, key)))
        .max_by_key(|(time, _)| *time);
    if let Some((time, key)) = used {
        let place = place(&key);
        return LastUse::Used { time, place };
    }
    let present = view.posture.keys_present.and_then(|keys| keys.at(moment));
    match present {
        Some(0) => LastUse::NoKey,
        Some(_) if shown <= known && view.root_keys().next().is_some() => LastUse::Never,
        _ => LastUse::Unknown,
    }
}

/// Where a key was last used: `s3 in us-east-1`; empty where AWS does not say.
pub(super) fn place(key: &KeyDetail<'_>) -> String {
    match (key.last_used_service, key.last_used_region) {
        (Some(service), Some(region)) => format!("{service} in {region}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => String::new(),
    }
}
