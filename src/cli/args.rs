//! The command line: every command and flag, and which of them can be combined.
//!
//! It never runs a command and has no default of the configuration: flags that override the
//! configuration go to [`crate::config`] as [`Overrides`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use root_posture::AccessKeyId;

use crate::account::AccountId;
use crate::build::{RUSTC, VERSION, revision};
use crate::config::{BaseUrl, LOG_FORMATS, LOG_LEVELS, Overrides, parse_duration};
use exporter_toolkit::HealthUrl;

use self::daemon::{PlaceArgs, ServeArgs, WebArgs};

mod daemon;
mod examples;
pub mod reference;
mod values;

static LONG_VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{VERSION} (revision {}, rustc {RUSTC})", revision()));

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The command with its own arguments.
    pub command: Command,
    /// `--config.file`.
    pub config_file: Option<PathBuf>,
    /// Flags that override the configuration.
    pub overrides: Overrides,
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
    let matches = definition().try_get_matches_from(arguments)?;
    refuse_misplaced(&matches)?;
    Cli::from_arg_matches(&matches)?.invocation()
}

/// The definition of the command line. clap accepts the shared flags after every command; where a
/// command has no use for one, it is hidden from the help.
#[must_use]
pub fn definition() -> clap::Command {
    build(|flag, is_useful| (!is_useful).then(|| flag.hide(true)))
}

/// The command line without hidden flags, for completions, which would list them.
fn visible_definition() -> clap::Command {
    build(|flag, is_useful| is_useful.then(|| flag.global(false)))
        .mut_args(|flag| flag.global(false))
}

/// Adds to each command the shared flags that `shared` returns, given whether the command has a use
/// for them.
fn build(shared: impl Fn(Arg, bool) -> Option<Arg>) -> clap::Command {
    let mut program = Cli::command();
    let flags: Vec<_> = program
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .cloned()
        .collect();
    for command in program.get_subcommands_mut() {
        let useless: &[&str] = match command.get_name() {
            "demo" => &["config_file"],
            "policy" | "healthcheck" => &["log_level", "log_format"],
            "print" | "completions" | "man" => &["config_file", "log_level", "log_format"],
            _ => &[],
        };
        let added = flags.iter().filter_map(|flag| {
            let is_useful = !useless.contains(&flag.get_id().as_str());
            shared(flag.clone(), is_useful)
        });
        *command = std::mem::take(command).args(added);
    }
    program
}

