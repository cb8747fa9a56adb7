//! `print`: files of the repository, as they were when this binary was built.

use std::process::ExitCode;

use super::args::{PrintArgs, PrintFile};
use super::output::{USAGE, print, shown};
use crate::advice::{RUNBOOKS, runbooks};

const CONFIG: &str = include_str!("../../config.toml");
const RULES: &str = include_str!("../../deploy/prometheus/aws-root-exporter.rules.yml");
const IAM_USERS_RULES: &str = include_str!("../../deploy/prometheus/aws-iam-users.rules.yml");
const ALERTMANAGER: &str = include_str!("../../deploy/alertmanager/alertmanager.yml");
const DASHBOARD: &str = include_str!("../../grafana/aws-root-exporter.json");

/// Prints the file unchanged, but for the URL of the runbooks.
pub(super) fn run(args: &PrintArgs) -> ExitCode {
    let file = match args.file {
        PrintFile::Config => CONFIG,
        PrintFile::Runbook => return runbook(args.alert.as_deref()),
        PrintFile::Rules => RULES,
        PrintFile::IamUsersRules => IAM_USERS_RULES,
        PrintFile::Alertmanager => ALERTMANAGER,
        PrintFile::Dashboard => DASHBOARD,
    };
    match &args.runbook_url {
        Some(base) => print(&file.replace(RUNBOOKS, &format!("{base}/"))),
        None => print(file),
    }
}

/// Prints the runbook of an alert, or the names of all.
fn runbook(alert: Option<&str>) -> ExitCode {
    let names: Vec<_> = runbooks::ALL.iter().map(|it| it.name).collect();
    let Some(alert) = alert else {
        return print(&(names.join("\n") + "\n"));
    };
    if let Some(runbook) = runbooks::find(alert) {
        return print(runbook.text);
    }
    eprintln!(
        "aws-root-exporter: print: there is no runbook {:?} (known: {})",
        shown(alert),
        names.join(", ")
    );
    ExitCode::from(USAGE)
}
