//! `print`: the repository's own files, as this binary was built with them.

use std::process::ExitCode;

use super::args::{PrintArgs, PrintFile};

const CONFIG: &str = include_str!("../../config.toml");
const RULES: &str = include_str!("../../deploy/prometheus/aws-root-exporter.rules.yml");
const IAM_USERS_RULES: &str = include_str!("../../deploy/prometheus/aws-iam-users.rules.yml");
const ALERTMANAGER: &str = include_str!("../../deploy/alertmanager/alertmanager.yml");
const DASHBOARD: &str = include_str!("../../grafana/aws-root-exporter.json");

/// What stands before the name of each runbook in the rules.
const RUNBOOKS: &str =
    "https://github.com/aws-root-exporter/aws-root-exporter/blob/main/deploy/runbooks/";

/// Prints the file, byte for byte but for the place of the runbooks.
pub(super) fn run(args: &PrintArgs) -> ExitCode {
    let file = match args.file {
        PrintFile::Config => CONFIG,
        PrintFile::Rules => RULES,
        PrintFile::IamUsersRules => IAM_USERS_RULES,
        PrintFile::Alertmanager => ALERTMANAGER,
        PrintFile::Dashboard => DASHBOARD,
    };
    match &args.runbook_url {
        Some(base) => super::print(&file.replace(RUNBOOKS, &format!("{base}/"))),
        None => super::print(file),
    }
}
