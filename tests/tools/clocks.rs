//! The machine's clock is set far forward and back: no value changes, in a run or over a restart.
//! libfaketime moves the calendar and not the monotonic clock, as `settimeofday` does.

use std::fs;
use std::path::{Path, PathBuf};

use aws_simulator::{Fault, FaultKind};

use test_support::daemon::{Daemon, Launch};
use test_support::exposition::Exposition;
use test_support::simulated::{Simulated, account, id, listed, now};
use test_support::state::knowing;

const ACTIVE: &str = "aws_root_access_keys_active";
const SKEW: &str = "aws_root_exporter_clock_skew_seconds";
const DAY: i64 = 86_400;

/// Its root user always has a key.
const FINDING: u64 = 11;
/// Its root user never has one.
const CLEAN: u64 = 12;
/// Its root user's key comes and goes.
const CHANGING: u64 = 13;
const ALL: [u64; 3] = [FINDING, CLEAN, CHANGING];

fn world() -> Simulated {
    Simulated::with(ALL.map(|number| {
        let mut account = account(number, "production");
        if number == FINDING {
            account.root.create_key(1_700_000_000);
        }
        account.store_report(now() - 3600);
        account
    }))
}

fn config() -> String {
    format!(
        "refresh.interval = \"1s\"\nrefresh.max_live_staleness = \"1h\"\nstate.path = \"state.redb\"\n{}",
        ALL.map(listed).concat()
    )
}

fn keys(shown: &Exposition, number: u64, keys: f64) -> Result<(), String> {
    shown.expect(ACTIVE, &[("account", &id(number).to_string())], keys)
}

/// Checks the accounts that do not change.
fn unchanged(shown: &Exposition) -> Result<(), String> {
    keys(shown, FINDING, 1.0)?;
    keys(shown, CLEAN, 0.0)
}

/// The clock of a daemon, which reads its offset from a file.
struct LocalClock(PathBuf);

impl LocalClock {
    fn of(launch: Launch) -> (Launch, Self) {
        let file = launch.path("clock");
        let clock = Self(file.clone());
        clock.set(0);
        let launch = launch.environment([
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]);
        (launch, clock)
    }

    /// Sets the clock so many seconds off the right time.
    fn set(&self, offset: i64) {
        let next = self.0.with_extension("next");
        fs::write(&next, format!("{offset:+}s\n")).unwrap();
        // In one step: half an offset would be another.
        fs::rename(next, &self.0).unwrap();
    }
}

/// Where Debian puts it, whatever the processor.
fn library() -> PathBuf {
    fs::read_dir("/usr/lib")
        .unwrap()
        .map(|entry| entry.unwrap().path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists())
        .expect("Debian's libfaketime: `make test-tools` installs it")
}

/// Whether the daemon's clock is that far off AWS's, which also proves that the clock was set.
fn is_off(shown: &Exposition, offset: i64) -> Result<(), String> {
    let skew = shown.value(SKEW, &[]).ok_or("no skew yet")?;
    #[expect(clippy::cast_precision_loss, reason = "days, in seconds")]
    let off_by = (skew + offset as f64).abs();
    (off_by < 600.0)
        .then_some(())
        .ok_or_else(|| format!("AWS is {skew} s ahead, where the clock is {offset} s"))
}

#[test]
fn a_clock_that_is_set_forward_and_back_changes_no_value() {
    let aws = world();
    let (launch, clock) = LocalClock::of(aws.launch(&config()));
    let daemon = launch.start();
    daemon.wait_until_ready();
    daemon.scrape_until(|shown| {
        unchanged(shown)?;
        keys(shown, CHANGING, 0.0)
    });
    for offset in [DAY, -DAY, 400 * DAY, -400 * DAY, 0] {
        clock.set(offset);
        let ever = |shown: &Exposition| {
            unchanged(shown).unwrap_or_else(|wrong| panic!("{offset} s off: {wrong}"));
        };
        daemon.scrape_until(|shown| {
            ever(shown);
            is_off(shown, offset)
        });
        aws.world.edit(id(CHANGING), |account| {
            account.root.create_key(now());
        });
        daemon.scrape_until(|shown| {
            ever(shown);
            keys(shown, CHANGING, 1.0)
        });
        aws.world
            .edit(id(CHANGING), |account| account.root.delete_keys());
        daemon.scrape_until(|shown| {
            ever(shown);
            keys(shown, CHANGING, 0.0)
        });
    }
}

/// Starts over a state file, by a clock that is that far off, with an AWS where every call fails.
fn start_over(aws: &Simulated, state: &Path, offset: i64) -> Daemon {
    aws.world.clear_faults();
    aws.world.fault(Fault::new(FaultKind::Unavailable));
    let launch = aws.launch(&config());
    fs::copy(state, launch.path("state.redb")).unwrap();
    let (launch, clock) = LocalClock::of(launch);
    clock.set(offset);
    launch.start()
}

#[test]
fn a_restart_by_a_wrong_clock_loses_no_finding() {
    let aws = world();
    let launch = aws.launch(&config());
    let state = launch.path("state.redb");
    let first = launch.start();
    first.wait_until_ready();
    first.scrape_until(unchanged);
    knowing(&state, &ALL);
    for offset in [DAY, -DAY, 400 * DAY, -400 * DAY] {
        let next = start_over(&aws, &state, offset);
        // The finding from the first scrape on; the zero may be withdrawn, and is never a key.
        let holds = |shown: &Exposition| {
            keys(shown, FINDING, 1.0).unwrap_or_else(|wrong| panic!("{offset} s off: {wrong}"));
            let clean = shown.value(ACTIVE, &[("account", "000000000012")]);
            assert!(
                matches!(clean, None | Some(0.0)),
                "{offset} s off: {clean:?}"
            );
        };
        holds(&next.scrape());
        next.wait_until_ready();
        holds(&next.scrape());
        aws.world.clear_faults();
        next.scrape_until(|shown| {
            holds(shown);
            is_off(shown, offset)?;
            unchanged(shown)
        });
    }
}
