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
    /// Active keys that a source has listed one by one.
    pub listed: u8,
}

impl Count {
    /// The keys of an account at `moment`.
    pub fn of(view: &AccountView, moment: Moment) -> Self {
        let value = |metric: Option<Metric>| metric?.at(moment);
        let listed = view.root_keys().filter(|key| key.active).count();
        Self {
            active: value(view.posture.keys_active),
            present: value(view.posture.keys_present),
            listed: u8::try_from(listed).unwrap_or(u8::MAX),
        }
    }

    /// How many of the active keys no source has listed: a summary counts them, and they are assumed
    /// active until their status is known.
    pub fn assumed(self) -> u8 {
        self.active.unwrap_or(0).saturating_sub(self.listed)
    }

    /// Whether there are active keys, and each of them is only assumed active.
    pub fn is_assumed(self) -> bool {
        self.assumed() > 0 && self.active == Some(self.assumed())
    }
}

impl fmt::Display for Count {
    /// `1 active, 1 inactive`; `2 active (1 assumed)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let active = self.active.unwrap_or(0);
        let inactive = self.present.unwrap_or(0).saturating_sub(active);
        if self.active.is_none() {
            return match inactive {
                0 => f.write_str("unknown"),
                keys => write!(f, "{keys}, perhaps active"),
            };
        }
        let assumed = match self.assumed() {
            0 => String::new(),
            all if all == active => " (assumed)".to_owned(),
            some => format!(" ({some} assumed)"),
        };
        match (active, inactive) {
            (0, 0) => f.write_str("none"),
            (0, inactive) => write!(f, "{inactive} inactive"),
            (active, 0) => write!(f, "{active} active{assumed}"),
            (active, inactive) => write!(f, "{active} active{assumed}, {inactive} inactive"),
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

/// Since when there is a key; `None` where there is none or no time is known.
pub(crate) fn since(view: &AccountView, moment: Moment) -> Option<Since> {
    let count = Count::of(view, moment);
    let active = count.active.unwrap_or(0);
    let of = |how| move |time| Since { how, time };
    let first_seen = view.onset.seen.map(of("first seen"));
    if count.assumed() > 0 {
        return first_seen;
    }
    if count.present.unwrap_or(0) == 0 {
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

/// What is known of the time before the sources list each key, in whole sentences.
pub(crate) fn history(view: &AccountView, moment: Moment) -> Vec<Sentence> {
    let count = Count::of(view, moment);
    let mut sentences = Vec::new();
    if count.assumed() > 0 {
        let keys = if count.assumed() == 1 {
            "the key"
        } else {
            "the two keys"
        };
        sentences.push(match view.report.as_deref() {
            Some(report) => sentence![
                "The credential report of ",
                report.generated,
                format!(" does not contain {keys} as active yet.")
            ],
            None => sentence![
                "No credential report, which would say when the key was created, has been read yet."
            ],
        });
    }
    if let Some(seen) = view.onset.seen.filter(|_| count.active > Some(0)) {
        sentences.push(match view.onset.none_at {
            Some(none_at) if count.listed == 0 || count.assumed() > 0 => sentence![
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
    if let Some((_, key)) = used.max_by_key(|(time, _)| *time) {
        return last_use_of(&key);
    }
    let count = Count::of(view, moment);
    match count.present {
        Some(0) => LastUse::NoKey,
        Some(_) if count.assumed() == 0 && view.root_keys().next().is_some() => LastUse::Never,
        _ => LastUse::Unknown,
    }
}

/// When and where a listed key was last used.
pub(super) fn last_use_of(key: &KeyDetail<'_>) -> LastUse {
    match key.last_used {
        Some(time) => LastUse::Used {
            time,
            place: place(key),
        },
        None => LastUse::Never,
    }
}

/// Where a key was last used: `s3 in us-east-1`; empty where AWS does not say.
fn place(key: &KeyDetail<'_>) -> String {
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
