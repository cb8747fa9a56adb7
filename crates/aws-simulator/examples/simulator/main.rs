//! The simulated AWS as a process of its own, to try the daemon by hand, and for benchmarks, which must
//! not count its work as the daemon's:
//!
//! ```text
//! cargo run -p aws-simulator --example simulator -- --accounts 100 --faults
//! ```
//!
//! It prints its URL in one line, for `AWS_ENDPOINT_URL`, and the ids of its accounts in the next; any
//! access key is the management account's. With `--queue NAME` there is a queue that gets the events of
//! CloudTrail, and its URL is the third line, for `events.queue_url`; more queues have a line each.
//!
//! It reads commands from its standard input, one a line:
//!
//! - `faults on` begins random faults and changes, `faults off` ends them,
//! - `create-key ID` and `delete-keys ID` change the root user of an account,
//! - `tamper ID` stops the trail of an account, with its event; `cut ID` ends the delivery of its events
//!   without one, and `restart ID` restarts it,
//! - `events` prints how many events were matched, lost and sent twice, and what is in the queues.
//!
//! All but the first print when they are done. It ends with its standard input, so that it does not outlive
//! what started it.

mod random;

use std::io::BufRead;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_simulator::{AccountId, Actor, QueueSettings, Simulator, Tampering, Trail, World};
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
    /// Give no root user keys, and each one MFA.
    #[arg(long)]
    without_findings: bool,
    /// Begin with random faults and changes.
    #[arg(long)]
    faults: bool,
    /// Send the events of CloudTrail to a queue of that name; can be given more than once.
    #[arg(long = "queue", value_name = "NAME")]
    queues: Vec<String>,
    /// The least delay of an event, in seconds.
    #[arg(long, default_value_t = 1.0, value_parser = seconds, value_name = "SECONDS")]
    event_delay_min: f64,
    /// The largest delay of an event, in seconds.
    #[arg(long, default_value_t = 5.0, value_parser = seconds, value_name = "SECONDS")]
    event_delay_max: f64,
    /// The share of the events that is lost, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    event_loss: f64,
    /// The share of the messages that comes twice, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    event_duplication: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (0.0..=86_400.0).contains(number));
    number.ok_or_else(|| "not a number from 0 to 86400".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "not a number from 0 to 1".to_owned())
}

impl Arguments {
    /// Creates the queues, and begins the delivery of events to them if there are any.
    fn begin_delivery(&self, world: &World) {
        for name in &self.queues {
            world.create_queue(name, QueueSettings::default());
        }
        let mut queues = self.queues.iter();
        let Some(first) = queues.next() else { return };
        let least = Duration::from_secs_f64(self.event_delay_min);
        let most = Duration::from_secs_f64(self.event_delay_max.max(self.event_delay_min));
        let trail = queues.fold(Trail::to(first), Trail::and_to);
        let trail = trail
            .delayed(least..=most)
            .losing(self.event_loss)
            .duplicating(self.event_duplication)
            .seeded(self.seed);
        world.trail(trail);
    }
}

enum Command {
    Faults(bool),
    CreateKey(AccountId),
    DeleteKeys(AccountId),
    Tamper(AccountId),
    Cut(AccountId),
    Restart(AccountId),
    Events,
}

impl Command {
    fn parse(line: &str, world: &World) -> Option<Self> {
        let (name, argument) = line.split_once(' ').unwrap_or((line, ""));
        let id = || argument.parse().ok().filter(|id| world.ids().contains(id));
        match (name, argument) {
            ("faults", "on") => Some(Self::Faults(true)),
            ("faults", "off") => Some(Self::Faults(false)),
            ("create-key", _) => id().map(Self::CreateKey),
            ("delete-keys", _) => id().map(Self::DeleteKeys),
            ("tamper", _) => id().map(Self::Tamper),
            ("cut", _) => id().map(Self::Cut),
            ("restart", _) => id().map(Self::Restart),
            ("events", "") => Some(Self::Events),
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
        world.edit(id, |account| {
            if arguments.without_findings {
                account.root.keys = [None, None];
                account.root.mfa = true;
            }
            account.store_report(now() - REPORT_AGE);
        });
    }
    arguments.begin_delivery(&world);
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
    for name in &arguments.queues {
        println!("{}", simulator.queue_url(name));
    }
    let (sender, commands) = mpsc::unbounded_channel();
    let of_commands = world.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Some(command) = Command::parse(line.trim(), &of_commands) else {
                eprintln!(
                    "unknown command {line:?}; there are: faults on, faults off, create-key ID, \
                     delete-keys ID, tamper ID, cut ID, restart ID, events"
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

/// Who changes root users here, an address of RFC 5737.
fn somebody() -> Actor {
    Actor::console("203.0.113.9").with_mfa()
}

fn print_events(world: &World, queues: &[String]) {
    let counts = world.trail_counts();
    let (matched, lost, duplicated) = (counts.matched, counts.lost, counts.duplicated);
    print!("done events matched={matched} lost={lost} duplicated={duplicated}");
    for name in queues {
        let counts = world.queue(name).counts();
        let (visible, in_flight) = (counts.visible, counts.in_flight);
        let (delayed, deleted) = (counts.delayed, counts.deleted);
        print!(
            " {name}: visible={visible} in_flight={in_flight} delayed={delayed} deleted={deleted}"
        );
    }
    println!();
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
                    if world.root(id, somebody(), now()).create_key().is_none() {
                        eprintln!("account {id} has two root keys already");
                    }
                    println!("done create-key {id}");
                }
                Some(Command::DeleteKeys(id)) => {
                    let root = world.root(id, somebody(), now());
                    for key in world.edit(id, |account| account.root.keys.clone()).iter().flatten() {
                        // It may be gone by now: the program under test can delete keys.
                        let _ = root.delete_key(&key.id);
                    }
                    println!("done delete-keys {id}");
                }
                Some(Command::Tamper(id)) => {
                    world.tamper(id, "admin", &somebody(), &Tampering::StopLogging, now());
                    println!("done tamper {id}");
                }
                Some(Command::Cut(id)) => {
                    world.cut_delivery(id);
                    println!("done cut {id}");
                }
                Some(Command::Restart(id)) => {
                    world.restart_delivery(id);
                    println!("done restart {id}");
                }
                Some(Command::Events) => print_events(world, &arguments.queues),
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
