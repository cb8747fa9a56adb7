//! Which command lines are accepted, and which are refused.

use super::*;

fn of(line: &str) -> Result<Invocation, clap::Error> {
    let words = line.split_whitespace();
    parse(std::iter::once("aws-root-exporter").chain(words))
}

/// What clap prints for a line that is refused as wrong usage.
#[track_caller]
fn refused(line: &str) -> String {
    let error = of(line).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string()
}

#[test]
fn the_definition_is_consistent() {
    definition().debug_assert();
}

#[test]
fn no_command_is_the_daemon() {
    let daemon = Invocation {
        command: Command::Serve(ServeArgs::default()),
        config_file: None,
        overrides: Overrides::default(),
    };
    assert_eq!(of("").unwrap(), daemon);
    assert_eq!(of("serve").unwrap(), daemon);
}

#[test]
fn the_daemon_s_flags_work_before_and_after_serve() {
    let flags = "--web.listen-address 0.0.0.0:1 --web.listen-address [::1]:2 \
        --web.config.file w --web.telemetry-path /m --web.max-requests 3 \
        --web.health-listen-address 0.0.0.0:4 --web.external-url https://e --shard.index 5 --shard.total 6 \
        --log.level debug --log.format json --config.enable-auto-reload --config.file f";
    let text = |text: &str| Some(text.to_owned());
    let expected = Overrides {
        listen_addresses: vec!["0.0.0.0:1".to_owned(), "[::1]:2".to_owned()],
        web_config_file: text("w"),
        telemetry_path: text("/m"),
        max_requests: Some(3),
        health_listen_address: text("0.0.0.0:4"),
        external_url: text("https://e"),
        shard_index: Some(5),
        shard_total: Some(6),
        log_level: text("debug"),
        log_format: text("json"),
        auto_reload: true,
    };
    for line in [flags, &format!("serve {flags}"), &format!("{flags} serve")] {
        let invocation = of(line).unwrap();
        assert_eq!(invocation.overrides, expected, "{line}");
        assert_eq!(invocation.config_file, Some(PathBuf::from("f")));
        assert!(matches!(invocation.command, Command::Serve(_)), "{line}");
    }
}

#[test]
fn the_demo_takes_the_flags_of_web_and_log() {
    let demo = |invocation: &Invocation| match &invocation.command {
        Command::Demo(demo) => (demo.accounts, demo.seed),
        other => panic!("{other:?}"),
    };
    for line in [
        "demo --accounts 3 --seed 7 --web.max-requests 9 --log.level warn",
        "--web.max-requests 9 --log.level warn demo --accounts 3 --seed 7",
    ] {
        let invocation = of(line).unwrap();
        assert_eq!(demo(&invocation), (3, 7));
        assert_eq!(invocation.overrides.max_requests, Some(9));
        assert_eq!(invocation.overrides.log_level.as_deref(), Some("warn"));
    }
    assert_eq!(demo(&of("demo").unwrap()), (12, 1));
}

#[test]
fn the_runbooks_url_goes_with_rules_alone() {
    for file in ["rules", "iam-users-rules"] {
        let line = format!("print {file} --runbook-url https://example.com/runbooks/");
        let Command::Print(print) = of(&line).unwrap().command else {
            panic!("{line} prints");
        };
        let url = print.runbook_url.unwrap();
        assert_eq!(url.as_str(), "https://example.com/runbooks");
    }
    for file in ["alertmanager", "dashboard", "config"] {
        let error = refused(&format!("print {file} --runbook-url https://example.com"));
        assert!(error.contains("'--runbook-url' needs rules"), "{error}");
    }
    let error = refused("print rules --runbook-url wiki.example.com");
    assert!(error.contains("is not a URL"), "{error}");
}

#[test]
fn config_check_judges_and_stops() {
    for (line, online) in [
        ("--config.check", false),
        ("--config.check serve", false),
        ("serve --config.check --online", true),
        ("--config.check --online", true),
    ] {
        let Command::Serve(serve) = of(line).unwrap().command else {
            panic!("{line} is of the daemon");
        };
        assert_eq!((serve.check, serve.online), (true, online), "{line}");
    }
    assert!(refused("--online").contains("--config.check"));
}

#[test]
fn a_daemon_s_flag_with_another_command_is_refused() {
    for command in [
        "check",
        "policy hub",
        "remediate --account 111122223333",
        "print rules",
    ] {
        let name = command.split(' ').next().unwrap();
        for flag in ["--web.max-requests=1", "--shard.index=0", "--config.check"] {
            let bare = flag.split('=').next().unwrap();
            let expected = format!("'{bare}' is a flag of the daemon; '{name}' does not take");
            let before = refused(&format!("{flag} {command}"));
            assert!(before.contains(&expected), "{before}");
            let after = refused(&format!("{command} {flag}"));
            assert!(
                after.contains(&format!("unexpected argument '{bare}")),
                "{after}"
            );
        }
    }
    for line in [
        "--shard.total 2 demo",
        "demo --shard.total 2",
        "--config.check demo",
    ] {
        refused(line);
    }
}

