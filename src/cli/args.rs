//! The command line: every command and flag, and which go together. What a command does is not
//! decided here, and neither is any default of the configuration: flags that belong to it are
//! handed to [`crate::config`] as [`Overrides`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::account::AccountId;
use crate::build::{REVISION, RUSTC, VERSION};
use crate::config::{BaseUrl, LOG_FORMATS, LOG_LEVELS, Overrides, parse_duration};
use crate::web::ProbeUrl;

mod examples;
pub mod reference;

static LONG_VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{VERSION} (revision {REVISION}, rustc {RUSTC})"));

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The command and what is said of it alone.
    pub command: Command,
    /// `--config.file`.
    pub config_file: Option<PathBuf>,
    /// Flags that beat the configuration.
    pub overrides: Overrides,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the daemon.
    Serve,
    /// Judge the configuration and stop.
    CheckConfig {
        /// Also try every account once.
        online: bool,
    },
    /// Run the daemon over the embedded simulator.
    Demo(DemoArgs),
    /// Look once.
    Check(CheckArgs),
    /// Print a policy.
    Policy(PolicyArgs),
    /// Show and delete root keys.
    Remediate(RemediateArgs),
    /// Ask a running daemon.
    Healthcheck(HealthcheckArgs),
    /// Print an embedded file.
    Print(PrintArgs),
    /// Print a shell's completions.
    Completions(clap_complete::Shell),
    /// Print a manual page.
    Man(Option<String>),
}

/// Reads the command line, the program's name first.
///
/// # Errors
///
/// Wrong usage, and `--help` and `--version`, which clap counts as errors too:
/// [`clap::Error::exit`] prints each where it belongs and exits with 2 or 0.
pub fn parse<I, T>(arguments: I) -> Result<Invocation, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let matches = Cli::command().try_get_matches_from(arguments)?;
    let cli = Cli::from_arg_matches(&matches)?;
    cli.judge()
}

/// Watches AWS accounts for root access keys and tells Prometheus.
///
/// Without a command it is the daemon (serve). Settings come from the configuration file, the
/// environment (`AWS_ROOT_EXPORTER__SECTION__KEY`) and flags; a later one beats an earlier one.
#[derive(Debug, Parser)]
#[command(
    name = "aws-root-exporter",
    version = LONG_VERSION.as_str(),
    disable_help_subcommand = true,
    after_help = examples::PROGRAM,
    subcommand_value_name = "COMMAND",
)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<CliCommand>,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run the daemon; the same as no command.
    ///
    /// Exits with 0 when a signal stopped it, 1 when it could not start or one of its tasks ended, 2
    /// for wrong usage or configuration.
    Serve(ServeArgs),
    /// Run the daemon over an embedded AWS simulator: no AWS account, no network.
    #[command(after_help = examples::DEMO)]
    Demo(DemoCommand),
    /// Look once at every configured account or at saved reports, and say what is found.
    ///
    /// A second look, some seconds later, is taken where the first would lower what an account's
    /// credential report says; a report in the making is waited for, two minutes at most.
    ///
    /// Exits with 0 when no account has a root key, 1 when one has, 3 when something could not be
    /// judged, 2 for wrong usage or configuration. 1 wins over 3. A saved report is judged as of the
    /// time it was made.
    #[command(after_help = examples::CHECK)]
    Check(CheckArgs),
    /// Print the least-privilege policy or template that this configuration needs.
    ///
    /// AWS is not asked. The external ids of the configuration are part of what audit-role and
    /// stackset print.
    #[command(after_help = examples::POLICY)]
    Policy(PolicyArgs),
    /// Show which root keys an account has and, when told to, delete them.
    ///
    /// Asks AWS afresh, through a root session of the organization (sts:AssumeRoot), and changes
    /// nothing unless both --delete and --confirm are given; each deletion is logged and proven by
    /// another look. For the management account, and where there are no root sessions, it prints
    /// how to do it in the console.
    ///
    /// Exits with 0 when it showed what there is or deleted what was asked, 1 when something kept it
    /// from that, 2 for wrong usage or configuration.
    #[command(after_help = examples::REMEDIATE)]
    Remediate(RemediateArgs),
    /// Ask a running daemon whether it is healthy; exits with 0 or 1.
    Healthcheck(HealthcheckArgs),
    /// Print a file this binary was built with.
    #[command(after_help = examples::PRINT)]
    Print(PrintArgs),
    /// Print the completions for a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// Which shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program, or of one of its commands.
    #[command(after_help = examples::MAN)]
    Man {
        /// Which command [default: the program].
        command: Option<String>,
    },
}

