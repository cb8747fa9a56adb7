//! What is logged, and how.
//!
//! Only the events of this program's own crates. At its lower levels the AWS SDK writes out requests and
//! answers, with the credentials and external ids in them; no setting of ours turns that on.

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// The target of audit lines, which are written whatever the level.
pub const AUDIT: &str = "audit";

/// Sends what is logged to standard error.
///
/// # Errors
///
/// When something else in this process has already decided where logs go.
pub fn init(log: &Log) -> Result<(), TryInitError> {
    let subscriber = tracing_subscriber::registry().with(filter(log.level));
    match log.format {
        LogFormat::Logfmt => subscriber
            .with(
                tracing_logfmt::builder()
                    .layer()
                    .with_writer(std::io::stderr),
            )
            .try_init(),
        LogFormat::Json => subscriber
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    }
}

fn filter(level: Level) -> EnvFilter {
    let level = level.as_str().to_ascii_lowercase();
    EnvFilter::new(format!(
        "error,aws_root_exporter={level},exporter_toolkit={level},{AUDIT}=info"
    ))
}
