//! Shared by the tests of this folder.

use serde_json::Value;
use test_support::{program, repository};

/// The rules about root users and the exporter, and those about IAM users.
pub const RULES: [&str; 2] = [
    "deploy/prometheus/aws-root-exporter.rules.yml",
    "deploy/prometheus/aws-iam-users.rules.yml",
];

/// A YAML file with one document.
pub fn yaml(path: &str) -> Value {
    program::yaml([repository(path)]).remove(0)
}
