//! The schedule: which account is asked what next, under which deadline, and what becomes of the
//! answers.
//!
//! One task runs the loop in this file; `core` owns all accounts and does no I/O; questions run beside
//! it and hand their observations back, so nothing here needs a lock. Each `(account, probe)` has one plan, the
//! only place where a due time lives. What an answer proves is `root_posture`'s to say; how AWS is
//! asked is `aws`'s; what is on disk before it is shown is the gate's.

mod account;
mod agenda;
mod changes;
mod core;
mod once;
mod orders;
mod phase;
mod probe;
mod report;
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

/// What the schedule works with.
#[derive(Debug)]
pub struct Schedule {
    /// Which accounts it monitors, and how.
    pub orders: watch::Receiver<Orders>,
    /// Where it says the generation of the orders that it follows.
    pub follows: watch::Sender<u64>,
    /// Whom it asks.
    pub aws: Aws,
    /// What is shown of the exporter itself.
    pub views: Arc<Views>,
    /// Its clock.
    pub clock: Clock,
    /// Who keeps and shows what it learns of accounts.
    pub gate: Gate,
    /// What was kept.
    pub state: State,
}

impl Schedule {
    /// Polls all accounts until `shutdown` completes, then hands all that is known to the gate.
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
        let mut asking = Asking {
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
                asking.carry_out(request, &core);
            }
            let wake = core.next_wake();
            tokio::select! {
                () = &mut shutdown => return core.save(),
                Some(ended) = asking.tasks.join_next_with_id() => {
                    if let Some((run, observation)) = asking.ended(ended) {
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

/// The questions that are being asked; they end with it.
struct Asking {
    aws: Aws,
    clock: Clock,
    tasks: JoinSet<Observation>,
    /// What each task asks.
    questions: HashMap<task::Id, Asked>,
}

/// A question that is being asked.
struct Asked {
    run: RunId,
    account: AccountId,
    question: Question,
    at: Moment,
}

impl Asking {
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

    /// What came of a question. A panic is a defect of ours: it costs the question, not the account
    /// and not the process.
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
