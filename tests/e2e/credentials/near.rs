//! Metadata of an instance and credentials of a container: never through a proxy, and sometimes slow.

use std::time::Duration;

use super::*;
use test_support::server::{Server, container, instance};

/// A proxy that refuses everything.
fn proxy() -> Server {
    Server::start(|_| (502, String::new()))
}

/// The targets of the requests to a proxy.
fn asked(proxy: &Server) -> Vec<String> {
    let requests = proxy.requests();
    requests
        .iter()
        .map(|request| request.target().to_owned())
        .collect()
}

/// The variables of a proxy for everything.
fn through(proxy: &Server) -> [(&'static str, String); 2] {
    [("HTTP_PROXY", proxy.url()), ("ALL_PROXY", proxy.url())]
}

fn on_instance(metadata: &Server) -> [(&'static str, String); 2] {
    [
        ("AWS_EC2_METADATA_DISABLED", "false".to_owned()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url()),
    ]
}

#[test]
fn metadata_and_credentials_of_a_container_never_go_through_a_proxy() {
    let aws = aws(&[(OLD, HUB)]);
    let metadata = instance(Duration::ZERO, OLD, "eu-west-1");
    let given = container(OLD);
    let full_uri = format!("{}/v1/credentials", given.url());
    let of_container = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", full_uri)];
    let ways = [
        (&metadata, on_instance(&metadata).to_vec()),
        (&given, of_container.to_vec()),
    ];
    for (near, way) in ways {
        let proxy = proxy();
        let launch = launch(&aws, QUICK)
            .environment(through(&proxy))
            .environment(way);
        let daemon = launch.start();
        // Requests to AWS itself go through the proxy.
        eventually(PATIENCE, || {
            let asked = asked(&proxy);
            let is_asked = asked.iter().any(|target| target.starts_with(&aws.url));
            is_asked.then_some(()).ok_or(format!("requests: {asked:?}"))
        });
        assert!(!near.requests().is_empty());
        for target in asked(&proxy) {
            assert!(target.starts_with(&aws.url), "{target}");
        }
        end(daemon);
    }
}

#[test]
fn the_role_of_the_instance_in_a_profile_never_goes_through_a_proxy() {
    let aws = aws(&[(OLD, 101)]);
    let metadata = instance(Duration::ZERO, OLD, "eu-west-1");
    let proxy = proxy();
    let config = format!(
        "{QUICK}[[accounts]]\nid = \"{}\"\nprofile = \"p\"\n",
        id(101)
    );
    let launch = launch(&aws, &config)
        .environment(through(&proxy))
        .environment(on_instance(&metadata));
    write(
        &launch.path(".aws/config"),
        "[profile p]\nrole_arn = arn:aws:iam::000000000101:role/aws-root-exporter\n\
         credential_source = Ec2InstanceMetadata\n",
    );
    let daemon = launch.start();
    eventually(PATIENCE, || {
        let asked = asked(&proxy);
        (!asked.is_empty())
            .then_some(())
            .ok_or("no proxy is asked".to_owned())
    });
    assert!(!metadata.requests().is_empty());
    for target in asked(&proxy) {
        assert!(target.starts_with(&aws.url), "{target}");
    }
    end(daemon);
}

#[test]
fn metadata_that_takes_longer_than_a_second_is_waited_for() {
    let aws = aws(&[(OLD, HUB)]);
    let metadata = instance(Duration::from_millis(1_400), OLD, "eu-west-1");
    let launch = launch(&aws, QUICK).environment(on_instance(&metadata));
    let daemon = launch.start();
    read_again(&aws, HUB);
    end(daemon);
}
