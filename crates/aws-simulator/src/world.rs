//! The simulated AWS behind one handle, and the way of a request through it.
//!
//! One mutex guards it all. It is held while one answer is made, which takes microseconds and never
//! waits, so it is the standard library's.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;

use crate::answer::{Failure, Reply, Wire};
use crate::calls::{Call, Calls};
use crate::context::Context;
use crate::fault::{self, Fault, FaultKind};
use crate::generate;
use crate::id::AccountId;
use crate::model::{Account, Organization, State};
use crate::operation::{Operation, Service};
use crate::queue::{Messages, QueueCounts, QueueSettings, Receive};
use crate::request::Request;
use crate::session::{self, Principal};
use crate::sqs::Queues;
use crate::trail::{self, Trail, TrailCounts};
use crate::{event, iam, organizations, recorded, sqs, sts};

/// A simulated AWS. Clones are handles of the same one.
///
/// The closures of the methods run while the world is locked: they must not call it again.
#[derive(Clone, Debug)]
pub struct World(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    state: State,
    faults: Vec<Fault>,
    calls: Calls,
    requests: u64,
    request_ids: Rng,
    queues: Queues,
    delivery: trail::Delivery,
}

impl World {
    /// A world of one account, the hub: the caller's own and its organization's management account.
    #[must_use]
    pub fn new(management: Account) -> Self {
        let hub = management.id();
        Self(Arc::new(Mutex::new(Inner {
            state: State {
                hub,
                callers: HashMap::new(),
                organization: Organization::new(hub),
                accounts: BTreeMap::from([(hub, management)]),
            },
            faults: Vec::new(),
            calls: Calls::default(),
            requests: 0,
            request_ids: Rng::new(),
            queues: Queues::new(),
            delivery: trail::Delivery::default(),
        })))
    }

