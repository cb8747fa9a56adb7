//! The command line: every command and flag, and which go together. What a command does is not
//! decided here, and neither is any default of the configuration: flags that belong to it are
//! handed to [`crate::config`] as [`Overrides`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use root_posture::AccessKeyId;

use crate::account::AccountId;
use crate::build::{RUSTC, VERSION, revision};
use crate::config::{BaseUrl, LOG_FORMATS, LOG_LEVELS, Overrides, parse_duration};
use crate::web::ProbeUrl;

use self::daemon::{PlaceArgs, ServeArgs, WebArgs};

mod daemon;
mod examples;
pub mod reference;
mod values;

static LONG_VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{VERSION} (revision {}, rustc {RUSTC})", revision()));

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

impl Command {
    /// Whether it goes on to ask AWS, so that it may ask the instance for its Region before.
    pub(super) fn asks_aws(&self) -> bool {
        match self {
            Self::Serve | Self::CheckConfig { online: true } | Self::Remediate(_) => true,
            Self::Check(check) => check.reports.is_empty(),
            _ => false,
        }
    }
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
    let cli = Cli::from_arg_matches(&matches)?;
    cli.judge()
}

/// The command line as clap knows it. A flag of all commands is not in the help of one that has no
/// use for it; clap still takes it there, so that it can be refused in words.
fn definition() -> clap::Command {
    let mut program = Cli::command();
    let useless = |command: &str| -> &[&str] {
        match command {
            "demo" => &["config_file"],
            "policy" | "healthcheck" => &["log_level", "log_format"],
            "print" | "completions" | "man" => &["config_file", "log_level", "log_format"],
            _ => &[],
        }
    };
    let global: Vec<clap::Arg> = program.get_arguments().cloned().collect();
    for subcommand in program.get_subcommands_mut() {
        for id in useless(subcommand.get_name()) {
            let hidden = global.iter().find(|arg| arg.get_id() == id).cloned();
            *subcommand = subcommand.clone().args(hidden.map(|arg| arg.hide(true)));
        }
    }
    program
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
    /// Exits with 0 when nothing is found that --fail-on names, 1 when a root key or a root user
    /// without MFA is, 3 when something could not be judged or a saved report is too old, 2 for wrong
    /// usage or configuration. 1 wins over 3. What is worst is printed first.
    ///
    /// A saved report counts as of the time it was made. A CSV does not say when that was: then
    /// the time at which its file was last changed counts; what comes through a pipe counts as made
    /// now.
    #[command(after_help = examples::CHECK)]
    Check(CheckArgs),
    /// Print the least-privilege policy or template that this configuration needs.
    ///
    /// AWS is not asked. The external ids of the configuration are part of what audit-role and
    /// stackset print. What hub and remediate print is shortened where many accounts have a role of
    /// one name, and is a list of policies where one would be longer than IAM takes (6,144
    /// characters).
    #[command(after_help = examples::POLICY)]
    Policy(PolicyArgs),
    /// Show which root keys an account has and, when told to, delete them.
    ///
    /// Asks AWS afresh, through a root session of the organization (sts:AssumeRoot), and changes
    /// nothing unless both --delete and --confirm are given. Each step has an audit line on standard
    /// error, whatever the log level, and each deletion is verified by another list. For the
    /// management account, and where there are no root sessions, it prints how to do it in the
    /// console.
    ///
    /// Exits with 0 when it showed what there is, had nothing to do, or deleted and verified each key
    /// that was named; 1 when none was deleted; 3 when all were deleted and not each is verified; 4
    /// when some were deleted and others not; 2 for wrong usage or configuration.
    #[command(after_help = examples::REMEDIATE)]
    Remediate(RemediateArgs),
    /// Ask a running daemon whether it is healthy; exits with 0 or 1.
    ///
    /// Asks the address that the daemon listens on by the same file, environment and flags: the one
    /// for probes where there is one, else the first. Exits with 2 for wrong usage or configuration.
    #[command(after_help = examples::HEALTHCHECK)]
    Healthcheck(HealthcheckCommand),
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
            Self::Serve(_)
            | Self::Check(_)
            | Self::Policy(_)
            | Self::Remediate(_)
            | Self::Healthcheck(_) => true,
            Self::Demo(_) | Self::Print(_) | Self::Completions { .. } | Self::Man { .. } => false,
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
            Self::Healthcheck(healthcheck) => (before.web.place.given(), healthcheck.place.given()),
            _ => (Vec::new(), Vec::new()),
        };
        let given = before.given();
        if let Some(flag) = given.iter().find(|flag| !taken.contains(flag)) {
            return Err(conflict(format!(
                "'{flag}' is a flag of the daemon; '{name}' does not take it"
            )));
        }
        if let Some(flag) = taken
            .iter()
            .find(|flag| given.contains(flag) && after.contains(flag))
        {
            return Err(conflict(format!(
                "'{flag}' is given both before and after '{name}'; give it once"
            )));
        }
        if let Self::Healthcheck(HealthcheckCommand { asked, place }) = self
            && asked.url.is_some()
            && let Some(flag) = named([(global.config_file.is_some(), "--config.file")])
                .chain(before.web.place.given())
                .chain(place.given())
                .next()
        {
            return Err(conflict(format!(
                "'--url' and '{flag}' both say what to ask; give one of them"
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
    /// A saved report instead of the configured accounts: the CSV itself, its base64, or what
    /// `aws iam get-credential-report` prints as JSON, YAML or text; - is standard input; may be
    /// given again.
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
    /// How old a saved report may be; of an older one only keys and missing MFA count.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration,
        requires = "reports")]
    pub max_age: Duration,
    /// What is not to exit with 0, separated by commas.
    #[arg(long, value_name = "FINDING", value_enum, value_delimiter = ',',
        default_values_t = CheckFinding::ALL)]
    pub fail_on: Vec<CheckFinding>,
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

