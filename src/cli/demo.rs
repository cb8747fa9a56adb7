//! `demo`: the daemon over the embedded simulator, and a scenario in it.
//!
//! Everything is as in production: the SDK, its signing and parsing, the schedule, the metrics. Only
//! the address of AWS differs.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use super::args::DemoArgs;
use super::serve::{self, StandIn};
use crate::account;
use crate::clock::Clock;
use crate::config::{Config, Events, MemberAccess, Organization, QueueUrl};
use aws_simulator::{
    Account, AccountId, AccountState, Actor, Fault, FaultKind, Operation, QueueSettings, ROLE,
    RootUser, Simulator, Trail, World,
};
use root_posture::Timestamp;

/// How often the demo polls each account: a minute is long for a person who watches.
const INTERVAL: Duration = Duration::from_secs(5);

/// The same for an account whose push is verified, and how long it may wait for an event.
const RELAXED_INTERVAL: Duration = Duration::from_secs(30);
const ECHO_TIMEOUT: Duration = Duration::from_secs(15);

/// The name of the queue in which events arrive, and how long each is on its way.
const QUEUE: &str = "aws-root-exporter-0";
const DELAY: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_millis(1_500);

/// The address from which root acts. RFC 5737 reserves it for documents.
const ADDRESS: &str = "198.51.100.7";

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
    if demo.accounts as usize >= ENOUGH {
        config.accounts.extend(in_china(&world, start));
    }
    let Some(target) = target(&world) else {
        eprintln!(
            "aws-root-exporter: demo: every account has a root key already; try another --seed"
        );
        return ExitCode::FAILURE;
    };
    show_every_state(&world, target, start);
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
    world.create_queue(QUEUE, QueueSettings::default());
    world.trail(Trail::to(QUEUE).delayed(DELAY));
    config.refresh.interval = INTERVAL;
    config.events = Events {
        // The simulator makes valid URLs.
        queue: QueueUrl::parse(&simulator.queue_url(QUEUE), 0).ok(),
        relaxed_interval: RELAXED_INTERVAL,
        echo_timeout: ECHO_TIMEOUT,
    };
    // Simulated evidence must never be mixed with that of real accounts.
    config.state.path = None;
    config.organization = Organization {
        enabled: true,
        access: MemberAccess::Both,
        role_name: ROLE.to_owned(),
        tag_labels: TAGS.map(str::to_owned).to_vec(),
        ..Organization::default()
    };
    let stand_in = StandIn {
        url: simulator.url(),
        opened: Box::new({
            let (world, aws) = (world.clone(), simulator.url());
            let metrics = config.web.telemetry_path.clone();
            let start = clock.now();
            move |address| announce(address, &metrics, &aws, &world, target, start)
        }),
    };
    let scenario = tokio::spawn(play(world, target, clock));
    let again = config.clone();
    let exit = serve::run(config, Arc::new(move || Ok(again.clone())), Some(stand_in)).await;
    scenario.abort();
    drop(simulator);
    exit
}

/// How many accounts a demo needs to have one in every state.
const ENOUGH: usize = 12;

/// Puts the last accounts into the states that a person should have seen: a key that is inactive, no MFA,
/// a source that fails, nothing known, suspended.
fn show_every_state(world: &World, target: AccountId, start: Timestamp) {
    const YEAR: i64 = 365 * 86_400;
    let ids = world.ids();
    if ids.len() < ENOUGH {
        return;
    }
    let is_member = |id: &AccountId| world.edit(*id, |account| account.in_organization);
    let mut last = ids
        .into_iter()
        .rev()
        .filter(|id| *id != target && is_member(id));
    let mut next = |change: &dyn Fn(&mut Account)| {
        let id = last.next()?;
        world.edit(id, change);
        Some(id)
    };
    next(&|account| account.state = Some(AccountState::Suspended));
    let unknown = next(&|_| {});
    let failing = next(&|_| {});
    next(&|account| {
        account.root.keys = [None, None];
        account.root.create_key(start.unix() - YEAR);
        account.root.deactivate_keys();
    });
    next(&|account| {
        account.root.mfa = false;
        account.root.password = true;
    });
    if let Some(id) = unknown {
        world.fault(Fault::new(FaultKind::AccessDenied).of(id));
    }
    if let Some(id) = failing {
        let report = Operation::GetCredentialReport;
        world.fault(Fault::new(FaultKind::AccessDenied).of(id).on(report));
    }
}

