//! The root user's access keys one by one, as the report and a root session know them.
//!
//! The report names two slots; a root session names keys by their ids. A key of a session has the
//! slot whose time of creation is its own.

use serde::{Deserialize, Serialize};

use super::AccountView;
use crate::clock::Timestamp;
use crate::evidence::RootKey;
use crate::posture::REPORT_BLUR;
use crate::report::{KeySlot, Slot};

/// What a root session listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootKeys {
    /// When, by AWS's clock.
    pub at: Timestamp,
    /// The keys.
    pub keys: Vec<RootKey>,
}

/// A root access key that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownKey<'a> {
    /// Which of the two.
    pub slot: Slot,
    /// Its access key id, where a root session told it.
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

impl AccountView {
    /// The root user's keys by slot: those of the root session's list, unless the credential
    /// report is clearly later.
    pub fn root_keys(&self) -> impl Iterator<Item = ShownKey<'_>> {
        let report = self.report.as_deref();
        let slots = report
            .and_then(|report| report.root.as_ref())
            .map(|root| &root.access_keys);
        let listed = self.root_keys.as_deref().filter(|listed| {
            report.is_none_or(|report| listed.at > report.generated.minus(REPORT_BLUR))
        });
        let shown = match (listed, slots) {
            (Some(listed), slots) => by_session(&listed.keys, slots),
            (None, Some([one, two])) => [by_report(Slot::One, one), by_report(Slot::Two, two)],
            (None, None) => [None, None],
        };
        shown.into_iter().flatten()
    }
}

fn by_report(slot: Slot, key: &KeySlot) -> Option<ShownKey<'_>> {
    key.present().then_some(ShownKey {
        slot,
        id: None,
        active: key.active,
        last_rotated: key.last_rotated,
        last_used: key.last_used,
        last_used_region: key.last_used_region.as_deref(),
        last_used_service: key.last_used_service.as_deref(),
    })
}

fn by_session<'a>(
    keys: &'a [RootKey],
    slots: Option<&'a [KeySlot; 2]>,
) -> [Option<ShownKey<'a>>; 2] {
    let mut places: [Option<&RootKey>; 2] = [None, None];
    let mut rest = Vec::new();
    for key in keys.iter().take(2) {
        let own = slots.into_iter().flatten().position(|slot| {
            slot.present() && slot.last_rotated.is_some() && slot.last_rotated == key.created
        });
        match own {
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
    let mut shown = [None, None];
    for (index, (slot, key)) in Slot::ALL.into_iter().zip(places).enumerate() {
        shown[index] = key.map(|key| ShownKey {
            slot,
            id: Some(key.id.as_str()).filter(|id| !id.is_empty()),
            active: key.active,
            last_rotated: key.created,
            last_used: key.last_used.as_ref().map(|used| used.at),
            last_used_region: key
                .last_used
                .as_ref()
                .and_then(|used| used.region.as_deref()),
            last_used_service: key
                .last_used
                .as_ref()
                .and_then(|used| used.service.as_deref()),
        });
    }
    shown
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

    fn ids<'a>(shown: &[Option<ShownKey<'a>>; 2]) -> [Option<&'a str>; 2] {
        shown.map(|key| key.and_then(|key| key.id))
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
}
