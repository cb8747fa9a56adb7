//! What Prometheus sees minute by minute, and promtool test files made of it.
//!
//! A scenario is a handful of instances, each with phases: so many minutes of these samples, or
//! of none because the scrape fails. It asks at minutes which alerts fire.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The value of a sample at a minute.
#[derive(Clone, Copy)]
pub enum Value {
    Is(f64),
    /// A moment this many seconds before now.
    Ago(f64),
}

/// A series without `job` and `instance`, which the instance that shows it adds.
#[derive(Clone, Copy)]
pub struct Shows(pub &'static str, pub Value);

/// What an instance shows at one minute, by the series; `None` while it is away.
type Minute = Option<BTreeMap<String, f64>>;

/// One scrape target from the first minute on.
pub struct Instance {
    name: &'static str,
    shard: u8,
    shards: u8,
    minutes: Vec<Minute>,
}

impl Instance {
    pub fn named(name: &'static str) -> Self {
        Self {
            name,
            shard: 0,
            shards: 1,
            minutes: Vec::new(),
        }
    }

    pub fn shard(mut self, index: u8, total: u8) -> Self {
        (self.shard, self.shards) = (index, total);
        self
    }

    /// Shows these for so many minutes.
    pub fn shows(mut self, minutes: usize, series: &[Shows]) -> Self {
        for _ in 0..minutes {
            let at = f64::from(u32::try_from(self.minutes.len()).unwrap()) * 60.0;
            let mut shown: BTreeMap<_, _> = series
                .iter()
                .map(|Shows(name, value)| {
                    let value = match value {
                        Value::Is(value) => *value,
                        Value::Ago(seconds) => at - seconds,
                    };
                    ((*name).to_owned(), value)
                })
                .collect();
            let itself = [
                ("aws_root_exporter_shard_index{}", self.shard),
                ("aws_root_exporter_shard_total{}", self.shards),
            ];
            for (name, value) in itself {
                shown.insert(name.to_owned(), f64::from(value));
            }
            self.minutes.push(Some(shown));
        }
        self
    }

    /// Cannot be scraped for so many minutes.
    pub fn away(mut self, minutes: usize) -> Self {
        self.minutes.extend((0..minutes).map(|_| None));
        self
    }

    /// Its series in promtool's notation: a stale marker where one ends, `_` while it is absent.
    fn series(&self) -> Vec<(String, String)> {
        let mut names: Vec<_> = self
            .minutes
            .iter()
            .flatten()
            .flat_map(|m| m.keys())
            .collect();
        names.sort();
        names.dedup();
        let labels = format!("job=\"aws-root-exporter\",instance=\"{}\"", self.name);
        let mut all: Vec<_> = names
            .into_iter()
            .map(|name| {
                let mut before = false;
                let values = self.minutes.iter().map(|minute| {
                    let value = minute.as_ref().and_then(|shown| shown.get(name));
                    let text = match value {
                        Some(value) => format!("{value}"),
                        None if before => "stale".to_owned(),
                        None => "_".to_owned(),
                    };
                    before = value.is_some();
                    text
                });
                let values = values.collect::<Vec<_>>().join(" ");
                let joined = match name.strip_suffix("{}") {
                    Some(bare) => format!("{bare}{{{labels}}}"),
                    None => format!("{},{labels}}}", name.trim_end_matches('}')),
                };
                (joined, values)
            })
            .collect();
        let up = self
            .minutes
            .iter()
            .map(|m| if m.is_some() { "1" } else { "0" });
        all.push((format!("up{{{labels}}}"), up.collect::<Vec<_>>().join(" ")));
        all
    }
}

/// A course of events, and which alerts fire when.
pub struct Scenario {
    name: String,
    instances: Vec<Instance>,
    asked: Vec<(usize, String, usize)>,
}

impl Scenario {
    pub fn new(name: impl Into<String>, instances: Vec<Instance>) -> Self {
        Self {
            name: name.into(),
            instances,
            asked: Vec::new(),
        }
    }

    /// At this minute so many alerts fire that this selector takes.
    pub fn firing(mut self, minute: usize, selector: &str, count: usize) -> Self {
        self.asked.push((minute, selector.to_owned(), count));
        self
    }

    fn write(&self, text: &mut String) {
        writeln!(
            text,
            "  - name: {:?}\n    interval: 1m\n    input_series:",
            self.name
        )
        .unwrap();
        for (series, values) in self.instances.iter().flat_map(Instance::series) {
            writeln!(
                text,
                "      - series: '{series}'\n        values: '{values}'"
            )
            .unwrap();
        }
        text.push_str("    promql_expr_test:\n");
        for (minute, selector, count) in &self.asked {
            let expression =
                format!("count(ALERTS{{alertstate=\"firing\",{selector}}}) or vector(0)");
            writeln!(
                text,
                "      - expr: '{expression}'\n        eval_time: {minute}m\n        exp_samples:\n          - labels: '{{}}'\n            value: {count}"
            )
            .unwrap();
        }
    }
}

/// A file for `promtool test rules`.
pub fn promtool_file(rules: &[String], scenarios: &[Scenario]) -> String {
    let mut text = format!("rule_files: {rules:?}\nevaluation_interval: 1m\ntests:\n");
    for scenario in scenarios {
        scenario.write(&mut text);
    }
    text
}
