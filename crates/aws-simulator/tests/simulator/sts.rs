//! STS: who gets a session, for how long, and how the others are refused.

use std::collections::HashMap;

use crate::client::{Bench, Credentials, hub, id, member, outside};
use aws_simulator::{Account, AccountState, Operation, Service};

const AUDIT: &str = "arn:aws:iam::000000000042:role/audit";

#[tokio::test]
async fn a_key_from_outside_belongs_to_the_hub() {
    let bench = Bench::start().await;
    let answer = bench.sts("GetCallerIdentity", &[]).await;
    assert!(answer.body.starts_with(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
    ));
    assert_eq!(answer.element("Account"), Some("999000000001"));
}

#[tokio::test]
async fn a_key_from_outside_can_have_an_account_of_its_own() {
    let bench = Bench::start().await;
    let callers = HashMap::from([(outside().key, member())]);
    bench.world.set_callers(callers);
    let answer = bench.sts("GetCallerIdentity", &[]).await;
    assert_eq!(answer.element("Account"), Some("000000000042"));
    let unknown = Credentials {
        key: "AKIAUNKNOWN000000000".to_owned(),
        token: None,
    };
    let answer = bench.iam(&unknown, "GetAccountSummary").await;
    assert_eq!(answer.code(), (403, "InvalidClientTokenId"));
}

#[tokio::test]
async fn a_role_is_assumed_with_its_external_id() {
    let bench = Bench::start().await;
    let params = [
        ("RoleArn", AUDIT),
        ("RoleSessionName", "test"),
        ("ExternalId", "let-me-in"),
    ];
    let answer = bench.sts("AssumeRole", &params).await;
    assert_eq!(
        answer.element("Arn"),
        Some("arn:aws:sts::000000000042:assumed-role/audit/test")
    );
    assert_eq!(answer.element("Expiration"), Some("2026-09-11T14:14:52Z"));
    let session = answer.credentials();
    let identity = bench
        .query(&session, Service::Sts, "GetCallerIdentity", &[])
        .await;
    assert_eq!(identity.element("Account"), Some("000000000042"));
}

#[tokio::test]
async fn a_role_refuses_every_other_caller_in_the_words_of_aws() {
    let bench = Bench::start().await;
    let nobody = "arn:aws:iam::000000000042:role/nobody";
    let nowhere = "arn:aws:iam::123456789012:role/audit";
    let wrong_id = ("ExternalId", "guess");
    for (arn, more) in [
        (AUDIT, None),
        (AUDIT, Some(wrong_id)),
        (nobody, None),
        (nowhere, None),
    ] {
        let mut params = vec![("RoleArn", arn), ("RoleSessionName", "test")];
        params.extend(more);
        let answer = bench.sts("AssumeRole", &params).await;
        assert_eq!(answer.code(), (403, "AccessDenied"), "{arn}");
        assert_eq!(
            answer.element("Message").unwrap(),
            format!(
                "User: arn:aws:iam::999000000001:user/simulated-caller is not authorized to \
                 perform: sts:AssumeRole on resource: {arn}"
            )
        );
    }
}

#[tokio::test]
async fn a_suspended_account_has_no_sessions() {
    let bench = Bench::start().await;
    let params = [
        ("RoleArn", "arn:aws:iam::000000000042:role/open"),
        ("RoleSessionName", "test"),
    ];
    let state = |state| bench.world.edit(member(), |it| it.state = Some(state));
    state(AccountState::Suspended);
    assert_eq!(bench.sts("AssumeRole", &params).await.status, 403);
    state(AccountState::PendingClosure);
    assert_eq!(bench.sts("AssumeRole", &params).await.status, 200);
}

#[tokio::test]
async fn parameters_out_of_range_are_validation_errors() {
    let bench = Bench::start().await;
    let open = ("RoleArn", "arn:aws:iam::000000000042:role/open");
    for params in [
        vec![open, ("RoleSessionName", "x")],
        vec![open, ("RoleSessionName", "no spaces")],
        vec![
            open,
            ("RoleSessionName", "test"),
            ("DurationSeconds", "899"),
        ],
        vec![
            open,
            ("RoleSessionName", "test"),
            ("DurationSeconds", "3601"),
        ],
        vec![open, ("RoleSessionName", "test"), ("ExternalId", "x")],
        vec![("RoleArn", "role/open"), ("RoleSessionName", "test")],
    ] {
        let answer = bench.sts("AssumeRole", &params).await;
        assert_eq!(answer.code(), (400, "ValidationError"), "{params:?}");
    }
}

