//! `serve`: the daemon. Binds its addresses before it calls AWS, and answers no scrape before the
//! values of the state file are published.

use std::error::Error;
use std::fmt::Display;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use exporter_toolkit::{Listeners, Reloads, WebConfig, WebConfigError};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info};

use super::output::USAGE;
use super::reload::{Load, Reloader};
use super::supervise::Tasks;
use super::{reload, runtime, signals, wire};
use crate::build::VERSION;
use crate::clock::Clock;
use crate::config::Config;
use crate::discovery::Discovery;
use crate::events::Events;
use crate::schedule::Schedule;
use crate::state::{Database, Gate, Keeper, State};
use crate::views::{EventStats, Views};

/// What the demo runs the daemon with.
pub(super) struct StandIn {
    /// The URL that replaces AWS.
    pub url: String,
    /// Called once with the address of the pages when the ports are open.
    pub opened: Box<dyn FnOnce(SocketAddr) + Send>,
}

/// Runs the daemon until a signal stops it or one of its tasks ends. `load` reads the configuration
/// again; `stand_in` replaces AWS, for the demo.
pub(super) async fn run(config: Config, load: Load, stand_in: Option<StandIn>) -> ExitCode {
    let ended = try_run(config, load, stand_in).await;
    ended.unwrap_or_else(|code| code)
}

/// As [`run`]. The error is the exit code of a daemon that could not start or lost a task.
async fn try_run(
    config: Config,
    load: Load,
    stand_in: Option<StandIn>,
) -> Result<ExitCode, ExitCode> {
    // Before anything else, so that no signal is missed from here on.
    let listening = signals::ended().and_then(|ended| Ok((ended, signal(SignalKind::hangup())?)));
    let (ended, hangups) = listening.map_err(cannot("listen for signals"))?;
    signals::end_in_time();
    let mut ended = pin!(ended);
    // Clients have a thread of their own, so that they do not delay polls, nor polls clients. The
    // runtime lives as long as the process, because dropping it would wait for blocking work.
    let web = runtime::new().map_err(cannot("start the web server's threads"))?;
    let web: &Runtime = Box::leak(Box::new(web));
    // A port that is in use must be reported before the first call to AWS.
    let opened = tokio::select! {
        opened = web.spawn(open_ports(config.clone())) => opened,
        // Resolving a name to listen on can take long.
        _ = &mut ended => return Ok(ExitCode::SUCCESS),
    };
    let (web_config, listeners) = opened.map_err(cannot("open its ports"))??;
    let stand_in = stand_in.map(|StandIn { url, opened }| {
        if let Some(listener) = listeners.everyone.first() {
            opened(listener.local_addr());
        }
        url
    });
    info!(
        version = VERSION,
        region = config.aws.region,
        region_from = config.aws.region_from,
        "aws-root-exporter starts"
    );

    let clock = Clock::system();
    wire::warn_of_ended_exceptions(&config, &clock);
    let store = Arc::new(Views::new(clock.clone()));
    let started = clock.now();
    store.exporter.note(|view| {
        view.reload.record(true, started);
        view.shard = (config.shard.index, config.shard.total);
        // Before the first scrape, whose series must be those of an earlier process.
        view.events = config.events.queue.as_ref().map(|_| EventStats::default());
    });
    let opened = open_state(&config, &store, &clock);
    let (state, gate, keeper) = opened.map_err(cannot("start"))?;
    let aws = wire::aws(&config, &clock, Some(Arc::clone(&store)), stand_in).await;
    let (reloads, requests) = Reloads::channel();
    let (site, server) = wire::site(&config, &store, web_config.clone(), reloads);

    let (wanted, wants) = watch::channel(wire::wanted(0, Arc::new(config)));
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
    let (notices, from_queue) = mpsc::channel(1);
    let events = Events {
        changes: wanted.subscribe(),
        aws: aws.clone(),
        clock: clock.clone(),
        notices,
        gate: gate.clone(),
        exporter: Arc::clone(&store.exporter),
    };
    tasks.run_until_stopped("events", events.run());
    let schedule = Schedule {
        from_queue,
        orders,
        follows: followed,
        aws,
        views: Arc::clone(&store),
        clock: clock.clone(),
        gate,
        state,
    };
    poll(&mut tasks, schedule, keeper);
    let reloader = Reloader {
        load,
        wanted,
        follows,
        site,
        web_config,
        reads: reload::reads(),
        store,
        clock,
    };
    tasks.run_until_stopped("reloader", reloader.run(hangups, requests));
    let stopped = tasks.stopped();
    tasks.run_on(web.handle(), "web server", async move {
        // No request is answered before all values of the state file are published: a scrape in
        // between would end the series of a root key, and resolve its alert. This waits for the
        // schedule only, which takes the first list at once; an error means that it is gone.
        let _ = begun.changed().await;
        server.serve(listeners, stopped).await;
    });
    let supervised = tasks.supervise(ended).await;
    supervised.map_err(|_| ExitCode::FAILURE)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what the daemon cannot do, and returns the exit code for that.
fn cannot<E: Display>(what: &'static str) -> impl Fn(E) -> ExitCode {
    move |error| {
        eprintln!("aws-root-exporter: cannot {what}: {error}");
        ExitCode::FAILURE
    }
}

/// Runs the schedule and the keeper of its state. The keeper ends after the schedule, so that the
/// last records are saved too.
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
            error!(error = %failure, "the state is not saved any more");
        }
    });
}

/// The web configuration and the bound addresses. Prints what is wrong with either.
async fn open_ports(config: Config) -> Result<(Option<Arc<WebConfig>>, Listeners), ExitCode> {
    // The web configuration first: without it no port is bound.
    let web_config = wire::web_config(&config).map_err(|failure| {
        eprintln!("{failure}");
        match failure {
            WebConfigError::Unreadable { .. } => ExitCode::FAILURE,
            WebConfigError::Invalid { .. } => ExitCode::from(USAGE),
        }
    })?;
    let web = &config.web;
    let listeners = Listeners::open(&web.listen_addresses, web.health_listen_address.as_ref());
    let listeners = listeners.await.map_err(|failure| {
        eprintln!("{failure}");
        ExitCode::FAILURE
    })?;
    Ok((web_config, listeners))
}

/// The saved state, and the gate that publishes to `views` and saves.
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
    let (database, state) = Database::open(path, &clock, wire::schedule(config).limits)?;
    info!(path = %path.display(), accounts = state.accounts.len(), "state read");
    let (gate, keeper) = Gate::keeping(views, clock, database)?;
    Ok((state, gate, Some(keeper)))
}
