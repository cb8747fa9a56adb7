//! The families of accounts: who they are, and how fresh and how healthy what is known of them is.

use super::family::{Family, Kind, Samples, Section, Stability, Unit};

/// What these families have in common.
const ACCOUNT: Family = Family {
    name: "",
    kind: Kind::Gauge,
    unit: None,
    help: "",
    labels: &["account"],
    stability: Stability::Stable,
    section: Section::Account,
    samples: Samples::PerAccount(|_, _| Ok(())),
};

pub(super) static FAMILIES: &[Family] = &[
    Family {
        name: "aws_account_info",
        help: "Always 1. Names an account that is watched, from the configuration or the organization's list, with its partition and one label_<name> for each configured label or tag.",
        labels: &["account", "account_name", "partition"],
        samples: Samples::PerAccount(|of, out| {
            let account = &of.view.account;
            let labels = [of.id, account.name.as_str(), account.partition().as_str()];
            out.gauge_with(labels, &of.info_labels(), 1)
        }),
        ..ACCOUNT
    },
    Family {
        name: "aws_credential_report_generated_timestamp_seconds",
        unit: Some(Unit::Seconds),
        help: "When AWS generated the credential report in use (its GeneratedTime), as a Unix timestamp. AWS renews a report at most once in 4 hours.",
        samples: Samples::PerAccount(|of, out| {
            out.time([of.id], of.report().map(|report| report.generated))
        }),
        ..ACCOUNT
    },
    Family {
        name: "aws_credential_report_rows_skipped",
        help: "Rows of IAM users that could not be read in the credential report in use, which AWS renews at most once in 4 hours.",
        samples: Samples::PerAccount(|of, out| {
            out.known([of.id], of.report().map(|report| report.rows_skipped))
        }),
        ..ACCOUNT
    },
    Family {
        name: "aws_account_up",
        help: "Whether the last refresh of this source worked (1) or failed (0), as of now. Only sources in use that were tried.",
        labels: &["account", "source"],
        samples: Samples::PerAccount(|of, out| {
            of.view.sources.iter().try_for_each(|source| {
                let labels = [of.id, source.source.as_str()];
                out.known(labels, source.up.map(u32::from))
            })
        }),
        ..ACCOUNT
    },
    Family {
        name: "aws_account_last_success_timestamp_seconds",
        unit: Some(Unit::Seconds),
        help: "When a refresh of this source last worked, as a Unix timestamp by the exporter's clock.",
        labels: &["account", "source"],
        samples: Samples::PerAccount(|of, out| {
            of.view.sources.iter().try_for_each(|source| {
                out.time([of.id, source.source.as_str()], source.last_success)
            })
        }),
        ..ACCOUNT
    },
    Family {
        name: "aws_account_refresh_failures_total",
        kind: Kind::Counter,
        help: "Refreshes of this source that failed since the exporter started, by reason.",
        labels: &["account", "source", "reason"],
        samples: Samples::PerAccount(|of, out| {
            of.view.sources.iter().try_for_each(|source| {
                source.failures.iter().try_for_each(|(reason, count)| {
                    out.counter([of.id, source.source.as_str(), reason.as_str()], *count)
                })
            })
        }),
        ..ACCOUNT
    },
    Family {
        name: "aws_account_left",
        help: "Always 1. Names an account that is watched no more, and why: closed, excluded or removed. Shown for 24 hours, by the configuration or the organization's list.",
        labels: &["account", "reason"],
        samples: Samples::Once(|facts, out| {
            facts
                .exporter()
                .left
                .iter()
                .try_for_each(|(id, reason)| out.gauge([&id.to_string(), reason.as_str()], 1))
        }),
        ..ACCOUNT
    },
    Family {
        name: "aws_accounts",
        help: "Accounts this process knows by the configuration and the organization's list, by what it does with them: monitored, excluded or inactive.",
        labels: &["state"],
        samples: Samples::Once(|facts, out| {
            let Some(counts) = facts.exporter().accounts else {
                return Ok(());
            };
            out.gauge(["monitored"], counts.monitored)?;
            out.gauge(["excluded"], counts.excluded)?;
            out.gauge(["inactive"], counts.inactive)
        }),
        ..ACCOUNT
    },
];
