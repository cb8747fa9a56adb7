//! The families of accounts: their names, and how fresh and how healthy their evidence is.

use prometheus_client::metrics::MetricType;

use super::family::{Family, Samples};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "aws_account_info",
        help: "Always 1. Names a monitored account, from the configuration or the organization's list, with its partition and one label_<name> for each configured label or tag.",
        labels: &["account", "account_name", "partition"],
        samples: Samples::PerAccount(|of, out| {
            let account = &of.view.account;
            let mut labels = vec![
                ("account", of.id),
                ("account_name", account.name.as_str()),
                ("partition", account.partition().as_str()),
            ];
            labels.extend(of.info_labels());
            out.info(&labels)
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_credential_report_generated_timestamp_seconds",
        help: "When AWS generated the credential report in use (its GeneratedTime), as a Unix timestamp. AWS renews a report at most once in 4 hours.",
        samples: Samples::Value(|of| Some(of.report()?.generated.unix())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_credential_report_rows_skipped",
        help: "Rows of IAM users that could not be read in the credential report in use, which AWS renews at most once in 4 hours.",
        samples: Samples::Value(|of| of.report()?.rows_skipped.try_into().ok()),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_account_up",
        help: "Whether the last refresh of this source succeeded (1) or failed (0). Absent for sources that are not in use or were not polled yet.",
        labels: &["account", "source"],
        samples: Samples::PerAccount(|of, out| {
            of.view.sources.iter().try_for_each(|source| {
                let labels = [of.id, source.source.as_str()];
                out.known(labels, source.up.map(u32::from))
            })
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_account_last_success_timestamp_seconds",
        help: "When a refresh of this source last succeeded, as a Unix timestamp by the exporter's clock.",
        labels: &["account", "source"],
        samples: Samples::PerAccount(|of, out| {
            of.view.sources.iter().try_for_each(|source| {
                out.time([of.id, source.source.as_str()], source.last_success)
            })
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_account_refresh_failures_total",
        kind: MetricType::Counter,
        help: "Refreshes of this source that failed since the exporter started, by reason.",
        labels: &["account", "source", "reason"],
        samples: Samples::PerAccount(|of, out| {
            of.view.sources.iter().try_for_each(|source| {
                source.failures.iter().try_for_each(|(reason, count)| {
                    out.counter([of.id, source.source.as_str(), reason.as_str()], *count)
                })
            })
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_account_poll_interval_seconds",
        help: "How often the account is polled now: refresh.interval, or events.relaxed_interval while the push of its events is verified.",
        samples: Samples::PerAccount(|of, out| {
            out.gauge([of.id], of.view.push.interval.as_secs_f64())
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_account_push_up",
        help: "Whether the event of the last due poll arrived (1), or did not or has not since the start (0). Absent where none ever arrived, and without a queue.",
        samples: Samples::Value(|of| of.push()?.up.map(i64::from)),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_account_push_tampered_timestamp_seconds",
        help: "When a trail or a rule that carries events was last changed in the account, as a Unix timestamp by CloudTrail. Absent where no event says so, and without a queue.",
        samples: Samples::Value(|of| Some(of.push()?.tampered?.unix())),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_account_left",
        help: "Always 1. Names an account that is no longer monitored, by the configuration or the organization's list, and why: closed, excluded or removed. Exported for 24 hours.",
        labels: &["account", "reason"],
        samples: Samples::Once(|data, out| {
            let mut left = data.exporter().left.iter();
            left.try_for_each(|(id, left)| out.gauge([&id.to_string(), left.reason.as_str()], 1))
        }),
        ..Family::PER_ACCOUNT
    },
    Family {
        name: "aws_accounts",
        help: "Accounts of the configuration and the organization's list, by state: monitored by this process, excluded or inactive.",
        labels: &["state"],
        samples: Samples::Once(|data, out| {
            let Some(counts) = data.exporter().accounts else {
                return Ok(());
            };
            out.gauge(["monitored"], counts.monitored)?;
            out.gauge(["excluded"], counts.excluded)?;
            out.gauge(["inactive"], counts.inactive)
        }),
        ..Family::PER_ACCOUNT
    },
];
