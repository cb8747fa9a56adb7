//! The commands, a file each: they wire the other rooms together and decide nothing themselves.

pub mod args;
mod check;
mod demo;
mod healthcheck;
mod log;
mod machine;
mod policy;
mod preflight;
mod print;
mod reload;
mod remediate;
mod serve;
mod supervise;

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;

use self::args::{Command, HealthcheckArgs, Invocation, reference};
use self::machine::Here;
use crate::config::{self, Config, ConfigErrors, Misnamed};

/// It could not start, or do what it is for.
const FAILED: u8 = 1;

/// Wrong usage or configuration.
const USAGE: u8 = 2;

/// Does what the command line asks for.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let invocation = match args::parse(arguments) {
        Ok(invocation) => invocation,
        Err(error) => error.exit(),
    };
    let machine = Here::new(invocation.command.asks_aws());
    match &invocation.command {
        Command::Serve => match load(&invocation, &machine) {
            Ok(config) => {
                let again = invocation.clone();
                let load = Arc::new(move || load(&again, &machine));
                let log = config.log.clone();
                daemon(&log, FAILED, serve::run(config, load, None))
            }
            Err(errors) => refuse(&errors, errors.exit_code()),
        },
        Command::CheckConfig { online } => check_config(&invocation, &machine, *online),
        Command::Demo(demo) => {
            match config::parse(None, std::env::vars_os(), &invocation.overrides, &()) {
                Ok(config) => {
                    let log = config.log.clone();
                    daemon(&log, FAILED, demo::run(config, demo.clone()))
                }
                Err(errors) => refuse(&errors, errors.exit_code()),
            }
        }
        Command::Check(check) => match load(&invocation, &machine) {
            Ok(config) if !check.reports.is_empty() => check::saved_reports(check, &config),
            Ok(config) => daemon(
                &quiet(&invocation, &config),
                check::UNJUDGED,
                check::accounts(check, &config),
            ),
            Err(errors) => refuse(&errors, USAGE),
        },
        Command::Policy(policy) => match load(&invocation, &machine) {
            Ok(config) => policy::run(policy, &config),
            Err(errors) => refuse(&errors, USAGE),
        },
        Command::Remediate(arguments) => match load(&invocation, &machine) {
            Ok(config) => {
                let log = config.log.clone();
                daemon(&log, FAILED, async move {
                    remediate::run(arguments, &config).await
                })
            }
            Err(errors) => refuse(&errors, USAGE),
        },
        Command::Healthcheck(HealthcheckArgs { url: Some(url) }) => {
            on_runtime(FAILED, healthcheck::run(url.clone()))
        }
        Command::Healthcheck(HealthcheckArgs { url: None }) => {
            match load_for_probe(&invocation, &machine) {
                Ok(config) => match healthcheck::url(&config) {
                    Ok(url) => on_runtime(FAILED, healthcheck::run(url)),
                    Err(code) => code,
                },
                Err(errors) => refuse(&errors, USAGE),
            }
        }
        Command::Print(print) => print::run(print),
        Command::Completions(shell) => print(&reference::completions(*shell)),
        Command::Man(command) => {
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
    }
}

fn load(invocation: &Invocation, machine: &Here) -> Result<Config, ConfigErrors> {
    config::load(
        invocation.config_file.as_deref(),
        std::env::vars_os(),
        &invocation.overrides,
        machine,
    )
}

/// As [`load`], but a file that is not good, on which a daemon would run on with what it has, does
/// not hide the address for probes where the environment or a flag says it: these beat the file.
fn load_for_probe(invocation: &Invocation, machine: &Here) -> Result<Config, ConfigErrors> {
    load(invocation, machine).or_else(|errors| {
        let beside = config::parse(None, std::env::vars_os(), &invocation.overrides, &());
        let is_named = |config: &Config| config.web.health_listen_address.is_some();
        beside.ok().filter(is_named).ok_or(errors)
    })
}

fn check_config(invocation: &Invocation, machine: &Here, online: bool) -> ExitCode {
    for misnamed in config::misnamed(std::env::vars_os()) {
        eprintln!("warning: {misnamed}");
    }
    match load(invocation, machine) {
        // The sources' own warnings are in the table; the log would say them twice.
        Ok(config) if online => on_runtime(FAILED, preflight::run(config)),
        Ok(config) => {
            if let Err(error) = serve::open_web_config(&config) {
                eprintln!("{error}");
                return ExitCode::from(USAGE);
            }
            let wrong = Here::wrong_reach(&config);
            if !wrong.is_empty() {
                eprintln!("{}", wrong.join("\n"));
                return ExitCode::from(USAGE);
            }
            if let Some(problem) = Here::wrong_bundle(&config) {
                eprintln!("warning: {problem}; make sure that it is there where the exporter runs");
            }
            let file = config
                .source_file
                .as_ref()
                .map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
            println!("the configuration is good ({file})");
            let config::Aws {
                region,
                region_from,
                ..
            } = &config.aws;
            println!("Region {region} ({region_from})");
            ExitCode::SUCCESS
        }
        Err(errors) => refuse(&errors, USAGE),
    }
}

fn refuse(errors: &ConfigErrors, code: u8) -> ExitCode {
    eprintln!("{errors}");
    ExitCode::from(code)
}

/// Prints a command's answer, and says by the exit code whether that worked.
fn print(text: &str) -> ExitCode {
    match write(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aws-root-exporter: cannot print: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output, in colour on a terminal that wants it (`NO_COLOR`). Who reads and
/// leaves early has seen enough.
fn write(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A command says what it found by itself; its log says more only to who asks for it.
fn quiet(invocation: &Invocation, config: &Config) -> config::Log {
    match invocation.overrides.log_level {
        Some(_) => config.log.clone(),
        None => config::Log {
            level: tracing::Level::ERROR,
            ..config.log.clone()
        },
    }
}

/// Runs a daemon or a command on the runtime of the process. `failed` is the exit code when that
/// cannot start.
fn daemon(log: &config::Log, failed: u8, daemon: impl Future<Output = ExitCode>) -> ExitCode {
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
    on_runtime(failed, daemon)
}

/// Runs to the end on the runtime of the process.
fn on_runtime(failed: u8, task: impl Future<Output = ExitCode>) -> ExitCode {
    // tokio panics where the system gives it no thread.
    let runtime = std::panic::catch_unwind(runtime)
        .unwrap_or_else(|_| Err(io::Error::other("the system gives no thread")));
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("aws-root-exporter: cannot start its threads: {error}");
            return ExitCode::from(failed);
        }
    };
    let exit = runtime.block_on(task);
    crate::aws::end_processes();
    // A thread that hangs on a disk must not keep the process from ending.
    runtime.shutdown_background();
    exit
}

/// A runtime with one thread, beside those for what blocks: thousands of accounts take a sliver
/// of a core, and two threads would wake each other up for each call.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
}
