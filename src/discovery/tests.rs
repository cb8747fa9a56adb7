//! Discovery over the simulated AWS, with a clock that the tests move.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_simulator::{Fault, FaultKind, Simulator, World};
use tokio::task::JoinHandle;

use super::*;
use crate::account::{Access, Account, Details};
use crate::clock::{Hand, Timestamp};
use crate::config::Organization;
use crate::schedule::{Settings, Sources};
use crate::views::{ExporterView, LastAttempt};
use root_posture::Limits;

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(600);
const NOW: i64 = 1_789_132_492;

/// How long a test waits for anything, by the real clock.
const BOUND: Duration = Duration::from_secs(30);

/// A discovery that runs against a simulated AWS.
struct Bench {
    world: World,
    _simulator: Simulator,
    aws: Aws,
    clock: Clock,
    hand: Hand,
    exporter: Arc<Exporter>,
    desired: watch::Sender<Desired>,
    orders: watch::Receiver<Orders>,
    running: JoinHandle<()>,
}

impl Bench {
    async fn start(world: World, config: Config) -> Self {
        Self::start_with(world, config, None, |_| {}).await
    }

    /// As [`Self::start`], with the caller in the state. `request` is called before each answer.
    async fn start_with(
        world: World,
        config: Config,
        caller: Option<AccountId>,
        request: impl Fn(&World) + Send + Sync + 'static,
    ) -> Self {
        let (clock, hand) = Clock::manual(Timestamp::from_unix(NOW));
        let (of_simulator, seen) = (clock.clone(), world.clone());
        let now = Arc::new(move || {
            request(&seen);
            of_simulator.now().unix()
        });
        let simulator = Simulator::start(world.clone(), "127.0.0.1:0", now)
            .await
            .unwrap();
        let settings = crate::aws::Settings {
            caller: crate::config::Aws::default(),
            // By the clock that the tests move.
            timeout: INTERVAL * 100,
            stand_in: Some(simulator.url()),
        };
        let aws = Aws::new(&settings, None, clock.clone()).await;
        let (desired, changes) = watch::channel(desired(0, config));
        let exporter = Arc::<Exporter>::default();
        let (discovery, orders) = Discovery::new(
            changes,
            caller,
            None,
            aws.clone(),
            clock.clone(),
            Arc::clone(&exporter),
        );
        let running = tokio::spawn(discovery.run());
        Self {
            world,
            _simulator: simulator,
            aws,
            clock,
            hand,
            exporter,
            desired,
            orders,
            running,
        }
    }

    /// Waits until the orders fulfil a condition.
    async fn until(&mut self, is_so: impl Fn(&Orders) -> bool) -> AccountList {
        let orders = tokio::time::timeout(BOUND, self.orders.wait_for(is_so));
        let orders = orders.await.expect("in time").expect("discovery runs");
        orders.list.clone().unwrap_or_default()
    }

    /// Waits until the list is confirmed by AWS.
    async fn until_confirmed(&mut self) -> AccountList {
        self.until(|orders| orders.list.as_ref().is_some_and(|list| list.confirmed))
            .await
    }

