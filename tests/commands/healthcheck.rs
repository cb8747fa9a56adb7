//! `healthcheck`: which address it asks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::Bench;

/// Something that listens and says that it is healthy.
struct Healthy {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Healthy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                // Who hangs up early has asked all the same.
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            }
        });
        Self { address, asked }
    }

    /// How often it was asked since the last time.
    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

fn variable(bench: Bench, name: &'static str, address: SocketAddr) -> Bench {
    bench.with([(name, address.to_string())])
}

const LISTEN: &str = "AWS_ROOT_EXPORTER__WEB__LISTEN_ADDRESS";
const HEALTH: &str = "AWS_ROOT_EXPORTER__WEB__HEALTH_LISTEN_ADDRESS";

#[test]
fn the_address_in_force_is_asked_and_no_other_one() {
    let (file, environment, flag) = (Healthy::start(), Healthy::start(), Healthy::start());
    let asked = || [&file, &environment, &flag].map(Healthy::asked);
    let content = format!("[web]\nlisten_address = [\"{}\"]\n", file.address);
    let bench = || {
        let bench = Bench::new();
        bench.file("config.toml", &content);
        bench.file("other.toml", &content);
        bench
    };

    bench().run("healthcheck").exits(0);
    assert_eq!(asked(), [1, 0, 0]);
    bench().run("healthcheck --config.file other.toml").exits(0);
    assert_eq!(asked(), [1, 0, 0]);
    for name in [LISTEN, HEALTH] {
        let bench = variable(bench(), name, environment.address);
        bench.run("healthcheck").exits(0);
        assert_eq!(asked(), [0, 1, 0], "{name}");
    }
    let bench = variable(bench(), LISTEN, environment.address);
    for name in ["--web.listen-address", "--web.health-listen-address"] {
        let address = flag.address;
        bench.run(&format!("healthcheck {name} {address}")).exits(0);
        bench.run(&format!("{name} {address} healthcheck")).exits(0);
        assert_eq!(asked(), [0, 0, 2], "{name}");
    }
    bench
        .run(&format!("healthcheck --url http://{}", flag.address))
        .exits(0);
    assert_eq!(asked(), [0, 0, 1]);
}

#[test]
fn if_nothing_listens_no_other_address_is_asked() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    Bench::new()
        .run(&format!("healthcheck --web.listen-address {address}"))
        .exits(1)
        .complains(&format!("http://{address}/-/healthy: no connection"));
    Bench::new()
        .run("healthcheck --web.listen-address 127.0.0.1:0")
        .exits(2)
        .complains("name it with --url");
}

#[test]
fn a_file_that_is_broken_while_the_daemon_runs_on_hides_no_address_of_the_environment() {
    let daemon = Healthy::start();
    let broken = || {
        let bench = Bench::new();
        bench.file("config.toml", "[web]\nport = 1\n");
        bench
    };
    variable(broken(), HEALTH, daemon.address)
        .run("healthcheck")
        .exits(0);
    assert_eq!(daemon.asked(), 1);
    broken()
        .run("healthcheck")
        .exits(2)
        .complains("config.toml: web.port");
}
