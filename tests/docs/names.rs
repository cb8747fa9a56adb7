//! Metrics, label values, settings, commands, flags and alerts that the documents name exist.

use std::collections::BTreeSet;
use std::ops::Deref;

use aws_root_exporter::cli::args;
use aws_root_exporter::failure::Reason;
use aws_root_exporter::metrics::{self, MetricType};
use clap::error::ErrorKind;
use regex::Regex;
use root_posture::Source;

use crate::markdown::{Page, expect_none, files, page, pages, read, rows, spans};

/// The pages that are not generated.
fn written() -> Vec<Page> {
    let mut pages = pages();
    pages.retain(|page| page.path != "docs/metrics.md");
    pages
}

#[test]
fn every_metric_that_is_named_is_in_the_catalogue() {
    let named =
        Regex::new(r"\b(?:aws_(?:root|accounts?|iam|credential)|process)_[a-z0-9_]*[a-z0-9]")
            .unwrap();
    let mut known = BTreeSet::new();
    for family in metrics::catalogue() {
        known.insert(family.name.to_owned());
        known.extend(family.labels.iter().map(Deref::deref).map(str::to_owned));
        if matches!(family.kind, MetricType::Histogram) {
            known.extend(["bucket", "count", "sum"].map(|part| format!("{}_{part}", family.name)));
        }
    }
    let mut count = 0;
    let mut problems = Vec::new();
    for page in written() {
        for code in page.code() {
            for name in named.find_iter(code) {
                count += 1;
                // `aws_root_*` and `aws_iam_users_…` are patterns.
                let rest = &code[name.end()..];
                let is_pattern =
                    rest.starts_with('*') || rest.starts_with("_*") || rest.starts_with('…');
                if !known.contains(name.as_str()) && !is_pattern {
                    problems.push(format!(
                        "{}: there is no metric {}; docs/metrics.md lists all",
                        page.path,
                        name.as_str()
                    ));
                }
            }
        }
    }
    expect_none(&problems);
    assert!(count > 50, "only {count} names were found");
}

/// `section.key` for every setting of config.toml. Another test checks that config.toml is complete.
fn settings() -> BTreeSet<String> {
    let mut section = String::new();
    let mut settings = BTreeSet::new();
    let key = Regex::new(r"^#?([a-z_]+) = ").unwrap();
    for line in read("config.toml").lines() {
        let bare = line.trim_start_matches('#');
        if bare.starts_with('[') && bare.ends_with(']') {
            bare.trim_matches(['[', ']']).clone_into(&mut section);
            settings.insert(section.clone());
        } else if let Some(found) = key.captures(line) {
            settings.insert(format!("{section}.{}", &found[1]));
        }
    }
    assert!(settings.len() > 30, "{settings:?}");
    settings
}

#[test]
fn every_setting_that_is_named_is_in_config_toml() {
    let settings = settings();
    let sections: Vec<&str> = settings
        .iter()
        .map(String::as_str)
        .filter(|setting| !setting.contains('.'))
        .collect();
    let named = Regex::new(&format!(r"^(?:{})\.[a-z_]+\b", sections.join("|"))).unwrap();
    let variable = Regex::new(r"AWS_ROOT_EXPORTER__([A-Z]+)__([A-Z_]+)").unwrap();
    let mut count = 0;
    let mut problems = Vec::new();
    for page in written() {
        let in_files = [".yml", ".yaml", ".json", ".redb", ".toml", ".md"];
        let spans = page
            .spans
            .iter()
            .filter(|span| !in_files.iter().any(|ending| span.ends_with(ending)));
        let by_key = spans.filter_map(|span| Some(named.find(span)?.as_str().to_owned()));
        let by_variable = variable
            .captures_iter(&page.text)
            .map(|found| format!("{}.{}", &found[1], &found[2]).to_lowercase())
            // The placeholder for all of them.
            .filter(|setting| setting != "section.key");
        for setting in by_key.chain(by_variable) {
            count += 1;
            if !settings.contains(&setting) {
                problems.push(format!(
                    "{}: there is no setting {setting}; config.toml lists all",
                    page.path
                ));
            }
        }
    }
    expect_none(&problems);
    assert!(count > 20, "only {count} settings were found");
}

#[test]
fn the_table_of_reasons_is_complete() {
    let evidence = page("docs/evidence.md");
    let listed: Vec<String> = rows(evidence.section("When it fails"))
        .map(|cells| spans(cells[0]).remove(0))
        .collect();
    let reasons: Vec<String> = Reason::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(
        listed, reasons,
        "docs/evidence.md, When it fails: a row for each reason of src/failure.rs, in its order"
    );
}

#[test]
fn the_table_of_sources_is_complete() {
    let evidence = page("docs/evidence.md");
    let listed: Vec<String> = rows(evidence.section("Sources"))
        .map(|cells| spans(cells[0]).remove(0))
        .collect();
    let sources: Vec<String> = Source::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(
        listed, sources,
        "docs/evidence.md, Sources: a row for each source of crates/root-posture, in its order"
    );
}

