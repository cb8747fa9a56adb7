//! `demo`: the daemon over the embedded simulator, and a story that plays in it.
//!
//! The whole way is the production one: the SDK, its signing and parsing, the schedule, the
//! metrics. Only the address of AWS differs.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use super::args::DemoArgs;
use super::serve;
use crate::account::AccountId;
use crate::clock::Clock;
use crate::config::{Config, MemberAccess, Organization};
use crate::simulator::{ROLE, Simulator, World};
use root_posture::Timestamp;

/// How often the demo looks at each account: a minute is long for somebody who watches.
const INTERVAL: Duration = Duration::from_secs(5);

/// The story, in time from one act to the next.
const CALM: Duration = Duration::from_secs(20);
const KEY_STAYS: Duration = Duration::from_secs(90);
const AFTERMATH: Duration = Duration::from_secs(60);

/// The tags of the simulated accounts.
const TAGS: [&str; 2] = ["team", "stage"];

/// The age of the reports that AWS "has" when the demo starts: the key of the story appears
/// between two reports, where only live evidence shows it.
const REPORT_AGE: i64 = 3600;

/// Runs the demo until a signal stops it.
pub async fn run(mut config: Config, demo: DemoArgs) -> ExitCode {
    let clock = Clock::system();
    let start = clock.now();
    let world = World::generate(
        usize::try_from(demo.accounts).unwrap_or(usize::MAX).max(1),
        demo.seed,
        start.unix(),
    );
    world.edit_all(|account| account.store_report(start.unix() - REPORT_AGE));
    let simulator = {
        let clock = clock.clone();
        Simulator::start(
            world.clone(),
            ("127.0.0.1", 0),
            Arc::new(move || clock.now().unix()),
        )
        .await
    };
    let simulator = match simulator {
        Ok(simulator) => simulator,
        Err(error) => {
            eprintln!("demo: the simulator found no free port on 127.0.0.1: {error}");
            return ExitCode::FAILURE;
        }
    };
    config.refresh.interval = INTERVAL;
    // Nothing simulated may ever be taken for what was learnt of a real account.
    config.state.path = None;
    config.organization = Organization {
        enabled: true,
        access: MemberAccess::Both,
        role_name: ROLE.to_owned(),
        tag_labels: TAGS.map(str::to_owned).to_vec(),
        ..Organization::default()
    };
    let Some(hero) = hero(&world) else {
        eprintln!("demo: no account is without a root key; try another --seed");
        return ExitCode::FAILURE;
    };
    announce(&config, &world, hero, start);
    let story = tokio::spawn(tell(world, hero, clock));
    let stand_in = simulator.url();
    let again = config.clone();
    let exit = serve::run(config, Arc::new(move || Ok(again.clone())), Some(stand_in)).await;
    story.abort();
    drop(simulator);
    exit
}

/// The account of the story: the first member without any root key, or the only account.
fn hero(world: &World) -> Option<AccountId> {
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

#[expect(
    clippy::print_stdout,
    reason = "the demo speaks to the person who started it"
)]
fn announce(config: &Config, world: &World, hero: AccountId, start: Timestamp) {
    let address = config
        .web
        .listen_addresses
        .first()
        .map_or_else(String::new, |address| address.from_here().to_string());
    let appears = start.plus(CALM);
    let goes = appears.plus(KEY_STAYS);
    let count = world.ids().len();
    let name = name(world, hero);
    println!(
        "\
aws-root-exporter demo: {count} simulated AWS accounts, no network, nothing real.

  page      http://{address}/
  metrics   http://{address}{path}
  try       curl -s http://{address}{path} | grep '^aws_root_access_keys_active'

What is about to happen, in account {hero} ({name}):
  {appears}  somebody creates a root access key. Its credential report is an hour old
                        and says there is none; the next live look shows it.
  {goes}  the key is deleted. Two looks, {interval} s apart, and the figure is 0 again.
  Then the story begins anew. Ctrl-C ends it.
",
        path = config.web.telemetry_path,
        interval = INTERVAL.as_secs(),
    );
}

/// Plays the story, again and again.
async fn tell(world: World, hero: AccountId, clock: Clock) {
    let name = name(&world, hero);
    let wait = async |duration| clock.sleep_until(clock.moment() + duration).await;
    loop {
        wait(CALM).await;
        world.edit(hero, |account| {
            account.root.create_key(clock.now().unix());
        });
        info!(account = %hero, name, "story: somebody creates a root access key");
        wait(KEY_STAYS).await;
        world.edit(hero, |account| account.root.delete_keys());
        info!(account = %hero, name, "story: the root access key is deleted");
        wait(AFTERMATH).await;
    }
}
