//! Reads the merged settings section by section: first each value on its own, then the rules
//! between two of them.

use std::collections::BTreeMap;
use std::time::Duration;

use figment::value::{Dict, Value};

use super::error::ConfigError;
use super::model::{
    Aws, Config, Events, Log, Organization, Refresh, Reload, Shard, Sources, State, Users, Web,
};
use super::queue_url::QueueUrl;
use super::region::{FoundRegion, Regions};
use super::settings::List;
use super::sources::Layer;
use super::table::{Merged, Table};
use super::values::{
    duration, listen_address, log_format, log_level, member_access, number, role_name, switch,
    tag_key, telemetry_path,
};
use super::{accounts, exceptions, settings, values};
use crate::account::label_name;
use exporter_toolkit::ListenAddress;

/// The shortest time between two polls, or two readings of a list: AWS counts each call.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest deadline. With zero, nothing would ever work.
const LEAST_TIMEOUT: Duration = Duration::from_millis(1);

/// The smallest `max_staleness` in intervals, where a live source is used.
const LEAST_INTERVALS: u32 = 10;

/// The smallest `max_staleness` where the credential report is the only source. AWS makes a new one
/// every 4 hours; half an hour is for delays.
///
/// Source: IAM User Guide, "Generate credential reports for your AWS account".
const LEAST_BETWEEN_REPORTS: Duration = Duration::from_secs(4 * 3600 + 1800);

/// Reads and checks the merged settings. Where one is wrong, the result has its default, and `merged`
/// the error.
pub(super) fn read(
    merged: &Merged,
    variables: &[(String, String)],
    regions: &dyn Regions,
) -> Config {
    let aws = aws(merged, variables, regions);
    let exceptions = exceptions::read(merged);
    let organization = organization(&merged.section("organization"));
    let sources = evidence(&merged.section("sources"), &organization);
    let web = web(&merged.section("web"));
    let shard = shard(&merged.section("shard"));
    let refresh = refresh(&merged.section("refresh"), &sources, &organization);
    Config {
        events: events(&merged.section("events"), &refresh, shard.index),
        web,
        log: log(&merged.section("log")),
        reload: reload(&merged.section("reload")),
        shard,
        refresh,
        sources,
        state: State {
            path: merged.section("state").path("path"),
        },
        accounts: accounts::read(merged, &aws, regions, &exceptions),
        exceptions,
        aws,
        organization,
        users: users(&merged.section("users")),
        source_file: None,
    }
}

/// The errors of the file about keys that do not exist, and about values where a table belongs. The
/// file is checked alone, before another source can hide a mistake in it. No value is shown: a
/// misspelt key may hold a secret.
pub(super) fn misplaced(file: &Layer) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut fail = |path: &[&str], problem: String| {
        errors.push(ConfigError::new(file.place(path), problem));
    };
    for (name, value) in &file.dict {
        let known = settings::keys_of(name);
        if let Some(list) = settings::LISTS.iter().find(|list| list.name == name) {
            misplaced_entries(list, value, &mut fail);
        } else if known.is_empty() {
            fail(&[name], unknown_key(name, &settings::sections()));
        } else if let Some(keys) = value.as_dict() {
            for key in unknown(keys, &known) {
                fail(&[name, key], unknown_key(key, &known));
            }
        } else {
            let kind = values::kind(value);
            fail(&[name], format!("is {kind}; write a section, [{name}]"));
        }
    }
    errors
}

fn misplaced_entries(list: &List, value: &Value, fail: &mut impl FnMut(&[&str], String)) {
    let List { name, entry, keys } = *list;
    let known = keys;
    let no_entry = |value| {
        let kind = values::kind(value);
        format!("is {kind}; write each {entry} as [[{name}]]")
    };
    let Some(entries) = value.as_array() else {
        return fail(&[name], no_entry(value));
    };
    for (index, entry) in entries.iter().enumerate() {
        let step = format!("[{index}]");
        match entry.as_dict() {
            None => fail(&[name, &step], no_entry(entry)),
            Some(keys) => {
                for key in unknown(keys, known) {
                    fail(&[name, &step, key], unknown_key(key, known));
                }
            }
        }
    }
}

