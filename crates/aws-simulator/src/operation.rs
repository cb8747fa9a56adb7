//! The operations that the simulator knows, by AWS's names, and their services.

use std::fmt;

/// A service of AWS, as the credential scope of a signed request names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// IAM, API version 2010-05-08.
    Iam,
    /// STS, API version 2011-06-15.
    Sts,
    /// Organizations, API version 2016-11-28.
    Organizations,
    /// SQS, API version 2012-11-05.
    Sqs,
}

impl Service {
    const ALL: [Self; 4] = [Self::Iam, Self::Sts, Self::Organizations, Self::Sqs];

    /// The service of that signing name.
    pub(crate) fn of_scope(scope: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|service| service.scope() == scope)
    }

    /// Its name in credential scopes and in the names of permissions.
    pub(crate) fn scope(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::Organizations => "organizations",
            Self::Sqs => "sqs",
        }
    }

    /// The API version its requests name.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
            Self::Organizations => "2016-11-28",
            Self::Sqs => "2012-11-05",
        }
    }
}

macro_rules! operations {
    ($($service:ident: $($name:ident),+;)+) => {
        /// An operation of IAM, STS, Organizations or SQS that the simulator answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "AWS's names, documented by AWS")]
        pub enum Operation { $($($name),+),+ }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$($(Self::$name),+),+];

            /// Its name at AWS.
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
    };
}

operations! {
    Iam: GenerateCredentialReport, GetCredentialReport, GetAccountSummary, ListAccessKeys,
        GetAccessKeyLastUsed, GetLoginProfile, ListMFADevices, ListSigningCertificates,
        ListOrganizationsFeatures, DeleteAccessKey, DeleteSigningCertificate, DeleteLoginProfile,
        DeactivateMFADevice;
    Sts: GetCallerIdentity, AssumeRole, AssumeRoot;
    Organizations: ListAccounts, ListTagsForResource, DescribeOrganization, ListRoots,
        ListOrganizationalUnitsForParent, ListAccountsForParent;
    Sqs: ReceiveMessage, DeleteMessage, DeleteMessageBatch, GetQueueAttributes, SendMessage,
        SendMessageBatch;
}

impl Operation {
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|operation| operation.as_str() == name)
    }
}

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
        Self::of_name(name).unwrap_or_else(|| panic!("the simulator has no operation {name:?}"))
    }
}