impl CliCommand {
    fn name(&self) -> &'static str {
        match self {
            Self::Serve(_) => "serve",
            Self::Demo(_) => "demo",
            Self::Check(_) => "check",
            Self::Policy(_) => "policy",
            Self::Remediate(_) => "remediate",
            Self::Healthcheck(_) => "healthcheck",
            Self::Print(_) => "print",
            Self::Completions { .. } => "completions",
            Self::Man { .. } => "man",
        }
    }

    fn reads_the_configuration(&self) -> bool {
        match self {
            Self::Serve(_) | Self::Check(_) | Self::Policy(_) | Self::Remediate(_) => true,
            Self::Demo(_)
            | Self::Healthcheck(_)
            | Self::Print(_)
            | Self::Completions { .. }
            | Self::Man { .. } => false,
        }
    }

    /// Refuses what clap cannot: a daemon's flag before a command that does not take it, the same
    /// flag before and after a command, a file that nobody reads. A flag is never ignored.
    fn goes_with(&self, global: &GlobalArgs, before: &ServeArgs) -> Result<(), clap::Error> {
        let name = self.name();
        if global.config_file.is_some() && !self.reads_the_configuration() {
            return Err(conflict(format!(
                "'{name}' reads no configuration and takes no '--config.file'"
            )));
        }
        let (taken, after) = match self {
            Self::Serve(serve) => (before.given(), serve.given()),
            Self::Demo(demo) => (before.web.given(), demo.web.given()),
            _ => (Vec::new(), Vec::new()),
        };
        let given = before.given();
        if let Some(flag) = given.iter().find(|flag| !taken.contains(flag)) {
            return Err(conflict(format!(
                "'{flag}' is a flag of the daemon; '{name}' does not take it"
            )));
        }
        if let Some(flag) = taken.iter().find(|flag| after.contains(flag)) {
            return Err(conflict(format!(
                "'{flag}' is given both before and after '{name}'; give it once"
            )));
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
#[command(next_display_order = 900)]
struct GlobalArgs {
    /// The configuration file [default: config.toml when there is one].
    #[arg(long = "config.file", value_name = "FILE", global = true)]
    config_file: Option<PathBuf>,
    /// The least important level that is logged [default: info].
    #[arg(long = "log.level", value_name = "LEVEL", global = true, value_parser = LOG_LEVELS)]
    log_level: Option<String>,
    /// How a log line looks [default: logfmt].
    #[arg(long = "log.format", value_name = "FORMAT", global = true, value_parser = LOG_FORMATS)]
    log_format: Option<String>,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    web: WebArgs,
    /// This process's shard, counted from 0 [default: 0].
    #[arg(long = "shard.index", value_name = "N")]
    shard_index: Option<u32>,
    /// How many shards the accounts are split into [default: 1].
    #[arg(long = "shard.total", value_name = "N")]
    shard_total: Option<u32>,
    /// Read the configuration again by itself when its file changes [default: off].
    #[arg(long = "config.enable-auto-reload")]
    auto_reload: bool,
    /// Judge the configuration and stop: exits with 0 or 2.
    #[arg(long = "config.check")]
    check: bool,
    /// With --config.check: also try every account once and say what is missing.
    #[arg(long, requires = "check")]
    online: bool,
}

#[derive(Debug, Args)]
struct WebArgs {
    /// Address and port to listen on, :PORT for every address; may be given again
    /// [default: 127.0.0.1:10057].
    #[arg(long = "web.listen-address", value_name = "ADDRESS")]
    listen_addresses: Vec<String>,
    /// File with TLS, client certificates, passwords and headers [default: none].
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<String>,
    /// Path of the metrics [default: /metrics].
    #[arg(long = "web.telemetry-path", value_name = "PATH")]
    telemetry_path: Option<String>,
    /// Requests answered at the same time [default: 40].
    #[arg(long = "web.max-requests", value_name = "N")]
    max_requests: Option<u32>,
    /// A second address that serves /-/healthy and /-/ready alone [default: none].
    #[arg(long = "web.health-listen-address", value_name = "ADDRESS")]
    health_listen_address: Option<String>,
    /// Where people open the exporter's pages, for the links in alerts [default: none].
    #[arg(long = "web.external-url", value_name = "URL")]
    external_url: Option<String>,
}

#[derive(Debug, Args)]
struct DemoCommand {
    #[command(flatten)]
    demo: DemoArgs,
    #[command(flatten)]
    web: WebArgs,
}

/// `demo`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DemoArgs {
    /// How many accounts the simulated organization has.
    #[arg(long, value_name = "N", default_value_t = 12,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub accounts: u32,
    /// Seed of everything that is random; the same seed plays the same story.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
}

/// `check`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct CheckArgs {
    /// A saved report instead of the configured accounts: the CSV itself or the JSON of
    /// `aws iam get-credential-report`; - is standard input; may be given again.
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
    pub format: CheckFormat,
    /// Leave out the accounts that are fine [default: off].
    #[arg(long)]
    pub only_findings: bool,
}

