//! The real SDK over the simulator, which must read its answers as it reads those of AWS.

use aws_credential_types::Credentials;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::{BehaviorVersion, Region};
use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::operation::generate_credential_report::GenerateCredentialReportError;
use aws_sdk_iam::operation::get_credential_report::GetCredentialReportError;
use aws_sdk_iam::types::{ReportStateType, SummaryKeyType};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName};
use aws_sdk_sts::types::PolicyDescriptorType;

use crate::client::{Bench, NOW, hub, member};
use aws_simulator::{Fault, FaultKind, QueueSettings, Ready};

fn outside() -> Credentials {
    Credentials::new("AKIAOUTSIDE000000000", "secret", None, None, "test")
}

fn of_session(session: &aws_sdk_sts::types::Credentials) -> Credentials {
    Credentials::new(
        session.access_key_id(),
        session.secret_access_key(),
        Some(session.session_token().to_owned()),
        None,
        "test",
    )
}

fn iam(bench: &Bench, credentials: Credentials) -> aws_sdk_iam::Client {
    aws_sdk_iam::Client::from_conf(
        aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(bench.simulator.url())
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .build(),
    )
}

fn sts(bench: &Bench) -> aws_sdk_sts::Client {
    aws_sdk_sts::Client::from_conf(
        aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(bench.simulator.url())
            .credentials_provider(outside())
            .retry_config(RetryConfig::disabled())
            .build(),
    )
}

#[tokio::test]
async fn the_sdk_knows_the_states_of_a_report_by_type() {
    let bench = Bench::start().await;
    let iam = iam(&bench, outside());
    let get = async || {
        let result = iam.get_credential_report().send().await;
        result.map_err(aws_sdk_iam::error::SdkError::into_service_error)
    };
    let absent = get().await.unwrap_err();
    assert!(
        absent.is_credential_report_not_present_exception(),
        "{absent:?}"
    );
    let started = iam.generate_credential_report().send().await.unwrap();
    assert_eq!(started.state(), Some(&ReportStateType::Started));
    let making = get().await.unwrap_err();
    assert!(
        making.is_credential_report_not_ready_exception(),
        "{making:?}"
    );
    bench.advance(2);
    let complete = iam.generate_credential_report().send().await.unwrap();
    assert_eq!(complete.state(), Some(&ReportStateType::Complete));
    assert_eq!(complete.description(), None);

    let report = get().await.unwrap();
    assert_eq!(report.generated_time().unwrap().secs(), NOW + 2);
    let content = String::from_utf8(report.content().unwrap().as_ref().to_vec()).unwrap();
    assert!(content.starts_with("user,arn,") && content.contains("\n<root_account>,"));

    bench.advance(4 * 3_600);
    let expired = get().await.unwrap_err();
    assert!(
        expired.is_credential_report_expired_exception(),
        "{expired:?}"
    );
    bench.world.fault(Fault::new(FaultKind::ServiceFailure));
    let failed = get().await.unwrap_err();
    assert!(matches!(
        failed,
        GetCredentialReportError::ServiceFailureException(_)
    ));
}

#[tokio::test]
async fn the_sdk_reads_codes_with_and_without_a_type() {
    let bench = Bench::start().await;
    let iam = iam(&bench, outside());
    for (kind, code) in [
        (FaultKind::LimitExceeded, "LimitExceeded"),
        (FaultKind::Throttling, "Throttling"),
        (FaultKind::ExpiredToken, "ExpiredToken"),
    ] {
        bench.world.fault(Fault::new(kind).times(1));
        let error = iam.generate_credential_report().send().await.unwrap_err();
        let error = error.into_service_error();
        assert_eq!(error.code(), Some(code));
        assert_eq!(
            matches!(
                error,
                GenerateCredentialReportError::LimitExceededException(_)
            ),
            kind == FaultKind::LimitExceeded
        );
    }
}

#[tokio::test]
async fn the_sdk_enters_an_account_by_its_role_and_reads_the_summary() {
    let bench = Bench::start().await;
    bench.world.edit(member(), |account| {
        account.root.create_key(NOW).unwrap();
    });
    let assumed = sts(&bench)
        .assume_role()
        .role_arn("arn:aws:iam::000000000042:role/audit")
        .role_session_name("test")
        .external_id("let-me-in")
        .send()
        .await
        .unwrap();
    let user = assumed.assumed_role_user().unwrap();
    assert!(user.arn().contains(&member().to_string()));
    let session = assumed.credentials().unwrap();
    assert_eq!(session.expiration().secs(), NOW + 3_600);
    let summary = iam(&bench, of_session(session))
        .get_account_summary()
        .send()
        .await
        .unwrap();
    let map = summary.summary_map().unwrap();
    assert_eq!(map[&SummaryKeyType::AccountAccessKeysPresent], 1);
    assert_eq!(map[&SummaryKeyType::AccountMfaEnabled], 1);
    assert_eq!(map.len(), 8);
}

