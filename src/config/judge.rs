//! The merged settings, section by section: each value on its own first, then what two of them
//! say of each other. Every default is taken from [`Config`]'s `Default`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use figment::Figment;
use figment::value::{Dict, Value};

use super::error::{ConfigError, ConfigErrors};
use super::sources::{self, Layer, Overrides};
use super::table::{Merged, Table};
use super::{
    Aws, Config, FoundRegion, Log, Organization, Refresh, Regions, Reload, Shard, Sources, State,
    Users, Web, accounts, label_name, settings, values,
};
use exporter_toolkit::ListenAddress;

/// The least time between two polls or two readings of a list: each is a call that AWS counts.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// The least deadline; zero would mean that nothing ever works.
const LEAST_TIMEOUT: Duration = Duration::from_millis(1);

/// The least `max_staleness` in intervals, where a live source is used.
const LEAST_INTERVALS: u32 = 10;

/// The least `max_staleness` where the credential report is the only source. AWS makes a new one
/// every 4 hours; half an hour is for what keeps it from that.
///
/// Source: IAM User Guide, "Generate credential reports for your AWS account".
const LEAST_BETWEEN_REPORTS: Duration = Duration::from_secs(4 * 3600 + 1800);

/// Merges the sources and judges what comes out.
pub(super) fn judge(
    file: Option<Layer>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    overrides: &Overrides,
    regions: &dyn Regions,
) -> Result<Config, ConfigErrors> {
    let (variables, not_text) = sources::texts(environment);
    let mut errors = file.as_ref().map(misplaced).unwrap_or_default();
    errors.extend(not_text);
    let (environment, misnamed) = sources::environment(&variables);
    errors.extend(misnamed);
    let figment = file
        .map_or_else(Figment::new, Figment::from)
        .merge(environment)
        .merge(sources::flags(overrides));
    let merged = Merged::new(figment, errors);

    let aws = aws(&merged, &variables, regions);
    let organization = organization(&merged.section("organization"));
    let sources = sources_of_evidence(&merged.section("sources"), &organization);
    let config = Config {
        web: web(&merged.section("web")),
        log: log(&merged.section("log")),
        reload: reload(&merged.section("reload")),
        shard: shard(&merged, &merged.section("shard")),
        refresh: refresh(&merged, &merged.section("refresh"), &sources, &organization),
        sources,
        state: state(&merged.section("state")),
        accounts: accounts::judge(&merged, &aws, regions),
        aws,
        organization,
        users: users(&merged.section("users")),
        source_file: None,
    };
    match merged.into_errors() {
        errors if errors.is_empty() => Ok(config),
        errors => Err(ConfigErrors::Invalid(errors)),
    }
}

/// What the file says in places that no setting has. This looks at the file alone, before another
/// source could cover a mistake in it. No value is shown: a misspelt key may hold a secret.
fn misplaced(file: &Layer) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut fail = |path: &[&str], problem: String| {
        errors.push(ConfigError::new(file.place(path), problem));
    };
    for (name, value) in &file.dict {
        let known = settings::keys_of(name);
        let kind = values::kind(value);
        if name == settings::ACCOUNTS {
            misplaced_accounts(value, &mut fail);
        } else if known.is_empty() {
            fail(&[name], unknown_key(name, &settings::sections()));
        } else if let Some(keys) = value.as_dict() {
            for key in unknown(keys, &known) {
                fail(&[name, key], unknown_key(key, &known));
            }
        } else {
            fail(&[name], format!("is {kind}; write a section, [{name}]"));
        }
    }
    errors
}

fn misplaced_accounts(accounts: &Value, fail: &mut impl FnMut(&[&str], String)) {
    let name = settings::ACCOUNTS;
    let no_entry = |value| {
        let kind = values::kind(value);
        format!("is {kind}; write each account as [[accounts]]")
    };
    let Some(entries) = accounts.as_array() else {
        return fail(&[name], no_entry(accounts));
    };
    for (index, entry) in entries.iter().enumerate() {
        let step = format!("[{index}]");
        let Some(keys) = entry.as_dict() else {
            fail(&[name, &step], no_entry(entry));
            continue;
        };
        for key in unknown(keys, settings::ACCOUNT_KEYS) {
            fail(
                &[name, &step, key],
                unknown_key(key, settings::ACCOUNT_KEYS),
            );
        }
    }
}

fn unknown<'a>(keys: &'a Dict, known: &[&str]) -> impl Iterator<Item = &'a str> {
    keys.keys()
        .map(String::as_str)
        .filter(|key| !known.contains(key))
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    let hint = settings::nearest(key, known)
        .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    format!("unknown key{hint} (known: {})", known.join(", "))
}

