//! `healthcheck`, as a container image or a probe runs it, and the addresses of its requests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use test_support::daemon::{ANY_PORT, Launch};
use test_support::http;
use test_support::run::Finished;

fn healthcheck(url: &str) -> Finished {
    Launch::new(&["healthcheck", "--url", url]).finish()
}

#[test]
fn a_running_daemon_is_healthy_and_a_stopped_one_is_not() {
    let demo = Launch::new(&["demo", "--accounts", "2", ANY_PORT]).start();
    let url = format!("http://{}", demo.address);
    let healthy = healthcheck(&url);
    assert_eq!((healthy.code, &*healthy.output()), (0, &["healthy"][..]));

    let elsewhere = healthcheck(&format!("{url}/nothing"));
    assert_eq!(elsewhere.code, 1, "{elsewhere:?}");
    assert!(elsewhere.errors()[0].contains("404"), "{elsewhere:?}");

    drop(demo);
    let gone = healthcheck(&url);
    assert_eq!((gone.code, gone.errors().len()), (1, 1), "{gone:?}");
    assert!(gone.errors()[0].contains(&url), "{gone:?}");
}

#[test]
fn an_unusable_url_is_wrong_usage() {
    for url in [
        "localhost:10057",
        "http://user:secret@localhost/",
        "nonsense",
    ] {
        let finished = healthcheck(url);
        assert_eq!(finished.code, 2, "{finished:?}");
    }
}

#[test]
fn every_address_means_both_families() {
    let any = [
        "--web.listen-address=[::]:0",
        "--web.health-listen-address=[::]:0",
    ];
    let demo = Launch::new(&["demo", "--accounts", "2"]);
    let demo = any.into_iter().fold(demo, Launch::argument).start();
    let port = demo.address.port();
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let answer = http::get(SocketAddr::new(address, port), "/-/healthy", &[]);
        assert_eq!(answer.status, 200, "{address}");
    }
}
