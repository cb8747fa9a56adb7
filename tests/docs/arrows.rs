//! The invariants of `ARCHITECTURE.md` that the compiler does not keep.

use crate::markdown::expect_none;
use crate::source::{self, Module};

/// What these modules do against a rule.
fn against(
    rule: &str,
    concerns: impl Fn(&Module) -> bool,
    breaks: impl Fn(&Module) -> Vec<String>,
) {
    let modules = source::modules();
    let concerned: Vec<&Module> = modules.iter().filter(|module| concerns(module)).collect();
    assert!(!concerned.is_empty(), "no file is covered by: {rule}");
    let trouble: Vec<String> = concerned
        .into_iter()
        .flat_map(|module| {
            breaks(module)
                .into_iter()
                .map(|what| format!("{}: {what}: {rule}", module.file))
        })
        .collect();
    expect_none(&trouble);
}

fn uses(module: &Module, forbidden: &[&str]) -> Vec<String> {
    let used = forbidden.iter().filter(|top| module.uses_top(top));
    used.map(|top| format!("uses {top}")).collect()
}

#[test]
fn only_the_commands_wire_the_modules() {
    against(
        "only cli wires modules together; move what is shared to where both may use it",
        |module| module.root == "src" && module.top() != "cli",
        |module| {
            let mut found = uses(module, &["cli"]);
            found.extend(foreign(module, &["aws_simulator"]));
            found
        },
    );
}

#[test]
fn what_is_shown_knows_nothing_of_aws() {
    against(
        "metrics and pages show views, whichever source a value is from",
        |module| {
            matches!(
                module.top(),
                "advice" | "metrics" | "pages" | "site" | "views"
            )
        },
        |module| {
            let mut found = uses(module, &["aws", "schedule", "discovery"]);
            found.extend(foreign(module, &["aws_config", "aws_sdk_"]));
            found
        },
    );
}

/// Crates that the module names, by the beginnings of their names.
fn foreign(module: &Module, crates: &[&str]) -> Vec<String> {
    module
        .paths
        .iter()
        .filter(|path| crates.iter().any(|name| path[0].starts_with(name)))
        .map(|path| format!("names {}", path.join("::")))
        .collect()
}

#[test]
fn time_comes_in_through_the_clock() {
    against(
        "ask crate::clock::Clock, which tests can move",
        |module| module.root == "src" && module.top() != "clock",
        |module| {
            let clocks = ["SystemTime", "Instant", "OffsetDateTime", "UtcDateTime"];
            clocks
                .into_iter()
                .filter(|clock| module.names(&[clock, "now"]) || module.names(&[clock, "now_utc"]))
                .map(|clock| format!("reads {clock}"))
                .collect()
        },
    );
}

/// How the names of IAM's, STS' and Organizations' operations begin that change something.
const CHANGES: [&str; 17] = [
    "add",
    "attach",
    "change",
    "close",
    "create",
    "deactivate",
    "delete",
    "detach",
    "disable",
    "enable",
    "leave",
    "move",
    "put",
    "remove",
    "reset",
    "update",
    "upload",
];

/// The one file with calls that delete.
const DELETES: &str = "src/aws/delete.rs";

/// The one file that may use it: a command that a person runs.
const REMEDIATES: &str = "src/cli/remediate.rs";

#[test]
fn the_daemon_has_no_call_that_changes_anything() {
    against(
        "the daemon only reads; what a person may delete stands in src/aws/delete.rs",
        |module| module.file != DELETES,
        |module| {
            let mut found = Vec::new();
            let sdk = module
                .paths
                .iter()
                .filter(|path| path[0].starts_with("aws_sdk_"));
            for segment in sdk.flatten() {
                if changes(segment, '_') {
                    found.push(format!("names {segment}"));
                }
            }
            // Only this module calls the SDK; elsewhere a method may be called `remove_node`.
            if module.top() == "aws" {
                let calls = module.calls.iter().filter(|call| changes(call, '_'));
                found.extend(calls.map(|call| format!("calls {call}")));
                let operations = module
                    .texts
                    .iter()
                    .filter(|text| is_changing_operation(text));
                found.extend(operations.map(|text| format!("calls {text}")));
            }
            found
        },
    );
}

#[test]
fn only_aws_calls_the_sdk() {
    against(
        "calls to AWS are aws' alone, which counts, times and classes them",
        |module| module.top() != "aws",
        |module| foreign(module, &["aws_sdk_", "aws_config"]),
    );
}

#[test]
fn only_the_remediation_may_delete() {
    against(
        "only remediate, which a person runs, may use what deletes",
        |module| module.file != REMEDIATES && module.file != DELETES,
        |module| {
            let named = module.paths.iter().filter(|path| {
                path.starts_with(&["crate", "aws", "delete"].map(str::to_owned))
                    || module.top() == "aws" && path[0] == "delete"
            });
            named
                .map(|path| format!("names {}", path.join("::")))
                .collect()
        },
    );
    let modules = source::modules();
    let find = |file| modules.iter().find(|module| module.file == file).unwrap();
    assert!(
        find(DELETES).calls.contains("delete_access_key"),
        "{DELETES} deletes no key"
    );
    assert!(
        find(REMEDIATES).names(&["aws", "delete"]),
        "{REMEDIATES} does not use it"
    );
}

fn changes(name: &str, after: char) -> bool {
    CHANGES.iter().any(|verb| {
        name.strip_prefix(verb)
            .is_some_and(|rest| rest.starts_with(after))
    })
}

/// An operation's name as AWS writes it: `DeleteAccessKey`.
fn is_changing_operation(text: &str) -> bool {
    let mut words = String::new();
    for char in text.chars() {
        if !char.is_ascii_alphabetic() {
            return false;
        }
        if char.is_ascii_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.push(char.to_ascii_lowercase());
    }
    text.starts_with(|first: char| first.is_ascii_uppercase()) && changes(&words, '_')
}

#[test]
fn a_changing_operation_is_told_from_a_reading_one() {
    for operation in [
        "DeleteAccessKey",
        "DeactivateMFADevice",
        "CreateLoginProfile",
    ] {
        assert!(is_changing_operation(operation), "{operation}");
    }
    for text in [
        "ListAccessKeys",
        "GetAccountSummary",
        "AssumeRoot",
        "Deleted",
        "delete",
    ] {
        assert!(!is_changing_operation(text), "{text}");
    }
}