fn unknown<'a>(keys: &'a Dict, known: &[&str]) -> impl Iterator<Item = &'a str> {
    let keys = keys.keys().map(String::as_str);
    keys.filter(|key| !known.contains(key))
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    let hint = settings::nearest(key, known)
        .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    format!("unknown key{hint} (known: {})", known.join(", "))
}

fn web(table: &Table<'_>) -> Web {
    const LISTEN: &str = "listen_address";
    const HEALTH: &str = "health_listen_address";
    let mut web = Web::default();
    table.set_each(LISTEN, &mut web.listen_addresses, listen_address);
    table.set("telemetry_path", &mut web.telemetry_path, telemetry_path);
    web.config_file = table.path("config_file");
    table.set("max_requests", &mut web.max_requests, number(1, 100_000));
    web.health_listen_address = table.read(HEALTH, listen_address);
    web.external_url = table.read("external_url", values::base_url);
    if matches!(table.get(LISTEN), Some(Value::Array(_, list)) if list.is_empty()) {
        table.fail(
            LISTEN,
            "is empty; name an address, or leave the setting out",
        );
    }
    let addresses = &web.listen_addresses;
    for (index, address) in addresses.iter().enumerate() {
        let including = |other: &&ListenAddress| other.includes(address);
        if including(&address) && addresses[..index].contains(address) {
            let problem = format!("\"{address}\" is listed twice; remove one");
            table.fail_at(LISTEN, index, problem);
        } else if let Some(other) = addresses
            .iter()
            .filter(including)
            .find(|other| *other != address)
        {
            let problem =
                format!("\"{address}\" is part of \"{other}\", which is listed too; remove it");
            table.fail_at(LISTEN, index, problem);
        }
    }
    if let Some(health) = &web.health_listen_address
        && let Some(other) = addresses
            .iter()
            .find(|other| other.includes(health) || health.includes(other))
    {
        let problem = if other == health {
            format!("\"{health}\" is web.listen_address too; give it a port of its own")
        } else {
            format!(
                "\"{health}\" has the port of web.listen_address, \"{other}\"; give it a port of its own"
            )
        };
        table.fail(HEALTH, problem);
    }
    web
}

fn log(table: &Table<'_>) -> Log {
    let mut log = Log::default();
    table.set("level", &mut log.level, log_level);
    table.set("format", &mut log.format, log_format);
    log
}

fn reload(table: &Table<'_>) -> Reload {
    let mut reload = Reload::default();
    table.set("auto", &mut reload.auto, switch);
    reload
}

fn shard(table: &Table<'_>) -> Shard {
    let errors = table.merged.error_count();
    let mut shard = Shard::default();
    table.set("index", &mut shard.index, number(0, u32::MAX));
    table.set("total", &mut shard.total, number(1, u32::MAX));
    let Shard { index, total } = shard;
    if table.merged.error_count() == errors && index >= total {
        table.fail(
            "index",
            format!("{index} is not below shard.total, {total}; shards are counted from 0"),
        );
    }
    shard
}

/// The sources of evidence.
fn evidence(table: &Table<'_>, organization: &Organization) -> Sources {
    let mut sources = Sources::default();
    table.set("credential_report", &mut sources.credential_report, switch);
    table.set("account_summary", &mut sources.account_summary, switch);
    if !sources.credential_report && !sources.account_summary && !organization.uses_root_sessions()
    {
        table.fail(
            "account_summary",
            "false, as sources.credential_report is, and no root session is used: there is \
             nothing to ask; set one of them to true",
        );
    }
    sources
}

fn refresh(table: &Table<'_>, sources: &Sources, organization: &Organization) -> Refresh {
    let errors = table.merged.error_count();
    let mut refresh = Refresh::default();
    let timeout = duration(LEAST_TIMEOUT);
    table.set("interval", &mut refresh.interval, duration(LEAST_INTERVAL));
    table.set("concurrency", &mut refresh.concurrency, number(1, 10_000));
    table.set("timeout", &mut refresh.timeout, &timeout);
    table.set("report_timeout", &mut refresh.report_timeout, &timeout);
    table.set("max_staleness", &mut refresh.max_staleness, &timeout);
    table.set(
        "max_live_staleness",
        &mut refresh.max_live_staleness,
        &timeout,
    );
    if table.merged.error_count() == errors {
        check_staleness(table, &refresh, sources, organization);
    }
    refresh
}

