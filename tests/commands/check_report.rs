//! `check --report`: saved reports, on a machine without AWS.

use base64::Engine;
use serde_json::Value;

use crate::support::Bench;

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

fn bench() -> Bench {
    let bench = Bench::new();
    bench
        .file("clean.csv", clean("000000000012"))
        .file("active.csv", report("111122223333", NO_KEY, ACTIVE))
        .file("inactive.csv", report("222233334444", INACTIVE, NO_KEY))
        .file("torn.csv", &clean("333344445555")[..500])
        .file("empty.csv", "")
        .file(
            "clean.json",
            json(&clean("444455556666"), "2026-09-11T13:14:52+00:00"),
        );
    bench
}

#[test]
fn the_exit_code_says_what_the_reports_come_to() {
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
fn the_table_says_which_key_since_when_used_when_and_where_and_what_to_do() {
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
        .feed("check --report -", json(&active, "2026-09-11T13:14:52Z"))
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
fn a_missing_file_is_told_by_its_name() {
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
        .run("check --report .")
        .exits(2)
        .complains("--report .");
}

#[test]
fn a_torn_report_is_told_by_file_and_line() {
    for format in ["table", "json", "csv"] {
        let ran = bench().run(&format!("check --report torn.csv --format {format}"));
        let ran = ran.exits(3).says("torn.csv").says("line 2: ");
        if format != "table" {
            ran.complains("torn.csv: line 2: ");
        }
    }
}

#[test]
fn only_findings_leaves_out_what_is_fine_and_keeps_what_is_unknown() {
    let ran = bench().run(
        "check --report clean.csv --report active.csv --report torn.csv --report clean.json \
         --only-findings",
    );
    ran.exits(1)
        .never_says("000000000012")
        .never_says("444455556666")
        .says("111122223333")
        .says("torn.csv")
        .says("4 accounts: 1 with root access keys, 2 without, 1 that could not be judged.");
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
    assert_eq!(clean["observed"], "2026-09-11T13:14:52Z");
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
fn the_csv_has_one_line_an_account() {
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
fn an_old_report_says_that_it_cannot_tell_what_holds_today() {
    let bench = bench();
    bench
        .feed(
            "check --report -",
            json(&clean("000000000012"), "2020-01-01T00:00:00Z"),
        )
        .exits(0)
        .says("2020-01-01 00:00Z")
        .says("days old: too old to tell what holds today");
    bench
        .run("check --report clean.csv")
        .says("clean.csv does not say when it was made, at the earliest 2026-09-11 13:14Z");
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

#[test]
fn a_report_of_china_has_no_root_user() {
    let users = report("111122223333", NO_KEY, NO_KEY)
        .replace("arn:aws:", "arn:aws-cn:")
        .lines()
        .filter(|line| !line.starts_with("<root_account>"))
        .collect::<Vec<_>>()
        .join("\n");
    Bench::new()
        .feed("check --report -", users)
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
fn the_reader_may_leave_early() {
    let bench = bench();
    let mut child = bench
        .command("check --report active.csv")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
