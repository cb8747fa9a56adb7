//! The commands, one file each: they connect the other parts of the program and make no decision
//! that belongs to one of them.

mod accounts;
pub mod args;
mod check;
mod demo;
mod healthcheck;
mod log;
mod machine;
mod output;
mod policy;
mod preflight;
mod print;
mod reload;
mod remediate;
mod runtime;
mod serve;
mod signals;
mod supervise;
mod table;
mod usage;
mod wire;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use self::args::{Command, Invocation, reference};
use self::machine::Here;
use self::output::{FAILED, USAGE, print};
use crate::clock::Clock;
use crate::config::{self, Config, ConfigErrors, Misnamed};

/// Runs the command of the command line.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let invocation = match args::parse(arguments) {
        Ok(invocation) => invocation,
        Err(error) => error.exit(),
    };
    let machine = Here::new(invocation.command.asks_aws());
    command(invocation, machine).unwrap_or_else(|code| code)
}

/// Runs a command. The error is the exit code after the configuration was refused.
fn command(invocation: Invocation, machine: Here) -> Result<ExitCode, ExitCode> {
    let refused = |errors: &ConfigErrors, code| {
        eprintln!("{errors}");
        ExitCode::from(code)
    };
    let usage = |errors| refused(&errors, USAGE);
    let of_daemon = |errors: ConfigErrors| refused(&errors, errors.exit_code());
    let config = || load(&invocation, &machine).map_err(usage);
    Ok(match &invocation.command {
        Command::Serve(serve) if serve.check => {
            for misnamed in config::misnamed(std::env::vars_os()) {
                eprintln!("warning: {misnamed}");
            }
            let config = config()?;
            if serve.online {
                // The table shows the warnings of the sources, so nothing is logged.
                runtime::run(FAILED, preflight::run(config))
            } else {
                check_config(&config)
            }
        }
        Command::Serve(_) => {
            let config = load(&invocation, &machine).map_err(of_daemon)?;
            let load = Arc::new(move || load(&invocation, &machine));
            logged(&config.log.clone(), FAILED, serve::run(config, load, None))
        }
        Command::Demo(demo) => {
            let config = load_without_file(&invocation).map_err(of_daemon)?;
            let log = config.log.clone();
            logged(&log, FAILED, demo::run(config, demo.clone()))
        }
        Command::Check(check) => {
            let config = config()?;
            if check.reports.is_empty() {
                let mut log = config.log.clone();
                // The command prints its findings; its log adds to them only with --log.level.
                if invocation.overrides.log_level.is_none() {
                    log.level = tracing::Level::ERROR;
                }
                logged(&log, check::UNKNOWN, check::accounts(check, &config))
            } else {
                check::saved_reports(check, &config)
            }
        }
        Command::Policy(policy) => policy::run(policy, &config()?),
        Command::Remediate(arguments) => {
            let config = config()?;
            logged(&config.log, FAILED, remediate::run(arguments, &config))
        }
        Command::Healthcheck(healthcheck) => {
            let url = if let Some(url) = &healthcheck.url {
                url.clone()
            } else {
                healthcheck::url(&load_for_probe(&invocation, &machine).map_err(usage)?)?
            };
            runtime::run(FAILED, healthcheck::run(url))
        }
        Command::Print(arguments) => print::run(arguments),
        Command::Completions { shell } => print(&reference::completions(*shell)),
        Command::Man { command } => {
            if let Some(page) = reference::man(command.as_deref()) {
                print(&page)
            } else {
                eprintln!(
                    "aws-root-exporter: man: there is no such command; `aws-root-exporter --help` \
                     lists them"
                );
                ExitCode::from(USAGE)
            }
        }
    })
}

fn load(invocation: &Invocation, machine: &Here) -> Result<Config, ConfigErrors> {
    config::load(
        invocation.config_file.as_deref(),
        std::env::vars_os(),
        &invocation.overrides,
        machine,
    )
}

fn load_without_file(invocation: &Invocation) -> Result<Config, ConfigErrors> {
    config::parse(None, std::env::vars_os(), &invocation.overrides, &())
}

/// As [`load`], but a wrong file, which a running daemon does not adopt, does not hide the address
/// for probes that the environment or a flag names: these override the file.
fn load_for_probe(invocation: &Invocation, machine: &Here) -> Result<Config, ConfigErrors> {
    load(invocation, machine).or_else(|errors| {
        let is_named = |config: &Config| config.web.health_listen_address.is_some();
        let config = load_without_file(invocation).ok();
        config.filter(is_named).ok_or(errors)
    })
}

/// Prints whether the daemon would accept the configuration.
fn check_config(config: &Config) -> ExitCode {
    if let Err(error) = wire::web_config(config) {
        eprintln!("{error}");
        return ExitCode::from(USAGE);
    }
    let wrong = machine::wrong_reach(config);
    if !wrong.is_empty() {
        eprintln!("{}", wrong.join("\n"));
        return ExitCode::from(USAGE);
    }
    if let Some(problem) = crate::aws::machine::wrong_bundle(config.aws.profile.as_deref()) {
        eprintln!("warning: {problem}; make sure that it exists where the exporter runs");
    }
    let file = match &config.source_file {
        Some(file) => file.display().to_string(),
        None => "no file".to_owned(),
    };
    for (account, exception) in config.ended_exceptions(Clock::system().now()) {
        let (key, until) = (&exception.key, exception.until);
        eprintln!(
            "warning: the exception for key {key} of account {account} ended with {until}: the key is \
             reported again; delete the key, then the exception"
        );
    }
    let (region, from) = (&config.aws.region, &config.aws.region_from);
    print(&format!(
        "the configuration is good ({file})\nRegion {region} ({from})\n"
    ))
}

/// Runs a daemon or a command with its log. `failed` is the exit code when it cannot start.
fn logged(log: &config::Log, failed: u8, task: impl Future<Output = ExitCode>) -> ExitCode {
    if let Err(error) = log::init(log) {
        eprintln!("aws-root-exporter: cannot log: {error}");
        return ExitCode::from(failed);
    }
    for Misnamed { name, meant } in config::misnamed(std::env::vars_os()) {
        tracing::warn!(
            variable = name,
            did_you_mean = meant,
            "a variable of the environment that resembles a setting is ignored"
        );
    }
    runtime::run(failed, task)
}
