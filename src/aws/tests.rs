//! Sessions and calls against the simulated AWS, with a clock that the tests move.

use root_posture::{Counts, Summary};

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::account::{Access, Account, RootFeatures};
use crate::clock::{Clock, Hand, Moment, Timestamp};
use crate::failure::{Failure, Reason};
use aws_simulator::{Fault, FaultKind, Simulator, World};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a test waits for anything, by the real clock.
const BOUND: Duration = Duration::from_secs(20);

/// An organization of two accounts.
struct Bench {
    world: World,
    _simulator: Simulator,
    aws: Aws,
    hand: Hand,
}

async fn aws_at(endpoint_url: String, timeout: Duration, clock: Clock) -> Aws {
    let settings = Settings {
        caller: crate::config::Aws::default(),
        timeout,
        stand_in: Some(endpoint_url),
    };
    Aws::new(&settings, None, clock).await
}

fn hub() -> aws_simulator::AccountId {
    "999000000001".parse().unwrap()
}

fn member() -> aws_simulator::AccountId {
    "000000000042".parse().unwrap()
}

impl Bench {
    async fn start() -> Self {
        Self::with_timeout(TIMEOUT).await
    }

    async fn with_timeout(timeout: Duration) -> Self {
        let world = World::new(aws_simulator::Account::new(hub(), "management", 0));
        world.add(aws_simulator::Account::new(member(), "member", 0).with_role("audit", None));
        let (clock, hand) = Clock::manual(Timestamp::from_unix(1_789_132_492));
        let of_simulator = clock.clone();
        let now = Arc::new(move || of_simulator.now().unix());
        let simulator = Simulator::start(world.clone(), "127.0.0.1:0", now)
            .await
            .unwrap();
        let aws = aws_at(simulator.url(), timeout, clock).await;
        Self {
            world,
            _simulator: simulator,
            aws,
            hand,
        }
    }

    async fn summary(&self, kind: SessionKind) -> Result<Summary, Reason> {
        value(self.aws.account_summary(&account(), kind)).await
    }

