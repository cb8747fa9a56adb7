//! The way of an event from an account to the queues: trail, rules, bus, and what goes wrong on it.
//!
//! Each account has the two rules that the program's templates create. Delivery is what AWS promises of
//! it: best effort, at least once, in no order.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::event::{Event, Subject};
use crate::id::AccountId;
use crate::sqs::Queues;

/// The rule that matches what root does, and tampering.
pub(crate) const ROOT_RULE: &str = "aws-root-exporter-root";

/// The rule that returns the program's own `GetAccountSummary` calls.
pub(crate) const ECHO_RULE: &str = "aws-root-exporter-echo";

/// How the names of the rules begin whose changes are tampering.
const RULE_PREFIX: &str = "aws-root-exporter";

/// What the user agent of the program under test contains.
const PROGRAM: &str = "app/aws-root-exporter";

/// The read-only calls of the task policy `IAMAuditRootUserCredentials`.
const AUDIT: [&str; 6] = [
    "GetAccountSummary",
    "ListAccessKeys",
    "GetAccessKeyLastUsed",
    "ListMFADevices",
    "ListSigningCertificates",
    "GetLoginProfile",
];

const TAMPERING_WITH_TRAILS: [&str; 4] = [
    "StopLogging",
    "DeleteTrail",
    "UpdateTrail",
    "PutEventSelectors",
];

const TAMPERING_WITH_RULES: [&str; 5] = [
    "DisableRule",
    "DeleteRule",
    "PutRule",
    "PutTargets",
    "RemoveTargets",
];

/// How the events of all accounts are delivered, and to which queues of the hub.
///
/// The random choices come from the seed, so the same events in the same order meet the same fate.
#[derive(Clone, Debug, PartialEq)]
pub struct Trail {
    queues: Vec<String>,
    delay: Option<RangeInclusive<Duration>>,
    loss: f64,
    duplication: f64,
    seed: u64,
}

impl Trail {
    /// Delivery to one queue: of every event, once, and at once.
    ///
    /// At once means before the answer to the call has left, faster than AWS ever is. To have the echo of a
    /// call come after its answer, use [`Trail::delayed`].
    #[must_use]
    pub fn to(queue: impl Into<String>) -> Self {
        Self {
            queues: vec![queue.into()],
            delay: None,
            loss: 0.0,
            duplication: 0.0,
            seed: 0,
        }
    }

    /// The same delivery to one more queue.
    #[must_use]
    pub fn and_to(mut self, queue: impl Into<String>) -> Self {
        self.queues.push(queue.into());
        self
    }

    /// The same with a random delay of each message, by the real clock. A range of delays means disorder.
    #[must_use]
    pub fn delayed(mut self, by: RangeInclusive<Duration>) -> Self {
        self.delay = Some(by);
        self
    }

    /// The same, but that share of the events (0 to 1) is lost.
    #[must_use]
    pub fn losing(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }

    /// The same, but that share of the messages (0 to 1) comes twice.
    #[must_use]
    pub fn duplicating(mut self, share: f64) -> Self {
        self.duplication = share;
        self
    }

    /// The same with another seed.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    pub(crate) fn queues(&self) -> &[String] {
        &self.queues
    }
}

/// What became of the events so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrailCounts {
    /// Events that a rule matched, in accounts whose delivery was not stopped.
    pub matched: u64,
    /// Those of them that were lost.
    pub lost: u64,
    /// Messages that were sent a second time.
    pub duplicated: u64,
}

/// Whether it is a `GetAccountSummary` of the program, or a change of the other rule.
fn is_echo(call: &Subject) -> bool {
    let is_summary = call.service == "iam" && call.name == "GetAccountSummary";
    let is_change = is_tampering(call) && call.rule == Some(ROOT_RULE);
    is_summary && call.user_agent.contains(PROGRAM) || is_change
}

/// Whether root did it, other than to read its credentials in a session of the program, or it is
/// tampering.
fn is_alarming(call: &Subject) -> bool {
    let is_audit = AUDIT.contains(&call.name)
        && call.access_key.starts_with("ASIA")
        && call.user_agent.contains(PROGRAM);
    call.by_root && !is_audit || is_tampering(call)
}

fn is_tampering(call: &Subject) -> bool {
    match call.service {
        "cloudtrail" => TAMPERING_WITH_TRAILS.contains(&call.name),
        "events" => {
            let is_own = call.rule.is_some_and(|rule| rule.starts_with(RULE_PREFIX));
            is_own && TAMPERING_WITH_RULES.contains(&call.name)
        }
        _ => false,
    }
}

/// What no longer works in an account.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stopped {
    pub(crate) all: bool,
    pub(crate) root: bool,
    pub(crate) echo: bool,
}

/// The delivery of all accounts.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    trail: Option<Trail>,
    rng: Rng,
    stopped: HashMap<AccountId, Stopped>,
    counts: TrailCounts,
}

