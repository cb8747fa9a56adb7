//! `check --report`: saved reports, on a machine without AWS.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use root_posture::Timestamp;
use serde_json::Value;

use crate::simulated::{DAY, now};
use test_support::run::Bench;

const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
    password_last_changed,password_next_rotation,mfa_active,access_key_1_active,\
    access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,\
    access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,\
    cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

const NO_KEY: &str = "false,N/A,N/A,N/A,N/A";
const ACTIVE: &str = "true,2019-05-03T10:11:12Z,2026-09-11T13:14:00Z,eu-west-3,sts";
const INACTIVE: &str = "false,2018-01-02T03:04:05Z,N/A,N/A,N/A";

fn report(account: &str, first: &str, second: &str) -> String {
    format!(
        "{HEADER}\n<root_account>,arn:aws:iam::{account}:root,2017-06-07T08:09:10Z,true,\
         no_information,2017-06-07T08:09:10Z,not_supported,true,{first},{second},\
         false,N/A,false,N/A\n\
         anna,arn:aws:iam::{account}:user/anna,2020-01-01T00:00:00Z,false,N/A,N/A,N/A,false,\
         {ACTIVE},{NO_KEY},false,N/A,false,N/A"
    )
}

fn clean(account: &str) -> String {
    report(account, NO_KEY, NO_KEY)
}

/// As `aws iam get-credential-report` prints it.
fn json(report: &str, generated: &str) -> String {
    let content = base64::engine::general_purpose::STANDARD.encode(report);
    format!(
        "{{\n    \"Content\": \"{content}\",\n    \"ReportFormat\": \"text/csv\",\n    \
         \"GeneratedTime\": \"{generated}\"\n}}\n"
    )
}

/// The time so many seconds ago, as AWS writes it.
fn ago(seconds: i64) -> String {
    Timestamp::from_unix(now() - seconds).to_string()
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench
        .file("clean.csv", clean("000000000012"))
        .file("active.csv", report("111122223333", NO_KEY, ACTIVE))
        .file("inactive.csv", report("222233334444", INACTIVE, NO_KEY))
        .file("torn.csv", &clean("333344445555")[..500])
        .file("empty.csv", "")
        .file("clean.json", json(&clean("444455556666"), &ago(3600)));
    bench
}

#[test]
fn the_exit_code_is_the_result_of_the_reports() {
    let bench = bench();
    for (files, code) in [
        ("clean.csv", 0),
        ("clean.json", 0),
        ("active.csv", 1),
        ("inactive.csv", 1),
        ("torn.csv", 3),
        ("empty.csv", 3),
        ("clean.csv clean.json", 0),
        ("clean.csv torn.csv", 3),
        ("torn.csv active.csv", 1),
        ("inactive.csv torn.csv clean.csv", 1),
    ] {
        let reports = files.replace(' ', " --report ");
        for flags in ["", " --only-findings", " --format json", " --format csv"] {
            bench
                .run(&format!("check --report {reports}{flags}"))
                .exits(code);
        }
    }
}

#[test]
fn the_table_has_each_key_with_its_age_its_last_use_and_the_remediation() {
    let ran = bench().run("check --report active.csv").exits(1);
    ran.says("111122223333")
        .says("1 active")
        .says("key 2  active, since 2019-05-03 10:11Z, last used 2026-09-11 13:14Z for sts in eu-west-3")
        .says("aws-root-exporter remediate --account 111122223333")
        .says("1 account: 1 with root access keys, 0 without.");
    bench()
        .run("check --report inactive.csv")
        .says("1 inactive")
        .says("key 1  inactive, since 2018-01-02 03:04Z, never used");
}

#[test]
fn leading_zeros_stay() {
    for format in ["table", "json", "csv"] {
        bench()
            .run(&format!("check --report clean.csv --format {format}"))
            .says("000000000012");
    }
}

