//! `healthcheck`: asks a running daemon whether it is healthy.

use std::process::ExitCode;

use super::USAGE;
use super::args::HealthcheckArgs;
use crate::config;
use crate::web::{self, ProbeUrl};

/// Exits with 0 when the daemon is healthy, else with 1 and the reason.
pub async fn run(arguments: HealthcheckArgs) -> ExitCode {
    let Some(url) = arguments.url.or_else(configured) else {
        eprintln!("aws-root-exporter: name the daemon's address with --url");
        return ExitCode::from(USAGE);
    };
    match web::probe(&url).await {
        Ok(health) => super::print(&format!("{health}\n")),
        Err(error) => {
            eprintln!("aws-root-exporter: {url}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn configured() -> Option<ProbeUrl> {
    let address = config::probed_address(std::env::vars_os())?;
    format!("http://{address}").parse().ok()
}
