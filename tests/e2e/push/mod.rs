//! Push: what root did arrives in a queue, and makes the daemon poll at once. Times are scaled down.

mod activity;
mod echoes;
mod flood;
mod queue;
mod restarts;

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use aws_simulator::{Account, Actor, QueueSettings, RootUser, Trail};

use test_support::daemon::Daemon;
use test_support::exposition::Exposition;
use test_support::simulated::{Simulated, account, id, listed, now};
use test_support::{PATIENCE, eventually};

const ACTIVE: &str = "aws_root_access_keys_active";
const ACTIVITY: &str = "aws_root_activity_last_timestamp_seconds";
const INTERVAL: &str = "aws_account_poll_interval_seconds";
const MESSAGES: &str = "aws_root_exporter_events_total";
const PUSH_UP: &str = "aws_account_push_up";
const TAMPERED: &str = "aws_account_push_tampered_timestamp_seconds";
const UP: &str = "aws_root_exporter_events_up";

const SUMMARY: &str = "GetAccountSummary";

/// The account of most tests.
const ONE: u64 = 12;
const OF: [(&str, &str); 1] = [("account", "000000000012")];

/// The name of the queue.
const QUEUE: &str = "events";

/// The bound of what an event causes. A poll comes much later without one, see [`Pace::RARE`].
const SOON: Duration = Duration::from_secs(20);

/// How long a received message stays hidden: one that a kill left comes again soon, but none while it is
/// being deleted.
const HIDDEN: Duration = Duration::from_secs(6);

/// How long an event is on its way.
const ON_ITS_WAY: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_millis(300);

/// The intervals and timeouts of a daemon.
#[derive(Clone, Copy)]
struct Pace {
    interval: &'static str,
    relaxed: &'static str,
    echo_timeout: &'static str,
}

impl Pace {
    /// Polls that are so rare that a test ends before the next one: what happens is due to an event.
    const RARE: Self = Self {
        interval: "10m",
        relaxed: "10m",
        echo_timeout: "5m",
    };

    /// Polls every second, and rare ones while echoes arrive.
    const QUICK: Self = Self {
        interval: "1s",
        relaxed: "8s",
        echo_timeout: "4s",
    };

    /// The same, but so that a missing echo changes nothing while a test runs.
    const TRUSTING: Self = Self {
        interval: "1s",
        relaxed: "10m",
        echo_timeout: "5m",
    };

    /// The configuration of a daemon that reads this queue and monitors these accounts.
    fn reading(self, queue_url: &str, accounts: &[u64]) -> String {
        let Self {
            interval,
            relaxed,
            echo_timeout,
        } = self;
        let accounts: String = accounts.iter().copied().map(listed).collect();
        format!(
            "state.path = \"state.redb\"\n\
             refresh.interval = \"{interval}\"\nrefresh.timeout = \"5s\"\n\
             events.queue_url = \"{queue_url}\"\n\
             events.relaxed_interval = \"{relaxed}\"\nevents.echo_timeout = \"{echo_timeout}\"\n\
             {accounts}"
        )
    }

    /// The configuration of a daemon that reads [`QUEUE`] and monitors [`ONE`].
    fn config(self, aws: &Simulated) -> String {
        self.reading(&aws.queue_url(QUEUE), &[ONE])
    }
}

/// An account of which every source says that nothing is wrong.
fn clean(number: u64) -> Account {
    let mut account = account(number, "production");
    account.store_report(now() - 3_600);
    account
}

/// An AWS with these accounts and an empty queue, to which nothing is delivered.
fn with_queue(accounts: &[u64]) -> Simulated {
    let aws = Simulated::with(accounts.iter().copied().map(clean));
    let settings = QueueSettings {
        visibility: HIDDEN,
        ..QueueSettings::default()
    };
    aws.world.create_queue(QUEUE, settings);
    aws
}

/// An AWS with that account, whose events arrive in the queue.
fn with_events() -> Simulated {
    let aws = with_queue(&[ONE]);
    aws.world.trail(Trail::to(QUEUE).delayed(ON_ITS_WAY));
    aws
}

/// The root user of the account, on the console with MFA.
fn root(aws: &Simulated) -> RootUser {
    let actor = Actor::console("198.51.100.7").with_mfa();
    aws.world.root(id(ONE), actor, now())
}

/// When root last did that, in Unix seconds.
fn last(shown: &Exposition, event: &str) -> Option<f64> {
    shown.value(ACTIVITY, &[OF[0], ("event", event)])
}

/// Checks that root did all of that.
fn expect_activity(shown: &Exposition, events: &[&str]) -> Result<(), String> {
    let missing = events.iter().find(|event| last(shown, event).is_none());
    missing.map_or(Ok(()), |event| Err(format!("no {event}")))
}

/// Checks whether push is up, and the interval in force.
fn expect_push(shown: &Exposition, up: f64, interval: f64) -> Result<(), String> {
    shown.expect(PUSH_UP, &OF, up)?;
    shown.expect(INTERVAL, &OF, interval)
}

/// How many messages of that kind were read.
fn messages(shown: &Exposition, kind: &str) -> f64 {
    shown.value(MESSAGES, &[("kind", kind)]).unwrap_or(0.0)
}

/// Waits until the queue is read and the account was polled.
fn wait_until_reading(daemon: &Daemon) {
    daemon.scrape_until(|shown| {
        shown.expect(UP, &[], 1.0)?;
        shown.expect(ACTIVE, &OF, 0.0)
    });
}

/// How often the account was polled.
fn polls(aws: &Simulated) -> u64 {
    aws.world.count(id(ONE), SUMMARY)
}

/// Waits for that many more polls of the account.
fn more_polls(aws: &Simulated, more: u64) {
    let wanted = polls(aws) + more;
    eventually(PATIENCE, || at_least(polls(aws), wanted));
}

fn at_least(polls: u64, wanted: u64) -> Result<(), String> {
    let missing = || format!("{polls} polls of {wanted}");
    (polls >= wanted).then_some(()).ok_or_else(missing)
}

/// When the account was polled, oldest first.
fn times_of_polls(aws: &Simulated) -> Vec<Instant> {
    let calls = aws.world.calls().into_iter();
    let polls = calls
        .filter(|call| call.account == Some(id(ONE)) && call.operation == Some(SUMMARY.into()));
    polls.map(|poll| poll.moment).collect()
}

/// A number of seconds as a metric has it.
#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of this century are exact"
)]
fn seconds(unix: i64) -> f64 {
    unix as f64
}
