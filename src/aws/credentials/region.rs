//! The Region, by the SDK's own order: the environment is `config`'s to read, then the profile, then
//! the instance.
//!
//! Never asks AWS itself.

use aws_config::provider_config::ProviderConfig;

use super::files::{Paths, SharedFiles};
use super::{CaBundle, DEFAULT_PROFILE, FileError, Variables, is_timeout, metadata, network};

/// Where the instance's Region is.
///
/// Source: EC2 User Guide, "Instance metadata categories".
const REGION: &str = "/latest/meta-data/placement/region";

/// What this machine says about Regions and profiles.
#[derive(Debug)]
pub struct Machine {
    variables: Variables,
}

impl Machine {
    /// The machine that this process runs on.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            variables: Variables::of_process(),
        }
    }

    fn files(&self) -> Result<SharedFiles, FileError> {
        Paths::new(&self.variables).read()
    }

    /// The profile that `AWS_PROFILE` names.
    #[must_use]
    pub fn named_profile(&self) -> Option<&str> {
        let named = self.variables.profile();
        named.filter(|named| *named != DEFAULT_PROFILE)
    }

    /// What is wrong with these profiles, each with what names it.
    #[must_use]
    pub fn wrong_profiles(&self, named: &[(String, &str)]) -> Vec<String> {
        let files = match self.files() {
            Ok(files) => files,
            Err(error) => return vec![error.to_string()],
        };
        let missing = |(place, name): (String, &str)| {
            (!files.has(name)).then(|| format!("{place}: {}", files.missing(name)))
        };
        named.iter().cloned().filter_map(missing).collect()
    }

    /// What is wrong with the CA bundle, where one is named.
    #[must_use]
    pub fn wrong_bundle(&self, profile: Option<&str>) -> Option<String> {
        let profile = self.profile(profile);
        let files = self.files().ok();
        CaBundle::find(&self.variables, files.as_ref(), profile)?
            .read()
            .err()
    }

    fn profile<'a>(&'a self, named: Option<&'a str>) -> &'a str {
        named
            .or(self.variables.profile())
            .unwrap_or(DEFAULT_PROFILE)
    }

    /// The Region of a profile, `None` for the one that is used where none is named; and where it
    /// stands.
    #[must_use]
    pub fn region_of_profile(&self, profile: Option<&str>) -> Option<(String, String)> {
        let profile = self.profile(profile);
        // A file that cannot be read is a failure of the credentials, said when they are read.
        let files = self.files().ok()?;
        let (region, file) = files.get(profile, "region")?;
        let place = format!("region of profile '{profile}' in {}", file.display());
        Some((region.to_owned(), place))
    }

    /// Asks the instance for its Region, where there is one that answers.
    pub async fn region_of_instance(&self) -> Option<String> {
        let is_off = self.variables.get("AWS_EC2_METADATA_DISABLED");
        if is_off.is_some_and(|it| it.eq_ignore_ascii_case("true")) {
            return None;
        }
        let config = ProviderConfig::without_region()
            .with_http_client(network::for_providers(None, &self.variables));
        let [quick, slow] = metadata(&config);
        let region = match quick.get(REGION).await {
            Err(error) if is_timeout(&error) => slow.get(REGION).await,
            result => result,
        };
        Some(region.ok()?.as_ref().trim().to_owned())
    }
}