    /// Waits until an operation was called this many times.
    async fn until_called(&self, operation: &str, times: u64) {
        let wait = async {
            while self.world.total(operation) < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(BOUND, wait).await.expect(operation);
    }
}

fn account() -> Account {
    Account {
        id: member().to_string().parse().unwrap(),
        name: String::new(),
        region: "us-east-1".to_owned(),
        access: Some(Access::Role {
            arn: "arn:aws:iam::000000000042:role/audit".to_owned(),
            external_id: None,
        }),
        root_session: true,
        labels: Arc::default(),
        exceptions: Arc::default(),
        details: Arc::default(),
    }
}

/// The value of an answer, or the reason of the failure.
async fn value<T>(call: impl Future<Output = Result<Answer<T>, Failure>>) -> Result<T, Reason> {
    let answer = tokio::time::timeout(BOUND, call).await.expect("in time");
    answer
        .map(|answer| answer.value)
        .map_err(|failure| failure.reason)
}

#[tokio::test]
async fn sts_that_hangs_in_the_last_third_of_a_session_delays_no_probe() {
    let bench = Bench::start().await;
    for kind in [SessionKind::Own, SessionKind::Root] {
        bench.summary(kind).await.unwrap();
    }
    for operation in ["AssumeRole", "AssumeRoot", "GetCallerIdentity"] {
        bench
            .world
            .fault(Fault::new(FaultKind::NeverAnswer).on(operation));
    }
    bench.hand.advance(MINUTE * 10);
    for _ in 0..5 {
        value(bench.aws.root_keys(&account())).await.unwrap();
        bench.hand.advance(SECOND);
    }
    bench.until_called("AssumeRoot", 2).await;
    bench.hand.advance(MINUTE * 30);
    for _ in 0..5 {
        bench.summary(SessionKind::Own).await.unwrap();
        bench.hand.advance(SECOND);
    }
    bench.until_called("AssumeRole", 2).await;
    assert_eq!(bench.world.total("AssumeRole"), 2);
}

#[tokio::test]
async fn a_role_session_that_is_revoked_is_opened_again_at_once() {
    let bench = Bench::start().await;
    bench.summary(SessionKind::Own).await.unwrap();
    let denied = Fault::new(FaultKind::AccessDenied).on("GetAccountSummary");
    bench.world.fault(denied.clone().times(1));
    bench.summary(SessionKind::Own).await.unwrap();
    assert_eq!(bench.world.total("AssumeRole"), 2);
    bench.world.fault(denied);
    for _ in 0..3 {
        let summary = bench.summary(SessionKind::Own).await;
        assert_eq!(summary, Err(Reason::AccessDenied));
    }
    assert_eq!(bench.world.total("AssumeRole"), 3);
}

#[tokio::test]
async fn a_session_that_has_expired_is_opened_again_at_once() {
    let bench = Bench::start().await;
    bench.summary(SessionKind::Root).await.unwrap();
    let expired = Fault::new(FaultKind::ExpiredToken).on("GetAccountSummary");
    bench.world.fault(expired.times(1));
    bench.summary(SessionKind::Root).await.unwrap();
    assert_eq!(bench.world.total("AssumeRoot"), 2);
}

#[tokio::test]
async fn the_account_of_the_caller_is_verified_once() {
    let bench = Bench::start().await;
    let mut own = Account {
        id: hub().to_string().parse().unwrap(),
        access: Some(Access::Caller),
        ..account()
    };
    for _ in 0..3 {
        let answer = bench.aws.account_summary(&own, SessionKind::Own);
        value(answer).await.unwrap();
        bench.hand.advance(MINUTE * 5);
    }
    assert_eq!(bench.world.total("GetCallerIdentity"), 1);
    own.id = account().id;
    let answer = bench.aws.account_summary(&own, SessionKind::Own);
    assert_eq!(value(answer).await, Err(Reason::AccountMismatch));
}

#[tokio::test]
async fn a_session_of_another_account_answers_nothing() {
    let bench = Bench::start().await;
    bench
        .world
        .fault(Fault::new(FaultKind::WrongAccount(hub())));
    for kind in [SessionKind::Own, SessionKind::Root] {
        let summary = bench.summary(kind).await;
        assert_eq!(summary, Err(Reason::AccountMismatch), "{kind:?}");
    }
    assert_eq!(bench.world.total("GetAccountSummary"), 0);
}

#[tokio::test]
async fn an_answer_has_the_times_of_its_request_and_receipt() {
    let bench = Bench::start().await;
    bench.summary(SessionKind::Own).await.unwrap();
    bench.hand.advance(MINUTE);
    let slow = FaultKind::Delay(Duration::from_millis(50));
    bench.world.fault(Fault::new(slow).on("GetAccountSummary"));
    let aws = bench.aws.clone();
    let call = tokio::spawn(async move { aws.account_summary(&account(), SessionKind::Own).await });
    bench.until_called("GetAccountSummary", 2).await;
    bench.hand.advance(SECOND * 3);
    let answer = call.await.unwrap().unwrap();
    assert_eq!(answer.requested, Moment::default() + MINUTE);
    assert_eq!(answer.received, answer.requested + SECOND * 3);
    assert_eq!(answer.skew, Some(-3));
}

#[tokio::test]
async fn a_failed_operation_of_a_root_session_has_no_effect_on_the_others() {
    let bench = Bench::start().await;
    bench.world.edit(member(), |account| {
        account.root.create_key(1_000);
        account.root.use_key(0, 2_000, "eu-central-1", "s3");
        account.root.upload_certificate(1_000);
    });
    let account = account();
    let keys = value(bench.aws.root_keys(&account)).await.unwrap();
    let [key] = keys.as_slice() else {
        panic!("{keys:?}");
    };
    assert!(key.active);
    assert_eq!(key.created, Some(Timestamp::from_unix(1_000)));
    assert_eq!(key.last_used, None);
    bench
        .world
        .fault(Fault::new(FaultKind::ServiceFailure).on("ListMFADevices"));
    let mfa = value(bench.aws.root_mfa(&account)).await;
    assert_eq!(mfa, Err(Reason::Service));
    let used = value(bench.aws.key_last_used(&account, &key.id)).await;
    let used = used.unwrap().unwrap();
    assert_eq!(used.at, Timestamp::from_unix(2_000));
    assert_eq!(used.region.as_deref(), Some("eu-central-1"));
    assert_eq!(used.service.as_deref(), Some("s3"));
    let one = Counts {
        present: 1,
        active: 1,
    };
    assert_eq!(value(bench.aws.root_certificates(&account)).await, Ok(one));
    let login = || value(bench.aws.root_login_profile(&account));
    assert_eq!(login().await, Ok(true));
    bench.world.edit(member(), |account| {
        account.root.password = false;
    });
    assert_eq!(login().await, Ok(false));
    let summary = bench.summary(SessionKind::Root).await.unwrap();
    assert_eq!((summary.keys, summary.password), (Some(1), Some(false)));
    assert_eq!(bench.world.total("AssumeRoot"), 1);
    bench.world.clear_faults();
    assert_eq!(value(bench.aws.root_mfa(&account)).await, Ok(true));
}

#[tokio::test]
async fn the_features_are_those_that_iam_lists() {
    let bench = Bench::start().await;
    let features = async || {
        let features = bench.aws.organizations_features().await;
        features.map_err(|failure| failure.reason)
    };
    let both = |on| RootFeatures {
        credentials_management: on,
        sessions: on,
    };
    assert_eq!(features().await, Ok(both(true)));
    bench.world.organization(|it| it.root_access = false);
    assert_eq!(features().await, Ok(both(false)));
    bench.world.organization(|it| it.management = member());
    assert_eq!(features().await, Err(Reason::AccessDenied));
    bench.world.organization(|it| it.enabled = false);
    assert_eq!(features().await, Err(Reason::Unsupported));
}

#[tokio::test]
async fn a_later_summary_fails_as_the_first_does() {
    use FaultKind as K;
    // Not those after which the call is made again: `polled_call` compares them.
    let kinds = [
        K::Throttling,
        K::LimitExceeded,
        K::ServiceFailure,
        K::Unavailable,
        K::Torn,
        K::NeverAnswer,
        K::OneByteASecond,
        K::AccessDenied,
        K::TruncatedXml,
        K::EndsBefore("</SummaryMap>"),
        K::UnknownOperation,
        K::DateSkew(3600),
        K::NoDate,
    ];
    for kind in kinds {
        let mut results = Vec::new();
        for calls_before in [0, 2] {
            let bench = Bench::with_timeout(SECOND).await;
            for _ in 0..calls_before {
                bench.summary(SessionKind::Root).await.unwrap();
            }
            bench.world.fault(Fault::new(kind).on("GetAccountSummary"));
            let account = account();
            let call = bench.aws.account_summary(&account, SessionKind::Root);
            let answer = tokio::time::timeout(BOUND, call).await.expect("in time");
            results.push(answer.map(|it| (it.value, it.skew, it.request_id.is_some())));
        }
        assert_eq!(results[0], results[1], "{kind:?}");
    }
}
