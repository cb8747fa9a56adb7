//! Each fault, as a client sees it.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{Bench, NOW, head, hub, id, member, outside};
use aws_simulator::{Fault, FaultKind, Ready, Service, Simulator};

/// The bytes that answer a `GetAccountSummary` of the hub.
async fn summary_bytes(bench: &Bench) -> Vec<u8> {
    bench
        .bytes(&head(&outside(), "iam"), "Action=GetAccountSummary")
        .await
}

#[tokio::test]
async fn faults_that_are_an_answer() {
    let bench = Bench::start().await;
    for (kind, status, code) in [
        (FaultKind::Throttling, 400, "Throttling"),
        (FaultKind::LimitExceeded, 409, "LimitExceeded"),
        (FaultKind::ServiceFailure, 500, "ServiceFailure"),
        (FaultKind::AccessDenied, 403, "AccessDenied"),
        (FaultKind::ExpiredToken, 403, "ExpiredToken"),
        (FaultKind::InvalidToken, 403, "InvalidClientTokenId"),
        (FaultKind::UnknownOperation, 400, "InvalidAction"),
    ] {
        bench.world.fault(Fault::new(kind).times(1));
        let answer = bench.iam(&outside(), "GenerateCredentialReport").await;
        assert_eq!(answer.code(), (status, code));
        assert_eq!(bench.world.calls().last().unwrap().error, Some(code));
    }
    let answer = bench.iam(&outside(), "GenerateCredentialReport").await;
    assert_eq!(
        answer.element("State"),
        Some("STARTED"),
        "none of them began a report"
    );
}

#[tokio::test]
async fn a_load_balancer_answers_in_html_and_nothing_takes_place() {
    let bench = Bench::start().await;
    bench
        .world
        .fault(Fault::new(FaultKind::Unavailable).times(1));
    let answer = bench.iam(&outside(), "GenerateCredentialReport").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["content-type"], "text/html");
    assert!(answer.body.starts_with("<html>"));
    let answer = bench.iam(&outside(), "GenerateCredentialReport").await;
    assert_eq!(answer.element("State"), Some("STARTED"));
}

/// The member's keys by its summary, its list and a new report.
async fn keys_by_source(bench: &Bench) -> (Option<i64>, bool, bool) {
    bench.world.edit(member(), |account| {
        account.report.forget();
        account.report.ready = Ready::After(0);
    });
    let role = bench.role_session().await;
    let root = bench.root_session("Audit").await.credentials();
    let summary = bench.iam(&role, "GetAccountSummary").await;
    let list = bench.iam(&root, "ListAccessKeys").await;
    bench.iam(&role, "GenerateCredentialReport").await;
    let report = bench.iam(&role, "GetCredentialReport").await.report();
    let line = report.lines().nth(1).unwrap();
    (
        summary.summary("AccountAccessKeysPresent"),
        list.element("AccessKeyId").is_some(),
        line.split(',').nth(8) == Some("true"),
    )
}

#[tokio::test]
async fn each_source_lags_by_itself() {
    let bench = Bench::start().await;
    bench.world.edit(member(), |account| {
        account.root.create_key(NOW).unwrap();
    });
    let long = FaultKind::Lag(Duration::from_secs(3600));
    for (operation, keys) in [
        ("GetAccountSummary", (Some(0), true, true)),
        ("ListAccessKeys", (Some(1), false, true)),
        ("GenerateCredentialReport", (Some(1), true, false)),
        ("ListMFADevices", (Some(1), true, true)),
    ] {
        bench.world.fault(Fault::new(long).on(operation));
        assert_eq!(keys_by_source(&bench).await, keys, "{operation}");
        bench.world.clear_faults();
    }
    bench
        .world
        .fault(Fault::new(FaultKind::Lag(Duration::ZERO)));
    assert_eq!(keys_by_source(&bench).await, (Some(1), true, true));
}

#[tokio::test]
async fn every_other_answer_is_stale_and_the_calls_say_what_was_answered() {
    let bench = Bench::start().await;
    bench.world.edit(bench.world.hub(), |account| {
        account.root.mfa = false;
    });
    let stale = FaultKind::StaleReplica(Duration::from_secs(3600));
    bench.world.fault(Fault::new(stale));
    bench.world.fault(Fault::new(FaultKind::Torn).times(1));
    let mut answered = Vec::new();
    for _ in 0..4 {
        let answer = bench.iam(&outside(), "GetAccountSummary").await;
        answered.push(answer.summary("AccountMFAEnabled").map(|on| on == 1));
    }
    assert!(
        answered[1] != answered[2] && answered[1] == answered[3],
        "{answered:?}"
    );
    let calls = bench.world.calls_after(1);
    let logged: Vec<_> = calls
        .iter()
        .map(|call| call.reported.map(|reported| reported.root.mfa))
        .collect();
    assert_eq!(logged, answered[1..]);
    assert!(!bench.world.calls()[0].whole && calls.iter().all(|call| call.whole));
}

