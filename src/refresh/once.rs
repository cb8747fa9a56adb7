//! One account, looked at once and to the end: what the daemon learns in its first intervals.
//!
//! It is the daemon's own way: the same attempts, the same reading of what they find, the same
//! pauses. What differs is that it ends: a source that fails is tried a few times, a report in the
//! making is waited for, and a look is repeated only where the evidence wants a second.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::{Ask, Found, Task, attempt};
use super::watched::{Now, Watched};
use super::{Settings, Sources};
use crate::account::Account;
use crate::aws::Aws;
use crate::clock::Clock;
use crate::evidence::{Reason, Source};
use crate::posture::{COLD_WAIT, Limits};
use crate::store::AccountView;

/// The interval of a single look: a second one comes half of it to one and a half of it later.
/// IAM's answers agree within seconds of a change.
const INTERVAL: Duration = Duration::from_secs(6);

/// How often a source is tried that fails in a way that may pass.
const TRIES: u32 = 3;

/// A bound for looks that go on contradicting the report.
const MOST_LOOKS: u32 = 6;

/// How a single look goes by the configuration.
#[must_use]
pub fn settings_once(
    limits: Limits,
    sources: Sources,
    concurrency: usize,
    timeout: Duration,
    report_timeout: Duration,
) -> Settings {
    Settings {
        interval: INTERVAL,
        concurrency,
        timeout,
        report_timeout: report_timeout.min(COLD_WAIT),
        limits,
        sources,
        user_detail: false,
        max_detail_series: 0,
    }
}

/// Looks at an account, and again where the first look would lower what its report says.
pub async fn once(
    aws: Arc<Aws>,
    clock: Clock,
    account: Arc<Account>,
    settings: Settings,
) -> AccountView {
    let start = clock.moment();
    let mut watched = Watched::new(Arc::clone(&account), 0, start, start, None, &settings);
    let mut looks = 0;
    while let Some(task) = next(&watched, looks) {
        let due = watched.plan(task).map_or(start, |plan| plan.due);
        clock.sleep_until(due).await;
        let ask = match task {
            Task::Look => {
                looks += 1;
                watched.ask(clock.moment(), &settings)
            }
            Task::Report => Ask::default(),
        };
        let found = attempt(
            Arc::clone(&aws),
            clock.clone(),
            Arc::clone(&account),
            task,
            ask,
            settings.timeout,
        )
        .await;
        let now = Now {
            wall: clock.now(),
            moment: clock.moment(),
            draw: fastrand::f64(),
        };
        match found {
            Found::Look(found) => watched.looked(*found, now, &settings),
            Found::Report(found) => watched.reported(found, now, &settings, 0),
        }
    }
    watched.view_at_the_end(clock.moment(), &settings)
}

/// What is to be done next; `None` when all is done that can be.
fn next(watched: &Watched, looks: u32) -> Option<Task> {
    let unfinished = |task: Task| {
        watched.plan(task).is_some_and(|plan| {
            if !plan.tried {
                return true;
            }
            match task {
                Task::Look => looks < MOST_LOOKS && (wants_look(watched) || passes(watched, task)),
                Task::Report => watched.waits_for_report() || passes(watched, task),
            }
        })
    };
    Task::ALL
        .into_iter()
        .filter(|task| unfinished(*task))
        .min_by_key(|task| watched.plan(*task).map(|plan| plan.due))
}

fn wants_look(watched: &Watched) -> bool {
    watched.wants_look()
        && watched
            .plan(Task::Look)
            .is_some_and(|plan| plan.failures < TRIES)
}

/// Whether the task has failed in a way that may pass, and has tries left.
fn passes(watched: &Watched, task: Task) -> bool {
    let failures = watched.plan(task).map_or(0, |plan| plan.failures);
    let is_of = |source: Source| match task {
        Task::Look => source != Source::CredentialReport,
        Task::Report => source == Source::CredentialReport,
    };
    (1..TRIES).contains(&failures)
        && watched.last_failures().any(|(source, reason)| {
            is_of(source)
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
