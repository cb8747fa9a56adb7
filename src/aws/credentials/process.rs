//! Ends a `credential_process` that takes too long, and whatever it started.
//!
//! The SDK runs it and keeps no handle of it. So each run carries a mark in its environment, which
//! all that it starts inherits; nothing without the mark is ever ended.

use std::sync::atomic::{AtomicU64, Ordering};

/// Ends the processes with its mark when it is dropped before [`Self::finished`].
pub(super) struct Run {
    mark: String,
}

impl Run {
    pub fn new() -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let (process, run) = (std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        Self {
            mark: format!("AWS_ROOT_EXPORTER_CREDENTIAL_PROCESS={process}-{run}-"),
        }
    }

    /// What goes before the command, for the shell that runs it.
    pub fn before(&self) -> String {
        if cfg!(target_os = "linux") {
            format!("export {}; ", self.mark)
        } else {
            String::new()
        }
    }

    /// The processes have ended by themselves.
    pub fn finished(mut self) {
        self.mark.clear();
    }
}

#[cfg(target_os = "linux")]
impl Drop for Run {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process};
        if self.mark.is_empty() {
            return;
        }
        let holds_mark = |path: std::path::PathBuf| {
            let mark = self.mark.as_bytes();
            let read = std::fs::read(path).unwrap_or_default();
            read.windows(mark.len()).any(|part| part == mark)
        };
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        for process in processes {
            let id = process.file_name().to_str().and_then(|id| id.parse().ok());
            let Some(id) = id.and_then(Pid::from_raw) else {
                continue;
            };
            // The shell has it in its command, what the shell runs in its environment. One that
            // has ended meanwhile is none of our concern.
            if ["cmdline", "environ"]
                .iter()
                .any(|file| holds_mark(process.path().join(file)))
            {
                let _ = kill_process(id, Signal::KILL);
            }
        }
    }
}
