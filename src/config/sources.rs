//! The sources of settings: the file, the environment and the flags. Each is a figment provider that
//! names the place of a value in its own terms. No value is validated here.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::Ipv6Addr;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::error::ConfigError;
use super::settings::{self, Kind};

/// The prefix of this program's variables. It ends with two underscores, because Kubernetes itself
/// sets `AWS_ROOT_EXPORTER_SERVICE_HOST` and the like.
pub const ENVIRONMENT_PREFIX: &str = "AWS_ROOT_EXPORTER__";

/// The flags of the command line. One that was not given is `None`, empty or false.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--web.listen-address`, which may be repeated.
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
    /// The place of a value in the terms of this source.
    pub fn place(&self, path: &[&str]) -> String {
        self.metadata.interpolate(&Profile::Default, path)
    }

    /// Sets a key, and says whether it was not set before.
    fn set(&mut self, section: &str, key: &str, value: impl Into<Value>) -> bool {
        let empty = || Value::from(Dict::new());
        match self.dict.entry(section.to_owned()).or_insert_with(empty) {
            Value::Dict(_, keys) => keys.insert(key.to_owned(), value.into()).is_none(),
            _ => false,
        }
    }

    fn override_by<T: Into<Value>>(&mut self, section: &str, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.set(section, key, value);
        }
    }
}

/// A path of keys as TOML writes it. An index is a step of its own, `[2]`.
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
            // A quoted key may hold any character, even a line break.
            let _ = write!(text, "{step:?}");
        }
    }
    text
}

/// The settings of a file. Its path is used for messages only.
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
        // Only the parser's own words: its full text quotes the line, which may hold a secret.
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

/// The variables that are text, and the errors of those that should be. Other programs' variables
/// need not be text.
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
                if is_used(&name) {
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

/// Whether this program or the SDK uses a variable. Without it, another account might be read, or in
/// another way.
fn is_used(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    name.starts_with("AWS_")
        || ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].contains(&upper.as_str())
        || ["SSL_CERT_FILE", "SSL_CERT_DIR", "HOME"].contains(&name)
}

const SET_TWICE: &str =
    "this setting is in the environment twice, in different letter case; keep one";

/// The settings in the environment, and the errors of their names.
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
            None => errors.push(ConfigError::new(name, unknown_variable(&lower))),
            Some(setting) => {
                let value = environment_value(setting.kind, text);
                match value.map(|value| layer.set(setting.section, setting.key, value)) {
                    Ok(true) => {}
                    Ok(false) => errors.push(ConfigError::new(name, SET_TWICE)),
                    Err(problem) => errors.push(ConfigError::new(name, problem)),
                }
            }
        }
    }
    (layer, errors)
}

/// The variable of a setting.
pub(super) fn variable(section: Option<&str>, key: Option<&str>) -> String {
    let [section, key] = [section, key].map(|part| part.unwrap_or_default().to_uppercase());
    format!("{ENVIRONMENT_PREFIX}{section}__{key}")
}

fn unknown_variable(lower: &str) -> String {
    let list = lower.split_once("__").map_or(lower, |(section, _)| section);
    if let Some(list) = settings::LISTS.iter().find(|it| it.name == list) {
        let name = list.name;
        return format!("{name} cannot be listed in the environment; list them in the file");
    }
    let known = settings::SETTINGS.iter();
    let known = known.map(|setting| format!("{}__{}", setting.section, setting.key));
    match settings::nearest(lower, known) {
        Some(near) => format!(
            "is not a known variable; did you mean {ENVIRONMENT_PREFIX}{}?",
            near.to_uppercase()
        ),
        None => format!(
            "is not a known variable; they are named {ENVIRONMENT_PREFIX}SECTION__KEY, with the \
             sections and keys of config.toml"
        ),
    }
}

/// The text of a variable as a value of the setting's kind. A text that is no number or switch stays
/// a text, so that the error about it can show it.
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

/// Whether a text begins like a list of TOML. `[::1]:10057` is an address.
fn is_toml_list(text: &str) -> bool {
    let inside = text.trim_start().strip_prefix('[');
    let inside = inside.map(|rest| rest.split_once(']').map_or(rest, |(inside, _)| inside));
    inside.is_some_and(|inside| inside.parse::<Ipv6Addr>().is_err())
}

fn toml_list(text: &str) -> Result<Value, String> {
    let parsed = <Toml as Format>::from_str::<Dict>(&format!("list = {}", text.trim())).ok();
    let only = parsed.filter(|dict| dict.len() == 1);
    only.and_then(|mut dict| dict.remove("list")).ok_or_else(|| {
        format!(
            r#"{text:?} is not a TOML list; write ["a", "b"], or the values with commas between"#
        )
    })
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
    let it = overrides;
    let addresses = Some(it.listen_addresses.clone()).filter(|addresses| !addresses.is_empty());
    let auto_reload = it.auto_reload.then_some(true);
    layer.override_by("web", "listen_address", addresses);
    layer.override_by("web", "config_file", it.web_config_file.as_deref());
    layer.override_by("web", "telemetry_path", it.telemetry_path.as_deref());
    layer.override_by("web", "max_requests", it.max_requests);
    layer.override_by(
        "web",
        "health_listen_address",
        it.health_listen_address.as_deref(),
    );
    layer.override_by("web", "external_url", it.external_url.as_deref());
    layer.override_by("shard", "index", it.shard_index);
    layer.override_by("shard", "total", it.shard_total);
    layer.override_by("log", "level", it.log_level.as_deref());
    layer.override_by("log", "format", it.log_format.as_deref());
    layer.override_by("reload", "auto", auto_reload);
    layer
}
