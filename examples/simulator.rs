//! The simulated AWS in a process of its own: for benchmarks, which must not count its work as the
//! exporter's, and for trying things out.
//!
//! ```sh
//! cargo run --release --example simulator -- --accounts 1000
//! ```
//!
//! Prints its URL, which goes into `AWS_ENDPOINT_URL`, then the ids of its accounts on one line, and
//! runs until its standard input ends. Each line of that is something that happens: `create-key
//! ID` or `delete-keys ID`. What was done is printed.

use std::error::Error;
use std::io::BufRead;
use std::process::ExitCode;
use std::sync::Arc;

use aws_root_exporter::account::AccountId;
use aws_root_exporter::clock::Clock;
use aws_root_exporter::simulator::{Simulator, World};
use clap::Parser;

/// A simulated AWS organization on loopback.
#[derive(Parser)]
struct Arguments {
    /// How many accounts it has.
    #[arg(long, default_value_t = 12)]
    accounts: usize,
    /// Seed of everything that is random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let clock = Clock::system();
    let now = Arc::new(move || clock.now().unix());
    let world = World::generate(arguments.accounts, arguments.seed, now());
    let runtime = tokio::runtime::Runtime::new()?;
    let simulator = runtime.block_on(Simulator::start(
        world.clone(),
        "127.0.0.1:0",
        Arc::clone(&now) as _,
    ))?;
    println!("{}", simulator.url());
    let ids: Vec<_> = world.ids().iter().map(ToString::to_string).collect();
    println!("{}", ids.join(" "));
    // Whoever started it holds the other end: it ends with them.
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (what, id) = line
            .split_once(' ')
            .ok_or("a line is `create-key ID` or `delete-keys ID`")?;
        let id: AccountId = id.parse()?;
        if !world.ids().contains(&id) {
            return Err(format!("there is no account {id}").into());
        }
        match what {
            "create-key" => world.edit(id, |account| {
                account.root.create_key(now());
            }),
            "delete-keys" => world.edit(id, |account| account.root.delete_keys()),
            other => return Err(format!("{other}: not known here").into()),
        }
        println!("done {line}");
    }
    Ok(())
}