/// An account in China, where there is no root user: it can be in no organization outside, and is listed.
fn in_china(world: &World, start: Timestamp) -> Option<account::Account> {
    const ID: &str = "999000009999";
    const NAME: &str = "china-production";
    let partition = account::Partition::AwsCn;
    let mut account = Account::new(ID.parse().ok()?, NAME, start.unix()).with_role(ROLE, None);
    account.in_organization = false;
    account.report.rewrite = Some(|report| {
        let rows = report
            .lines()
            .filter(|row| !row.starts_with("<root_account>"));
        let rows: Vec<_> = rows
            .map(|row| row.replace("arn:aws:", "arn:aws-cn:"))
            .collect();
        rows.join("\n")
    });
    world.add(account);
    Some(account::Account {
        id: ID.parse().ok()?,
        name: NAME.to_owned(),
        region: partition.home_region().to_owned(),
        access: Some(account::Access::Role {
            arn: format!("arn:{partition}:iam::{ID}:role/{ROLE}"),
            external_id: None,
        }),
        root_session: false,
        labels: Arc::default(),
        exceptions: Arc::default(),
        details: Arc::default(),
    })
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

fn announce(
    address: SocketAddr,
    metrics: &str,
    aws: &str,
    world: &World,
    target: AccountId,
    start: Timestamp,
) {
    let appears = start.plus(CALM);
    let goes = appears.plus(KEY_STAYS);
    let count = world.ids().len();
    let name = name(world, target);
    println!(
        "\
aws-root-exporter demo: {count} simulated AWS accounts, no network, nothing real.

  page      http://{address}/
  metrics   http://{address}{metrics}
  try       curl -s http://{address}{metrics} | grep '^aws_root_access_keys_active'

The scenario, in account {target} ({name}):
  {appears}  root creates an access key, on the console from {ADDRESS}. CloudTrail's
                        event arrives about a second later and makes the exporter poll; the
                        next regular poll may be {relaxed} s away. The credential report is an
                        hour old and does not contain the key.
  {goes}  root deletes it. After two polls, {interval} s apart, the metric is 0 again.
  Then the scenario starts again. Ctrl-C ends it.

In another terminal, the other commands on the same accounts:
  export AWS_ENDPOINT_URL={aws} AWS_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo
  export AWS_ROOT_EXPORTER__ORGANIZATION__ENABLED=true AWS_ROOT_EXPORTER__ORGANIZATION__ACCESS=both
  aws-root-exporter check --only-findings
  aws-root-exporter remediate --account {target}
",
        relaxed = RELAXED_INTERVAL.as_secs(),
        interval = INTERVAL.as_secs(),
    );
}

/// Plays the scenario, again and again.
async fn play(world: World, target: AccountId, clock: Clock) {
    let name = name(&world, target);
    let wait = async |duration| clock.sleep_until(clock.moment() + duration).await;
    loop {
        wait(CALM).await;
        let Some(key) = root(&world, target, &clock).create_key() else {
            // The target has no key at the start, and loses this one below.
            return;
        };
        info!(account = %target, name, key, "scenario: root creates an access key");
        wait(KEY_STAYS).await;
        if root(&world, target, &clock).delete_key(&key) {
            info!(account = %target, name, key, "scenario: root deletes it");
        }
        wait(AFTERMATH).await;
    }
}

/// The root user of the account, on the console with MFA.
fn root(world: &World, id: AccountId, clock: &Clock) -> RootUser {
    let actor = Actor::console(ADDRESS).with_mfa();
    world.root(id, actor, clock.now().unix())
}
