//! The schedule: which account is polled next, with which deadline, and what follows from an answer.
//!
//! One task runs the loop in this file; `core` owns all accounts and does no I/O; questions run as
//! tasks of their own and return observations, so nothing here needs a lock. Each `(account, probe)` has
//! one plan, the only place of a due time. The schedule never judges evidence (`root_posture` does),
//! never calls AWS itself (`aws` does), and never decides what must be on disk first (the gate does).

mod account;
mod agenda;
mod core;
mod log;
mod once;
mod orders;
mod phase;
mod probe;
mod report;
mod sources;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use root_posture::{AccountId, Moment};
use tokio::sync::watch;
use tokio::task::{self, JoinError, JoinSet};
use tracing::error;

use crate::aws::Aws;
use crate::clock::Clock;
use crate::failure::{Failure, Reason};
use crate::state::{Gate, State};
use crate::views::Views;

use self::core::{Core, Request};
use agenda::RunId;
pub use once::{once, settings_once, try_sources};
pub use orders::{Absent, AccountList, Orders, Settings, Sources};
use probe::{Observation, Question, ask};

/// Everything that the schedule needs.
#[derive(Debug)]
pub struct Schedule {
    /// The accounts that it monitors, and how.
    pub orders: watch::Receiver<Orders>,
    /// Receives the generation of the orders that it follows.
    pub follows: watch::Sender<u64>,
    /// AWS.
    pub aws: Aws,
    /// The views, for that of the exporter itself.
    pub views: Arc<Views>,
    /// Its clock.
    pub clock: Clock,
    /// Saves and publishes the accounts.
    pub gate: Gate,
    /// The state that an earlier process saved.
    pub state: State,
}

impl Schedule {
    /// Polls all accounts until `shutdown` completes, then saves them.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self {
            mut orders,
            follows,
            aws,
            views,
            clock,
            gate,
            state,
        } = self;
        let settings = orders.borrow().settings;
        let mut core = Core::new(settings, state, views, clock.clone(), gate);
        let mut in_flight = InFlight {
            aws,
            clock: clock.clone(),
            tasks: JoinSet::new(),
            questions: HashMap::new(),
        };
        let mut shutdown = std::pin::pin!(shutdown);
        let mut orders_end = false;
        follows.send_replace(core.take_orders(orders.borrow_and_update().clone()));
        loop {
            core.turn();
            for request in core.requests() {
                in_flight.carry_out(request, &core);
            }
            let wake = core.next_wake();
            tokio::select! {
                () = &mut shutdown => return core.save(),
                Some(ended) = in_flight.tasks.join_next_with_id() => {
                    if let Some((run, observation)) = in_flight.ended(ended) {
                        core.observed(run, observation);
                    }
                }
                changed = orders.changed(), if !orders_end => match changed {
                    Ok(()) => {
                        let newest = orders.borrow_and_update().clone();
                        follows.send_replace(core.take_orders(newest));
                    }
                    Err(_) => orders_end = true,
                },
                () = clock.sleep_until(wake) => {}
            }
        }
    }
}

/// The questions in flight. Dropping it cancels them.
struct InFlight {
    aws: Aws,
    clock: Clock,
    tasks: JoinSet<Observation>,
    questions: HashMap<task::Id, Asked>,
}

struct Asked {
    run: RunId,
    account: AccountId,
    question: Question,
    at: Moment,
}

impl InFlight {
    fn carry_out(&mut self, request: Request, core: &Core) {
        match request {
            Request::Ask {
                run,
                account,
                question,
            } => {
                let asked = Asked {
                    run,
                    account: account.id,
                    question: question.clone(),
                    at: self.clock.moment(),
                };
                let task = self.tasks.spawn(ask(
                    self.aws.clone(),
                    self.clock.clone(),
                    account,
                    question,
                    core.settings().timeout,
                ));
                self.questions.insert(task.id(), asked);
            }
            Request::Forget(id) => self.aws.forget(id),
        }
    }

    /// The observation of a task that ended. A panic is a defect of this program: it fails the question,
    /// not the account and not the process.
    fn ended(
        &mut self,
        ended: Result<(task::Id, Observation), JoinError>,
    ) -> Option<(RunId, Observation)> {
        let task = match &ended {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        let asked = self.questions.remove(&task)?;
        let observation = ended.map_or_else(
            |panic| {
                let (account, question) = (asked.account, asked.question);
                error!(%account, ?question, error = %panic, "a probe panicked; please report this");
                Observation {
                    question,
                    asked: asked.at,
                    skew: None,
                    outcome: Err(Failure::new(
                        Reason::Other,
                        "the probe panicked; please report this with the log",
                    )),
                }
            },
            |(_, observation)| observation,
        );
        Some((asked.run, observation))
    }
}
