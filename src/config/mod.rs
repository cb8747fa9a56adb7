//! File, environment and flags become one validated [`Config`], or a list of errors that each
//! say where, what and what to do.
//!
//! This is the only place with defaults. It reads its own file and nothing else: the environment,
//! the flags and what the machine says about Regions are handed in, no other file is opened, no
//! address is bound, nobody is asked.

mod accounts;
mod base_url;
mod error;
mod judge;
mod misnamed;
mod settings;
mod sources;
mod table;
mod values;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use base_url::{BaseUrl, BaseUrlError};
pub use error::{ConfigError, ConfigErrors};
pub use misnamed::{Misnamed, misnamed};
pub use sources::{ENVIRONMENT_PREFIX, Overrides};
pub use values::parse_duration;

use crate::account::{Account, AccountId, Secret};
use exporter_toolkit::ListenAddress;
use exporter_toolkit::files;

/// The file that is read when there is one and no other is named.
pub const DEFAULT_FILE: &str = "config.toml";

/// The levels `log.level` knows, from the quietest.
pub const LOG_LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The formats `log.format` knows.
pub const LOG_FORMATS: [&str; 2] = ["logfmt", "json"];

/// Everything that can be set, judged and complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Listeners and paths.
    pub web: Web,
    /// What is logged, and how.
    pub log: Log,
    /// When the file is read again.
    pub reload: Reload,
    /// Which part of the accounts is this process's.
    pub shard: Shard,
    /// Which sources of evidence are asked.
    pub sources: Sources,
    /// The schedule and its deadlines.
    pub refresh: Refresh,
    /// What survives a restart.
    pub state: State,
    /// The caller's side of AWS.
    pub aws: Aws,
    /// The accounts the file lists. None, and no organization: the caller's own account.
    pub accounts: Vec<Account>,
    /// The accounts an organization lists.
    pub organization: Organization,
    /// Figures of IAM users.
    pub users: Users,
    /// The file that was read, as its path was given; `None` when there was none.
    pub source_file: Option<PathBuf>,
}

/// `[web]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Where to listen; at least one.
    pub listen_addresses: Vec<ListenAddress>,
    /// The path of the metrics; begins with a slash.
    pub telemetry_path: String,
    /// exporter-toolkit's file of TLS and passwords.
    pub config_file: Option<PathBuf>,
    /// Requests answered at the same time; at least one.
    pub max_requests: usize,
    /// A second listener for probes alone.
    pub health_listen_address: Option<ListenAddress>,
    /// Where people open the pages; alerts link to it.
    pub external_url: Option<BaseUrl>,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen_addresses: vec![ListenAddress::Ip((Ipv4Addr::LOCALHOST, 10057).into())],
            telemetry_path: "/metrics".to_owned(),
            config_file: None,
            max_requests: 40,
            health_listen_address: None,
            external_url: None,
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least important level that is still written.
    pub level: tracing::Level,
    /// How a line looks.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: tracing::Level::INFO,
            format: LogFormat::Logfmt,
        }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logfmt => LOG_FORMATS[0],
            Self::Json => LOG_FORMATS[1],
        })
    }
}

/// `[reload]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// Whether a changed file is read again by itself.
    pub auto: bool,
}

/// `[shard]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// This process's shard, counted from zero; below `total`.
    pub index: u32,
    /// How many shards there are; at least one.
    pub total: u32,
}

impl Default for Shard {
    fn default() -> Self {
        Self { index: 0, total: 1 }
    }
}

/// `[sources]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Whether credential reports are generated and read.
    pub credential_report: bool,
    /// Whether the account summary is asked for.
    pub account_summary: bool,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            credential_report: true,
            account_summary: true,
        }
    }
}

/// `[refresh]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// How often each account is polled; at least a second.
    pub interval: Duration,
    /// Accounts in flight at the same time; at least one.
    pub concurrency: usize,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long a report may stay in the making.
    pub report_timeout: Duration,
    /// After this a fine value is withdrawn. At least ten intervals, and 4 h 30 min where reports
    /// are the only source.
    pub max_staleness: Duration,
    /// Likewise, counted from the last live answer of an account that had one. More than the
    /// interval.
    pub max_live_staleness: Duration,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            concurrency: 64,
            timeout: Duration::from_secs(30),
            report_timeout: Duration::from_secs(15 * 60),
            max_staleness: Duration::from_secs(10 * 60 * 60),
            max_live_staleness: Duration::from_secs(30 * 60),
        }
    }
}

/// `[state]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Where what was learnt is kept; without it nothing is kept.
    pub path: Option<PathBuf>,
}

/// `[aws]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// The Region where STS is asked: the setting, else `AWS_REGION`, `AWS_DEFAULT_REGION`, the
    /// profile's, the instance's.
    pub region: String,
    /// What named the Region, for messages.
    pub region_from: String,
    /// The profile the caller's credentials come from, instead of the SDK's standard chain.
    pub profile: Option<String>,
}

impl Default for Aws {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            region_from: "the default, for nothing names one".to_owned(),
            profile: None,
        }
    }
}