#[tokio::test]
async fn a_session_ends_at_its_expiration() {
    let bench = Bench::start().await;
    let session = bench.role_session().await;
    bench.advance(3_599);
    assert_eq!(bench.iam(&session, "GetAccountSummary").await.status, 200);
    bench.advance(1);
    let iam = bench.iam(&session, "GetAccountSummary").await;
    assert_eq!(iam.code(), (403, "ExpiredToken"));
    let sts = bench
        .query(&session, Service::Sts, "GetCallerIdentity", &[])
        .await;
    assert_eq!(sts.code(), (400, "ExpiredToken"));
}

#[tokio::test]
async fn a_session_key_without_its_own_token_is_invalid() {
    let bench = Bench::start().await;
    let (mine, other) = (bench.role_session().await, bench.role_session().await);
    for token in [None, Some("forged".to_owned()), other.token] {
        let forged = Credentials {
            key: mine.key.clone(),
            token,
        };
        let answer = bench.iam(&forged, "GetAccountSummary").await;
        assert_eq!(answer.code(), (403, "InvalidClientTokenId"));
    }
}

#[tokio::test]
async fn a_request_without_credentials_is_refused() {
    let bench = Bench::start().await;
    let bytes = bench.bytes("", "Action=GetCallerIdentity").await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("HTTP/1.1 403 "), "{text}");
    assert!(text.contains("<Code>MissingAuthenticationToken</Code>"));
}

#[tokio::test]
async fn an_operation_that_a_role_does_not_permit_is_denied() {
    let bench = Bench::start().await;
    let session = bench.role_session().await;
    bench.world.edit(member(), |account| {
        account.roles.get_mut("open").unwrap().denied = vec![Operation::GetAccountSummary];
    });
    let denied = bench.iam(&session, "GetAccountSummary").await;
    assert_eq!(denied.code(), (403, "AccessDenied"));
    let allowed = bench.iam(&session, "GenerateCredentialReport").await;
    assert_eq!(allowed.status, 200);
}

#[tokio::test]
async fn a_root_session_needs_the_feature_a_member_and_fifteen_minutes_at_most() {
    let bench = Bench::start().await;
    let policy = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials";
    let ask = async |target: &str, policy: &str, seconds: &str| {
        let params = [
            ("TargetPrincipal", target),
            ("TaskPolicyArn.arn", policy),
            ("DurationSeconds", seconds),
        ];
        let answer = bench.sts("AssumeRoot", &params).await;
        answer.status
    };
    assert_eq!(ask("000000000042", policy, "900").await, 200);
    assert_eq!(
        ask("arn:aws:iam::000000000042:root", policy, "60").await,
        200
    );
    assert_eq!(ask("000000000042", policy, "901").await, 400);
    assert_eq!(
        ask("000000000042", "arn:aws:iam::aws:policy/Other", "900").await,
        400
    );
    assert_eq!(
        ask("999000000001", policy, "900").await,
        403,
        "the management account"
    );
    assert_eq!(
        ask("123456789012", policy, "900").await,
        403,
        "an unknown account"
    );
    bench.world.organization(|it| it.root_access = false);
    assert_eq!(
        ask("000000000042", policy, "900").await,
        403,
        "the feature is off"
    );
}

#[tokio::test]
async fn a_root_session_is_for_the_management_account_and_its_delegates() {
    let bench = Bench::start().await;
    let other = id("999000000003");
    bench.world.add(Account::new(other, "security", 0));
    bench
        .world
        .set_callers(HashMap::from([(outside().key, other)]));
    assert_eq!(
        bench.root_session("Audit").await.code(),
        (403, "AccessDenied")
    );
    bench.world.organization(|it| it.delegated.insert(other));
    assert_eq!(bench.root_session("Audit").await.status, 200);
}

#[tokio::test]
async fn a_call_is_recorded_with_the_account_it_is_about() {
    let bench = Bench::start().await;
    let params = [
        ("RoleArn", AUDIT),
        ("RoleSessionName", "test"),
        ("ExternalId", "let-me-in"),
    ];
    bench.sts("AssumeRole", &params).await;
    let session = bench.root_session("Audit").await.credentials();
    bench.iam(&session, "GetLoginProfile").await;
    bench.sts("GetCallerIdentity", &[]).await;

    let calls = bench.world.calls();
    let accounts: Vec<_> = calls.iter().map(|call| call.account.unwrap()).collect();
    assert_eq!(accounts, [member(), member(), member(), hub()]);
    assert!(calls[0].external_id && !calls[1].external_id);
    assert_eq!((calls[2].status, calls[2].error), (Some(200), None));
    assert_eq!(bench.world.count(member(), "AssumeRole"), 1);
    assert_eq!(bench.world.total("AssumeRoot"), 1);
}
