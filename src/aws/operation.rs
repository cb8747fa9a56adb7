//! The operations of AWS by service and name. Nothing here calls them.

use std::fmt;

use crate::failure::{Failure, Reason};

/// An operation of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub service: &'static str,
    pub name: &'static str,
}

impl Operation {
    pub const fn new(service: &'static str, name: &'static str) -> Self {
        Self { service, name }
    }

    pub const fn iam(name: &'static str) -> Self {
        Self::new("iam", name)
    }

    /// The failure of an answer that cannot be used.
    pub fn bad_answer(self, problem: &str) -> Failure {
        Failure::new(Reason::Other, format!("{self}: {problem}"))
    }

    /// Whether it may be sent twice. A deletion may not: the record of each must be exact.
    pub fn may_be_repeated(self) -> bool {
        !self.name.starts_with("Delete")
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.name)
    }
}