/// `[organization]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Whether the organization's accounts are watched.
    pub enabled: bool,
    /// How member accounts are read.
    pub access: MemberAccess,
    /// The role in every member account, with its path before it when it has one.
    pub role_name: String,
    /// What the roles' trust policies ask for.
    pub external_id: Option<Secret>,
    /// Accounts that are not watched.
    pub exclude: BTreeSet<AccountId>,
    /// Keys of account tags that become labels; [`label_name`] says under which name.
    pub tag_labels: Vec<String>,
    /// How often the list of accounts is read again.
    pub interval: Duration,
}

impl Default for Organization {
    fn default() -> Self {
        Self {
            enabled: false,
            access: MemberAccess::Role,
            role_name: "aws-root-exporter".to_owned(),
            external_id: None,
            exclude: BTreeSet::new(),
            tag_labels: Vec::new(),
            interval: Duration::from_secs(10 * 60),
        }
    }
}

impl Organization {
    /// Whether root sessions are opened.
    #[must_use]
    pub fn uses_root_sessions(&self) -> bool {
        self.enabled && matches!(self.access, MemberAccess::Root | MemberAccess::Both)
    }
}

/// How the member accounts of an organization are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberAccess {
    /// By a role in each of them.
    Role,
    /// By a root session, which needs no role.
    Root,
    /// By both; the strongest setting.
    Both,
}

/// `[users]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// Whether the IAM users of an account are counted.
    pub aggregate: bool,
    /// Whether each IAM user gets series of its own.
    pub detail: bool,
    /// How many such series there may be.
    pub max_detail_series: usize,
    /// Ages of access keys that are counted, in days, ascending.
    pub key_age_days: Vec<u32>,
    /// Times without use that are counted, in days, ascending.
    pub unused_days: Vec<u32>,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            aggregate: true,
            detail: false,
            max_detail_series: 50_000,
            key_age_days: vec![90, 180, 365],
            unused_days: vec![45, 90],
        }
    }
}

/// The label that a tag becomes, without its `label_` prefix: every character that a Prometheus
/// label cannot have is an underscore.
///
/// Source: Prometheus data model, "Metric names and labels".
#[must_use]
pub fn label_name(tag_key: &str) -> String {
    tag_key
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() {
                char
            } else {
                '_'
            }
        })
        .collect()
}

/// What the machine says about Regions, where no setting and no variable names one.
pub trait Regions {
    /// The Region of a profile of the shared AWS files, `None` for the one that is used where none
    /// is named.
    fn of_profile(&self, profile: Option<&str>) -> Option<FoundRegion>;

    /// The Region of the instance that this process runs on.
    fn of_instance(&self) -> Option<FoundRegion>;
}

/// A machine that says nothing.
impl Regions for () {
    fn of_profile(&self, _: Option<&str>) -> Option<FoundRegion> {
        None
    }

    fn of_instance(&self) -> Option<FoundRegion> {
        None
    }
}

/// A Region, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRegion {
    /// Its name.
    pub name: String,
    /// What names it, for messages.
    pub place: String,
}

/// Reads and judges the configuration. `file` is the file the caller named; `None` means
/// [`DEFAULT_FILE`] in the current directory when there is one, else defaults. A flag beats the
/// environment, the environment beats the file.
///
/// # Errors
///
/// The file is missing or cannot be read, or settings are wrong; then all of them are told.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
) -> Result<Config, ConfigErrors> {
    load_on(&(), file, environment, overrides)
}

/// [`load`] on a machine that knows Regions.
///
/// # Errors
///
/// As [`load`].
pub fn load_on(
    machine: &dyn Regions,
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
) -> Result<Config, ConfigErrors> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    match files::read(path) {
        Ok(bytes) => of_bytes(machine, path, &bytes, environment, overrides),
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.is_none() => {
            judge::judge(None, environment, overrides, machine)
        }
        Err(source) => Err(unread(path, source)),
    }
}

/// [`load`] for who has the file's bytes already: nothing is read, and `file` is only what they
/// are called.
///
/// # Errors
///
/// The bytes are not TOML, or settings are wrong; then all of them are told.
pub fn load_bytes(
    file: &Path,
    bytes: &[u8],
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
) -> Result<Config, ConfigErrors> {
    of_bytes(&(), file, bytes, environment, overrides)
}

/// [`load`] for who wants no file read: defaults, environment and flags alone.
///
/// # Errors
///
/// Settings are wrong; all of them are told.
pub fn load_without_file(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
) -> Result<Config, ConfigErrors> {
    judge::judge(None, environment, overrides, &())
}

fn of_bytes(
    machine: &dyn Regions,
    file: &Path,
    bytes: &[u8],
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
) -> Result<Config, ConfigErrors> {
    let layer = sources::file(file, bytes).map_err(|error| ConfigErrors::Invalid(vec![error]))?;
    let config = judge::judge(Some(layer), environment, overrides, machine)?;
    Ok(Config {
        source_file: Some(file.to_owned()),
        ..config
    })
}

fn unread(path: &Path, source: io::Error) -> ConfigErrors {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            ConfigErrors::NotFound { path, source }
        }
        _ => ConfigErrors::Unreadable { path, source },
    }
}
