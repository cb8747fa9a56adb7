//! The families of the exporter itself.

use super::family::{Family, Kind, Samples, Section, Stability, Unit};
use crate::build::{RUSTC, revision};
use crate::views::CALL_BUCKETS;
use root_posture::Timestamp;

/// What these families have in common.
const EXPORTER: Family = Family {
    name: "",
    kind: Kind::Gauge,
    unit: None,
    help: "",
    labels: &[],
    stability: Stability::Stable,
    section: Section::Exporter,
    samples: Samples::Once(|_, _| Ok(())),
};

pub(super) static FAMILIES: &[Family] = &[
    Family {
        name: "aws_root_exporter_build_info",
        help: "Always 1. Names the version, the source revision and the compiler the exporter was built from.",
        labels: &["version", "revision", "rustc"],
        samples: Samples::Once(|_, out| {
            out.gauge([env!("CARGO_PKG_VERSION"), revision(), RUSTC], 1)
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_external_url_info",
        help: "Always 1. Names the URL under which people open the exporter's pages, without a slash at its end. Absent unless web.external_url is set.",
        labels: &["url"],
        samples: Samples::Once(|facts, out| match &facts.external_url {
            Some(url) => out.gauge([url], 1),
            None => Ok(()),
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_config_last_reload_successful",
        help: "Whether the last reload of the configuration worked (1) or failed, so that an older one runs (0).",
        samples: Samples::Once(|facts, out| out.gauge([], u32::from(facts.exporter().reload.0))),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_config_last_reload_success_timestamp_seconds",
        unit: Some(Unit::Seconds),
        help: "When the running configuration was loaded, as a Unix timestamp by the exporter's clock.",
        samples: Samples::Once(|facts, out| {
            let loaded = facts.exporter().reload.1;
            out.time([], (loaded != Timestamp::default()).then_some(loaded))
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_aws_requests_total",
        kind: Kind::Counter,
        help: "Calls to AWS since the exporter started, by service, operation and outcome: success, or the reason why not.",
        labels: &["aws_service", "operation", "outcome"],
        samples: Samples::Once(|facts, out| {
            let outcomes = &facts.exporter().calls.outcomes;
            outcomes.iter().try_for_each(|((call, outcome), count)| {
                out.counter([call.service, call.operation, outcome.as_str()], *count)
            })
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_aws_request_duration_seconds",
        kind: Kind::Histogram,
        unit: Some(Unit::Seconds),
        help: "How long the calls to AWS took since the exporter started, by service and operation.",
        labels: &["aws_service", "operation"],
        samples: Samples::Once(|facts, out| {
            let durations = &facts.exporter().calls.durations;
            durations.iter().try_for_each(|(call, histogram)| {
                let mut buckets = [(f64::INFINITY, histogram.beyond); CALL_BUCKETS.len() + 1];
                let bounded = CALL_BUCKETS.into_iter().zip(histogram.buckets);
                for (bucket, counted) in buckets.iter_mut().zip(bounded) {
                    *bucket = counted;
                }
                out.histogram([call.service, call.operation], histogram.sum, &buckets)
            })
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_refresh_lag_seconds",
        unit: Some(Unit::Seconds),
        help: "How late the most overdue probe of any account is, as of now.",
        samples: Samples::Once(|facts, out| out.gauge([], facts.exporter().lag.as_secs_f64())),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_refreshes_in_flight",
        help: "Probes that run now.",
        samples: Samples::Once(|facts, out| out.gauge([], facts.exporter().in_flight)),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_refresh_interval_seconds",
        unit: Some(Unit::Seconds),
        help: "How often each account is polled, by the running configuration (refresh.interval).",
        samples: Samples::Once(|facts, out| out.gauge([], facts.exporter().interval.as_secs_f64())),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_shard_index",
        help: "Which of the shards this process is, from 0, by the running configuration.",
        samples: Samples::Once(|facts, out| out.gauge([], facts.exporter().shard.0)),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_shard_total",
        // Only a counter's name may end in `_total`; a value without a type breaks no rule.
        kind: Kind::Unknown,
        help: "How many shards there are, by the running configuration. A plain number, not a counter.",
        samples: Samples::Once(|facts, out| out.gauge([], facts.exporter().shard.1)),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_clock_skew_seconds",
        unit: Some(Unit::Seconds),
        help: "How far AWS's clock is ahead of the exporter's (negative when behind), by the Date header of the latest answer.",
        samples: Samples::Once(|facts, out| out.known([], facts.exporter().clock_skew)),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_discovery_up",
        help: "Whether the organization's account list could be read the last time (1) or not (0). Absent without an organization.",
        samples: Samples::Once(|facts, out| {
            let discovery = facts.exporter().discovery;
            out.known([], discovery.map(|(up, _)| u32::from(up)))
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_discovery_last_success_timestamp_seconds",
        unit: Some(Unit::Seconds),
        help: "When the organization's account list was last read, as a Unix timestamp by the exporter's clock.",
        samples: Samples::Once(|facts, out| {
            out.time([], facts.exporter().discovery.and_then(|(_, last)| last))
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_organization_root_features_enabled",
        help: "Whether the organization has a feature of centralized root access enabled (1) or not (0), by iam:ListOrganizationsFeatures. Absent while AWS has not said, and without an organization. Enabling one removes no credential.",
        labels: &["feature"],
        samples: Samples::Once(|facts, out| {
            let Some(features) = facts.exporter().features else {
                return Ok(());
            };
            let management = features.credentials_management;
            out.gauge(["RootCredentialsManagement"], u32::from(management))?;
            out.gauge(["RootSessions"], u32::from(features.sessions))
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_state_last_save_successful",
        help: "Whether the state could be saved the last time (1) or not (0). Absent without a state.",
        samples: Samples::Once(|facts, out| {
            let state = facts.exporter().state;
            out.known([], state.map(|(saved, _)| u32::from(saved)))
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_state_last_save_timestamp_seconds",
        unit: Some(Unit::Seconds),
        help: "When the state was last saved, as a Unix timestamp by the exporter's clock.",
        samples: Samples::Once(|facts, out| {
            out.time([], facts.exporter().state.and_then(|(_, last)| last))
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_http_requests_total",
        kind: Kind::Counter,
        help: "HTTP requests served since the exporter started, by handler and status code.",
        labels: &["handler", "code"],
        samples: Samples::Once(|facts, out| {
            let requests = &facts.exporter().requests;
            requests.iter().try_for_each(|((handler, code), count)| {
                out.counter([*handler, &code.to_string()], *count)
            })
        }),
        ..EXPORTER
    },
    Family {
        name: "aws_root_exporter_http_connections_evicted_total",
        kind: Kind::Counter,
        help: "Connections closed since the exporter started to make room for others: idle ones, and those whose requests were refused first.",
        samples: Samples::Once(|facts, out| out.counter([], facts.exporter().evicted)),
        ..EXPORTER
    },
];
