//! The daemon is killed while it writes: the state file stays whole, each start continues from it, and no
//! alarm that was scraped is lost.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_simulator::{Fault, FaultKind};

use test_support::daemon::Daemon;
use test_support::exposition::Exposition;
use test_support::simulated::{Simulated, account, id, listed, now};
use test_support::{PATIENCE, state};

const ACTIVE: &str = "aws_root_access_keys_active";

/// How often it is killed.
const KILLS: u64 = 40;

/// Accounts that get a key in each run.
const RISES: u64 = 2;

/// An account with MFA that comes and goes, so that there is always something to write.
const CHANGING: u64 = 900;

/// The accounts with an active key in this scrape.
fn alarms(shown: &Exposition) -> BTreeSet<String> {
    let alarms = shown.all(ACTIVE, &[]).into_iter();
    alarms
        .filter(|sample| sample.value > 0.0)
        .map(|sample| sample.labels["account"].clone())
        .collect()
}

/// Checks that a kill left no file, or a whole one.
fn assert_whole(path: &Path) {
    if path.exists() {
        let state = state::read(path).expect("the state file is whole");
        assert_eq!(state["meta"]["version"], 2);
    }
}

/// Lets it run, creates a key in each of the `rising` accounts, waits until that many `more` alarms were
/// `seen` and `span` is over, and kills it.
fn run_and_kill(
    aws: &Simulated,
    daemon: &Daemon,
    rising: Range<u64>,
    seen: &mut BTreeSet<String>,
    more: usize,
    span: Duration,
) {
    let start = Instant::now();
    let wanted = seen.len() + more;
    let mut rising = rising.into_iter();
    while start.elapsed() < span || seen.len() < wanted {
        assert!(
            start.elapsed() < PATIENCE,
            "{} alarms of {wanted}",
            seen.len()
        );
        if let Some(number) = rising.next() {
            aws.world.edit(id(number), |account| {
                account.root.create_key(now());
            });
        }
        aws.world.edit(id(CHANGING), |account| {
            account.root.mfa = !account.root.mfa;
        });
        seen.extend(alarms(&daemon.scrape()));
    }
    // Right after the scrape.
    daemon.process.signal("KILL");
}

#[test]
fn forty_kills_tear_no_file_prevent_no_start_and_lose_no_alarm() {
    let accounts: Vec<u64> = (1..=KILLS * RISES).collect();
    let members = accounts.iter().chain(&[CHANGING]).map(|number| {
        let mut account = account(*number, "");
        account.store_report(now() - 3600);
        account
    });
    let aws = Simulated::with(members);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let listed: String = accounts
        .iter()
        .chain(&[CHANGING])
        .copied()
        .map(listed)
        .collect();
    let config = format!(
        "refresh.interval = \"1s\"\nstate.path = {:?}\n{listed}",
        path.to_str().unwrap()
    );
    let number = fastrand::u64(..);
    println!("the seed of this run is {number}");
    let mut random = fastrand::Rng::with_seed(number);
    let mut seen = BTreeSet::new();
    for kill in 0..KILLS {
        // Without AWS it knows what is in the file and nothing more.
        aws.world.fault(Fault::new(FaultKind::ServiceFailure));
        let daemon = aws.launch(&config).start();
        let known = alarms(&daemon.scrape());
        assert!(
            known.is_superset(&seen),
            "kill {kill} lost {:?}",
            seen.difference(&known)
        );
        aws.world.clear_faults();
        let rising = kill * RISES + 1..(kill + 1) * RISES + 1;
        let more = random.usize(0..=2);
        let span = Duration::from_millis(random.u64(0..1000));
        run_and_kill(&aws, &daemon, rising, &mut seen, more, span);
        drop(daemon);
        assert_whole(&path);
        let aside = folder.path().join("state.redb.unusable");
        assert!(!aside.exists(), "kill {kill}: a file was set aside");
    }
    println!("{} alarms were seen and none was lost", seen.len());
    assert!(!seen.is_empty(), "no alarm was seen");
}
