//! Turns a `Config` into the settings of each part of the program. It decides nothing, and has no
//! default of its own.

use std::sync::Arc;

use exporter_toolkit::{Reloads, Server, WebConfig, WebConfigError};
use root_posture::Limits;
use tracing::warn;

use crate::account::{Access, Account, AccountId};
use crate::aws::{self, Aws, CallObserver};
use crate::clock::Clock;
use crate::config::Config;
use crate::discovery::Desired;
use crate::schedule::PushSettings;
use crate::site::Site;
use crate::views::{CallKey, Views};
use crate::{metrics, schedule};

/// AWS as the configuration reaches it. Calls are counted in `views`; a command has none. `stand_in`
/// replaces AWS, for the demo.
pub(super) async fn aws(
    config: &Config,
    clock: &Clock,
    views: Option<Arc<Views>>,
    stand_in: Option<String>,
) -> Aws {
    let settings = aws::Settings {
        caller: config.aws.clone(),
        timeout: config.refresh.timeout,
        stand_in,
    };
    let observer = views.map(|views| -> CallObserver {
        Box::new(move |service, operation, outcome, took| {
            let key = CallKey { service, operation };
            views.exporter.called(key, outcome, took);
        })
    });
    Aws::new(&settings, observer, clock.clone()).await
}

/// An account as the configuration lists it, or with its id, Region and access alone.
pub(super) fn account(
    config: &Config,
    id: AccountId,
    region: &str,
    access: Option<Access>,
) -> Account {
    let listed = config.accounts.iter().find(|account| account.id == id);
    listed.cloned().unwrap_or_else(|| Account {
        id,
        name: String::new(),
        region: region.to_owned(),
        access,
        root_session: false,
        labels: Arc::default(),
        exceptions: config.exceptions.get(&id).cloned().unwrap_or_default(),
        details: Arc::default(),
    })
}

/// What discovery and the schedule are to do, from the `generation`th configuration of this process.
pub(super) fn wanted(generation: u64, config: Arc<Config>) -> Desired {
    Desired {
        generation,
        settings: schedule(&config),
        config,
    }
}

/// Logs a warning for each exception that has ended.
pub(super) fn warn_of_ended_exceptions(config: &Config, clock: &Clock) {
    for (account, exception) in config.ended_exceptions(clock.now()) {
        warn!(%account, key = %exception.key, until = %exception.until,
            "an exception has ended; its key is reported again");
    }
}

/// The settings of the schedule.
pub(super) fn schedule(config: &Config) -> schedule::Settings {
    schedule::Settings {
        concurrency: config.refresh.concurrency,
        timeout: config.refresh.timeout,
        report_timeout: config.refresh.report_timeout,
        limits: Limits {
            interval: config.refresh.interval,
            in_force: config.refresh.interval,
            max_staleness: config.refresh.max_staleness,
            max_live_staleness: config.refresh.max_live_staleness,
        },
        sources: schedule::Sources {
            report: config.sources.credential_report,
            summary: config.sources.account_summary,
        },
        user_detail: config.users.detail,
        max_detail_series: config.users.max_detail_series,
        push: config.events.queue.as_ref().map(|_| PushSettings {
            relaxed_interval: config.events.relaxed_interval,
            echo_timeout: config.events.echo_timeout,
        }),
    }
}

/// What clients get, and the server that gives it to them.
pub(super) fn site(
    config: &Config,
    views: &Arc<Views>,
    web_config: Option<Arc<WebConfig>>,
    reloads: Reloads,
) -> (Arc<Site>, Server) {
    let path = &config.web.telemetry_path;
    let site = Arc::new(Site::new(Arc::clone(views), path, metrics(config)));
    let settings = exporter_toolkit::Settings {
        telemetry_path: path.clone(),
        max_requests: config.web.max_requests,
        web_config,
        reloads: Some(reloads),
        ..exporter_toolkit::Settings::default()
    };
    let server = Server::new(Arc::clone(&site) as _, settings);
    (site, server)
}

/// The options of the metrics.
pub(super) fn metrics(config: &Config) -> metrics::Options {
    metrics::Options {
        users_aggregate: config.users.aggregate,
        key_age_days: config.users.key_age_days.clone(),
        unused_days: config.users.unused_days.clone(),
        external_url: config.web.external_url.as_ref().map(ToString::to_string),
    }
}

/// The web configuration file (TLS, passwords, headers), where one is named.
pub(super) fn web_config(config: &Config) -> Result<Option<Arc<WebConfig>>, WebConfigError> {
    let path = config.web.config_file.as_deref();
    Ok(path.map(WebConfig::open).transpose()?.map(Arc::new))
}