#[test]
fn a_flag_is_given_on_one_side_of_the_command() {
    let error = refused("--web.max-requests 1 serve --web.max-requests 2");
    assert!(
        error.contains("given both before and after 'serve'"),
        "{error}"
    );
    refused("--web.max-requests 1 demo --web.max-requests 2");
}

#[test]
fn a_configuration_file_is_for_commands_that_read_it() {
    for line in ["check --config.file f", "--config.file f policy hub"] {
        assert_eq!(of(line).unwrap().config_file, Some(PathBuf::from("f")));
    }
    for line in ["demo --config.file f", "--config.file f print rules"] {
        assert!(refused(line).contains("reads no configuration"), "{line}");
    }
}

#[test]
fn the_nearest_command_or_flag_is_named() {
    for (line, near) in [
        ("chek", "'check'"),
        ("--web.listen-adress x", "'--web.listen-address'"),
        ("serve --shard.indx 1", "'--shard.index'"),
        ("print rule", "'rules'"),
        ("--log.level inf", "'info'"),
        ("check --only-finding", "'--only-findings'"),
    ] {
        let error = refused(line);
        assert!(error.contains("similar") && error.contains(near), "{error}");
    }
}

#[test]
fn check_takes_reports() {
    let check = of("check --report a.csv --report - --format json --only-findings").unwrap();
    let expected = CheckArgs {
        reports: vec!["a.csv".into(), "-".into()],
        max_age: Duration::from_secs(24 * 60 * 60),
        fail_on: CheckFinding::ALL.to_vec(),
        format: CheckFormat::Json,
        only_findings: true,
    };
    assert_eq!(check.command, Command::Check(expected));
}

#[test]
fn check_fails_on_what_is_named() {
    let Command::Check(check) = of("check --fail-on active,unknown").unwrap().command else {
        panic!("check is check");
    };
    assert_eq!(check.fail_on, [CheckFinding::Active, CheckFinding::Unknown]);
    for line in [
        "check --fail-on none",
        "check --fail-on",
        "check --max-age 1h",
        "check --report x --max-age 24",
    ] {
        refused(line);
    }
}

#[test]
fn a_healthcheck_takes_what_says_where_the_daemon_listens() {
    for line in [
        "healthcheck --web.listen-address 0.0.0.0:1 --web.health-listen-address 0.0.0.0:2 \
         --web.config.file w --config.file f",
        "--web.listen-address 0.0.0.0:1 --web.health-listen-address 0.0.0.0:2 \
         --web.config.file w --config.file f healthcheck",
    ] {
        let asked = of(line).unwrap();
        assert_eq!(asked.config_file, Some(PathBuf::from("f")));
        let overrides = Overrides {
            listen_addresses: vec!["0.0.0.0:1".to_owned()],
            health_listen_address: Some("0.0.0.0:2".to_owned()),
            web_config_file: Some("w".to_owned()),
            ..Overrides::default()
        };
        assert_eq!(asked.overrides, overrides);
    }
    for line in [
        "healthcheck --url http://h --config.file f",
        "healthcheck --url http://h --web.listen-address 0.0.0.0:1",
        "--web.config.file w healthcheck --url http://h",
        "healthcheck --web.max-requests 1",
        "healthcheck --web.config.file a --web.config.file b",
        "--web.config.file a healthcheck --web.config.file b",
    ] {
        refused(line);
    }
}

/// A value that a flag takes.
fn value(arg: &Arg) -> String {
    let possible = arg.get_possible_values();
    let sample = match arg.get_id().as_str() {
        "account" | "confirm" => "000000000012",
        "max_age" | "unused_for" => "1h",
        "hub" => "arn:aws:iam::000000000012:role/x",
        "organization" => "o-a1b2c3d4e5",
        "url" | "external_url" | "runbook_url" => "http://h",
        _ => "1",
    };
    possible
        .first()
        .map_or(sample, clap::builder::PossibleValue::get_name)
        .to_owned()
}

#[test]
fn a_command_takes_each_flag_that_its_help_has() {
    let mut program = definition();
    program.build();
    let mut tried = 0;
    for command in program.get_subcommands() {
        let needed = match command.get_name() {
            "policy" => "policy hub",
            "print" => "print rules",
            "completions" => "completions bash",
            "remediate" => "remediate --account 000000000012",
            name => name,
        };
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let Some(flag) = arg
                .get_long()
                .filter(|flag| !["help", "account"].contains(flag))
            else {
                continue;
            };
            let value = match arg.get_action() {
                clap::ArgAction::SetTrue => String::new(),
                _ => value(arg),
            };
            let with = match flag {
                "online" => "--config.check",
                "max-age" => "--report x",
                "confirm" => "--delete AKIA",
                "delete" => "--confirm 000000000012",
                "audit-file" => "--delete AKIA --confirm 000000000012",
                _ => "",
            };
            let line = format!("{needed} {with} --{flag} {value}");
            of(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            tried += 1;
        }
    }
    assert!(tried > 40, "only {tried}");
}