/// Checks that a zero lasts until the next answer, in every account that may be read.
fn check_staleness(
    table: &Table<'_>,
    refresh: &Refresh,
    sources: &Sources,
    organization: &Organization,
) {
    let shown = |duration| format!("\"{}\"", humantime::format_duration(duration));
    let interval = shown(refresh.interval);
    let staleness = shown(refresh.max_staleness);
    let live_staleness = shown(refresh.max_live_staleness);
    // The error is about the first of two settings, if that is set.
    let fail = |first, second, problem| {
        let key = table.get(first).map_or(second, |_| first);
        table.fail(key, problem);
    };
    let live = sources.account_summary || organization.uses_root_sessions();
    if live && refresh.interval >= refresh.max_live_staleness {
        let problem = format!(
            "an interval of {interval} is not below a max_live_staleness of {live_staleness}: every \
             zero would be withdrawn before the next poll; lower the interval below \
             {live_staleness}, or raise max_live_staleness above {interval}"
        );
        fail("interval", "max_live_staleness", problem);
    }
    // No root session enters the caller's own account, the management account or a listed one.
    let report_alone = sources.credential_report && !sources.account_summary;
    if report_alone && refresh.max_staleness < LEAST_BETWEEN_REPORTS {
        let problem = format!(
            "{staleness} is too short where credential reports are the only source, of which AWS \
             makes one every 4 hours; the least is {}, unless sources.account_summary is true",
            shown(LEAST_BETWEEN_REPORTS)
        );
        fail("max_staleness", "max_staleness", problem);
    }
    let ten = refresh.interval * LEAST_INTERVALS;
    if live && refresh.max_staleness < ten {
        let problem = format!(
            "a max_staleness of {staleness} is less than ten intervals of {interval}: a few polls \
             that fail would withdraw every zero; the least is {}, unless the interval is shorter",
            shown(ten)
        );
        fail("max_staleness", "interval", problem);
    }
}

/// The longest `events.relaxed_interval`: evidence is judged by what was polled in the last quarter
/// of an hour.
const LONGEST_RELAXED: Duration = root_posture::MAX_LAG;

/// The longest `events.echo_timeout`: a missing echo must be noticed.
const LONGEST_ECHO: Duration = Duration::from_secs(3600);

/// Push. The relaxed interval is checked where there is a queue; without one it has no effect.
fn events(table: &Table<'_>, refresh: &Refresh, shard: u32) -> Events {
    const RELAXED: &str = "relaxed_interval";
    let errors = table.merged.error_count();
    let mut events = Events::default();
    events.queue = table.read("queue_url", |value| {
        QueueUrl::parse(&values::text(value)?, shard).map_err(str::to_owned)
    });
    // One that is not set follows a longer interval.
    events.relaxed_interval = events.relaxed_interval.max(refresh.interval);
    table.set(
        RELAXED,
        &mut events.relaxed_interval,
        duration(LEAST_INTERVAL),
    );
    table.set(
        "echo_timeout",
        &mut events.echo_timeout,
        duration(LEAST_INTERVAL),
    );
    if events.echo_timeout > LONGEST_ECHO {
        let shown = humantime::format_duration(events.echo_timeout);
        table.fail(
            "echo_timeout",
            format!("\"{shown}\" is too long; the most is \"1h\""),
        );
    }
    if table.merged.error_count() != errors || events.queue.is_none() {
        return events;
    }
    let shown = |duration| format!("\"{}\"", humantime::format_duration(duration));
    let relaxed = shown(events.relaxed_interval);
    let interval = shown(refresh.interval);
    let live_staleness = shown(refresh.max_live_staleness);
    if events.relaxed_interval < refresh.interval {
        table.fail(
            RELAXED,
            format!(
                "{relaxed} is shorter than the refresh.interval, {interval}; make it at least as long"
            ),
        );
    } else if events.relaxed_interval > LONGEST_RELAXED.max(refresh.interval) {
        table.fail(
            RELAXED,
            format!("{relaxed} is too long; the most is \"15m\""),
        );
    } else if events.relaxed_interval >= refresh.max_live_staleness {
        table.fail(
            RELAXED,
            format!(
                "{relaxed} is not below the refresh.max_live_staleness of {live_staleness}: every \
                 zero would be withdrawn before the next poll; lower it below {live_staleness}, or \
                 raise max_live_staleness above {relaxed}"
            ),
        );
    }
    events
}

