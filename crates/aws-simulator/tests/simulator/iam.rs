//! IAM: the report and its four hours, the summary, the calls of a root session.

use crate::client::{Bench, NOW, member, outside};
use aws_simulator::{Ready, Service};

const HOUR: i64 = 3_600;

#[tokio::test]
async fn a_report_is_started_made_and_returned() {
    let bench = Bench::start().await;
    let session = bench.role_session().await;
    let get = || bench.iam(&session, "GetCredentialReport");
    let generate = || bench.iam(&session, "GenerateCredentialReport");

    assert_eq!(get().await.code(), (410, "ReportNotPresent"));
    let started = generate().await;
    assert_eq!(started.element("State"), Some("STARTED"));
    assert_eq!(
        started.element("Description"),
        Some("No report exists. Starting a new report generation task")
    );
    assert_eq!(generate().await.element("State"), Some("INPROGRESS"));
    let early = get().await;
    assert_eq!(early.code(), (404, "ReportInProgress"));
    assert_eq!(early.element("Message"), Some("Unknown"));

    bench.advance(2);
    let complete = generate().await;
    assert_eq!(complete.element("State"), Some("COMPLETE"));
    assert_eq!(complete.element("Description"), None);
    let got = get().await;
    assert_eq!(got.element("ReportFormat"), Some("text/csv"));
    assert_eq!(got.element("GeneratedTime"), Some("2026-09-11T13:14:54Z"));
    assert!(
        got.report()
            .contains("\n<root_account>,arn:aws:iam::000000000042:root,"),
        "{}",
        got.report()
    );
}

#[tokio::test]
async fn an_answer_has_the_namespace_the_request_id_and_the_simulators_date() {
    let bench = Bench::start().await;
    let answer = bench.iam(&outside(), "GetAccountSummary").await;
    assert!(answer.body.starts_with(
        "<GetAccountSummaryResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <GetAccountSummaryResult>"
    ));
    assert_eq!(
        answer.element("RequestId"),
        answer.headers.get("x-amzn-requestid").map(String::as_str)
    );
    assert_eq!(answer.headers["date"], "Fri, 11 Sep 2026 13:14:52 GMT");
    assert_eq!(answer.headers["content-type"], "text/xml");
}

#[tokio::test]
async fn no_second_report_is_made_within_four_hours() {
    let bench = Bench::start().await;
    bench
        .world
        .edit(member(), |account| account.store_report(NOW));
    let session = bench.role_session().await;
    let first = bench.iam(&session, "GetCredentialReport").await.report();
    bench.world.edit(member(), |account| {
        account.root.create_key(NOW + 1).unwrap();
        account.report.ready = Ready::After(0);
    });

    bench.advance(4 * HOUR - 1);
    let session = bench.role_session().await;
    let fresh = bench.iam(&session, "GenerateCredentialReport").await;
    assert_eq!(fresh.element("State"), Some("COMPLETE"));
    let old = bench.iam(&session, "GetCredentialReport").await;
    assert_eq!(old.report(), first, "a snapshot");

    bench.advance(1);
    let expired = bench.iam(&session, "GetCredentialReport").await;
    assert_eq!(expired.code(), (410, "ReportExpired"));
    let started = bench.iam(&session, "GenerateCredentialReport").await;
    assert_eq!(started.element("State"), Some("STARTED"));
    let new = bench.iam(&session, "GetCredentialReport").await;
    assert!(new.report().contains(",true,2026-09-11T13:14:53Z,"));
}

#[tokio::test]
async fn a_report_has_the_state_at_the_time_of_the_request() {
    let bench = Bench::start().await;
    bench.iam(&outside(), "GenerateCredentialReport").await;
    bench.world.edit(bench.world.hub(), |account| {
        account.root.create_key(NOW).unwrap();
    });
    bench.advance(60);
    let report = bench.iam(&outside(), "GetCredentialReport").await.report();
    assert!(!report.contains(",true,2026-09-11T13:14:52Z,"), "{report}");
}

#[tokio::test]
async fn a_report_can_take_so_many_polls_or_for_ever() {
    let bench = Bench::start().await;
    let ready = |ready| {
        bench
            .world
            .edit(bench.world.hub(), |it| it.report.ready = ready);
    };
    let mut states = Vec::new();
    ready(Ready::AfterPolls(2));
    for _ in 0..3 {
        let answer = bench.iam(&outside(), "GenerateCredentialReport").await;
        states.push(answer.element("State").unwrap().to_owned());
    }
    assert_eq!(states, ["STARTED", "INPROGRESS", "COMPLETE"]);

    bench.world.edit(bench.world.hub(), |it| it.report.forget());
    ready(Ready::AfterPolls(u32::MAX));
    bench.iam(&outside(), "GenerateCredentialReport").await;
    bench.advance(100 * HOUR);
    let answer = bench.iam(&outside(), "GetCredentialReport").await;
    assert_eq!(answer.code(), (404, "ReportInProgress"));
}

#[tokio::test]
async fn anything_can_be_served_as_a_report() {
    let bench = Bench::start().await;
    bench.world.edit(bench.world.hub(), |account| {
        account.report.raw = Some("junk".into());
        account.report.shown_generated_time = Some(1_420_070_400);
        account.store_report(NOW);
    });
    let answer = bench.iam(&outside(), "GetCredentialReport").await;
    assert_eq!(answer.report(), "junk");
    assert_eq!(
        answer.element("GeneratedTime"),
        Some("2015-01-01T00:00:00Z")
    );
}