#[test]
fn a_flag_that_a_command_has_no_use_for_is_not_in_its_help() {
    for (command, flags) in [
        ("demo", vec!["--config.file", "--shard"]),
        ("healthcheck", vec!["--log.level", "--web.max-requests"]),
        ("print", vec!["--config.file", "--log."]),
        ("policy", vec!["--log."]),
        ("man", vec!["--config.file", "--log."]),
        ("completions", vec!["--config.file", "--log."]),
    ] {
        let help = of(&format!("{command} --help")).unwrap_err().to_string();
        for flag in flags {
            assert!(!help.contains(flag), "{command}: {flag}\n{help}");
        }
    }
}

#[test]
fn completions_list_no_hidden_flag() {
    let program = visible_definition();
    let has = |command: &str, id: &str| {
        let command = program.find_subcommand(command).unwrap();
        command.get_arguments().any(|arg| arg.get_id() == id)
    };
    assert!(has("check", "config_file") && has("demo", "log_level"));
    assert!(!has("demo", "config_file") && !has("print", "log_level"));
    let mut program = program;
    program.build();
    let demo = program.find_subcommand("demo").unwrap();
    assert!(
        demo.get_arguments()
            .all(|arg| arg.get_id() != "config_file")
    );
}

#[test]
fn every_policy_and_file_has_its_name() {
    for kind in ["audit-role", "hub", "stackset", "remediate"] {
        assert!(matches!(
            of(&format!("policy {kind}")).unwrap().command,
            Command::Policy(_)
        ));
    }
    for file in ["rules", "alertmanager", "dashboard", "config"] {
        assert!(matches!(
            of(&format!("print {file}")).unwrap().command,
            Command::Print(_)
        ));
    }
    refused("policy");
    refused("print");
}

#[test]
fn deleting_needs_the_account_twice_and_the_keys_by_name() {
    let account = "remediate --account 000000000012";
    let remediate = |line: &str| match of(line).unwrap().command {
        Command::Remediate(remediate) => remediate,
        other => panic!("{other:?}"),
    };
    let shown = remediate(account);
    assert!(shown.delete.is_empty() && !shown.even_if_used);
    assert_eq!(shown.unused_for, UNUSED_FOR);
    let deletes = remediate(&format!(
        "{account} --delete AKIA1 --delete AKIA2 --confirm 000000000012 --audit-file a"
    ));
    let named: Vec<String> = deletes.delete.iter().map(ToString::to_string).collect();
    assert_eq!(named, ["AKIA1", "AKIA2"]);
    for line in [
        "remediate",
        "remediate --account 12",
        "remediate --account 000000000012 --delete",
        "remediate --account 000000000012 --delete AKIA1",
        "remediate --account 000000000012 --delete --confirm 000000000012",
        "remediate --account 000000000012 --delete AK;IA1 --confirm 000000000012",
        "remediate --account 000000000012 --delete AKIA1 AKIA2 --confirm 000000000012",
        "remediate --account 000000000012 --confirm 000000000012",
        "remediate --account 000000000012 --delete AKIA1 --confirm 000000000013",
        "remediate --account 000000000012 --unused-for 24",
        "remediate --account 000000000012 --audit-file a",
    ] {
        refused(line);
    }
    let twice = refused(&format!(
        "{account} --delete AKIA1 --delete AKIA1 --confirm 000000000012"
    ));
    assert!(twice.contains("given twice"), "{twice}");
}

#[test]
fn help_and_version_are_no_failure() {
    let version = of("--version").unwrap_err();
    assert_eq!(version.exit_code(), 0);
    let expected = format!("aws-root-exporter {VERSION} (revision ");
    assert!(version.to_string().starts_with(&expected), "{version}");
    for line in ["-h", "--help", "demo -h", "check --help"] {
        assert_eq!(of(line).unwrap_err().exit_code(), 0);
    }
}

#[test]
fn every_flag_has_a_sentence_and_names_its_default() {
    let mut commands = vec![definition()];
    while let Some(command) = commands.pop() {
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{arg}");
            let has_default = arg.is_required_set()
                || arg.is_positional()
                || help.contains("[default: ")
                || !arg.get_default_values().is_empty()
                || ["check", "online", "confirm", "reports"].contains(&arg.get_id().as_str());
            assert!(has_default, "{arg}: {help}");
        }
        commands.extend(command.get_subcommands().cloned());
    }
}

#[test]
fn the_help_names_the_defaults_of_the_configuration() {
    let default = crate::config::Config::default();
    let web = &default.web;
    let level = default.log.level.to_string().to_lowercase();
    let command = definition();
    let help = |id: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_id() == id);
        arg.unwrap().get_help().unwrap().to_string()
    };
    for (id, default) in [
        ("listen_addresses", web.listen_addresses[0].to_string()),
        ("telemetry_path", web.telemetry_path.clone()),
        ("max_requests", web.max_requests.to_string()),
        ("log_level", level),
        (
            "log_format",
            format!("{:?}", default.log.format).to_lowercase(),
        ),
        ("shard_index", default.shard.index.to_string()),
        ("shard_total", default.shard.total.to_string()),
    ] {
        let help = help(id);
        assert!(help.contains(&format!("[default: {default}]")), "{help}");
    }
}
