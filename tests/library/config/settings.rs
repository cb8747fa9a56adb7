//! Wrong values of single settings, and limits that contradict each other.

use super::{load_file, refuses};

#[test]
fn errors_about_the_schedule_have_place_value_and_fix() {
    for (text, line) in [
        (
            "refresh.interval = 60",
            "refresh.interval: 60 has no unit; for seconds write \"60s\"",
        ),
        (
            "refresh.interval = \"soon\"",
            "refresh.interval: \"soon\" is not a duration; write it like \"60s\" or \"1h30m\"",
        ),
        (
            "refresh.interval = \"-5s\"",
            "refresh.interval: \"-5s\" is not a duration; write it like \"60s\" or \"1h30m\"",
        ),
        (
            "refresh.interval = \"0s\"",
            "refresh.interval: \"0s\" is too short; the least is \"1s\"",
        ),
        (
            "refresh.timeout = \"0s\"",
            "refresh.timeout: \"0s\" is too short; the least is \"1ms\"",
        ),
        (
            "refresh.max_staleness = \"400days\"",
            "refresh.max_staleness: \"400days\" is too long; the most is \"366days\"",
        ),
        (
            "refresh.interval = \"1h\"",
            "refresh.interval: an interval of \"1h\" is not below a max_live_staleness of \
             \"30m\": every zero would be withdrawn before the next poll; lower the interval below \
             \"30m\", or raise max_live_staleness above \"1h\"",
        ),
        (
            "refresh.concurrency = 0",
            "refresh.concurrency: 0 is not a whole number from 1 to 10000",
        ),
        (
            "refresh.concurrency = \"64\"",
            "refresh.concurrency: \"64\" is text; write the number without quotes",
        ),
    ] {
        refuses(text, &format!("config.toml: {line}"));
    }
}

/// Every zero would be withdrawn before the next answer could support it.
#[test]
fn limits_that_withdraw_a_zero_too_soon_are_refused_with_the_least_value() {
    let root = "organization.enabled = true\norganization.access = \"root\"\n";
    let root_alone =
        &format!("sources.credential_report = false\nsources.account_summary = false\n{root}");
    let reports_alone = "sources.account_summary = false\n";
    let before_next_poll = |interval: &str, limit: &str| {
        format!(
            "an interval of \"{interval}\" is not below a max_live_staleness of \"{limit}\": every \
             zero would be withdrawn before the next poll; lower the interval below \"{limit}\", or \
             raise max_live_staleness above \"{interval}\""
        )
    };
    let before_next_report = |limit: &str| {
        format!(
            "refresh.max_staleness: \"{limit}\" is too short where credential reports are the only \
             source, of which AWS makes one every 4 hours; the least is \"4h 30m\", unless \
             sources.account_summary is true"
        )
    };
    let ten_intervals = |limit: &str, interval: &str, least: &str| {
        format!(
            "a max_staleness of \"{limit}\" is less than ten intervals of \"{interval}\": a few polls \
             that fail would withdraw every zero; the least is \"{least}\", unless the interval is \
             shorter"
        )
    };
    for (sources, settings, line) in [
        // Root sessions are a live source as well.
        (
            &**root_alone,
            "interval = \"1h\"",
            format!("refresh.interval: {}", before_next_poll("1h", "30m")),
        ),
        (
            root,
            "max_live_staleness = \"1m\"",
            format!(
                "refresh.max_live_staleness: {}",
                before_next_poll("1m", "1m")
            ),
        ),
        // Reports alone; a root session enters neither the caller's account nor a listed one.
        (
            reports_alone,
            "max_staleness = \"1h\"",
            before_next_report("1h"),
        ),
        (
            &format!("{reports_alone}{root}"),
            "max_staleness = \"4h 29m 59s\"",
            before_next_report("4h 29m 59s"),
        ),
        // Ten intervals.
        (
            "",
            "max_staleness = \"10s\"",
            format!(
                "refresh.max_staleness: {}",
                ten_intervals("10s", "1m", "10m")
            ),
        ),
        (
            root_alone,
            "interval = \"3s\"\nmax_staleness = \"29s\"",
            format!(
                "refresh.max_staleness: {}",
                ten_intervals("29s", "3s", "30s")
            ),
        ),
        (
            "",
            "interval = \"2h\"\nmax_live_staleness = \"3h\"",
            format!("refresh.interval: {}", ten_intervals("10h", "2h", "20h")),
        ),
    ] {
        let text = format!("{sources}[refresh]\n{settings}");
        refuses(&text, &format!("config.toml: {line}"));
    }
    let error = load_file(&format!("{root_alone}[refresh]\ninterval = \"2h\""), &[]).unwrap_err();
    let lines = [
        before_next_poll("2h", "30m"),
        ten_intervals("10h", "2h", "20h"),
    ];
    let lines = lines.map(|line| format!("config.toml: refresh.interval: {line}"));
    assert_eq!(error, lines.join("\n"));
}

