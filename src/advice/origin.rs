//! Each root access key of an account: its id, status, creation, creator and last use.
//!
//! Whether there is a key is for evidence to say. What root did is attributed only to a key that evidence
//! shows, and only where nothing contradicts it.

use std::cmp::Reverse;
use std::time::Duration;

use super::activity::sign_in;
use super::keys::{self, Count, LastUse};
use super::words::{Piece, Sentence, sentence};
use crate::activity::{Activity, RootEvent};
use crate::views::AccountView;
use root_posture::{KeyDetail, Moment, Source, Timestamp};
use strum::IntoStaticStr;

/// How far the times that IAM and CloudTrail have for one call can differ.
const SAME_CALL: Duration = Duration::from_secs(10);

/// For how long an answer of IAM may lack a change. Two clocks of AWS differ by less.
const PROPAGATION: Duration = Duration::from_secs(60);

/// The most access keys that a root user can have.
///
/// Source: IAM User Guide, "IAM and AWS STS quotas".
const MOST_KEYS: usize = 2;

/// Whether a key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
pub(crate) enum KeyState {
    #[strum(serialize = "active")]
    Active,
    /// A summary counts the key; no source that knows its status has listed it.
    #[strum(serialize = "assumed active")]
    Assumed,
    #[strum(serialize = "inactive")]
    Inactive,
}

impl KeyState {
    /// Its name for people.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A root access key, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownKey<'a> {
    /// Its id, where a root session has listed it or an event names it.
    pub id: Option<&'a str>,
    /// Its number where a report or a root session lists it.
    pub slot: Option<&'static str>,
    pub state: KeyState,
    /// When it was created or last changed.
    pub created: Option<Timestamp>,
    /// What root did to create or activate it.
    pub by: Option<&'a Activity>,
    pub last_use: LastUse,
}

/// The root access keys of an account, the active ones first and the newest of them first.
pub(crate) fn known_keys(view: &AccountView, moment: Moment) -> Vec<KnownKey<'_>> {
    let count = Count::of(view, moment);
    if count.present.unwrap_or(0) == 0 && count.active.unwrap_or(0) == 0 {
        return Vec::new();
    }
    let mut found: Vec<KnownKey<'_>> = Vec::new();
    for key in view.root_keys() {
        let by = of_listed(view, &key);
        // One activity creates one key.
        let by = by.filter(|by| {
            found
                .iter()
                .all(|other| other.by.is_none_or(|it| it.key != by.key))
        });
        found.push(KnownKey {
            id: key.id.or(by.and_then(|by| by.key.as_deref())),
            slot: Some(key.slot.as_str()),
            state: if key.active {
                KeyState::Active
            } else {
                KeyState::Inactive
            },
            created: key.last_rotated,
            by,
            last_use: keys::last_use_of(&key),
        });
    }
    let (listed, assumed) = (usize::from(count.listed), usize::from(count.assumed()));
    if assumed > 0 {
        let is_listed = |activity: &Activity| {
            let key = activity.key.as_deref();
            found
                .iter()
                .any(|known| known.id.is_some() && known.id == key)
        };
        let mut unlisted: Vec<_> = of_unlisted(view, listed, is_listed)
            .into_iter()
            .map(Some)
            .collect();
        unlisted.resize(assumed.max(unlisted.len()), None);
        for by in unlisted {
            found.push(KnownKey {
                id: by.and_then(|by| by.key.as_deref()),
                slot: None,
                state: KeyState::Assumed,
                created: by.map(|by| by.at),
                by,
                last_use: LastUse::Unknown,
            });
        }
    }
    let since = |key: &KnownKey<'_>| key.by.map(|by| by.at).or(key.created);
    found.sort_by_key(|key| (key.state == KeyState::Inactive, Reverse(since(key))));
    found
}

/// When the newest active key came about; where none is active, the newest of all.
pub(crate) fn newest(view: &AccountView, moment: Moment) -> Option<Timestamp> {
    let keys = known_keys(view, moment);
    let key = keys.first()?;
    key.by.map(|by| by.at).or(key.created).or(view.onset.seen)
}

