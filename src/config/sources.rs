//! Where settings come from: the file, the environment, the flags. Each is one figment provider
//! that can name the place of a value in its own terms. Whether a value is any good is not asked
//! here.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::Ipv6Addr;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::error::ConfigError;
use super::settings::{self, Kind, Setting};

/// What the variables of the environment that are ours begin with. There are two underscores at
/// its end, for Kubernetes itself sets `AWS_ROOT_EXPORTER_SERVICE_HOST` and the like.
pub const ENVIRONMENT_PREFIX: &str = "AWS_ROOT_EXPORTER__";

/// What the command line says; whatever is `None`, empty or false was not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--web.listen-address`, as often as it was given.
    pub listen_addresses: Vec<String>,
    /// `--web.config.file`.
    pub web_config_file: Option<String>,
    /// `--web.telemetry-path`.
    pub telemetry_path: Option<String>,
    /// `--web.max-requests`.
    pub max_requests: Option<u32>,
    /// `--web.health-listen-address`.
    pub health_listen_address: Option<String>,
    /// `--web.external-url`.
    pub external_url: Option<String>,
    /// `--shard.index`.
    pub shard_index: Option<u32>,
    /// `--shard.total`.
    pub shard_total: Option<u32>,
    /// `--log.level`.
    pub log_level: Option<String>,
    /// `--log.format`.
    pub log_format: Option<String>,
    /// `--config.enable-auto-reload`.
    pub auto_reload: bool,
}

/// The settings of one source.
pub(super) struct Layer {
    metadata: Metadata,
    pub dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

impl Layer {
    /// The place of a value, as this source's reader knows it.
    pub fn place(&self, path: &[&str]) -> String {
        self.metadata.interpolate(&Profile::Default, path)
    }

    fn set(&mut self, section: &str, key: &str, value: Value) {
        let empty = || Value::from(Dict::new());
        if let Value::Dict(_, keys) = self.dict.entry(section.to_owned()).or_insert_with(empty) {
            keys.insert(key.to_owned(), value);
        }
    }
}

/// A path of keys as TOML writes it; an index comes as a step of its own, `[2]`.
pub(super) fn dotted(path: &[&str]) -> String {
    let bare = |step: &str| {
        step.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-[]".contains(&byte))
    };
    let mut text = String::new();
    for step in path {
        if !text.is_empty() && !step.starts_with('[') {
            text.push('.');
        }
        if bare(step) && !step.is_empty() {
            text.push_str(step);
        } else {
            // A quoted key can hold anything, a line break too.
            let _ = write!(text, "{step:?}");
        }
    }
    text
}

/// The file's settings. The path is only named and noted, the text has been read.
///
/// # Errors
///
/// The text is not UTF-8, or not TOML: with line and column.
pub(super) fn file(path: &Path, bytes: &[u8]) -> Result<Layer, ConfigError> {
    let name = path.display().to_string();
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (line, column) = line_and_column(bytes, error.valid_up_to());
        ConfigError::new(
            format!("{name}:{line}:{column}"),
            "is not UTF-8 text; save the file as UTF-8",
        )
    })?;
    let dict = <Toml as Format>::from_str::<Dict>(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let (line, column) = line_and_column(bytes, start);
        // Only the parser's own words: its whole text quotes the line, and with it a secret.
        let message = error.message().replace('\n', "; ");
        ConfigError::new(
            format!("{name}:{line}:{column}"),
            format!("is not TOML: {message} (texts, durations and account ids stand in quotes)"),
        )
    })?;
    let metadata = Metadata::from(name.clone(), path)
        .interpolater(move |_, keys| format!("{name}: {}", dotted(keys)));
    Ok(Layer { metadata, dict })
}

/// Line and column of a byte, both counted from one.
fn line_and_column(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = String::from_utf8_lossy(&bytes[..at.min(bytes.len())]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

/// The variables of the environment that are text, and what is wrong with those of ours that are
/// not. Another program's need not be.
pub(super) fn texts(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> (Vec<(String, String)>, Vec<ConfigError>) {
    let mut variables = Vec::new();
    let mut errors = Vec::new();
    for (name, value) in environment {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => variables.push((name, value)),
            (name, _) => {
                let name = name.unwrap_or_else(|name| name.to_string_lossy().into_owned());
                if is_heeded(&name) {
                    errors.push(ConfigError::new(
                        name.escape_debug().to_string(),
                        "is not UTF-8 text; set it again as UTF-8, or unset it (the value is not \
                         shown)",
                    ));
                }
            }
        }
    }
    (variables, errors)
}

/// Whether a variable is a setting of this program, or one that the SDK goes by: left out, it would
/// mean another account, or another way to it.
fn is_heeded(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    name.starts_with("AWS_")
        || ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].contains(&upper.as_str())
        || ["SSL_CERT_FILE", "SSL_CERT_DIR", "HOME"].contains(&name)
}

/// The settings in the environment, and what is wrong with their names.
pub(super) fn environment(variables: &[(String, String)]) -> (Layer, Vec<ConfigError>) {
    let mut layer = Layer {
        metadata: Metadata::named("environment")
            .interpolater(|_, keys| variable(keys.first().copied(), keys.get(1).copied())),
        dict: Dict::new(),
    };
    let mut errors = Vec::new();
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) else {
            continue;
        };
        let lower = rest.to_lowercase();
        let found = lower
            .split_once("__")
            .and_then(|(section, key)| settings::find(section, key));
        match found {
            None => errors.push(ConfigError::new(name, unknown_variable(name, &lower))),
            Some(setting) if is_set(&layer, setting) => errors.push(ConfigError::new(
                name,
                "this setting is in the environment twice, in different letter case; keep one",
            )),
            Some(setting) => match environment_value(setting.kind, text) {
                Ok(value) => layer.set(setting.section, setting.key, value),
                Err(problem) => errors.push(ConfigError::new(name, problem)),
            },
        }
    }
    (layer, errors)
}

