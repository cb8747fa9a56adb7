//! How a run ends: by a signal, or at once for what no retry can fix, with the exit code and one line
//! that gives the reason.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use test_support::daemon::{ANY_PORT, Daemon, Launch};
use test_support::listen;
use test_support::server::Silence;
use test_support::simulated::{environment, role};

/// The longest shutdown.
const GRACE: Duration = Duration::from_secs(5);

const ACCOUNT: &str = "111122223333";

fn good_config() -> String {
    let role = role(ACCOUNT);
    format!("[[accounts]]\nid = \"{ACCOUNT}\"\nrole_arn = \"{role}\"\n")
}

/// A daemon with an AWS that accepts calls and never answers.
fn waiting_daemon(silence: &Silence) -> Daemon {
    Launch::new(&[ANY_PORT])
        .environment(environment(&silence.endpoint(), "testing", "testing"))
        .config(&good_config())
        .start()
}

#[test]
fn sigterm_and_sigint_end_the_demo_with_0() {
    for signal in ["TERM", "INT"] {
        let demo = Launch::new(&["demo", "--accounts", "2", ANY_PORT]).start();
        demo.wait_until_ready();
        demo.process.signal(signal);
        assert_eq!(demo.exit_code(GRACE), 0, "SIG{signal}");
    }
}

#[test]
fn a_silent_aws_delays_neither_scrape_nor_shutdown() {
    let silence = Silence::start();
    let daemon = waiting_daemon(&silence);
    let _call = silence.take_caller();

    let begun = Instant::now();
    let shown = daemon.scrape();
    let took = begun.elapsed();

    assert!(took < Duration::from_secs(1), "a scrape took {took:?}");
    assert!(shown.all("aws_root_access_keys_active", &[]).is_empty());
    daemon.process.signal("TERM");
    assert_eq!(daemon.exit_code(GRACE), 0);
}

#[test]
fn an_idle_client_does_not_delay_the_shutdown() {
    let silence = Silence::start();
    let daemon = waiting_daemon(&silence);
    let _idle = TcpStream::connect(daemon.address).expect("the daemon listens");
    let mut unfinished = TcpStream::connect(daemon.address).expect("the daemon listens");
    unfinished.write_all(b"GET /metrics HT").unwrap();
    // After this answer the connections before it have been accepted.
    assert_eq!(daemon.get("/-/healthy", &[]).status, 200);

    daemon.process.signal("TERM");

    assert_eq!(daemon.exit_code(GRACE), 0);
}

#[test]
fn a_taken_port_is_one_line_and_exit_code_1() {
    let taken = listen();
    let address = taken.local_addr().unwrap().to_string();
    let silence = Silence::start();

    let finished = Launch::new(&["--log.level=error"])
        .argument(&format!("--web.listen-address={address}"))
        .environment(environment(&silence.endpoint(), "testing", "testing"))
        .config(&good_config())
        .finish();

    assert_eq!(finished.code, 1, "{finished:?}");
    assert_eq!(finished.errors().len(), 1, "{finished:?}");
    assert!(finished.errors()[0].contains(&address), "{finished:?}");
}

#[test]
fn a_key_on_which_the_sdk_panics_is_reported_and_costs_no_task() {
    let silence = Silence::start();
    let key = "AKIA\nEXAMPLE";
    let environment = environment(&silence.endpoint(), key, "testing");
    let daemon = Launch::new(&[ANY_PORT]).environment(environment).start();

    let logged = daemon.process.wait_for("the reason", |line| {
        line.contains("reason=credentials").then(|| line.to_owned())
    });

    assert!(logged.contains("line feed"), "{logged}");
    assert!(!logged.contains("EXAMPLE"), "{logged}");
    daemon.process.signal("TERM");
    assert_eq!(daemon.exit_code(GRACE), 0);
}

#[test]
fn an_unknown_flag_is_named_with_exit_code_2() {
    let finished = Launch::new(&["--no-such-flag"]).finish();

    assert_eq!(finished.code, 2, "{finished:?}");
    let errors = finished.errors().join("\n");
    assert!(errors.contains("--no-such-flag"), "{finished:?}");
}

#[test]
fn a_good_configuration_passes_its_check() {
    let finished = Launch::new(&["--config.check"])
        .config(&good_config())
        .finish();

    assert_eq!(finished.code, 0, "{finished:?}");
}

#[test]
fn a_bad_configuration_fails_its_check_and_the_start() {
    let cases: [(&str, &[&str]); 3] = [
        (
            "[[accounts]]\nid = \"12345\"\n",
            &["accounts[0].id", "12345"],
        ),
        (
            "[refresh]\nintervall = \"60s\"\n",
            &["refresh", "intervall", "interval"],
        ),
        (
            "[refresh]\ninterval = \"soon\"\n",
            &["refresh.interval", "soon"],
        ),
    ];
    for (config, named) in cases {
        for arguments in [&["--config.check"][..], &[ANY_PORT]] {
            let finished = Launch::new(arguments).config(config).finish();

            assert_eq!(finished.code, 2, "{config}{arguments:?} {finished:?}");
            let errors = finished.errors().join("\n");
            for word in ["config.toml"].iter().chain(named) {
                assert!(errors.contains(word), "{word} is not in: {errors}");
            }
        }
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_one_line_and_exit_code_1() {
    // Not even root can read a folder in the place of the file, unlike a file of mode 000.
    let launch = Launch::new(&[ANY_PORT, "--log.level=error"]);
    let folder = launch.path("folder.toml");
    std::fs::create_dir(&folder).unwrap();

    let finished = launch
        .argument(&format!("--config.file={}", folder.display()))
        .finish();

    assert_eq!(finished.code, 1, "{finished:?}");
    assert_eq!(finished.errors().len(), 1, "{finished:?}");
    assert!(finished.errors()[0].contains("folder.toml"), "{finished:?}");
}
