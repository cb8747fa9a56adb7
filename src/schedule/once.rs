//! Polls one account once, to the end: the findings of the daemon's first intervals.
//!
//! It uses the daemon's own questions, parsing, judgement and pauses. Unlike the daemon it ends: a
//! failing probe is tried a few times, a report that AWS is making is waited for, and a poll is
//! repeated only where another answer would change a value.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{
    Answer, Evidence, FIRST_REPORT_WAIT, Limits, LiveSource, Moment, Source, Timestamp, Topic,
    Values, judge,
};
use tokio::task::JoinSet;

use super::account::{Context, Monitored, Now};
use super::orders::Settings;
use super::probe::{Finding, Probe, ask};
use crate::account::Account;
use crate::aws::Aws;
use crate::clock::Clock;
use crate::failure::{Failure, Reason};
use crate::views::AccountView;

/// The interval of the polls: a second one comes half of it to one and a half of it later. IAM's
/// answers agree within seconds of a change.
const INTERVAL: Duration = Duration::from_secs(6);

/// How often a probe with a temporary failure is tried.
const TRIES: u32 = 3;

/// A bound on polls whose answers keep contradicting each other.
const MAX_POLLS: u32 = 6;

/// The settings of a single poll under the configured ones.
#[must_use]
pub fn settings_once(settings: &Settings) -> Settings {
    Settings {
        limits: Limits {
            interval: INTERVAL,
            in_force: INTERVAL,
            ..settings.limits
        },
        report_timeout: settings.report_timeout.min(FIRST_REPORT_WAIT),
        user_detail: false,
        max_detail_series: 0,
        push: None,
        ..*settings
    }
}

/// Polls an account, and again where a repeated answer would change a value.
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
        while let Some(ended) = asking.join_next().await {
            let observation = ended.unwrap_or_else(|error| resume_unwind(error.into_panic()));
            failed |= observation.outcome.is_err();
            let context = Context {
                now: now(),
                settings: &settings,
                free_series: 0,
            };
            monitored.observe(observation, &context);
        }
        monitored.ended(probe, failed, now(), &settings);
    }
    monitored.end_first_start(clock.moment(), &settings);
    monitored.view()
}

/// Tries each source of an account once, as the daemon's first attempt would. A report that AWS is
/// still making is no failure.
pub async fn try_sources(
    aws: Aws,
    clock: Clock,
    account: Arc<Account>,
    settings: Settings,
) -> Vec<(Source, Result<(), Failure>)> {
    let now = clock.moment();
    let monitored = Monitored::new(Arc::clone(&account), 0, now, now, None, &settings);
    let mut tried = Vec::new();
    for source in Source::ALL {
        if !settings.sources.uses(&account, source) {
            continue;
        }
        let probes: &[Probe] = match source {
            Source::CredentialReport => &[Probe::Report],
            Source::AccountSummary => &[Probe::Summary],
            // Without another session, the summary is read in the root session.
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

/// The next probe; `None` when all have ended.
fn next(
    monitored: &Monitored,
    runs: &[u32; Probe::COUNT],
    now: Now,
    settings: &Settings,
) -> Option<Probe> {
    let in_doubt = needs_another_poll(monitored, now.moment, settings);
    let unfinished = monitored.plans().filter(|(probe, plan)| {
        let runs = runs[*probe as usize];
        let failed_temporarily = fails_temporarily(monitored, *probe, plan.failures);
        match probe {
            Probe::Report => runs == 0 || monitored.report.pending.is_some() || failed_temporarily,
            Probe::RootDetail => {
                monitored.listed.is_some() && (runs == 0 || in_doubt && runs < TRIES)
            }
            Probe::Summary | Probe::RootKeys => {
                let again = in_doubt && plan.failures < TRIES || failed_temporarily;
                runs == 0 || runs < MAX_POLLS && again
            }
        }
    });
    unfinished
        // The report first: later answers may refute it.
        .min_by_key(|(probe, plan)| (plan.due, *probe != Probe::Report))
        .map(|(probe, _)| probe)
}

/// Whether two more answers like the last ones would change a value, as where they refute a report.
fn needs_another_poll(monitored: &Monitored, now: Moment, settings: &Settings) -> bool {
    let limits = &settings.limits;
    let mut record = monitored.record.clone();
    let mut asked = now;
    for _ in 0..2 {
        asked = asked + settings.interval();
        for source in LiveSource::ALL {
            let answer = Evidence::Answer(same_answer(monitored, source, asked));
            record.take(answer, limits);
        }
    }
    !judge(&record, asked, limits).has_values_of(&monitored.posture)
}

/// The last answer of a live source, as if it were requested again then; empty while it fails.
fn same_answer(monitored: &Monitored, source: LiveSource, asked: Moment) -> Answer {
    let probe = match source {
        LiveSource::Summary => Probe::Summary,
        LiveSource::List => Probe::RootKeys,
    };
    let works = monitored.plan(probe).is_some_and(|it| !it.is_failing());
    let topics = Topic::ALL.into_iter().filter(|_| works);
    let values = topics.fold(Values::default(), |values, topic| {
        let newest = monitored.record.history(source, topic).newest();
        values.with(topic, newest.map(|run| run.value))
    });
    Answer {
        source,
        asked,
        date: Timestamp::default(),
        values,
    }
}

/// Whether a probe has failed in a way that may pass, and has tries left.
fn fails_temporarily(monitored: &Monitored, probe: Probe, failures: u32) -> bool {
    let source = match probe {
        Probe::Summary => Source::AccountSummary,
        Probe::RootKeys | Probe::RootDetail => Source::RootSession,
        Probe::Report => Source::CredentialReport,
    };
    let is_temporary = |reason| {
        matches!(
            reason,
            Reason::Throttled
                | Reason::Timeout
                | Reason::Network
                | Reason::Service
                | Reason::LimitExceeded
        )
    };
    let reason = monitored.sources.down_because(source);
    (1..TRIES).contains(&failures) && reason.is_some_and(is_temporary)
}
