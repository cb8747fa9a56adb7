//! What `README.md` promises and denies is what there is: its list of what is not there yet, the
//! settings that need a restart, the targets of make.

use std::fmt::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use tempfile::TempDir;

use crate::markdown::{expect_none, files, has_ending, page, pages, read, root, spans};

/// What the binary says of what it cannot do yet.
const REFUSAL: &str = "is not supported by this version yet";

/// Every command in every form that could be missing. What a command needs to get as far as being
/// refused stands behind the bar.
const COMMANDS: [&str; 16] = [
    "|--config.check",
    "--config.check --online",
    "demo|--accounts 0",
    "check",
    "check --report|/dev/null",
    "policy audit-role",
    "policy hub",
    "policy stackset",
    "policy remediate",
    "remediate|--account 111122223333",
    "remediate --delete|--account 111122223333 --confirm 111122223333",
    "healthcheck",
    "print rules",
    "print alertmanager",
    "print dashboard",
    "print config",
];

/// Settings that could be missing, each with a value.
const SETTINGS: [(&str, &str); 5] = [
    ("web.config_file", "'web.yml'"),
    ("organization.enabled", "true"),
    ("shard.total", "2"),
    ("reload.auto", "true"),
    ("users.detail", "true"),
];

/// What the list denies: commands, settings and paths, one piece of code each.
pub fn not_yet() -> Vec<String> {
    let readme = page("README.md");
    if !readme.text.contains("\n## Not yet\n") {
        return Vec::new();
    }
    readme
        .section("Not yet")
        .lines()
        .filter_map(|line| line.strip_prefix("- "))
        .flat_map(|bullet| {
            let (what, _) = bullet.split_once(": ").unwrap_or_else(|| {
                panic!("README.md, Not yet: \"{bullet}\" must be \"`what`: in words\"")
            });
            let what = spans(what);
            assert!(
                !what.is_empty(),
                "README.md, Not yet: \"{bullet}\" must begin with the command, the setting or the \
                 path, as code"
            );
            // "`check`, without `--report`" is about `check`.
            what.into_iter().filter(|span| !span.starts_with("--"))
        })
        .collect()
}

/// A command line of [`COMMANDS`], as it is named and as it is run.
fn as_run(command: &str) -> (String, Vec<String>) {
    let (named, more) = command.split_once('|').unwrap_or((command, ""));
    let arguments = named.split_whitespace().chain(more.split_whitespace());
    (named.to_owned(), arguments.map(str::to_owned).collect())
}

/// Whether the binary, run in an empty folder, without credentials and far from any AWS, refuses.
fn is_refused(arguments: &[String], config: &str) -> bool {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("config.toml"), config).unwrap();
    std::fs::write(folder.path().join("web.yml"), "").unwrap();
    let stderr = folder.path().join("stderr");
    let mut child = Command::new(env!("CARGO_BIN_EXE_aws-root-exporter"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        // Nobody listens there, and nobody is asked for credentials.
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "example")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&stderr).unwrap())
        .spawn()
        .unwrap();
    // A refusal is the first thing said. Who goes on asking AWS for long does not refuse.
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() >= deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::read_to_string(stderr).unwrap().contains(REFUSAL)
}

fn setting_is_refused(setting: &str, value: &str) -> bool {
    let (section, key) = setting.split_once('.').unwrap();
    let mut config = String::new();
    writeln!(config, "[{section}]\n{key} = {value}").unwrap();
    is_refused(&["--config.check".to_owned()], &config)
}

#[test]
fn what_the_binary_refuses_is_on_the_list() {
    let denied = not_yet();
    let mut trouble = Vec::new();
    for command in COMMANDS {
        let (named, arguments) = as_run(command);
        let line = format!("aws-root-exporter {named}");
        let is_denied = denied.iter().any(|one| line.starts_with(one.as_str()));
        if is_refused(&arguments, "[refresh]\ntimeout = '1s'\n") && !is_denied {
            trouble.push(format!(
                "README.md, Not yet: add \"- `{line}`: what it would do\"; the binary refuses it"
            ));
        }
    }
    for (setting, value) in SETTINGS {
        if setting_is_refused(setting, value) && !denied.iter().any(|one| one == setting) {
            trouble.push(format!(
                "README.md, Not yet: add \"- `{setting}`: what it would do\"; the binary refuses it"
            ));
        }
    }
    expect_none(&trouble);
}

