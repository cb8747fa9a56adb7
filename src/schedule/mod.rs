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
mod notices;
mod once;
mod orders;
mod phase;
mod probe;
mod push;
mod report;
mod sources;
#[cfg(test)]
mod tests;

use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::aws::Aws;
use crate::clock::Clock;
use crate::state::{Gate, State};
use crate::views::Views;

use self::core::{Core, Request};
pub use notices::{FromQueue, Notice, Notices};
pub use once::{once, settings_once, try_sources};
pub use orders::{Absent, AccountList, Orders, Settings, Sources};
use probe::ask;
pub use push::PushSettings;

/// Everything that the schedule needs.
#[derive(Debug)]
pub struct Schedule {
    /// The accounts that it monitors, and how.
    pub orders: watch::Receiver<Orders>,
    /// Receives the generation of the orders that it follows.
    pub follows: watch::Sender<u64>,
    /// What the reader of the queue of events says.
    pub from_queue: mpsc::Receiver<FromQueue>,
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
            mut from_queue,
            aws,
            views,
            clock,
            gate,
            state,
        } = self;
        let settings = orders.borrow().settings;
        let mut core = Core::new(settings, state, views, clock.clone(), gate);
        // Dropping it cancels the questions in flight.
        let mut in_flight = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        let mut orders_end = false;
        follows.send_replace(core.take_orders(orders.borrow_and_update().clone()));
        loop {
            core.turn();
            for request in core.requests() {
                match request {
                    Request::Ask {
                        run,
                        account,
                        question,
                    } => {
                        let timeout = core.settings.timeout;
                        let asking = ask(aws.clone(), clock.clone(), account, question, timeout);
                        in_flight.spawn(async move { (run, asking.await) });
                    }
                    Request::Forget(id) => aws.forget(id),
                }
            }
            let wake = core.next_wake();
            tokio::select! {
                () = &mut shutdown => return core.save(),
                Some(ended) = in_flight.join_next() => {
                    let (run, observation) =
                        ended.unwrap_or_else(|error| resume_unwind(error.into_panic()));
                    core.observed(run, observation);
                }
                changed = orders.changed(), if !orders_end => match changed {
                    Ok(()) => {
                        let newest = orders.borrow_and_update().clone();
                        follows.send_replace(core.take_orders(newest));
                    }
                    Err(_) => orders_end = true,
                },
                Some(message) = from_queue.recv(), if core.is_listed() => core.take(message),
                () = clock.sleep_until(wake) => {}
            }
        }
    }
}