#[test]
fn sources_and_reasons_in_queries_exist() {
    let selected = Regex::new(r#"\b(source|reason)=~?"([^"]*)""#).unwrap();
    let sources = Source::ALL.map(Source::as_str);
    let reasons: Vec<_> = Reason::ALL.iter().map(|it| it.as_str()).collect();
    // The reasons for which an account leaves, as in docs/metrics.md.
    let leaves = ["closed", "excluded", "removed"];
    let mut problems = Vec::new();
    for page in written() {
        for found in page.code().flat_map(|code| selected.captures_iter(code)) {
            for value in found[2].split('|') {
                let is_known = match &found[1] {
                    "source" => sources.contains(&value),
                    _ => reasons.contains(&value) || leaves.contains(&value),
                };
                if !is_known {
                    problems.push(format!("{}: there is no {} {value}", page.path, &found[1]));
                }
            }
        }
    }
    expect_none(&problems);
}

/// The lines of shell code that run the exporter, with continued lines joined.
fn command_lines(page: &Page) -> Vec<String> {
    let is_shell = |language: &str| matches!(language, "sh" | "bash" | "console");
    let blocks = page
        .blocks
        .iter()
        .filter(|block| is_shell(&block.language))
        .map(|block| block.text.replace("\\\n", " "));
    let lines: Vec<String> = blocks
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .map(|line| line.trim_start().trim_start_matches("$ ").to_owned())
        .collect();
    lines
        .into_iter()
        .chain(page.spans.iter().cloned())
        .filter(|line| {
            line.strip_prefix("aws-root-exporter")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
        .collect()
}

/// The arguments of a command line, or `None` if it is abbreviated.
fn words(line: &str) -> Option<Vec<String>> {
    let ends = [" |", " #", " >", " <", " &&", ";"];
    let end = ends.iter().filter_map(|end| line.find(end)).min();
    let line = &line[..end.unwrap_or(line.len())];
    if line.contains(['…', '{', '[', '$']) {
        return None;
    }
    let placeholder = |word: &str| match word {
        "ID" => "111122223333".to_owned(),
        "ARN" => "arn:aws:iam::111122223333:role/example".to_owned(),
        word => word.trim_matches(['"', '\'']).to_owned(),
    };
    Some(line.split_whitespace().map(placeholder).collect())
}

#[test]
fn every_command_line_is_valid() {
    let mut count = 0;
    let mut problems = Vec::new();
    for page in written() {
        for line in command_lines(&page) {
            let Some(words) = words(&line) else { continue };
            count += 1;
            let Err(error) = args::parse(&words) else {
                continue;
            };
            // A document may name a command without its arguments.
            let is_named = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::DisplayHelp
                    | ErrorKind::DisplayVersion
            );
            if !is_named {
                problems.push(format!("{}: `{line}`: {error}", page.path));
            }
        }
    }
    expect_none(&problems);
    assert!(count > 10, "only {count} command lines were found");
}

#[test]
fn every_flag_of_the_daemon_that_is_named_exists() {
    let flag = Regex::new(r"^--[a-z]+\.[a-z.-]+").unwrap();
    let mut problems = Vec::new();
    for page in written() {
        for found in page.spans.iter().filter_map(|span| flag.find(span)) {
            let parsed = args::parse(["aws-root-exporter", found.as_str()]);
            if parsed.is_err_and(|error| error.kind() == ErrorKind::UnknownArgument) {
                problems.push(format!(
                    "{}: there is no flag {}; see aws-root-exporter --help",
                    page.path,
                    found.as_str()
                ));
            }
        }
    }
    expect_none(&problems);
}

#[test]
fn every_alert_that_is_named_is_in_the_rules() {
    let declared = Regex::new(r"(?m)^\s*- alert: (\w+)$").unwrap();
    let rules = files("deploy/prometheus");
    let rules = rules.iter().filter(|path| path.ends_with(".rules.yml"));
    let alerts: BTreeSet<String> = rules
        .flat_map(|path| {
            let text = read(path);
            let found = declared
                .captures_iter(&text)
                .map(|found| found[1].to_owned());
            found.collect::<Vec<_>>()
        })
        .collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    let named = Regex::new(r"\bAWS(?:Root|Account|IAM|Credential|Organization)[A-Z]\w+").unwrap();
    let mut problems = Vec::new();
    for page in written() {
        for alert in named.find_iter(&page.text) {
            if !alerts.contains(alert.as_str()) {
                problems.push(format!(
                    "{}: there is no alert {}; deploy/prometheus has all rules",
                    page.path,
                    alert.as_str()
                ));
            }
        }
    }
    expect_none(&problems);
}
