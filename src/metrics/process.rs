//! The exporter's own process, as Linux reports it in `/proc`. On other systems nothing is known.

/// The state of this process at the time of a scrape.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "nothing makes one there")
)]
pub(super) struct ProcessStats {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
    pub open_fds: Option<u64>,
    pub max_fds: Option<u64>,
    pub start_seconds: Option<f64>,
    pub threads: i64,
}

impl ProcessStats {
    /// Reads `/proc`. `None` where it cannot be read.
    #[cfg(target_os = "linux")]
    pub fn read() -> Option<Self> {
        use procfs::process::{LimitValue, Process};
        use std::sync::OnceLock;
        use std::time::Duration;

        // Linux derives the time of boot from the wall clock at each read; read once, it cannot make
        // the process look restarted.
        static BOOTED: OnceLock<Option<u64>> = OnceLock::new();

        let ticks = |ticks: u64| {
            let millis = ticks.saturating_mul(1000) / procfs::ticks_per_second().max(1);
            Duration::from_millis(millis)
        };
        let process = Process::myself().ok()?;
        let stat = process.stat().ok()?;
        let booted = BOOTED.get_or_init(|| procfs::boot_time_secs().ok());
        let max_fds = process.limits().ok().map(|it| it.max_open_files.soft_limit);
        Some(Self {
            cpu_seconds: ticks(stat.utime.saturating_add(stat.stime)).as_secs_f64(),
            resident_bytes: stat.rss.saturating_mul(procfs::page_size()),
            virtual_bytes: stat.vsize,
            open_fds: process.fd_count().ok().and_then(|fds| fds.try_into().ok()),
            max_fds: max_fds.and_then(|limit| match limit {
                LimitValue::Value(most) => Some(most),
                LimitValue::Unlimited => None,
            }),
            start_seconds: booted
                .map(|booted| (Duration::from_secs(booted) + ticks(stat.starttime)).as_secs_f64()),
            threads: stat.num_threads,
        })
    }

    /// Nothing is known of the process on this system.
    #[cfg(not(target_os = "linux"))]
    pub fn read() -> Option<Self> {
        None
    }
}
