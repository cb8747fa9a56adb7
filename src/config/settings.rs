//! The table of settings: their names, the kind of value that a variable has, and their flags. Their
//! meanings and defaults are in [`super::model::Config`].

/// The kind of a setting's value, which decides how a variable is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text, taken as it is: an external id of digits must not become a number.
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

/// A list of tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub name: &'static str,
    /// What an entry is.
    pub entry: &'static str,
    /// The keys of an entry.
    pub keys: &'static [&'static str],
}

/// The list of accounts.
pub(super) const ACCOUNTS: &str = "accounts";

/// The list of accepted keys.
pub(super) const EXCEPTIONS: &str = "exceptions";

/// The top-level keys that are not sections.
pub(super) const LISTS: [List; 2] = [
    List {
        name: ACCOUNTS,
        entry: "account",
        keys: ACCOUNT_KEYS,
    },
    List {
        name: EXCEPTIONS,
        entry: "exception",
        keys: &["account", "key", "reason", "until"],
    },
];

/// The keys of one `[[accounts]]` entry.
const ACCOUNT_KEYS: &[&str] = &[
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
    setting("web", "listen_address", Kind::Texts).flag("--web.listen-address"),
    setting("web", "telemetry_path", Kind::Text).flag("--web.telemetry-path"),
    setting("web", "config_file", Kind::Text).flag("--web.config.file"),
    setting("web", "max_requests", Kind::Number).flag("--web.max-requests"),
    setting("web", "health_listen_address", Kind::Text).flag("--web.health-listen-address"),
    setting("web", "external_url", Kind::Text).flag("--web.external-url"),
    setting("log", "level", Kind::Text).flag("--log.level"),
    setting("log", "format", Kind::Text).flag("--log.format"),
    setting("reload", "auto", Kind::Switch).flag("--config.enable-auto-reload"),
    setting("shard", "index", Kind::Number).flag("--shard.index"),
    setting("shard", "total", Kind::Number).flag("--shard.total"),
    setting("sources", "credential_report", Kind::Switch),
    setting("sources", "account_summary", Kind::Switch),
    setting("refresh", "interval", Kind::Text),
    setting("refresh", "concurrency", Kind::Number),
    setting("refresh", "timeout", Kind::Text),
    setting("refresh", "report_timeout", Kind::Text),
    setting("refresh", "max_staleness", Kind::Text),
    setting("refresh", "max_live_staleness", Kind::Text),
    setting("events", "queue_url", Kind::Text),
    setting("events", "relaxed_interval", Kind::Text),
    setting("events", "echo_timeout", Kind::Text),
    setting("state", "path", Kind::Text),
    setting("aws", "region", Kind::Text),
    setting("aws", "profile", Kind::Text),
    setting("organization", "enabled", Kind::Switch),
    setting("organization", "access", Kind::Text),
    setting("organization", "role_name", Kind::Text),
    setting("organization", "external_id", Kind::Text),
    setting("organization", "exclude", Kind::Texts),
    setting("organization", "tag_labels", Kind::Texts),
    setting("organization", "details", Kind::Texts),
    setting("organization", "interval", Kind::Text),
    setting("users", "aggregate", Kind::Switch),
    setting("users", "detail", Kind::Switch),
    setting("users", "max_detail_series", Kind::Number),
    setting("users", "key_age_days", Kind::Numbers),
    setting("users", "unused_days", Kind::Numbers),
];

const fn setting(section: &'static str, key: &'static str, kind: Kind) -> Setting {
    let flag = None;
    Setting {
        section,
        key,
        kind,
        flag,
    }
}

impl Setting {
    const fn flag(self, flag: &'static str) -> Self {
        let flag = Some(flag);
        Self { flag, ..self }
    }
}

/// The setting with this name.
pub(super) fn find(section: &str, key: &str) -> Option<&'static Setting> {
    SETTINGS
        .iter()
        .find(|setting| setting.section == section && setting.key == key)
}

/// The keys of a section; none where there is no such section.
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
    sections.extend(LISTS.map(|list| list.name));
    sections
}

/// The known name that is most like a misspelt one. At most a third of it may be wrong.
pub(super) fn nearest<T: AsRef<str>>(name: &str, known: impl IntoIterator<Item = T>) -> Option<T> {
    let distance = |known: &T| strsim::damerau_levenshtein(name, known.as_ref());
    known
        .into_iter()
        .filter(|known| distance(known) <= known.as_ref().len().div_ceil(3))
        .min_by_key(distance)
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
            .chain(
                LISTS
                    .iter()
                    .flat_map(|list| list.keys.iter().map(|key| (list.name, *key))),
            )
            .collect::<BTreeSet<_>>();
        assert_eq!(named, known);
    }

    #[test]
    fn only_a_similar_name_is_suggested() {
        let names = ["interval", "timeout", "concurrency"];
        assert_eq!(nearest("intervall", names), Some("interval"));
        assert_eq!(nearest("time_out", names), Some("timeout"));
        assert_eq!(nearest("colour", names), None);
    }
}
