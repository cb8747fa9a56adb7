//! Signals that end the process.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// How long after a signal the process ends, whatever hangs.
const END_WITHIN: Duration = Duration::from_millis(4_700);

/// Resolves to the name of the signal that ends the process. Listens from this call on.
///
/// # Errors
///
/// When the system does not let it listen.
pub(super) fn ended() -> io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Ends the process [`END_WITHIN`] a signal, from a thread of its own: a credentials file that hangs
/// blocks the thread on which the SDK reads it.
pub(super) fn end_in_time() {
    let watch = || {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            if let Ok(ended) = ended() {
                ended.await;
                tokio::time::sleep(END_WITHIN).await;
                eprintln!("aws-root-exporter: not everything stopped in time; exiting anyway");
                std::process::exit(0);
            }
        });
    };
    // Without the thread a signal still ends the process, unless something hangs.
    let _ = thread::Builder::new().name("end".to_owned()).spawn(watch);
}
