//! Credentials that come from a service: web identity, SSO, role chains; and the effect of proxies, FIPS,
//! dual stack and a wrong clock.

use aws_simulator::{Fault, FaultKind};

use super::*;
use test_support::server::{Request, Server, container, pass_on};

const ROLE: &str = "arn:aws:iam::000000000101:role/aws-root-exporter";

fn of_profile() -> String {
    format!(
        "{QUICK}[[accounts]]\nid = \"{}\"\nprofile = \"p\"\n",
        id(101)
    )
}

#[test]
fn a_web_identity_is_exchanged_for_a_role() {
    let aws = aws(&[(OLD, 101)]);
    // As IRSA does: the token is read each time, and the request to STS has no signature.
    let (_, address) = aws.url.split_once("://").unwrap();
    let address = address.parse().unwrap();
    let sts = Server::start(move |request| {
        if !request.body.contains("Action=AssumeRoleWithWebIdentity") {
            return pass_on(address, request);
        }
        let expiration = test_support::server::in_an_hour();
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>{OLD}</AccessKeyId><SecretAccessKey>the-secret-of-a-file\
             </SecretAccessKey><SessionToken>the-token-of-the-instance</SessionToken>\
             <Expiration>{expiration}</Expiration></Credentials><AssumedRoleUser><Arn>\
             arn:aws:sts::000000000101:assumed-role/r/s</Arn><AssumedRoleId>x:s</AssumedRoleId>\
             </AssumedRoleUser></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
        );
        (200, body)
    });
    let launch = launch_at(&sts.url(), QUICK);
    let token = launch.path("token");
    write(&token, "the-token-of-the-instance");
    let launch = launch.environment([
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.display().to_string()),
        ("AWS_ROLE_ARN", ROLE.to_owned()),
    ]);
    let daemon = launch.start();
    read_again(&aws, 101);
    end(daemon);
}

#[test]
fn a_container_gets_credentials_by_the_token_of_its_file() {
    let aws = aws(&[(OLD, HUB)]);
    let given = container(OLD);
    let launch = launch(&aws, QUICK);
    let token = launch.path("token");
    write(&token, "the-token-of-the-instance");
    // As EKS Pod Identity does.
    let daemon = launch
        .environment([
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("{}/v1/credentials", given.url()),
            ),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                token.display().to_string(),
            ),
        ])
        .start();
    read_again(&aws, HUB);
    let bears = |request: &Request| request.header("authorization") == "the-token-of-the-instance";
    assert!(given.requests().iter().all(bears));
    end(daemon);
}

#[test]
fn an_expired_sso_session_says_to_sign_in_again() {
    let aws = aws(&[(OLD, 101)]);
    let launch = launch(&aws, &of_profile());
    write(
        &launch.path(".aws/config"),
        "[sso-session corporate]\nsso_region = us-east-1\n\
         sso_start_url = https://example.awsapps.com/start\n[profile p]\n\
         sso_session = corporate\nsso_account_id = 000000000101\nsso_role_name = audit\n",
    );
    let daemon = launch.start();
    said(&daemon, &["credentials of profile 'p'", "aws sso login"]);
    end(daemon);
}

#[test]
fn a_chain_of_roles_is_followed() {
    let aws = aws(&[(OLD, HUB)]);
    let launch = launch(&aws, &of_profile());
    let of = |number: u64| format!("arn:aws:iam::{}:role/aws-root-exporter", id(number));
    let text = format!(
        "[profile p]\nrole_arn = {}\nexternal_id = e2e-external-id\nsource_profile = hub\n\
         [profile hub]\nrole_arn = {}\nexternal_id = e2e-external-id\nsource_profile = keys\n\
         [profile keys]\naws_access_key_id = {OLD}\naws_secret_access_key = the-secret-of-a-file\n",
        of(101),
        of(HUB),
    );
    write(&launch.path(".aws/config"), &text);
    let daemon = launch.start();
    read_again(&aws, 101);
    end(daemon);
}