#[test]
fn standard_input_is_a_report_like_any_other() {
    let bench = bench();
    let active = report("111122223333", ACTIVE, NO_KEY);
    bench
        .feed("check --report -", &active)
        .exits(1)
        .says("111122223333");
    // As a shell hands over what another command makes: `--report <(aws …)`.
    bench
        .feed("check --report /dev/stdin", &active)
        .exits(1)
        .says("111122223333");
    bench
        .feed("check --report -", json(&active, &ago(60)))
        .exits(1);
    bench
        .feed("check --report clean.csv --report -", clean("000000000012"))
        .exits(0);
    bench
        .feed("check --report - --report -", &active)
        .exits(2)
        .complains("standard input can be read only once");
}

#[test]
fn a_missing_file_is_reported_by_its_name() {
    let bench = bench();
    for line in [
        "check --report gone.csv",
        "check --report active.csv --report gone.csv",
        "check --report clean.csv --report gone.csv",
    ] {
        bench
            .run(line)
            .exits(2)
            .complains("gone.csv: No such file")
            .never_says("111122223333");
    }
    bench
        .run("check --report gone.csv --report lost.csv")
        .exits(2)
        .complains("check --report gone.csv: No such file")
        .complains("check --report lost.csv: No such file");
    bench
        .run("check --report .")
        .exits(2)
        .complains("--report .");
}

#[test]
fn a_torn_report_is_reported_by_file_and_line() {
    for format in ["table", "json", "csv"] {
        let ran = bench().run(&format!("check --report torn.csv --format {format}"));
        let ran = ran.exits(3).says("torn.csv").says("line 2: ");
        if format != "table" {
            ran.complains("torn.csv: line 2: ");
        }
    }
}

#[test]
fn only_findings_omits_accounts_without_findings_and_keeps_unknown_ones() {
    let ran = bench().run(
        "check --report clean.csv --report active.csv --report torn.csv --report clean.json \
         --only-findings",
    );
    ran.exits(1)
        .never_says("000000000012")
        .never_says("444455556666")
        .says("111122223333")
        .says("torn.csv")
        .says("4 accounts: 1 with root access keys, 2 without, 1 unknown.");
}

#[test]
fn the_json_has_the_schema_of_the_api() {
    let ran = bench()
        .run("check --report active.csv --report torn.csv --report clean.json --format json");
    let all: Value = serde_json::from_str(&ran.exits(1).out).unwrap();
    let active = &all["accounts"][0];
    assert_eq!(active["account"], "111122223333");
    assert_eq!(active["root"]["access_keys_active"], 1);
    assert_eq!(active["root"]["access_keys"][0]["key"], "2");
    assert!(
        active["observed"].is_null(),
        "a CSV does not say when it was made"
    );
    let clean = &all["accounts"][1];
    assert_eq!(clean["root"]["access_keys_present"], 0);
    assert!(clean["observed"].is_string(), "{clean}");
    assert_eq!(all["accounts"].as_array().unwrap().len(), 2);
    assert_eq!(all["reports"][1]["file"], "torn.csv");
    assert!(
        all["reports"][1]["error"]
            .as_str()
            .unwrap()
            .starts_with("line 2")
    );
    assert_eq!(all["reports"][2]["account"], "444455556666");
}

#[test]
fn the_csv_has_one_line_per_account() {
    let ran = bench()
        .run("check --report active.csv --report inactive.csv --report torn.csv --format csv")
        .exits(1);
    let mut reader = csv::Reader::from_reader(ran.out.as_bytes());
    let rows: Vec<std::collections::HashMap<String, String>> =
        reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["account"], "111122223333");
    assert_eq!(rows[0]["verdict"], "active");
    assert_eq!(rows[0]["key_2_last_used_region"], "eu-west-3");
    assert_eq!(rows[0]["key_1_active"], "");
    assert_eq!(rows[1]["verdict"], "inactive");
    assert_eq!(rows[1]["root_access_keys_present"], "1");
    assert_eq!(rows[2]["verdict"], "unknown");
    assert_eq!(rows[2]["report"], "torn.csv");
}

