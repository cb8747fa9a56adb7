//! Logging to standard error.
//!
//! Only events of this program's own crates are logged. At its lower levels the AWS SDK logs requests and
//! responses with credentials and external ids in them; no setting turns that on.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// The target of audit lines, which are written whatever the level.
pub const AUDIT: &str = "audit";

/// Starts to log.
///
/// # Errors
///
/// Something else in this process has set up logging already.
pub fn init(log: &Log) -> Result<(), TryInitError> {
    let level = log.level.as_str().to_ascii_lowercase();
    let filter = EnvFilter::new(format!(
        "error,aws_root_exporter={level},exporter_toolkit={level},{AUDIT}=info"
    ));
    let subscriber = tracing_subscriber::registry().with(filter);
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
