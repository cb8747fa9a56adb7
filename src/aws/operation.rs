//! The operations of AWS, by their service and name. Knows nothing of how they are called.

use std::fmt;

/// An operation of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub service: &'static str,
    pub name: &'static str,
}

impl Operation {
    pub const fn iam(name: &'static str) -> Self {
        let service = "iam";
        Self { service, name }
    }

    pub const fn sts(name: &'static str) -> Self {
        let service = "sts";
        Self { service, name }
    }

    pub const fn organizations(name: &'static str) -> Self {
        let service = "organizations";
        Self { service, name }
    }

    /// Whether it may be sent twice: reading and opening sessions may. Each deletion must be known
    /// of.
    pub fn may_be_repeated(self) -> bool {
        !self.name.starts_with("Delete")
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.name)
    }
}