/// Refuses flags that clap accepts: a daemon's flag before a command that does not take it, the same
/// flag before and after a command, a file that the command does not read. No flag is ignored.
fn refuse_misplaced(before: &ArgMatches) -> Result<(), clap::Error> {
    let Some((name, after)) = before.subcommand() else {
        return Ok(());
    };
    let program = definition();
    let command = program.find_subcommand(name);
    let of_command = |arg: &Arg| {
        command?
            .get_arguments()
            .find(|it| it.get_id() == arg.get_id())
    };
    let is_given = |matches: &ArgMatches, arg: &Arg| {
        matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let mut address = None;
    for arg in program.get_arguments() {
        let flag = format!("--{}", arg.get_long().unwrap_or_default());
        let of_command = of_command(arg);
        let is_before = is_given(before, arg);
        if arg.is_global_set() {
            let is_useful = !of_command.is_some_and(Arg::is_hide_set);
            if is_before && !is_useful && arg.get_id() == "config_file" {
                return Err(conflict(format!(
                    "'{name}' reads no configuration and takes no '{flag}'"
                )));
            }
            address = address.or((is_before && is_useful).then_some(flag));
            continue;
        }
        let is_after = of_command.is_some_and(|arg| is_given(after, arg));
        if is_before && of_command.is_none() {
            return Err(conflict(format!(
                "'{flag}' is a flag of the daemon; '{name}' does not take it"
            )));
        }
        if is_before && is_after {
            return Err(conflict(format!(
                "'{flag}' is given both before and after '{name}'; give it once"
            )));
        }
        address = address.or((is_before || is_after).then_some(flag));
    }
    // Every other flag of a healthcheck names the address where the daemon listens.
    if name == "healthcheck"
        && after.value_source("url").is_some()
        && let Some(flag) = address
    {
        return Err(conflict(format!(
            "'--url' and '{flag}' both name the address; give one of them"
        )));
    }
    Ok(())
}

/// A Prometheus exporter that watches AWS accounts for root access keys.
///
/// Without a command it runs the daemon (serve). Settings come from the configuration file, the
/// environment (`AWS_ROOT_EXPORTER__SECTION__KEY`) and flags; a later one overrides an earlier one.
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
    command: Option<Command>,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the daemon; the same as no command.
    ///
    /// Exits with 0 when a signal stopped it, 1 when it could not start or one of its tasks ended, 2
    /// for wrong usage or configuration.
    Serve(ServeArgs),
    /// Run the daemon with an embedded AWS simulator: it needs no AWS account and no network.
    #[command(after_help = examples::DEMO)]
    Demo(DemoArgs),
    /// Poll every configured account once, or read saved reports, and print what is wrong.
    ///
    /// A second poll, some seconds later, is made where the first contradicts the credential report
    /// of an account; a report that AWS is still making is waited for, two minutes at most.
    ///
    /// Exits with 0 when there is no finding of --fail-on, 1 when there is a root key or a root user
    /// without MFA, 3 when something is unknown or a saved report is too old, 2 for wrong usage or
    /// configuration. 1 wins over 3. The worst account is printed first.
    ///
    /// A key that an exception of the configuration accepts is shown as accepted and is no finding.
    ///
    /// A saved report shows the state at the time when it was made. A CSV does not contain that time:
    /// then the last change of the file counts; a report from a pipe counts as made now.
    #[command(after_help = examples::CHECK)]
    Check(CheckArgs),
    /// Print the least-privilege policy or template that this configuration needs.
    ///
    /// Makes no call to AWS. audit-role and stackset contain the external ids of the configuration.
    /// hub and remediate are shortened where many accounts have a role of the same name, and are a
    /// list of policies where one would be longer than IAM accepts (6,144 characters).
    #[command(after_help = examples::POLICY)]
    Policy(PolicyArgs),
    /// Show the root access keys of an account and, if asked to, delete them.
    ///
    /// Reads the keys from AWS through a root session of the organization (sts:AssumeRoot). Changes
    /// nothing unless both --delete and --confirm are given. Writes an audit line for each step to
    /// standard error, at any log level, and verifies each deletion by listing the keys again. For
    /// the management account, and where there are no root sessions, it prints the console steps.
    ///
    /// Exits with 0 when it showed the keys, had nothing to do, or deleted and verified each named
    /// key; 1 when it deleted none; 3 when it deleted all and could not verify each; 4 when it deleted
    /// some and not others; 2 for wrong usage or configuration.
    #[command(after_help = examples::REMEDIATE)]
    Remediate(RemediateArgs),
    /// Ask a running daemon whether it is healthy; exits with 0 or 1.
    ///
    /// Asks at the address where the daemon listens with the same file, environment and flags: the
    /// one for probes if there is one, else the first. Exits with 2 for wrong usage or configuration.
    #[command(after_help = examples::HEALTHCHECK)]
    Healthcheck(HealthcheckArgs),
    /// Print a file that is built into this binary.
    #[command(after_help = examples::PRINT)]
    Print(PrintArgs),
    /// Print the completions for a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program, or of one of its commands.
    #[command(after_help = examples::MAN)]
    Man {
        /// The command [default: the program].
        command: Option<String>,
    },
}

