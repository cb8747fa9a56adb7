//! A strict reader of both formats. It shares nothing with the writer.

use std::collections::{BTreeMap, BTreeSet};

use exporter_toolkit::Format;

#[derive(Debug, Default)]
pub struct Read {
    pub kind: String,
    pub unit: String,
    pub help: String,
    /// Each series: name, labels, value.
    pub samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// The families by name. Panics on anything a strict scraper would refuse.
pub fn parse(text: &str, format: Format) -> BTreeMap<String, Read> {
    let body = match format {
        Format::OpenMetrics => text.strip_suffix("# EOF\n").expect("ends with # EOF"),
        Format::Text => text,
    };
    assert!(
        body.is_empty() || body.ends_with('\n'),
        "ends with a newline"
    );
    let mut families = BTreeMap::<String, Read>::new();
    let mut series = BTreeSet::new();
    let mut current = String::new();
    // Only a line feed ends a line: a carriage return is part of a label's value.
    for line in body.strip_suffix('\n').unwrap_or_default().split('\n') {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (word, name) = (words.next().unwrap(), words.next().unwrap());
            let rest = words.next().unwrap().to_owned();
            if word == "HELP" {
                assert!(!families.contains_key(name), "{name} comes twice");
                name.clone_into(&mut current);
            }
            assert_eq!(name, current, "{line}");
            let family = families.entry(current.clone()).or_default();
            assert!(family.samples.is_empty(), "head after samples: {line}");
            match (word, format) {
                ("HELP", _) => family.help = rest,
                ("TYPE", _) => family.kind = rest,
                ("UNIT", Format::OpenMetrics) => {
                    assert!(name.ends_with(&format!("_{rest}")), "{line}");
                    family.unit = rest;
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let (name, labels, value) = sample(line);
        let family = families.get_mut(&current).expect("a head comes first");
        let suffixes: &[&str] = match (family.kind.as_str(), format) {
            ("histogram", _) => &["_bucket", "_sum", "_count"],
            ("counter", Format::OpenMetrics) => &["_total"],
            _ => &[""],
        };
        let suffix = name.strip_prefix(&current).expect("of the family");
        assert!(suffixes.contains(&suffix), "{line}");
        assert!(
            series.insert((name.clone(), labels.clone())),
            "{line} twice"
        );
        family.samples.push((name, labels, value));
    }
    for (name, family) in &families {
        assert!(!family.samples.is_empty(), "{name} has no samples");
    }
    families
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).expect("a value");
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, after) = rest.split_once("=\"").expect("a label");
            let (value, after) = quoted(after);
            assert!(
                key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{key:?}"
            );
            assert!(labels.insert(key.to_owned(), value).is_none(), "{line}");
            if let Some(after) = after.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = after.strip_prefix(',').expect("another label");
        }
    }
    let value = rest.strip_prefix(' ').expect("a space").parse().unwrap();
    (name.to_owned(), labels, value)
}

/// A label's value up to its closing quote, and what comes after that.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        value.push(match character {
            '"' => return (value, &text[index + 1..]),
            '\\' => match characters.next().expect("an escaped character").1 {
                'n' => '\n',
                same @ ('\\' | '"') => same,
                other => panic!("\\{other}"),
            },
            other => other,
        });
    }
    panic!("no closing quote in {text:?}");
}