#[tokio::test]
async fn the_sdk_opens_a_root_session_and_deletes_a_key_in_it() {
    let bench = Bench::start().await;
    bench.world.edit(member(), |account| {
        account.root.create_key(NOW).unwrap();
    });
    let policy = "arn:aws:iam::aws:policy/root-task/IAMDeleteRootUserCredentials";
    let session = sts(&bench)
        .assume_root()
        .target_principal(member().to_string())
        .task_policy_arn(PolicyDescriptorType::builder().arn(policy).build())
        .send()
        .await
        .unwrap();
    let iam = iam(&bench, of_session(session.credentials().unwrap()));
    let keys = iam.list_access_keys().send().await.unwrap();
    let [key] = keys.access_key_metadata() else {
        panic!("{keys:?}")
    };
    assert_eq!(key.create_date().unwrap().secs(), NOW);
    let id = key.access_key_id().unwrap();
    iam.delete_access_key()
        .access_key_id(id)
        .send()
        .await
        .unwrap();
    let none = iam.list_access_keys().send().await.unwrap();
    assert!(none.access_key_metadata().is_empty());
    let devices = iam.list_mfa_devices().send().await.unwrap();
    assert_eq!(devices.mfa_devices().len(), 1);
    iam.delete_login_profile().send().await.unwrap();
    let profile = iam.get_login_profile().send().await.unwrap_err();
    assert!(profile.into_service_error().is_no_such_entity_exception());
}

#[tokio::test]
async fn the_sdk_refuses_a_spoilt_answer() {
    let bench = Bench::start().await;
    bench.world.edit(hub(), |account| {
        account.report.ready = Ready::After(0);
        account.store_report(NOW);
    });
    let iam = iam(&bench, outside());
    for kind in [
        FaultKind::TruncatedXml,
        FaultKind::TruncatedBase64,
        FaultKind::Torn,
        FaultKind::Refuse,
        FaultKind::Unavailable,
    ] {
        bench.world.fault(Fault::new(kind).times(1));
        let answer = iam.get_credential_report().send().await;
        assert!(answer.is_err(), "{kind:?}: {answer:?}");
    }
    assert!(iam.get_credential_report().send().await.is_ok());
}

fn sqs(bench: &Bench) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::from_conf(
        aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(bench.simulator.url())
            .credentials_provider(outside())
            .retry_config(RetryConfig::disabled())
            .build(),
    )
}

#[tokio::test]
async fn the_sdk_receives_and_deletes_messages() {
    let bench = Bench::start().await;
    let queue = bench.world.create_queue("events", QueueSettings::default());
    let url = bench.simulator.queue_url("events");
    queue.send("hello");
    let sqs = sqs(&bench);
    let receive = async |wait| {
        let receive = sqs
            .receive_message()
            .queue_url(&url)
            .wait_time_seconds(wait);
        receive.max_number_of_messages(10).send().await.unwrap()
    };
    let received = receive(20).await;
    let [message] = received.messages() else {
        panic!("{received:?}")
    };
    assert_eq!(message.body(), Some("hello"));
    let entry = DeleteMessageBatchRequestEntry::builder()
        .id("0")
        .receipt_handle(message.receipt_handle().unwrap())
        .build()
        .unwrap();
    let delete = sqs.delete_message_batch().queue_url(&url).entries(entry);
    let deleted = delete.send().await.unwrap();
    assert_eq!((deleted.successful().len(), deleted.failed().len()), (1, 0));
    assert!(receive(0).await.messages().is_empty());
    assert_eq!(queue.counts().deleted, 1);
    let attributes = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .unwrap();
    assert_eq!(
        attributes.attributes().unwrap()[&QueueAttributeName::QueueArn],
        "arn:aws:sqs:us-east-1:999000000001:events"
    );
}

#[tokio::test]
async fn the_sdk_knows_the_errors_of_a_queue() {
    let bench = Bench::start().await;
    bench.world.create_queue("events", QueueSettings::default());
    let sqs = sqs(&bench);
    let receive = async |name| {
        let receive = sqs.receive_message();
        let receive = receive.queue_url(bench.simulator.queue_url(name));
        receive.send().await.unwrap_err().into_service_error()
    };
    let missing = receive("missing").await;
    assert!(missing.is_queue_does_not_exist(), "{missing:?}");
    for (kind, code) in [
        (FaultKind::Throttling, "RequestThrottled"),
        (FaultKind::AccessDenied, "AccessDenied"),
        (FaultKind::ExpiredToken, "ExpiredToken"),
        (FaultKind::InvalidToken, "InvalidClientTokenId"),
    ] {
        bench.world.fault(Fault::new(kind).times(1));
        assert_eq!(receive("events").await.code(), Some(code));
    }
}
