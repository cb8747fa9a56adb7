//! Push in the storm: root users who act on their own, tampering, queues in trouble, forged messages. Each
//! daemon has a queue; events come late, twice, in disorder or not at all.

use std::time::Duration;

use aws_simulator::{
    AccountId, Actor, Fault, FaultKind, QueueSettings, RootUser, Tampering, Trail, World,
};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::fleet::DAEMONS;
use test_support::exposition::Exposition;
use test_support::simulated::{HUB, id, now};

/// How long a poll may wait for its echo: longer than an event is ever on its way.
const ECHO_TIMEOUT: Duration = Duration::from_secs(6);

/// Something that happens to events.
#[derive(Clone, Debug)]
pub enum EventAct {
    /// The root user of an account does something, as these numbers say, and CloudTrail records it.
    Root(AccountId, u64),
    /// Somebody tampers with the delivery of an account's events.
    Tamper(AccountId, u64),
    /// An account's events are not delivered any more, and no event says so.
    Cut(AccountId),
    /// They are delivered again.
    Restore(AccountId),
    /// A call about the queues fails.
    Fault(Fault),
    /// Somebody writes messages into a queue.
    Forge(usize, u64),
    /// A queue is deleted.
    NoQueue(usize),
    /// It is created again.
    NewQueue(usize),
}

/// The name of a daemon's queue.
pub fn queue(daemon: usize) -> String {
    format!("storm-{daemon}")
}

/// The lines of a daemon's configuration. The relaxed interval is short: the rules expect answers often.
pub fn config(queue_url: &str) -> String {
    format!(
        "[events]\nqueue_url = \"{queue_url}\"\nrelaxed_interval = \"3s\"\necho_timeout = \"{}s\"\n",
        ECHO_TIMEOUT.as_secs()
    )
}

/// Creates the queues and begins the delivery.
pub fn begin(world: &World, seed: u64) {
    (0..DAEMONS).for_each(|daemon| create(world, daemon));
    let late = Duration::ZERO..=Duration::from_secs(4);
    let trail = Trail::to(queue(0)).and_to(queue(1)).delayed(late);
    world.trail(trail.losing(0.1).duplicating(0.2).seeded(seed));
}

/// Ends all that is wrong with the delivery.
pub fn calm(world: &World) {
    let soon = Duration::ZERO..=Duration::from_secs(1);
    world.trail(Trail::to(queue(0)).and_to(queue(1)).delayed(soon));
    for id in world.ids() {
        world.restart_delivery(id);
    }
}

fn create(world: &World, daemon: usize) {
    // A message that a kill left comes again soon, but not while it is being deleted.
    let settings = QueueSettings {
        visibility: Duration::from_secs(10),
        ..QueueSettings::default()
    };
    world.create_queue(queue(daemon), settings);
}

/// A random act about one of these accounts.
pub fn random(rng: &mut Rng, ids: &[AccountId]) -> EventAct {
    let id = ids[rng.usize(0..ids.len())];
    let daemon = rng.usize(0..DAEMONS);
    match rng.u8(0..24) {
        0..10 => EventAct::Root(id, rng.u64(..)),
        10 => EventAct::Tamper(id, rng.u64(..)),
        11 => EventAct::Cut(id),
        12..15 => EventAct::Restore(id),
        15..18 => EventAct::Fault(random_fault(rng)),
        _ => EventAct::Forge(daemon, rng.u64(..)),
    }
}

impl EventAct {
    /// Lets it happen. Returns an account whose root user may have changed.
    pub fn perform(self, world: &World) -> Option<AccountId> {
        match self {
            Self::Root(id, seed) => {
                act(&mut Rng::with_seed(seed), world, id);
                return Some(id);
            }
            Self::Tamper(id, seed) => {
                let tampering = random_tampering(&mut Rng::with_seed(seed));
                let actor = Actor::console("203.0.113.9");
                world.tamper(id, "admin", &actor, &tampering, now());
            }
            Self::Cut(id) => world.cut_delivery(id),
            Self::Restore(id) => world.restart_delivery(id),
            Self::Fault(fault) => world.fault(fault),
            Self::Forge(daemon, seed) => {
                let mut rng = Rng::with_seed(seed);
                let (ids, number) = (world.ids(), rng.usize(1..=60));
                let messages = (0..number).map(|_| forged(&mut rng, &ids));
                world.queue(queue(daemon)).send_all(messages);
            }
            Self::NoQueue(daemon) => world.delete_queue(&queue(daemon)),
            Self::NewQueue(daemon) => create(world, daemon),
        }
        None
    }
}

