//! Samples of the Prometheus text format: names, labels and values.
//!
//! It does not validate the format; promtool and Python's strict parser do.

use std::collections::BTreeMap;

/// One line of an exposition.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its metric.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All samples of one scrape.
#[derive(Debug, Default)]
pub struct Exposition(Vec<Sample>);

impl Exposition {
    /// Reads the samples of a scrape.
    pub fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'));
        Self(
            lines
                .map(|line| parse_sample(line).unwrap_or_else(|| panic!("not a sample: {line}")))
                .collect(),
        )
    }

    /// Every sample of this name whose labels include these.
    pub fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        self.0
            .iter()
            .filter(|sample| sample.name == name)
            .filter(|sample| {
                let mut wanted = labels.iter();
                wanted.all(|(key, value)| sample.labels.get(*key).is_some_and(|v| v == value))
            })
            .collect()
    }

    /// The value of the one sample of this name with these labels; `None` when there is none, which
    /// means that the exporter does not know it.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        match self.all(name, labels)[..] {
            [] => None,
            [sample] => Some(sample.value),
            ref several => panic!("{name} {labels:?} is not one sample: {several:?}"),
        }
    }

    /// Checks the value of the one sample of this name with these labels.
    ///
    /// # Errors
    ///
    /// The value is another, or missing.
    pub fn expect(&self, name: &str, labels: &[(&str, &str)], wanted: f64) -> Result<(), String> {
        let shown = self.value(name, labels);
        // Values are small whole numbers, which floating point holds exactly.
        if shown.is_some_and(|value| (value - wanted).abs() < f64::EPSILON) {
            return Ok(());
        }
        Err(format!("{name} {labels:?} is {shown:?}, not {wanted}"))
    }
}

fn parse_sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(body) = rest.strip_prefix('{') {
        rest = body;
        while !rest.starts_with('}') {
            let (key, quoted) = rest.split_once("=\"")?;
            let (value, after) = parse_quoted(quoted)?;
            let twice = labels.insert(key.to_owned(), value);
            assert!(twice.is_none(), "label {key} is there twice: {line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    // A time and an exemplar may follow the value.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// The text up to the closing quote, and what follows that.
fn parse_quoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            plain => value.push(plain),
        }
    }
    None
}

#[test]
fn labels_are_unescaped_and_values_read() {
    let text = "# HELP a b\n# TYPE a gauge\na{n=\"x\\\"y\\\\z\\n,}=\",account=\"000000000123\"} 1\nb 2.5e3\n# EOF\n";
    let exposition = Exposition::parse(text);
    assert_eq!(
        exposition.all("a", &[])[0].labels["n"],
        "x\"y\\z\n,}=",
        "every escape of the text format"
    );
    assert_eq!(
        exposition.value("a", &[("account", "000000000123")]),
        Some(1.0)
    );
    assert_eq!(exposition.value("b", &[]), Some(2500.0));
    assert_eq!(exposition.value("c", &[]), None);
}