#[derive(Debug, Args)]
#[command(next_display_order = 900)]
struct GlobalArgs {
    /// The configuration file [default: config.toml when there is one].
    #[arg(long = "config.file", value_name = "FILE", global = true)]
    config_file: Option<PathBuf>,
    /// Log messages of this level and above [default: info].
    #[arg(long = "log.level", value_name = "LEVEL", global = true, value_parser = LOG_LEVELS)]
    log_level: Option<String>,
    /// Format of the log [default: logfmt].
    #[arg(long = "log.format", value_name = "FORMAT", global = true, value_parser = LOG_FORMATS)]
    log_format: Option<String>,
}

/// `demo`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DemoArgs {
    /// Number of accounts in the simulated organization.
    #[arg(long, value_name = "N", default_value_t = 12,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub accounts: u32,
    /// Seed of the random numbers; the same seed gives the same accounts.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    web: WebArgs,
}

/// `check`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct CheckArgs {
    /// Read a saved report instead of the configured accounts: the CSV, its base64, or the output of
    /// `aws iam get-credential-report` as JSON, YAML or text; - is standard input; may be repeated.
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
    /// Maximum age of a saved report; in an older one only keys and missing MFA count.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration,
        requires = "reports")]
    pub max_age: Duration,
    /// Findings that cause a non-zero exit code, separated by commas.
    #[arg(long, value_name = "FINDING", value_enum, value_delimiter = ',',
        default_values_t = CheckFinding::ALL)]
    pub fail_on: Vec<CheckFinding>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
    pub format: CheckFormat,
    /// Omit accounts without a finding [default: off].
    #[arg(long)]
    pub only_findings: bool,
}

/// The output formats of `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A table for people.
    Table,
    /// The objects of `/api/v1/accounts/{id}`.
    Json,
    /// One line per account.
    Csv,
    /// OCSF 1.5.0 Compliance Findings, one JSON object a line, for each control on each account.
    Ocsf,
    /// A JUnit report with a test for each control on each account.
    Junit,
}

/// The findings of `check`, ordered by the severities of their alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum CheckFinding {
    /// A root access key is active.
    Active,
    /// The root user has no MFA and may have a password.
    Mfa,
    /// A root access key exists, active or not.
    Present,
    /// Whether there is a root access key is unknown.
    Unknown,
}

impl CheckFinding {
    /// All findings. Each has an alerting rule.
    pub const ALL: [Self; 4] = [Self::Active, Self::Mfa, Self::Present, Self::Unknown];
}

/// `policy`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct PolicyArgs {
    /// The policy or template.
    #[arg(value_enum)]
    pub kind: PolicyKind,
    /// ARN of the role that the exporter runs as, which the audit role trusts [default: a
    /// placeholder].
    #[arg(long, value_name = "ARN", value_parser = values::role_arn)]
    pub hub: Option<String>,
    /// Id of the organization, o-..., for the conditions [default: the caller's own organization,
    /// where a policy can express that].
    #[arg(long, value_name = "ID", value_parser = values::organization_id)]
    pub organization: Option<String>,
}

/// The documents of `policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyKind {
    /// The role in each monitored account: its policy and its trust policy.
    AuditRole,
    /// The policy of the exporter's own role.
    Hub,
    /// A CloudFormation template that creates the audit role in all accounts of an organization.
    Stackset,
    /// The policy of a person who deletes root keys.
    Remediate,
}

/// The default of `remediate --unused-for`.
pub const UNUSED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// `remediate`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct RemediateArgs {
    /// The account.
    #[arg(long, value_name = "ID")]
    pub account: AccountId,
    /// Delete this key, active or not; may be repeated; needs --confirm [default: none].
    #[arg(long, value_name = "KEY", requires = "confirm")]
    pub delete: Vec<AccessKeyId>,
    /// The account's id again, for --delete.
    #[arg(long, value_name = "ID", requires = "delete")]
    pub confirm: Option<AccountId>,
    /// Also append the audit lines of --delete to this file, as JSON [default: none].
    #[arg(long, value_name = "FILE", requires = "delete")]
    pub audit_file: Option<PathBuf>,
    /// Refuse to delete a key that was used within this time; one that was never used counts from
    /// its creation.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
    pub unused_for: Duration,
    /// Delete a key even if it was used or created recently [default: off].
    #[arg(long)]
    pub even_if_used: bool,
}

