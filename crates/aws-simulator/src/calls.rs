//! The calls that were made, for tests.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::id::AccountId;
use crate::model::Inventory;
use crate::operation::Operation;

/// How many calls are kept, so that a demo that runs for days stays small.
const KEPT: usize = 100_000;

/// A request that was answered, or that a fault left without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it came, by the simulator's clock.
    pub at: i64,
    /// When it came, by the real clock.
    pub moment: Instant,
    /// The account that it is about: the one that it names to be entered or described, else the one
    /// of its credentials.
    pub account: Option<AccountId>,
    /// The operation, if the simulator knows it.
    pub operation: Option<Operation>,
    /// The status of the answer; `None` when there was none.
    pub status: Option<u16>,
    /// The error's code, such as `ReportInProgress`; `None` when it worked or there was no answer.
    pub error: Option<&'static str>,
    /// Whether it had an external id.
    pub external_id: bool,
    /// Whether the answer went out at once and in full, whatever its content.
    pub whole: bool,
    /// What the answer says of the root user.
    pub reported: Option<Reported>,
}

/// What an answer says of a root user's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// How many there are; a list says so of its own kind only.
    pub root: Inventory,
    /// The GeneratedTime of the credential report in it.
    pub generated: Option<i64>,
}

#[derive(Debug, Default)]
pub(crate) struct Calls {
    last: VecDeque<Call>,
    total: usize,
    in_flight: HashMap<AccountId, InFlight>,
}

#[derive(Clone, Copy, Debug, Default)]
struct InFlight {
    now: usize,
    most: usize,
}

impl Calls {
    pub(crate) fn record(&mut self, call: Call) {
        if let Some(account) = call.account {
            let in_flight = self.in_flight.entry(account).or_default();
            in_flight.now += 1;
            in_flight.most = in_flight.most.max(in_flight.now);
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(call);
        self.total += 1;
    }

    /// The kept calls after the first `count` of all.
    pub(crate) fn after(&self, count: usize) -> Vec<Call> {
        let dropped = self.total - self.last.len();
        let kept = self.last.iter().skip(count.saturating_sub(dropped));
        kept.cloned().collect()
    }

    /// How many of the kept calls were of an operation, about one account or all.
    pub(crate) fn count(&self, account: Option<AccountId>, operation: Operation) -> u64 {
        let matches = |call: &&Call| {
            call.operation == Some(operation) && (account.is_none() || call.account == account)
        };
        u64::try_from(self.last.iter().filter(matches).count()).unwrap_or(u64::MAX)
    }

    pub(crate) fn end(&mut self, account: AccountId) {
        if let Some(in_flight) = self.in_flight.get_mut(&account) {
            in_flight.now = in_flight.now.saturating_sub(1);
        }
    }

    pub(crate) fn most_at_once(&self, account: AccountId) -> usize {
        self.in_flight.get(&account).map_or(0, |it| it.most)
    }
}
