//! `demo`: the daemon over the embedded simulator, and a scenario in it.
//!
//! Everything is as in production: the SDK, its signing and parsing, the schedule, the metrics. Only
//! the address of AWS differs.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use super::args::DemoArgs;
use super::serve;
use crate::clock::Clock;
use crate::config::{Config, MemberAccess, Organization};
use aws_simulator::{AccountId, ROLE, Simulator, World};
use root_posture::Timestamp;

/// How often the demo polls each account: a minute is long for a person who watches.
const INTERVAL: Duration = Duration::from_secs(5);

/// The scenario: how long each phase lasts.
const CALM: Duration = Duration::from_secs(20);
const KEY_STAYS: Duration = Duration::from_secs(90);
const AFTERMATH: Duration = Duration::from_secs(60);

/// The tags of the simulated accounts.
const TAGS: [&str; 2] = ["team", "stage"];

/// The age of the credential reports at the start: the key appears between two reports, where only
/// live evidence shows it.
const REPORT_AGE: i64 = 3600;

/// Runs the demo until a signal stops it.
pub async fn run(mut config: Config, demo: DemoArgs) -> ExitCode {
    let clock = Clock::system();
    let start = clock.now();
    let world = World::generate(demo.accounts as usize, demo.seed, start.unix());
    for id in world.ids() {
        world.edit(id, |account| {
            account.store_report(start.unix() - REPORT_AGE);
        });
    }
    let shared = clock.clone();
    let time = Arc::new(move || shared.now().unix());
    let simulator = match Simulator::start(world.clone(), ("127.0.0.1", 0), time).await {
        Ok(simulator) => simulator,
        Err(error) => {
            eprintln!(
                "aws-root-exporter: demo: the simulator found no free port on 127.0.0.1: {error}"
            );
            return ExitCode::FAILURE;
        }
    };
    config.refresh.interval = INTERVAL;
    // Simulated evidence must never be mixed with that of real accounts.
    config.state.path = None;
    config.organization = Organization {
        enabled: true,
        access: MemberAccess::Both,
        role_name: ROLE.to_owned(),
        tag_labels: TAGS.map(str::to_owned).to_vec(),
        ..Organization::default()
    };
    let Some(target) = target(&world) else {
        eprintln!(
            "aws-root-exporter: demo: every account has a root key already; try another --seed"
        );
        return ExitCode::FAILURE;
    };
    announce(&config, &world, target, start);
    let scenario = tokio::spawn(play(world, target, clock));
    let stand_in = simulator.url();
    let again = config.clone();
    let exit = serve::run(config, Arc::new(move || Ok(again.clone())), Some(stand_in)).await;
    scenario.abort();
    drop(simulator);
    exit
}

/// The account of the scenario: the first member without a root key, or the only account.
fn target(world: &World) -> Option<AccountId> {
    let hub = world.hub();
    let clean =
        |id: &AccountId| world.edit(*id, |account| account.root.keys.iter().all(Option::is_none));
    let mut ids: Vec<_> = world.ids().into_iter().filter(|id| *id != hub).collect();
    ids.push(hub);
    ids.into_iter().find(clean)
}

fn name(world: &World, id: AccountId) -> String {
    world.edit(id, |account| account.name.clone())
}

fn announce(config: &Config, world: &World, target: AccountId, start: Timestamp) {
    // A valid configuration has an address.
    let address = config.web.listen_addresses[0].from_here();
    let appears = start.plus(CALM);
    let goes = appears.plus(KEY_STAYS);
    let count = world.ids().len();
    let name = name(world, target);
    println!(
        "\
aws-root-exporter demo: {count} simulated AWS accounts, no network, nothing real.

  page      http://{address}/
  metrics   http://{address}{path}
  try       curl -s http://{address}{path} | grep '^aws_root_access_keys_active'

The scenario, in account {target} ({name}):
  {appears}  a root access key is created. The account's credential report is an hour
                        old and does not contain it; the next live poll finds it.
  {goes}  the key is deleted. After two polls, {interval} s apart, the metric is 0 again.
  Then the scenario starts again. Ctrl-C ends it.
",
        path = config.web.telemetry_path,
        interval = INTERVAL.as_secs(),
    );
}

/// Plays the scenario, again and again.
async fn play(world: World, target: AccountId, clock: Clock) {
    let name = name(&world, target);
    let wait = async |duration| clock.sleep_until(clock.moment() + duration).await;
    loop {
        wait(CALM).await;
        world.edit(target, |account| {
            account.root.create_key(clock.now().unix());
        });
        info!(account = %target, name, "scenario: a root access key is created");
        wait(KEY_STAYS).await;
        world.edit(target, |account| account.root.delete_keys());
        info!(account = %target, name, "scenario: the root access key is deleted");
        wait(AFTERMATH).await;
    }
}
