//! `print`: the repository's own files, as this binary was built with them.

use std::process::ExitCode;

use super::args::PrintFile;

const CONFIG: &str = include_str!("../../config.toml");
const RULES: &str = include_str!("../../deploy/prometheus/aws-root-exporter.rules.yml");
const ALERTMANAGER: &str = include_str!("../../deploy/alertmanager/alertmanager.yml");
const DASHBOARD: &str = include_str!("../../grafana/aws-root-exporter.json");

/// Prints the file, byte for byte.
pub(super) fn run(file: PrintFile) -> ExitCode {
    super::print(match file {
        PrintFile::Config => CONFIG,
        PrintFile::Rules => RULES,
        PrintFile::Alertmanager => ALERTMANAGER,
        PrintFile::Dashboard => DASHBOARD,
    })
}