#[test]
fn the_least_limits_are_accepted() {
    for (sources, settings) in [
        ("", "interval = \"3s\"\nmax_staleness = \"30s\""),
        ("", "interval = \"29m\""),
        (
            "sources.account_summary = false",
            "max_staleness = \"4h30m\"",
        ),
        // Nothing is polled: the report has its own schedule.
        (
            "sources.account_summary = false",
            "interval = \"10h\"\nmax_live_staleness = \"1s\"",
        ),
        // No report is asked for.
        (
            "sources.credential_report = false",
            "max_staleness = \"10m\"",
        ),
    ] {
        let text = format!("{sources}\n[refresh]\n{settings}");
        load_file(&text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

#[test]
fn errors_about_the_process_have_place_value_and_fix() {
    for (text, line) in [
        (
            "web.max_requests = -1",
            "web.max_requests: -1 is not a whole number from 1 to 100000",
        ),
        (
            "web.max_requests = 1.5",
            "web.max_requests: 1.5 is not a whole number from 1 to 100000",
        ),
        (
            "web.max_requests = 2026-01-01",
            "web.max_requests: a date is not a whole number from 1 to 100000",
        ),
        (
            "web.telemetry_path = \"metrics\"",
            "web.telemetry_path: \"metrics\" does not begin with a slash; write it like \
             \"/metrics\"",
        ),
        (
            "web.telemetry_path = \"/m?a\"",
            "web.telemetry_path: \"/m?a\" has a character other than letters, digits and - . _ ~ \
             /; write it like \"/metrics\"",
        ),
        (
            "web.external_url = \"exporter.example.com\"",
            "web.external_url: is not a URL; write it like \"https://exporter.example.com\"",
        ),
        (
            "web.external_url = \"localhost:10057\"",
            "web.external_url: begins with neither http:// nor https://; write it like \
             \"https://exporter.example.com\"",
        ),
        (
            "web.external_url = \"https://ada:hush@exporter.example.com\"",
            "web.external_url: has a user or a password, which everyone who reads an alert would \
             see; leave them out",
        ),
        (
            "web.external_url = \"https://exporter.example.com/?a=b\"",
            "web.external_url: has a query (?) or a fragment (#); leave it out: paths are appended \
             to the URL",
        ),
        (
            "web.external_url = \"\"",
            "web.external_url: \"\" is empty; leave the setting out instead",
        ),
        (
            "log.level = \"loud\"",
            "log.level: \"loud\" is not one of error, warn, info, debug, trace",
        ),
        (
            "log.format = \"xml\"",
            "log.format: \"xml\" is not one of logfmt, json",
        ),
        (
            "reload.auto = \"false\"",
            "reload.auto: \"false\" is text; write it without quotes",
        ),
        (
            "shard.index = 1",
            "shard.index: 1 is not below shard.total, 1; shards are counted from 0",
        ),
        (
            "shard.total = 0",
            "shard.total: 0 is not a whole number from 1 to 4294967295",
        ),
    ] {
        refuses(text, &format!("config.toml: {line}"));
    }
}

#[test]
fn errors_about_aws_have_place_value_and_fix() {
    for (text, line) in [
        (
            "[sources]\ncredential_report = false\naccount_summary = false",
            "sources.account_summary: false, as sources.credential_report is, and no root session \
             is used: there is nothing to ask; set one of them to true",
        ),
        (
            "state.path = \" \"",
            "state.path: \" \" is empty; leave the setting out instead",
        ),
        (
            "aws.region = \"us-east\"",
            "aws.region: \"us-east\" is not an AWS Region; write it like \"eu-central-1\"",
        ),
        (
            "aws.profile = 1",
            "aws.profile: 1 is a number; put it in quotes: \"1\"",
        ),
        (
            "organization.access = \"admin\"",
            "organization.access: \"admin\" is not one of role, root, both",
        ),
        (
            "organization.role_name = \"a b\"",
            "organization.role_name: \"a b\" is not the name of a role (1 to 64 letters, digits \
             and _ + = , . @ -), nor one with its path before it (audit/aws-root-exporter)",
        ),
        (
            "organization.exclude = [111122223333]",
            "organization.exclude[0]: 111122223333 is a number; an account id is 12 digits in \
             quotes: \"111122223333\"",
        ),
        (
            "organization.tag_labels = [\"cost-center\", \"cost center\"]",
            "organization.tag_labels[1]: \"cost center\" and \"cost-center\" would both be \
             label_cost_center; remove one",
        ),
        (
            "organization.interval = \"0s\"",
            "organization.interval: \"0s\" is too short; the least is \"1s\"",
        ),
        (
            "users.max_detail_series = 0",
            "users.max_detail_series: 0 is not a whole number from 1 to 10000000",
        ),
        (
            "users.key_age_days = [90, 0]",
            "users.key_age_days[1]: 0 is not a whole number from 1 to 36500",
        ),
        (
            "users.unused_days = [45, 45]",
            "users.unused_days[1]: 45 is listed twice; remove one",
        ),
    ] {
        refuses(text, &format!("config.toml: {line}"));
    }
}

#[test]
fn the_path_of_another_page_is_refused_for_the_metrics() {
    for path in [
        "/",
        "//",
        "/-",
        "/-/healthy",
        "/api/v1",
        "/accounts",
        "/accounts/1",
        "/runbooks",
    ] {
        refuses(
            &format!("web.telemetry_path = {path:?}"),
            &format!(
                "config.toml: web.telemetry_path: {path:?} belongs to another page; write it like \
                 \"/metrics\""
            ),
        );
    }
    for path in ["/metrics", "/apiary", "/probe/accounts"] {
        let config = load_file(&format!("web.telemetry_path = {path:?}"), &[]).unwrap();
        assert_eq!(config.web.telemetry_path, path);
    }
}
