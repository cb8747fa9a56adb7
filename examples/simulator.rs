//! The simulated AWS as a process of its own, for whoever wants to look at the daemon alone, and for
//! benchmarks, which must not count its work as the daemon's:
//!
//! ```text
//! cargo run --example simulator -- --accounts 100 --weather bad
//! ```
//!
//! It prints its URL in one line, for `AWS_ENDPOINT_URL`, and the ids of its accounts in the next; any
//! access key is the management account's. Each line on its standard input is an order: `bad` begins
//! random faults and changes, `good` ends them, `create-key ID` and `delete-keys ID` change the root
//! user of an account and say when it is done. It ends with its standard input, so that it outlives
//! nobody.

use std::io::BufRead;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aws_root_exporter::account::AccountId;
use aws_root_exporter::clock::Clock;
use aws_root_exporter::simulator::{Fault, Simulator, World};
use clap::{Parser, ValueEnum};
use tokio::sync::mpsc;

/// The age of the reports that AWS has at the start.
const REPORT_AGE: i64 = 3_600;

/// One fault or change comes about so often.
const PACE: Duration = Duration::from_millis(200);

/// Every so many of them all faults end, so that nothing stays broken for long.
const FAULTS_END: usize = 100;

#[derive(Parser)]
#[command(about = "A simulated AWS on loopback")]
struct Arguments {
    /// How many accounts there are.
    #[arg(long, default_value_t = 100)]
    accounts: usize,
    /// What the accounts, the faults and the changes follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Whether there are faults and changes from the start.
    #[arg(long, value_enum, default_value_t = Weather::Good)]
    weather: Weather,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Weather {
    Good,
    Bad,
}

enum Order {
    Weather(Weather),
    CreateKey(AccountId),
    DeleteKeys(AccountId),
}

impl Order {
    fn parse(line: &str, world: &World) -> Option<Self> {
        let Some((what, id)) = line.split_once(' ') else {
            return Weather::from_str(line, true).ok().map(Self::Weather);
        };
        let id = id.parse().ok().filter(|id| world.ids().contains(id))?;
        match what {
            "create-key" => Some(Self::CreateKey(id)),
            "delete-keys" => Some(Self::DeleteKeys(id)),
            _ => None,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let clock = Clock::system();
    let now = clock.now().unix();
    let world = World::generate(arguments.accounts, arguments.seed, now);
    world.edit_all(|account| account.store_report(now - REPORT_AGE));
    let simulator = {
        let clock = clock.clone();
        Simulator::start(
            world.clone(),
            "127.0.0.1:0",
            Arc::new(move || clock.now().unix()),
        )
        .await
    };
    let simulator = match simulator {
        Ok(simulator) => simulator,
        Err(error) => {
            eprintln!("no free port on 127.0.0.1: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", simulator.url());
    let ids: Vec<_> = world.ids().iter().map(ToString::to_string).collect();
    println!("{}", ids.join(" "));
    let (order, orders) = mpsc::unbounded_channel();
    let asked = world.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Some(parsed) = Order::parse(line.trim(), &asked) else {
                eprintln!(
                    "no such order: {line:?}; there are good, bad, create-key ID, delete-keys ID"
                );
                continue;
            };
            if order.send(parsed).is_err() {
                return;
            }
        }
    });
    blow(&world, &clock, &arguments, orders).await;
    ExitCode::SUCCESS
}

/// Does what is ordered, and makes the weather, until nobody orders any more.
async fn blow(
    world: &World,
    clock: &Clock,
    arguments: &Arguments,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let mut rng = fastrand::Rng::with_seed(arguments.seed);
    // The caller's own account is spared, but for what befalls everybody.
    let mut accounts = world.ids();
    accounts.retain(|id| *id != world.hub());
    let mut weather = arguments.weather;
    let mut count = 0;
    loop {
        let next = clock.sleep_until(clock.moment() + PACE);
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Weather(ordered)) => {
                    weather = ordered;
                    world.clear_faults();
                }
                Some(Order::CreateKey(id)) => {
                    let now = clock.now().unix();
                    world.edit(id, |account| account.root.create_key(now));
                    println!("done create-key {id}");
                }
                Some(Order::DeleteKeys(id)) => {
                    world.edit(id, |account| account.root.delete_keys());
                    println!("done delete-keys {id}");
                }
                None => return,
            },
            () = next, if weather == Weather::Bad => {
                count += 1;
                if count % FAULTS_END == 0 {
                    world.clear_faults();
                } else if rng.bool() {
                    world.fault(Fault::random(&mut rng, &accounts));
                } else {
                    let id = accounts[rng.usize(0..accounts.len())];
                    let now = clock.now().unix();
                    world.edit(id, |account| account.root.random_change(&mut rng, now));
                }
            }
        }
    }
}
