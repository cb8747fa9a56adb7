//! The CloudTrail events in `tests/deploy/events`, as `EventBridge` delivers them.

use std::collections::BTreeSet;
use std::fs;

use crate::repository;

const FOLDER: &str = "tests/deploy/events";

/// The events that no rule sends on: they stay in the account.
pub const NOT_SENT: [&str; 20] = [
    "custom-source-create-access-key",
    "ec2-instance-state-change",
    "exporter-get-credential-report",
    "role-assume-root",
    "role-get-account-summary",
    "role-put-role-policy",
    "role-s3-get-object",
    "root-session-get-access-key-last-used",
    "root-session-get-login-profile",
    "root-session-list-access-keys",
    "root-session-list-mfa-devices",
    "root-session-list-signing-certificates",
    "rule-list-rules",
    "rule-put-rule-other",
    "rule-remove-targets-other",
    "service-rotate-key",
    "trail-describe-trails",
    "trail-start-logging",
    "user-console-login",
    "user-create-access-key",
];

/// The names of all, which are those of their files.
pub fn names() -> BTreeSet<String> {
    let files = fs::read_dir(repository(FOLDER)).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// One of them, as JSON.
pub fn text(name: &str) -> String {
    let path = repository(FOLDER).join(name).with_extension("json");
    fs::read_to_string(path).unwrap()
}
