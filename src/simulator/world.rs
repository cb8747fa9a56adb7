//! The state of the simulated AWS behind one handle: accounts, organization, faults, calls.
//!
//! One mutex guards it all. It is held for the making of one answer, which takes microseconds
//! and never waits, so it is the standard library's.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::account::Account;
use super::answer::{Failure, Reply, Wire};
use super::calls::{Call, Calls};
use super::fault::{Fault, FaultKind, Faults};
use super::operation::{Operation, Service};
use super::organizations::Organization;
use super::request::Request;
use super::session::{Bearer, Caller, Who, bearer};
use super::{iam, organizations, sts};
use crate::account::AccountId;

/// A simulated AWS. Clones are handles of the same one.
///
/// The closures of the methods run with the world locked: they must not call it again.
#[derive(Clone, Debug)]
pub struct World(Arc<Mutex<State>>);

#[derive(Debug)]
pub(super) struct State {
    /// The account whose credentials every key that the simulator did not give out stands for.
    hub: AccountId,
    /// Access keys of other accounts; when there are any, an unknown key is nobody's.
    callers: HashMap<String, AccountId>,
    pub(super) organization: Organization,
    pub(super) accounts: BTreeMap<AccountId, Account>,
    faults: Faults,
    calls: Calls,
    requests: u64,
}

