//! The root access keys of an account in words: how many, since when, and when last used.
//!
//! There are two answers to "since when". A credential report knows when a key was created. Of a key
//! that is newer than the report it is known only that one poll did not find it and a later one did.
//! Each is shown as what it is.

use std::fmt;

use super::words::{self, Sentence, sentence};
use crate::views::AccountView;
use root_posture::{KeyDetail, Metric, Moment, Timestamp};

/// How many root access keys exist, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// Active keys.
    pub active: Option<u8>,
    /// Keys, active or not.
    pub present: Option<u8>,
}

impl Count {
    /// The keys of an account at `moment`.
    pub fn of(view: &AccountView, moment: Moment) -> Self {
        let value = |metric: Option<Metric>| metric?.at(moment);
        Self {
            active: value(view.posture.keys_active),
            present: value(view.posture.keys_present),
        }
    }
}

impl fmt::Display for Count {
    /// `1 active, 1 inactive`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inactive = self
            .present
            .unwrap_or(0)
            .saturating_sub(self.active.unwrap_or(0));
        match (self.active, inactive) {
            (None, 0) => f.write_str("unknown"),
            (None, keys) => write!(f, "{keys}, perhaps active"),
            (Some(0), 0) => f.write_str("none"),
            (Some(0), inactive) => write!(f, "{inactive} inactive"),
            (Some(active), 0) => write!(f, "{active} active"),
            (Some(active), inactive) => write!(f, "{active} active, {inactive} inactive"),
        }
    }
}

/// Since when there is a root access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    /// `created` or `first seen`.
    pub how: &'static str,
    pub time: Timestamp,
}

/// How many active keys there are, and how many of them are known one by one.
fn active(view: &AccountView, moment: Moment) -> (usize, usize) {
    let active = Count::of(view, moment).active.unwrap_or(0);
    let known = view.root_keys().filter(|key| key.active).count();
    (usize::from(active), known)
}

/// Since when there is a key; `None` where there is none or no time is known.
pub(crate) fn since(view: &AccountView, moment: Moment) -> Option<Since> {
    let (active, known) = active(view, moment);
    let of = |how| move |time| Since { how, time };
    let first_seen = view.onset.seen.map(of("first seen"));
    if active > known {
        return first_seen;
    }
    if Count::of(view, moment).present.unwrap_or(0) == 0 {
        return None;
    }
    // The oldest of those that matter: of the active ones where there is one.
    view.root_keys()
        .filter(|key| active == 0 || key.active)
        .filter_map(|key| key.last_rotated)
        .min()
        .map(of("created"))
        .or(first_seen.filter(|_| active > 0))
}

/// Since when there is a key, in whole sentences.
pub(crate) fn history(view: &AccountView, moment: Moment) -> Vec<Sentence> {
    let (active, known) = active(view, moment);
    let mut sentences = Vec::new();
    for key in view.root_keys().filter(|key| active == 0 || key.active) {
        let state = if key.active { "active" } else { "inactive" };
        let slot = key.slot.as_str();
        let (name, source) = match key.id {
            Some(id) => (format!("{slot} ({id}, {state})"), "root session"),
            None => (format!("{slot} ({state})"), "credential report"),
        };
        sentences.push(match key.last_rotated {
            Some(time) => sentence![
                format!("According to the {source}, key {name} was created or last changed "),
                time,
                "."
            ],
            None => sentence![format!("It is not known when key {name} was created.")],
        });
    }
    if active > known {
        let keys = if active - known == 1 {
            "an active key"
        } else {
            "two active keys"
        };
        sentences.push(match view.report.as_deref() {
            Some(report) => sentence![
                "The credential report of ",
                report.generated,
                format!(" does not contain {keys} yet, so the time of creation is not known.")
            ],
            None => sentence![
                "No credential report has been read yet, so it is not known when the key was \
                 created."
            ],
        });
    }
    if let Some(seen) = view.onset.seen.filter(|_| active > 0) {
        sentences.push(match view.onset.none_at {
            Some(none_at) if known == 0 || active > known => sentence![
                "First seen ",
                seen,
                "; the evidence of ",
                none_at,
                " still showed no key."
            ],
            _ => sentence!["First seen by this exporter ", seen, "."],
        });
    }
    sentences
}

/// When and where a root access key was last used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LastUse {
    /// There is no key.
    NoKey,
    /// No source says.
    Unknown,
    /// The key was never used.
    Never,
    /// The newest use of any key.
    Used {
        time: Timestamp,
        /// Where, as [`place`] says it.
        place: String,
    },
}

/// When and where a root access key was last used, as far as is known.
pub(crate) fn last_use(view: &AccountView, moment: Moment) -> LastUse {
    let used = view
        .root_keys()
        .filter_map(|key| Some((key.last_used?, key)));
    if let Some((time, key)) = used.max_by_key(|(time, _)| *time) {
        let place = place(&key);
        return LastUse::Used { time, place };
    }
    let (active, known) = active(view, moment);
    match Count::of(view, moment).present {
        Some(0) => LastUse::NoKey,
        Some(_) if active <= known && view.root_keys().next().is_some() => LastUse::Never,
        _ => LastUse::Unknown,
    }
}

/// Where a key was last used: `s3 in us-east-1`; empty where AWS does not say.
pub(crate) fn place(key: &KeyDetail<'_>) -> String {
    match (key.last_used_service, key.last_used_region) {
        (Some(service), Some(region)) => format!("{service} in {region}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => String::new(),
    }
}

/// A key in a line: `AKIA…  active, since 2019-05-03 10:11Z, never used`.
pub(crate) fn line(name: &str, active: bool, since: Option<Timestamp>, used: &str) -> String {
    let state = if active { "active" } else { "inactive" };
    let since = since.map_or_else(|| "an unknown time".to_owned(), words::minute);
    format!("{name}  {state}, since {since}, {used}")
}

/// When and where a key was last used: `last used 2026-09-11 13:14Z for s3 in us-east-1`.
pub(crate) fn used(time: Timestamp, service: Option<&str>, region: Option<&str>) -> String {
    let mut text = format!("last used {}", words::minute(time));
    for (before, name) in [(" for ", service), (" in ", region)] {
        if let Some(name) = name {
            text.extend([before, name]);
        }
    }
    text
}
