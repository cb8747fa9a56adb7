//! The invariants of `ARCHITECTURE.md` that the compiler does not enforce.

use crate::markdown::expect_none;
use crate::source::{self, Module};

/// Fails if any of these modules breaks the rule.
fn enforce(
    rule: &str,
    concerns: impl Fn(&Module) -> bool,
    breaks: impl Fn(&Module) -> Vec<String>,
) {
    let modules = source::modules();
    let concerned: Vec<&Module> = modules.iter().filter(|module| concerns(module)).collect();
    assert!(!concerned.is_empty(), "the rule covers no file: {rule}");
    let problems: Vec<String> = concerned
        .into_iter()
        .flat_map(|module| {
            breaks(module)
                .into_iter()
                .map(|what| format!("{}: {what}: {rule}", module.file))
        })
        .collect();
    expect_none(&problems);
}

fn uses(module: &Module, forbidden: &[&str]) -> Vec<String> {
    let used = forbidden.iter().filter(|top| module.uses_top(top));
    used.map(|top| format!("uses {top}")).collect()
}

#[test]
fn only_cli_wires_the_modules() {
    enforce(
        "only cli wires modules together; move shared code to a module that both may use",
        |module| module.root == "src" && module.top() != "cli",
        |module| {
            let mut found = uses(module, &["cli"]);
            found.extend(foreign(module, &["aws_simulator"]));
            found
        },
    );
}

#[test]
fn metrics_and_pages_do_not_depend_on_aws() {
    enforce(
        "metrics and pages are made of views only",
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

/// The paths of the module into crates whose names begin so.
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
    enforce(
        "read the time from crate::clock::Clock, which tests can set",
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

/// The verbs with which the names of operations of IAM, STS and Organizations begin that change
/// something.
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

/// Reads the queue of events. A message that was handled is deleted: that is how a queue is read.
const READS_QUEUE: &str = "src/aws/queue.rs";

/// The only file with calls that delete anything of an account.
const DELETES: &str = "src/aws/delete.rs";

/// The only file that may use it: a command that a person runs.
const REMEDIATES: &str = "src/cli/remediate.rs";

#[test]
fn the_daemon_has_no_call_that_changes_anything() {
    enforce(
        "the daemon only reads; calls that delete are in src/aws/delete.rs",
        |module| module.file != DELETES && module.file != READS_QUEUE,
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
            // Only this module calls the SDK; in others a method may have a name such as `remove_node`.
            if module.top() == "aws" {
                // An HTTP request's own method, which sends nothing.
                let calls = module.calls.iter().filter(|call| *call != "add_extension");
                let calls = calls.filter(|call| changes(call, '_'));
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
    enforce(
        "only aws calls AWS; it counts, times and classifies the calls",
        |module| module.top() != "aws",
        |module| foreign(module, &["aws_sdk_", "aws_config"]),
    );
}

#[test]
fn only_the_remediation_may_delete() {
    enforce(
        "only remediate, which a person runs, may delete",
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

/// Whether the text is the name of an operation that changes something, such as `DeleteAccessKey`.
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
fn changing_operations_are_recognized() {
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
