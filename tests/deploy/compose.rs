//! `deploy/compose`: the exporter with Prometheus, Alertmanager and Grafana.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use test_support::daemon::command as exporter;
use test_support::program::{finish, succeed, succeed_silently, texts, yaml};
use test_support::repository;

const FOLDER: &str = "deploy/compose";

fn compose() -> Value {
    yaml([repository(FOLDER).join("compose.yaml")]).remove(0)
}

#[test]
fn both_profiles_are_valid() {
    for profile in ["demo", "real"] {
        succeed_silently(
            Command::new("docker-compose")
                .args(["--profile", profile, "config", "--quiet"])
                .current_dir(repository(FOLDER)),
        );
    }
}

/// promtool reads the configuration in a copy of the container's folder, with the rules.
#[test]
fn prometheus_accepts_its_configuration_and_the_rules() {
    let etc = TempDir::new().expect("a temporary folder");
    for volume in compose()["services"]["prometheus"]["volumes"]
        .as_array()
        .unwrap()
    {
        let mut parts = volume.as_str().unwrap().split(':');
        let (from, to) = (parts.next().unwrap(), parts.next().unwrap());
        if let Some(to) = to.strip_prefix("/etc/prometheus/") {
            succeed(
                Command::new("cp")
                    .arg("-a")
                    .arg(repository(FOLDER).join(from))
                    .arg(etc.path().join(to)),
            );
        }
    }
    let output = finish(
        Command::new("promtool")
            .args(["check", "config", "--lint-fatal"])
            .arg(etc.path().join("prometheus.yml")),
    );
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{out}{err}");
    for rules in fs::read_dir(repository("deploy/prometheus")).unwrap() {
        let name = rules.unwrap().file_name().into_string().unwrap();
        let read = out.contains(&format!("rules/{name}"));
        assert_eq!(read, name.ends_with(".rules.yml"), "{name}: {out}");
    }
}

/// amtool reads the file that the container's command names, by way of the volume.
#[test]
fn alertmanager_accepts_the_mounted_configuration() {
    let compose = compose();
    let service = &compose["services"]["alertmanager"];
    let named = service["command"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|argument| argument.as_str()?.strip_prefix("--config.file="))
        .expect("the command names a configuration");
    let file = service["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|volume| {
            let mut parts = volume.as_str()?.split(':');
            let (from, to) = (parts.next()?, parts.next()?);
            let within = named.strip_prefix(to)?.strip_prefix('/')?;
            Some(repository(FOLDER).join(from).join(within))
        })
        .expect("a volume holds the configuration");
    succeed(Command::new("amtool").arg("check-config").arg(file));
}

/// The rules select the exporter by its job; Prometheus finds it by an alias that both profiles have.
#[test]
fn prometheus_scrapes_the_exporter_of_either_profile() {
    let prometheus = yaml([repository(FOLDER).join("prometheus.yml")]).remove(0);
    let jobs = prometheus["scrape_configs"].as_array().unwrap();
    let job = jobs
        .iter()
        .find(|job| job["job_name"] == "aws-root-exporter")
        .unwrap();
    assert_eq!(job["static_configs"][0]["targets"][0], "exporter:10057");
    let compose = compose();
    for service in ["exporter-demo", "exporter"] {
        let networks = &compose["services"][service]["networks"];
        assert_eq!(networks["default"]["aliases"][0], "exporter");
    }
}

/// The exporter's pages list the weak accounts, so no port is published to the network by default.
#[test]
fn every_port_is_published_on_loopback_only() {
    for (name, service) in compose()["services"].as_object().unwrap() {
        for port in service["ports"].as_array().unwrap() {
            let port = port.as_str().unwrap();
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
}

#[test]
fn the_binary_accepts_the_configuration_of_the_real_profile() {
    let config = repository(FOLDER).join("exporter/config.toml");
    let whole = fs::read_to_string(&config).unwrap();
    let folder = TempDir::new().expect("a temporary folder");
    let organization = folder.path().join("config.toml");
    // Unchanged, and with the commented example of an organization enabled.
    let used: Vec<_> = whole
        .lines()
        .map(|line| {
            let example = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
            example.unwrap_or(line)
        })
        .collect();
    fs::write(&organization, used.join("\n")).unwrap();
    for file in [config.as_path(), Path::new(&organization)] {
        let mut command = exporter();
        command.arg("--config.check").arg("--config.file").arg(file);
        succeed(&mut command);
    }
}
