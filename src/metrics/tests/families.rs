//! The series that each family exposes.

use std::sync::Arc;
use std::time::Duration;

use super::build::{
    MOMENT, account, at, everything, excepted, fine, labelled, metric, rendered, report, rich,
    rich_account, snapshot, user_counts,
};
use exporter_toolkit::Format;

use crate::account::Details;
use crate::metrics::Options;
use crate::views::{AccountView, CallKey, Exporter, ReportView, Snapshot, SourceView, UserDetail};
use root_posture::Moment;
use root_posture::Source;
use root_posture::report::{KeySlot, RootRow};

/// The series of one family, as lines.
fn series(snapshot: &Snapshot, family: &str) -> Vec<String> {
    rendered(snapshot, &everything(), Format::Text)
        .lines()
        .filter(|line| {
            line.strip_prefix(family)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        })
        .map(str::to_owned)
        .collect()
}

fn with_report(report: ReportView) -> Snapshot {
    snapshot(vec![AccountView {
        report: Some(Arc::new(report)),
        ..account("000000000001", "")
    }])
}

#[test]
fn of_an_account_of_which_nothing_is_known_only_its_name_and_interval_are_exposed() {
    let text = rendered(
        &snapshot(vec![account("000000000001", "")]),
        &everything(),
        Format::Text,
    );
    let of_it: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("000000000001"))
        .collect();
    assert_eq!(
        of_it,
        [
            r#"aws_account_info{account="000000000001",account_name="",partition="aws"} 1"#,
            r#"aws_account_poll_interval_seconds{account="000000000001"} 0.0"#,
        ]
    );
}

#[test]
fn each_value_has_its_own_family() {
    let mut view = account("000000000001", "");
    view.posture.keys_active = Some(metric(0, Source::RootSession));
    view.posture.keys_present = Some(metric(1, Source::RootSession));
    view.posture.certificates_active = Some(metric(2, Source::RootSession));
    let snapshot_of_counts = snapshot(vec![view]);
    let value = |snapshot: &Snapshot, family: &str| {
        let [line] = series(snapshot, family).try_into().unwrap();
        line.rsplit_once(' ').unwrap().1.to_owned()
    };
    assert_eq!(
        value(&snapshot_of_counts, "aws_root_access_keys_active"),
        "0"
    );
    assert_eq!(
        value(&snapshot_of_counts, "aws_root_access_keys_present"),
        "1"
    );
    assert_eq!(
        value(&snapshot_of_counts, "aws_root_signing_certificates_active"),
        "2"
    );

    for (mfa, password) in [(0, 1), (1, 0)] {
        let mut view = account("000000000001", "");
        view.posture.mfa_enabled = Some(metric(mfa, Source::RootSession));
        view.posture.password_enabled = Some(metric(password, Source::RootSession));
        let snapshot = snapshot(vec![view]);
        assert_eq!(value(&snapshot, "aws_root_mfa_enabled"), mfa.to_string());
        assert_eq!(
            value(&snapshot, "aws_root_password_enabled"),
            password.to_string()
        );
    }
}

#[test]
fn accepted_keys_are_exported_where_an_exception_is_in_force_and_the_number_of_keys_is_known() {
    let accepted = |view| series(&snapshot(vec![view]), "aws_root_access_keys_accepted");
    let one = |mut view: AccountView| {
        view.posture.keys_active = Some(metric(1, Source::CredentialReport));
        view.posture.keys_present = Some(metric(1, Source::CredentialReport));
        view
    };
    let listed = |mut view: AccountView| {
        let mut root = RootRow::default();
        root.access_keys[0].active = true;
        view.report = Some(Arc::new(report(Some(root))));
        view.posture.keys_by = Some(Source::CredentialReport);
        view
    };
    let line = |value| format!("aws_root_access_keys_accepted{{account=\"000000000001\"}} {value}");
    let account = || account("000000000001", "");
    assert!(accepted(listed(one(account()))).is_empty(), "no exception");
    assert!(accepted(excepted(account())).is_empty(), "unknown");
    assert_eq!(accepted(excepted(one(account()))), [line(0)], "uncounted");
    assert_eq!(accepted(listed(excepted(one(account())))), [line(1)]);
    let mut ended = listed(excepted(one(account())));
    let exceptions = &mut Arc::make_mut(&mut ended.account).exceptions;
    Arc::make_mut(exceptions)[0].until = time::Date::MIN;
    assert!(accepted(ended).is_empty(), "it has ended");
}

