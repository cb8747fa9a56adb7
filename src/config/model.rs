//! The settings as the rest of the program uses them, each with its default. Nothing is read or
//! checked here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use smart_default::SmartDefault;
use tracing::Level;

use super::base_url::BaseUrl;
use super::queue_url::QueueUrl;
use crate::account::{Account, AccountId, Exception, Secret};
use exporter_toolkit::ListenAddress;
use root_posture::Timestamp;

/// The values of `log.level`, from the quietest.
pub const LOG_LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The values of `log.format`.
pub const LOG_FORMATS: [&str; 2] = ["logfmt", "json"];

/// All settings, validated and complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Listeners and paths.
    pub web: Web,
    /// The log.
    pub log: Log,
    /// When the file is read again.
    pub reload: Reload,
    /// The part of the accounts that this process monitors.
    pub shard: Shard,
    /// The sources of evidence in use.
    pub sources: Sources,
    /// The schedule and its deadlines.
    pub refresh: Refresh,
    /// Push: the events of CloudTrail that tell of changes.
    pub events: Events,
    /// The state that survives a restart.
    pub state: State,
    /// The caller's Region and profile.
    pub aws: Aws,
    /// The accounts in the file. Without any, and without an organization: the caller's own.
    pub accounts: Vec<Account>,
    /// The root access keys that are accepted, by account. Those of `accounts` are in them, too.
    pub exceptions: BTreeMap<AccountId, Arc<[Exception]>>,
    /// How the accounts of an organization are found and read.
    pub organization: Organization,
    /// Metrics of IAM users.
    pub users: Users,
    /// The path of the file, as it was given; `None` where none was read.
    pub source_file: Option<PathBuf>,
}

impl Config {
    /// The exceptions that have ended, with their accounts: each key is reported again.
    pub fn ended_exceptions(
        &self,
        now: Timestamp,
    ) -> impl Iterator<Item = (AccountId, &Exception)> {
        let all = self.exceptions.iter();
        let all = all.flat_map(|(account, list)| list.iter().map(move |it| (*account, it)));
        all.filter(move |(_, exception)| !exception.is_in_force(now))
    }
}

/// `[web]`
#[derive(Clone, Debug, PartialEq, Eq, SmartDefault)]
pub struct Web {
    /// The addresses to listen on; at least one.
    #[default(vec![ListenAddress::Ip((Ipv4Addr::LOCALHOST, 10057).into())])]
    pub listen_addresses: Vec<ListenAddress>,
    /// The path of the metrics. It begins with a slash.
    #[default = "/metrics"]
    pub telemetry_path: String,
    /// The file with TLS and passwords, in the format of Prometheus' exporter-toolkit.
    pub config_file: Option<PathBuf>,
    /// How many requests are answered at the same time; at least one.
    #[default = 40]
    pub max_requests: usize,
    /// A second address, for health probes alone.
    pub health_listen_address: Option<ListenAddress>,
    /// The URL at which people open the pages. Alerts link to it.
    pub external_url: Option<BaseUrl>,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, SmartDefault)]
pub struct Log {
    /// The least important level that is logged.
    #[default(Level::INFO)]
    pub level: Level,
    /// The format of a line.
    #[default(LogFormat::Logfmt)]
    pub format: LogFormat,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object.
    Json,
}

/// `[reload]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// Whether a changed file is read again without a request.
    pub auto: bool,
}

/// `[shard]`
#[derive(Clone, Debug, PartialEq, Eq, SmartDefault)]
pub struct Shard {
    /// The shard of this process, counted from zero; below `total`.
    pub index: u32,
    /// The number of shards; at least one.
    #[default = 1]
    pub total: u32,
}

/// `[sources]`
#[derive(Clone, Debug, PartialEq, Eq, SmartDefault)]
pub struct Sources {
    /// Whether credential reports are generated and read.
    #[default = true]
    pub credential_report: bool,
    /// Whether account summaries are read.
    #[default = true]
    pub account_summary: bool,
}

