//! Ends a `credential_process` that takes too long, and whatever it started.
//!
//! The SDK runs it and keeps no handle of it. Each run carries a mark in its environment, which all
//! that it starts inherits. Nothing without the mark is ever ended.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many runs have not ended.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// The start of every mark of this process.
fn marks() -> String {
    format!(
        "AWS_ROOT_EXPORTER_CREDENTIAL_PROCESS={}-",
        std::process::id()
    )
}

/// Ends every `credential_process` that still runs. Call it when this process ends.
pub fn end_processes() {
    if RUNNING.load(Ordering::Relaxed) > 0 {
        end(&marks());
    }
}

/// One run. Dropped before [`Self::finished`], it ends the processes with its mark.
pub(super) struct Run {
    mark: String,
}

impl Run {
    pub fn new() -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        RUNNING.fetch_add(1, Ordering::Relaxed);
        Self {
            mark: format!("{}{run}-", marks()),
        }
    }

    /// The text to put before the command, for the shell that runs it.
    pub fn before(&self) -> String {
        if cfg!(target_os = "linux") {
            format!("export {}; ", self.mark)
        } else {
            String::new()
        }
    }

    /// Records that the processes have ended by themselves.
    pub fn finished(mut self) {
        self.mark.clear();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
        if !self.mark.is_empty() {
            end(&self.mark);
        }
    }
}

/// Ends all processes with this mark: the shell has it in its command line, and what the shell runs
/// in its environment.
#[cfg(target_os = "linux")]
fn end(mark: &str) {
    use rustix::process::{Pid, Signal, kill_process};
    let holds_mark = |path: std::path::PathBuf| {
        let read = std::fs::read(path).unwrap_or_default();
        read.windows(mark.len()).any(|part| part == mark.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let id = process.file_name().to_str().and_then(|id| id.parse().ok());
        let Some(id) = id.and_then(Pid::from_raw) else {
            continue;
        };
        let files = ["cmdline", "environ"];
        if files
            .iter()
            .any(|file| holds_mark(process.path().join(file)))
        {
            // One that has ended meanwhile is fine.
            let _ = kill_process(id, Signal::KILL);
        }
    }
}

/// Other systems have no marks.
#[cfg(not(target_os = "linux"))]
fn end(_: &str) {}