#[test]
fn fips_endpoints_are_used_where_that_is_set() {
    let proxy = Server::start(|_| (502, String::new()));
    for (variable, host) in [
        (
            "AWS_USE_FIPS_ENDPOINT",
            "sts-fips.eu-west-1.amazonaws.com:443",
        ),
        ("AWS_USE_DUALSTACK_ENDPOINT", "sts.eu-west-1.api.aws:443"),
    ] {
        let daemon = Launch::new(&[ANY_PORT])
            .environment([
                ("AWS_REGION", "eu-west-1".to_owned()),
                ("AWS_ACCESS_KEY_ID", OLD.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "the-secret-of-a-file".to_owned()),
                ("HTTPS_PROXY", proxy.url()),
                (variable, "true".to_owned()),
            ])
            .start();
        eventually(PATIENCE, || {
            let requests = proxy.requests();
            let is_asked = requests.iter().any(|request| request.target() == host);
            is_asked.then_some(()).ok_or(format!("{requests:?}"))
        });
        end(daemon);
    }
}

#[test]
fn a_socks_proxy_is_refused_with_a_clear_message() {
    let aws = aws(&[(OLD, HUB)]);
    let daemon = launch(&aws, QUICK)
        .environment([
            ("AWS_ACCESS_KEY_ID", OLD.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "the-secret-of-a-file".to_owned()),
            ("ALL_PROXY", "socks5://127.0.0.1:1".to_owned()),
        ])
        .start();
    said(&daemon, &["network", "a SOCKS proxy cannot be used"]);
    end(daemon);
}

#[test]
fn a_clock_that_is_off_by_an_hour_is_named() {
    let aws = aws(&[(OLD, HUB)]);
    for kind in [FaultKind::InvalidToken, FaultKind::DateSkew(3600)] {
        aws.world.fault(Fault::new(kind));
    }
    let daemon = launch(&aws, QUICK)
        .environment([
            ("AWS_ACCESS_KEY_ID", OLD.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "the-secret-of-a-file".to_owned()),
        ])
        .start();
    said(
        &daemon,
        &["credentials", "this machine's clock is 3", "s behind AWS's"],
    );
    end(daemon);
}

#[test]
fn an_endpoint_that_is_not_a_url_is_reported_without_the_request() {
    let launch = launch_at("127.0.0.1:9", QUICK);
    let token = launch.path("token");
    write(&token, "the-token-of-the-instance");
    let daemon = launch
        .environment([
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.display().to_string()),
            ("AWS_ROLE_ARN", ROLE.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ])
        .start();
    said(&daemon, &["credentials of the caller"]);
    end(daemon);
}

#[test]
fn a_token_file_that_would_hang_is_refused_and_other_accounts_are_polled() {
    let aws = aws(&[(OLD, 101)]);
    let good = format!("[[accounts]]\nid = \"{}\"\nprofile = \"p\"\n", id(101));
    let hangs = format!("[[accounts]]\nid = \"{}\"\nprofile = \"q\"\n", id(102));
    let launch = launch(&aws, &format!("{QUICK}{good}{hangs}"));
    let token = launch.path("token");
    let made = std::process::Command::new("mkfifo").arg(&token).status();
    assert!(made.unwrap().success());
    let text = format!(
        "[profile p]\naws_access_key_id = {OLD}\naws_secret_access_key = the-secret-of-a-file\n\
         [profile q]\nrole_arn = {ROLE}\nweb_identity_token_file = {}\n",
        token.display()
    );
    write(&launch.path(".aws/config"), &text);
    let variable = "AWS_WEB_IDENTITY_TOKEN_FILE";
    let daemon = launch
        .environment([
            (variable, token.display().to_string()),
            ("AWS_ROLE_ARN", ROLE.to_owned()),
        ])
        .start();
    said(
        &daemon,
        &["profile 'q'", "web_identity_token_file", "token: "],
    );
    read_again(&aws, 101);
    end(daemon);
}
