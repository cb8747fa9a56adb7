//! Variables of the environment that look like settings and are none. They are ignored, as much
//! that begins with the program's name is not meant for it: whoever set one should know.

use std::ffi::OsString;
use std::fmt;

use super::settings;
use super::sources::{ENVIRONMENT_PREFIX, variable};

/// A variable that is ignored, and the setting that it resembles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misnamed {
    /// The variable. Its value is not kept.
    pub name: String,
    /// The variable of the setting.
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

/// The variables that resemble a setting without being one: `AWS_ROOT_EXPORTER_LOG_LEVEL`.
/// Kubernetes' own, such as `AWS_ROOT_EXPORTER_SERVICE_HOST`, are none of them.
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
    // What begins like this is a setting, or refused.
    if name.starts_with(ENVIRONMENT_PREFIX) {
        return None;
    }
    let upper = name.to_uppercase();
    let rest = upper.strip_prefix(ENVIRONMENT_PREFIX.trim_end_matches('_'))?;
    let words: Vec<_> = rest
        .strip_prefix('_')?
        .split('_')
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() || is_of_kubernetes(&words) {
        return None;
    }
    let words = words.join("_").to_lowercase();
    let full = |setting: &settings::Setting| format!("{}_{}", setting.section, setting.key);
    let nearest = || {
        let near = settings::nearest(&words, settings::SETTINGS.iter().map(full))?;
        settings::SETTINGS.iter().find(|s| full(s) == near)
    };
    let setting = settings::SETTINGS
        .iter()
        .find(|setting| full(setting) == words || setting.key == words)
        .or_else(nearest)?;
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
    fn what_resembles_a_setting_is_told_its_name() {
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
    fn what_is_a_setting_or_of_kubernetes_or_unlike_any_is_left_alone() {
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
    fn no_setting_can_be_taken_for_one_of_kubernetes() {
        for setting in settings::SETTINGS {
            let name = format!("{}_{}", setting.section, setting.key).to_uppercase();
            let words: Vec<_> = name.split('_').collect();
            assert!(!is_of_kubernetes(&words), "{name}");
        }
    }
}
