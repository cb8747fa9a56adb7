//! Socket activation, by systemd's own program for trying it out.

use std::net::SocketAddr;
use std::process::Command;

use test_support::daemon::ACCEPT_TEXT;
use test_support::process::Process;
use test_support::{PATIENCE, eventually, http, listen};

/// The demo, started by systemd at a connection to one of these addresses.
fn activated(addresses: &[SocketAddr], names: &str) -> Process {
    let mut command = Command::new("systemd-socket-activate");
    for address in addresses {
        command.arg("--listen").arg(address.to_string());
    }
    command
        .arg(format!("--fdname={names}"))
        .arg(env!("CARGO_BIN_EXE_aws-root-exporter"))
        // Another address than that of systemd; it must not be used.
        .args(["demo", "--accounts=2", "--web.listen-address=127.0.0.1:1"]);
    Process::start(command)
}

fn free_address() -> SocketAddr {
    listen().local_addr().unwrap()
}

#[test]
fn the_addresses_that_systemd_holds_are_served_in_the_place_of_the_configured_ones() {
    let (main, health) = (free_address(), free_address());
    let process = activated(&[main, health], "web:health");
    eventually(PATIENCE, || {
        http::try_get(main, "/-/healthy", &[]).map_err(|error| error.to_string())
    });
    let scrape = http::get(main, "/metrics", &[ACCEPT_TEXT]);
    assert!(scrape.text().contains("aws_root_exporter_build_info"));
    assert_eq!(http::get(health, "/-/healthy", &[]).status, 200);
    assert_eq!(http::get(health, "/metrics", &[]).status, 404);
    // What it logged may be read a moment later than its answer.
    eventually(PATIENCE, || {
        let lines = process.lines().into_iter();
        let listening = lines.filter(|line| line.contains("message=listening"));
        match listening.count() {
            2 => Ok(()),
            other => Err(format!("{other} addresses")),
        }
    });
}

#[test]
fn a_socket_that_cannot_be_used_is_one_line_and_exit_code_1() {
    let addresses = [free_address(), free_address()];
    let mut process = activated(&addresses, "health:health");
    eventually(PATIENCE, || {
        std::net::TcpStream::connect(addresses[0]).map_err(|error| error.to_string())
    });
    assert_eq!(process.exit_code(PATIENCE), 1);
    let log = process.lines().join("\n");
    assert!(log.contains("systemd's socket number 2"), "{log}");
}
