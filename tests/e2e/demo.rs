//! The demo: what it prints is true and can be pasted, and its accounts are in every state.

use std::env;
use std::process::Command;
use std::time::Duration;

use test_support::daemon::{ANY_PORT, Daemon, Launch, binary};
use test_support::eventually;

/// The account in which a key appears.
const TARGET: &str = "000000000002";

fn demo() -> Daemon {
    let demo = Launch::new(&["demo", ANY_PORT]).start();
    demo.wait_until_ready();
    demo
}

/// The lines below the one that ends so, as far as they are indented.
fn block(lines: &[String], head: &str) -> Vec<String> {
    let rest = lines
        .iter()
        .skip_while(|line| !line.ends_with(head))
        .skip(1);
    let block = rest.take_while(|line| line.starts_with("  "));
    block.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn what_it_prints_can_be_pasted() {
    let demo = demo();
    let lines = demo.process.lines();
    let page = format!("  page      http://{}/", demo.address);
    assert!(lines.contains(&page), "{lines:#?}");
    let commands = block(&lines, "the other commands on the same accounts:");
    assert_eq!(commands.len(), 5, "{commands:?}");
    let folder = binary().parent().unwrap().to_owned();
    let path = env::join_paths([folder, "/usr/bin".into(), "/bin".into()]).unwrap();
    let run = |script: &[String]| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script.join("\n")])
            .env_clear()
            .env("PATH", &path);
        let output = shell.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (settings, commands) = commands.split_at(3);
    let check = [settings, &commands[..1]].concat();
    let (code, text) = run(&check);
    assert!(code == Some(1) || code == Some(3), "{code:?}: {text}");
    assert!(text.contains("999000000011"), "{text}");
    let remediate = [settings, &commands[1..]].concat();
    let (code, text) = run(&remediate);
    assert!(code == Some(0), "{code:?}: {text}");
    assert!(text.contains(TARGET), "{text}");
}

#[test]
fn its_accounts_are_in_every_state() {
    let demo = demo();
    let has = |state: &str| {
        let page = demo.get(&format!("/?state={state}"), &[]);
        assert_eq!(page.status, 200);
        page.text()
            .contains("class=\"account\"")
            .then_some(())
            .ok_or_else(|| state.to_owned())
    };
    for state in ["unknown", "failing", "inactive", "no-mfa", "fine", "active"] {
        eventually(Duration::from_secs(120), || has(state));
    }
    let page = demo.get("/", &[]);
    assert!(page.text().contains("no root credentials in China"));
    assert!(
        page.text().contains("1 account is suspended"),
        "{}",
        page.text()
    );
}

#[test]
fn a_line_of_the_log_has_milliseconds_and_no_module() {
    let demo = demo();
    let finding = demo.process.wait_for("the line about the key", |line| {
        let is_it = line.contains("root finding") && line.contains(TARGET);
        (is_it && line.contains("root_access_keys_active")).then(|| line.to_owned())
    });
    assert!(finding.contains("name=payments-production"), "{finding}");
    let lines = demo.process.lines();
    let logged: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("ts="))
        .collect();
    assert!(!logged.is_empty());
    for line in logged {
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(time.len(), "ts=2026-11-29T10:06:10.690Z".len(), "{line}");
        assert!(time.ends_with('Z') && rest.starts_with("level="), "{line}");
        assert!(!line.contains("target="), "{line}");
    }
    // One event, one line.
    let about_keys = lines
        .iter()
        .filter(|line| line.contains("root finding") && line.contains(TARGET));
    assert_eq!(about_keys.count(), 1);
}
