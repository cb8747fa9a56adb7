//! What may be said on the command line, and what is refused.

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
    Cli::command().debug_assert();
}

#[test]
fn no_command_is_the_daemon() {
    let daemon = Invocation {
        command: Command::Serve,
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
    let expected = Invocation {
        command: Command::Serve,
        config_file: Some(PathBuf::from("f")),
        overrides: Overrides {
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
        },
    };
    for line in [flags, &format!("serve {flags}"), &format!("{flags} serve")] {
        assert_eq!(of(line).unwrap(), expected, "{line}");
    }
}

#[test]
fn the_demo_takes_the_flags_of_web_and_log() {
    for line in [
        "demo --accounts 3 --seed 7 --web.max-requests 9 --log.level warn",
        "--web.max-requests 9 --log.level warn demo --accounts 3 --seed 7",
    ] {
        let demo = of(line).unwrap();
        let seed = 7;
        assert_eq!(demo.command, Command::Demo(DemoArgs { accounts: 3, seed }));
        assert_eq!(demo.overrides.max_requests, Some(9));
        assert_eq!(demo.overrides.log_level.as_deref(), Some("warn"));
    }
    let (accounts, seed) = (12, 1);
    let default = Command::Demo(DemoArgs { accounts, seed });
    assert_eq!(of("demo").unwrap().command, default);
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
        assert!(error.contains("'--runbook-url' goes with rules"), "{error}");
    }
    let error = refused("print rules --runbook-url wiki.example.com");
    assert!(error.contains("is not a URL"), "{error}");
}

#[test]
fn config_check_judges_and_stops() {
    for (line, online) in [
        ("--config.check", false),
        ("serve --config.check --online", true),
        ("--config.check --online", true),
    ] {
        assert_eq!(of(line).unwrap().command, Command::CheckConfig { online });
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
    for line in ["demo --config.file f", "--config.file f healthcheck"] {
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
        format: CheckFormat::Json,
        only_findings: true,
    };
    assert_eq!(check.command, Command::Check(expected));
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
fn deleting_needs_the_account_twice() {
    let account = "remediate --account 000000000012";
    let Command::Remediate(shown) = of(account).unwrap().command else {
        panic!("remediate is remediate");
    };
    assert!(!shown.delete && !shown.even_if_used);
    assert_eq!(shown.unused_for, Duration::from_secs(24 * 60 * 60));
    assert!(of(&format!("{account} --delete --confirm 000000000012")).is_ok());
    for line in [
        "remediate",
        "remediate --account 12",
        "remediate --account 000000000012 --delete",
        "remediate --account 000000000012 --confirm 000000000012",
        "remediate --account 000000000012 --delete --confirm 000000000013",
        "remediate --account 000000000012 --unused-for 24",
    ] {
        refused(line);
    }
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
    let mut commands = vec![Cli::command()];
    while let Some(command) = commands.pop() {
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{arg}");
            let told = arg.is_required_set()
                || arg.is_positional()
                || help.contains("[default: ")
                || !arg.get_default_values().is_empty()
                || ["check", "online", "confirm", "reports"].contains(&arg.get_id().as_str());
            assert!(told, "{arg}: {help}");
        }
        commands.extend(command.get_subcommands().cloned());
    }
}

#[test]
fn the_help_names_the_defaults_of_the_configuration() {
    let default = crate::config::Config::default();
    let web = &default.web;
    let level = default.log.level.to_string().to_lowercase();
    let command = Cli::command();
    let help = |id: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_id() == id);
        arg.unwrap().get_help().unwrap().to_string()
    };
    for (id, default) in [
        ("listen_addresses", web.listen_addresses[0].to_string()),
        ("telemetry_path", web.telemetry_path.clone()),
        ("max_requests", web.max_requests.to_string()),
        ("log_level", level),
        ("log_format", default.log.format.to_string()),
        ("shard_index", default.shard.index.to_string()),
        ("shard_total", default.shard.total.to_string()),
    ] {
        let help = help(id);
        assert!(help.contains(&format!("[default: {default}]")), "{help}");
    }
    let healthcheck = command.find_subcommand("healthcheck").unwrap();
    let url = healthcheck
        .get_arguments()
        .find(|arg| arg.get_id() == "url");
    let url = url.unwrap().get_help().unwrap().to_string();
    let default = format!("else {}]", web.listen_addresses[0]);
    assert!(url.contains(&default), "{url}");
}
