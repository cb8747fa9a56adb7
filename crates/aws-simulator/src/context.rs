//! A request on its way to the operation that answers it.

use std::time::Duration;

use crate::fault::FaultKind;
use crate::operation::Operation;
use crate::request::Request;
use crate::session::Caller;

/// What an operation needs to know beside the state that it reads.
pub(crate) struct Context<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) operation: Operation,
    pub(crate) request: &'a Request,
    /// The simulator's time.
    pub(crate) now: i64,
    /// How old the root user is that this replica sees.
    pub(crate) lag: Duration,
    pub(crate) faults: &'a [FaultKind],
}

impl Context<'_> {
    pub(crate) fn has(&self, fault: FaultKind) -> bool {
        self.faults.contains(&fault)
    }
}
