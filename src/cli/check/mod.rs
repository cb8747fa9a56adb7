//! `check`: one look at every account, or at saved reports, and what it comes to.
//!
//! The exit code is an interface: 0 no root key anywhere, 1 there is one somewhere, 3 something
//! could not be judged (1 wins over 3), 2 wrong usage or configuration.

mod csv;
mod json;
pub(super) mod live;
mod saved;
mod seen;
mod table;

use std::process::ExitCode;

use self::seen::{Checked, Seen, Verdict};
pub(super) use self::table::shown;
use super::USAGE;
use super::args::{CheckArgs, CheckFormat};
use crate::account::Partition;
use crate::clock::Clock;
use crate::config::Config;

const CLEAN: u8 = 0;
const FOUND: u8 = 1;
const UNJUDGED: u8 = 3;

/// Looks at the saved reports and says what is found.
pub(super) fn saved_reports(arguments: &CheckArgs, config: &Config) -> ExitCode {
    let clock = Clock::system();
    let reports = match saved::read(&arguments.reports) {
        Ok(reports) => reports,
        Err(errors) => {
            for error in errors {
                eprintln!("aws-root-exporter: check {error}");
            }
            return ExitCode::from(USAGE);
        }
    };
    let partition = Partition::of_region(&config.aws.region);
    let checked = reports
        .into_iter()
        .map(|report| match report.open(partition) {
            Ok(opened) => Checked::Account(Box::new(Seen::in_report(
                &report.file,
                opened,
                config,
                &clock,
            ))),
            Err(why) => Checked::torn(report.file, why),
        })
        .collect();
    tell(arguments, checked, &clock)
}

/// Looks at every account and says what is found.
pub(super) async fn accounts(arguments: &CheckArgs, config: &Config) -> ExitCode {
    let clock = Clock::system();
    let checked = live::look(config, &clock).await;
    tell(arguments, checked, &clock)
}

/// Prints what was seen, and says by the exit code what it comes to.
fn tell(arguments: &CheckArgs, mut checked: Vec<Checked>, clock: &Clock) -> ExitCode {
    let code = judge(&checked);
    let all = table::Counts::of(&checked);
    if arguments.only_findings {
        checked.retain(|checked| checked.verdict() != Verdict::Clean);
    }
    let text = match arguments.format {
        CheckFormat::Table => table::print(&checked, all, clock.now()),
        CheckFormat::Json => json::print(&checked),
        CheckFormat::Csv => csv::print(&checked),
    };
    if arguments.format != CheckFormat::Table {
        for checked in &checked {
            if let Checked::Unread { what, why, .. } = checked {
                eprintln!("aws-root-exporter: check: {what}: {why}");
            }
        }
    }
    match super::write(&text) {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            eprintln!("aws-root-exporter: check: cannot print: {error}");
            // What nobody could read was not told.
            ExitCode::from(if code == CLEAN { UNJUDGED } else { code })
        }
    }
}

fn judge(checked: &[Checked]) -> u8 {
    match checked.iter().map(Checked::verdict).max() {
        Some(Verdict::Found { .. }) => FOUND,
        // Nothing to judge is not the same as nothing found.
        Some(Verdict::Unknown) | None => UNJUDGED,
        Some(Verdict::Clean) => CLEAN,
    }
}
