//! The exporter's process, as Linux tells of it. On other systems these families are absent.

use super::facts::Facts;
use super::family::{Family, Kind, Samples, Section, Series, Stability, Unit};

/// What the system says of this process.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "nothing makes one there")
)]
pub(super) struct ProcessFigures {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_fds: Option<u64>,
    max_fds: Option<u64>,
    start_seconds: Option<f64>,
    threads: i64,
}

impl ProcessFigures {
    /// Asks the system. `None` where it does not say.
    #[cfg(target_os = "linux")]
    pub fn read() -> Option<Self> {
        use procfs::process::{LimitValue, Process};
        use std::sync::OnceLock;
        use std::time::Duration;

        // Linux derives the time of boot from the wall clock each time it is asked; asked once, it
        // cannot make the process look restarted.
        static BOOTED: OnceLock<Option<u64>> = OnceLock::new();

        let ticks = |ticks: u64| {
            let millis = ticks.saturating_mul(1000) / procfs::ticks_per_second().max(1);
            Duration::from_millis(millis)
        };
        let process = Process::myself().ok()?;
        let stat = process.stat().ok()?;
        let booted = BOOTED.get_or_init(|| procfs::boot_time_secs().ok());
        Some(Self {
            cpu_seconds: ticks(stat.utime.saturating_add(stat.stime)).as_secs_f64(),
            resident_bytes: stat.rss.saturating_mul(procfs::page_size()),
            virtual_bytes: stat.vsize,
            open_fds: process
                .fd_count()
                .ok()
                .and_then(|count| u64::try_from(count).ok()),
            max_fds: process.limits().ok().and_then(|limits| {
                match limits.max_open_files.soft_limit {
                    LimitValue::Value(most) => Some(most),
                    LimitValue::Unlimited => None,
                }
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

const fn process(
    name: &'static str,
    kind: Kind,
    unit: Option<Unit>,
    help: &'static str,
    write: fn(&Facts, &mut Series<'_, '_>) -> std::fmt::Result,
) -> Family {
    Family {
        name,
        kind,
        unit,
        help,
        labels: &[],
        stability: Stability::Stable,
        section: Section::Process,
        samples: Samples::Once(write),
    }
}

pub(super) static FAMILIES: &[Family] = &[
    process(
        "process_cpu_seconds_total",
        Kind::Counter,
        Some(Unit::Seconds),
        "User and system CPU time spent by the exporter's process, from /proc at the time of the scrape.",
        |facts, out| match facts.process {
            Some(process) => out.counter([], process.cpu_seconds),
            None => Ok(()),
        },
    ),
    process(
        "process_resident_memory_bytes",
        Kind::Gauge,
        Some(Unit::Bytes),
        "Resident memory of the exporter's process, from /proc at the time of the scrape.",
        |facts, out| out.known([], facts.process.map(|process| process.resident_bytes)),
    ),
    process(
        "process_virtual_memory_bytes",
        Kind::Gauge,
        Some(Unit::Bytes),
        "Virtual memory of the exporter's process, from /proc at the time of the scrape.",
        |facts, out| out.known([], facts.process.map(|process| process.virtual_bytes)),
    ),
    process(
        "process_open_fds",
        Kind::Gauge,
        None,
        "Open file descriptors of the exporter's process, from /proc at the time of the scrape.",
        |facts, out| out.known([], facts.process.and_then(|process| process.open_fds)),
    ),
    process(
        "process_max_fds",
        Kind::Gauge,
        None,
        "File descriptors the exporter's process may open (its soft limit), from /proc at the time of the scrape.",
        |facts, out| out.known([], facts.process.and_then(|process| process.max_fds)),
    ),
    process(
        "process_threads",
        Kind::Gauge,
        None,
        "Threads of the exporter's process, from /proc at the time of the scrape.",
        |facts, out| out.known([], facts.process.map(|process| process.threads)),
    ),
    process(
        "process_start_time_seconds",
        Kind::Gauge,
        Some(Unit::Seconds),
        "When the exporter's process started, as a Unix timestamp, from /proc.",
        |facts, out| out.known([], facts.process.and_then(|process| process.start_seconds)),
    ),
];
