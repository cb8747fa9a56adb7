//! The families of the exporter itself and of its process.

use std::array;

use prometheus_client::metrics::MetricType;

use super::family::{Family, Samples};
use crate::build::{RUSTC, VERSION, revision};
use crate::failure::Reason;
use crate::views::{CALL_BUCKETS, DELAY_BUCKETS, MessageKind};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "aws_root_exporter_build_info",
        help: "Always 1. Names the version, the source revision and the compiler the exporter was built from.",
        labels: &["version", "revision", "rustc"],
        samples: Samples::Once(|_, out| out.gauge([VERSION, revision(), RUSTC], 1)),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_external_url_info",
        help: "Always 1. Names the URL under which people open the exporter's pages, without a slash at its end. Absent unless web.external_url is set.",
        labels: &["url"],
        samples: Samples::Once(|data, out| match &data.external_url {
            Some(url) => out.gauge([url], 1),
            None => Ok(()),
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_config_last_reload_successful",
        help: "Whether the last reload of the configuration succeeded (1), or failed and left an older one running (0).",
        samples: Samples::Once(|data, out| {
            out.gauge([], u32::from(data.exporter().reload.succeeded))
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_config_last_reload_success_timestamp_seconds",
        help: "When the running configuration was loaded, as a Unix timestamp by the exporter's clock.",
        samples: Samples::Once(|data, out| out.time([], data.exporter().reload.last_success)),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_aws_requests_total",
        kind: MetricType::Counter,
        help: "Calls to AWS since the exporter started, by service, operation and outcome: success, or the reason of the failure.",
        labels: &["aws_service", "operation", "outcome"],
        samples: Samples::Once(|data, out| {
            let mut calls = data.exporter().calls.iter();
            calls.try_for_each(|(call, stats)| {
                stats.results.iter().try_for_each(|(result, count)| {
                    let outcome = result.map_or_else(Reason::as_str, |()| "success");
                    out.counter([call.service, call.operation, outcome], *count)
                })
            })
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_aws_request_duration_seconds",
        kind: MetricType::Histogram,
        help: "How long the calls to AWS took since the exporter started, by service and operation.",
        labels: &["aws_service", "operation"],
        samples: Samples::Once(|data, out| {
            let mut calls = data.exporter().calls.iter();
            calls.try_for_each(|(call, stats)| {
                let buckets: [_; CALL_BUCKETS.len()] =
                    array::from_fn(|i| (CALL_BUCKETS[i], stats.buckets[i]));
                out.histogram([call.service, call.operation], stats.seconds, &buckets)
            })
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_refresh_lag_seconds",
        help: "How late the most overdue probe of any account is now.",
        samples: Samples::Once(|data, out| out.gauge([], data.exporter().lag.as_secs_f64())),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_refreshes_in_flight",
        help: "Probes that are running now.",
        samples: Samples::Once(|data, out| out.gauge([], data.exporter().in_flight)),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_refresh_interval_seconds",
        help: "How often each account is polled, by the running configuration (refresh.interval).",
        samples: Samples::Once(|data, out| out.gauge([], data.exporter().interval.as_secs_f64())),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_shard_index",
        help: "The index of this process's shard, from 0, by the running configuration.",
        samples: Samples::Once(|data, out| out.gauge([], data.exporter().shard.0)),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_shard_total",
        // Only a counter's name may end in `_total`; a value without a type breaks no rule.
        kind: MetricType::Unknown,
        help: "How many shards there are, by the running configuration. A plain number, not a counter.",
        samples: Samples::Once(|data, out| out.gauge([], data.exporter().shard.1)),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_clock_skew_seconds",
        help: "How far AWS's clock is ahead of the exporter's (negative when behind), by the Date header of the latest answer.",
        samples: Samples::Once(|data, out| out.known([], data.exporter().clock_skew)),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_discovery_up",
        help: "Whether the last reading of the organization's account list succeeded (1) or failed (0). Absent without an organization.",
        samples: Samples::Once(|data, out| {
            let discovery = data.exporter().discovery;
            out.known([], discovery.map(|list| u32::from(list.succeeded)))
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_discovery_last_success_timestamp_seconds",
        help: "When the organization's account list was last read, as a Unix timestamp by the exporter's clock.",
        samples: Samples::Once(|data, out| {
            out.time([], data.exporter().discovery.and_then(|it| it.last_success))
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_organization_root_features_enabled",
        help: "Whether the organization has a feature of centralized root access enabled (1) or not (0), by iam:ListOrganizationsFeatures. Absent until AWS has answered, and without an organization. Enabling one removes no credential.",
        labels: &["feature"],
        samples: Samples::Once(|data, out| {
            let Some(features) = data.exporter().features else {
                return Ok(());
            };
            let management = features.credentials_management;
            out.gauge(["RootCredentialsManagement"], u32::from(management))?;
            out.gauge(["RootSessions"], u32::from(features.sessions))
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_state_last_save_successful",
        help: "Whether the last save of the state succeeded (1) or failed (0). Absent without a state file.",
        samples: Samples::Once(|data, out| {
            let state = data.exporter().state;
            out.known([], state.map(|save| u32::from(save.succeeded)))
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_state_last_save_timestamp_seconds",
        help: "When the state was last saved, as a Unix timestamp by the exporter's clock.",
        samples: Samples::Once(|data, out| {
            out.time([], data.exporter().state.and_then(|it| it.last_success))
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_events_up",
        help: "Whether the queue of events can be read (1) or not (0). Absent without a queue, and before the first attempt has ended.",
        samples: Samples::Once(|data, out| {
            let up = data.exporter().events.as_ref().and_then(|it| it.up);
            out.known([], up.map(u32::from))
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_events_total",
        kind: MetricType::Counter,
        help: "Messages of the queue that were handled since the exporter started, by kind: what root did, the echo of a poll, tampering with a trail or rule, ignored, malformed. Duplicates count. Absent without a queue.",
        labels: &["kind"],
        samples: Samples::Once(|data, out| {
            let Some(events) = &data.exporter().events else {
                return Ok(());
            };
            MessageKind::ALL.iter().try_for_each(|kind| {
                let count = events.messages.get(kind).copied();
                out.counter([kind.as_str()], count.unwrap_or_default())
            })
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_event_delay_seconds",
        kind: MetricType::Histogram,
        help: "How long the events of the exporter's own polls took since it started, from the poll to their arrival. Absent without a queue.",
        samples: Samples::Once(|data, out| {
            let Some(events) = &data.exporter().events else {
                return Ok(());
            };
            let buckets: [_; DELAY_BUCKETS.len()] =
                array::from_fn(|i| (DELAY_BUCKETS[i], events.delays[i]));
            out.histogram([], events.seconds, &buckets)
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_http_requests_total",
        kind: MetricType::Counter,
        help: "HTTP requests served since the exporter started, by handler and status code.",
        labels: &["handler", "code"],
        samples: Samples::Once(|data, out| {
            let requests = &data.exporter().requests;
            requests.iter().try_for_each(|((handler, code), count)| {
                out.counter([*handler, &code.to_string()], *count)
            })
        }),
        ..Family::ONCE
    },
    Family {
        name: "aws_root_exporter_http_connections_evicted_total",
        kind: MetricType::Counter,
        help: "Connections closed since the exporter started to make room for others: idle ones, and those whose requests were refused first.",
        samples: Samples::Once(|data, out| out.counter([], data.exporter().evicted)),
        ..Family::ONCE
    },
];

/// The families of the process, as other exporters name them.
pub(super) const PROCESS_FAMILIES: &[Family] = &[
    Family {
        name: "process_cpu_seconds_total",
        kind: MetricType::Counter,
        help: "User and system CPU time spent by the exporter's process, from /proc at the time of the scrape.",
        samples: Samples::Once(|data, out| match data.process {
            Some(process) => out.counter([], process.cpu_seconds),
            None => Ok(()),
        }),
        ..Family::ONCE
    },
    Family {
        name: "process_resident_memory_bytes",
        help: "Resident memory of the exporter's process, from /proc at the time of the scrape.",
        samples: Samples::Once(|data, out| out.known([], data.process.map(|it| it.resident_bytes))),
        ..Family::ONCE
    },
    Family {
        name: "process_virtual_memory_bytes",
        help: "Virtual memory of the exporter's process, from /proc at the time of the scrape.",
        samples: Samples::Once(|data, out| out.known([], data.process.map(|it| it.virtual_bytes))),
        ..Family::ONCE
    },
    Family {
        name: "process_open_fds",
        help: "Open file descriptors of the exporter's process, from /proc at the time of the scrape.",
        samples: Samples::Once(|data, out| out.known([], data.process.and_then(|it| it.open_fds))),
        ..Family::ONCE
    },
    Family {
        name: "process_max_fds",
        help: "File descriptors the exporter's process may open (its soft limit), from /proc at the time of the scrape.",
        samples: Samples::Once(|data, out| out.known([], data.process.and_then(|it| it.max_fds))),
        ..Family::ONCE
    },
    Family {
        name: "process_threads",
        help: "Threads of the exporter's process, from /proc at the time of the scrape.",
        samples: Samples::Once(|data, out| out.known([], data.process.map(|it| it.threads))),
        ..Family::ONCE
    },
    Family {
        name: "process_start_time_seconds",
        help: "When the exporter's process started, as a Unix timestamp, from /proc.",
        samples: Samples::Once(|data, out| {
            out.known([], data.process.and_then(|it| it.start_seconds))
        }),
        ..Family::ONCE
    },
];
