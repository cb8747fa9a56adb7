//! The bytes: exact texts of both formats, escaping.

use std::collections::BTreeMap;
use std::sync::Arc;

use exporter_toolkit::Format;
use proptest::prelude::*;

use super::build::{account, everything, metric, rendered, rich, snapshot};
use super::parse::parse;
use crate::metrics::Options;
use crate::views::{AccountView, Snapshot};
use root_posture::Source;

/// The lines from the head of one family to that of the next.
fn family(text: &str, name: &str) -> String {
    let head = format!("# HELP {name} ");
    let start = text.find(&head).unwrap();
    let rest = &text[start + head.len()..];
    let end = rest.find("# HELP ").unwrap_or(rest.len());
    text[start..start + head.len() + end].to_owned()
}

fn two_accounts() -> Snapshot {
    let mut one = account("000000000012", "production");
    one.posture.keys_active = Some(metric(1, Source::AccountSummary));
    let mut two = account("111122223333", "");
    two.posture.keys_active = Some(metric(0, Source::CredentialReport));
    snapshot(vec![one, two])
}

#[test]
fn a_gauge_reads_the_same_in_both_formats() {
    for format in [Format::OpenMetrics, Format::Text] {
        let text = rendered(&two_accounts(), &Options::default(), format);
        let read = family(&text, "aws_root_access_keys_active");
        let (help, rest) = read.split_once('\n').unwrap();
        assert!(
            help.starts_with(
                "# HELP aws_root_access_keys_active Root access keys that are active (0, 1 or 2)"
            ),
            "{help}"
        );
        assert_eq!(
            rest,
            "# TYPE aws_root_access_keys_active gauge\n\
             aws_root_access_keys_active{account=\"000000000012\"} 1\n\
             aws_root_access_keys_active{account=\"111122223333\"} 0\n"
        );
    }
}

/// `everything.txt` is what a reader of the contract expects of the snapshot with everything. The
/// build's and the process's own values are left out: they differ from run to run.
#[test]
fn everything_reads_the_same_in_both_formats() {
    for format in [Format::OpenMetrics, Format::Text] {
        let text = rendered(&rich(), &everything(), format);
        let mut samples = String::new();
        for line in text.lines() {
            let varies = ["#", "process_", "aws_root_exporter_build_info"];
            if !varies.iter().any(|start| line.starts_with(start)) {
                samples.extend([line, "\n"]);
            }
        }
        assert_eq!(samples, include_str!("everything.txt"), "{format:?}");
    }
}

#[test]
fn openmetrics_states_units_and_names_a_counter_without_its_suffix() {
    let text = rendered(&rich(), &everything(), Format::OpenMetrics);
    assert_eq!(
        family(&text, "aws_account_refresh_failures"),
        "# HELP aws_account_refresh_failures Refreshes of this source that failed since the exporter started, by reason.\n\
         # TYPE aws_account_refresh_failures counter\n\
         aws_account_refresh_failures_total{account=\"000000000001\",source=\"credential_report\",reason=\"throttled\"} 1\n"
    );
    assert_eq!(
        family(&text, "aws_root_exporter_refresh_interval_seconds"),
        "# HELP aws_root_exporter_refresh_interval_seconds How often each account is polled, by the running configuration (refresh.interval).\n\
         # TYPE aws_root_exporter_refresh_interval_seconds gauge\n\
         # UNIT aws_root_exporter_refresh_interval_seconds seconds\n\
         aws_root_exporter_refresh_interval_seconds 60.0\n"
    );
    assert!(text.ends_with("\n# EOF\n"));
}

