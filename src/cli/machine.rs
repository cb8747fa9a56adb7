//! The Regions and profiles of this machine, for the configuration. It never calls AWS.

use std::sync::OnceLock;
use std::thread;

use super::runtime;
use crate::account::{Access, Partition};
use crate::aws::machine;
use crate::config::{Config, FoundRegion, Regions};

/// The machine that this process runs on.
pub(super) struct Here {
    /// Whether the instance's metadata may be read.
    asks_instance: bool,
    /// The instance's Region, once it is known: an instance never moves.
    of_instance: OnceLock<String>,
}

impl Here {
    pub fn new(asks_instance: bool) -> Self {
        Self {
            asks_instance,
            of_instance: OnceLock::new(),
        }
    }

    /// Asks on a thread and a runtime of its own: this one may be a runtime's, which must not block.
    fn ask_instance() -> Option<String> {
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let runtime = runtime::new().ok()?;
                runtime.block_on(machine::region_of_instance())
            });
            asking.join().ok().flatten()
        })
    }
}

impl Regions for Here {
    fn of_profile(&self, profile: Option<&str>) -> Option<FoundRegion> {
        machine::region_of_profile(profile)
    }

    fn of_instance(&self) -> Option<FoundRegion> {
        let name = match self.of_instance.get() {
            Some(name) => name.clone(),
            None if self.asks_instance => {
                let asked = Self::ask_instance()?;
                self.of_instance.get_or_init(|| asked).clone()
            }
            None => return None,
        };
        let place = "the instance's metadata".to_owned();
        Some(FoundRegion { name, place })
    }
}

/// Each problem with the profiles and Regions of the accounts that can be found without AWS.
pub(super) fn wrong_reach(config: &Config) -> Vec<String> {
    let of_caller = match &config.aws.profile {
        Some(profile) => Some(("aws.profile", profile.clone())),
        None => machine::named_profile().map(|name| ("AWS_PROFILE", name)),
    };
    let of_caller = of_caller.map(|(place, name)| (place.to_owned(), name));
    let mut profiles: Vec<_> = of_caller.into_iter().collect();
    let mut regions = vec![(config.aws.region_from.clone(), config.aws.region.as_str())];
    for account in &config.accounts {
        let place = format!("account {}", account.id);
        if let Some(Access::Profile(profile)) = &account.access {
            profiles.push((place.clone(), profile.clone()));
        }
        if account.region != config.aws.region {
            regions.push((place, &account.region));
        }
    }
    let mut wrong = machine::wrong_profiles(&profiles);
    let unknown = regions
        .iter()
        .filter(|(_, region)| !Partition::knows_region(region));
    wrong.extend(unknown.map(|(place, region)| {
        format!(
            "{place}: {region} is not a Region of a known partition; see `aws account list-regions`"
        )
    }));
    wrong
}
