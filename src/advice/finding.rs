//! What is wrong with an account, and which alerts are about it.

use std::time::Duration;

use crate::views::{AccountView, SourceView};
use root_posture::{Metric, Moment, Timestamp};
use strum::IntoStaticStr;

/// How urgent something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Level {
    /// Act now.
    Critical,
    /// Act soon.
    Warning,
    /// Something is not known.
    Unknown,
    /// Nothing to do.
    Fine,
}

impl Level {
    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Declares the findings with all that is fixed about each.
macro_rules! findings {
    ($(
        #[doc = $doc:literal]
        $name:ident: $level:ident, $slug:literal, $alert:literal, $label:literal, $next_step:literal;
    )*) => {
        /// Something that a person should know about an account, the most urgent first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Finding {
            $(#[doc = $doc] $name,)*
        }

        impl Finding {
            /// All findings, the worst first.
            pub const ALL: [Self; 7] = [$(Self::$name),*];

            /// How urgent it is.
            pub fn level(self) -> Level {
                match self { $(Self::$name => Level::$level),* }
            }

            /// Its name in a URL.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug),* }
            }

            /// The alert about it, which names its runbook.
            pub fn alert(self) -> &'static str {
                match self { $(Self::$name => $alert),* }
            }

            /// Its name for people.
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label),* }
            }

            /// What to do next, in a few words.
            pub fn next_step(self) -> &'static str {
                match self { $(Self::$name => $next_step),* }
            }
        }
    };
}

findings! {
    /// A root access key is active.
    KeyActive: Critical, "active", "AWSRootAccessKeyActive", "Active root key", "Delete the key";
    /// Every source fails, and one of them once worked: somebody may have removed our access.
    Unreadable: Critical, "unreadable", "AWSAccountUnreadable", "Unreadable",
        "Find out who removed our access";
    /// The root user has no MFA and may have a password.
    NoMfa: Critical, "no-mfa", "AWSRootMFADisabled", "No root MFA", "Enable root MFA";
    /// A root access key exists and is inactive.
    KeyInactive: Warning, "inactive", "AWSRootAccessKeyPresent", "Inactive root key",
        "Delete the inactive key";
    /// A root signing certificate is active.
    Certificate: Warning, "certificate", "AWSRootSigningCertificateActive", "Root certificate",
        "Delete the certificate";
    /// Whether there is a root access key is unknown.
    Unknown: Unknown, "unknown", "AWSRootPostureUnknown", "Unknown", "See why it is unknown";
    /// A source fails.
    Failing: Unknown, "failing", "AWSAccountRefreshFailing", "Source failing", "See what fails";
}

/// The findings of an account: for each of [`Finding::ALL`] whether it has it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Findings(pub(super) [bool; Finding::ALL.len()]);

impl Findings {
    /// The findings of an account at `moment`.
    pub fn of(view: &AccountView, moment: Moment) -> Self {
        let posture = &view.posture;
        let value = |metric: Option<Metric>| metric?.at(moment);
        let active = value(posture.keys_active);
        let present = value(posture.keys_present);
        let fails = |source: &SourceView| source.up == Some(false);
        let failing = view.sources.iter().any(fails);
        let was_readable = view.sources.iter().any(|it| it.last_success.is_some());
        let mut findings = Self::default();
        for (finding, found) in [
            (Finding::KeyActive, active > Some(0)),
            (
                Finding::Unreadable,
                failing && was_readable && view.sources.iter().all(fails),
            ),
            (
                Finding::NoMfa,
                value(posture.mfa_enabled) == Some(0) && value(posture.password_enabled) != Some(0),
            ),
            (
                Finding::KeyInactive,
                present.unwrap_or(0) > active.unwrap_or(0),
            ),
            (
                Finding::Certificate,
                value(posture.certificates_active) > Some(0),
            ),
            (
                Finding::Unknown,
                active.is_none() && view.account.partition().has_root_credentials(),
            ),
            (Finding::Failing, failing),
        ] {
            findings.0[finding as usize] = found;
        }
        findings
    }

    /// Whether this is one of them.
    pub fn has(self, finding: Finding) -> bool {
        self.0[finding as usize]
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        !self.0.contains(&true)
    }

    /// The findings, the worst first.
    pub fn iter(self) -> impl Iterator<Item = Finding> {
        let all = Finding::ALL.into_iter();
        all.filter(move |finding| self.has(*finding))
    }

    /// The worst of them.
    pub fn worst(self) -> Option<Finding> {
        self.iter().next()
    }

    /// How urgent the account is.
    pub fn level(self) -> Level {
        self.worst().map_or(Level::Fine, Finding::level)
    }

    /// The place of the account in a list, the lowest first: by its worst finding, then by the next.
    pub fn rank(self) -> impl Ord {
        self.0.map(|found| !found)
    }
}

/// Where the runbooks are: the same address as in the alerting rules.
pub(crate) const RUNBOOKS: &str =
    "https://github.com/aws-root-exporter/aws-root-exporter/blob/main/deploy/runbooks/";

/// How recent a use of the root user must be for its alert, as in the alerting rules.
const RECENT: Duration = Duration::from_secs(24 * 3600);

/// The alerts about an account, which name its runbooks below [`RUNBOOKS`].
pub(crate) fn alerts(view: &AccountView, findings: Findings, now: Timestamp) -> Vec<&'static str> {
    let recent = |time: Option<Timestamp>| time.is_some_and(|time| now.since(time) < RECENT);
    let root = view.report.as_ref().and_then(|report| report.root.as_ref());
    let mut alerts: Vec<_> = findings.iter().map(Finding::alert).collect();
    if view.root_keys().any(|key| recent(key.last_used)) {
        alerts.push("AWSRootAccessKeyUsed");
    }
    if root.is_some_and(|root| recent(root.password_last_used)) {
        alerts.push("AWSRootConsoleSignIn");
    }
    alerts
}
