//! The simulated AWS as a process of its own, to try the daemon by hand, and for benchmarks, which must
//! not count its work as the daemon's:
//!
//! ```text
//! cargo run -p aws-simulator --example simulator -- --accounts 100 --faults
//! ```
//!
//! It prints its URL in one line, for `AWS_ENDPOINT_URL`, and the ids of its accounts in the next; any
//! access key is the management account's. It reads commands from its standard input, one a line:
//! `faults on` begins random faults and changes, `faults off` ends them, `create-key ID` and
//! `delete-keys ID` change the root user of an account and print when it is done. It ends with its
//! standard input, so that it does not outlive what started it.

mod random;

use std::io::BufRead;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_simulator::{AccountId, Simulator, World};
use clap::Parser;
use random::{random_change, random_fault};
use tokio::sync::mpsc;

/// The age of the reports that AWS has at the start.
const REPORT_AGE: i64 = 3_600;

/// The time between two faults or changes.
const PACE: Duration = Duration::from_millis(200);

/// All faults end after this many of them, so that nothing stays broken for long.
const FAULTS_END: usize = 100;

#[derive(Parser)]
#[command(about = "A simulated AWS on loopback")]
struct Arguments {
    /// How many accounts there are.
    #[arg(long, default_value_t = 100)]
    accounts: usize,
    /// The seed of the accounts, the faults and the changes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Begin with random faults and changes.
    #[arg(long)]
    faults: bool,
}

enum Command {
    Faults(bool),
    CreateKey(AccountId),
    DeleteKeys(AccountId),
}

impl Command {
    fn parse(line: &str, world: &World) -> Option<Self> {
        let (name, argument) = line.split_once(' ')?;
        let id = || argument.parse().ok().filter(|id| world.ids().contains(id));
        match (name, argument) {
            ("faults", "on") => Some(Self::Faults(true)),
            ("faults", "off") => Some(Self::Faults(false)),
            ("create-key", _) => id().map(Self::CreateKey),
            ("delete-keys", _) => id().map(Self::DeleteKeys),
            _ => None,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator has no clock of its own"
)]
fn now() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let world = World::generate(arguments.accounts, arguments.seed, now());
    for id in world.ids() {
        world.edit(id, |account| account.store_report(now() - REPORT_AGE));
    }
    let simulator = match Simulator::start(world.clone(), "127.0.0.1:0", Arc::new(now)).await {
        Ok(simulator) => simulator,
        Err(error) => {
            eprintln!("no free port on 127.0.0.1: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", simulator.url());
    let ids: Vec<_> = world.ids().iter().map(ToString::to_string).collect();
    println!("{}", ids.join(" "));
    let (sender, commands) = mpsc::unbounded_channel();
    let of_commands = world.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Some(command) = Command::parse(line.trim(), &of_commands) else {
                eprintln!(
                    "unknown command {line:?}; there are: faults on, faults off, create-key ID, \
                     delete-keys ID"
                );
                continue;
            };
            if sender.send(command).is_err() {
                return;
            }
        }
    });
    run(&world, &arguments, commands).await;
    ExitCode::SUCCESS
}

/// Follows commands and injects faults until the standard input ends.
async fn run(world: &World, arguments: &Arguments, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut rng = fastrand::Rng::with_seed(arguments.seed);
    // The caller's own account is spared, but for the faults of all accounts.
    let mut accounts = world.ids();
    accounts.retain(|id| *id != world.hub());
    let mut faults = arguments.faults;
    let mut count = 0;
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Faults(on)) => {
                    faults = on;
                    world.clear_faults();
                }
                Some(Command::CreateKey(id)) => {
                    world.edit(id, |account| account.root.create_key(now()));
                    println!("done create-key {id}");
                }
                Some(Command::DeleteKeys(id)) => {
                    world.edit(id, |account| account.root.delete_keys());
                    println!("done delete-keys {id}");
                }
                None => return,
            },
            () = tokio::time::sleep(PACE), if faults => {
                count += 1;
                if count % FAULTS_END == 0 {
                    world.clear_faults();
                } else if rng.bool() {
                    world.fault(random_fault(&mut rng, &accounts));
                } else {
                    let id = accounts[rng.usize(0..accounts.len())];
                    world.edit(id, |account| random_change(&mut rng, &mut account.root, now()));
                }
            }
        }
    }
}
