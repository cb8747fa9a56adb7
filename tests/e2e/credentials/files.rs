//! The shared files: read again when they change, and as the AWS CLI reads them.

use std::time::Duration;

use super::*;
use test_support::server::{Server, instance, pass_on};

#[test]
fn keys_that_are_rotated_while_the_daemon_runs_are_read() {
    let aws = aws(&[(OLD, HUB)]);
    let launch = launch(&aws, QUICK);
    let file = launch.path(".aws/credentials");
    write(&file, &keys("default", OLD));
    let daemon = launch.start();
    daemon.wait_until_ready();
    read_again(&aws, HUB);
    know(&aws, &[(NEW, HUB)]);
    said(&daemon, &["InvalidClientTokenId", "…MOLD"]);
    write(&file, &keys("default", NEW));
    read_again(&aws, HUB);
    end(daemon);
}

#[test]
fn keys_that_appear_after_the_start_are_read() {
    let aws = aws(&[(NEW, HUB)]);
    let launch = launch(&aws, QUICK);
    let file = launch.path(".aws/credentials");
    let daemon = launch.start();
    said(&daemon, &["none are found", "docs/credentials.md"]);
    write(&file, &keys("default", NEW));
    read_again(&aws, HUB);
    end(daemon);
}

#[test]
fn a_profile_of_an_account_is_read_again_while_its_old_key_still_works() {
    let aws = aws(&[(OLD, 101), (NEW, 101)]);
    let relay = relay(&aws);
    let profile = format!("[[accounts]]\nid = \"{}\"\nprofile = \"p\"\n", id(101));
    let launch = launch_at(&relay.url(), &format!("{QUICK}{profile}"));
    let file = launch.path(".aws/credentials");
    write(&file, &keys("p", OLD));
    let daemon = launch.start();
    read_again(&aws, 101);
    let bears = |key: &str| {
        let last = relay.requests().pop().unwrap_or_default();
        last.header("authorization").contains(key)
    };
    assert!(bears(OLD));
    write(&file, &keys("p", NEW));
    eventually(Duration::from_secs(20), || {
        bears(NEW).then_some(()).ok_or("the old key".to_owned())
    });
    end(daemon);
}

#[test]
fn the_caller_s_own_account_is_read_with_a_new_key_while_the_old_one_still_works() {
    let aws = aws(&[(OLD, HUB), (NEW, HUB)]);
    let relay = relay(&aws);
    let launch = launch_at(&relay.url(), QUICK);
    let file = launch.path(".aws/credentials");
    write(&file, &keys("default", OLD));
    let daemon = launch.start();
    read_again(&aws, HUB);
    write(&file, &keys("default", NEW));
    eventually(Duration::from_secs(20), || {
        let last = relay.requests().pop().unwrap_or_default();
        let bears_new = last.header("authorization").contains(NEW);
        bears_new.then_some(()).ok_or("the old key".to_owned())
    });
    end(daemon);
}

/// A proxy to AWS that keeps the requests.
fn relay(aws: &Simulated) -> Server {
    let (_, address) = aws.url.split_once("://").unwrap();
    let address = address.parse().unwrap();
    Server::start(move |request| pass_on(address, request))
}

#[test]
fn keys_with_a_line_feed_are_a_failure_and_nothing_ends() {
    let aws = aws(&[(NEW, HUB)]);
    let launch = launch(&aws, QUICK).environment([
        ("AWS_ACCESS_KEY_ID", format!("{OLD}\n")),
        ("AWS_SECRET_ACCESS_KEY", "the-secret-of-a-file".to_owned()),
    ]);
    let daemon = launch.start();
    let first = said(
        &daemon,
        &["credentials", "a character that none has", "…MOLD"],
    );
    assert!(!first.contains(OLD), "{first}");
    assert_eq!(daemon.get("/-/healthy", &[]).status, 200);
    end(daemon);
}

#[test]
fn every_file_that_the_aws_cli_reads_is_read() {
    for text in [
        "[profile p] # mine\n  aws_access_key_id = KEY\n  aws_secret_access_key = SECRET\n",
        "[profile \"p\"]x\naws_access_key_id: KEY\nAWS_Secret_Access_Key = SECRET\n",
        "\n[profile base]\naws_access_key_id = KEY\naws_secret_access_key = SECRET\n\
         [profile p]\nrole_arn = arn:aws:iam::000000000101:role/aws-root-exporter\n\
         external_id = e2e-external-id\nsource_profile = base\n",
        "[profile A B]\naws_access_key_id = KEY\naws_secret_access_key = SECRET\n\
         [profile p]\nrole_arn = arn:aws:iam::000000000101:role/aws-root-exporter\n\
         external_id = e2e-external-id\nsource_profile = A B\n",
    ] {
        let aws = aws(&[(OLD, 101)]);
        let config = format!(
            "{QUICK}[[accounts]]\nid = \"{}\"\nprofile = \"p\"\n",
            id(101)
        );
        let launch = launch(&aws, &config);
        let text = text
            .replace("KEY", OLD)
            .replace("SECRET", "the-secret-of-a-file");
        write(&launch.path(".aws/config"), &text);
        let daemon = launch.start();
        read_again(&aws, 101);
        end(daemon);
    }
}

#[test]
fn an_unreadable_line_is_named_by_file_and_line_and_a_missing_profile_by_its_name() {
    let missing = "profile 'nope' is in neither";
    for (text, profile, words) in [
        (
            "[default]\nthe-secret-of-a-file\n",
            "p",
            "/.aws/config, line 2: there is no =",
        ),
        (
            "[profile p\n",
            "p",
            "/.aws/config, line 1: a section has no closing ]",
        ),
        ("[profile p]\nregion = us-east-1\n", "nope", missing),
        (
            "[nope]\nregion = us-east-1\n",
            "nope",
            "write [nope] as [profile nope]",
        ),
    ] {
        let aws = aws(&[(OLD, 101)]);
        let config = format!(
            "{QUICK}[[accounts]]\nid = \"{}\"\nprofile = \"{profile}\"\n",
            id(101)
        );
        let start = |flag: Option<&str>| {
            let launch = launch(&aws, &config);
            write(&launch.path(".aws/config"), text);
            flag.into_iter().fold(launch, Launch::argument)
        };
        let daemon = start(None).start();
        said(&daemon, &["credentials", words]);
        end(daemon);
        let checked = start(Some("--config.check")).finish();
        let errors = checked.errors().join("\n");
        assert_eq!(checked.code, 2, "{errors}");
        assert!(errors.contains(words), "{errors}");
        no_secret("--config.check", &errors);
    }
}

#[test]
fn no_other_account_is_read_in_place_of_a_missing_profile() {
    let aws = aws(&[(OLD, HUB), (NEW, 102)]);
    let instance = instance(Duration::ZERO, NEW, "eu-west-1");
    let launch = launch(&aws, QUICK).environment([
        ("AWS_PROFILE", "nope".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "false".to_owned()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url()),
    ]);
    let file = launch.path(".aws/credentials");
    let daemon = launch.start();
    said(&daemon, &["AWS_PROFILE: profile 'nope' is in neither"]);
    write(&file, &keys("nope", OLD));
    read_again(&aws, HUB);
    assert!(instance.requests().is_empty());
    assert_eq!(aws.world.count(id(102), "GetAccountSummary"), 0);
    end(daemon);
}