    /// Waits for anything else.
    async fn until_so(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let wait = async {
            while !is_so(self) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(BOUND, wait).await.expect(what);
    }

    /// Waits until an operation was called this many times.
    async fn until_called(&self, operation: &str, times: u64) {
        self.until_so(operation, |bench| bench.world.total(operation) >= times)
            .await;
    }

    /// Waits until a list was read at the time that the clock shows.
    async fn until_listed(&self) {
        let mut now = LastAttempt::default();
        now.record(true, self.clock.now());
        self.until_so("a list", |bench| bench.view().discovery == Some(now))
            .await;
    }

    /// Lets all tasks run until they wait for the clock.
    async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    fn view(&self) -> ExporterView {
        self.exporter.view(self.clock.moment())
    }

    fn reload(&self, change: impl FnOnce(&mut Config)) -> u64 {
        let (generation, mut config) = {
            let desired = self.desired.borrow();
            (desired.generation + 1, Config::clone(&desired.config))
        };
        change(&mut config);
        self.desired.send_replace(desired(generation, config));
        generation
    }

    fn lists(&self) -> u64 {
        self.world.total("ListAccounts")
    }
}

fn desired(generation: u64, config: Config) -> Desired {
    let settings = Settings {
        concurrency: 1,
        timeout: SECOND,
        report_timeout: SECOND,
        limits: Limits {
            interval: SECOND,
            in_force: SECOND,
            max_staleness: SECOND,
            max_live_staleness: SECOND,
        },
        sources: Sources {
            report: true,
            summary: true,
        },
        user_detail: false,
        max_detail_series: 0,
        push: None,
    };
    Desired {
        generation,
        config: Arc::new(config),
        settings,
    }
}

fn config() -> Config {
    Config {
        organization: Organization {
            enabled: true,
            interval: INTERVAL,
            ..Organization::default()
        },
        ..Config::default()
    }
}

fn labelled(list: &AccountList) -> usize {
    let is_labelled = |account: &&Arc<Account>| !account.labels.is_empty();
    list.accounts.iter().filter(is_labelled).count()
}

#[tokio::test]
async fn one_failure_to_identify_the_caller_costs_a_second() {
    let world = World::generate(3, 1, NOW);
    world.fault(
        Fault::new(FaultKind::ServiceFailure)
            .on("GetCallerIdentity")
            .times(1),
    );
    let mut config = config();
    config.organization.interval = Duration::from_secs(3600);
    let mut bench = Bench::start(world, config).await;
    bench
        .until_so("the failure", |bench| bench.view().discovery.is_some())
        .await;
    bench.hand.advance(SECOND);
    assert_eq!(bench.until_confirmed().await.accounts.len(), 3);
}

#[tokio::test]
async fn the_caller_s_identity_is_asked_for_until_sts_answers() {
    let world = World::generate(3, 1, NOW);
    world.fault(
        Fault::new(FaultKind::Throttling)
            .on("GetCallerIdentity")
            .times(10),
    );
    let mut bench = Bench::start(world, config()).await;
    bench
        .until_so("an answer", |bench| {
            bench.hand.advance(SECOND);
            bench.orders.borrow().list.is_some()
        })
        .await;
    assert_eq!(bench.world.total("GetCallerIdentity"), 11);
    bench.until_confirmed().await;
}

#[tokio::test]
async fn new_accounts_are_monitored_while_sts_hangs() {
    let world = World::generate(3, 1, NOW);
    let caller = Some(world.hub().to_string().parse().unwrap());
    world.fault(Fault::new(FaultKind::NeverAnswer).on("GetCallerIdentity"));
    let mut bench = Bench::start_with(world, config(), caller, |_| {}).await;
    let list = bench
        .until(|orders| orders.list.as_ref().is_some_and(|list| list.complete))
        .await;
    assert_eq!((list.accounts.len(), list.confirmed), (3, false));
}

#[tokio::test]
async fn a_list_of_500_pages_completes_while_three_calls_in_a_hundred_fail() {
    let world = World::generate(500, 1, NOW);
    world.organization(|it| it.page_size = 1);
    let requests = AtomicU64::new(0);
    let mut bench = Bench::start_with(world, config(), None, move |world| {
        if requests.fetch_add(1, Ordering::SeqCst) % 33 == 20 {
            let fault = Fault::new(FaultKind::ServiceFailure).on("ListAccounts");
            world.fault(fault.times(1));
        }
    })
    .await;
    let (hand, pages) = (bench.hand.clone(), bench.world.clone());
    let clock = tokio::spawn(async move {
        let mut last = 0;
        loop {
            // Moves the clock when nothing else happens.
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            let now = pages.total("ListAccounts");
            if now == last {
                hand.advance(SECOND);
            }
            last = now;
        }
    });
    let list = bench.until_confirmed().await;
    clock.abort();
    assert_eq!(list.accounts.len(), 500);
    let calls = bench.lists();
    assert!((510..530).contains(&calls), "{calls}");
    let taken = bench.clock.moment().since(Moment::default());
    assert!(taken < INTERVAL / 2, "{taken:?}");
}

#[tokio::test]
async fn one_account_whose_tags_always_fail_costs_no_other_its_labels() {
    let world = World::generate(200, 1, NOW);
    let failing = world.ids()[0];
    world.fault(
        Fault::new(FaultKind::ServiceFailure)
            .of(failing)
            .on("ListTagsForResource"),
    );
    let mut config = config();
    config.organization.tag_labels = vec!["team".to_owned()];
    let mut bench = Bench::start(world, config).await;
    let all = |orders: &Orders| {
        let list = orders.list.as_ref();
        // The management account has no tags.
        list.is_some_and(|list| labelled(list) == 198)
    };
    bench.until(all).await;
    let asked = bench.world.total("ListTagsForResource");
    assert!((199..=200).contains(&asked), "{asked}");
    bench.world.clear_faults();
    bench
        .until_so("all labels", |bench| {
            bench.hand.advance(SECOND);
            let list = &bench.orders.borrow().list;
            list.as_ref().is_some_and(|list| labelled(list) == 199)
        })
        .await;
}

/// A configuration that asks for the details.
fn detailed(details: &[Detail]) -> Config {
    let mut config = config();
    config.organization.details = details.iter().copied().collect();
    config
}

/// The paths of the accounts, in the order of their ids.
fn paths(list: &AccountList) -> Vec<Option<&str>> {
    let accounts = list.accounts.iter();
    accounts.map(|it| it.details.ou.as_deref()).collect()
}

/// A world of three accounts, two of them in units.
fn with_units() -> World {
    let world = World::generate(3, 1, NOW);
    let [one, two, _] = world.ids()[..] else {
        panic!("{:?}", world.ids());
    };
    let units = |units: &[&str]| units.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let (deep, flat) = (units(&["Workloads", "Production"]), units(&["Security"]));
    world.edit(one, |account| account.units = deep);
    world.edit(two, |account| account.units = flat);
    world
}

const PATHS: [Option<&str>; 3] = [
    Some("Root/Workloads/Production"),
    Some("Root/Security"),
    Some("Root"),
];

#[tokio::test]
async fn the_details_are_read_once_a_day_and_only_if_the_configuration_asks_for_them() {
    let mut bench = Bench::start(with_units(), detailed(&[Detail::Email, Detail::Ou])).await;
    let is_read = |orders: &Orders| {
        let list = orders.list.as_ref();
        list.is_some_and(|list| paths(list) == PATHS)
    };
    let list = bench.until(is_read).await;
    assert!(list.accounts.iter().all(|it| it.details.email.is_some()));
    // Three units and the root.
    let asked = |bench: &Bench| {
        [
            "ListRoots",
            "ListOrganizationalUnitsForParent",
            "ListAccountsForParent",
        ]
        .map(|operation| bench.world.total(operation))
    };
    assert_eq!(asked(&bench), [1, 4, 4]);
    for _ in 0..3 {
        bench.hand.advance(INTERVAL);
        bench.until_listed().await;
        bench.settle().await;
    }
    assert_eq!(asked(&bench), [1, 4, 4], "within a day");
    let generation = bench.reload(|config| config.organization.details.clear());
    let list = bench.until(|orders| orders.generation == generation).await;
    assert!(
        list.accounts
            .iter()
            .all(|it| *it.details == Details::default())
    );
    // Known units are shown at once.
    bench.reload(|config| config.organization.details = [Detail::Ou].into());
    bench.until(is_read).await;
    bench.reload(|config| config.organization.details = [Detail::Ou].into());
    bench.hand.advance(TAGS_LAST);
    bench
        .until_so("the units again", |bench| asked(bench) == [2, 8, 8])
        .await;
}

#[tokio::test]
async fn units_that_cannot_be_read_cost_no_account_and_are_read_again() {
    let world = with_units();
    world.fault(Fault::new(FaultKind::AccessDenied).on("ListAccountsForParent"));
    let mut bench = Bench::start(world, detailed(&[Detail::Email, Detail::Ou])).await;
    let list = bench.until_confirmed().await;
    assert_eq!(list.accounts.len(), 3);
    bench.until_called("ListAccountsForParent", 1).await;
    let Found {
        list,
        failure,
        units_failure,
    } = once(
        &bench.desired.borrow().config.clone(),
        &bench.aws,
        &bench.clock,
    )
    .await;
    assert_eq!((paths(&list), failure), (vec![None; 3], None));
    assert!(list.accounts.iter().all(|it| it.details.email.is_some()));
    assert_eq!(units_failure.unwrap().reason, Reason::AccessDenied);
    bench.world.clear_faults();
    bench
        .until_so("the units", |bench| {
            bench.hand.advance(SECOND);
            let list = &bench.orders.borrow().list;
            list.as_ref().is_some_and(|list| paths(list) == PATHS)
        })
        .await;
}

#[tokio::test]
async fn a_reload_does_not_cancel_a_list_that_is_being_read() {
    let world = World::generate(40, 1, NOW);
    world.fault(Fault::new(FaultKind::Delay(Duration::from_millis(200))).on("ListAccounts"));
    let mut bench = Bench::start(world, config()).await;
    let mut reloads = 0;
    let reloading = async {
        loop {
            reloads = bench.reload(|config| config.refresh.concurrency += 1);
            bench
                .until_so("the reload", |bench| {
                    bench.orders.borrow().generation == reloads
                })
                .await;
            let list = bench.orders.borrow().list.clone();
            if list.is_some_and(|list| list.confirmed) {
                return;
            }
        }
    };
    tokio::time::timeout(BOUND, reloading).await.unwrap();
    assert!(reloads > 10, "{reloads}");
    // Two pages of twenty accounts, each asked for once.
    assert_eq!(bench.lists(), 2);
    assert_eq!(bench.until_confirmed().await.accounts.len(), 40);
}

#[tokio::test]
async fn a_pending_loss_and_its_half_interval_survive_reloads() {
    let world = World::generate(40, 1, NOW);
    world.organization(|it| it.page_size = 100);
    let mut bench = Bench::start(world, config()).await;
    bench.until_confirmed().await;
    for id in bench.world.ids().into_iter().skip(1).take(20) {
        bench
            .world
            .edit(id, |account| account.in_organization = false);
    }
    bench.hand.advance(INTERVAL);
    bench.until_listed().await;
    for _ in 0..3 {
        let generation = bench.reload(|config| config.refresh.concurrency += 1);
        let list = bench.until(|orders| orders.generation == generation).await;
        assert_eq!(list.accounts.len(), 40);
        bench.hand.advance(SECOND);
        bench.settle().await;
    }
    bench.hand.advance(SECOND * 296);
    bench.settle().await;
    assert_eq!(bench.lists(), 2);
    bench.hand.advance(SECOND);
    let gone = |orders: &Orders| {
        orders
            .list
            .as_ref()
            .is_some_and(|it| it.accounts.len() == 20)
    };
    bench.until(gone).await;
    assert_eq!(bench.lists(), 3);
}

#[tokio::test]
async fn a_reload_of_other_settings_assembles_the_list_at_once_and_reads_nothing() {
    let mut bench = Bench::start(World::generate(40, 1, NOW), config()).await;
    bench.until_confirmed().await;
    let (lists, excluded) = (bench.lists(), bench.world.ids()[3].to_string());
    let generation = bench.reload(|config| {
        config.organization.exclude = BTreeSet::from([excluded.parse().unwrap()]);
        config.organization.role_name = "other".to_owned();
    });
    let list = bench.until(|orders| orders.generation == generation).await;
    assert_eq!(list.accounts.len(), 39);
    let is_other = |access: &Option<Access>| match access {
        Some(Access::Role { arn, .. }) => arn.ends_with(":role/other"),
        _ => false,
    };
    let others = list.accounts.iter().filter(|it| is_other(&it.access));
    assert_eq!(others.count(), 38);
    bench.settle().await;
    assert_eq!(bench.lists(), lists);
    // A shorter interval counts from the last list.
    bench.hand.advance(SECOND * 60);
    bench.reload(|config| config.organization.interval = SECOND * 60);
    bench.until_called("ListAccounts", lists + 1).await;
}

#[tokio::test]
async fn other_tag_labels_are_read_without_another_list() {
    let mut bench = Bench::start(World::generate(5, 1, NOW), config()).await;
    bench.until_confirmed().await;
    assert_eq!(bench.world.total("ListTagsForResource"), 0);
    bench.reload(|config| config.organization.tag_labels = vec!["stage".to_owned()]);
    bench
        .until(|orders| orders.list.as_ref().is_some_and(|list| labelled(list) == 4))
        .await;
    assert_eq!(bench.lists(), 1);
}

#[tokio::test]
async fn an_organization_that_is_turned_on_is_read_at_once() {
    let mut bench = Bench::start(World::generate(5, 1, NOW), config()).await;
    assert_eq!(bench.until_confirmed().await.accounts.len(), 5);
    let off = bench.reload(|config| config.organization.enabled = false);
    let alone = bench.until(|orders| orders.generation == off).await;
    assert_eq!(alone.accounts.len(), 1);
    let view = bench.view();
    assert_eq!((view.discovery, view.features), (None, None));
    let lists = bench.lists();
    bench.reload(|config| config.organization.enabled = true);
    bench.until_called("ListAccounts", lists + 1).await;
    bench.until_listed().await;
    assert_eq!(bench.until_confirmed().await.accounts.len(), 5);
}

#[tokio::test]
async fn the_features_are_known_or_unknown_and_never_guessed() {
    let mut bench = Bench::start(World::generate(2, 1, NOW), config()).await;
    bench.until_confirmed().await;
    let features = |bench: &Bench| bench.view().features;
    let both = |on| RootFeatures {
        credentials_management: on,
        sessions: on,
    };
    bench
        .until_so("both on", |bench| features(bench) == Some(both(true)))
        .await;
    bench.world.organization(|it| it.root_access = false);
    bench.hand.advance(INTERVAL);
    bench
        .until_so("both off", |bench| features(bench) == Some(both(false)))
        .await;
    bench
        .world
        .fault(Fault::new(FaultKind::AccessDenied).on("ListOrganizationsFeatures"));
    bench.hand.advance(INTERVAL);
    bench
        .until_so("unknown", |bench| features(bench).is_none())
        .await;
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_reported_and_changes_nothing() {
    let mut bench = Bench::start(World::generate(5, 1, NOW), config()).await;
    bench.until_confirmed().await;
    let works = |bench: &Bench| {
        let view = bench.view();
        view.discovery.is_some_and(|list| list.succeeded)
    };
    bench.until_so("it works", works).await;
    bench
        .world
        .fault(Fault::new(FaultKind::AccessDenied).on("ListAccounts"));
    bench.hand.advance(INTERVAL);
    bench
        .until_so("it is reported", |bench| !works(bench))
        .await;
    assert_eq!(bench.until_confirmed().await.accounts.len(), 5);
    bench.world.clear_faults();
    bench.hand.advance(INTERVAL);
    bench.until_so("it works again", works).await;
}

#[tokio::test]
async fn a_command_gets_the_accounts_or_the_failure() {
    let bench = Bench::start(World::generate(30, 1, NOW), Config::default()).await;
    let Found { list, failure, .. } = once(&config(), &bench.aws, &bench.clock).await;
    assert_eq!((list.accounts.len(), failure), (30, None));
    bench
        .world
        .fault(Fault::new(FaultKind::AccessDenied).on("ListAccounts"));
    let Found { list, failure, .. } = once(&config(), &bench.aws, &bench.clock).await;
    assert!(list.accounts.is_empty() && !list.complete);
    assert_eq!(failure.unwrap().reason, Reason::AccessDenied);
}

#[tokio::test]
async fn discovery_ends_when_the_sender_of_changes_is_dropped() {
    let bench = Bench::start(World::generate(2, 1, NOW), config()).await;
    drop(bench.desired);
    tokio::time::timeout(BOUND, bench.running)
        .await
        .unwrap()
        .unwrap();
}
