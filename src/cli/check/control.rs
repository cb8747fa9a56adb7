//! The controls that `check` tests on each account, for formats that have a result for each: what is
//! tested, by which standards, and with which outcome.

use super::checked::{Checked, CheckedAccount};
use super::text;
use crate::advice::Finding;
use crate::cli::args::CheckFinding;
use root_posture::Timestamp;

/// A control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// The root user has no access key.
    Keys,
    /// The root user has MFA.
    Mfa,
}

/// The outcome of a control on an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It holds.
    Pass,
    /// It does not hold, and the configuration accepts that.
    Accepted,
    /// It does not hold.
    Fail(Finding),
    /// It is not known whether it holds.
    Unknown,
}

impl Control {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Keys, Self::Mfa];

    /// Its name for programs, which never changes.
    pub fn id(self) -> &'static str {
        match self {
            Self::Keys => "root-access-keys",
            Self::Mfa => "root-mfa",
        }
    }

    /// What holds where it passes.
    pub fn title(self) -> &'static str {
        match self {
            Self::Keys => "The root user has no access key",
            Self::Mfa => "The root user has MFA",
        }
    }

    /// Its number in Security Hub.
    pub fn number(self) -> &'static str {
        match self {
            Self::Keys => "IAM.4",
            Self::Mfa => "IAM.9",
        }
    }

    /// The requirements that it is evidence for, as in docs/compliance.md.
    pub fn requirements(self) -> &'static [&'static str] {
        match self {
            Self::Keys => &[
                "CIS AWS Foundations Benchmark v3.0.0 1.4",
                "CIS AWS Foundations Benchmark v5.0.0 1.3",
                "AWS Security Hub IAM.4",
                "AWS Config iam-root-access-key-check",
            ],
            Self::Mfa => &[
                "CIS AWS Foundations Benchmark v3.0.0 1.5",
                "CIS AWS Foundations Benchmark v5.0.0 1.4",
                "AWS Security Hub IAM.9",
                "AWS Config root-account-mfa-enabled",
            ],
        }
    }

    /// The alert about it, which names its runbook.
    pub fn alert(self, outcome: Outcome) -> &'static str {
        match (outcome, self) {
            (Outcome::Fail(finding), _) => finding.alert(),
            (Outcome::Unknown, _) => Finding::Unknown.alert(),
            (_, Self::Keys) => Finding::KeyActive.alert(),
            (_, Self::Mfa) => Finding::NoMfa.alert(),
        }
    }

    /// Its outcome.
    pub fn outcome(self, checked: &Checked) -> Outcome {
        let Checked::Account(account) = checked else {
            return Outcome::Unknown;
        };
        let findings = account.findings();
        let has = |finding| findings.contains(&finding);
        match self {
            Self::Keys if account.is_accepted() => Outcome::Accepted,
            Self::Keys if has(CheckFinding::Active) => Outcome::Fail(Finding::KeyActive),
            Self::Keys if has(CheckFinding::Present) => Outcome::Fail(Finding::KeyInactive),
            Self::Keys if has(CheckFinding::Unknown) => Outcome::Unknown,
            Self::Mfa if has(CheckFinding::Mfa) => Outcome::Fail(Finding::NoMfa),
            Self::Mfa if !has_mfa_or_needs_none(account) => Outcome::Unknown,
            _ => Outcome::Pass,
        }
    }

    /// What was found, in a line.
    pub fn detail(self, checked: &Checked, now: Timestamp) -> String {
        let account = match checked {
            Checked::Account(account) => account,
            Checked::Unread { why, .. } => return why.clone(),
        };
        match self {
            Self::Keys => text::key_lines(account, now).join("; "),
            Self::Mfa => {
                let posture = &account.view.posture;
                match (
                    account.value(posture.mfa_enabled),
                    account.value(posture.password_enabled),
                ) {
                    (Some(0), Some(0)) => "no MFA, and no password to sign in with".to_owned(),
                    (Some(0), _) => "no MFA".to_owned(),
                    (Some(_), _) => "MFA is on".to_owned(),
                    (None, _) if account.has_no_root_credentials() => {
                        "accounts of this partition have no root user credentials".to_owned()
                    }
                    (None, _) => "unknown".to_owned(),
                }
            }
        }
    }
}

fn has_mfa_or_needs_none(account: &CheckedAccount) -> bool {
    let posture = &account.view.posture;
    account.value(posture.mfa_enabled).is_some() || account.has_no_root_credentials()
}
