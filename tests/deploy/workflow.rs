//! The workflow of a release: it calls targets of the Makefile, and actions by their commit, and does
//! nothing else.

use std::fs;
use std::process::Command;

use test_support::program::{succeed_silently, venv, yaml};
use test_support::repository;

const WORKFLOW: &str = ".github/workflows/release.yml";

#[test]
fn actionlint_finds_nothing() {
    succeed_silently(Command::new(venv("actionlint")).arg(repository(WORKFLOW)));
}

#[test]
fn it_calls_make_and_pinned_actions_and_nothing_else() {
    let makefile = fs::read_to_string(repository("Makefile")).unwrap();
    let workflow = yaml([repository(WORKFLOW)]).remove(0);
    let mut targets = Vec::new();
    for job in workflow["jobs"].as_object().unwrap().values() {
        for step in job["steps"].as_array().unwrap() {
            if let Some(action) = step["uses"].as_str() {
                let (_, commit) = action.split_once('@').unwrap();
                let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
                assert!(is_commit, "{action} is not pinned to a commit");
                continue;
            }
            let run = step["run"].as_str().unwrap();
            let target = run.strip_prefix("make ").unwrap_or_else(|| panic!("{run}"));
            assert!(makefile.contains(&format!("\n{target}: ")), "{run}");
            targets.push(target);
        }
    }
    assert_eq!(targets, ["dist", "dist-test"]);
    assert_eq!(
        workflow["permissions"],
        serde_json::json!({ "contents": "read" })
    );
}
