//! The places of errors, and files that cannot be read.

use std::fs;

use aws_root_exporter::config::{ConfigErrors, Overrides, load, parse};

use super::{account, load_all, load_environment, load_file, refuses};

#[test]
fn an_error_names_the_flag() {
    let overrides = Overrides {
        listen_addresses: vec!["127.0.0.1:1".to_owned(), "nowhere".to_owned()],
        shard_index: Some(3),
        shard_total: Some(2),
        auto_reload: true,
        ..Overrides::default()
    };
    let errors = parse(None, [], &overrides, &()).unwrap_err();
    assert_eq!(errors.exit_code(), 2);
    assert_eq!(
        errors.to_string(),
        "--web.listen-address: \"nowhere\" has no port; write it like \"127.0.0.1:9100\"\n\
         --shard.index: 3 is not below shard.total, 2; shards are counted from 0"
    );
}

#[test]
fn an_error_names_the_variable() {
    for (name, value, problem) in [
        (
            "REFRESH__INTERVAL",
            "60",
            "\"60\" has no unit; for seconds write \"60s\"",
        ),
        (
            "REFRESH__INTERVALL",
            "60s",
            "is not a known variable; did you mean AWS_ROOT_EXPORTER__REFRESH__INTERVAL?",
        ),
        (
            "COLOUR",
            "red",
            "is not a known variable; they are named AWS_ROOT_EXPORTER__SECTION__KEY, with the \
             sections and keys of config.toml",
        ),
        (
            "ACCOUNTS__0__ID",
            "111122223333",
            "accounts cannot be listed in the environment; list them in the file",
        ),
        (
            "WEB__MAX_REQUESTS",
            "many",
            "\"many\" is not a whole number from 1 to 100000",
        ),
        (
            "USERS__DETAIL",
            "yes",
            "\"yes\" is neither true nor false; write true or false",
        ),
        (
            "ORGANIZATION__EXCLUDE",
            "111122223333,1",
            "\"1\" is not an account id (12 digits, in quotes)",
        ),
        (
            "USERS__UNUSED_DAYS",
            "[1",
            "\"[1\" is not a TOML list; write [\"a\", \"b\"], or the values with commas between",
        ),
        (
            "WEB__LISTEN_ADDRESS",
            "",
            "is empty; name an address, or leave the setting out",
        ),
        (
            "STATE__PATH",
            "",
            "\"\" is empty; leave the setting out instead",
        ),
    ] {
        let variable = format!("AWS_ROOT_EXPORTER__{name}");
        assert_eq!(
            load_environment(&[(&variable, value)]).unwrap_err(),
            format!("{variable}: {problem}")
        );
    }
}

#[test]
fn a_setting_that_the_environment_has_twice_is_refused() {
    let error = load_environment(&[
        ("AWS_ROOT_EXPORTER__LOG__LEVEL", "info"),
        ("AWS_ROOT_EXPORTER__log__level", "debug"),
    ])
    .unwrap_err();
    assert_eq!(
        error,
        "AWS_ROOT_EXPORTER__log__level: this setting is in the environment twice, in different \
         letter case; keep one"
    );
}

#[test]
fn a_file_that_cannot_be_read_ends_the_start_with_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("nowhere.toml"), folder.path().to_owned()] {
        let errors = load(Some(&path), [], &Overrides::default(), &()).unwrap_err();
        assert!(
            matches!(errors, ConfigErrors::Unreadable { .. }),
            "{errors}"
        );
        assert_eq!(errors.exit_code(), 1);
        let text = errors.to_string();
        let start = format!("{}: cannot be read: ", path.display());
        assert!(text.starts_with(&start), "{text}");
        let end =
            "; --config.file must name a file that exists, and that the exporter's user can read";
        assert!(text.ends_with(end), "{text}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_line_and_column() {
    let error = load_file("[web]\nmax_requests = = 4\n", &[]).unwrap_err();
    assert!(
        error.starts_with("config.toml:2:16: is not TOML: "),
        "{error}"
    );
    assert!(!error.contains('\n'), "{error}");
    assert!(error.ends_with("stand in quotes)"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, b"[web]\n# \xff\n").unwrap();
    let error = load(Some(&path), [], &Overrides::default(), &()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("config.toml:2:3: is not UTF-8 text; save the file as UTF-8"),
        "{error}"
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_most_similar_one() {
    refuses(
        "[refesh]\ninterval = \"60s\"",
        "config.toml: refesh: unknown key; did you mean \"refresh\"? (known: web, log, reload, \
         shard, sources, refresh, events, state, aws, organization, users, accounts, exceptions)",
    );
    refuses(
        "[refresh]\nintervall = \"60s\"",
        "config.toml: refresh.intervall: unknown key; did you mean \"interval\"? (known: \
         interval, concurrency, timeout, report_timeout, max_staleness, max_live_staleness)",
    );
    refuses(
        &account("rolearn = \"x\""),
        "config.toml: accounts[0].rolearn: unknown key; did you mean \"role_arn\"? (known: id, \
         name, role_arn, external_id, profile, region, labels)",
    );
    refuses(
        "[log]\n\"colour\\n\" = true",
        "config.toml: log.\"colour\\n\": unknown key (known: level, format)",
    );
}

#[test]
fn a_section_and_each_account_must_be_a_table() {
    refuses(
        "web = 1",
        "config.toml: web: is a number; write a section, [web]",
    );
    refuses(
        "accounts = \"111122223333\"",
        "config.toml: accounts: is text; write each account as [[accounts]]",
    );
    refuses(
        "accounts = [\"111122223333\"]",
        "config.toml: accounts[0]: is text; write each account as [[accounts]]",
    );
}

#[test]
fn a_mistake_in_the_file_is_an_error_though_the_environment_overrides_it() {
    let environment = [("AWS_ROOT_EXPORTER__WEB__MAX_REQUESTS", "2")];
    assert_eq!(
        load_file("web = 1", &environment).unwrap_err(),
        "config.toml: web: is a number; write a section, [web]"
    );
}

#[test]
fn errors_of_all_sources_are_reported_together() {
    let overrides = Overrides {
        telemetry_path: Some("metrics".to_owned()),
        ..Overrides::default()
    };
    let environment = [("AWS_ROOT_EXPORTER__LOG__LEVEL", "loud")];
    let error = load_all("refresh.concurrency = 0\nx = 1", &environment, &overrides).unwrap_err();
    assert_eq!(error.lines().count(), 4, "{error}");
    for place in [
        "config.toml: x",
        "--web.telemetry-path",
        "AWS_ROOT_EXPORTER__LOG__LEVEL",
    ] {
        assert!(error.contains(place), "{error}");
    }
}
