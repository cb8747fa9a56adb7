//! `check --format ocsf` and `--format junit`, read by the schema of OCSF and by a parser of JUnit
//! reports.

use std::process::Command;

use test_support::program::{succeed, venv};
use test_support::repository;
use test_support::simulated::{DAY, EXTERNAL_ID, Simulated, account, id, listed, now};

/// The lines that the reader prints for the output of a check.
fn read(format: &str, output: &str) -> Vec<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), output).unwrap();
    let lines = succeed(
        Command::new(venv("python"))
            .arg(repository("tests/tools/findings_check.py"))
            .arg(format)
            .arg(file.path()),
    );
    lines.lines().map(str::to_owned).collect()
}

/// Accounts with every outcome: without a finding, with an accepted key, with a key and without MFA, with an
/// inactive key, and unreadable. The name of one is hostile.
fn simulated() -> (Simulated, String) {
    let hostile = "a <b> & \"c\" ]]> \u{1} 'd'";
    let names = ["fine", "accepted", hostile, "inactive", "unreadable"];
    let accounts = (101..)
        .zip(names)
        .map(|(number, name)| account(number, name));
    let aws = Simulated::with(accounts);
    let edit = |number, edit: fn(&mut aws_simulator::Account)| aws.world.edit(id(number), edit);
    edit(101, |account| account.root.mfa = true);
    edit(102, |account| {
        account.root.mfa = true;
        account.root.create_key(now() - 100 * DAY);
    });
    edit(103, |account| {
        account.root.mfa = false;
        account.root.create_key(now() - 100 * DAY);
        account.root.use_key(0, now() - DAY, "eu-west-1", "s3");
    });
    edit(104, |account| {
        account.root.mfa = true;
        account.root.create_key(now() - 100 * DAY);
        account.root.deactivate_keys();
    });
    let accounts: String = (101..=104).map(listed).collect();
    let config = format!(
        "{accounts}[[accounts]]\nid = \"{}\"\nrole_arn = \"arn:aws:iam::{0}:role/missing\"\n\
         external_id = \"{EXTERNAL_ID}\"\nlabels = {{ team = \"payments\" }}\n\
         [[exceptions]]\naccount = \"{}\"\nkey = \"AKIAIOSFODNN7EXAMPLE\"\n\
         reason = \"the old backup\"\nuntil = \"2999-12-31\"\n",
        id(105),
        id(102),
    );
    (aws, config)
}

fn check(flags: &str) -> String {
    let (aws, config) = simulated();
    let bench = aws.bench();
    bench.file("config.toml", &config);
    bench.run(&format!("check {flags}")).exits(1).out
}

#[test]
fn findings_are_valid_ocsf_with_the_same_ids_in_every_run() {
    let output = check("--format ocsf");
    let lines = read("ocsf", &output);
    let line = |control: &str, number: u64, rest: &str| {
        format!("aws-root-exporter:{control}:{} {rest}", id(number))
    };
    let expected = [
        ("root-access-keys", 101, "Pass Resolved"),
        ("root-mfa", 101, "Pass Resolved"),
        ("root-access-keys", 102, "Fail Suppressed"),
        ("root-access-keys", 103, "Fail New"),
        ("root-mfa", 103, "Fail New"),
        ("root-access-keys", 104, "Fail New"),
        ("root-access-keys", 105, "Unknown New"),
        ("root-mfa", 105, "Unknown New"),
    ];
    for (control, number, rest) in expected {
        let expected = line(control, number, rest);
        assert!(lines.contains(&expected), "{expected}\n{lines:#?}");
    }
    assert_eq!(lines.len(), 10, "{lines:#?}");
    let only = read("ocsf", &check("--format ocsf --only-findings"));
    let is_bad = |line: &&String| !line.ends_with("Resolved") && !line.ends_with("Suppressed");
    let bad: Vec<_> = lines.iter().filter(is_bad).cloned().collect();
    assert_eq!(only, bad);
}

#[test]
fn a_junit_report_has_a_test_for_each_control_on_each_account() {
    let lines = read("junit", &check("--format junit"));
    let keys = "The root user has no access key";
    for (number, result) in [
        (101, "Passed"),
        (102, "Skipped"),
        (103, "Failure"),
        (104, "Failure"),
        (105, "Error"),
    ] {
        let expected = format!("{}: {keys}: {result}", id(number));
        assert!(lines.contains(&expected), "{expected}\n{lines:#?}");
    }
    assert_eq!(lines.len(), 10, "{lines:#?}");
}

#[test]
fn saved_reports_are_written_in_both_formats_too() {
    let bench = test_support::run::Bench::new();
    let report = repository("fuzz/corpus/report/today.csv");
    let good = report.display();
    bench.file("broken.csv", "no,report\n");
    for format in ["ocsf", "junit"] {
        let run = bench.run(&format!(
            "check --report {good} --report broken.csv --max-age 100000d --format {format}"
        ));
        let lines = read(format, &run.out);
        assert_eq!(lines.len(), 4, "{lines:#?}");
        let is_unread = |line: &&String| line.contains("broken.csv");
        assert_eq!(lines.iter().filter(is_unread).count(), 2, "{lines:#?}");
    }
}
