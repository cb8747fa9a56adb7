//! `aws-root-exporter`: arguments to command, outcome to exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    aws_root_exporter::cli::run(std::env::args_os())
}
