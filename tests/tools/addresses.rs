//! Where the daemon listens: on every address of both families, at names, and the errors about addresses
//! that it cannot use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use test_support::daemon::{ANY_PORT, Daemon, Launch};
use test_support::program::library;
use test_support::{http, listen};

const DEMO: [&str; 3] = ["demo", "--accounts", "2"];

const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// The demo on a network of `network.c`, with these variables.
fn on_network(address: &str, variables: &[&str]) -> Launch {
    let launch = Launch::new(&DEMO).argument(&format!("--web.listen-address={address}"));
    let network = library("network.c", &launch.path("network.so"));
    let variables = variables.iter().map(|name| (*name, "1".to_owned()));
    launch
        .environment([("LD_PRELOAD", network)])
        .environment(variables)
}

fn free_port() -> u16 {
    listen().local_addr().unwrap().port()
}

fn is_healthy(daemon: &Daemon, ip: impl Into<IpAddr>) {
    let address = SocketAddr::new(ip.into(), daemon.address.port());
    assert_eq!(
        http::get(address, "/-/healthy", &[]).status,
        200,
        "{address}"
    );
}

#[test]
fn every_address_is_of_both_families_whatever_the_system_s_default() {
    for address in [":0", "[::]:0"] {
        for default in [&[][..], &["ONLY_IPV6"]] {
            let daemon = on_network(address, default).start();
            assert_eq!(daemon.address.ip(), Ipv6Addr::UNSPECIFIED);
            for ip in LOOPBACK {
                is_healthy(&daemon, ip);
            }
        }
    }
}

#[test]
fn every_address_is_that_of_ipv4_where_the_system_has_no_ipv6() {
    for address in [":0", "[::]:0"] {
        let daemon = on_network(address, &["NO_IPV6"]).start();
        assert_eq!(daemon.address.ip(), Ipv4Addr::UNSPECIFIED);
        is_healthy(&daemon, Ipv4Addr::LOCALHOST);
        let logged = daemon.process.lines().join("\n");
        assert!(logged.contains("this system has no IPv6"), "{logged}");
    }
}

#[test]
fn a_name_stands_for_all_its_addresses_on_this_machine() {
    let port = free_port();
    let daemon = on_network(&format!("several.example:{port}"), &[]).start();
    for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)] {
        is_healthy(&daemon, ip);
    }
    let logged = daemon.process.lines().join("\n");
    assert!(logged.contains("absent=192.0.2.1"), "{logged}");
}

#[test]
fn a_name_that_cannot_be_listened_on_is_one_line_and_exit_code_1() {
    let taken = listen();
    let port = taken.local_addr().unwrap().port();
    for (address, says) in [
        (
            "none.example:1".to_owned(),
            "none.example:1: the name has no address: ",
        ),
        (
            "elsewhere.example:1".to_owned(),
            "elsewhere.example:1: the name has the address 192.0.2.1, and this machine does not",
        ),
        (
            format!("several.example:{port}"),
            &format!("several.example:{port} (127.0.0.1:{port}): the port is taken"),
        ),
    ] {
        let finished = on_network(&address, &[]).finish();
        assert_eq!(finished.code, 1, "{finished:?}");
        let errors = finished.errors();
        let last = errors.last().unwrap();
        let says = format!("cannot listen on {says}");
        assert!(last.starts_with(&says), "{says}: {finished:?}");
    }
}

#[test]
fn a_signal_ends_a_daemon_that_waits_for_a_name() {
    let (mut process, _folder) = on_network("slow.example:1", &[]).process();
    process.wait_for("that it looks the name up", |line| {
        line.contains("looking slow.example up").then_some(())
    });
    process.signal("TERM");
    assert_eq!(process.exit_code(Duration::from_secs(5)), 0);
}

#[test]
fn the_health_address_may_be_a_name_and_the_healthcheck_finds_it_and_every_address() {
    for setting in ["LISTEN_ADDRESS", "HEALTH_LISTEN_ADDRESS"] {
        for host in ["", "localhost", "[::1]"] {
            let address = format!("{host}:{}", free_port());
            let name = format!("AWS_ROOT_EXPORTER__WEB__{setting}");
            let environment = [(name.as_str(), address.clone())];
            let mut launch = Launch::new(&DEMO).environment(environment.clone());
            if setting != "LISTEN_ADDRESS" {
                launch = launch.argument(ANY_PORT);
            }
            let daemon = launch.start();
            daemon.wait_until_ready();
            let healthcheck = Launch::new(&["healthcheck"]).environment(environment);
            let finished = healthcheck.finish();
            assert_eq!(finished.code, 0, "{address}: {finished:?}");
            assert_eq!(finished.output(), ["healthy"]);
        }
    }
    // A URL beats the environment.
    let daemon = Launch::new(&DEMO).argument(ANY_PORT).start();
    let url = format!("http://localhost:{}", daemon.address.port());
    let nowhere = [("AWS_ROOT_EXPORTER__WEB__LISTEN_ADDRESS", ":1".to_owned())];
    let named = Launch::new(&["healthcheck", "--url", &url]).environment(nowhere.clone());
    assert_eq!(named.finish().code, 0);
    let missed = Launch::new(&["healthcheck"]).environment(nowhere).finish();
    assert_eq!(missed.code, 1, "{missed:?}");
    assert!(
        missed.errors()[0].contains("http://127.0.0.1:1"),
        "{missed:?}"
    );
}