#[test]
fn the_text_format_names_a_counter_whole_and_knows_neither_units_nor_an_end() {
    let text = rendered(&rich(), &everything(), Format::Text);
    assert_eq!(
        family(&text, "aws_account_refresh_failures_total"),
        "# HELP aws_account_refresh_failures_total Refreshes of this source that failed since the exporter started, by reason.\n\
         # TYPE aws_account_refresh_failures_total counter\n\
         aws_account_refresh_failures_total{account=\"000000000001\",source=\"credential_report\",reason=\"throttled\"} 1\n"
    );
    assert_eq!(
        family(&text, "aws_root_exporter_shard_total"),
        "# HELP aws_root_exporter_shard_total How many shards there are, by the running configuration. A plain number, not a counter.\n\
         # TYPE aws_root_exporter_shard_total untyped\n\
         aws_root_exporter_shard_total 3\n"
    );
    assert!(!text.contains("# UNIT") && !text.contains("# EOF"));
}

#[test]
fn buckets_are_cumulative() {
    let text = rendered(&rich(), &everything(), Format::Text);
    let read = family(&text, "aws_root_exporter_aws_request_duration_seconds");
    let values: Vec<&str> = read
        .lines()
        .filter(|line| line.contains("_bucket{"))
        .map(|line| line.rsplit_once(' ').unwrap().1)
        .collect();
    assert_eq!(
        values,
        ["0", "1", "1", "1", "1", "1", "1", "1", "1", "1", "2"]
    );
    let labels = r#"aws_service="iam",operation="GetAccountSummary""#;
    let name = "aws_root_exporter_aws_request_duration_seconds";
    assert!(read.contains(&format!("{name}_count{{{labels}}} 2\n")));
    assert!(read.contains(&format!("{name}_sum{{{labels}}} 31.02\n")));
    assert!(read.contains(&format!("{name}_bucket{{le=\"0.025\",{labels}}} 1\n")));
    assert!(read.contains(&format!("{name}_bucket{{le=\"+Inf\",{labels}}} 2\n")));
}

#[test]
fn a_hostile_name_stays_inside_its_label() {
    let name = "a\"} 7\n# EOF\n# HELP x y\n\\n \u{1f511}\r";
    let snapshot = snapshot(vec![account("000000000001", name)]);
    for format in [Format::OpenMetrics, Format::Text] {
        let text = rendered(&snapshot, &Options::default(), format);
        assert!(text.contains(
            "account_name=\"a\\\"} 7\\n# EOF\\n# HELP x y\\n\\\\n \u{1f511}\r\",partition"
        ));
        let read = parse(&text, format);
        assert_eq!(read["aws_account_info"].samples[0].1["account_name"], name);
    }
}

fn any_value() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec!["\"", "\\", "\n", "\r", "# EOF", "{", "}", ",", "="]);
    prop::collection::vec(
        prop_oneof![
            special.prop_map(str::to_owned),
            any::<char>().prop_map(String::from)
        ],
        0..8,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn names_and_labels_are_read_back_as_they_were(
        accounts in prop::collection::btree_map(
            0..1_000_u64,
            (any_value(), prop::collection::btree_map("[a-z]{1,3}", any_value(), 0..3)),
            1..4,
        )
    ) {
        let view = |(id, (name, labels)): (&u64, &(String, BTreeMap<String, String>))| {
            let mut view: AccountView = account(&format!("{id:012}"), name);
            Arc::make_mut(&mut view.account).labels = Arc::new(labels.clone());
            view
        };
        let snapshot = snapshot(accounts.iter().map(view).collect());
        for format in [Format::OpenMetrics, Format::Text] {
            let text = rendered(&snapshot, &Options::default(), format);
            let read = parse(&text, format);
            let samples = &read["aws_account_info"].samples;
            prop_assert_eq!(samples.len(), accounts.len());
            for ((_, shown, _), (id, (name, labels))) in samples.iter().zip(&accounts) {
                prop_assert_eq!(&shown["account"], &format!("{id:012}"));
                prop_assert_eq!(&shown["account_name"], name);
                for (label, value) in labels {
                    prop_assert_eq!(&shown[&format!("label_{label}")], value);
                }
                let others = shown.iter().filter(|(label, value)| {
                    let own = label.strip_prefix("label_");
                    own.is_some_and(|own| !labels.contains_key(own)) && !value.is_empty()
                });
                prop_assert_eq!(others.count(), 0);
            }
        }
    }
}
