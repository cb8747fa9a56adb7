//! The messages about a wrong configuration.

use std::fs;
use std::path::PathBuf;

use aws_root_exporter::config::{ConfigErrors, Overrides, load, load_without_file};

use super::{SECRET, account, load_all, load_environment, load_file};

/// A file that has no error but the one line.
#[track_caller]
fn refuses(text: &str, line: &str) {
    assert_eq!(load_file(text, &[]).unwrap_err(), line, "\n{text}");
}

#[test]
fn an_error_names_the_flag() {
    let overrides = Overrides {
        listen_addresses: vec!["127.0.0.1:1".to_owned(), "nowhere".to_owned()],
        shard_index: Some(3),
        shard_total: Some(2),
        auto_reload: true,
        ..Overrides::default()
    };
    let errors = load_without_file([], &overrides).unwrap_err();
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
fn a_setting_is_in_the_environment_once() {
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
fn a_file_that_is_missing_is_a_wrong_flag() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("nowhere.toml"), folder.path().to_owned()] {
        let errors = load(Some(&path), [], &Overrides::default()).unwrap_err();
        assert!(matches!(errors, ConfigErrors::NotFound { .. }), "{errors}");
        assert_eq!(errors.exit_code(), 1);
        let text = errors.to_string();
        assert!(text.starts_with(&path.display().to_string()), "{text}");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_a_failed_start() {
    let errors = ConfigErrors::Unreadable {
        path: PathBuf::from("config.toml"),
        source: std::io::ErrorKind::PermissionDenied.into(),
    };
    assert_eq!(errors.exit_code(), 1);
    assert_eq!(
        errors.to_string(),
        "config.toml: cannot be read: permission denied; make it a file that the exporter's \
         user can read"
    );
}

#[test]
fn invalid_toml_is_reported_with_line_and_column() {
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
    let error = load(Some(&path), [], &Overrides::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("config.toml:2:3: is not UTF-8 text; save the file as UTF-8"),
        "{error}"
    );
}

#[test]
fn an_unknown_key_is_reported_with_the_nearest_one() {
    refuses(
        "[refesh]\ninterval = \"60s\"",
        "config.toml: refesh: unknown key; did you mean \"refresh\"? (known: web, log, reload, \
         shard, sources, refresh, state, aws, organization, users, accounts)",
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
fn a_section_is_a_table_and_accounts_are_tables() {
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
fn a_mistake_in_the_file_is_reported_even_if_the_environment_overrides_it() {
    let environment = [("AWS_ROOT_EXPORTER__WEB__MAX_REQUESTS", "2")];
    assert_eq!(
        load_file("web = 1", &environment).unwrap_err(),
        "config.toml: web: is a number; write a section, [web]"
    );
}

#[test]
fn a_wrong_setting_of_the_schedule_is_reported_with_place_value_and_remedy() {
    for (text, line) in [
        (
            "refresh.interval = 60",
            "refresh.interval: 60 has no unit; for seconds write \"60s\"",
        ),
        (
            "refresh.interval = \"soon\"",
            "refresh.interval: \"soon\" is not a duration; write it like \"60s\" or \"1h30m\"",
        ),
        (
            "refresh.interval = \"-5s\"",
            "refresh.interval: \"-5s\" is not a duration; write it like \"60s\" or \"1h30m\"",
        ),
        (
            "refresh.interval = \"0s\"",
            "refresh.interval: \"0s\" is too short; the least is \"1s\"",
        ),
        (
            "refresh.timeout = \"0s\"",
            "refresh.timeout: \"0s\" is too short; the least is \"1ms\"",
        ),
        (
            "refresh.max_staleness = \"400days\"",
            "refresh.max_staleness: \"400days\" is too long; the most is \"366days\"",
        ),
        (
            "refresh.interval = \"1h\"",
            "refresh.interval: an interval of \"1h\" is not below a max_live_staleness of \
             \"30m\": every zero would be withdrawn before the next poll; lower the interval below \
             \"30m\", or raise max_live_staleness above \"1h\"",
        ),
        (
            "refresh.concurrency = 0",
            "refresh.concurrency: 0 is not a whole number from 1 to 10000",
        ),
        (
            "refresh.concurrency = \"64\"",
            "refresh.concurrency: \"64\" is text; write the number without quotes",
        ),
    ] {
        refuses(text, &format!("config.toml: {line}"));
    }
}

/// Every zero would be withdrawn before the next answer could support it.
#[test]
fn limits_that_are_too_short_are_reported_with_the_least_value() {
    let root = "organization.enabled = true\norganization.access = \"root\"\n";
    let root_alone =
        &format!("sources.credential_report = false\nsources.account_summary = false\n{root}");
    let reports_alone = "sources.account_summary = false\n";
    let before_next_poll = |interval: &str, limit: &str| {
        format!(
            "an interval of \"{interval}\" is not below a max_live_staleness of \"{limit}\": every \
             zero would be withdrawn before the next poll; lower the interval below \"{limit}\", or \
             raise max_live_staleness above \"{interval}\""
        )
    };
    let before_next_report = |limit: &str| {
        format!(
            "refresh.max_staleness: \"{limit}\" is too short where credential reports are the only \
             source, of which AWS makes one every 4 hours; the least is \"4h 30m\", unless \
             sources.account_summary is true"
        )
    };
    let ten_intervals = |limit: &str, interval: &str, least: &str| {
        format!(
            "a max_staleness of \"{limit}\" is less than ten intervals of \"{interval}\": a few polls \
             that fail would withdraw every zero; the least is \"{least}\", unless the interval is \
             shorter"
        )
    };
    for (sources, settings, line) in [
        // Root sessions are a live source as well.
        (
            &**root_alone,
            "interval = \"1h\"",
            format!("refresh.interval: {}", before_next_poll("1h", "30m")),
        ),
        (
            root,
            "max_live_staleness = \"1m\"",
            format!(
                "refresh.max_live_staleness: {}",
                before_next_poll("1m", "1m")
            ),
        ),
        // Reports alone; a root session enters neither the caller's account nor a listed one.
        (
            reports_alone,
            "max_staleness = \"1h\"",
            before_next_report("1h"),
        ),
        (
            &format!("{reports_alone}{root}"),
            "max_staleness = \"4h 29m 59s\"",
            before_next_report("4h 29m 59s"),
        ),
        // Ten intervals.
        (
            "",
            "max_staleness = \"10s\"",
            format!(
                "refresh.max_staleness: {}",
                ten_intervals("10s", "1m", "10m")
            ),
        ),
        (
            root_alone,
            "interval = \"3s\"\nmax_staleness = \"29s\"",
            format!(
                "refresh.max_staleness: {}",
                ten_intervals("29s", "3s", "30s")
            ),
        ),
        (
            "",
            "interval = \"2h\"\nmax_live_staleness = \"3h\"",
            format!("refresh.interval: {}", ten_intervals("10h", "2h", "20h")),
        ),
    ] {
        let text = format!("{sources}[refresh]\n{settings}");
        refuses(&text, &format!("config.toml: {line}"));
    }
    let error = load_file(&format!("{root_alone}[refresh]\ninterval = \"2h\""), &[]).unwrap_err();
    let lines = [
        before_next_poll("2h", "30m"),
        ten_intervals("10h", "2h", "20h"),
    ];
    let lines = lines.map(|line| format!("config.toml: refresh.interval: {line}"));
    assert_eq!(error, lines.join("\n"));
}

#[test]
fn the_least_limits_are_accepted() {
    for (sources, settings) in [
        ("", "interval = \"3s\"\nmax_staleness = \"30s\""),
        ("", "interval = \"29m\""),
        (
            "sources.account_summary = false",
            "max_staleness = \"4h30m\"",
        ),
        // Nothing is polled: the report has its own schedule.
        (
            "sources.account_summary = false",
            "interval = \"10h\"\nmax_live_staleness = \"1s\"",
        ),
        // No report is requested.
        (
            "sources.credential_report = false",
            "max_staleness = \"10m\"",
        ),
    ] {
        let text = format!("{sources}\n[refresh]\n{settings}");
        load_file(&text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

#[test]
fn a_wrong_setting_of_the_process_is_reported_with_place_value_and_remedy() {
    for (text, line) in [
        (
            "web.max_requests = -1",
            "web.max_requests: -1 is not a whole number from 1 to 100000",
        ),
        (
            "web.max_requests = 1.5",
            "web.max_requests: 1.5 is not a whole number from 1 to 100000",
        ),
        (
            "web.max_requests = 2026-01-01",
            "web.max_requests: a date is not a whole number from 1 to 100000",
        ),
        (
            "web.telemetry_path = \"metrics\"",
            "web.telemetry_path: \"metrics\" does not begin with a slash; write it like \
             \"/metrics\"",
        ),
        (
            "web.telemetry_path = \"/m?a\"",
            "web.telemetry_path: \"/m?a\" has a character other than letters, digits and - . _ ~ \
             /; write it like \"/metrics\"",
        ),
        (
            "web.external_url = \"exporter.example.com\"",
            "web.external_url: is not a URL; write it like \"https://exporter.example.com\"",
        ),
        (
            "web.external_url = \"localhost:10057\"",
            "web.external_url: begins with neither http:// nor https://; write it like \
             \"https://exporter.example.com\"",
        ),
        (
            "web.external_url = \"https://ada:hush@exporter.example.com\"",
            "web.external_url: has a user or a password in it, which everybody who reads an alert \
             would see; leave them out",
        ),
        (
            "web.external_url = \"https://exporter.example.com/?a=b\"",
            "web.external_url: has a query (?) or a fragment (#); leave it out: paths are appended \
             to the URL",
        ),
        (
            "web.external_url = \"\"",
            "web.external_url: \"\" is empty; leave the setting out instead",
        ),
        (
            "log.level = \"loud\"",
            "log.level: \"loud\" is none of error, warn, info, debug, trace",
        ),
        (
            "log.format = \"xml\"",
            "log.format: \"xml\" is none of logfmt, json",
        ),
        (
            "reload.auto = \"false\"",
            "reload.auto: \"false\" is text; write it without quotes",
        ),
        (
            "shard.index = 1",
            "shard.index: 1 is not below shard.total, 1; shards are counted from 0",
        ),
        (
            "shard.total = 0",
            "shard.total: 0 is not a whole number from 1 to 4294967295",
        ),
    ] {
        refuses(text, &format!("config.toml: {line}"));
    }
}

#[test]
fn a_wrong_setting_of_aws_is_reported_with_place_value_and_remedy() {
    for (text, line) in [
        (
            "[sources]\ncredential_report = false\naccount_summary = false",
            "sources.account_summary: false, as sources.credential_report is, and no root session \
             is used: there is nothing to ask; set one of them to true",
        ),
        (
            "state.path = \" \"",
            "state.path: \" \" is empty; leave the setting out instead",
        ),
        (
            "aws.region = \"us-east\"",
            "aws.region: \"us-east\" is not an AWS Region; write it like \"eu-central-1\"",
        ),
        (
            "aws.profile = 1",
            "aws.profile: 1 is a number; put it in quotes: \"1\"",
        ),
        (
            "organization.access = \"admin\"",
            "organization.access: \"admin\" is none of role, root, both",
        ),
        (
            "organization.role_name = \"a b\"",
            "organization.role_name: \"a b\" is not the name of a role (1 to 64 letters, digits \
             and _ + = , . @ -), nor one with its path before it (audit/aws-root-exporter)",
        ),
        (
            "organization.exclude = [111122223333]",
            "organization.exclude[0]: 111122223333 is a number; an account id is 12 digits in \
             quotes: \"111122223333\"",
        ),
        (
            "organization.tag_labels = [\"cost-center\", \"cost center\"]",
            "organization.tag_labels[1]: \"cost center\" and \"cost-center\" would both be \
             label_cost_center; remove one",
        ),
        (
            "organization.interval = \"0s\"",
            "organization.interval: \"0s\" is too short; the least is \"1s\"",
        ),
        (
            "users.max_detail_series = 0",
            "users.max_detail_series: 0 is not a whole number from 1 to 10000000",
        ),
        (
            "users.key_age_days = [90, 0]",
            "users.key_age_days[1]: 0 is not a whole number from 1 to 36500",
        ),
        (
            "users.unused_days = [45, 45]",
            "users.unused_days[1]: 45 is listed twice; remove one",
        ),
    ] {
        refuses(text, &format!("config.toml: {line}"));
    }
}

#[test]
fn the_metrics_cannot_have_the_path_of_another_page() {
    for path in [
        "/",
        "//",
        "/-",
        "/-/healthy",
        "/api/v1",
        "/accounts",
        "/accounts/1",
    ] {
        refuses(
            &format!("web.telemetry_path = {path:?}"),
            &format!(
                "config.toml: web.telemetry_path: {path:?} belongs to another page; write it like \
                 \"/metrics\""
            ),
        );
    }
    for path in ["/metrics", "/apiary", "/probe/accounts"] {
        let config = load_file(&format!("web.telemetry_path = {path:?}"), &[]).unwrap();
        assert_eq!(config.web.telemetry_path, path);
    }
}

#[test]
fn every_wrong_account_is_reported_with_place_value_and_remedy() {
    for (lines, line) in [
        (
            "region = \"Oregon\"",
            "region: \"Oregon\" is not an AWS Region; write it like \"eu-central-1\"",
        ),
        (
            "external_id = \"0123\"",
            "external_id: is of use only with a role_arn; add one, or remove it (the value is not \
             shown)",
        ),
        (
            "role_arn = \"arn:aws:iam::111122223333:role/r\"\nprofile = \"p\"",
            "profile: an account is read by a role_arn or by a profile, not both; remove one",
        ),
        (
            "role_arn = \"arn:aws:iam::111122223333:user/u\"",
            "role_arn: \"arn:aws:iam::111122223333:user/u\" is not the ARN of a role; write it \
             like \"arn:aws:iam::111122223333:role/aws-root-exporter\"",
        ),
        (
            "role_arn = \"arn:aws:iam::444455556666:role/r\"",
            "role_arn: \"arn:aws:iam::444455556666:role/r\" is a role of account 444455556666, \
             not of 111122223333; name a role of 111122223333",
        ),
        (
            "role_arn = \"arn:aws:iam::111122223333:role/r\"\nregion = \"us-gov-west-1\"",
            "role_arn: \"arn:aws:iam::111122223333:role/r\" is in partition aws, but region \
             us-gov-west-1 is in aws-us-gov; set the account's region",
        ),
        (
            "labels = { \"cost-center\" = \"1\" }",
            "labels.cost-center: \"cost-center\" is not a label name; use letters, digits and \
             underscores",
        ),
        (
            "labels = { team = 7 }",
            "labels.team: 7 is a number; put it in quotes: \"7\"",
        ),
        (
            "labels = \"team\"",
            "labels: is text; write { team = \"payments\" }",
        ),
        (
            "profile = \"\"",
            "profile: \"\" is empty; leave the setting out instead",
        ),
    ] {
        refuses(&account(lines), &format!("config.toml: accounts[0].{line}"));
    }
}

#[test]
fn an_account_id_is_twelve_digits_in_quotes_and_unique() {
    let accounts = "[[accounts]]\nid = \"111122223333\"\n\
                    [[accounts]]\nid = \"12345\"\n\
                    [[accounts]]\nid = 12345678901\n\
                    [[accounts]]\nid = 12\n\
                    [[accounts]]\nname = \"nobody\"\n\
                    [[accounts]]\n\
                    [[accounts]]\nid = \"111122223333\"\n";
    refuses(
        accounts,
        "config.toml: accounts[1].id: \"12345\" is not an account id (12 digits, in quotes)\n\
         config.toml: accounts[2].id: 12345678901 is a number; an account id is 12 digits in \
         quotes: \"012345678901\"\n\
         config.toml: accounts[3].id: 12 is a number; an account id is 12 digits in quotes: \
         \"111122223333\"\n\
         config.toml: accounts[4].id: is missing; every account needs its id (12 digits, in \
         quotes)\n\
         config.toml: accounts[5].id: is missing; every account needs its id (12 digits, in \
         quotes)\n\
         config.toml: accounts[6].id: \"111122223333\" is listed twice, first as accounts[0]; \
         remove one",
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

#[test]
fn no_error_shows_an_external_id() {
    let role = "role_arn = \"arn:aws:iam::111122223333:role/r\"";
    let number = "31337424242";
    let spaced = format!("{SECRET} {SECRET}");
    let mut errors = Vec::new();
    for value in [
        number.to_owned(),
        format!("[{SECRET:?}]"),
        format!("{{ value = {SECRET:?} }}"),
        format!("{spaced:?}"),
        format!("{SECRET:?} {SECRET:?}"),
        format!("\"{SECRET}"),
    ] {
        errors.push(load_file(
            &account(&format!("{role}\nexternal_id = {value}")),
            &[],
        ));
        errors.push(load_file(
            &format!("organization.external_id = {value}"),
            &[],
        ));
        errors.push(load_file(
            &format!("organization.externalid = {value}"),
            &[],
        ));
        errors.push(load_file(&format!("organization = {value}"), &[]));
        errors.push(load_file(&account(&format!("external_id = {value}")), &[]));
    }
    for variable in [
        "ORGANIZATION__EXTERNAL_ID",
        "ORGANIZATION__EXTERNALID",
        "ORGANIZATION",
    ] {
        let variable = format!("AWS_ROOT_EXPORTER__{variable}");
        errors.push(load_file("", &[(&variable, &format!("{spaced}\n"))]));
    }
    for error in errors {
        let error = error.unwrap_err();
        assert!(
            !error.contains("hunter2") && !error.contains(number),
            "{error}"
        );
    }
}

#[test]
fn a_wrong_external_id_is_reported_without_its_value() {
    refuses(
        "organization.external_id = 12345",
        "config.toml: organization.external_id: is a number, but an external id is a text; put it \
         in quotes (the value is not shown)",
    );
    let problem = "is not an external id: 2 to 1224 letters, digits and _ + = , . @ : / -, without \
                   spaces or line breaks (the value is not shown)";
    refuses(
        "organization.external_id = \"x\"",
        &format!("config.toml: organization.external_id: {problem}"),
    );
    let variable = "AWS_ROOT_EXPORTER__ORGANIZATION__EXTERNAL_ID";
    assert_eq!(
        load_environment(&[(variable, "secret\n")]).unwrap_err(),
        format!("{variable}: {problem}")
    );
}