#[test]
fn what_is_on_the_list_is_not_there() {
    let mut trouble = Vec::new();
    for denied in not_yet() {
        let is_there = if let Some(command) = denied.strip_prefix("aws-root-exporter ") {
            let known = COMMANDS.iter().find(|known| as_run(known).0 == command);
            let known = known.unwrap_or_else(|| {
                panic!("add \"{command}\" to COMMANDS in tests/docs/promises.rs, to be tried")
            });
            !is_refused(&as_run(known).1, "")
        } else if denied.contains('.') && !denied.contains('/') {
            let known = SETTINGS.iter().find(|(setting, _)| *setting == denied);
            let (setting, value) = known.unwrap_or_else(|| {
                panic!("add {denied} to SETTINGS in tests/docs/promises.rs, with a value to try")
            });
            !setting_is_refused(setting, value)
        } else if denied == "make bench" {
            files("benches").iter().any(|file| has_ending(file, "rs"))
        } else {
            root().join(&denied).exists()
        };
        if is_there {
            trouble.push(format!(
                "README.md, Not yet: `{denied}` is there; delete it from the list, and say above \
                 what it does"
            ));
        }
    }
    expect_none(&trouble);
}

#[test]
fn every_command_is_tried() {
    let help = Command::new(env!("CARGO_BIN_EXE_aws-root-exporter"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.split("\nCommands:\n").nth(1).unwrap();
    let mut trouble = Vec::new();
    let names = listed.lines().take_while(|line| line.starts_with("  "));
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        // The daemon itself, and what only prints what clap knows.
        let needs_none = matches!(name, "serve" | "completions" | "man");
        let is_tried = COMMANDS
            .iter()
            .any(|command| command.split([' ', '|']).next() == Some(name));
        if !needs_none && !is_tried {
            trouble.push(format!(
                "add \"{name}\", with what it needs, to COMMANDS in tests/docs/promises.rs"
            ));
        }
    }
    expect_none(&trouble);
}

#[test]
fn the_settings_that_need_a_restart_are_those_a_reload_refuses() {
    let source = read("src/cli/reload.rs");
    let function = source.split("fn fixed_settings(").nth(1).unwrap();
    let function = function.split("\n}\n").next().unwrap();
    let quoted = Regex::new(r#""([a-z]+\.[a-z_]+)""#).unwrap();
    let fixed: Vec<&str> = quoted
        .captures_iter(function)
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    assert!(fixed.len() > 5, "{fixed:?}");
    let readme = page("README.md");
    let paragraph = readme
        .text
        .split("\n\n")
        .find_map(|paragraph| paragraph.split("need a restart").nth(1))
        .expect("README.md says which settings need a restart");
    assert_eq!(
        spans(paragraph),
        fixed,
        "README.md must name the settings that need a restart as fixed_settings in \
         src/cli/reload.rs has them"
    );
}

#[test]
fn every_target_of_make_exists() {
    let makefile = read("Makefile");
    let call = Regex::new(r"(?m)^(?:\$ )?make ([a-z-]+)").unwrap();
    let mut count = 0;
    let mut trouble = Vec::new();
    for page in pages() {
        for found in page.code().flat_map(|code| call.captures_iter(code)) {
            count += 1;
            if !makefile.contains(&format!("\n{}: ", &found[1]))
                && !makefile.contains(&format!("\n{}:\n", &found[1]))
            {
                trouble.push(format!(
                    "{}: Makefile has no target {}",
                    page.path, &found[1]
                ));
            }
        }
    }
    expect_none(&trouble);
    assert!(count > 2, "only {count} calls of make were found");
}

#[test]
fn the_readme_begins_with_the_demo_and_is_read_in_five_minutes() {
    let readme = page("README.md");
    let mut commands = readme.blocks.iter().filter(|block| block.language == "sh");
    let mut next = || commands.next().unwrap().text.trim().to_owned();
    assert_eq!(next(), "cargo run --release -- demo");
    assert_eq!(next(), "curl localhost:10057/metrics");
    let lines = readme.text.lines().count();
    assert!(
        lines <= 300,
        "README.md has {lines} lines; move details to docs/"
    );
}