impl World {
    /// A world of one account, which is the caller's own and its organization's management account.
    #[must_use]
    pub fn new(management: Account) -> Self {
        let hub = management.id();
        Self(Arc::new(Mutex::new(State {
            hub,
            callers: HashMap::new(),
            organization: Organization::new(hub),
            accounts: BTreeMap::from([(hub, management)]),
            faults: Faults::default(),
            calls: Calls::default(),
            requests: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A closure of a test that panicked leaves a state that is odd at worst.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an account, or puts it in the place of the one with its id.
    pub fn add(&self, mut account: Account) {
        account.change(|_| ());
        self.state().accounts.insert(account.id(), account);
    }

    /// Takes an account out of the world; its sessions are worth nothing from then on.
    pub fn remove(&self, id: AccountId) {
        self.state().accounts.remove(&id);
    }

    /// Looks at an account or changes it.
    ///
    /// # Panics
    ///
    /// When there is no such account: a test about nobody must not pass.
    pub fn edit<R>(&self, id: AccountId, edit: impl FnOnce(&mut Account) -> R) -> R {
        let mut state = self.state();
        let Some(account) = state.accounts.get_mut(&id) else {
            panic!("the simulated AWS has no account {id}");
        };
        account.change(edit)
    }

    /// Looks at every account or changes it, in the order of ids.
    pub fn edit_all(&self, mut edit: impl FnMut(&mut Account)) {
        for account in self.state().accounts.values_mut() {
            account.change(&mut edit);
        }
    }

    /// Looks at the organization or changes it.
    pub fn organization<R>(&self, edit: impl FnOnce(&mut Organization) -> R) -> R {
        edit(&mut self.state().organization)
    }

    /// The ids of all accounts, ascending.
    #[must_use]
    pub fn ids(&self) -> Vec<AccountId> {
        self.state().accounts.keys().copied().collect()
    }

    /// The account whose credentials a key from outside stands for.
    #[must_use]
    pub fn hub(&self) -> AccountId {
        self.state().hub
    }

    /// Makes another account the one whose credentials a key from outside stands for.
    pub fn set_hub(&self, id: AccountId) {
        self.state().hub = id;
    }

    /// Says whose each access key from outside is, as for profiles. While the map has entries a
    /// key that is not in it is nobody's.
    pub fn set_callers(&self, callers: HashMap<String, AccountId>) {
        self.state().callers = callers;
    }

    /// Lets something go wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.state().faults.set(fault);
    }

    /// Ends every fault. Answers under way stay as they are.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Ends the faults set for that account alone.
    pub fn clear_faults_of(&self, account: AccountId) {
        self.state().faults.clear_of(account);
    }

    /// The calls so far, oldest first; the last 100,000 of them.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls_after(0)
    }

    /// The calls after the first `count`, oldest first; of the last 100,000.
    #[must_use]
    pub fn calls_after(&self, count: usize) -> Vec<Call> {
        self.state().calls.after(count)
    }

    /// How often an operation was called about an account (see [`Call::account`]).
    ///
    /// # Panics
    ///
    /// When a text is given that is no operation.
    #[must_use]
    pub fn count(&self, account: AccountId, operation: impl Into<Operation>) -> u64 {
        let operation = operation.into();
        self.state().calls.count(account, operation)
    }

    /// How often an operation was called about anybody.
    ///
    /// # Panics
    ///
    /// When a text is given that is no operation.
    #[must_use]
    pub fn total(&self, operation: impl Into<Operation>) -> u64 {
        let operation = operation.into();
        self.state().calls.total(operation)
    }

    /// Forgets the calls so far, counts and overlaps included.
    pub fn clear_calls(&self) {
        self.state().calls.clear();
    }

    /// The most requests about an account that were under way at one time.
    #[must_use]
    pub fn most_at_once(&self, account: AccountId) -> usize {
        self.state().calls.most_at_once(account)
    }

    /// Answers a request. `now` is the simulator's clock.
    pub(super) fn respond(&self, request: &Request, now: i64) -> Outcome {
        let mut state = self.state();
        let service = request.service.unwrap_or(Service::Iam);
        let (own, caller) = state.identify(request, service, now);
        let account = request.target().or(own);
        let operation = request.operation();
        let faults = state.faults.meet(account, operation);
        state.requests += 1;
        let request_id = format!("00000000-0000-4000-8000-{:012x}", state.requests);

        let refusal = faults
            .iter()
            .find(|fault| fault.refuses())
            .map(|fault| Failure::of_fault(*fault, service, &request.name));
        let session = caller.as_ref().ok().map(Caller::kind);
        let lag = state.lag(&faults);
        let result = match (refusal, caller) {
            (Some(failure), _) | (None, Err(failure)) => Err(failure),
            (None, Ok(caller)) => state.dispatch(&caller, request, service, now, lag, &faults),
        };
        let error = result.as_ref().err().map(|failure| failure.code);
        let about = account.and_then(|id| state.accounts.get(&id));
        let says = about
            .zip(operation)
            .and_then(|(about, operation)| iam::says(about, operation, error, now, lag));
        let mut wire = if faults.contains(&FaultKind::Unavailable) {
            Wire::unavailable(request_id)
        } else {
            Wire::of(result, service, operation, request_id)
        };

        let mut delivery = Delivery::Whole;
        let mut delay = Duration::ZERO;
        let mut date = Some(now);
        for fault in &faults {
            match fault {
                FaultKind::TruncatedXml => wire.truncate(),
                FaultKind::EndsBefore(text) => wire.end_before(text),
                FaultKind::Torn => delivery = Delivery::Torn,
                FaultKind::OneByteASecond => delivery = Delivery::OneByteASecond,
                FaultKind::Refuse => delivery = Delivery::Refuse,
                FaultKind::NeverAnswer => delivery = Delivery::Never,
                FaultKind::Delay(by) => delay += *by,
                FaultKind::DateSkew(by) => date = date.map(|date| date + by),
                FaultKind::NoDate => date = None,
                _ => {}
            }
        }
        let answered = !matches!(delivery, Delivery::Refuse | Delivery::Never);
        state.calls.note(Call {
            at: now,
            moment: Instant::now(),
            account,
            service: request.service,
            operation,
            status: answered.then_some(wire.status),
            error: error.filter(|_| answered),
            external_id: request.param("ExternalId").is_some(),
            session,
            whole: answered && faults.iter().all(|fault| fault.leaves_whole()),
            says: says.filter(|_| answered),
        });
        if let Some(account) = account {
            state.calls.arrive(account);
        }
        Outcome {
            wire,
            date,
            delay,
            delivery,
            under_way: account.map(|account| UnderWay {
                world: self.clone(),
                account,
            }),
        }
    }
}

impl State {
    /// Whose credentials a request bears, and whether they are good.
    fn identify(
        &self,
        request: &Request,
        service: Service,
        now: i64,
    ) -> (Option<AccountId>, Result<Caller, Failure>) {
        let (caller, sound) = match bearer(request, service, now) {
            Bearer::Session(caller, sound) => (caller, sound),
            Bearer::Nobody(failure) => return (None, Err(failure)),
            Bearer::Foreign(key) => {
                let account = if self.callers.is_empty() {
                    Some(self.hub)
                } else {
                    self.callers.get(&key).copied()
                };
                let Some(account) = account else {
                    return (None, Err(Failure::invalid_token()));
                };
                let who = Who::Caller;
                (Caller { account, who }, Ok(()))
            }
        };
        let account = caller.account;
        let result = sound.and_then(|()| {
            if self.accounts.contains_key(&account) {
                Ok(caller)
            } else {
                Err(Failure::invalid_token())
            }
        });
        (Some(account), result)
    }

    /// How old the next answer's root user is under these faults.
    fn lag(&self, faults: &[FaultKind]) -> Duration {
        let lags = faults.iter().filter_map(|fault| match fault {
            FaultKind::Lag(by) => Some(*by),
            FaultKind::StaleReplica(by) if self.requests.is_multiple_of(2) => Some(*by),
            _ => None,
        });
        lags.max().unwrap_or_default()
    }

    fn dispatch(
        &mut self,
        caller: &Caller,
        request: &Request,
        service: Service,
        now: i64,
        lag: Duration,
        faults: &[FaultKind],
    ) -> Result<Reply, Failure> {
        let operation = request
            .operation()
            .ok_or_else(|| Failure::unknown_operation(&request.name, service))?;
        self.permit(caller, operation)?;
        match operation.service() {
            _ if operation == Operation::ListOrganizationsFeatures => {
                organizations::features(&self.organization, caller)
            }
            Service::Sts => sts::answer(self, caller, operation, request, now, faults),
            Service::Organizations => {
                organizations::answer(self, caller, operation, request, faults)
            }
            Service::Iam => {
                let account = self
                    .accounts
                    .get_mut(&caller.account)
                    .ok_or_else(Failure::invalid_token)?;
                iam::answer(account, caller, operation, request, now, lag, faults)
            }
        }
    }

    /// What a session may not do is refused before anything is looked at.
    fn permit(&self, caller: &Caller, operation: Operation) -> Result<(), Failure> {
        let Some(account) = self.accounts.get(&caller.account) else {
            return Err(Failure::invalid_token());
        };
        let allowed = match &caller.who {
            Who::Caller => true,
            Who::Root(policy) => policy.allows(operation),
            Who::Role { name, .. } => account
                .roles
                .get(name)
                .is_none_or(|role| !role.denied.contains(&operation)),
        };
        if allowed {
            return Ok(());
        }
        let action = format!(
            "{}:{operation}",
            match operation.service() {
                Service::Iam => "iam",
                Service::Sts => "sts",
                Service::Organizations => "organizations",
            }
        );
        Err(Failure::denied(format!(
            "User: {} is not authorized to perform: {action} on resource: * because no \
             identity-based policy allows the {action} action",
            caller.arn(account.partition)
        )))
    }
}

/// How an answer reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    Torn,
    OneByteASecond,
    Refuse,
    Never,
}

/// An answer and what happens to it on its way.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) wire: Wire,
    pub(super) date: Option<i64>,
    pub(super) delay: Duration,
    pub(super) delivery: Delivery,
    pub(super) under_way: Option<UnderWay>,
}

/// Counts a request as under way until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    world: World,
    account: AccountId,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.world.state().calls.leave(self.account);
    }
}