#[tokio::test]
async fn a_fault_applies_to_its_account_and_its_operation_only() {
    let bench = Bench::start().await;
    let fault = Fault::new(FaultKind::AccessDenied);
    bench
        .world
        .fault(fault.of(member()).on("GetAccountSummary"));
    let session = bench.role_session().await;
    assert_eq!(bench.iam(&session, "GetAccountSummary").await.status, 403);
    assert_eq!(
        bench.iam(&session, "GenerateCredentialReport").await.status,
        200
    );
    assert_eq!(bench.iam(&outside(), "GetAccountSummary").await.status, 200);
    bench.world.clear_faults();
    assert_eq!(bench.iam(&session, "GetAccountSummary").await.status, 200);
}

#[tokio::test]
async fn a_torn_answer_has_half_of_its_content_length() {
    let bench = Bench::start().await;
    let whole = bench.iam(&outside(), "GetAccountSummary").await;
    bench.world.fault(Fault::new(FaultKind::Torn));
    let torn = bench.iam(&outside(), "GetAccountSummary").await;
    assert_eq!(torn.headers["content-length"], whole.body.len().to_string());
    assert_eq!(torn.body.len(), whole.body.len() / 2);
}

#[tokio::test]
async fn a_refused_request_gets_no_byte() {
    let bench = Bench::start().await;
    bench.world.fault(Fault::new(FaultKind::Refuse));
    assert_eq!(summary_bytes(&bench).await, b"");
    assert_eq!(bench.world.calls()[0].status, None);
    assert_eq!(bench.world.calls()[0].error, None);
}

#[tokio::test]
async fn a_request_without_an_answer_stays_in_flight_until_its_client_leaves() {
    let bench = Bench::start().await;
    bench.world.fault(Fault::new(FaultKind::NeverAnswer));
    let (one, two) = (summary_bytes(&bench), summary_bytes(&bench));
    let both = async { tokio::join!(one, two) };
    let waited = timeout(Duration::from_millis(300), both).await;
    assert!(waited.is_err(), "{waited:?}");
    assert_eq!(bench.world.most_at_once(hub()), 2);
    assert_eq!(bench.world.count(hub(), "GetAccountSummary"), 2);
}

#[tokio::test]
async fn requests_one_after_the_other_never_overlap() {
    let bench = Bench::start().await;
    let mut stream = TcpStream::connect(bench.simulator.address()).await.unwrap();
    let body = "Action=GetCallerIdentity";
    let head = head(&outside(), "sts");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: aws\r\nContent-Length: {}\r\n{head}\r\n{body}",
        body.len()
    );
    for _ in 0..200 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"</GetCallerIdentityResponse>\n") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
    }
    assert_eq!(bench.world.most_at_once(hub()), 1);
}

#[tokio::test]
async fn an_answer_can_come_at_a_byte_a_second() {
    let bench = Bench::start().await;
    bench.world.fault(Fault::new(FaultKind::OneByteASecond));
    let mut stream = TcpStream::connect(bench.simulator.address()).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: aws\r\nContent-Length: 24\r\n{}\r\nAction=GetAccountSummary",
        head(&outside(), "iam")
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = timeout(Duration::from_millis(1_500), stream.read_to_end(&mut bytes)).await;
    assert!(read.is_err(), "still coming");
    let text = String::from_utf8(bytes).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    assert!((1..=2).contains(&body.len()), "{body:?}");
}

#[tokio::test]
async fn an_answer_can_be_late() {
    let bench = Bench::start().await;
    let late = Duration::from_millis(150);
    bench.world.fault(Fault::new(FaultKind::Delay(late)));
    let begun = Instant::now();
    assert_eq!(bench.iam(&outside(), "GetAccountSummary").await.status, 200);
    assert!(begun.elapsed() >= late);
}

#[tokio::test]
async fn the_date_can_be_wrong_or_missing() {
    let bench = Bench::start().await;
    let skew = |seconds| Fault::new(FaultKind::DateSkew(seconds)).times(1);
    bench.world.fault(skew(-3_600));
    let back = bench.iam(&outside(), "GetAccountSummary").await;
    assert_eq!(back.headers["date"], "Fri, 11 Sep 2026 12:14:52 GMT");
    bench.world.fault(skew(8));
    let forward = bench.iam(&outside(), "GetAccountSummary").await;
    assert_eq!(forward.headers["date"], "Fri, 11 Sep 2026 13:15:00 GMT");
    bench.world.fault(Fault::new(FaultKind::NoDate));
    let missing = bench.iam(&outside(), "GetAccountSummary").await;
    assert_eq!(missing.headers.get("date"), None);
}

