//! The variables of the environment that AWS tools read.

use std::path::{Path, PathBuf};

/// The profile that is used where none is named.
pub(super) const DEFAULT_PROFILE: &str = "default";

/// The value of a variable. One that is empty is not set. What is not UTF-8 text was refused at the
/// start.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The profile to read: the one that is named, else the one in `AWS_PROFILE`.
pub(super) fn profile_or_default(named: Option<&str>) -> String {
    named
        .map(str::to_owned)
        .or_else(|| variable("AWS_PROFILE"))
        .unwrap_or_else(|| DEFAULT_PROFILE.to_owned())
}

/// A path in which `~` is the home folder.
pub(super) fn expanded(path: &str) -> PathBuf {
    let path = Path::new(path);
    match (path.strip_prefix("~"), variable("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_owned(),
    }
}
