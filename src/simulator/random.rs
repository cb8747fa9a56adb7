//! Random faults and random changes of root users, for the storm and the soak.
//!
//! What comes is decided by the generator that is handed in, and by nothing else.

use std::time::Duration;

use fastrand::Rng;

use super::account::{Password, User};
use super::fault::{Fault, FaultKind, LAGGING};
use super::operation::Operation;
use crate::account::AccountId;

/// What the exporter asks.
const ASKED: [Operation; 14] = [
    Operation::GenerateCredentialReport,
    Operation::GetCredentialReport,
    Operation::GetAccountSummary,
    Operation::ListAccessKeys,
    Operation::GetAccessKeyLastUsed,
    Operation::GetLoginProfile,
    Operation::ListMFADevices,
    Operation::ListSigningCertificates,
    Operation::GetCallerIdentity,
    Operation::AssumeRole,
    Operation::AssumeRoot,
    Operation::ListAccounts,
    Operation::DescribeOrganization,
    Operation::ListOrganizationsFeatures,
];

impl Fault {
    /// Any fault, of one of these accounts or now and then of everybody, in one operation or in
    /// all, for a few requests or until it is cleared.
    ///
    /// What would be no fault but another truth is left out: only an account that is entered gives
    /// itself out for another one, never the caller, who is who AWS says he is.
    ///
    /// # Panics
    ///
    /// When there are no accounts.
    #[must_use]
    pub fn random(rng: &mut Rng, accounts: &[AccountId]) -> Self {
        let account = accounts[rng.usize(0..accounts.len())];
        let kind = FaultKind::random(rng, accounts);
        let mut fault = Self::new(kind);
        let is_one_accounts_own =
            matches!(kind, FaultKind::WrongAccount(_) | FaultKind::DateSkew(_));
        if is_one_accounts_own || rng.u8(0..6) > 0 {
            fault = fault.of(account);
        }
        let lags = matches!(kind, FaultKind::Lag(_) | FaultKind::StaleReplica(_));
        let operations: &[Operation] = if lags { &LAGGING } else { &ASKED };
        if rng.bool() {
            fault = fault.on(operations[rng.usize(0..operations.len())]);
        }
        if rng.u8(0..3) > 0 {
            fault = fault.times(rng.u32(1..=5));
        }
        fault
    }
}

impl FaultKind {
    fn random(rng: &mut Rng, accounts: &[AccountId]) -> Self {
        match rng.u8(0..27) {
            0 => Self::Throttling,
            1 => Self::LimitExceeded,
            2 => Self::ServiceFailure,
            3 => Self::Unavailable,
            4 => Self::Torn,
            5 => Self::Refuse,
            6 => Self::NeverAnswer,
            7 => Self::OneByteASecond,
            8 => Self::AccessDenied,
            9 => Self::ExpiredToken,
            10 => Self::InvalidToken,
            11 => Self::WrongAccount(accounts[rng.usize(0..accounts.len())]),
            12 => Self::TruncatedXml,
            13 => Self::TruncatedBase64,
            14 => Self::MalformedCsv,
            15 => Self::ReportNeverCompletes,
            16 => Self::EmptyPageForEver,
            17 => Self::UnknownOperation,
            18 => Self::Delay(Duration::from_millis(rng.u64(50..1_500))),
            19 => Self::DateSkew(rng.i64(-300..=300)),
            20 => Self::NoDate,
            21..24 => Self::Lag(Duration::from_millis(rng.u64(100..6_000))),
            _ => Self::StaleReplica(Duration::from_millis(rng.u64(100..6_000))),
        }
    }
}

impl User {
    /// Any change that a person could make to the root user's credentials. Some change nothing, as
    /// when there is no key to delete.
    pub fn random_change(&mut self, rng: &mut Rng, now: i64) {
        let slot = rng.usize(0..self.keys.len());
        match rng.u8(0..12) {
            0..3 => {
                self.create_key(now);
            }
            3..6 => {
                if let Some(key) = &mut self.keys[slot] {
                    key.active = !key.active;
                }
            }
            6 | 7 => self.keys[slot] = None,
            8 => self.delete_keys(),
            9 => self.mfa = !self.mfa,
            10 => {
                self.password = match self.password {
                    Password::Absent => Password::Present,
                    _ => Password::Absent,
                };
                self.password_last_changed = (self.password == Password::Present).then_some(now);
            }
            _ => {
                if self.certificates[0].take().is_none() {
                    self.upload_certificate(now);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_brings_the_same_faults() {
        let accounts = [
            "000000000012".parse().unwrap(),
            "000000000013".parse().unwrap(),
        ];
        let faults = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..100)
                .map(|_| format!("{:?}", Fault::random(&mut rng, &accounts)))
                .collect::<Vec<_>>()
        };
        assert_eq!(faults(7), faults(7));
        assert_ne!(faults(7), faults(8));
    }

    #[test]
    fn a_root_user_gets_and_loses_everything() {
        let mut rng = Rng::with_seed(1);
        let mut root = User::new("<root_account>", 0);
        let mut seen = std::collections::BTreeSet::new();
        for now in 0..1_000 {
            root.random_change(&mut rng, now);
            let keys = root.keys.iter().flatten();
            seen.insert(("keys", keys.clone().count()));
            seen.insert(("active", keys.filter(|key| key.active).count()));
            seen.insert(("mfa", usize::from(root.mfa)));
            seen.insert(("certificates", root.certificates.iter().flatten().count()));
            seen.insert(("password", usize::from(root.password == Password::Present)));
        }
        assert_eq!(seen.len(), 3 + 3 + 2 + 2 + 2, "{seen:?}");
    }
}