/// How `check` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    Table,
    /// The objects of `/api/v1/accounts`.
    Json,
    /// One line an account.
    Csv,
}

/// `policy`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct PolicyArgs {
    /// Which policy or template.
    #[arg(value_enum)]
    pub kind: PolicyKind,
    /// The ARN of the role that the exporter runs as, for whom the audit role trusts [default:
    /// left to fill in].
    #[arg(long, value_name = "ARN", value_parser = role_arn)]
    pub hub: Option<String>,
    /// The organization's id, o-..., for the conditions [default: the caller's own
    /// organization, where a policy can say so].
    #[arg(long, value_name = "ID", value_parser = organization_id)]
    pub organization: Option<String>,
}

/// The shape that IAM gives a role's ARN.
fn role_arn(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    match fields[..] {
        ["arn", partition, "iam", "", account, resource]
            if partition.starts_with("aws")
                && account.parse::<AccountId>().is_ok()
                && resource
                    .strip_prefix("role/")
                    .is_some_and(|name| !name.is_empty() && !name.contains(['*', '"'])) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("not the ARN of a role (arn:aws:iam::<12 digits>:role/<name>)".to_owned()),
    }
}

/// Source: Organizations API Reference, `Organization`, pattern of `Id`.
fn organization_id(text: &str) -> Result<String, String> {
    let is_id = text.strip_prefix("o-").is_some_and(|id| {
        (10..=32).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    });
    if is_id {
        Ok(text.to_owned())
    } else {
        Err("not the id of an organization (o- and 10 to 32 letters and digits)".to_owned())
    }
}

/// What `policy` can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyKind {
    /// The role in each watched account: its policy and whom it trusts.
    AuditRole,
    /// What the exporter's own identity may do.
    Hub,
    /// A CloudFormation template that rolls the audit role out over an organization.
    Stackset,
    /// What a person needs to delete root keys.
    Remediate,
}

/// `remediate`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct RemediateArgs {
    /// The account whose root keys are shown.
    #[arg(long, value_name = "ID")]
    pub account: AccountId,
    /// Delete the keys that are shown; needs --confirm [default: off].
    #[arg(long, requires = "confirm")]
    pub delete: bool,
    /// The account's id once more, for --delete.
    #[arg(long, value_name = "ID", requires = "delete")]
    pub confirm: Option<AccountId>,
    /// How long a key must have been unused to be deleted.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
    pub unused_for: Duration,
    /// Delete a key that was used lately, too [default: off].
    #[arg(long)]
    pub even_if_used: bool,
}

/// `healthcheck`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct HealthcheckArgs {
    /// What to ask; without a path, /-/healthy [default: http and the address for probes that
    /// the environment sets, or the first to listen on, else 127.0.0.1:10057].
    #[arg(long)]
    pub url: Option<ProbeUrl>,
}

/// `print`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct PrintArgs {
    /// Which file.
    #[arg(value_enum)]
    pub file: PrintFile,
    /// With rules: the URL under which the runbooks are read [default: this project's].
    #[arg(long, value_name = "BASE")]
    pub runbook_url: Option<BaseUrl>,
}

/// What `print` can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrintFile {
    /// Prometheus alerting and recording rules.
    Rules,
    /// The same for IAM users.
    IamUsersRules,
    /// An example of Alertmanager's configuration.
    Alertmanager,
    /// The Grafana dashboard.
    Dashboard,
    /// The configuration with every setting and its default.
    Config,
}

