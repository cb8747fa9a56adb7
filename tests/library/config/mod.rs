//! The configuration from outside: the values that a file, an environment and flags lead to.

mod accounts;
mod addresses;
mod errors;
mod exceptions;
mod settings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_root_exporter::account::{Access, Secret};
use aws_root_exporter::config::{Config, LogFormat, MemberAccess, Overrides, load, parse};
use test_support::repository;

const SECRET: &str = "hunter2-hunter2";

/// Loads a file named config.toml. The error does not have the name of the temporary folder.
fn load_file(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    load_all(text, environment, &Overrides::default())
}

fn load_all(
    text: &str,
    environment: &[(&str, &str)],
    overrides: &Overrides,
) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, text).unwrap();
    load(Some(&path), pairs(environment), overrides, &()).map_err(|errors| {
        let prefix = format!("{}/", folder.path().display());
        errors.to_string().replace(&prefix, "")
    })
}

fn pairs(environment: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    let own = |(name, value): &(&str, &str)| (name.into(), value.into());
    environment.iter().map(own).collect()
}

fn load_environment(environment: &[(&str, &str)]) -> Result<Config, String> {
    parse(None, pairs(environment), &Overrides::default(), &()).map_err(|error| error.to_string())
}

fn account(lines: &str) -> String {
    format!("[[accounts]]\nid = \"111122223333\"\n{lines}\n")
}

/// Checks that a file has this error and no other.
#[track_caller]
fn refuses(text: &str, line: &str) {
    assert_eq!(load_file(text, &[]).unwrap_err(), line, "\n{text}");
}

#[test]
fn without_settings_all_is_the_default() {
    assert_eq!(load_environment(&[]).unwrap(), Config::default());
}

#[test]
fn the_shipped_file_in_the_current_directory_means_the_defaults() {
    let config = load(None, [], &Overrides::default(), &()).unwrap();
    let expected = Config {
        source_file: Some(PathBuf::from("config.toml")),
        ..Config::default()
    };
    assert_eq!(config, expected);
}

/// The shipped file with every setting, and no other line, uncommented.
fn shipped_file_in_full() -> String {
    let shipped = fs::read_to_string(repository("config.toml")).unwrap();
    let setting = |line: &str| {
        let bare = line.strip_prefix('#').filter(|bare| !bare.starts_with(' '));
        bare.unwrap_or(line).to_owned()
    };
    shipped.lines().map(|line| setting(line) + "\n").collect()
}

#[test]
fn the_shipped_file_in_full_shows_defaults_and_examples() {
    let config = load_file(&shipped_file_in_full(), &[]).unwrap();
    let default = Config::default();
    assert!(config.web.config_file.is_some());
    let external_url = config.web.external_url.as_ref().unwrap();
    assert_eq!(external_url.as_str(), "https://exporter.example.com");
    assert_eq!(config.web.listen_addresses, default.web.listen_addresses);
    assert_eq!(config.web.telemetry_path, default.web.telemetry_path);
    assert_eq!(config.web.max_requests, default.web.max_requests);
    assert_eq!(config.log, default.log);
    assert_eq!(config.shard, default.shard);
    assert_eq!(config.sources, default.sources);
    assert_eq!(config.refresh, default.refresh);
    assert_eq!(config.aws.region, default.aws.region);
    assert_eq!(config.organization.enabled, default.organization.enabled);
    assert_eq!(config.organization.access, default.organization.access);
    assert_eq!(
        config.organization.role_name,
        default.organization.role_name
    );
    assert_eq!(config.organization.interval, default.organization.interval);
    assert_eq!(config.users, default.users);

    let [production, legacy] = &config.accounts[..] else {
        panic!("{:?}", config.accounts);
    };
    assert_eq!(production.id.to_string(), "111122223333");
    assert_eq!(production.name, "production");
    assert_eq!(production.region, "us-east-1");
    assert_eq!(
        production.access,
        Some(Access::Role {
            arn: "arn:aws:iam::111122223333:role/aws-root-exporter".to_owned(),
            external_id: Some(Secret::new("example-external-id")),
        })
    );
    assert_eq!(
        *production.labels,
        BTreeMap::from([("team".to_owned(), "payments".to_owned())])
    );
    assert_eq!(production.exceptions.len(), 1);
    assert_eq!(
        config.exceptions[&production.id][..],
        production.exceptions[..]
    );
    assert_eq!(legacy.access, Some(Access::Profile("legacy".to_owned())));
    assert_eq!(legacy.region, "us-gov-west-1");
}

#[test]
fn a_flag_overrides_the_environment_and_the_environment_the_file() {
    let file = "log.level = \"warn\"\nlog.format = \"json\"\nweb.max_requests = 1\n";
    let environment = [
        ("AWS_ROOT_EXPORTER__LOG__LEVEL", "debug"),
        ("AWS_ROOT_EXPORTER__WEB__MAX_REQUESTS", "2"),
    ];
    let overrides = Overrides {
        max_requests: Some(3),
        ..Overrides::default()
    };
    let config = load_all(file, &environment, &overrides).unwrap();
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.log.level, tracing::Level::DEBUG);
    assert_eq!(config.web.max_requests, 3);
}