/// Each key that matters in a line, with its id, how it came about and its last use: the active ones, or
/// the inactive ones where none is active.
pub(crate) fn lines(view: &AccountView, moment: Moment) -> Vec<Sentence> {
    let keys = known_keys(view, moment);
    let is_active = |key: &KnownKey<'_>| key.state != KeyState::Inactive;
    let any_active = keys.iter().any(is_active);
    let keys = keys.iter().filter(|key| is_active(key) == any_active);
    keys.map(|key| line(key, view.onset.seen)).collect()
}

fn line(key: &KnownKey<'_>, seen: Option<Timestamp>) -> Sentence {
    let mut line = match (key.id, key.slot) {
        (Some(id), _) => sentence!["key ", given(id)],
        (None, Some(slot)) => sentence![format!("key {slot}")],
        (None, None) => sentence!["a key"],
    };
    match key.state {
        KeyState::Active => {}
        KeyState::Assumed => line.push(", assumed active until its status is known".into()),
        KeyState::Inactive => line.push(", inactive".into()),
    }
    line.push(", ".into());
    match (key.by, key.created, seen) {
        (Some(by), ..) => line.extend(created(by)),
        (None, Some(time), _) => line.extend(sentence!["created or last changed ", time]),
        (None, None, Some(seen)) => line.extend(sentence!["first seen ", seen]),
        (None, None, None) => line.push("created at an unknown time".into()),
    }
    match &key.last_use {
        LastUse::Used { time, place } if place.is_empty() => {
            line.extend(sentence![", last used ", *time]);
        }
        LastUse::Used { time, place } => {
            line.extend(sentence![", last used ", *time, format!(" ({place})")]);
        }
        LastUse::Never => line.push(", never used".into()),
        LastUse::Unknown | LastUse::NoKey => line.push(", last use unknown".into()),
    }
    line
}

/// Adds an activity, unless there is one about the same key.
fn add<'a>(found: &mut Vec<&'a Activity>, activity: &'a Activity) {
    if found.iter().all(|known| known.key != activity.key) {
        found.push(activity);
    }
}

/// The activities by which a key was created or activated that was not deleted or deactivated since,
/// newest first.
pub(super) fn giving(view: &AccountView) -> impl Iterator<Item = &Activity> {
    let activities = &view.activities;
    let is_gone = |activity: &Activity| {
        activities.recent().any(|later| {
            let takes = matches!(
                later.event,
                RootEvent::DeleteAccessKey | RootEvent::UpdateAccessKeyInactive
            );
            takes && later.key == activity.key && later.at >= activity.at
        })
    };
    activities
        .recent()
        .filter(|activity| activity.event.gives_a_key() && activity.key.is_some())
        .filter(move |activity| !is_gone(activity))
}

/// The activity about a key that a source lists: by its id, or else by its time of creation.
fn of_listed<'a>(view: &'a AccountView, key: &KeyDetail<'_>) -> Option<&'a Activity> {
    if let Some(id) = key.id {
        return view.activities.giving(id);
    }
    let time = key.last_rotated?;
    let distance = |activity: &Activity| activity.at.unix().abs_diff(time.unix());
    let nearest = giving(view).min_by_key(|activity| distance(activity))?;
    let is_ambiguous = giving(view)
        .any(|activity| activity.key != nearest.key && distance(activity) == distance(nearest));
    (distance(nearest) <= SAME_CALL.as_secs() && !is_ambiguous).then_some(nearest)
}

