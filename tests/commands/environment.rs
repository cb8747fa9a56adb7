//! The messages about environment variables that cannot be used.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::process::Output;

use test_support::run::Bench;

fn check(variables: &[(&[u8], &[u8])]) -> (i32, String) {
    run("--config.check", variables)
}

fn run(line: &str, variables: &[(&[u8], &[u8])]) -> (i32, String) {
    let bench = Bench::new();
    let mut command = bench.command(line);
    for (name, value) in variables {
        command.env(OsStr::from_bytes(name), OsStr::from_bytes(value));
    }
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_setting_that_is_not_utf_8_is_refused_without_its_value() {
    let (code, said) = check(&[
        (b"AWS_ROOT_EXPORTER__WEB__CONFIG_FILE", b"hunter2\xff.yml"),
        (b"AWS_ROOT_EXPORTER__\xfe", b"x"),
        (b"AWS_SECRET_ACCESS_KEY", b"hunter2\xff"),
        (b"https_proxy", b"http://hunter2\xff"),
        (b"ANOTHER_PROGRAM_S", b"\xff"),
    ]);
    assert_eq!(code, 2, "{said}");
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_unstable();
    let remedy = "is not UTF-8 text; set it again as UTF-8, or unset it (the value is not shown)";
    assert_eq!(
        lines,
        [
            format!("AWS_ROOT_EXPORTER__WEB__CONFIG_FILE: {remedy}"),
            format!("AWS_ROOT_EXPORTER__\u{fffd}: {remedy}"),
            format!("AWS_SECRET_ACCESS_KEY: {remedy}"),
            format!("https_proxy: {remedy}"),
        ]
    );
}

#[test]
fn a_variable_that_resembles_a_setting_causes_a_warning_and_those_of_kubernetes_do_not() {
    let (code, said) = check(&[
        (b"AWS_ROOT_EXPORTER_WEB_CONFIG_FILE", b"hunter2"),
        (b"AWS_ROOT_EXPORTER_SERVICE_HOST", b"10.0.0.1"),
        (b"AWS_ROOT_EXPORTER_PORT", b"tcp://10.0.0.1:9100"),
        (b"AWS_ROOT_EXPORTER_PORT_9100_TCP", b"tcp://10.0.0.1:9100"),
        (b"AWS_ROOT_EXPORTER_PORT_9100_TCP_ADDR", b"10.0.0.1"),
    ]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(
        said,
        "warning: AWS_ROOT_EXPORTER_WEB_CONFIG_FILE: is ignored; did you mean \
         AWS_ROOT_EXPORTER__WEB__CONFIG_FILE? (two underscores after the program's name and after \
         the section)\n"
    );
}

#[test]
fn the_daemon_warns_of_such_a_variable_at_its_start() {
    // An address that is taken ends it.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let flag = format!("--web.listen-address={}", taken.local_addr().unwrap());
    let (code, said) = run(&flag, &[(b"AWS_ROOT_EXPORTER_LOG_LEVEL", b"hunter2")]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("level=warn"), "{said}");
    assert!(
        said.contains("variable=AWS_ROOT_EXPORTER_LOG_LEVEL"),
        "{said}"
    );
    let meant = "did_you_mean=AWS_ROOT_EXPORTER__LOG__LEVEL";
    assert!(said.contains(meant), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}
