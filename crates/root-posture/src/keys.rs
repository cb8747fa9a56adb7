//! The root user's access keys one by one, by slot.
//!
//! A credential report has two slots, a root session lists keys by their ids; equal times of creation
//! connect the two. It never decides which source counts: the judgement does.

use serde::{Deserialize, Serialize};

use crate::ids::AccessKeyId;
use crate::observation::{RootKey, Source};
use crate::posture::Posture;
use crate::report::{KeySlot, RootRow, Slot};
use crate::time::Timestamp;

/// The keys that a root session listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedKeys {
    /// When, by AWS's clock.
    pub at: Timestamp,
    /// The keys.
    pub keys: Vec<RootKey>,
}

/// A root access key that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyDetail<'a> {
    /// Its slot.
    pub slot: Slot,
    /// Its access key id, where a root session listed it. Always one that [`AccessKeyId::fits`],
    /// because pages offer it in commands; a key with another id has none.
    pub id: Option<&'a str>,
    /// Whether it is active.
    pub active: bool,
    /// When it was created or last changed.
    pub last_rotated: Option<Timestamp>,
    /// When it was last used; `None` for never.
    pub last_used: Option<Timestamp>,
    /// The Region it was last used in.
    pub last_used_region: Option<&'a str>,
    /// The service it was last used with.
    pub last_used_service: Option<&'a str>,
}

/// The root user's keys by slot, from the source that [`Posture::keys_by`] names.
///
/// `report` is the root user's row of the report in use, `listed` the newest list of a root session.
pub fn key_details<'a>(
    posture: &Posture,
    report: Option<&'a RootRow>,
    listed: Option<&'a ListedKeys>,
) -> impl Iterator<Item = KeyDetail<'a>> + use<'a> {
    let slots = report.map(|root| &root.access_keys);
    let keys = listed.map(|listed| listed.keys.as_slice());
    let details = match (posture.keys_by, keys, slots) {
        (Some(Source::RootSession), Some(keys), slots) => by_session(keys, slots),
        (_, keys, Some([one, two])) => [
            of_slot(Slot::One, one, keys.unwrap_or_default()),
            of_slot(Slot::Two, two, keys.unwrap_or_default()),
        ],
        (_, Some(keys), None) => by_session(keys, None),
        (_, None, None) => [None, None],
    };
    details.into_iter().flatten()
}

fn by_session<'a>(keys: &'a [RootKey], slots: Option<&[KeySlot; 2]>) -> [Option<KeyDetail<'a>>; 2] {
    let mut places: [Option<&RootKey>; 2] = [None, None];
    let mut rest = Vec::new();
    for key in keys.iter().take(2) {
        let mut slots = slots.into_iter().flatten();
        match slots.position(|slot| is_of(key, slot)) {
            Some(place) if places[place].is_none() => places[place] = Some(key),
            _ => rest.push(key),
        }
    }
    // The others take the free places, the older first: their slots are not known yet.
    rest.sort_by_key(|key| key.created);
    for key in rest {
        if let Some(place) = places.iter_mut().find(|place| place.is_none()) {
            *place = Some(key);
        }
    }
    let [one, two] = places;
    [
        one.map(|key| of_key(Slot::One, key)),
        two.map(|key| of_key(Slot::Two, key)),
    ]
}

fn of_key(slot: Slot, key: &RootKey) -> KeyDetail<'_> {
    let used = key.last_used.as_ref();
    KeyDetail {
        slot,
        id: id_of(key),
        active: key.active,
        last_rotated: key.created,
        last_used: used.map(|used| used.at),
        last_used_region: used.and_then(|used| used.region.as_deref()),
        last_used_service: used.and_then(|used| used.service.as_deref()),
    }
}

fn of_slot<'a>(slot: Slot, key: &'a KeySlot, listed: &'a [RootKey]) -> Option<KeyDetail<'a>> {
    key.present().then_some(KeyDetail {
        slot,
        id: listed
            .iter()
            .find(|listed| is_of(listed, key))
            .and_then(id_of),
        active: key.active,
        last_rotated: key.last_rotated,
        last_used: key.last_used,
        last_used_region: key.last_used_region.as_deref(),
        last_used_service: key.last_used_service.as_deref(),
    })
}

/// Whether a listed key is the one of a slot: AWS gives both the same time of creation.
fn is_of(key: &RootKey, slot: &KeySlot) -> bool {
    slot.last_rotated.is_some() && slot.last_rotated == key.created
}

fn id_of(key: &RootKey) -> Option<&str> {
    Some(key.id.as_str()).filter(|id| AccessKeyId::fits(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, created: i64) -> RootKey {
        RootKey {
            id: id.to_owned(),
            active: true,
            created: Some(Timestamp::from_unix(created)),
            last_used: None,
        }
    }

    fn slot(rotated: Option<i64>) -> KeySlot {
        KeySlot {
            active: rotated.is_some(),
            last_rotated: rotated.map(Timestamp::from_unix),
            ..KeySlot::default()
        }
    }

    fn ids<'a>(details: &[Option<KeyDetail<'a>>; 2]) -> [Option<&'a str>; 2] {
        details.map(|key| key.and_then(|key| key.id))
    }

    #[test]
    fn a_key_has_the_slot_of_its_creation_and_a_new_one_the_free_slot() {
        let keys = [key("NEW", 300), key("OLD", 100)];
        let slots = [slot(None), slot(Some(100))];
        assert_eq!(
            ids(&by_session(&keys, Some(&slots))),
            [Some("NEW"), Some("OLD")]
        );
        assert_eq!(ids(&by_session(&keys, None)), [Some("OLD"), Some("NEW")]);
    }

    #[test]
    fn a_slot_whose_key_is_gone_is_free() {
        let slots = [slot(Some(100)), slot(Some(200))];
        let keys = [key("B", 200)];
        assert_eq!(ids(&by_session(&keys, Some(&slots))), [None, Some("B")]);
        assert_eq!(ids(&by_session(&[], Some(&slots))), [None, None]);
    }

    #[test]
    fn an_id_that_is_not_an_access_key_id_is_left_out() {
        for id in ["", "AKIA1; touch /tmp/x", "<b>"] {
            let keys = [key(id, 300)];
            let [detail, _] = by_session(&keys, None);
            assert_eq!(detail.map(|key| (key.id, key.active)), Some((None, true)));
        }
    }

    #[test]
    fn keys_by_the_report_have_its_slots_and_the_ids_of_the_list() {
        let root = RootRow {
            access_keys: [slot(None), slot(Some(100))],
            ..RootRow::default()
        };
        let mut listed = ListedKeys {
            at: Timestamp::from_unix(500),
            keys: vec![key("A", 100)],
        };
        listed.keys[0].active = false;
        let details = |keys_by| {
            let posture = Posture {
                keys_by,
                ..Posture::default()
            };
            let keys = key_details(&posture, Some(&root), Some(&listed));
            keys.map(|key| (key.id, key.active)).collect::<Vec<_>>()
        };
        assert_eq!(details(Some(Source::CredentialReport)), [(Some("A"), true)]);
        assert_eq!(details(Some(Source::RootSession)), [(Some("A"), false)]);
    }
}