fn aws(merged: &Merged, variables: &[(String, String)], regions: &dyn Regions) -> Aws {
    let table = merged.section("aws");
    let profile = table.read("profile", values::text);
    let found = match table.get("region") {
        Some(_) => table.read("region", values::region).map(|name| {
            let place = table.place(&["region"]);
            FoundRegion { name, place }
        }),
        None => of_variable(variables)
            .or_else(|| regions.of_profile(profile.as_deref()))
            .or_else(|| regions.of_instance())
            .filter(|found| found.is_valid(merged)),
    };
    let mut aws = Aws {
        profile,
        ..Aws::default()
    };
    if let Some(found) = found {
        (aws.region, aws.region_from) = (found.name, found.place);
    }
    aws
}

/// The Region in a variable. An empty one is not set: that is how a shell unsets it for one command.
fn of_variable(variables: &[(String, String)]) -> Option<FoundRegion> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| {
            let is_set =
                |(variable, value): &&(String, String)| variable == name && !value.is_empty();
            let (place, name) = variables.iter().find(is_set)?.clone();
            Some(FoundRegion { name, place })
        })
}

fn organization(table: &Table<'_>) -> Organization {
    let mut it = Organization::default();
    table.set_each("tag_labels", &mut it.tag_labels, tag_key);
    let mut labels: BTreeMap<String, &str> = BTreeMap::new();
    for (index, tag) in it.tag_labels.iter().enumerate() {
        let label = label_name(tag);
        if let Some(first) = labels.insert(label.clone(), tag) {
            let problem = format!("{tag:?} and {first:?} would both be {label}; remove one");
            table.fail_at("tag_labels", index, problem);
        }
    }
    let mut details = Vec::new();
    table.set_each("details", &mut details, values::detail);
    it.details = details.into_iter().collect();
    table.set("enabled", &mut it.enabled, switch);
    table.set("access", &mut it.access, member_access);
    table.set("role_name", &mut it.role_name, role_name);
    it.external_id = table.read("external_id", values::external_id);
    let mut exclude = Vec::new();
    table.set_each("exclude", &mut exclude, values::account_id);
    it.exclude = exclude.into_iter().collect();
    table.set("interval", &mut it.interval, duration(LEAST_INTERVAL));
    it
}

fn users(table: &Table<'_>) -> Users {
    let days = |key: &str, days: &mut Vec<u32>| {
        table.set_each(key, days, number(1, 36_500));
        for (index, day) in days.iter().enumerate() {
            if days[..index].contains(day) {
                table.fail_at(key, index, format!("{day} is listed twice; remove one"));
            }
        }
        days.sort_unstable();
    };
    let mut users = Users::default();
    table.set("aggregate", &mut users.aggregate, switch);
    table.set("detail", &mut users.detail, switch);
    table.set(
        "max_detail_series",
        &mut users.max_detail_series,
        number(1, 10_000_000),
    );
    days("key_age_days", &mut users.key_age_days);
    days("unused_days", &mut users.unused_days);
    users
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{ConfigErrors, Overrides, parse};

    proptest! {
        #[test]
        fn any_text_in_a_variable_is_a_setting_or_an_error_of_one_line_at_that_variable(
            setting in proptest::sample::select(settings::SETTINGS),
            text in prop_oneof!["(?s).{0,20}", "[0-9]{0,40}", "[0-9]{1,22}(ms|s|m|h|y)", "\\[.{0,9}\\]"],
        ) {
            let name = format!("AWS_ROOT_EXPORTER__{}__{}", setting.section, setting.key);
            let variable = (name.to_uppercase(), text);
            match parse(None, [(variable.0.clone().into(), variable.1.into())], &Overrides::default(), &()) {
                Ok(_) => {}
                Err(ConfigErrors::Invalid(errors)) => for error in errors {
                    prop_assert_eq!(&error.place, &variable.0);
                    prop_assert!(!error.problem.contains('\n'), "{}", error);
                },
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }
}