#[test]
fn the_details_of_an_organization_are_in_no_metric() {
    let mut view = rich_account("000000000001");
    Arc::make_mut(&mut view.account).details = Arc::new(Details {
        email: Some("aws@example.com".to_owned()),
        ou: Some("Root/Workloads".to_owned()),
    });
    let text = rendered(&snapshot(vec![view]), &everything(), Format::Text);
    assert!(!text.contains("@example.com") && !text.contains("Workloads"));
}

#[test]
fn a_fine_value_is_gone_from_the_moment_it_expires_and_an_alarming_one_stays() {
    let mut view = account("000000000001", "");
    view.posture.keys_active = Some(fine(0, MOMENT));
    view.posture.mfa_enabled = Some(metric(0, Source::CredentialReport));
    view.posture.keys_present = Some(metric(1, Source::CredentialReport));
    let expired = snapshot(vec![view.clone()]);
    assert!(series(&expired, "aws_root_access_keys_active").is_empty());
    assert_eq!(series(&expired, "aws_root_mfa_enabled").len(), 1);
    assert_eq!(series(&expired, "aws_root_access_keys_present").len(), 1);

    view.posture.keys_active = Some(fine(0, MOMENT + Duration::from_millis(1)));
    assert_eq!(
        series(&snapshot(vec![view]), "aws_root_access_keys_active"),
        [r#"aws_root_access_keys_active{account="000000000001"} 0"#]
    );
}

#[test]
fn evidence_is_named_only_beside_the_value_it_supports() {
    let mut view = account("000000000001", "");
    view.posture.keys_active = Some(fine(0, MOMENT + Duration::from_secs(1)));
    let shown = snapshot(vec![view.clone()]);
    let observed = "aws_root_access_keys_observed_timestamp_seconds";
    let evidence = "aws_root_access_keys_evidence_info";
    assert_eq!(
        series(&shown, observed),
        [format!(
            r#"{observed}{{account="000000000001"}} 1799999990"#
        )]
    );
    assert_eq!(
        series(&shown, evidence),
        [format!(
            r#"{evidence}{{account="000000000001",source="account_summary"}} 1"#
        )]
    );

    view.posture.keys_active = Some(fine(0, MOMENT));
    let expired = snapshot(vec![view]);
    assert!(series(&expired, observed).is_empty());
    assert!(series(&expired, evidence).is_empty());
}

#[test]
fn both_slots_are_exported_whenever_there_is_a_root_row() {
    let family = "aws_root_access_key_slot_active";
    let root = RootRow {
        access_keys: [
            KeySlot::default(),
            KeySlot {
                active: true,
                ..KeySlot::default()
            },
        ],
        ..RootRow::default()
    };
    assert_eq!(
        series(&with_report(report(Some(root))), family),
        [
            format!(r#"{family}{{account="000000000001",key="1"}} 0"#),
            format!(r#"{family}{{account="000000000001",key="2"}} 1"#),
        ]
    );
    assert!(series(&with_report(report(None)), family).is_empty());
}

#[test]
fn the_place_of_a_last_use_is_exported_when_either_part_is_known() {
    let family = "aws_root_access_key_last_used_info";
    let root = |region: Option<&str>, service: Option<&str>| {
        let key = KeySlot {
            active: true,
            last_used_region: region.map(str::to_owned),
            last_used_service: service.map(str::to_owned),
            ..KeySlot::default()
        };
        with_report(report(Some(RootRow {
            access_keys: [key, KeySlot::default()],
            ..RootRow::default()
        })))
    };
    let line = |region, service| {
        format!(
            r#"{family}{{account="000000000001",key="1",aws_region="{region}",aws_service="{service}"}} 1"#
        )
    };
    assert_eq!(series(&root(None, Some("iam")), family), [line("", "iam")]);
    assert_eq!(
        series(&root(Some("us-east-1"), None), family),
        [line("us-east-1", "")]
    );
    assert!(series(&root(None, None), family).is_empty());
}

#[test]
fn times_that_aws_does_not_report_are_absent() {
    let known = RootRow {
        password_last_used: Some(at(1_700_000_000)),
        ..RootRow::default()
    };
    let snapshot = with_report(report(Some(known)));
    assert_eq!(
        series(&snapshot, "aws_root_password_last_used_timestamp_seconds"),
        [r#"aws_root_password_last_used_timestamp_seconds{account="000000000001"} 1700000000"#]
    );
    for family in [
        "aws_root_password_last_changed_timestamp_seconds",
        "aws_root_access_key_last_rotated_timestamp_seconds",
        "aws_root_access_key_last_used_timestamp_seconds",
    ] {
        assert!(series(&snapshot, family).is_empty(), "{family}");
    }
}

#[test]
fn every_account_has_the_same_labels_whoever_has_them() {
    let snapshot = snapshot(vec![
        labelled(
            "000000000001",
            &[("team", "payments"), ("cost-centre", "7")],
        ),
        labelled("000000000002", &[("cost_centre", "8")]),
    ]);
    let line = |id, centre, team| {
        format!(
            "aws_account_info{{account=\"{id}\",account_name=\"\",partition=\"aws\",\
             label_cost_centre=\"{centre}\",label_team=\"{team}\"}} 1"
        )
    };
    assert_eq!(
        series(&snapshot, "aws_account_info"),
        [
            line("000000000001", "7", "payments"),
            line("000000000002", "8", "")
        ]
    );
}

#[test]
fn a_source_is_up_or_down_only_once_it_was_tried() {
    let mut untried = account("000000000001", "");
    untried.sources = [SourceView::new(Source::AccountSummary)].into();
    let untried = snapshot(vec![untried]);
    assert!(series(&untried, "aws_account_up").is_empty());
    assert!(series(&untried, "aws_account_last_success_timestamp_seconds").is_empty());

    let tried = snapshot(vec![rich_account("000000000001")]);
    let labels = r#"account="000000000001",source="credential_report""#;
    assert_eq!(
        series(&tried, "aws_account_up"),
        [format!("aws_account_up{{{labels}}} 0")]
    );
    assert_eq!(
        series(&tried, "aws_account_refresh_failures_total"),
        [format!(
            r#"aws_account_refresh_failures_total{{{labels},reason="throttled"}} 1"#
        )]
    );
}

#[test]
fn accounts_are_counted_once_their_list_is_known() {
    assert!(series(&snapshot(Vec::new()), "aws_accounts").is_empty());
    assert_eq!(
        series(&rich(), "aws_accounts"),
        [
            r#"aws_accounts{state="monitored"} 1"#,
            r#"aws_accounts{state="excluded"} 2"#,
            r#"aws_accounts{state="inactive"} 3"#,
        ]
    );
}

#[test]
fn users_in_numbers_are_counted_by_each_number_of_days() {
    let snapshot = with_report(ReportView {
        users: user_counts(),
        ..report(None)
    });
    let lines = |family: &str, counted: &[(u32, u32)]| {
        let line = |(days, count): &(u32, u32)| {
            format!(r#"{family}{{account="000000000001",days="{days}"}} {count}"#)
        };
        counted.iter().map(line).collect::<Vec<_>>()
    };
    let older = "aws_iam_user_access_keys_active_older_than";
    assert_eq!(series(&snapshot, older), lines(older, &[(90, 2), (365, 1)]));
    let unused = "aws_iam_user_credentials_unused_for";
    assert_eq!(series(&snapshot, unused), lines(unused, &[(45, 2)]));
    for (family, count) in [
        ("aws_iam_users", 3),
        ("aws_iam_users_password_enabled", 2),
        ("aws_iam_users_password_enabled_without_mfa", 1),
        ("aws_iam_user_access_keys_active", 3),
        ("aws_iam_user_signing_certificates_active", 4),
    ] {
        assert_eq!(
            series(&snapshot, family),
            [format!(r#"{family}{{account="000000000001"}} {count}"#)]
        );
    }
}

#[test]
fn a_number_of_days_that_is_configured_twice_is_exposed_once() {
    let options = Options {
        key_age_days: vec![90, 30, 90],
        ..everything()
    };
    let text = rendered(&rich(), &options, Format::Text);
    let days: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("aws_iam_user_access_keys_active_older_than{"))
        .map(|line| line.split('"').nth(3).unwrap())
        .collect();
    assert_eq!(days, ["30", "90"]);
}

#[test]
fn the_external_url_is_exported_where_it_is_set() {
    let family = "aws_root_exporter_external_url_info";
    let text = rendered(&rich(), &everything(), Format::Text);
    let line = format!("{family}{{url=\"https://exporter.example.com\"}} 1");
    assert!(text.lines().any(|it| it == line), "{text}");
    let text = rendered(&rich(), &Options::default(), Format::Text);
    assert!(!text.contains(family), "{text}");
}

#[test]
fn users_in_numbers_are_off_unless_asked_for() {
    let text = rendered(
        &with_report(report(None)),
        &Options::default(),
        Format::Text,
    );
    assert!(!text.contains("aws_iam_"), "{text}");
}

#[test]
fn dropped_detail_is_reported_and_holds_no_user() {
    let dropped = |detail| {
        let snapshot = with_report(ReportView {
            detail,
            ..report(None)
        });
        series(&snapshot, "aws_root_exporter_user_detail_dropped")
    };
    let line = |value| {
        format!(r#"aws_root_exporter_user_detail_dropped{{account="000000000001"}} {value}"#)
    };
    assert_eq!(dropped(UserDetail::Dropped), [line(1)]);
    assert_eq!(dropped(UserDetail::Kept(Vec::new())), [line(0)]);
    assert!(dropped(UserDetail::Off).is_empty());
}

#[test]
fn users_by_name_are_exported_slot_by_slot() {
    let family = "aws_iam_user_access_key_active";
    let line = |key, value| {
        format!(r#"{family}{{account="000000000001",user="ada",key="{key}"}} {value}"#)
    };
    assert_eq!(series(&rich(), family), [line(1, 1), line(2, 0)]);
    let used = "aws_iam_user_access_key_last_used_timestamp_seconds";
    assert_eq!(
        series(&rich(), used),
        [format!(
            r#"{used}{{account="000000000001",user="ada",key="1"}} 1700000500"#
        )]
    );
}

#[test]
fn the_histogram_counts_by_its_bounds() {
    use crate::views::CALL_BUCKETS;
    let call = CallKey {
        service: "sts",
        operation: "AssumeRole",
    };
    let bounds = CALL_BUCKETS.into_iter().filter(|bound| bound.is_finite());
    for (index, bound) in bounds.enumerate() {
        let exporter = Exporter::default();
        exporter.called(call, Ok(()), Duration::from_secs_f64(bound));
        exporter.called(call, Ok(()), Duration::from_secs_f64(bound + 0.001));
        let counted = &exporter.view(Moment::default()).calls[&call];
        assert_eq!(counted.buckets[index], 1, "up to {bound} s");
        assert_eq!(counted.buckets[index + 1], 1, "beyond {bound} s");
    }
}

#[test]
fn unknown_values_of_the_exporter_are_absent() {
    let nothing = snapshot(Vec::new());
    assert_eq!(nothing.exporter.reload.last_success, None);
    for family in [
        "aws_root_exporter_clock_skew_seconds",
        "aws_root_exporter_config_last_reload_success_timestamp_seconds",
        "aws_root_exporter_discovery_up",
        "aws_root_exporter_discovery_last_success_timestamp_seconds",
        "aws_root_exporter_state_last_save_successful",
        "aws_root_exporter_state_last_save_timestamp_seconds",
    ] {
        assert!(series(&nothing, family).is_empty(), "{family}");
        assert_eq!(series(&rich(), family).len(), 1, "{family}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_is_reported_in_seconds_and_bytes() {
    let value = |family: &str| -> f64 {
        let [line] = series(&rich(), family).try_into().unwrap();
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let started = value("process_start_time_seconds");
    assert!(started > 1.6e9, "a Unix time: {started}");
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
    assert!(value("process_open_fds") >= 3.0);
    assert!(value("process_max_fds") >= value("process_open_fds"));
    assert!(value("process_threads") >= 1.0);
}