impl Delivery {
    pub(crate) fn start(&mut self, trail: Trail) {
        self.rng = Rng::with_seed(trail.seed);
        self.trail = Some(trail);
    }

    pub(crate) fn end(&mut self) {
        self.trail = None;
    }

    pub(crate) fn counts(&self) -> TrailCounts {
        self.counts
    }

    pub(crate) fn stopped(&mut self, account: AccountId) -> &mut Stopped {
        self.stopped.entry(account).or_default()
    }

    pub(crate) fn restart(&mut self, account: AccountId) {
        self.stopped.remove(&account);
    }

    /// How many rules of the account send that event.
    pub(crate) fn matches(&self, account: AccountId, subject: &Subject) -> u8 {
        let stopped = self.stopped.get(&account).copied().unwrap_or_default();
        if self.trail.is_none() || stopped.all {
            return 0;
        }
        let echo = !stopped.echo && is_echo(subject);
        let root = !stopped.root && is_alarming(subject);
        u8::from(echo) + u8::from(root)
    }

    /// Sends an event to each queue, as often as rules matched it.
    pub(crate) fn send(&mut self, event: &Event, matches: u8, queues: &mut Queues) {
        let Some(trail) = &self.trail else { return };
        self.counts.matched += 1;
        let body: Arc<str> = event.envelope(&mut self.rng).into();
        if self.rng.f64() < trail.loss {
            self.counts.lost += 1;
            return;
        }
        for name in &trail.queues {
            let twice = self.rng.f64() < trail.duplication;
            self.counts.duplicated += u64::from(twice);
            for _ in 0..matches + u8::from(twice) {
                let rng = &mut self.rng;
                let delay = trail.delay.as_ref().map(|range| random(rng, range));
                if let Some(queue) = queues.get_mut(name) {
                    queue.send(body.clone(), delay.map(|delay| Instant::now() + delay));
                }
            }
        }
    }
}

fn random(rng: &mut Rng, range: &RangeInclusive<Duration>) -> Duration {
    let spread = range.end().saturating_sub(*range.start());
    *range.start() + spread.mul_f64(rng.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = "aws-sdk-rust/1 app/aws-root-exporter";

    /// A call of root in a session, to IAM.
    fn by_root(name: &'static str, user_agent: &'static str) -> Subject<'static> {
        Subject {
            service: "iam",
            name,
            by_root: true,
            access_key: "ASIASIM",
            user_agent,
            rule: None,
        }
    }

    fn by_role(name: &'static str, user_agent: &'static str) -> Subject<'static> {
        Subject {
            by_root: false,
            ..by_root(name, user_agent)
        }
    }

    fn tampering(
        service: &'static str,
        name: &'static str,
        rule: &'static str,
    ) -> Subject<'static> {
        Subject {
            service,
            rule: Some(rule),
            ..by_role(name, "aws-cli/2")
        }
    }

    #[test]
    fn the_rules_match_what_root_does_and_the_programs_own_summaries() {
        let with_key = |name| Subject {
            access_key: "AKIASIM",
            ..by_root(name, AGENT)
        };
        for (subject, echo, alarming) in [
            (by_role("GetAccountSummary", AGENT), true, false),
            (by_root("GetAccountSummary", AGENT), true, false),
            (with_key("GetAccountSummary"), true, true),
            (by_role("GetAccountSummary", "aws-cli/2"), false, false),
            (by_root("GetAccountSummary", "aws-cli/2"), false, true),
            (by_root("ListAccessKeys", AGENT), false, false),
            (with_key("ListAccessKeys"), false, true),
            (by_root("ListAccessKeys", "aws-cli/2"), false, true),
            (by_root("DeleteAccessKey", AGENT), false, true),
            (by_role("GenerateCredentialReport", AGENT), false, false),
            (tampering("cloudtrail", "StopLogging", ""), false, true),
            (tampering("events", "RemoveTargets", ECHO_RULE), false, true),
            (
                tampering("events", "RemoveTargets", "another"),
                false,
                false,
            ),
            (tampering("iam", "StopLogging", ""), false, false),
        ] {
            let matching = (is_echo(&subject), is_alarming(&subject));
            assert_eq!(matching, (echo, alarming), "{subject:?}");
        }
    }

    #[test]
    fn a_delay_lies_in_its_range() {
        let mut rng = Rng::with_seed(1);
        let range = Duration::from_secs(2)..=Duration::from_secs(5);
        let delays: Vec<_> = (0..1_000).map(|_| random(&mut rng, &range)).collect();
        assert!(delays.iter().all(|delay| range.contains(delay)));
        assert!(delays.iter().any(|delay| *delay < Duration::from_secs(3)));
        assert!(delays.iter().any(|delay| *delay > Duration::from_secs(4)));
        let none = Duration::ZERO..=Duration::ZERO;
        assert_eq!(random(&mut rng, &none), Duration::ZERO);
    }
}