/// The activities about active keys that no source lists yet: those between the newest evidence without
/// the key and the first with it. `known` is how many active keys are listed.
fn of_unlisted(
    view: &AccountView,
    known: usize,
    is_listed: impl Fn(&Activity) -> bool,
) -> Vec<&Activity> {
    let (without, with) = if known == 0 {
        (view.onset.none_at.or(listed_at(view)), view.onset.seen)
    } else {
        let keys = view.posture.keys_active;
        (listed_at(view), keys.map(|keys| keys.observed))
    };
    let (Some(without), Some(with)) = (without, with) else {
        return Vec::new();
    };
    let window = without.minus(PROPAGATION)..=with.plus(PROPAGATION);
    let mut found = Vec::new();
    for activity in giving(view) {
        if window.contains(&activity.at) && !is_listed(activity) {
            add(&mut found, activity);
        }
    }
    // There can be no more keys: some of these are gone, and it is not known which.
    if found.len() > MOST_KEYS.saturating_sub(known) {
        found.clear();
    }
    found
}

/// The time of the source that lists the keys one by one.
fn listed_at(view: &AccountView) -> Option<Timestamp> {
    let listed = view.listed.as_ref().map(|listed| listed.at);
    let report = view.report.as_ref().map(|report| report.generated);
    match view.posture.keys_by {
        Some(Source::RootSession) => listed,
        _ => report.or(listed),
    }
}

/// `created by root from 198.51.100.7 (console, MFA) at …`
fn created(activity: &Activity) -> Sentence {
    let participle = match activity.event {
        RootEvent::UpdateAccessKeyActive => "activated",
        _ => "created",
    };
    let mut sentence = sentence![format!("{participle} by root")];
    if !activity.address.is_empty() {
        sentence.extend(sentence![" from ", given(&activity.address)]);
    }
    let by = sign_in(activity);
    if !by.is_empty() {
        sentence.extend(sentence![" (", given(&by), ")"]);
    }
    sentence.extend(sentence![" at ", activity.at]);
    sentence
}

