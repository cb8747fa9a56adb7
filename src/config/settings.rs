//! The table of settings: which exist, what kind of value the environment gives them, and which
//! flag sets them. Defaults and meanings are not here; see [`super::Config`].

/// What a setting holds, as far as reading it from an environment variable needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Kept as it is: an external id of digits must not become a number.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
    /// Texts, as a TOML list or separated by commas.
    Texts,
    /// Whole numbers, as a TOML list or separated by commas.
    Numbers,
}

/// One setting of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub section: &'static str,
    pub key: &'static str,
    pub kind: Kind,
    pub flag: Option<&'static str>,
}

/// The list of accounts, the one top-level key that is no section of settings.
pub(super) const ACCOUNTS: &str = "accounts";

/// The keys of one `[[accounts]]` entry.
pub(super) const ACCOUNT_KEYS: &[&str] = &[
    "id",
    "name",
    "role_arn",
    "external_id",
    "profile",
    "region",
    "labels",
];

/// Every setting, in the order of `config.toml`.
pub(super) const SETTINGS: &[Setting] = &[
    flagged("web", "listen_address", Kind::Texts, "--web.listen-address"),
    flagged("web", "telemetry_path", Kind::Text, "--web.telemetry-path"),
    flagged("web", "config_file", Kind::Text, "--web.config.file"),
    flagged("web", "max_requests", Kind::Number, "--web.max-requests"),
    flagged(
        "web",
        "health_listen_address",
        Kind::Text,
        "--web.health-listen-address",
    ),
    flagged("web", "external_url", Kind::Text, "--web.external-url"),
    flagged("log", "level", Kind::Text, "--log.level"),
    flagged("log", "format", Kind::Text, "--log.format"),
    flagged(
        "reload",
        "auto",
        Kind::Switch,
        "--config.enable-auto-reload",
    ),
    flagged("shard", "index", Kind::Number, "--shard.index"),
    flagged("shard", "total", Kind::Number, "--shard.total"),
    setting("sources", "credential_report", Kind::Switch),
    setting("sources", "account_summary", Kind::Switch),
    setting("refresh", "interval", Kind::Text),
    setting("refresh", "concurrency", Kind::Number),
    setting("refresh", "timeout", Kind::Text),
    setting("refresh", "report_timeout", Kind::Text),
    setting("refresh", "max_staleness", Kind::Text),
    setting("refresh", "max_live_staleness", Kind::Text),
    setting("state", "path", Kind::Text),
    setting("aws", "region", Kind::Text),
    setting("aws", "profile", Kind::Text),
    setting("organization", "enabled", Kind::Switch),
    setting("organization", "access", Kind::Text),
    setting("organization", "role_name", Kind::Text),
    setting("organization", "external_id", Kind::Text),
    setting("organization", "exclude", Kind::Texts),
    setting("organization", "tag_labels", Kind::Texts),
    setting("organization", "interval", Kind::Text),
    setting("users", "aggregate", Kind::Switch),
    setting("users", "detail", Kind::Switch),
    setting("users", "max_detail_series", Kind::Number),
    setting("users", "key_age_days", Kind::Numbers),
    setting("users", "unused_days", Kind::Numbers),
];

const fn setting(section: &'static str, key: &'static str, kind: Kind) -> Setting {
    Setting {
        section,
        key,
        kind,
        flag: None,
    }
}

const fn flagged(
    section: &'static str,
    key: &'static str,
    kind: Kind,
    flag: &'static str,
) -> Setting {
    Setting {
        section,
        key,
        kind,
        flag: Some(flag),
    }
}

/// The setting of that name, if there is one.
pub(super) fn find(section: &str, key: &str) -> Option<&'static Setting> {
    SETTINGS
        .iter()
        .find(|setting| setting.section == section && setting.key == key)
}

/// The keys of a section; none when there is no such section.
pub(super) fn keys_of(section: &str) -> Vec<&'static str> {
    SETTINGS
        .iter()
        .filter(|setting| setting.section == section)
        .map(|setting| setting.key)
        .collect()
}

/// The top-level keys of the file.
pub(super) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = SETTINGS.iter().map(|setting| setting.section).collect();
    sections.dedup();
    sections.push(ACCOUNTS);
    sections
}

/// The known name that a misspelt one most likely meant: at most a third of it is wrong.
pub(super) fn nearest<T: AsRef<str>>(name: &str, known: impl IntoIterator<Item = T>) -> Option<T> {
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(name, candidate.as_ref()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= candidate.as_ref().len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn config_toml_names_every_setting_and_no_other() {
        let mut section = "";
        let mut named = BTreeSet::new();
        for line in include_str!("../../config.toml").lines() {
            let line = line.trim_start_matches(['#', ' ']);
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_start_matches('[');
                section = &section[..section.find(']').unwrap()];
            } else if let Some((key, _)) = line.split_once(" = ")
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            {
                named.insert((section, key));
            }
        }
        let known = SETTINGS
            .iter()
            .map(|setting| (setting.section, setting.key))
            .chain(ACCOUNT_KEYS.iter().map(|key| (ACCOUNTS, *key)))
            .collect::<BTreeSet<_>>();
        assert_eq!(named, known);
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["interval", "timeout", "concurrency"];
        assert_eq!(nearest("intervall", names), Some("interval"));
        assert_eq!(nearest("time_out", names), Some("timeout"));
        assert_eq!(nearest("colour", names), None);
    }
}