    /// An organization of `count` accounts, at least one, as they may be at `now` (Unix seconds).
    ///
    /// The first is the management account and the caller's own; its root user is without fault. A few
    /// of the others have findings: old root keys, a root user without MFA.
    #[must_use]
    pub fn generate(count: usize, seed: u64, now: i64) -> Self {
        let (management, others) = generate::accounts(count, seed, now);
        let world = Self::new(management);
        for account in others {
            world.add(account);
        }
        world
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A closure of a test that panicked leaves a state that is odd at worst.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an account, or replaces the one with its id.
    pub fn add(&self, account: Account) {
        self.lock().state.accounts.insert(account.id(), account);
    }

    /// Reads or changes an account.
    ///
    /// # Panics
    ///
    /// When there is no such account: a test with a wrong id must not pass.
    pub fn edit<R>(&self, id: AccountId, edit: impl FnOnce(&mut Account) -> R) -> R {
        let mut inner = self.lock();
        let Some(account) = inner.state.accounts.get_mut(&id) else {
            panic!("the simulated AWS has no account {id}");
        };
        account.change(edit)
    }

    /// Reads or changes the organization.
    pub fn organization<R>(&self, edit: impl FnOnce(&mut Organization) -> R) -> R {
        edit(&mut self.lock().state.organization)
    }

    /// The ids of all accounts, ascending.
    #[must_use]
    pub fn ids(&self) -> Vec<AccountId> {
        self.lock().state.accounts.keys().copied().collect()
    }

    /// The hub: the account of every access key that the simulator did not give out.
    #[must_use]
    pub fn hub(&self) -> AccountId {
        self.lock().state.hub
    }

    /// Gives each access key from outside an account of its own, as for profiles. While there are any,
    /// a key that is missing is invalid.
    pub fn set_callers(&self, callers: HashMap<String, AccountId>) {
        self.lock().state.callers = callers;
    }

    /// Sets a fault.
    pub fn fault(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Ends every fault. Answers under way stay as they are.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Ends the faults of one account; those of all accounts stay.
    pub fn clear_faults_of(&self, account: AccountId) {
        let mut inner = self.lock();
        inner.faults.retain(|fault| fault.account != Some(account));
    }

    /// The calls so far, oldest first; the last 100,000 of them.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls_after(0)
    }

    /// The calls after the first `count`, oldest first; of the last 100,000.
    #[must_use]
    pub fn calls_after(&self, count: usize) -> Vec<Call> {
        self.lock().calls.after(count)
    }

    /// How many of the last 100,000 calls were of an operation about an account (see [`Call::account`]).
    ///
    /// # Panics
    ///
    /// When a text is given that is no operation.
    #[must_use]
    pub fn count(&self, account: AccountId, operation: impl Into<Operation>) -> u64 {
        self.lock().calls.count(Some(account), operation.into())
    }

    /// How many of the last 100,000 calls were of an operation.
    ///
    /// # Panics
    ///
    /// When a text is given that is no operation.
    #[must_use]
    pub fn total(&self, operation: impl Into<Operation>) -> u64 {
        self.lock().calls.count(None, operation.into())
    }

    /// The most requests about an account that were in flight at one time.
    #[must_use]
    pub fn most_at_once(&self, account: AccountId) -> usize {
        self.lock().calls.most_at_once(account)
    }

    /// Creates an empty queue of the hub, or replaces the one of that name.
    pub fn create_queue(&self, name: impl Into<String>, settings: QueueSettings) -> Queue {
        let name = name.into();
        let messages = Messages::new(settings);
        self.lock().queues.insert(name.clone(), messages);
        self.queue(name)
    }

    /// A queue of the hub.
    ///
    /// # Panics
    ///
    /// When there is no queue of that name, here or in its methods.
    #[must_use]
    pub fn queue(&self, name: impl Into<String>) -> Queue {
        let queue = Queue {
            world: self.clone(),
            name: name.into(),
        };
        queue.with(|_| ());
        queue
    }

    /// Deletes a queue with its messages, if there is one of that name.
    pub fn delete_queue(&self, name: &str) {
        if let Some(queue) = self.lock().queues.remove(name) {
            queue.arrivals.notify_waiters();
        }
    }

    /// Begins the delivery of events, or changes how they are delivered from now on. Accounts whose
    /// delivery was stopped stay so.
    ///
    /// # Panics
    ///
    /// When one of its queues does not exist.
    pub fn trail(&self, trail: Trail) {
        let mut inner = self.lock();
        for name in trail.queues() {
            let exists = inner.queues.contains_key(name);
            assert!(exists, "the simulated AWS has no queue {name:?}");
        }
        inner.delivery.start(trail);
    }

    /// Ends the delivery of the events of all accounts.
    pub fn end_trail(&self) {
        self.lock().delivery.end();
    }

    /// What became of the events so far.
    #[must_use]
    pub fn trail_counts(&self) -> TrailCounts {
        self.lock().delivery.counts()
    }

    /// Ends the delivery of an account's events without an event that says so.
    pub fn cut_delivery(&self, account: AccountId) {
        self.lock().delivery.stopped(account).all = true;
    }

    /// Restarts the delivery of an account's events, whatever ended it.
    pub fn restart_delivery(&self, account: AccountId) {
        self.lock().delivery.restart(account);
    }

    pub(crate) fn delivery(&self, change: impl FnOnce(&mut trail::Delivery)) {
        change(&mut self.lock().delivery);
    }

    /// A new request id.
    pub(crate) fn request_id(&self) -> String {
        event::uuid(&mut self.lock().request_ids)
    }

    /// Changes an account, and delivers the event of it if there is one.
    pub(crate) fn act<R>(
        &self,
        id: AccountId,
        act: impl FnOnce(&mut Account) -> (R, Option<event::Event>),
    ) -> R {
        let mut inner = self.lock();
        let Some(account) = inner.state.accounts.get_mut(&id) else {
            panic!("the simulated AWS has no account {id}");
        };
        let (result, event) = account.change(act);
        if let Some(event) = event {
            let Inner {
                delivery, queues, ..
            } = &mut *inner;
            let matches = delivery.matches(id, &event.subject());
            if matches > 0 {
                delivery.send(&event, matches, queues);
            }
        }
        result
    }

    /// The messages for a waiting `ReceiveMessage` as soon as there are any; `None` when none came in time.
    pub(crate) async fn receive(&self, waiting: &Receive) -> Option<Value> {
        loop {
            let arrivals = {
                let inner = self.lock();
                inner.queues.get(&waiting.queue)?.arrivals.clone()
            };
            let arrival = arrivals.notified();
            tokio::pin!(arrival);
            // Before it is checked for messages, or one that comes in between would be missed.
            arrival.as_mut().enable();
            let now = Instant::now();
            let (received, due) = {
                let mut inner = self.lock();
                let queue = inner.queues.get_mut(&waiting.queue)?;
                let received = queue.receive(waiting.most, waiting.visibility, now);
                (received, queue.next_due())
            };
            if !received.is_empty() {
                return Some(sqs::messages(&received, waiting.with_receive_count));
            }
            if now >= waiting.until {
                return None;
            }
            let wake = due.map_or(waiting.until, |due| due.min(waiting.until));
            tokio::select! {
                () = arrival => {}
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    /// Answers a request. `now` is the simulator's time.
    pub(crate) fn respond(&self, request: &Request, now: i64) -> Outcome {
        let mut inner = self.lock();
        let service = request.service.unwrap_or(Service::Iam);
        let (own, caller) = session::identify(&inner.state, request, service, now);
        let account = request.target().or(own);
        let operation = request.operation();
        let faults = fault::of_request(&mut inner.faults, account, operation);
        inner.requests += 1;
        let request_id = event::uuid(&mut inner.request_ids);
        let lag = lag(&faults, inner.requests);

        let refusal = faults.iter().find(|fault| fault.refuses());
        let result = match (refusal, &caller, operation) {
            (Some(fault), ..) => Err(Failure::of_fault(*fault, service, &request.name)),
            (None, Err(failure), _) => Err(failure.clone()),
            (None, Ok(_), None) => Err(Failure::unknown_operation(&request.name, service)),
            (None, Ok(caller), Some(operation)) => {
                let context = Context {
                    caller,
                    operation,
                    request,
                    now,
                    lag,
                    faults: &faults,
                };
                dispatch(&mut inner, &context)
            }
        };
        if let (Ok(caller), Some(operation)) = (&caller, operation) {
            let call = recorded::ApiCall {
                caller,
                operation,
                request,
                failure: result.as_ref().err(),
                request_id: &request_id,
                now,
            };
            inner.record(&call);
        }
        let error = result.as_ref().err().map(|failure| failure.code);
        let waiting = match &result {
            Ok(Reply::Wait(receive)) => Some(Waiting {
                receive: receive.clone(),
                faults: faults.clone(),
            }),
            _ => None,
        };
        let about = account
            .and_then(|id| inner.state.accounts.get(&id))
            .zip(operation);
        let reported =
            about.and_then(|(about, operation)| iam::reported(about, operation, error, lag));
        let mut outcome = Outcome {
            wire: if faults.contains(&FaultKind::Unavailable) {
                Wire::unavailable(request_id)
            } else {
                Wire::of(result, service, operation, request_id)
            },
            date: Some(now),
            delay: Duration::ZERO,
            delivery: Delivery::Whole,
            waiting,
            in_flight: account.map(|account| InFlight {
                world: self.clone(),
                account,
            }),
        };
        outcome.spoil(&faults);
        let answered = !matches!(outcome.delivery, Delivery::Refuse | Delivery::Never);
        inner.calls.record(Call {
            at: now,
            moment: Instant::now(),
            account,
            operation,
            status: answered.then_some(outcome.wire.status),
            error: error.filter(|_| answered),
            external_id: request.param("ExternalId").is_some(),
            whole: answered && faults.iter().all(|fault| fault.leaves_whole()),
            reported: reported.filter(|_| answered),
        });
        outcome
    }
}

impl Inner {
    /// Delivers the event of a call, if a rule matches it.
    fn record(&mut self, call: &recorded::ApiCall) {
        // The event itself is made only if it is sent, so that all other calls cost nothing.
        let matches = self.delivery.matches(call.caller.account, &call.subject());
        if matches > 0 && call.is_recorded() {
            self.delivery.send(&call.event(), matches, &mut self.queues);
        }
    }
}

/// A queue of the hub. Clones are handles of the same one.
#[derive(Clone, Debug)]
pub struct Queue {
    world: World,
    name: String,
}

impl Queue {
    fn with<R>(&self, act: impl FnOnce(&mut Messages) -> R) -> R {
        let mut inner = self.world.lock();
        let Some(queue) = inner.queues.get_mut(&self.name) else {
            panic!("the simulated AWS has no queue {:?}", self.name);
        };
        act(queue)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts a message in, whatever it says.
    pub fn send(&self, body: impl Into<Arc<str>>) {
        self.with(|queue| queue.send(body.into(), None));
    }

    /// Puts messages in, all at one time.
    pub fn send_all<T: Into<Arc<str>>>(&self, bodies: impl IntoIterator<Item = T>) {
        // Outside of the lock, since the iterator may call the world.
        let bodies: Vec<Arc<str>> = bodies.into_iter().map(Into::into).collect();
        self.with(|queue| {
            for body in bodies {
                queue.send(body, None);
            }
        });
    }

    /// How many messages are where.
    #[must_use]
    pub fn counts(&self) -> QueueCounts {
        self.with(|queue| queue.counts(Instant::now()))
    }

    /// The messages that have arrived and are not deleted, oldest first.
    #[must_use]
    pub fn bodies(&self) -> Vec<String> {
        self.with(|queue| queue.bodies(Instant::now()))
    }
}

/// How old the root user is that the answer to that request shows.
fn lag(faults: &[FaultKind], requests: u64) -> Duration {
    let lags = faults.iter().filter_map(|fault| match fault {
        FaultKind::Lag(by) => Some(*by),
        FaultKind::StaleReplica(by) if requests.is_multiple_of(2) => Some(*by),
        _ => None,
    });
    lags.max().unwrap_or_default()
}

fn dispatch(inner: &mut Inner, context: &Context) -> Result<Reply, Failure> {
    let (caller, operation) = (context.caller, context.operation);
    let state = &mut inner.state;
    let Some(account) = state.accounts.get_mut(&caller.account) else {
        return Err(Failure::invalid_token());
    };
    // What a session may not do is refused before anything is read.
    let allowed = match &caller.principal {
        Principal::Caller => true,
        Principal::Root(policy) => policy.allows(operation),
        Principal::Role { name, .. } => {
            let role = account.roles.get(name);
            role.is_none_or(|role| !role.denied.contains(&operation))
        }
    };
    if !allowed {
        let action = format!("{}:{operation}", operation.service().scope());
        return Err(Failure::denied(format!(
            "User: {} is not authorized to perform: {action} on resource: * because no \
             identity-based policy allows the {action} action",
            caller.arn()
        )));
    }
    match operation.service() {
        _ if operation == Operation::ListOrganizationsFeatures => {
            organizations::features(state, context)
        }
        Service::Iam => iam::answer(account, context),
        Service::Sts => sts::answer(state, context),
        Service::Organizations => organizations::answer(state, context),
        Service::Sqs => sqs::answer(&mut inner.queues, state.hub, context),
    }
}

/// How an answer reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Torn,
    OneByteASecond,
    Refuse,
    Never,
}

/// An answer and how it is sent.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) wire: Wire,
    pub(crate) date: Option<i64>,
    pub(crate) delay: Duration,
    pub(crate) delivery: Delivery,
    pub(crate) waiting: Option<Waiting>,
    pub(crate) in_flight: Option<InFlight>,
}

/// A `ReceiveMessage` that has no message yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) receive: Receive,
    /// The faults that its answer will have.
    pub(crate) faults: Vec<FaultKind>,
}

impl Outcome {
    /// Answers with messages that came in time.
    pub(crate) fn replace(&mut self, messages: Value, faults: &[FaultKind]) {
        let id = self.wire.request_id.clone();
        let operation = Some(Operation::ReceiveMessage);
        self.wire = Wire::of(Ok(Reply::Json(messages)), Service::Sqs, operation, id);
        self.spoil_content(faults);
    }

    /// Applies the faults that concern the content of the answer.
    fn spoil_content(&mut self, faults: &[FaultKind]) {
        for fault in faults {
            match fault {
                FaultKind::TruncatedXml => self.wire.truncate(),
                FaultKind::EndsBefore(text) => self.wire.end_before(text),
                _ => {}
            }
        }
    }

    /// Applies the faults that concern the answer.
    fn spoil(&mut self, faults: &[FaultKind]) {
        self.spoil_content(faults);
        for fault in faults {
            match fault {
                FaultKind::Torn => self.delivery = Delivery::Torn,
                FaultKind::OneByteASecond => self.delivery = Delivery::OneByteASecond,
                FaultKind::Refuse => self.delivery = Delivery::Refuse,
                FaultKind::NeverAnswer => self.delivery = Delivery::Never,
                FaultKind::Delay(by) => self.delay += *by,
                FaultKind::DateSkew(by) => self.date = self.date.map(|date| date + by),
                FaultKind::NoDate => self.date = None,
                _ => {}
            }
        }
    }
}

/// Counts a request as in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    world: World,
    account: AccountId,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.world.lock().calls.end(self.account);
    }
}
