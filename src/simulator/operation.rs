//! The operations the simulator knows, by AWS's own names, and the services they belong to.

use std::fmt;
use std::str::FromStr;

/// A service of AWS, as the credential scope of a signed request names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// IAM, API version 2010-05-08.
    Iam,
    /// STS, API version 2011-06-15.
    Sts,
    /// Organizations, API version 2016-11-28.
    Organizations,
}

impl Service {
    /// The service of that signing name.
    pub(super) fn of_scope(scope: &str) -> Option<Self> {
        match scope {
            "iam" => Some(Self::Iam),
            "sts" => Some(Self::Sts),
            "organizations" => Some(Self::Organizations),
            _ => None,
        }
    }

    /// The API version its requests name.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
            Self::Organizations => "2016-11-28",
        }
    }
}

macro_rules! operations {
    ($($service:ident: $($name:ident),+;)+) => {
        /// An operation of IAM, STS or Organizations that the simulator answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "AWS's names, documented by AWS")]
        pub enum Operation { $($($name),+),+ }

        impl Operation {
            /// AWS's name of it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name)),+),+ }
            }

            /// The service it belongs to.
            #[must_use]
            pub fn service(self) -> Service {
                match self { $($(Self::$name => Service::$service),+),+ }
            }
        }

        impl FromStr for Operation {
            type Err = UnknownOperation;

            fn from_str(name: &str) -> Result<Self, UnknownOperation> {
                match name {
                    $($(stringify!($name) => Ok(Self::$name),)+)+
                    _ => Err(UnknownOperation(name.to_owned())),
                }
            }
        }
    };
}

operations! {
    Iam: GenerateCredentialReport, GetCredentialReport, GetAccountSummary, ListAccessKeys,
        GetAccessKeyLastUsed, GetLoginProfile, ListMFADevices, ListSigningCertificates, GetUser,
        ListOrganizationsFeatures, DeleteAccessKey, DeleteSigningCertificate, DeleteLoginProfile, DeactivateMFADevice;
    Sts: GetCallerIdentity, AssumeRole, AssumeRoot;
    Organizations: ListAccounts, ListTagsForResource, DescribeOrganization;
}

/// A name that is no operation of the simulator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulator has no operation {0:?}")]
pub struct UnknownOperation(pub String);

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&str> for Operation {
    /// # Panics
    ///
    /// When there is no such operation: a test that misspells one must fail, not count to zero.
    fn from(name: &str) -> Self {
        name.parse()
            .unwrap_or_else(|unknown: UnknownOperation| panic!("{unknown}"))
    }
}
