//! Random faults and random changes of root users, for the example and for the storm.
//!
//! The same generator gives the same ones.

use std::time::Duration;

use aws_simulator::{AccountId, Fault, FaultKind, Operation, Service, User};
use fastrand::Rng;

/// Any fault, of one of these accounts or now and then of all, in one operation or in all, for a few
/// requests or until it is cleared.
///
/// No operation of SQS is chosen by itself, but a fault in all operations concerns those too.
///
/// What would be no fault but another truth is left out: only an account that is entered can claim to be
/// another one, never the caller's own.
///
/// # Panics
///
/// When there are no accounts.
#[must_use]
pub fn random_fault(rng: &mut Rng, accounts: &[AccountId]) -> Fault {
    let account = accounts[rng.usize(0..accounts.len())];
    let kind = random_kind(rng, accounts);
    let mut fault = Fault::new(kind);
    let needs_an_account = matches!(kind, FaultKind::WrongAccount(_) | FaultKind::DateSkew(_));
    if needs_an_account || rng.u8(0..6) > 0 {
        fault = fault.of(account);
    }
    let lags = matches!(kind, FaultKind::Lag(_) | FaultKind::StaleReplica(_));
    if rng.bool() {
        let operations = Operation::ALL.iter().copied();
        let operations = operations.filter(|one| one.service() != Service::Sqs);
        let operations: Vec<_> = operations.filter(|one| !lags || kind.fits(*one)).collect();
        fault = fault.on(operations[rng.usize(0..operations.len())]);
    }
    if rng.u8(0..3) > 0 {
        fault = fault.times(rng.u32(1..=5));
    }
    fault
}

/// Makes any change that a person could make to the root user's credentials; some change nothing, as
/// when there is no key to delete.
pub fn random_change(rng: &mut Rng, root: &mut User, now: i64) {
    let slot = rng.usize(0..root.keys.len());
    match rng.u8(0..12) {
        0..3 => {
            root.create_key(now);
        }
        3..6 => {
            if let Some(key) = &mut root.keys[slot] {
                key.active = !key.active;
            }
        }
        6 | 7 => root.keys[slot] = None,
        8 => root.delete_keys(),
        9 => root.mfa = !root.mfa,
        10 => {
            root.password = !root.password;
            root.password_last_changed = root.password.then_some(now);
        }
        _ => {
            if root.certificates[0].take().is_none() {
                root.upload_certificate(now);
            }
        }
    }
}

fn random_kind(rng: &mut Rng, accounts: &[AccountId]) -> FaultKind {
    use FaultKind as K;
    match rng.u8(0..27) {
        0 => K::Throttling,
        1 => K::LimitExceeded,
        2 => K::ServiceFailure,
        3 => K::Unavailable,
        4 => K::Torn,
        5 => K::Refuse,
        6 => K::NeverAnswer,
        7 => K::OneByteASecond,
        8 => K::AccessDenied,
        9 => K::ExpiredToken,
        10 => K::InvalidToken,
        11 => K::WrongAccount(accounts[rng.usize(0..accounts.len())]),
        12 => K::TruncatedXml,
        13 => K::TruncatedBase64,
        14 => K::MalformedCsv,
        15 => K::ReportNeverCompletes,
        16 => K::EmptyPageForEver,
        17 => K::UnknownOperation,
        18 => K::Delay(Duration::from_millis(rng.u64(50..1_500))),
        19 => K::DateSkew(rng.i64(-300..=300)),
        20 => K::NoDate,
        21..24 => K::Lag(Duration::from_millis(rng.u64(100..6_000))),
        _ => K::StaleReplica(Duration::from_millis(rng.u64(100..6_000))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let accounts = [
            "000000000012".parse().unwrap(),
            "000000000013".parse().unwrap(),
        ];
        let faults = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..100)
                .map(|_| format!("{:?}", random_fault(&mut rng, &accounts)))
                .collect::<Vec<_>>()
        };
        assert_eq!(faults(7), faults(7));
        assert_ne!(faults(7), faults(8));
    }

    #[test]
    fn every_credential_comes_and_goes() {
        let mut rng = Rng::with_seed(1);
        let mut root = User::new("<root_account>", 0);
        let mut seen = std::collections::BTreeSet::new();
        for now in 0..1_000 {
            random_change(&mut rng, &mut root, now);
            let keys = root.keys.iter().flatten();
            seen.insert(("keys", keys.clone().count()));
            seen.insert(("active", keys.filter(|key| key.active).count()));
            seen.insert(("mfa", usize::from(root.mfa)));
            seen.insert(("certificates", root.certificates.iter().flatten().count()));
            seen.insert(("password", usize::from(root.password)));
        }
        assert_eq!(seen.len(), 3 + 3 + 2 + 2 + 2, "{seen:?}");
    }
}