#[test]
fn only_the_findings_of_a_report_that_is_too_old_count() {
    let bench = bench();
    let check = |flags: &str, report: &str, age: i64| {
        bench.feed(
            &format!("check --report - {flags}"),
            json(report, &ago(age)),
        )
    };
    let active = report("111122223333", NO_KEY, ACTIVE);
    for (flags, age, code) in [
        ("", DAY - 60, 0),
        ("", DAY + 60, 3),
        ("", 8 * DAY, 3),
        ("--only-findings", 8 * DAY, 3),
        ("--format json", 8 * DAY, 3),
        ("--format csv", 8 * DAY, 3),
        ("--max-age 9d", 8 * DAY, 0),
        ("--max-age 1h", 2 * 3600, 3),
    ] {
        check(flags, &clean("000000000012"), age).exits(code);
    }
    check("", &clean("000000000012"), 8 * DAY)
        .says("000000000012")
        .says("unknown")
        .says("8 days old: too old to show the current state")
        .says("save the report again");
    let ran = check("--format json", &clean("000000000012"), 8 * DAY);
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    let root = &all["accounts"][0]["root"];
    assert!(root["access_keys_active"].is_null(), "{root}");
    assert!(root["mfa_enabled"].is_null(), "{root}");
    check("", &active, 8 * DAY).exits(1).says("1 active");

    // In China no account has root credentials, and an old report does not say even that.
    let china = users_of_china();
    check("", &china, 60).exits(0);
    check("", &china, 8 * DAY).exits(3);
}

#[test]
fn a_csv_is_at_least_as_old_as_its_file() {
    let bench = bench();
    let file = std::fs::File::options()
        .write(true)
        .open(bench.path("clean.csv"))
        .unwrap();
    let saved = u64::try_from(now() - 2 * DAY).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(saved))
        .unwrap();
    bench
        .run("check --report clean.csv")
        .exits(3)
        .says("clean.csv does not say when it was made, at the earliest 2026-09-11 13:14Z, at the latest ");
    bench.run("check --report clean.csv --max-age 3d").exits(0);
    let old = std::fs::File::open(bench.path("clean.csv")).unwrap();
    let status = bench.command("check --report -").stdin(old).status();
    assert_eq!(
        status.unwrap().code(),
        Some(3),
        "standard input from a file"
    );
}

#[test]
fn a_report_from_the_future_is_an_error() {
    let report = json(&clean("000000000012"), &ago(-3600));
    bench()
        .feed("check --report -", report)
        .exits(3)
        .says("a time in the future")
        .never_says("000000000012");
}

#[test]
fn each_format_of_the_aws_cli_is_read() {
    let bench = bench();
    let report = report("111122223333", NO_KEY, ACTIVE);
    let base64 = base64::engine::general_purpose::STANDARD.encode(&report);
    let made = ago(60);
    for saved in [
        format!("{base64}\n"),
        format!("\"{base64}\"\n"),
        format!("{base64}\t{made}\ttext/csv\n"),
        format!("Content: {base64}\nGeneratedTime: '{made}'\nReportFormat: text/csv\n"),
    ] {
        bench
            .feed("check --report -", saved)
            .exits(1)
            .says("111122223333");
    }
    bench
        .feed(
            "check --report -",
            "-----------------------\n|  GetCredentialReport  |\n",
        )
        .exits(3)
        .says("this is a table of the AWS CLI")
        .says("--output json");
}

