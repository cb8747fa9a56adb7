//! Logging to standard error.
//!
//! Only events of this program's own crates are logged. At its lower levels the AWS SDK logs requests and
//! responses with credentials and external ids in them; no setting turns that on.

use std::fmt;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, UtcTime};
use tracing_subscriber::fmt::{FmtContext, Layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// The target of audit lines, which are written whatever the level.
pub const AUDIT: &str = "audit";

/// RFC 3339, to the millisecond.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

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
    // Modules are for those who read the code, too.
    let has_modules = log.level > Level::INFO;
    let subscriber = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Logfmt => subscriber
            .with(
                tracing_logfmt::builder()
                    .with_timestamp(false)
                    .with_target(has_modules)
                    .layer()
                    .map_event_format(Timed)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
        LogFormat::Json => subscriber
            .with(
                Layer::new()
                    .json()
                    .flatten_event(true)
                    .with_timer(UtcTime::new(TIME))
                    .with_target(has_modules)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    }
}

/// Lines of logfmt with the time first, which the formatter itself writes to the nanosecond.
struct Timed<F>(F);

impl<S, N, F> FormatEvent<S, N> for Timed<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("ts=")?;
        UtcTime::new(TIME).format_time(&mut writer)?;
        writer.write_char(' ')?;
        self.0.format_event(context, writer, event)
    }
}