#[tokio::test]
async fn answers_can_be_for_another_account() {
    let bench = Bench::start().await;
    bench.world.edit(hub(), |account| account.store_report(NOW));
    let other = id("111122223333");
    bench
        .world
        .fault(Fault::new(FaultKind::WrongAccount(other)));
    let identity = bench.sts("GetCallerIdentity", &[]).await;
    assert_eq!(identity.element("Account"), Some("111122223333"));
    let params = [
        ("RoleArn", "arn:aws:iam::000000000042:role/open"),
        ("RoleSessionName", "test"),
    ];
    let role = bench.sts("AssumeRole", &params).await;
    assert_eq!(
        role.element("Arn"),
        Some("arn:aws:sts::111122223333:assumed-role/open/test")
    );
    let report = bench.iam(&outside(), "GetCredentialReport").await.report();
    assert!(
        report.contains("<root_account>,arn:aws:iam::111122223333:root,"),
        "{report}"
    );
}

#[tokio::test]
async fn xml_can_end_in_the_middle_of_a_complete_answer() {
    let bench = Bench::start().await;
    bench.world.fault(Fault::new(FaultKind::TruncatedXml));
    let answer = bench.iam(&outside(), "GetAccountSummary").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.headers["content-length"],
        answer.body.len().to_string()
    );
    assert!(!answer.body.contains("</GetAccountSummaryResponse>"));
}

#[tokio::test]
async fn xml_can_end_between_two_elements() {
    let bench = Bench::start().await;
    bench
        .world
        .fault(Fault::new(FaultKind::EndsBefore("</SummaryMap>")).times(1));
    let answer = bench.iam(&outside(), "GetAccountSummary").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.ends_with("</entry>"), "{}", answer.body);
}

#[tokio::test]
async fn content_can_be_broken_base64_or_a_cut_report() {
    let bench = Bench::start().await;
    bench.world.edit(hub(), |account| account.store_report(NOW));
    bench
        .world
        .fault(Fault::new(FaultKind::TruncatedBase64).times(1));
    let cut = bench.iam(&outside(), "GetCredentialReport").await;
    let content = cut.element("Content").unwrap();
    assert!(content.len() > 4);
    assert!(BASE64_STANDARD.decode(content).is_err());

    bench
        .world
        .fault(Fault::new(FaultKind::MalformedCsv).times(1));
    let report = bench.iam(&outside(), "GetCredentialReport").await.report();
    let (header, row) = report.split_once('\n').unwrap();
    assert_eq!(header.split(',').count(), 22);
    assert!(row.starts_with("<root_account>,") && row.split(',').count() < 22);

    let whole = bench.iam(&outside(), "GetCredentialReport").await.report();
    assert!(whole.starts_with(&report) && whole.len() > report.len());
}

#[tokio::test]
async fn a_report_can_stay_in_the_making_while_a_fault_lasts() {
    let bench = Bench::start().await;
    bench
        .world
        .fault(Fault::new(FaultKind::ReportNeverCompletes));
    for _ in 0..3 {
        let generate = bench.iam(&outside(), "GenerateCredentialReport").await;
        assert_eq!(generate.element("State"), Some("INPROGRESS"));
        let get = bench.iam(&outside(), "GetCredentialReport").await;
        assert_eq!(get.code(), (404, "ReportInProgress"));
        bench.advance(3_600);
    }
}

#[tokio::test]
async fn dropping_the_simulator_closes_port_and_connections() {
    let bench = Bench::start().await;
    let address = bench.simulator.address();
    let mut kept = TcpStream::connect(address).await.unwrap();
    bench.iam(&outside(), "GetAccountSummary").await;
    drop(bench);
    let ended = timeout(Duration::from_secs(5), kept.read_u8())
        .await
        .unwrap();
    assert!(ended.is_err(), "the connection is closed");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_simulator_stays_on_loopback() {
    let bench = Bench::start().await;
    let started = Simulator::start(bench.world, "0.0.0.0:0", Arc::new(|| NOW)).await;
    assert_eq!(started.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn sts_answers_400_to_an_expired_session() {
    let bench = Bench::start().await;
    bench.world.fault(Fault::new(FaultKind::ExpiredToken));
    let answer = bench
        .query(&outside(), Service::Sts, "GetCallerIdentity", &[])
        .await;
    assert_eq!(answer.code(), (400, "ExpiredToken"));
}