#[tokio::test]
async fn the_summary_follows_the_root_user_at_once() {
    let bench = Bench::start().await;
    let hub = bench.world.hub();
    let keys = async || {
        let answer = bench.iam(&outside(), "GetAccountSummary").await;
        answer.summary("AccountAccessKeysPresent")
    };
    assert_eq!(keys().await, Some(0));
    bench.world.edit(hub, |account| {
        account.root.create_key(NOW).unwrap();
        account.root.deactivate_keys();
    });
    assert_eq!(keys().await, Some(1), "inactive keys count");
    bench.world.edit(hub, |account| {
        account.root.create_key(NOW).unwrap();
        assert_eq!(account.root.create_key(NOW), None, "AWS allows two");
    });
    assert_eq!(keys().await, Some(2));
    bench
        .world
        .edit(hub, |account| account.most_keys_counted = 1);
    assert_eq!(keys().await, Some(1));
    bench.world.edit(hub, |account| {
        account
            .summary_overrides
            .insert("AccountAccessKeysPresent", None);
    });
    assert_eq!(keys().await, None);
}

#[tokio::test]
async fn the_summary_has_all_its_entries() {
    let bench = Bench::start().await;
    bench.world.edit(bench.world.hub(), |account| {
        account.root.mfa = false;
        account.root.upload_certificate(NOW).unwrap();
    });
    let answer = bench.iam(&outside(), "GetAccountSummary").await;
    assert_eq!(answer.body.matches("<entry>").count(), 8);
    assert_eq!(answer.summary("AccountMFAEnabled"), Some(0));
    assert_eq!(answer.summary("AccountPasswordPresent"), Some(1));
    assert_eq!(answer.summary("AccountSigningCertificatesPresent"), Some(1));
}

#[tokio::test]
async fn a_root_session_sees_the_root_user_and_nothing_else() {
    let bench = Bench::start().await;
    let key = bench.world.edit(member(), |account| {
        let key = account.root.create_key(NOW - 60).unwrap();
        account.root.use_key(0, NOW - 30, "eu-west-1", "s3");
        account.root.password = false;
        key
    });
    let session = bench.root_session("Audit").await.credentials();

    let keys = bench.iam(&session, "ListAccessKeys").await;
    assert_eq!(keys.element("AccessKeyId"), Some(key.as_str()));
    assert_eq!(keys.element("Status"), Some("Active"));
    assert_eq!(keys.element("CreateDate"), Some("2026-09-11T13:13:52Z"));
    let params = [("AccessKeyId", key.as_str())];
    let last_used = bench
        .query(&session, Service::Iam, "GetAccessKeyLastUsed", &params)
        .await;
    assert_eq!(
        last_used.element("LastUsedDate"),
        Some("2026-09-11T13:14:22Z")
    );
    assert_eq!(last_used.element("Region"), Some("eu-west-1"));
    assert_eq!(last_used.element("ServiceName"), Some("s3"));
    let profile = bench.iam(&session, "GetLoginProfile").await;
    assert_eq!(profile.code(), (404, "NoSuchEntity"));
    let devices = bench.iam(&session, "ListMFADevices").await;
    assert!(devices.element("SerialNumber").is_some());
    let certificates = bench.iam(&session, "ListSigningCertificates").await;
    assert_eq!(certificates.element("Certificates"), Some(""));
    let summary = bench.iam(&session, "GetAccountSummary").await;
    assert_eq!(summary.summary("AccountAccessKeysPresent"), Some(1));

    for denied in ["GetCredentialReport", "GenerateCredentialReport"] {
        assert_eq!(
            bench.iam(&session, denied).await.code(),
            (403, "AccessDenied")
        );
    }
    let delete = bench
        .query(&session, Service::Iam, "DeleteAccessKey", &params)
        .await;
    assert_eq!(delete.code(), (403, "AccessDenied"));
}

#[tokio::test]
async fn a_root_session_with_the_delete_policy_deletes_each_credential() {
    let bench = Bench::start().await;
    let (key, certificate) = bench.world.edit(member(), |account| {
        let root = &mut account.root;
        (
            root.create_key(NOW).unwrap(),
            root.upload_certificate(NOW).unwrap(),
        )
    });
    let session = bench.root_session("Delete").await.credentials();
    let deletions = [
        ("DeleteAccessKey", vec![("AccessKeyId", key.as_str())]),
        (
            "DeleteSigningCertificate",
            vec![("CertificateId", certificate.as_str())],
        ),
        ("DeleteLoginProfile", vec![]),
        ("DeactivateMFADevice", vec![("SerialNumber", "any")]),
    ];
    for (action, params) in deletions {
        let answer = bench.query(&session, Service::Iam, action, &params).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.body);
    }
    let params = [("AccessKeyId", key.as_str())];
    let again = bench
        .query(&session, Service::Iam, "DeleteAccessKey", &params)
        .await;
    assert_eq!(again.code(), (404, "NoSuchEntity"));
    bench.world.edit(member(), |account| {
        assert!(account.root.keys[0].is_none() && account.root.certificates[0].is_none());
        assert_eq!((account.root.password, account.root.mfa), (false, false));
    });
}

#[tokio::test]
async fn an_operation_that_iam_does_not_have_is_an_invalid_action() {
    let bench = Bench::start().await;
    let answer = bench.iam(&outside(), "AssumeRole").await;
    assert_eq!(answer.code(), (400, "InvalidAction"));
}
