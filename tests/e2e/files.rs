//! A FIFO, a device, a folder or a far too large file where a file is named: it is refused with a clear
//! message within seconds.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use test_support::daemon::{ANY_PORT, Launch};
use test_support::run::Finished;
use test_support::simulated::{Simulated, account, listed};
use test_support::{PATIENCE, eventually};

/// How long a refusal may take.
const SOON: Duration = Duration::from_secs(10);

const RELOADED: &str = "aws_root_exporter_config_last_reload_successful";

/// What stands in the place of a file, and the message about it.
const ODD: [(&str, &str); 4] = [
    ("a FIFO", "it is a FIFO, not a regular file"),
    ("a device", "it is a device, not a regular file"),
    ("a folder", "it is a folder, not a regular file"),
    ("3 GB", "it has more than 16 MiB"),
];

fn make(kind: &str, path: &Path) {
    match kind {
        "a FIFO" => {
            let made = Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success());
        }
        "a device" => symlink("/dev/zero", path).unwrap(),
        "a folder" => fs::create_dir(path).unwrap(),
        _ => File::create(path).unwrap().set_len(3_000_000_000).unwrap(),
    }
}

/// Runs to the end, which must come soon.
fn finish(launch: Launch) -> Finished {
    let started = Instant::now();
    let finished = launch.finish();
    let took = started.elapsed();
    assert!(took < SOON, "{took:?}: {finished:?}");
    finished
}

#[test]
fn an_odd_file_is_refused_soon_wherever_it_is_named() {
    let files = [
        ("--config.file=odd", None),
        ("--web.config.file=odd", None),
        (
            "--web.config.file=web.yml",
            Some("tls_server_config: {cert_file: odd, key_file: odd}\n"),
        ),
    ];
    for (kind, message) in ODD {
        for (flag, web) in files {
            for check in [false, true] {
                let mut launch = Launch::new(&[ANY_PORT, flag]);
                make(kind, &launch.path("odd"));
                if let Some(web) = web {
                    fs::write(launch.path("web.yml"), web).unwrap();
                }
                if check {
                    launch = launch.argument("--config.check");
                }
                let finished = finish(launch);
                let code = if check { 2 } else { 1 };
                assert_eq!(finished.code, code, "{kind}, {flag}: {finished:?}");
                let [error] = &finished.errors()[..] else {
                    panic!("{kind}, {flag}: {finished:?}");
                };
                assert!(
                    error.contains("odd: ") && error.contains(message),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn a_saved_report_is_bounded_too() {
    for kind in ["a device", "3 GB"] {
        let launch = Launch::new(&["check", "--report", "odd"]);
        make(kind, &launch.path("odd"));
        let finished = finish(launch);
        assert_eq!(finished.code, 2, "{kind}: {finished:?}");
        let errors = finished.errors().join("\n");
        assert!(
            errors.contains("it has more than 16 MiB"),
            "{kind}: {errors}"
        );
    }
}

#[test]
fn a_configuration_that_kubernetes_mounts_is_read_through_its_links() {
    let launch = Launch::new(&["--config.check", "--config.file=config.toml"]);
    fs::create_dir(launch.path("..2026")).unwrap();
    fs::write(launch.path("..2026/config.toml"), "log.level = \"info\"\n").unwrap();
    symlink("..2026", launch.path("..data")).unwrap();
    symlink("..data/config.toml", launch.path("config.toml")).unwrap();
    let finished = launch.finish();
    assert_eq!(finished.code, 0, "{finished:?}");
}

#[test]
fn an_odd_file_in_the_place_of_the_configuration_fails_a_reload_and_blocks_nothing() {
    let [fifo, .., large] = ODD;
    for (kind, message) in [fifo, large] {
        let aws = Simulated::with([account(101, "member")]);
        let text = format!(
            "reload.auto = true\nweb.config_file = \"web.yml\"\n{}",
            listed(101)
        );
        let launch = aws.launch(&text);
        let (config, web) = (launch.path("config.toml"), launch.path("web.yml"));
        fs::write(&web, "").unwrap();
        let daemon = launch.start();
        daemon.wait_until_ready();
        let replace = |path: &Path| {
            fs::remove_file(path).unwrap();
            make(kind, path);
        };
        let refuses = || {
            let reload = daemon.post("/-/reload");
            assert_eq!(reload.status, 500, "{kind}: {}", reload.text());
            assert!(reload.text().contains(message), "{kind}: {}", reload.text());
        };
        let restore = |path: &Path, text: &str| {
            fs::remove_file(path).unwrap();
            fs::write(path, text).unwrap();
        };

        // The daemon notices the change by itself.
        replace(&config);
        daemon.scrape_until(|shown| shown.expect(RELOADED, &[], 0.0));
        refuses();
        restore(&config, &text);
        daemon.scrape_until(|shown| shown.expect(RELOADED, &[], 1.0));

        replace(&web);
        refuses();
        restore(&web, "");
        eventually(PATIENCE, || {
            let reload = daemon.post("/-/reload");
            (reload.status == 200)
                .then_some(())
                .ok_or_else(|| reload.text().to_owned())
        });
        daemon.process.signal("TERM");
        assert_eq!(daemon.exit_code(Duration::from_secs(5)), 0, "{kind}");
    }
}