impl Cli {
    /// What the words come to, once it is sure that each of them is of use.
    fn judge(self) -> Result<Invocation, clap::Error> {
        if let Some(command) = &self.command {
            command.goes_with(&self.global, &self.serve)?;
        }
        let Self {
            global,
            serve,
            command,
        } = self;
        let mut overrides = Overrides {
            log_level: global.log_level,
            log_format: global.log_format,
            ..Overrides::default()
        };
        let before = serve.apply(&mut overrides);
        let command = match command {
            None => before.command(),
            Some(CliCommand::Serve(after)) => before.max(after.apply(&mut overrides)).command(),
            Some(CliCommand::Demo(demo)) => {
                demo.web.apply(&mut overrides);
                Command::Demo(demo.demo)
            }
            Some(CliCommand::Check(check)) => Command::Check(check),
            Some(CliCommand::Policy(policy)) => Command::Policy(policy),
            Some(CliCommand::Remediate(remediate)) => remediate.confirmed()?,
            Some(CliCommand::Healthcheck(healthcheck)) => Command::Healthcheck(healthcheck),
            Some(CliCommand::Print(print)) => print.judged()?,
            Some(CliCommand::Completions { shell }) => Command::Completions(shell),
            Some(CliCommand::Man { command }) => Command::Man(command),
        };
        Ok(Invocation {
            command,
            config_file: global.config_file,
            overrides,
        })
    }
}

/// Whether the daemon is to run at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ConfigCheck {
    No,
    Offline,
    Online,
}

impl ConfigCheck {
    fn command(self) -> Command {
        match self {
            Self::No => Command::Serve,
            Self::Offline => Command::CheckConfig { online: false },
            Self::Online => Command::CheckConfig { online: true },
        }
    }
}

impl ServeArgs {
    /// The flags that were given.
    fn given(&self) -> Vec<&'static str> {
        let mut given = self.web.given();
        let flags = [
            (self.shard_index.is_some(), "--shard.index"),
            (self.shard_total.is_some(), "--shard.total"),
            (self.auto_reload, "--config.enable-auto-reload"),
            (self.check, "--config.check"),
            (self.online, "--online"),
        ];
        given.extend(named(flags));
        given
    }

    fn apply(self, overrides: &mut Overrides) -> ConfigCheck {
        self.web.apply(overrides);
        overrides.shard_index = self.shard_index.or(overrides.shard_index);
        overrides.shard_total = self.shard_total.or(overrides.shard_total);
        overrides.auto_reload |= self.auto_reload;
        match (self.check, self.online) {
            (false, _) => ConfigCheck::No,
            (true, false) => ConfigCheck::Offline,
            (true, true) => ConfigCheck::Online,
        }
    }
}

impl WebArgs {
    fn given(&self) -> Vec<&'static str> {
        named([
            (!self.listen_addresses.is_empty(), "--web.listen-address"),
            (self.web_config_file.is_some(), "--web.config.file"),
            (self.telemetry_path.is_some(), "--web.telemetry-path"),
            (self.max_requests.is_some(), "--web.max-requests"),
            (
                self.health_listen_address.is_some(),
                "--web.health-listen-address",
            ),
            (self.external_url.is_some(), "--web.external-url"),
        ])
        .collect()
    }

    fn apply(self, overrides: &mut Overrides) {
        fn set<T>(place: &mut Option<T>, value: Option<T>) {
            if value.is_some() {
                *place = value;
            }
        }
        overrides.listen_addresses.extend(self.listen_addresses);
        set(&mut overrides.web_config_file, self.web_config_file);
        set(&mut overrides.telemetry_path, self.telemetry_path);
        set(&mut overrides.max_requests, self.max_requests);
        set(
            &mut overrides.health_listen_address,
            self.health_listen_address,
        );
        set(&mut overrides.external_url, self.external_url);
    }
}

impl RemediateArgs {
    /// The second naming of the account is there to catch a slip of the hand: it must agree.
    fn confirmed(self) -> Result<Command, clap::Error> {
        match self.confirm {
            Some(confirm) if confirm != self.account => Err(Cli::command().error(
                ErrorKind::ValueValidation,
                format!(
                    "'--confirm {confirm}' is not '--account {}'; name the same account twice",
                    self.account
                ),
            )),
            _ => Ok(Command::Remediate(self)),
        }
    }
}

impl PrintArgs {
    fn judged(self) -> Result<Command, clap::Error> {
        let has_runbooks = matches!(self.file, PrintFile::Rules | PrintFile::IamUsersRules);
        if self.runbook_url.is_some() && !has_runbooks {
            return Err(conflict(
                "'--runbook-url' goes with rules; the other files name no runbook".to_owned(),
            ));
        }
        Ok(Command::Print(self))
    }
}

fn named(
    flags: impl IntoIterator<Item = (bool, &'static str)>,
) -> impl Iterator<Item = &'static str> {
    flags
        .into_iter()
        .filter_map(|(given, flag)| given.then_some(flag))
}

fn conflict(message: String) -> clap::Error {
    Cli::command().error(ErrorKind::ArgumentConflict, message)
}

#[cfg(test)]
mod tests;
