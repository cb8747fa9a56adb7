//! `healthcheck`: asks a running daemon whether it is healthy.

use std::process::ExitCode;

use super::args::HealthcheckArgs;
use crate::web;

/// Exits with 0 when the daemon is healthy, else with 1 and the reason.
pub async fn run(arguments: HealthcheckArgs) -> ExitCode {
    match web::probe(&arguments.url).await {
        Ok(health) => super::print(&format!("{health}\n")),
        Err(error) => {
            eprintln!("aws-root-exporter: {}: {error}", arguments.url);
            ExitCode::FAILURE
        }
    }
}
