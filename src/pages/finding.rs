//! What is wrong with an account.

use crate::views::AccountView;
use root_posture::Metric;
use root_posture::Moment;

/// Something that a person should know of an account. The order is that of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Finding {
    /// A root access key is active.
    KeyActive,
    /// Every source fails, and one of them once worked: somebody may have blinded us.
    Unreadable,
    /// Root has no MFA and may have a password.
    NoMfa,
    /// A root access key exists and is inactive.
    KeyInactive,
    /// A root signing certificate is active.
    Certificate,
    /// Whether there is a key is not known.
    Unknown,
    /// A source fails.
    Failing,
}

/// How urgent something is: what colour and sign a page shows it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Level {
    Critical,
    Warning,
    Unknown,
    Fine,
}

impl Level {
    /// The name of the style.
    pub fn class(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Fine => "fine",
        }
    }
}

impl Finding {
    pub const ALL: [Self; 7] = [
        Self::KeyActive,
        Self::Unreadable,
        Self::NoMfa,
        Self::KeyInactive,
        Self::Certificate,
        Self::Unknown,
        Self::Failing,
    ];

    /// What a badge says.
    pub fn label(self) -> &'static str {
        match self {
            Self::KeyActive => "Active root key",
            Self::Unreadable => "Unreadable",
            Self::NoMfa => "No root MFA",
            Self::KeyInactive => "Inactive root key",
            Self::Certificate => "Root certificate",
            Self::Unknown => "Unknown",
            Self::Failing => "Source failing",
        }
    }

    /// Its name in a URL.
    pub fn slug(self) -> &'static str {
        match self {
            Self::KeyActive => "active",
            Self::Unreadable => "unreadable",
            Self::NoMfa => "no-mfa",
            Self::KeyInactive => "inactive",
            Self::Certificate => "certificate",
            Self::Unknown => "unknown",
            Self::Failing => "failing",
        }
    }

    pub fn level(self) -> Level {
        match self {
            Self::KeyActive | Self::Unreadable | Self::NoMfa => Level::Critical,
            Self::KeyInactive | Self::Certificate => Level::Warning,
            Self::Unknown | Self::Failing => Level::Unknown,
        }
    }

    /// What to do next, in a few words.
    pub fn next_step(self) -> &'static str {
        match self {
            Self::KeyActive => "Delete the key",
            Self::Unreadable => "Find out who cut us off",
            Self::NoMfa => "Enable root MFA",
            Self::KeyInactive => "Delete the inactive key",
            Self::Certificate => "Delete the certificate",
            Self::Unknown => "See why it is unknown",
            Self::Failing => "See what fails",
        }
    }

    /// The alert about it, by which its runbook is named.
    pub fn alert(self) -> &'static str {
        match self {
            Self::KeyActive => "AWSRootAccessKeyActive",
            Self::Unreadable => "AWSAccountUnreadable",
            Self::NoMfa => "AWSRootMFADisabled",
            Self::KeyInactive => "AWSRootAccessKeyPresent",
            Self::Certificate => "AWSRootSigningCertificateActive",
            Self::Unknown => "AWSRootPostureUnknown",
            Self::Failing => "AWSAccountRefreshFailing",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// All that is wrong with an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Findings(u8);

impl Findings {
    /// What is wrong with an account at `moment`.
    pub fn of(view: &AccountView, moment: Moment) -> Self {
        let posture = &view.posture;
        let value = |figure: Option<Metric>| figure?.at(moment);
        let active = value(posture.keys_active);
        let present = value(posture.keys_present);
        let failing = view.sources.iter().any(|source| source.up == Some(false));
        let unreadable = failing
            && view.sources.iter().all(|source| source.up == Some(false))
            && view
                .sources
                .iter()
                .any(|source| source.last_success.is_some());
        let mut findings = Self::default();
        for (finding, found) in [
            (Finding::KeyActive, active > Some(0)),
            (Finding::Unreadable, unreadable),
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
            if found {
                findings.0 |= finding.bit();
            }
        }
        findings
    }

    pub fn has(self, finding: Finding) -> bool {
        self.0 & finding.bit() != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The findings, the worst first.
    pub fn iter(self) -> impl Iterator<Item = Finding> {
        Finding::ALL
            .into_iter()
            .filter(move |finding| self.has(*finding))
    }

    /// The worst of them.
    pub fn worst(self) -> Option<Finding> {
        self.iter().next()
    }

    /// How urgent the account is.
    pub fn level(self) -> Level {
        self.worst().map_or(Level::Fine, Finding::level)
    }

    /// Where the account stands among others, the worst first: by its worst finding, then by the
    /// next, and so on.
    pub fn rank(self) -> u8 {
        // The worst is the lowest bit and must weigh most.
        !self.0.reverse_bits()
    }
}
