//! `check`: one look at every account, or at saved reports, and what it comes to.
//!
//! The exit code is an interface: 0 nothing is found that `--fail-on` names, 1 a root key or a root
//! user without MFA is, 3 something could not be judged (1 wins over 3), 2 wrong usage or
//! configuration. Whatever keeps the command from judging is 3, never 1.

mod csv;
mod json;
pub(super) mod live;
mod saved;
mod seen;
mod table;

use std::process::ExitCode;

pub(super) use self::seen::Verdict;
use self::seen::{Checked, Seen};
pub(super) use self::table::{key_lines, shown};
use super::USAGE;
use super::args::{CheckArgs, CheckFinding, CheckFormat};
use crate::account::Partition;
use crate::clock::Clock;
use crate::config::Config;

const CLEAN: u8 = 0;
const FOUND: u8 = 1;

/// Something could not be judged, or the command itself failed.
pub(super) const UNJUDGED: u8 = 3;

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
        .map(|report| match report.open(partition, clock.now()) {
            Ok(opened) => Checked::Account(Box::new(Seen::in_report(
                &report.file,
                opened,
                arguments.max_age,
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

/// Prints what was seen, the worst first, and says by the exit code what it comes to.
fn tell(arguments: &CheckArgs, mut checked: Vec<Checked>, clock: &Clock) -> ExitCode {
    let code = judge(&checked, &arguments.fail_on);
    let all = table::Counts::of(&checked);
    if arguments.only_findings {
        checked.retain(|checked| !checked.findings().is_empty());
    }
    checked.sort_by_key(|checked| {
        let findings = checked.findings();
        CheckFinding::ALL.map(|finding| !findings.contains(&finding))
    });
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
            // What could not be printed is not reported.
            ExitCode::from(if code == CLEAN { UNJUDGED } else { code })
        }
    }
}

fn judge(checked: &[Checked], fail_on: &[CheckFinding]) -> u8 {
    let has = |finding: CheckFinding| {
        fail_on.contains(&finding) && checked.iter().any(|it| it.findings().contains(&finding))
    };
    if [
        CheckFinding::Active,
        CheckFinding::Mfa,
        CheckFinding::Present,
    ]
    .map(has)
    .contains(&true)
    {
        FOUND
    } else if has(CheckFinding::Unknown) || checked.is_empty() {
        // Nothing to judge is not the same as nothing found.
        UNJUDGED
    } else {
        CLEAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_an_alerting_rule_and_the_worst_is_first() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let rules = path.join("deploy/prometheus/aws-root-exporter.rules.yml");
        let rules = std::fs::read_to_string(rules).unwrap();
        let severities = CheckFinding::ALL.map(|finding| {
            let alert = match finding {
                CheckFinding::Active => "AWSRootAccessKeyActive",
                CheckFinding::Mfa => "AWSRootMFADisabled",
                CheckFinding::Present => "AWSRootAccessKeyPresent",
                CheckFinding::Unknown => "AWSRootPostureUnknown",
            };
            let (_, rule) = rules.split_once(&format!("alert: {alert}\n")).unwrap();
            let (_, severity) = rule.split_once("severity: ").unwrap();
            severity.lines().next().unwrap()
        });
        // "critical" is before "warning" in the alphabet, too.
        assert!(severities.is_sorted(), "{severities:?}");
        assert!(CheckFinding::ALL.is_sorted());
    }
}