/// Checks that the queue is read and that the push of every account is verified.
///
/// # Errors
///
/// It is not.
pub fn verified(shown: &Exposition) -> Result<(), String> {
    shown.expect("aws_root_exporter_events_up", &[], 1.0)?;
    let accounts = shown.all("aws_account_info", &[]);
    accounts.iter().try_for_each(|account| {
        let account = [("account", account.labels["account"].as_str())];
        shown.expect("aws_account_push_up", &account, 1.0)
    })
}

/// What is in the queues, to understand why push is not verified.
pub fn report(world: &World, why: &str) -> String {
    let counts = [0, 1].map(|daemon| world.queue(queue(daemon)).counts());
    format!("in the calm {why}; the queues: {counts:?}")
}

/// A fault in the calls about the queues. Those are calls of the caller's own account.
fn random_fault(rng: &mut Rng) -> Fault {
    const KINDS: [FaultKind; 9] = [
        FaultKind::AccessDenied,
        FaultKind::Throttling,
        FaultKind::ServiceFailure,
        FaultKind::Unavailable,
        FaultKind::Torn,
        FaultKind::Refuse,
        FaultKind::TruncatedXml,
        FaultKind::NeverAnswer,
        FaultKind::Delay(Duration::from_secs(3)),
    ];
    let operation = ["ReceiveMessage", "DeleteMessageBatch"][rng.usize(0..2)];
    let kind = KINDS[rng.usize(0..KINDS.len())];
    Fault::new(kind)
        .on(operation)
        .of(id(HUB))
        .times(rng.u32(1..=4))
}

/// The root user does something that has an event.
fn act(rng: &mut Rng, world: &World, id: AccountId) {
    let keys: Vec<String> = world.edit(id, |account| {
        let keys = account.root.keys.iter().flatten();
        keys.map(|key| key.id.clone()).collect()
    });
    let actor = Actor::console("198.51.100.7");
    let actor = if rng.bool() { actor.with_mfa() } else { actor };
    let root: RootUser = world.root(id, actor, now());
    let key = keys.get(rng.usize(0..2));
    // What cannot be done changes nothing and has no event.
    match (rng.u8(0..14), key) {
        (0..3, _) => drop(root.create_key()),
        (3..5, Some(key)) => _ = root.activate_key(key),
        (5..7, Some(key)) => _ = root.deactivate_key(key),
        (7..9, Some(key)) => _ = root.delete_key(key),
        (9, _) => drop(root.upload_certificate()),
        (10, _) => root.enable_mfa(),
        (11, _) => root.deactivate_mfa(),
        (12, _) => root.change_password(),
        (13, _) => root.tamper(&random_tampering(rng)),
        _ => root.sign_in(),
    }
}

fn random_tampering(rng: &mut Rng) -> Tampering {
    let rule = || "aws-root-exporter-echo".to_owned();
    match rng.u8(0..6) {
        0 => Tampering::StopLogging,
        1 => Tampering::UpdateTrail,
        2 => Tampering::PutEventSelectors,
        3 => Tampering::DisableRule(rule()),
        4 => Tampering::PutRule(rule()),
        _ => Tampering::RemoveTargets(rule()),
    }
}

/// A message that CloudTrail did not send: about something that did not happen, or no event at all.
fn forged(rng: &mut Rng, ids: &[AccountId]) -> String {
    const NAMES: [&str; 6] = [
        "CreateAccessKey",
        "DeleteAccessKey",
        "ConsoleLogin",
        "DeactivateMFADevice",
        "GetAccountSummary",
        "RunInstances",
    ];
    let account = ids[rng.usize(0..ids.len())].to_string();
    let (name, number) = (NAMES[rng.usize(0..NAMES.len())], rng.u64(..));
    let mut identity = json!({"type": "Root", "accountId": account});
    let (mut source, mut event_source) = ("aws.iam", "iam.amazonaws.com");
    let mut name = name;
    match rng.u8(0..12) {
        0 => return format!("{number}"),
        1 => return format!("{{\"source\": \"aws.iam\", \"account\": \"{account}\""),
        2 => source = "example.iam",
        3 => (event_source, name) = ("cloudtrail.amazonaws.com", "StopLogging"),
        4..6 => identity = json!({"type": "AssumedRole"}),
        6 => identity = Value::Null,
        _ => {}
    }
    let event = json!({
        "source": source,
        "account": account,
        "detail": {
            "userIdentity": identity,
            "eventTime": "2026-03-14T14:38:41Z",
            "eventSource": event_source,
            "eventName": name,
            "requestID": number.to_string(),
            "eventID": number.to_string(),
            "recipientAccountId": account,
        },
    });
    event.to_string()
}
