//! `serve`: the daemon, its rooms wired together.

use std::error::Error;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::{oneshot, watch};
use tracing::{error, info};

use super::reload::{Hangups, Load, Reloader};
use super::supervise::{Stopped, Tasks};
use crate::aws::{self, Aws, CallObserver};
use crate::build::VERSION;
use crate::clock::Clock;
use crate::config::Config;
use crate::discovery::{Desired, Discovery};
use crate::failure::Reason;
use crate::schedule::{self, Schedule};
use root_posture::Limits;

use crate::state::{Database, Gate, Keeper, State};
use crate::views::{CallKey, Outcome, Views};
use crate::{metrics, web};

/// How long after a signal the process ends, whatever hangs.
const END_WITHIN: Duration = Duration::from_millis(4_700);

/// Runs the daemon until a signal stops it or one of its tasks ends. `load` reads the configuration again; `stand_in`
/// replaces AWS, for the demo.
pub async fn run(config: Config, load: Load, stand_in: Option<String>) -> ExitCode {
    // Before anything else, so that no signal is missed from here on.
    let (signals, hangups) = match Signals::new().and_then(|stop| Ok((stop, Hangups::new()?))) {
        Ok(signals) => signals,
        Err(failure) => {
            error!(error = %failure, "cannot listen for signals");
            return ExitCode::FAILURE;
        }
    };
    end_in_time();
    let mut signal = pin!(signals.wait());
    // A port that is taken must be told before AWS is asked anything.
    let opened = tokio::select! {
        opened = Web::open(&config) => opened,
        // A name to listen on can take its time.
        _ = &mut signal => return ExitCode::SUCCESS,
    };
    let (web, (guard, listeners, health)) = match opened {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    info!(
        version = VERSION,
        region = config.aws.region,
        region_from = config.aws.region_from,
        "aws-root-exporter starts"
    );

    let clock = Clock::system();
    let store = Arc::new(Views::new(clock.clone()));
    let started = clock.now();
    store.exporter.note(|view| {
        view.reload = (true, started);
        view.shard = (config.shard.index, config.shard.total);
    });
    let (state, gate, keeper) = match open_state(&config, &store, &clock) {
        Ok(opened) => opened,
        Err(refusal) => {
            eprintln!("aws-root-exporter: cannot start: {refusal}");
            return ExitCode::FAILURE;
        }
    };
    let aws = Aws::new(
        &aws::Settings {
            region: config.aws.region.clone(),
            region_from: config.aws.region_from.clone(),
            profile: config.aws.profile.clone(),
            timeout: config.refresh.timeout,
            stand_in,
        },
        Arc::new(CallBook(Arc::clone(&store))),
        clock.clone(),
    )
    .await;

    let config = Arc::new(config);
    let (wanted, wants) = watch::channel(Desired {
        generation: 0,
        settings: settings(&config),
        config: Arc::clone(&config),
    });
    let (discovery, orders) = Discovery::new(
        wants,
        state.meta.caller,
        state.meta.organization.clone(),
        aws.clone(),
        clock.clone(),
        Arc::clone(&store.exporter),
    );
    let mut tasks = Tasks::new();
    tasks.run_until_stopped("discovery", discovery.run());
    let (followed, follows) = watch::channel(0);
    let mut begun = follows.clone();
    let schedule = Schedule {
        orders,
        follows: followed,
        aws,
        views: Arc::clone(&store),
        clock: clock.clone(),
        gate,
        state,
    };
    poll(&mut tasks, schedule, keeper);
    let (reloads, requests) = web::Reloads::channel();
    let site = web::Site::new(Arc::clone(&store), site_settings(&config, reloads));
    let site = Arc::new(site.guarded_by(guard));
    let reloader = Reloader {
        load,
        wanted,
        follows,
        site: Arc::clone(&site),
        store,
        clock,
    };
    tasks.run_until_stopped("reloader", reloader.run(hangups, requests));
    let stopped = tasks.stopped();
    tasks.run_on(&web.handle, "web server", async move {
        // Nobody is answered before all that the state file knows is shown: a scrape in between
        // would end the series of a root key, and with it a page. AWS is not waited for, only the
        // schedule, which takes the first list at once; an error means that it is gone.
        let _ = begun.changed().await;
        web::serve(listeners, health, site, stopped).await;
    });
    match tasks.supervise(signal).await {
        Stopped::BySignal => ExitCode::SUCCESS,
        Stopped::ByEndOf(_) => ExitCode::FAILURE,
    }
}

/// Runs the schedule, and what keeps its state, which ends after it: the last that the schedule
/// hands over is kept as well.
fn poll(tasks: &mut Tasks, schedule: Schedule, keeper: Option<Keeper>) {
    let stopped = tasks.stopped();
    let (polls, polls_end) = oneshot::channel::<()>();
    tasks.run("schedule", async move {
        schedule.run(stopped).await;
        drop(polls);
    });
    let Some(keeper) = keeper else { return };
    tasks.run("state", async move {
        let closed = async { _ = polls_end.await };
        if let Err(failure) = keeper.run(closed).await {
            error!(error = %failure, "the state is not kept any more");
        }
    });
}

/// The runtime of the web side. It does not wait for what blocks when it goes, which in the midst
/// of another runtime it may not.
struct Web {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Web {
    /// Clients have a thread of their own: however many there are and whatever they do, they keep
    /// no refresh waiting, and no refresh keeps them.
    async fn open(config: &Config) -> Result<(Self, Ports), ExitCode> {
        let cannot = |failure: &dyn std::fmt::Display| {
            eprintln!("aws-root-exporter: cannot start the threads that serve: {failure}");
            ExitCode::FAILURE
        };
        let runtime = super::runtime().map_err(|failure| cannot(&failure))?;
        let web = Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        };
        let config = config.clone();
        let ports = web.handle.spawn(async move { open_ports(&config).await });
        let ports = ports.await.map_err(|failure| cannot(&failure))??;
        Ok((web, ports))
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Listens on the addresses of the configuration, unless systemd holds some in their place.
async fn listen(
    config: &Config,
    held: web::Inherited,
) -> Result<(Vec<web::Listener>, Vec<web::Listener>), web::BindError> {
    let mut listeners = held.everyone;
    if listeners.is_empty() {
        for address in &config.web.listen_addresses {
            listeners.extend(web::listen(address).await?);
        }
    }
    let health = match (held.probes, &config.web.health_listen_address) {
        (Some(held), _) => vec![held],
        (None, Some(address)) => web::listen(address).await?,
        (None, None) => Vec::new(),
    };
    Ok((listeners, health))
}

/// What guards the addresses to answer on, those for everybody, and those for probes.
type Ports = (
    Option<Arc<web::WebConfig>>,
    Vec<web::Listener>,
    Vec<web::Listener>,
);

/// The addresses to answer on and what guards them; what is wrong with either has been told.
async fn open_ports(config: &Config) -> Result<Ports, ExitCode> {
    // The guard first: without it no port is bound.
    let guard = open_web_config(config).map_err(|failure| {
        eprintln!("{failure}");
        ExitCode::from(failure.exit_code())
    })?;
    let held = web::inherited().map_err(|failure| {
        eprintln!("{failure}");
        ExitCode::FAILURE
    })?;
    let (listeners, health) = listen(config, held).await.map_err(|failure| {
        eprintln!("{failure}");
        ExitCode::FAILURE
    })?;
    Ok((guard, listeners, health))
}

/// The web configuration file, where one is named.
pub(super) fn open_web_config(
    config: &Config,
) -> Result<Option<Arc<web::WebConfig>>, web::WebConfigError> {
    let path = config.web.config_file.as_deref();
    let opened = path.map(web::WebConfig::open).transpose()?;
    Ok(opened.map(Arc::new))
}

/// What was kept, and the gate that keeps it, which shows it in `views`.
///
/// # Errors
///
/// The process must not start with this state path, or lacks a thread for it.
fn open_state(
    config: &Config,
    views: &Arc<Views>,
    clock: &Clock,
) -> Result<(State, Gate, Option<Keeper>), Box<dyn Error>> {
    let (views, clock) = (Arc::clone(views), clock.clone());
    let Some(path) = &config.state.path else {
        return Ok((State::default(), Gate::new(views, clock), None));
    };
    let (database, state) = Database::open(path, &clock, settings(config).limits)?;
    info!(path = %path.display(), accounts = state.accounts.len(), "state read");
    let (gate, keeper) = Gate::keeping(views, clock, database)?;
    Ok((state, gate, Some(keeper)))
}

/// How the schedule goes by a configuration.
pub(super) fn settings(config: &Config) -> schedule::Settings {
    schedule::Settings {
        concurrency: config.refresh.concurrency,
        timeout: config.refresh.timeout,
        report_timeout: config.refresh.report_timeout,
        limits: Limits {
            interval: config.refresh.interval,
            max_staleness: config.refresh.max_staleness,
            max_live_staleness: config.refresh.max_live_staleness,
        },
        sources: schedule::Sources {
            report: config.sources.credential_report,
            summary: config.sources.account_summary,
        },
        user_detail: config.users.detail,
        max_detail_series: config.users.max_detail_series,
    }
}

fn site_settings(config: &Config, reloads: web::Reloads) -> web::Settings {
    web::Settings {
        telemetry_path: config.web.telemetry_path.clone(),
        max_requests: config.web.max_requests,
        metrics: metrics_options(config),
        limits: web::Limits::default(),
        reloads: Some(reloads),
    }
}

/// What of the metrics is configured.
pub(super) fn metrics_options(config: &Config) -> metrics::Options {
    metrics::Options {
        users_aggregate: config.users.aggregate,
        key_age_days: config.users.key_age_days.clone(),
        unused_days: config.users.unused_days.clone(),
        external_url: config.web.external_url.as_ref().map(ToString::to_string),
    }
}

/// Books the calls to AWS where the metrics find them; the two rooms do not know each other.
struct CallBook(Arc<Views>);

impl CallObserver for CallBook {
    fn record(
        &self,
        service: &'static str,
        operation: &'static str,
        outcome: Result<(), Reason>,
        took: Duration,
    ) {
        let outcome = match outcome {
            Ok(()) => Outcome::Success,
            Err(reason) => Outcome::Failed(reason),
        };
        self.0
            .exporter
            .called(CallKey { service, operation }, outcome, took);
    }
}

/// The signals that end the daemon.
/// Ends the process at the latest when a signal is [`END_WITHIN`] old: from a thread of its own, for
/// a file of credentials that hangs holds up the thread on which the SDK reads it.
fn end_in_time() {
    let watch = move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let Ok(runtime) = builder.enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            if let Ok(signals) = Signals::new() {
                signals.wait().await;
                tokio::time::sleep(END_WITHIN).await;
                eprintln!("aws-root-exporter: not everything stopped in time; ending all the same");
                std::process::exit(0);
            }
        });
    };
    // Without the thread a signal is heeded all the same, unless something hangs.
    let _ = std::thread::Builder::new()
        .name("end".to_owned())
        .spawn(watch);
}

struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    async fn wait(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "listening can fail elsewhere")]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn wait(self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