/// `[refresh]`
#[derive(Clone, Debug, PartialEq, Eq, SmartDefault)]
pub struct Refresh {
    /// The time between two polls of an account; at least a second.
    #[default(Duration::from_secs(60))]
    pub interval: Duration,
    /// How many accounts are polled at the same time; at least one.
    #[default = 64]
    pub concurrency: usize,
    /// The deadline of one attempt.
    #[default(Duration::from_secs(30))]
    pub timeout: Duration,
    /// The deadline for AWS to generate a report.
    #[default(Duration::from_secs(15 * 60))]
    pub report_timeout: Duration,
    /// The age at which a value without a problem is withdrawn. At least ten intervals, and 4 h
    /// 30 min where reports are the only source.
    #[default(Duration::from_secs(10 * 60 * 60))]
    pub max_staleness: Duration,
    /// The same, counted from the last live answer of an account that had one. Longer than the
    /// interval.
    #[default(Duration::from_secs(30 * 60))]
    pub max_live_staleness: Duration,
}

/// `[events]`
#[derive(Clone, Debug, PartialEq, Eq, SmartDefault)]
pub struct Events {
    /// The queue in which this process's events arrive; without one, there is no push.
    pub queue: Option<QueueUrl>,
    /// The time between two polls of an account whose push is verified. Not below the interval, at
    /// most 15 minutes, and below `max_live_staleness`.
    #[default(Duration::from_secs(15 * 60))]
    pub relaxed_interval: Duration,
    /// How long the event of a poll may take to arrive.
    #[default(Duration::from_secs(5 * 60))]
    pub echo_timeout: Duration,
}

/// `[state]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The database; without one, nothing survives a restart.
    pub path: Option<PathBuf>,
}

/// `[aws]`
#[derive(Clone, Debug, PartialEq, Eq, SmartDefault)]
pub struct Aws {
    /// The Region whose STS identifies the caller: the setting, else `AWS_REGION`, `AWS_DEFAULT_REGION`, the
    /// profile's, the instance's.
    #[default = "us-east-1"]
    pub region: String,
    /// The setting or variable that names the Region, for messages.
    #[default = "the default, for nothing names one"]
    pub region_from: String,
    /// The profile with the caller's credentials, in place of the SDK's standard chain.
    pub profile: Option<String>,
}

/// `[organization]`
#[derive(Clone, Debug, PartialEq, Eq, SmartDefault)]
pub struct Organization {
    /// Whether the organization's accounts are monitored.
    pub enabled: bool,
    /// How member accounts are read.
    #[default(MemberAccess::Role)]
    pub access: MemberAccess,
    /// The role in every member account, after its path where it has one.
    #[default = "aws-root-exporter"]
    pub role_name: String,
    /// The external id in the roles' trust policies.
    pub external_id: Option<Secret>,
    /// Accounts that are not monitored.
    pub exclude: BTreeSet<AccountId>,
    /// The keys of the account tags that become labels.
    pub tag_labels: Vec<String>,
    /// What else is read of each account.
    pub details: BTreeSet<Detail>,
    /// The time between two readings of the list of accounts.
    #[default(Duration::from_secs(10 * 60))]
    pub interval: Duration,
}

impl Organization {
    /// Whether root sessions are opened.
    #[must_use]
    pub fn uses_root_sessions(&self) -> bool {
        self.enabled && matches!(self.access, MemberAccess::Root | MemberAccess::Both)
    }
}

/// What AWS Organizations says of an account beyond its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The e-mail address of its root user.
    Email,
    /// The path of its organizational units.
    Ou,
}

/// How the member accounts of an organization are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberAccess {
    /// By a role in each account.
    Role,
    /// By a root session, which needs no role.
    Root,
    /// By both, the strongest setting.
    Both,
}

/// `[users]`
#[derive(Clone, Debug, PartialEq, Eq, SmartDefault)]
pub struct Users {
    /// Whether the IAM users of an account are counted.
    #[default = true]
    pub aggregate: bool,
    /// Whether each IAM user has series of its own.
    pub detail: bool,
    /// The largest number of such series.
    #[default = 50_000]
    pub max_detail_series: usize,
    /// The ages of access keys to count, in days, ascending.
    #[default(vec![90, 180, 365])]
    pub key_age_days: Vec<u32>,
    /// The times without use to count, in days, ascending.
    #[default(vec![45, 90])]
    pub unused_days: Vec<u32>,
}
