//! The queries of the dashboard use only metrics and labels that the exporter has.

use aws_root_exporter::metrics::{self, Family, MetricType};

use crate::dashboard::Dashboard;
use crate::promql;

/// The labels that Prometheus adds to every sample.
const ADDED: [&str; 2] = ["instance", "job"];

/// The family that a series belongs to.
pub fn family(series: &str) -> Option<&'static Family> {
    metrics::catalogue().find(|family| {
        let suffix = series.strip_prefix(family.name);
        match family.kind {
            MetricType::Histogram => matches!(suffix, Some("_bucket" | "_count" | "_sum")),
            _ => suffix == Some(""),
        }
    })
}

#[test]
fn every_metric_and_every_label_is_in_the_catalogue() {
    let dashboard = Dashboard::read();
    for (panel, target) in dashboard.targets() {
        let uses = promql::uses(&target.expr).unwrap();
        assert!(!uses.is_empty(), "{} {}", panel.title, target.ref_id);
        for used in uses {
            let family = family(used.name())
                .unwrap_or_else(|| panic!("{}: the exporter has no {}", panel.title, used.name()));
            for label in used.labels() {
                assert!(
                    ADDED.contains(&label) || family.labels.contains(&label),
                    "{}: {} has no label {label}",
                    panel.title,
                    family.name
                );
            }
        }
    }
}

#[test]
fn every_important_metric_is_on_the_dashboard() {
    let dashboard = Dashboard::read();
    let shown: Vec<String> = dashboard
        .targets()
        .flat_map(|(_, target)| promql::uses(&target.expr).unwrap())
        .map(|used| used.name().to_owned())
        .collect();
    for name in [
        "aws_root_access_keys_active",
        "aws_root_access_keys_present",
        "aws_root_access_key_last_used_timestamp_seconds",
        "aws_root_access_key_last_used_info",
        "aws_root_mfa_enabled",
        "aws_root_password_enabled",
        "aws_root_password_last_used_timestamp_seconds",
        "aws_root_signing_certificates_active",
        "aws_root_access_keys_observed_timestamp_seconds",
        "aws_account_up",
        "aws_account_refresh_failures_total",
        "aws_credential_report_generated_timestamp_seconds",
        "aws_root_activity_last_timestamp_seconds",
        "aws_account_push_up",
        "aws_account_poll_interval_seconds",
        "aws_root_exporter_events_up",
        "aws_root_exporter_events_total",
        "aws_root_exporter_event_delay_seconds_bucket",
        "aws_root_exporter_aws_requests_total",
        "aws_root_exporter_refresh_lag_seconds",
    ] {
        assert!(
            shown.iter().any(|series| series == name),
            "{name} is not shown"
        );
    }
}

#[test]
fn a_histogram_has_buckets_count_and_sum_only() {
    let name = "aws_root_exporter_aws_request_duration_seconds";
    assert!(family(name).is_none());
    assert!(family(&format!("{name}_bucket")).is_some());
    assert!(family("aws_root_access_keys_active").is_some());
    assert!(family("aws_root_access_keys_active_total").is_none());
}
