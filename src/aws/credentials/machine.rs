//! What this machine says about profiles, Regions and certificates. It never calls AWS.

use aws_config::provider_config::ProviderConfig;
use aws_smithy_http_client::proxy::ProxyConfig;

use super::environment::{DEFAULT_PROFILE, profile_or_default, variable};
use super::files::SharedFiles;
use super::network::{CaBundle, client, metadata};
use crate::config::FoundRegion;

/// The path of the Region in the instance's metadata.
///
/// Source: EC2 User Guide, "Instance metadata categories".
const REGION: &str = "/latest/meta-data/placement/region";

/// The profile in `AWS_PROFILE`, unless it is the default one.
#[must_use]
pub fn named_profile() -> Option<String> {
    variable("AWS_PROFILE").filter(|named| named != DEFAULT_PROFILE)
}

/// The problems of these profiles. Each comes with the place that names it.
#[must_use]
pub fn wrong_profiles(named: &[(String, String)]) -> Vec<String> {
    let files = match SharedFiles::read() {
        Ok(files) => files,
        Err(problem) => return vec![problem],
    };
    let missing = named.iter().filter(|(_, profile)| !files.has(profile));
    missing
        .map(|(place, profile)| format!("{place}: {}", files.missing(profile)))
        .collect()
}

/// The problem of the CA bundle that is named for the caller's profile; `None` where there is none.
#[must_use]
pub fn wrong_bundle(profile: Option<&str>) -> Option<String> {
    let files = SharedFiles::read().ok();
    let bundle = CaBundle::find(files.as_ref(), &profile_or_default(profile))?;
    bundle.read().err()
}

/// The Region that a profile names. `None` means the profile that is used where
/// none is named.
#[must_use]
pub fn region_of_profile(profile: Option<&str>) -> Option<FoundRegion> {
    let profile = profile_or_default(profile);
    // A file that cannot be read is reported when credentials are read.
    let files = SharedFiles::read().ok()?;
    let (region, file) = files.get(&profile, "region")?;
    let place = format!("region of profile '{profile}' in {}", file.display());
    let name = region.to_owned();
    Some(FoundRegion { name, place })
}

/// Asks the instance for its Region; `None` where there is no instance that answers.
pub async fn region_of_instance() -> Option<String> {
    let is_off = variable("AWS_EC2_METADATA_DISABLED");
    if is_off.is_some_and(|it| it.eq_ignore_ascii_case("true")) {
        return None;
    }
    let http = client(None, ProxyConfig::disabled());
    let config = ProviderConfig::without_region().with_http_client(http);
    let region = metadata(&config).get(REGION).await.ok()?;
    Some(region.as_ref().trim().to_owned())
}
