//! Reads and merges all sources of the configuration.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use figment::Figment;

use super::error::ConfigErrors;
use super::model::Config;
use super::region::Regions;
use super::sections;
use super::sources::{self, Overrides};
use super::table::Merged;
use exporter_toolkit::files;

/// The file that is read where no other is named. It need not exist.
pub const DEFAULT_FILE: &str = "config.toml";

/// Reads and validates the configuration. Without a file, [`DEFAULT_FILE`] in the current directory
/// is read. A flag overrides the environment, and the environment the file.
///
/// # Errors
///
/// The file cannot be read, or settings are wrong; then the errors of all are returned.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
    regions: &dyn Regions,
) -> Result<Config, ConfigErrors> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    match files::read(path) {
        Ok(bytes) => parse(Some((path, &bytes)), environment, overrides, regions),
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.is_none() => {
            parse(None, environment, overrides, regions)
        }
        Err(source) => {
            let path = path.to_owned();
            Err(ConfigErrors::Unreadable { path, source })
        }
    }
}

/// Validates the configuration with a file that was read already, or without any.
///
/// # Errors
///
/// The file is not TOML, or settings are wrong; then the errors of all are returned.
pub fn parse(
    file: Option<(&Path, &[u8])>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
    regions: &dyn Regions,
) -> Result<Config, ConfigErrors> {
    let layer = file
        .map(|(path, bytes)| sources::file(path, bytes))
        .transpose();
    let layer = layer.map_err(|error| ConfigErrors::Invalid(vec![error]))?;
    let mut errors = layer.as_ref().map(sections::misplaced).unwrap_or_default();
    let (variables, not_text) = sources::texts(environment);
    errors.extend(not_text);
    let (environment, misnamed) = sources::environment(&variables);
    errors.extend(misnamed);
    let figment = layer
        .map_or_else(Figment::new, Figment::from)
        .merge(environment)
        .merge(sources::flags(overrides));
    let merged = Merged::new(figment, errors);
    let config = sections::read(&merged, &variables, regions);
    let errors = merged.into_errors();
    if !errors.is_empty() {
        return Err(ConfigErrors::Invalid(errors));
    }
    Ok(Config {
        source_file: file.map(|(path, _)| path.to_owned()),
        ..config
    })
}