fn is_set(layer: &Layer, setting: &Setting) -> bool {
    layer
        .dict
        .get(setting.section)
        .and_then(Value::as_dict)
        .is_some_and(|keys| keys.contains_key(setting.key))
}

/// The variable that sets a setting.
pub(super) fn variable(section: Option<&str>, key: Option<&str>) -> String {
    let [section, key] = [section, key].map(|part| part.unwrap_or_default().to_uppercase());
    format!("{ENVIRONMENT_PREFIX}{section}__{key}")
}

fn unknown_variable(name: &str, lower: &str) -> String {
    if lower == settings::ACCOUNTS || lower.starts_with("accounts__") {
        return "accounts cannot be listed in the environment; list them in the file".to_owned();
    }
    let known = settings::SETTINGS
        .iter()
        .map(|setting| variable(Some(setting.section), Some(setting.key)));
    let upper = name.to_uppercase();
    match settings::nearest(
        &upper[ENVIRONMENT_PREFIX.len()..],
        known.map(without_prefix),
    ) {
        Some(near) => {
            format!("is not a known variable; did you mean {ENVIRONMENT_PREFIX}{near}?")
        }
        None => format!(
            "is not a known variable; they are named {ENVIRONMENT_PREFIX}SECTION__KEY, with the \
             sections and keys of config.toml"
        ),
    }
}

fn without_prefix(mut variable: String) -> String {
    variable.drain(..ENVIRONMENT_PREFIX.len());
    variable
}

/// A variable's text as the value its kind calls for. A text that is no number or switch stays a
/// text, so that the judgement of values can show it and say what belongs there.
fn environment_value(kind: Kind, text: &str) -> Result<Value, String> {
    let number = |text: &str| match text.trim().parse::<i64>() {
        Ok(number) => Value::from(number),
        Err(_) => Value::from(text.trim()),
    };
    Ok(match kind {
        Kind::Text => Value::from(text),
        Kind::Number => number(text),
        Kind::Switch => match text.trim().to_lowercase().as_str() {
            "true" => Value::from(true),
            "false" => Value::from(false),
            _ => Value::from(text),
        },
        Kind::Texts | Kind::Numbers if is_toml_list(text) => toml_list(text)?,
        Kind::Texts => Value::from(elements(text).map(Value::from).collect::<Vec<_>>()),
        Kind::Numbers => Value::from(elements(text).map(number).collect::<Vec<_>>()),
    })
}

fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// Whether a text begins as a list does in TOML; `[::1]:10057` is an address.
fn is_toml_list(text: &str) -> bool {
    let inside = text.trim_start().strip_prefix('[');
    let inside = inside.map(|rest| rest.split_once(']').map_or(rest, |(inside, _)| inside));
    inside.is_some_and(|inside| inside.parse::<Ipv6Addr>().is_err())
}

fn toml_list(text: &str) -> Result<Value, String> {
    let problem = || {
        format!(
            r#"{text:?} is not a TOML list; write ["a", "b"], or the values with commas between"#
        )
    };
    let mut dict = <Toml as Format>::from_str::<Dict>(&format!("list = {}", text.trim()))
        .map_err(|_| problem())?;
    match dict.remove("list") {
        Some(list) if dict.is_empty() => Ok(list),
        _ => Err(problem()),
    }
}

/// The settings on the command line.
pub(super) fn flags(overrides: &Overrides) -> Layer {
    let mut layer = Layer {
        metadata: Metadata::named("command line").interpolater(|_, keys| match keys {
            [section, key, ..] => settings::find(section, key)
                .and_then(|setting| setting.flag)
                .map_or_else(|| dotted(keys), str::to_owned),
            _ => dotted(keys),
        }),
        dict: Dict::new(),
    };
    let text = |value: &Option<String>| value.as_deref().map(Value::from);
    let number = |value: Option<u32>| value.map(Value::from);
    let addresses = (!overrides.listen_addresses.is_empty())
        .then(|| Value::from(overrides.listen_addresses.clone()));
    for (section, key, value) in [
        ("web", "listen_address", addresses),
        ("web", "config_file", text(&overrides.web_config_file)),
        ("web", "telemetry_path", text(&overrides.telemetry_path)),
        ("web", "max_requests", number(overrides.max_requests)),
        (
            "web",
            "health_listen_address",
            text(&overrides.health_listen_address),
        ),
        ("web", "external_url", text(&overrides.external_url)),
        ("shard", "index", number(overrides.shard_index)),
        ("shard", "total", number(overrides.shard_total)),
        ("log", "level", text(&overrides.log_level)),
        ("log", "format", text(&overrides.log_format)),
        (
            "reload",
            "auto",
            overrides.auto_reload.then(|| Value::from(true)),
        ),
    ] {
        if let Some(value) = value {
            layer.set(section, key, value);
        }
    }
    layer
}
