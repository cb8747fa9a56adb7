//! `check`: polls every account once, or reads saved reports, and prints what is wrong.
//!
//! The exit code is an interface: 0 no finding of `--fail-on`, 1 a root key or a root user without
//! MFA, 3 something is unknown (1 wins over 3), 2 wrong usage or configuration. Whatever prevents a
//! judgement is 3, never 1.

mod checked;
mod control;
mod csv;
mod json;
mod junit;
mod live;
mod ocsf;
mod saved;
mod text;

use std::process::ExitCode;

use self::checked::{Checked, CheckedAccount, SAVE_AGAIN};
use self::saved::Saved;
use super::args::{CheckArgs, CheckFinding, CheckFormat};
use super::output::{USAGE, write};
use crate::clock::Clock;
use crate::config::Config;

pub(super) use self::live::account;
pub(super) use self::text::key_lines;

const CLEAN: u8 = 0;
const FOUND: u8 = 1;

/// Something is unknown, or the command itself failed.
pub(super) const UNKNOWN: u8 = 3;

/// Checks saved reports.
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
    let check =
        |saved: Saved| match CheckedAccount::in_report(&saved, arguments.max_age, config, &clock) {
            Ok(account) => Checked::Account(Box::new(account)),
            Err(why) => Checked::Unread {
                what: saved.file,
                why,
                next: SAVE_AGAIN,
                is_report: true,
            },
        };
    let checked = reports.into_iter().map(check).collect();
    report(arguments, checked, &clock)
}

/// Checks every account of the configuration.
pub(super) async fn accounts(arguments: &CheckArgs, config: &Config) -> ExitCode {
    let clock = Clock::system();
    let checked = live::accounts(config, &clock).await;
    report(arguments, checked, &clock)
}

/// Prints the results, the worst first, and returns the exit code.
fn report(arguments: &CheckArgs, mut checked: Vec<Checked>, clock: &Clock) -> ExitCode {
    let code = exit_code(&checked, &arguments.fail_on);
    let summary = text::summary(&checked);
    if arguments.only_findings {
        checked.retain(|checked| !checked.findings().is_empty());
    }
    checked.sort_by_key(|checked| {
        let findings = checked.findings();
        CheckFinding::ALL.map(|finding| !findings.contains(&finding))
    });
    let text = match arguments.format {
        CheckFormat::Table => text::print(&checked, &summary, clock.now()),
        CheckFormat::Json => json::print(&checked),
        CheckFormat::Csv => csv::print(&checked),
        CheckFormat::Ocsf => ocsf::print(&checked, arguments.only_findings, clock.now()),
        CheckFormat::Junit => junit::print(&checked, clock.now()),
    };
    if arguments.format != CheckFormat::Table {
        for checked in &checked {
            if let Checked::Unread { what, why, .. } = checked {
                eprintln!("aws-root-exporter: check: {what}: {why}");
            }
        }
    }
    match write(&text) {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            eprintln!("aws-root-exporter: check: cannot print: {error}");
            // A result that could not be printed is unknown to the caller.
            ExitCode::from(if code == CLEAN { UNKNOWN } else { code })
        }
    }
}

fn exit_code(checked: &[Checked], fail_on: &[CheckFinding]) -> u8 {
    let has = |finding| {
        fail_on.contains(&finding) && checked.iter().any(|it| it.findings().contains(&finding))
    };
    let severe = [
        CheckFinding::Active,
        CheckFinding::Present,
        CheckFinding::Mfa,
    ];
    if severe.into_iter().any(has) {
        FOUND
    } else if has(CheckFinding::Unknown) || checked.is_empty() {
        // Without an account nothing is known.
        UNKNOWN
    } else {
        CLEAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::Finding;

    #[test]
    fn the_findings_are_ordered_by_the_severity_of_their_alerts() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let rules = path.join("deploy/prometheus/aws-root-exporter.rules.yml");
        let rules = std::fs::read_to_string(rules).unwrap();
        let severities = CheckFinding::ALL.map(|finding| {
            let alert = match finding {
                CheckFinding::Active => Finding::KeyActive,
                CheckFinding::Mfa => Finding::NoMfa,
                CheckFinding::Present => Finding::KeyInactive,
                CheckFinding::Unknown => Finding::Unknown,
            };
            let alert = format!("alert: {}\n", alert.alert());
            let (_, rule) = rules.split_once(&alert).unwrap();
            let (_, severity) = rule.split_once("severity: ").unwrap();
            severity.lines().next().unwrap()
        });
        // "critical" is before "warning" in the alphabet, too.
        assert!(severities.is_sorted(), "{severities:?}");
        assert!(CheckFinding::ALL.is_sorted());
    }
}