/// `healthcheck`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct HealthcheckArgs {
    /// URL of the daemon; without a path, /-/healthy [default: from the configuration].
    #[arg(long)]
    pub url: Option<HealthUrl>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// `print`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct PrintArgs {
    /// The file.
    #[arg(value_enum)]
    pub file: PrintFile,
    /// With runbook: the alert [default: a list of all].
    #[arg(value_name = "ALERT")]
    pub alert: Option<String>,
    /// With rules: base URL of the runbooks [default: this project's].
    #[arg(long, value_name = "BASE")]
    pub runbook_url: Option<BaseUrl>,
}

/// The files of `print`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrintFile {
    /// Prometheus alerting and recording rules.
    Rules,
    /// Prometheus alerting and recording rules for IAM users.
    IamUsersRules,
    /// An example of an Alertmanager configuration.
    Alertmanager,
    /// The Grafana dashboard.
    Dashboard,
    /// A configuration file with every setting and its default.
    Config,
    /// The runbook of an alert.
    Runbook,
}

impl Cli {
    fn invocation(self) -> Result<Invocation, clap::Error> {
        let mut overrides = Overrides {
            log_level: self.global.log_level,
            log_format: self.global.log_format,
            ..Overrides::default()
        };
        let before = self.serve;
        before.apply(&mut overrides);
        let serve = || Command::Serve(ServeArgs::default());
        let mut command = self.command.unwrap_or_else(serve);
        match &mut command {
            Command::Serve(after) => {
                after.apply(&mut overrides);
                after.check |= before.check;
                after.online |= before.online;
            }
            Command::Demo(demo) => demo.web.apply(&mut overrides),
            Command::Healthcheck(healthcheck) => healthcheck.place.apply(&mut overrides),
            Command::Remediate(remediate) => remediate.check()?,
            Command::Print(print) => print.check()?,
            _ => {}
        }
        Ok(Invocation {
            command,
            config_file: self.global.config_file,
            overrides,
        })
    }
}

impl Command {
    /// Whether it calls AWS, and so may read the instance's Region from its metadata before.
    pub(super) fn asks_aws(&self) -> bool {
        match self {
            Self::Serve(serve) => !serve.check || serve.online,
            Self::Check(check) => check.reports.is_empty(),
            Self::Remediate(_) => true,
            _ => false,
        }
    }
}

impl RemediateArgs {
    /// Refuses typing errors: the two accounts must be the same, the keys must differ.
    fn check(&self) -> Result<(), clap::Error> {
        let account = self.account;
        let message = if let Some(confirm) = self.confirm.filter(|confirm| *confirm != account) {
            format!(
                "'--confirm {confirm}' is not '--account {account}'; name the same account twice"
            )
        } else {
            let mut keys = self.delete.iter().enumerate();
            match keys.find(|(at, key)| self.delete[..*at].contains(key)) {
                Some((_, twice)) => {
                    format!("'--delete {twice}' is given twice; name each key once")
                }
                None => return Ok(()),
            }
        };
        Err(definition().error(ErrorKind::ValueValidation, message))
    }
}

impl PrintArgs {
    fn check(&self) -> Result<(), clap::Error> {
        let has_runbooks = matches!(self.file, PrintFile::Rules | PrintFile::IamUsersRules);
        if self.runbook_url.is_some() && !has_runbooks {
            return Err(conflict(
                "'--runbook-url' needs rules; the other files name no runbook",
            ));
        }
        if let Some(alert) = &self.alert
            && self.file != PrintFile::Runbook
        {
            return Err(conflict(format!(
                "'{alert}' needs a runbook; the other files take no name"
            )));
        }
        Ok(())
    }
}

fn conflict(message: impl std::fmt::Display) -> clap::Error {
    definition().error(ErrorKind::ArgumentConflict, message)
}

#[cfg(test)]
mod tests;
