//! What Prometheus sees second by second, for scrape intervals of any length, and promtool test
//! files made of it. `timeline.rs` does the same minute by minute, where the pace does not matter.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Prometheus' pace of evaluation in the shipped configuration, in seconds.
pub const EVALUATION: u32 = 30;

/// The samples of one scrape, by their series without `job` and `instance`; `None` if it fails.
pub type Scrape = Option<Vec<(String, f64)>>;

/// One scrape target: what a scrape at a second finds.
pub struct Replica {
    instance: &'static str,
    /// Before this second, and from that one on, Prometheus has no such target.
    from: u32,
    until: u32,
    scrape: Box<dyn Fn(u32) -> Scrape>,
}

impl Replica {
    pub fn new(instance: &'static str, scrape: impl Fn(u32) -> Scrape + 'static) -> Self {
        Self {
            instance,
            from: 0,
            until: u32::MAX,
            scrape: Box::new(scrape),
        }
    }

    pub const fn between(mut self, from: u32, until: u32) -> Self {
        (self.from, self.until) = (from, until);
        self
    }

    /// Its series in promtool's notation: a stale marker where one ends, `_` while it is absent.
    fn series(&self, every: u32, end: u32) -> BTreeMap<String, String> {
        let steps = (end / every + 1) as usize;
        let mut all: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
        for step in 0..steps {
            let second = u32::try_from(step).unwrap() * every;
            if second < self.from || second >= self.until {
                continue;
            }
            let scrape = (self.scrape)(second);
            let up = f64::from(u8::from(scrape.is_some()));
            let samples = scrape.into_iter().flatten();
            for (name, value) in samples.chain([("up{}".to_owned(), up)]) {
                let values = all.entry(name).or_insert_with(|| vec![None; steps]);
                values[step] = Some(value);
            }
        }
        let labels = format!("job=\"aws-root-exporter\",instance=\"{}\"", self.instance);
        let join = |name: String| match name.strip_suffix("{}") {
            Some(bare) => format!("{bare}{{{labels}}}"),
            None => format!("{},{labels}}}", name.trim_end_matches('}')),
        };
        all.into_iter()
            .map(|(name, values)| (join(name), notation(&values)))
            .collect()
    }
}

/// Values one after another; the same value many times is written once.
fn notation(values: &[Option<f64>]) -> String {
    let mut text = String::new();
    let mut before = None;
    for run in values.chunk_by(|a, b| a == b) {
        let more = run.len() - 1;
        match run[0] {
            Some(value) if more > 0 => write!(text, "{value}x{more} "),
            Some(value) => write!(text, "{value} "),
            None if before.is_none() => write!(text, "_x{} ", run.len()),
            None if more > 0 => write!(text, "stale _x{more} "),
            None => write!(text, "stale "),
        }
        .unwrap();
        before = run[0];
    }
    text
}

/// A course of events at one scrape interval, and how many alerts fire when.
pub struct Course {
    name: String,
    every: u32,
    replicas: Vec<Replica>,
    asked: Vec<(u32, String, u32)>,
}

impl Course {
    pub fn new(name: impl Into<String>, every: u32, replicas: Vec<Replica>) -> Self {
        Self {
            name: format!("{}, a scrape every {every} s", name.into()),
            every,
            replicas,
            asked: Vec::new(),
        }
    }

    /// From this second to that one so many alerts fire that this selector takes.
    pub fn firing(mut self, seconds: (u32, u32), selector: &str, count: u32) -> Self {
        let mut second = seconds.0.next_multiple_of(EVALUATION);
        while second <= seconds.1 {
            self.asked.push((second, selector.to_owned(), count));
            second += EVALUATION;
        }
        self
    }

    fn write(&self, text: &mut String) {
        let end = self.asked.iter().map(|asked| asked.0).max().unwrap_or(0) + 60;
        let (name, every) = (&self.name, self.every);
        write!(
            text,
            "  - name: {name:?}\n    interval: {every}s\n    input_series:\n"
        )
        .unwrap();
        for replica in &self.replicas {
            for (series, values) in replica.series(every, end) {
                writeln!(
                    text,
                    "      - {{series: '{series}', values: '{}'}}",
                    values.trim()
                )
                .unwrap();
            }
        }
        text.push_str("    promql_expr_test:\n");
        for (second, selector, count) in &self.asked {
            let expression =
                format!("count(ALERTS{{alertstate=\"firing\",{selector}}}) or vector(0)");
            writeln!(
                text,
                "      - {{expr: '{expression}', eval_time: {second}s, exp_samples: [{{labels: '{{}}', value: {count}}}]}}"
            )
            .unwrap();
        }
    }
}

/// A file for `promtool test rules`.
pub fn promtool_file(rules: &str, courses: &[Course]) -> String {
    let mut text = format!("rule_files: [{rules:?}]\nevaluation_interval: {EVALUATION}s\ntests:\n");
    for course in courses {
        course.write(&mut text);
    }
    text
}
