//! The Regions that no setting names. Only their form is checked: new ones appear too often for a
//! list.

use super::region_name::region_name;
use super::table::Merged;

/// What the machine says about Regions. `()` says nothing.
pub trait Regions {
    /// The Region of a profile of the shared AWS files; `None` means the profile that is used where
    /// none is named.
    fn of_profile(&self, _profile: Option<&str>) -> Option<FoundRegion> {
        None
    }

    /// The Region of the instance that this process runs on.
    fn of_instance(&self) -> Option<FoundRegion> {
        None
    }
}

impl Regions for () {}

/// A Region, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRegion {
    /// Its name.
    pub name: String,
    /// What names it, for messages.
    pub place: String,
}

impl FoundRegion {
    /// Whether the name has the form of a Region's. If not, that is an error of the configuration.
    pub(super) fn is_valid(&self, merged: &Merged) -> bool {
        let checked = region_name(&self.name);
        if let Err(problem) = &checked {
            merged.fail(&self.place, problem);
        }
        checked.is_ok()
    }
}