#[test]
fn no_root_mfa_is_a_finding_where_there_may_be_a_password() {
    let bench = bench();
    let without_mfa =
        clean("111122223333").replacen("not_supported,true", "not_supported,false", 1);
    let without_password = without_mfa.replacen("Z,true,no_information", "Z,false,N/A", 1);
    let inactive = report("222233334444", INACTIVE, NO_KEY);
    for (report, flags, code) in [
        (&without_mfa, "", 1),
        (&without_mfa, "--only-findings", 1),
        (&without_mfa, "--fail-on active,present,mfa,unknown", 1),
        (&without_mfa, "--fail-on mfa", 1),
        (&without_mfa, "--fail-on active,present,unknown", 0),
        (&without_password, "", 0),
        (&inactive, "--fail-on active,mfa,unknown", 0),
        (&inactive, "--fail-on present", 1),
        (&inactive, "--fail-on active --fail-on present", 1),
    ] {
        bench
            .feed(&format!("check --report - {flags}"), report)
            .exits(code);
    }
    bench
        .feed("check --report - --only-findings", &without_mfa)
        .says("111122223333")
        .says("off")
        .says("give the root user MFA")
        .says("0 with root access keys, 1 without; 1 without root MFA.");
    for (flags, code) in [("--fail-on active", 0), ("--fail-on unknown", 3)] {
        bench
            .run(&format!("check --report torn.csv {flags}"))
            .exits(code);
    }
    // An active key is present, too.
    bench
        .run("check --report active.csv --fail-on present")
        .exits(1);
}

#[test]
fn the_worst_finding_is_printed_first() {
    let bench = bench();
    bench.file(
        "mfa.csv",
        clean("000000000099").replacen("not_supported,true", "not_supported,false", 1),
    );
    let ran = bench.run(
        "check --report clean.csv --report torn.csv --report inactive.csv --report mfa.csv \
         --report active.csv",
    );
    let order = [
        "111122223333",
        "000000000099",
        "222233334444",
        "torn.csv",
        "000000000012",
    ];
    let places = order.map(|what| ran.out.find(what).unwrap());
    assert!(places.is_sorted(), "{places:?}: {}", ran.out);
}

#[test]
fn no_cell_of_the_csv_is_a_formula() {
    let bench = bench();
    for name in ["=HYPERLINK(\\\"http://x\\\")", "+1", "-1", "@x", "\\t=1"] {
        bench.file(
            "config.toml",
            format!(
                "[[accounts]]\nid = \"111122223333\"\nname = \"{name}\"\n\
                 role_arn = \"arn:aws:iam::111122223333:role/x\"\n"
            ),
        );
        let ran = bench.run("check --report active.csv --format csv").exits(1);
        let mut reader = csv::Reader::from_reader(ran.out.as_bytes());
        for record in reader.records() {
            for cell in &record.unwrap() {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{cell:?}");
            }
        }
        assert!(ran.out.contains("111122223333"), "{name}: {}", ran.out);
    }
}

/// Threads cannot be started without a descriptor for them.
#[cfg(unix)]
#[test]
fn a_check_that_cannot_start_reports_no_keys() {
    let bench = bench();
    let command = bench.command("check");
    let ran = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 4; exec \"$0\" check"])
        .arg(command.get_program())
        .current_dir(bench.path(""))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&ran.stderr);
    assert!(error.contains("cannot start its threads"), "{error}");
    assert_eq!(ran.status.code(), Some(3), "{error}");
}

#[test]
fn an_account_has_the_name_that_the_configuration_gives_it() {
    let bench = bench();
    bench.file(
        "config.toml",
        "[[accounts]]\nid = \"111122223333\"\nname = \"production\"\n\
         role_arn = \"arn:aws:iam::111122223333:role/x\"\n",
    );
    bench.run("check --report active.csv").says("production");
    bench.file("config.toml", "[web]\nport = 1\n");
    bench
        .run("check --report active.csv")
        .exits(2)
        .complains("config.toml: web.port");
}

/// A report of China, where no account has a root user.
fn users_of_china() -> String {
    report("111122223333", NO_KEY, NO_KEY)
        .replace("arn:aws:", "arn:aws-cn:")
        .lines()
        .filter(|line| !line.starts_with("<root_account>"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_report_of_china_has_no_root_user() {
    Bench::new()
        .feed("check --report -", users_of_china())
        .exits(0)
        .says("accounts in aws-cn have no root user credentials");
}

#[test]
fn colours_are_for_terminals() {
    bench()
        .run("check --report active.csv --report torn.csv")
        .never_says("\u{1b}[");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let bench = bench();
    let mut child = bench
        .command("check --report active.csv")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
