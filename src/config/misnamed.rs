//! Variables that resemble settings and are none. They are ignored, because other variables begin
//! with the program's name too, and a warning says so.

use std::ffi::OsString;
use std::fmt;

use super::settings::{self, SETTINGS, Setting};
use super::sources::{ENVIRONMENT_PREFIX, variable};

/// A variable that is ignored, and the one that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misnamed {
    /// The name of the variable.
    pub name: String,
    /// The variable of the setting that it resembles.
    pub meant: String,
}

impl fmt::Display for Misnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, meant) = (self.name.escape_debug(), &self.meant);
        write!(
            f,
            "{name}: is ignored; did you mean {meant}? (two underscores after the program's name \
             and after the section)"
        )
    }
}

/// The variables that resemble a setting, such as `AWS_ROOT_EXPORTER_LOG_LEVEL`. Those that
/// Kubernetes sets, such as `AWS_ROOT_EXPORTER_SERVICE_HOST`, are left out.
#[must_use]
pub fn misnamed(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<Misnamed> {
    let resembling = |(name, _): (OsString, OsString)| {
        let name = name.into_string().ok()?;
        let meant = resembled(&name)?;
        Some(Misnamed { name, meant })
    };
    let mut found: Vec<_> = environment.into_iter().filter_map(resembling).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn resembled(name: &str) -> Option<String> {
    // A name with the full prefix is a setting, or refused.
    if name.starts_with(ENVIRONMENT_PREFIX) {
        return None;
    }
    let upper = name.to_uppercase();
    let rest = upper.strip_prefix(ENVIRONMENT_PREFIX.trim_end_matches('_'))?;
    let words = rest.strip_prefix('_')?.split('_');
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    if words.is_empty() || is_of_kubernetes(&words) {
        return None;
    }
    let words = words.join("_").to_lowercase();
    let full = |setting: &Setting| format!("{}_{}", setting.section, setting.key);
    let exact = SETTINGS
        .iter()
        .find(|setting| full(setting) == words || setting.key == words);
    let setting = exact.or_else(|| {
        let near = settings::nearest(&words, SETTINGS.iter().map(full))?;
        SETTINGS.iter().find(|setting| full(setting) == near)
    })?;
    Some(variable(Some(setting.section), Some(setting.key)))
}

/// Whether Kubernetes sets such a variable for a Service whose name begins like the program's.
///
/// Source: Kubernetes documentation, "Service", "Environment variables".
fn is_of_kubernetes(words: &[&str]) -> bool {
    words.contains(&"PORT") || words.ends_with(&["SERVICE", "HOST"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_like_that_of_a_setting_is_corrected() {
        for (name, meant) in [
            ("AWS_ROOT_EXPORTER_LOG_LEVEL", "LOG__LEVEL"),
            ("AWS_ROOT_EXPORTER_WEB_CONFIG_FILE", "WEB__CONFIG_FILE"),
            ("AWS_ROOT_EXPORTER_WEB__CONFIG_FILE", "WEB__CONFIG_FILE"),
            ("AWS_ROOT_EXPORTER_CONFIG_FILE", "WEB__CONFIG_FILE"),
            ("AWS_ROOT_EXPORTER_LISTEN_ADDRESS", "WEB__LISTEN_ADDRESS"),
            ("AWS_ROOT_EXPORTER_INTERVAL", "REFRESH__INTERVAL"),
            ("AWS_ROOT_EXPORTER_STATE_PAHT", "STATE__PATH"),
            ("aws_root_exporter__state__path", "STATE__PATH"),
        ] {
            let meant = format!("{ENVIRONMENT_PREFIX}{meant}");
            assert_eq!(resembled(name), Some(meant), "{name}");
        }
    }

    #[test]
    fn settings_and_variables_of_others_are_left_alone() {
        for name in [
            "AWS_ROOT_EXPORTER__LOG__LEVEL",
            "AWS_ROOT_EXPORTER__LOG_LEVEL",
            "AWS_ROOT_EXPORTER_SERVICE_HOST",
            "AWS_ROOT_EXPORTER_SERVICE_PORT",
            "AWS_ROOT_EXPORTER_SERVICE_PORT_METRICS",
            "AWS_ROOT_EXPORTER_PORT",
            "AWS_ROOT_EXPORTER_PORT_9100_TCP",
            "AWS_ROOT_EXPORTER_PORT_9100_TCP_ADDR",
            "AWS_ROOT_EXPORTER_PORT_9100_TCP_PORT",
            "AWS_ROOT_EXPORTER_PORT_9100_TCP_PROTO",
            "AWS_ROOT_EXPORTER_WEB_SERVICE_HOST",
            "AWS_ROOT_EXPORTER_WEB_PORT_10057_TCP_ADDR",
            "AWS_ROOT_EXPORTER_REVISION",
            "AWS_ROOT_EXPORTER_VERSION",
            "AWS_ROOT_EXPORTER_",
            "AWS_ROOT_EXPORTER",
            "AWS_ROOT_EXPORTERS_LOG_LEVEL",
            "AWS_REGION",
            "LOG_LEVEL",
        ] {
            assert_eq!(resembled(name), None, "{name}");
        }
    }

    #[test]
    fn no_setting_is_mistaken_for_a_variable_of_kubernetes() {
        for setting in SETTINGS {
            let name = format!("{}_{}", setting.section, setting.key).to_uppercase();
            let words: Vec<_> = name.split('_').collect();
            assert!(!is_of_kubernetes(&words), "{name}");
        }
    }
}
