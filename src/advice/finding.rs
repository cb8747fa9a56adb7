//! What is wrong with an account, and which alerts are about it.

use std::time::Duration;

use super::accepted;
use crate::views::{AccountView, SourceView};
use root_posture::{Metric, Moment, Partition, Source, Timestamp};
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
    /// The findings of an account at `moment`, which is `now` on the calendar. A key that the
    /// configuration accepts is none.
    pub fn of(view: &AccountView, moment: Moment, now: Timestamp) -> Self {
        let posture = &view.posture;
        let value = |metric: Option<Metric>| metric?.at(moment);
        let active = value(posture.keys_active);
        let present = value(posture.keys_present);
        let fails = |source: &SourceView| source.up == Some(false);
        let failing = view.sources.iter().any(fails);
        let was_readable = view.sources.iter().any(|it| it.last_success.is_some());
        let mut findings = Self::default();
        for (finding, found) in [
            (
                Finding::KeyActive,
                active > Some(accepted::count(view, moment, now)),
            ),
            (
                Finding::Unreadable,
                failing && was_readable && view.sources.iter().all(fails),
            ),
            (
                Finding::NoMfa,
                // As in the alerting rule: root cannot sign in to the console of GovCloud.
                posture.lacks_mfa(moment) && view.account.partition() != Partition::AwsUsGov,
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

/// How well an account can be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sight {
    /// Every source works, or has not failed for long.
    Clear,
    /// A source has failed for two intervals.
    Impaired,
    /// Every live source has failed for two intervals, or the report where it is the only source.
    Blind,
}

impl Sight {
    /// How well an account can be read at `now`, polled every `interval`.
    pub fn of(view: &AccountView, now: Timestamp, interval: Duration) -> Self {
        let has_failed_long = |source: &SourceView| {
            let since = source.failing_since;
            since.is_some_and(|since| now.since(since) >= interval * 2)
        };
        let is_live = |source: &&SourceView| source.source != Source::CredentialReport;
        let mut live = view.sources.iter().filter(is_live).peekable();
        let is_blind = match live.peek() {
            Some(_) => live.all(has_failed_long),
            None => !view.sources.is_empty() && view.sources.iter().all(has_failed_long),
        };
        if is_blind {
            Self::Blind
        } else if view.sources.iter().any(has_failed_long) {
            Self::Impaired
        } else {
            Self::Clear
        }
    }
}

/// Where the runbooks are: the same address as in the alerting rules.
pub(crate) const RUNBOOKS: &str =
    "https://github.com/aws-root-exporter/aws-root-exporter/blob/main/deploy/runbooks/";

/// How recent a use of the root user must be for its alert, as in the alerting rules.
const RECENT: Duration = Duration::from_secs(24 * 3600);

/// How recent other activity of the root user must be for its alert, as in the alerting rules.
const JUST_NOW: Duration = Duration::from_secs(3600);

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
    let mut last = view.activities.last();
    if last.any(|(event, at)| event.gives_a_key() && recent(Some(at))) {
        alerts.push("AWSRootAccessKeyCreated");
    }
    let mut last = view.activities.last();
    if last.any(|(event, at)| !event.gives_a_key() && now.since(at) < JUST_NOW) {
        alerts.push("AWSRootActivity");
    }
    if recent(view.push.tampered) {
        alerts.push("AWSRootPushTampered");
    }
    if view.push.up == Some(false) {
        alerts.push("AWSAccountPushDown");
    }
    alerts
}
