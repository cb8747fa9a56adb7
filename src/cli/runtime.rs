//! The runtimes that commands run on.

use std::io;
use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

/// Runs a task to its end. `failed` is the exit code when no runtime can start.
pub(super) fn run(failed: u8, task: impl Future<Output = ExitCode>) -> ExitCode {
    // tokio panics where the system gives it no thread.
    let runtime = std::panic::catch_unwind(new)
        .unwrap_or_else(|_| Err(io::Error::other("the system gives no thread")));
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("aws-root-exporter: cannot start its threads: {error}");
            return ExitCode::from(failed);
        }
    };
    let exit = runtime.block_on(task);
    crate::aws::end_processes();
    // A thread that hangs on a disk must not keep the process from ending.
    runtime.shutdown_background();
    exit
}

/// A runtime with one thread, beside those for blocking work: thousands of accounts take a fraction
/// of one core, and two threads would wake each other up for each call.
pub(super) fn new() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
}