fn web(table: &Table<'_>) -> Web {
    let default = Web::default();
    let listen_addresses = table.read_each(
        "listen_address",
        default.listen_addresses,
        values::listen_address,
    );
    let web = Web {
        telemetry_path: table.read(
            "telemetry_path",
            default.telemetry_path,
            values::telemetry_path,
        ),
        config_file: table.read_path("config_file", values::path),
        max_requests: table.read("max_requests", default.max_requests, |value| {
            values::number(value, 1, 100_000)
        }),
        health_listen_address: table.read_optional("health_listen_address", values::listen_address),
        external_url: table.read_optional("external_url", values::base_url),
        listen_addresses,
    };
    if matches!(table.get("listen_address"), Some(Value::Array(_, list)) if list.is_empty()) {
        table.fail(
            "listen_address",
            "is empty; name an address, or leave the setting out",
        );
    }
    let addresses = &web.listen_addresses;
    for (index, address) in addresses.iter().enumerate() {
        let including = |other: &&ListenAddress| other.includes(address);
        if including(&address) && addresses[..index].contains(address) {
            let problem = format!("\"{address}\" is listed twice; remove one");
            table.fail_at("listen_address", index, problem);
        } else if let Some(other) = addresses
            .iter()
            .filter(including)
            .find(|other| *other != address)
        {
            let problem =
                format!("\"{address}\" is part of \"{other}\", which is listed too; remove it");
            table.fail_at("listen_address", index, problem);
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
        table.fail("health_listen_address", problem);
    }
    web
}

fn log(table: &Table<'_>) -> Log {
    let default = Log::default();
    Log {
        level: table.read("level", default.level, values::log_level),
        format: table.read("format", default.format, values::log_format),
    }
}

fn reload(table: &Table<'_>) -> Reload {
    Reload {
        auto: table.read("auto", Reload::default().auto, values::switch),
    }
}

fn shard(merged: &Merged, table: &Table<'_>) -> Shard {
    let default = Shard::default();
    let errors = merged.error_count();
    let shard = Shard {
        index: table.read("index", default.index, |value| {
            values::number(value, 0, u32::MAX)
        }),
        total: table.read("total", default.total, |value| {
            values::number(value, 1, u32::MAX)
        }),
    };
    if merged.error_count() == errors && shard.index >= shard.total {
        let Shard { index, total } = shard;
        table.fail(
            "index",
            format!("{index} is not below shard.total, {total}; shards are counted from 0"),
        );
    }
    shard
}

fn sources_of_evidence(table: &Table<'_>, organization: &Organization) -> Sources {
    let default = Sources::default();
    let sources = Sources {
        credential_report: table.read(
            "credential_report",
            default.credential_report,
            values::switch,
        ),
        account_summary: table.read("account_summary", default.account_summary, values::switch),
    };
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

fn refresh(
    merged: &Merged,
    table: &Table<'_>,
    sources: &Sources,
    organization: &Organization,
) -> Refresh {
    let default = Refresh::default();
    let errors = merged.error_count();
    let timeout =
        |key, default| table.read(key, default, |value| values::duration(value, LEAST_TIMEOUT));
    let refresh = Refresh {
        interval: table.read("interval", default.interval, |value| {
            values::duration(value, LEAST_INTERVAL)
        }),
        concurrency: table.read("concurrency", default.concurrency, |value| {
            values::number(value, 1, 10_000)
        }),
        timeout: timeout("timeout", default.timeout),
        report_timeout: timeout("report_timeout", default.report_timeout),
        max_staleness: timeout("max_staleness", default.max_staleness),
        max_live_staleness: timeout("max_live_staleness", default.max_live_staleness),
    };
    if merged.error_count() == errors {
        lasting_zeros(table, &refresh, sources, organization);
    }
    refresh
}

/// Whether a zero lasts from one answer to the next, in every account that may be read.
fn lasting_zeros(
    table: &Table<'_>,
    refresh: &Refresh,
    sources: &Sources,
    organization: &Organization,
) {
    let shown = humantime::format_duration;
    let Refresh {
        interval,
        max_staleness,
        max_live_staleness,
        ..
    } = *refresh;
    // Of the two settings, the one that was set is the one to change.
    let fail = |first, second, problem| {
        let key = table.get(first).map_or(second, |_| first);
        table.fail(key, problem);
    };
    let live = sources.account_summary || organization.uses_root_sessions();
    if live && interval >= max_live_staleness {
        let problem = format!(
            "an interval of \"{}\" is not below a max_live_staleness of \"{}\": every zero would \
             be withdrawn before the next poll; lower the interval below \"{}\", or raise \
             max_live_staleness above \"{}\"",
            shown(interval),
            shown(max_live_staleness),
            shown(max_live_staleness),
            shown(interval),
        );
        fail("interval", "max_live_staleness", problem);
    }
    // No root session enters the caller's own account, the management account or a listed one.
    let report_alone = sources.credential_report && !sources.account_summary;
    if report_alone && max_staleness < LEAST_BETWEEN_REPORTS {
        let problem = format!(
            "\"{}\" is too short where credential reports are the only source, of which AWS makes \
             one every 4 hours; the least is \"{}\", unless sources.account_summary is true",
            shown(max_staleness),
            shown(LEAST_BETWEEN_REPORTS),
        );
        fail("max_staleness", "max_staleness", problem);
    }
    let ten = interval * LEAST_INTERVALS;
    if live && max_staleness < ten {
        let problem = format!(
            "a max_staleness of \"{}\" is less than ten intervals of \"{}\": a few polls that fail \
             would withdraw every zero; the least is \"{}\", unless the interval is shorter",
            shown(max_staleness),
            shown(interval),
            shown(ten),
        );
        fail("max_staleness", "interval", problem);
    }
}

fn state(table: &Table<'_>) -> State {
    State {
        path: table.read_path("path", values::path),
    }
}

fn aws(merged: &Merged, variables: &[(String, String)], regions: &dyn Regions) -> Aws {
    let table = merged.section("aws");
    let profile = table.read_optional("profile", values::text);
    let found = match table.get("region") {
        Some(_) => {
            let name = table.read_optional("region", values::region);
            let place = table.place(&["region"]);
            name.map(|name| FoundRegion { name, place })
        }
        None => of_variable(variables)
            .or_else(|| regions.of_profile(profile.as_deref()))
            .or_else(|| regions.of_instance())
            .filter(|found| is_region(merged, found)),
    };
    let default = Aws::default();
    let (region, region_from) = match found {
        Some(found) => (found.name, found.place),
        None => (default.region, default.region_from),
    };
    Aws {
        region,
        region_from,
        profile,
    }
}

/// The Region that a variable names. An empty variable is how a shell unsets one for a single
/// command.
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

/// Whether a Region that no setting names has the form of one; if not, that is noted.
pub(super) fn is_region(merged: &Merged, found: &FoundRegion) -> bool {
    let checked = values::region_name(&found.name);
    if let Err(problem) = &checked {
        merged.fail(&found.place, problem);
    }
    checked.is_ok()
}

fn organization(table: &Table<'_>) -> Organization {
    let default = Organization::default();
    let tag_labels = table.read_each("tag_labels", default.tag_labels, values::tag_key);
    let mut labels: BTreeMap<String, &str> = BTreeMap::new();
    for (index, tag) in tag_labels.iter().enumerate() {
        if let Some(first) = labels.insert(label_name(tag), tag) {
            table.fail_at(
                "tag_labels",
                index,
                format!(
                    "{tag:?} and {first:?} would both be label_{}; remove one",
                    label_name(tag)
                ),
            );
        }
    }
    Organization {
        enabled: table.read("enabled", default.enabled, values::switch),
        access: table.read("access", default.access, values::member_access),
        role_name: table.read("role_name", default.role_name, values::role_name),
        external_id: table.read_optional("external_id", values::external_id),
        exclude: table
            .read_each("exclude", Vec::new(), values::account_id)
            .into_iter()
            .collect(),
        interval: table.read("interval", default.interval, |value| {
            values::duration(value, LEAST_INTERVAL)
        }),
        tag_labels,
    }
}

fn users(table: &Table<'_>) -> Users {
    let default = Users::default();
    let days = |key: &str, default| {
        let mut days = table.read_each(key, default, values::days);
        for (index, day) in days.iter().enumerate() {
            if days[..index].contains(day) {
                table.fail_at(key, index, format!("{day} is listed twice; remove one"));
            }
        }
        days.sort_unstable();
        days
    };
    Users {
        aggregate: table.read("aggregate", default.aggregate, values::switch),
        detail: table.read("detail", default.detail, values::switch),
        max_detail_series: table.read("max_detail_series", default.max_detail_series, |value| {
            values::number(value, 1, 10_000_000)
        }),
        key_age_days: days("key_age_days", default.key_age_days),
        unused_days: days("unused_days", default.unused_days),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::load_without_file;
    use super::*;

    proptest! {
        #[test]
        fn any_text_in_a_variable_is_a_setting_or_an_error_of_one_line_at_that_variable(
            setting in proptest::sample::select(settings::SETTINGS),
            text in prop_oneof!["(?s).{0,20}", "[0-9]{0,40}", "[0-9]{1,22}(ms|s|m|h|y)", "\\[.{0,9}\\]"],
        ) {
            let name = format!("AWS_ROOT_EXPORTER__{}__{}", setting.section, setting.key);
            let variable = (name.to_uppercase(), text);
            match load_without_file([(variable.0.clone().into(), variable.1.into())], &Overrides::default()) {
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
