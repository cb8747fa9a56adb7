//! The steps of a storm, which follow from its seed alone.

use std::time::Duration;

use aws_simulator::{AccountId, Fault, FaultKind, Operation};
use fastrand::Rng;

use crate::events::{self, EventAct};
use crate::fleet::DAEMONS;
use crate::random::random_fault;

/// How an account is read, which decides its sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Credential report and summary.
    Role,
    /// Those and the lists of a root session.
    Both,
    /// A root session alone: its summary and its lists.
    Root,
}

/// What a root session lists beside the keys.
const DETAILS: [&str; 4] = [
    "GetAccessKeyLastUsed",
    "GetLoginProfile",
    "ListMFADevices",
    "ListSigningCertificates",
];

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Act {
    /// A fault begins.
    Fault(Fault),
    /// The faults of an account end.
    Clear(AccountId),
    /// All faults end.
    ClearAll,
    /// The root user of an account is changed, as these numbers say, and no event says so.
    Change(AccountId, u64),
    /// Something happens to events.
    Event(EventAct),
    /// AWS has no credential report of an account any more, and refuses its next summary: then the
    /// exporter asks for a report long before it would be due.
    NewReport(AccountId),
    /// A daemon is killed.
    Kill(usize),
    /// It is started again.
    Start(usize),
}

/// An act and its time.
#[derive(Clone, Debug)]
pub struct Step {
    pub at: Duration,
    pub act: Act,
}

/// The storm of a seed over these accounts.
pub fn of(seed: u64, length: Duration, accounts: &[(AccountId, Way)]) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed);
    let ids: Vec<AccountId> = accounts.iter().map(|(id, _)| *id).collect();
    let mut down_until = [Duration::ZERO; DAEMONS];
    let mut gone_until = [Duration::ZERO; DAEMONS];
    let mut steps = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += Duration::from_millis(rng.u64(20..250));
        if at >= length {
            break;
        }
        let nth = rng.usize(0..ids.len());
        let act = match rng.u8(0..100) {
            0..37 => Act::Fault(fit(random_fault(&mut rng, &ids))),
            37..40 => {
                let detail = DETAILS[rng.usize(0..DETAILS.len())];
                Act::Fault(Fault::new(FaultKind::NeverAnswer).of(ids[nth]).on(detail))
            }
            40..60 => Act::Clear(ids[nth]),
            60 => Act::ClearAll,
            61..63 => Act::NewReport(ids[nth]),
            63..66 => {
                let daemon = rng.usize(0..DAEMONS);
                if at < down_until[daemon] {
                    continue;
                }
                let again = at + Duration::from_millis(rng.u64(0..2_000));
                // Long enough for a start on a slow machine.
                down_until[daemon] = again + Duration::from_secs(5);
                steps.push(Step {
                    at: again,
                    act: Act::Start(daemon),
                });
                Act::Kill(daemon)
            }
            66..80 => Act::Change(ids[nth], rng.u64(..)),
            80 => {
                let daemon = rng.usize(0..DAEMONS);
                if at < gone_until[daemon] {
                    continue;
                }
                gone_until[daemon] = at + Duration::from_millis(rng.u64(0..5_000));
                steps.push(Step {
                    at: gone_until[daemon],
                    act: Act::Event(EventAct::NewQueue(daemon)),
                });
                Act::Event(EventAct::NoQueue(daemon))
            }
            _ => match events::random(&mut rng, &ids) {
                // There is no queue to write into.
                EventAct::Forge(daemon, _) if at <= gone_until[daemon] => continue,
                act => Act::Event(act),
            },
        };
        steps.push(Step { at, act });
    }
    // A start may be planned before a step that happens earlier.
    steps.sort_by_key(|step| step.at);
    steps
}

/// Keeps wrong `Date`s away from reports: the exporter computes the age of a report from two times of the
/// same answer, and has no other way to know it.
fn fit(fault: Fault) -> Fault {
    match (fault.kind, fault.operation) {
        (FaultKind::DateSkew(_), None | Some(Operation::GetCredentialReport)) => {
            fault.on(Operation::GetAccountSummary)
        }
        _ => fault,
    }
}

#[test]
fn a_seed_always_gives_the_same_storm() {
    let accounts = [
        (test_support::simulated::id(12), Way::Role),
        (test_support::simulated::id(13), Way::Both),
    ];
    let storm = |seed| format!("{:?}", of(seed, Duration::from_secs(60), &accounts));
    assert_eq!(storm(7), storm(7));
    assert_ne!(storm(7), storm(8));
}
