//! What was asked, for tests to look at: the last calls in full, and exact counts of all of them.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::account::Inventory;
use super::operation::{Operation, Service};
use super::session::SessionKind;
use crate::account::AccountId;

/// How many calls are kept in full, so that a demo that runs for days stays small.
const KEPT: usize = 100_000;

/// A request that was answered, or that a fault left without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it came, by the simulator's clock.
    pub at: i64,
    /// When it came, by the real clock.
    pub moment: Instant,
    /// Whom it is about: the account to enter or to look up where it names one, else the one
    /// whose credentials it bears.
    pub account: Option<AccountId>,
    /// The service, if that could be told.
    pub service: Option<Service>,
    /// The operation, if the simulator knows it.
    pub operation: Option<Operation>,
    /// The status of the answer; `None` when there was none.
    pub status: Option<u16>,
    /// The error's code, `ReportInProgress` for instance; `None` when it worked or
    /// there was no answer.
    pub error: Option<&'static str>,
    /// Whether it bore an external id.
    pub external_id: bool,
    /// Whose credentials it bore; `None` when they were nobody's.
    pub session: Option<SessionKind>,
    /// Whether the answer went out at once and in full, whatever it says.
    pub whole: bool,
    /// What the answer says of the root user.
    pub says: Option<Said>,
}

/// What an answer says of a root user's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// How many there are; a list says so of its own kind only.
    pub root: Inventory,
    /// The GeneratedTime of the credential report in it.
    pub generated: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Calls {
    last: VecDeque<Call>,
    total: usize,
    counts: HashMap<(Option<AccountId>, Option<Operation>), u64>,
    in_flight: HashMap<AccountId, InFlight>,
}

#[derive(Clone, Copy, Debug, Default)]
struct InFlight {
    now: usize,
    most: usize,
}

impl Calls {
    pub(super) fn note(&mut self, call: Call) {
        *self
            .counts
            .entry((call.account, call.operation))
            .or_default() += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(call);
        self.total += 1;
    }

    /// The kept calls after the first `count` of all.
    pub(super) fn after(&self, count: usize) -> Vec<Call> {
        let gone = self.total - self.last.len();
        self.last
            .iter()
            .skip(count.saturating_sub(gone))
            .cloned()
            .collect()
    }

    pub(super) fn count(&self, account: AccountId, operation: Operation) -> u64 {
        let key = (Some(account), Some(operation));
        self.counts.get(&key).copied().unwrap_or(0)
    }

    pub(super) fn total(&self, operation: Operation) -> u64 {
        self.counts
            .iter()
            .filter(|((_, of), _)| *of == Some(operation))
            .map(|(_, count)| count)
            .sum()
    }

    pub(super) fn clear(&mut self) {
        self.last.clear();
        self.total = 0;
        self.counts.clear();
        for in_flight in self.in_flight.values_mut() {
            in_flight.most = in_flight.now;
        }
    }

    pub(super) fn arrive(&mut self, account: AccountId) {
        let in_flight = self.in_flight.entry(account).or_default();
        in_flight.now += 1;
        in_flight.most = in_flight.most.max(in_flight.now);
    }

    pub(super) fn leave(&mut self, account: AccountId) {
        if let Some(in_flight) = self.in_flight.get_mut(&account) {
            in_flight.now = in_flight.now.saturating_sub(1);
        }
    }

    pub(super) fn most_at_once(&self, account: AccountId) -> usize {
        self.in_flight
            .get(&account)
            .map_or(0, |in_flight| in_flight.most)
    }
}
