//! Files that the repository has twice: a published crate and a chart contain only what is in their own
//! folder, and a link is lost where a repository is unpacked without links, as on Windows.

use test_support::check_document;

use crate::markdown::read;

/// Each copy, and the file that a person changes.
const COPIES: [(&str, &str); 5] = [
    ("crates/exporter-toolkit/LICENSE", "LICENSE"),
    ("crates/root-posture/LICENSE", "LICENSE"),
    (
        "deploy/helm/aws-root-exporter/files/aws-iam-users.rules.yml",
        "deploy/prometheus/aws-iam-users.rules.yml",
    ),
    (
        "deploy/helm/aws-root-exporter/files/aws-root-exporter.json",
        "grafana/aws-root-exporter.json",
    ),
    (
        "deploy/helm/aws-root-exporter/files/aws-root-exporter.rules.yml",
        "deploy/prometheus/aws-root-exporter.rules.yml",
    ),
];

#[test]
fn every_copy_is_the_file_itself() {
    for (copy, file) in COPIES {
        check_document(copy, &read(file), "cargo test --test docs copies");
    }
}