#[test]
fn every_flag_sets_its_setting() {
    let overrides = Overrides {
        listen_addresses: vec!["0.0.0.0:1".to_owned(), "[::1]:2".to_owned()],
        telemetry_path: Some("/m".to_owned()),
        max_requests: Some(3),
        health_listen_address: Some("127.0.0.1:4".to_owned()),
        external_url: Some("https://exporter.example.com/aws/".to_owned()),
        shard_index: Some(0),
        shard_total: Some(1),
        log_level: Some("trace".to_owned()),
        log_format: Some("json".to_owned()),
        ..Overrides::default()
    };
    let config = parse(None, [], &overrides, &()).unwrap();
    let addresses = ["0.0.0.0:1", "[::1]:2"].map(|address| address.parse().unwrap());
    assert_eq!(config.web.listen_addresses, addresses);
    assert_eq!(config.web.telemetry_path, "/m");
    assert_eq!(config.web.max_requests, 3);
    assert_eq!(
        config.web.health_listen_address,
        Some("127.0.0.1:4".parse().unwrap())
    );
    assert_eq!(
        config.web.external_url.unwrap().as_str(),
        "https://exporter.example.com/aws"
    );
    assert_eq!(config.log.level, tracing::Level::TRACE);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn the_environment_has_texts_lists_numbers_and_switches() {
    let config = load_environment(&[
        ("AWS_ROOT_EXPORTER__ORGANIZATION__EXTERNAL_ID", "0012345"),
        (
            "AWS_ROOT_EXPORTER__ORGANIZATION__EXCLUDE",
            "000000000001, 000000000002",
        ),
        (
            "AWS_ROOT_EXPORTER__ORGANIZATION__TAG_LABELS",
            r#"["team", "cost center"]"#,
        ),
        ("AWS_ROOT_EXPORTER__ORGANIZATION__ACCESS", "both"),
        ("AWS_ROOT_EXPORTER__USERS__KEY_AGE_DAYS", "[30, 7]"),
        ("AWS_ROOT_EXPORTER__USERS__UNUSED_DAYS", "5,6"),
        ("AWS_ROOT_EXPORTER__USERS__DETAIL", "true"),
        ("AWS_ROOT_EXPORTER__Refresh__Interval", "1m30s"),
        ("AWS_ROOT_EXPORTER__WEB__LISTEN_ADDRESS", "127.0.0.1:1"),
        ("AWS_ROOT_EXPORTER__AWS__PROFILE", "123"),
        ("AWS_ROOT_EXPORTER__STATE__PATH", "state.redb"),
        ("AWS_ROOT_EXPORTER_SERVICE_HOST", "10.0.0.1"),
        ("HOME", "/root"),
    ])
    .unwrap();
    let organization = &config.organization;
    assert_eq!(organization.external_id, Some(Secret::new("0012345")));
    let excluded: Vec<_> = organization
        .exclude
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(excluded, ["000000000001", "000000000002"]);
    assert_eq!(organization.tag_labels, ["team", "cost center"]);
    assert_eq!(organization.access, MemberAccess::Both);
    assert_eq!(config.users.key_age_days, [7, 30]);
    assert_eq!(config.users.unused_days, [5, 6]);
    assert!(config.users.detail);
    assert_eq!(config.refresh.interval, Duration::from_secs(90));
    assert_eq!(
        config.web.listen_addresses,
        ["127.0.0.1:1".parse().unwrap()]
    );
    assert_eq!(config.aws.profile.as_deref(), Some("123"));
    assert_eq!(config.state.path.as_deref(), Some(Path::new("state.redb")));
}

#[test]
fn the_region_is_the_setting_or_the_variable_or_the_default() {
    let inherited = [
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_REGION", "eu-central-1"),
    ];
    let region =
        |file: &str, environment: &[(&str, &str)]| load_file(file, environment).unwrap().aws.region;
    assert_eq!(region("", &[]), "us-east-1");
    assert_eq!(region("", &inherited[..1]), "eu-west-1");
    assert_eq!(region("", &inherited), "eu-central-1");
    assert_eq!(
        region("[aws]\nregion = \"us-gov-west-1\"", &inherited),
        "us-gov-west-1"
    );
    assert_eq!(region("", &[("AWS_REGION", "")]), "us-east-1");
    assert_eq!(
        load_file("", &[("AWS_REGION", "Frankfurt")]).unwrap_err(),
        "AWS_REGION: \"Frankfurt\" is not an AWS Region; write it like \"eu-central-1\""
    );
}

#[test]
fn a_relative_path_in_the_file_is_relative_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let state = |text: &str, environment: &[(&str, &str)]| {
        fs::write(&file, text).unwrap();
        let config = load(Some(&file), pairs(environment), &Overrides::default(), &());
        config.unwrap().state.path.unwrap()
    };
    let relative = "state.path = \"data/state.redb\"";
    assert_eq!(state(relative, &[]), folder.path().join("data/state.redb"));
    let absolute = "state.path = \"/var/lib/state.redb\"";
    assert_eq!(state(absolute, &[]), Path::new("/var/lib/state.redb"));
    let environment = [("AWS_ROOT_EXPORTER__STATE__PATH", "other.json")];
    assert_eq!(state(relative, &environment), Path::new("other.json"));
}
