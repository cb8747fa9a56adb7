//! The catalogue and what is exposed are the same list.

use std::collections::BTreeSet;

use prometheus_client::registry::Unit;

use super::build::{everything, rendered, rich, snapshot};
use super::parse::parse;
use exporter_toolkit::Format;

use crate::metrics::{Family, MetricType, Options, catalogue};

#[test]
fn a_snapshot_with_everything_exposes_the_catalogue_and_nothing_else() {
    let text = rendered(&rich(), &everything(), Format::Text);
    let exposed: BTreeSet<String> = parse(&text, Format::Text).into_keys().collect();
    let declared: BTreeSet<String> = catalogue()
        // Only Linux reports the process.
        .filter(|family| cfg!(target_os = "linux") || !family.name.starts_with("process_"))
        .map(|family| family.name.to_owned())
        .collect();
    assert_eq!(exposed, declared);
}

fn is_counter(family: &Family) -> bool {
    matches!(family.kind, MetricType::Counter)
}

#[test]
fn a_family_is_exposed_as_it_is_declared() {
    let snapshot = rich();
    for format in [Format::OpenMetrics, Format::Text] {
        let read = parse(&rendered(&snapshot, &everything(), format), format);
        for family in catalogue() {
            let counter = is_counter(family) && format == Format::OpenMetrics;
            let name = family.name;
            let stem = name.strip_suffix("_total").filter(|_| counter);
            let Some(read) = read.get(stem.unwrap_or(name)) else {
                assert!(name.starts_with("process_"), "{name}");
                continue;
            };
            assert_eq!(read.help, family.help);
            let kind = match (&family.kind, format) {
                (MetricType::Unknown, Format::Text) => "untyped",
                (kind, _) => kind.as_str(),
            };
            assert_eq!(read.kind, kind, "{name}");
            if format == Format::OpenMetrics {
                let unit = family.unit();
                assert_eq!(read.unit, unit.as_ref().map_or("", Unit::as_str), "{name}");
            }
            for (_, labels, _) in &read.samples {
                let own = |label: &&str| *label != "le" && !label.starts_with("label_");
                let found: BTreeSet<&str> = labels.keys().map(String::as_str).filter(own).collect();
                let declared: BTreeSet<&str> = family.labels.iter().copied().collect();
                assert_eq!(found, declared, "{name}");
            }
        }
    }
}

#[test]
fn names_helps_and_units_follow_the_rules_of_the_formats() {
    let mut names = BTreeSet::new();
    for family in catalogue() {
        let name = family.name;
        assert!(names.insert(name), "{name} is declared twice");
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(plain(name), "{name}");
        assert!(family.labels.iter().all(|label| plain(label)), "{name}");
        let help = family.help;
        assert!(
            help.ends_with('.') && !help.ends_with(".."),
            "{name}: {help}"
        );
        assert!(!help.contains(['\n', '\\']), "{name}: {help}");
        let stem = match name.strip_suffix("_total") {
            Some(stem) if is_counter(family) => stem,
            _ => {
                assert!(!is_counter(family), "{name}");
                name
            }
        };
        let unit = ["seconds", "bytes"]
            .into_iter()
            .find(|unit| stem.ends_with(&format!("_{unit}")));
        let declared = family.unit();
        assert_eq!(declared.as_ref().map(Unit::as_str), unit, "{name}");
    }
}

#[test]
fn no_label_collides_with_what_prometheus_attaches() {
    let taken = ["region", "service", "env", "owner", "instance", "job", "le"];
    for family in catalogue() {
        assert!(
            family.labels.iter().all(|label| !taken.contains(label)),
            "{}",
            family.name
        );
    }
}

#[test]
fn the_help_of_a_value_from_a_report_says_how_old_it_can_be() {
    for family in catalogue() {
        if family.help.contains("credential report, ") {
            assert!(family.help.contains("4 hours"), "{}", family.name);
        }
    }
}

#[test]
fn an_empty_snapshot_exposes_the_exporter_alone() {
    let text = rendered(&snapshot(Vec::new()), &Options::default(), Format::Text);
    for name in parse(&text, Format::Text).keys() {
        assert!(
            name.starts_with("aws_root_exporter_") || name.starts_with("process_"),
            "{name}"
        );
    }
}
