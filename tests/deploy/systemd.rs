//! The units of `deploy/systemd`: valid, hardened, and with arguments that the binary accepts.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use test_support::daemon::command as exporter;
use test_support::program::{succeed, succeed_silently, texts};
use test_support::repository;

const SERVICE: &str = "deploy/systemd/aws-root-exporter.service";
const SOCKET: &str = "deploy/systemd/aws-root-exporter.socket";

/// The values of a unit's setting, in order.
fn values(unit: &str, setting: &str) -> Vec<String> {
    fs::read_to_string(repository(unit))
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix(setting)?.strip_prefix('='))
        .map(str::to_owned)
        .collect()
}

/// A root folder with the files that the units need, and with systemd's own units.
fn machine() -> TempDir {
    let root = TempDir::new().expect("a temporary folder");
    let copy = |from: &Path, to: &str| {
        let to = root.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    for unit in [SERVICE, SOCKET] {
        let name = Path::new(unit).file_name().unwrap().to_str().unwrap();
        copy(&repository(unit), &format!("etc/systemd/system/{name}"));
    }
    copy(
        Path::new(env!("CARGO_BIN_EXE_aws-root-exporter")),
        "usr/local/bin/aws-root-exporter",
    );
    copy(Path::new("/bin/kill"), "bin/kill");
    let systemd = root.path().join("usr/lib/systemd");
    fs::create_dir_all(&systemd).unwrap();
    succeed(
        Command::new("cp")
            .args(["-a", "/usr/lib/systemd/system"])
            .arg(systemd),
    );
    root
}

#[test]
fn systemd_accepts_the_units_without_a_warning() {
    let machine = machine();
    succeed_silently(
        Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--root"])
            .arg(machine.path())
            .args(["aws-root-exporter.service", "aws-root-exporter.socket"]),
    );
}

#[test]
fn the_service_is_hardened() {
    let report = succeed(
        Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(repository(SERVICE)),
    );
    let exposure: f64 = report
        .lines()
        .find_map(|line| {
            line.split_once("Overall exposure level for ")?
                .1
                .split(": ")
                .nth(1)
        })
        .and_then(|level| level.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no exposure level:\n{report}"));
    assert!(exposure < 2.0, "exposure {exposure}:\n{report}");
}

#[test]
fn the_binary_accepts_the_command_of_the_service() {
    let folder = TempDir::new().expect("a temporary folder");
    let config = folder.path().join("config.toml");
    fs::copy(repository("config.toml"), &config).unwrap();
    let [command] = &values(SERVICE, "ExecStart")[..] else {
        panic!("one ExecStart");
    };
    let arguments = command.split(' ').skip(1).map(|argument| {
        argument.replace(
            "/etc/aws-root-exporter/config.toml",
            config.to_str().unwrap(),
        )
    });
    let ours = values(SERVICE, "Environment").into_iter().filter_map(|v| {
        let (name, value) = v.split_once('=')?;
        let value = value.replace("%S", "/var/lib");
        name.starts_with("AWS_ROOT_EXPORTER__")
            .then(|| (name.to_owned(), value))
    });
    let output = exporter()
        .args(arguments)
        .arg("--config.check")
        .envs(ours)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", texts(&output).1);
}

/// After an invalid configuration, and only then, systemd must not restart the service.
#[test]
fn an_invalid_configuration_is_not_retried() {
    assert_eq!(values(SERVICE, "RestartPreventExitStatus"), ["2"]);
    let output = exporter()
        .arg("--config.file=/nowhere/config.toml")
        .arg("--config.check")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", texts(&output).1);
}

#[test]
fn the_socket_has_the_default_address() {
    let config = fs::read_to_string(repository("config.toml")).unwrap();
    let [address] = &values(SOCKET, "ListenStream")[..] else {
        panic!("one ListenStream");
    };
    let line = format!("#listen_address = [\"{address}\"]\n");
    assert!(config.contains(&line), "config.toml has no {line}");
}