fn given(text: &str) -> Piece {
    Piece::Given(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use root_posture::report::{KeySlot, RootRow, UserCounts};
    use root_posture::{LastUse, ListedKeys, Metric, Onset, RootKey};

    use super::*;
    use crate::account::Account;
    use crate::activity::{Activities, SignIn};
    use crate::views::{ReportView, UserDetail};

    const NOON: i64 = 1_800_000_000;
    const ONE: &str = "AKIAIOSFODNN7EXAMPLE";
    const TWO: &str = "AKIAI44QH8DHBEXAMPLE";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(NOON + seconds)
    }

    fn activity(event: RootEvent, seconds: i64, key: &str) -> Activity {
        Activity {
            id: format!("{}-{key}-{seconds}", event.as_str()),
            key: Some(key.to_owned()),
            ..Activity::example(event, at(seconds))
        }
    }

    /// An account of which no evidence is known, with these activities.
    fn view(activities: &[(RootEvent, i64, &str)]) -> AccountView {
        let mut kept = Activities::default();
        for (event, seconds, key) in activities {
            kept.add(activity(*event, *seconds, key));
        }
        AccountView {
            activities: Arc::new(kept),
            ..AccountView::unknown(Arc::new(Account {
                id: "111122223333".parse().unwrap(),
                name: String::new(),
                region: "us-east-1".to_owned(),
                access: None,
                root_session: true,
                labels: Arc::default(),
                exceptions: Arc::default(),
                details: Arc::default(),
            }))
        }
    }

    fn keys(view: &mut AccountView, active: u8, seconds: i64) {
        let metric = Metric {
            value: active,
            source: Source::AccountSummary,
            observed: at(seconds),
            fine_until: None,
        };
        view.posture.keys_active = Some(metric);
        view.posture.keys_present = Some(metric);
    }

    /// A summary shows a key after one that did not.
    fn seen(mut view: AccountView, none_at: Option<i64>, seen: i64) -> AccountView {
        keys(&mut view, 1, seen);
        view.onset = Onset {
            seen: Some(at(seen)),
            none_at: none_at.map(at),
        };
        view
    }

    /// A root session lists active keys with these ids, `active` are shown.
    fn listed(mut view: AccountView, ids: &[&str], seconds: i64, active: u8) -> AccountView {
        keys(&mut view, active, seconds);
        let key = |id: &&str| RootKey {
            id: (*id).to_owned(),
            active: true,
            created: Some(at(0)),
            last_used: None::<LastUse>,
        };
        view.posture.keys_by = Some(Source::RootSession);
        view.listed = Some(Arc::new(ListedKeys {
            at: at(seconds),
            keys: ids.iter().map(key).collect(),
        }));
        view
    }

    /// A credential report has active keys that were created then, `active` are shown.
    fn reported(mut view: AccountView, created: &[i64], seconds: i64, active: u8) -> AccountView {
        keys(&mut view, active, seconds);
        view.posture.keys_by = Some(Source::CredentialReport);
        let mut root = RootRow::default();
        for (slot, created) in root.access_keys.iter_mut().zip(created) {
            *slot = KeySlot {
                active: true,
                last_rotated: Some(at(*created)),
                ..KeySlot::default()
            };
        }
        view.report = Some(Arc::new(ReportView {
            generated: at(seconds),
            root: Some(root),
            rows_skipped: 0,
            users: UserCounts::default(),
            detail: UserDetail::Off,
        }));
        view
    }

    fn ids(view: &AccountView) -> Vec<&str> {
        let found = known_keys(view, Moment::default());
        let by = found.iter().filter_map(|key| key.by);
        by.filter_map(|it| it.key.as_deref()).collect()
    }

    use RootEvent::{
        CreateAccessKey as Create, DeleteAccessKey as Delete, UpdateAccessKeyActive as Activate,
        UpdateAccessKeyInactive as Deactivate,
    };

    #[test]
    fn a_key_with_an_id_is_only_that_of_its_own_activity() {
        let both = [(Create, 0, ONE), (Create, 5, TWO)];
        assert_eq!(ids(&listed(view(&both), &[ONE], 60, 1)), [ONE]);
        assert_eq!(ids(&listed(view(&both), &[ONE, TWO], 60, 2)), [TWO, ONE]);
        assert!(ids(&listed(view(&both[1..]), &[ONE], 60, 1)).is_empty());
        // Who made it work, however old the key is.
        let activated = view(&[(Create, -9_000, ONE), (Activate, 0, ONE)]);
        let activated = listed(activated, &[ONE], 60, 1);
        let by = known_keys(&activated, Moment::default())[0].by.unwrap();
        assert_eq!(by.event, Activate);
    }

    #[test]
    fn a_key_without_an_id_is_found_by_its_time_of_creation() {
        let both = [(Create, 0, ONE), (Create, 30, TWO)];
        assert_eq!(ids(&reported(view(&both), &[1], 3_600, 1)), [ONE]);
        assert_eq!(ids(&reported(view(&both), &[1, 29], 3_600, 2)), [TWO, ONE]);
        for other in [-60, 15, 60, 3_000] {
            let view = reported(view(&both), &[other], 3_600, 1);
            assert!(ids(&view).is_empty(), "{other}");
        }
        let unclear = view(&[(Create, 0, ONE), (Create, 4, TWO)]);
        assert!(ids(&reported(unclear, &[2], 3_600, 1)).is_empty());
    }

    #[test]
    fn a_key_that_no_source_lists_was_created_between_two_answers() {
        let one = |seconds| view(&[(Create, seconds, ONE)]);
        assert_eq!(ids(&seen(one(0), Some(-50), 2)), [ONE]);
        // The answer before lacked the new key.
        assert_eq!(ids(&seen(one(0), Some(3), 7)), [ONE]);
        assert!(ids(&seen(one(0), Some(100), 107)).is_empty(), "too old");
        assert!(ids(&seen(one(200), Some(-50), 2)).is_empty(), "another");
        assert!(ids(&seen(one(0), None, 2)).is_empty(), "perhaps an old key");
        // The report has no key, so there is a time after all.
        let report = reported(seen(one(0), None, 2), &[], -600, 1);
        assert_eq!(ids(&report), [ONE]);
    }

    #[test]
    fn a_key_that_is_gone_is_not_the_one_that_is_seen() {
        for takes in [Delete, Deactivate] {
            let gone = [(Create, 0, ONE), (takes, 9, ONE), (Create, 12, TWO)];
            assert_eq!(ids(&seen(view(&gone), Some(-50), 20)), [TWO]);
            assert!(ids(&seen(view(&gone[..2]), Some(-50), 20)).is_empty());
        }
        let back = [(Create, 0, ONE), (Deactivate, 5, ONE), (Activate, 9, ONE)];
        assert_eq!(ids(&seen(view(&back), Some(-50), 20)), [ONE]);
        // Two keys are all that there can be: the event that one is gone was lost.
        let three = [(Create, 0, ONE), (Create, 5, TWO), (Create, 9, "AKIA3")];
        assert_eq!(ids(&seen(view(&three[..2]), Some(-50), 20)), [TWO, ONE]);
        assert!(ids(&seen(view(&three), Some(-50), 20)).is_empty());
    }

    #[test]
    fn a_second_key_is_newer_than_the_list_without_it() {
        let both = [(Create, -9_000, ONE), (Create, 50, TWO)];
        let mut one_listed = listed(view(&both), &[ONE], 0, 2);
        keys(&mut one_listed, 2, 60);
        assert_eq!(ids(&one_listed), [TWO, ONE]);
        let mut old = listed(view(&[(Create, -9_000, TWO)]), &[ONE], 0, 2);
        keys(&mut old, 2, 60);
        assert!(ids(&old).is_empty());
    }

    #[test]
    fn where_no_key_is_shown_nothing_is_attributed() {
        let mut one = view(&[(Create, 0, ONE)]);
        assert!(ids(&one).is_empty(), "nothing is known");
        one = listed(one, &[ONE], 60, 1);
        keys(&mut one, 0, 120);
        assert!(ids(&one).is_empty(), "deleted since the list");
    }

    /// The text of a sentence, its times in seconds after noon.
    fn text(sentence: &Sentence) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) | Piece::Given(text) => text.clone(),
            Piece::Time(time) => format!("[{}]", time.unix() - NOON),
        };
        sentence.iter().map(piece).collect()
    }

    #[test]
    fn a_key_is_said_to_be_created_by_whom_and_when() {
        let moment = Moment::default();
        let texts =
            |view: &AccountView| -> Vec<_> { lines(view, moment).iter().map(text).collect() };
        let assumed = "assumed active until its status is known";
        let said = "created by root from 198.51.100.7 (console, MFA) at [0]";
        let mut one = seen(view(&[(Create, 0, ONE)]), Some(-50), 2);
        let expected = format!("key {ONE}, {assumed}, {said}, last use unknown");
        assert_eq!(texts(&one), [expected]);
        one.activities = Arc::default();
        let expected = format!("a key, {assumed}, first seen [2], last use unknown");
        assert_eq!(texts(&one), [expected]);

        let listed = listed(view(&[(Create, 0, ONE)]), &[ONE, TWO], 60, 2);
        let expected = [
            format!("key {ONE}, {said}, never used"),
            format!("key {TWO}, created or last changed [0], never used"),
        ];
        assert_eq!(texts(&listed), expected);
        let reported = reported(view(&[]), &[-5], 60, 1);
        let expected = ["key 1, created or last changed [-5], never used"];
        assert_eq!(texts(&reported), expected);

        let mut sparse = activity(Activate, 0, ONE);
        sparse.address.clear();
        (sparse.by, sparse.mfa) = (SignIn::Unknown, None);
        assert_eq!(text(&created(&sparse)), "activated by root at [0]");
        (sparse.by, sparse.mfa) = (SignIn::AccessKey(TWO.to_owned()), Some(false));
        assert_eq!(sign_in(&sparse), format!("access key {TWO}, no MFA"));
    }
}
