//! One account polled once and to the end: what the daemon learns in its first intervals.
//!
//! It is the daemon's own way: the same questions, the same reading of the answers, the same
//! judgement and the same pauses. What differs is that it ends: a probe that fails is tried a few
//! times, a report in the making is waited for, and a poll is repeated only where another answer
//! would decide something.

use std::sync::Arc;
use std::time::Duration;

use root_posture::{FIRST_REPORT_WAIT, Limits, Source};
use tokio::task::JoinSet;

use super::account::{Context, Monitored, Now};
use super::orders::Settings;
use super::probe::{Finding, Probe, ask};
use crate::account::Account;
use crate::aws::Aws;
use crate::clock::Clock;
use crate::failure::{Failure, Reason};
use crate::views::AccountView;

/// The interval of a single poll: a second one comes half of it to one and a half of it later.
/// IAM's answers agree within seconds of a change.
const INTERVAL: Duration = Duration::from_secs(6);

/// How often a probe is tried that fails in a way that may pass.
const TRIES: u32 = 3;

/// A bound for answers that go on contradicting each other.
const MOST_POLLS: u32 = 6;

/// How a single poll goes by the configuration.
#[must_use]
pub fn settings_once(settings: &Settings) -> Settings {
    Settings {
        limits: Limits {
            interval: INTERVAL,
            ..settings.limits
        },
        report_timeout: settings.report_timeout.min(FIRST_REPORT_WAIT),
        user_detail: false,
        max_detail_series: 0,
        ..*settings
    }
}

/// Polls an account, and again where the first answers would lower what its report says.
pub async fn once(
    aws: Aws,
    clock: Clock,
    account: Arc<Account>,
    settings: Settings,
) -> AccountView {
    let start = clock.moment();
    let mut monitored = Monitored::new(account, 0, start, start, None, &settings);
    let now = || Now {
        wall: clock.now(),
        moment: clock.moment(),
        draw: fastrand::f64(),
    };
    let mut runs = [0; Probe::COUNT];
    while let Some(probe) = next(&monitored, &runs, now(), &settings) {
        let due = monitored.plan(probe).map_or(start, |plan| plan.due);
        clock.sleep_until(due).await;
        runs[probe as usize] += 1;
        let mut asking = JoinSet::new();
        for question in monitored.questions(probe) {
            asking.spawn(ask(
                aws.clone(),
                clock.clone(),
                Arc::clone(&monitored.account),
                question,
                settings.timeout,
            ));
        }
        let mut failed = false;
        while let Some(observed) = asking.join_next().await {
            // A defect of ours must not be taken for an answer.
            let observation =
                observed.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            failed |= observation.outcome.is_err();
            let context = Context {
                now: now(),
                settings: &settings,
                room: 0,
            };
            monitored.observe(observation, &context);
        }
        monitored.ended(probe, failed, now(), &settings);
    }
    monitored.stop_waiting(clock.moment(), &settings);
    monitored.view()
}

/// Tries each source of an account once: what the daemon would say of its first attempt. A report
/// that AWS is still making is no failure.
pub async fn try_sources(
    aws: Aws,
    clock: Clock,
    account: Arc<Account>,
    settings: Settings,
) -> Vec<(Source, Result<(), Failure>)> {
    let monitored = Monitored::new(
        Arc::clone(&account),
        0,
        clock.moment(),
        clock.moment(),
        None,
        &settings,
    );
    let mut tried = Vec::new();
    for source in Source::ALL {
        if !settings.sources.uses(&account, source) {
            continue;
        }
        let probes: &[Probe] = match source {
            Source::CredentialReport => &[Probe::Report],
            Source::AccountSummary => &[Probe::Summary],
            // Where nothing else reads the summary, the root session does.
            Source::RootSession if account.access.is_none() => &[Probe::RootKeys, Probe::Summary],
            Source::RootSession => &[Probe::RootKeys],
        };
        let mut outcome = Ok(());
        let probes = probes
            .iter()
            .filter(|probe| monitored.plan(**probe).is_some());
        for question in probes.flat_map(|probe| monitored.questions(*probe)) {
            let observed = ask(
                aws.clone(),
                clock.clone(),
                Arc::clone(&account),
                question,
                settings.timeout,
            )
            .await;
            outcome = outcome.and(observed.outcome.and_then(|finding| match finding {
                // The next report would be missing, hours from now.
                Finding::Report(read) => read.refused.map_or(Ok(()), Err),
                _ => Ok(()),
            }));
        }
        tried.push((source, outcome));
    }
    tried
}

/// What is to be done next; `None` when all is done that can be.
fn next(
    monitored: &Monitored,
    runs: &[u32; Probe::COUNT],
    now: Now,
    settings: &Settings,
) -> Option<Probe> {
    let in_doubt = monitored.wants_another_poll(now.moment, settings);
    let unfinished = monitored.plans().filter(|(probe, plan)| {
        let runs = runs[*probe as usize];
        let again = in_doubt && plan.failures < TRIES || passes(monitored, *probe, plan.failures);
        match probe {
            Probe::Report => {
                runs == 0 || monitored.awaits_report() || passes(monitored, *probe, plan.failures)
            }
            Probe::RootDetail => monitored.has_list() && (runs == 0 || in_doubt && runs < TRIES),
            Probe::Summary | Probe::RootKeys => runs == 0 || runs < MOST_POLLS && again,
        }
    });
    unfinished
        // The report first: what is answered after it may refute it.
        .min_by_key(|(probe, plan)| (plan.due, *probe != Probe::Report))
        .map(|(probe, _)| probe)
}

/// Whether the probe has failed in a way that may pass, and has tries left.
fn passes(monitored: &Monitored, probe: Probe, failures: u32) -> bool {
    let source = match probe {
        Probe::Summary => Source::AccountSummary,
        Probe::RootKeys | Probe::RootDetail => Source::RootSession,
        Probe::Report => Source::CredentialReport,
    };
    (1..TRIES).contains(&failures)
        && monitored.last_failures().any(|(failed, reason)| {
            failed == source
                && matches!(
                    reason,
                    Reason::Throttled
                        | Reason::Timeout
                        | Reason::Network
                        | Reason::Service
                        | Reason::LimitExceeded
                )
        })
}
