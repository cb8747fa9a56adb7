//! `print`: the repository's own files, as this binary was built with them.

use std::process::ExitCode;

use super::args::PrintFile;

const CONFIG: &str = include_str!("../../config.toml");

/// Prints the file, byte for byte.
pub(super) fn run(file: PrintFile) -> ExitCode {
    match file {
        PrintFile::Config => super::print(CONFIG),
        PrintFile::Rules => super::not_built("print rules"),
        PrintFile::Alertmanager => super::not_built("print alertmanager"),
        PrintFile::Dashboard => super::not_built("print dashboard"),
    }
}