/// What `check` can find, the worst first by the severities of the alerting rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum CheckFinding {
    /// A root access key is active.
    Active,
    /// The root user has no MFA, and may have a password.
    Mfa,
    /// A root access key exists, active or not.
    Present,
    /// Something could not be judged.
    Unknown,
}

impl CheckFinding {
    /// All of them: each has an alerting rule.
    pub const ALL: [Self; 4] = [Self::Active, Self::Mfa, Self::Present, Self::Unknown];
}

/// `policy`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct PolicyArgs {
    /// Which policy or template.
    #[arg(value_enum)]
    pub kind: PolicyKind,
    /// The ARN of the role that the exporter runs as, for whom the audit role trusts [default:
    /// left to fill in].
    #[arg(long, value_name = "ARN", value_parser = values::role_arn)]
    pub hub: Option<String>,
    /// The organization's id, o-..., for the conditions [default: the caller's own
    /// organization, where a policy can say so].
    #[arg(long, value_name = "ID", value_parser = values::organization_id)]
    pub organization: Option<String>,
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

/// The default of `remediate --unused-for`.
pub const UNUSED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// `remediate`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct RemediateArgs {
    /// The account whose root keys are shown.
    #[arg(long, value_name = "ID")]
    pub account: AccountId,
    /// Delete this key, active or not, which must be one of those that are shown; may be given
    /// again; needs --confirm [default: none].
    #[arg(long, value_name = "KEY", requires = "confirm")]
    pub delete: Vec<AccessKeyId>,
    /// The account's id once more, for --delete.
    #[arg(long, value_name = "ID", requires = "delete")]
    pub confirm: Option<AccountId>,
    /// Where the audit lines of --delete are added as JSON too [default: none].
    #[arg(long, value_name = "FILE", requires = "delete")]
    pub audit_file: Option<PathBuf>,
    /// How long a key must have been unused to be deleted; one that was never used counts from its
    /// creation.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
    pub unused_for: Duration,
    /// Delete a key that was used or created lately, too [default: off].
    #[arg(long)]
    pub even_if_used: bool,
}

/// `healthcheck`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct HealthcheckArgs {
    /// What to ask; without a path, /-/healthy [default: by the configuration].
    #[arg(long)]
    pub url: Option<ProbeUrl>,
}

#[derive(Debug, Args)]
struct HealthcheckCommand {
    #[command(flatten)]
    asked: HealthcheckArgs,
    #[command(flatten)]
    place: PlaceArgs,
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
            Some(CliCommand::Healthcheck(healthcheck)) => {
                healthcheck.place.apply(&mut overrides);
                Command::Healthcheck(healthcheck.asked)
            }
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

impl RemediateArgs {
    /// What is named twice is there to catch a slip of the hand: the account must agree, the keys
    /// must differ.
    fn confirmed(self) -> Result<Command, clap::Error> {
        let wrong = |message| Err(definition().error(ErrorKind::ValueValidation, message));
        let account = self.account;
        if let Some(confirm) = self.confirm.filter(|confirm| *confirm != account) {
            return wrong(format!(
                "'--confirm {confirm}' is not '--account {account}'; name the same account twice"
            ));
        }
        let mut keys = self.delete.iter().enumerate();
        if let Some((_, twice)) = keys.find(|(at, key)| self.delete[..*at].contains(key)) {
            return wrong(format!(
                "'--delete {twice}' is given twice; name each key once"
            ));
        }
        Ok(Command::Remediate(self))
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
    definition().error(ErrorKind::ArgumentConflict, message)
}

#[cfg(test)]
mod tests;
