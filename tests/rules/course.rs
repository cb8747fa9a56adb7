//! Courses of events, described as what each scrape returns, and the files that `promtool test rules`
//! takes for them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use test_support::program::succeed;
use test_support::repository;

/// The evaluation interval of the shipped configuration, in seconds.
pub const EVALUATION: u32 = 30;

/// The samples of one scrape, by their series without `job` and `instance`; `None` if it fails.
pub type Scrape = Option<Vec<(String, f64)>>;

/// A scrape target, with the result of a scrape at each second.
pub struct Replica {
    instance: &'static str,
    /// Prometheus has the target from this second until before that one.
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

/// Values in promtool's notation; a value that repeats is written once.
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

/// A course of events at one scrape interval, and how many alerts must fire at which second.
pub struct Course {
    name: String,
    every: u32,
    replicas: Vec<Replica>,
    expected: Vec<(u32, String, u32)>,
}

impl Course {
    pub fn new(name: impl Into<String>, every: u32, replicas: Vec<Replica>) -> Self {
        Self {
            name: format!("{}, a scrape every {every} s", name.into()),
            every,
            replicas,
            expected: Vec::new(),
        }
    }

    /// Expects this number of firing alerts that match the selector, at each evaluation from one
    /// second to another.
    pub fn firing(mut self, seconds: (u32, u32), selector: &str, count: u32) -> Self {
        let mut second = seconds.0.next_multiple_of(EVALUATION);
        while second <= seconds.1 {
            self.expected.push((second, selector.to_owned(), count));
            second += EVALUATION;
        }
        self
    }

    /// The same at one minute.
    pub fn firing_at(self, minute: u32, selector: &str, count: u32) -> Self {
        self.firing((minute * 60, minute * 60), selector, count)
    }

    fn write(&self, text: &mut String) {
        let seconds = self.expected.iter().map(|(second, ..)| *second);
        let end = seconds.max().unwrap_or(0) + 60;
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
        for (second, selector, count) in &self.expected {
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

/// Courses of events that are tested with one file of rules, at one evaluation interval.
pub struct Suite {
    pub rules: &'static str,
    pub evaluation: u32,
    pub courses: Vec<Course>,
}

/// Runs all suites by one `promtool test rules`.
pub fn check(suites: impl IntoIterator<Item = Suite>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut promtool = Command::new("promtool");
    promtool.args(["test", "rules"]);
    for (index, suite) in suites.into_iter().enumerate() {
        let rules = repository(suite.rules).display().to_string();
        let interval = suite.evaluation;
        let mut text =
            format!("rule_files: [{rules:?}]\nevaluation_interval: {interval}s\ntests:\n");
        for course in &suite.courses {
            course.write(&mut text);
        }
        let path = folder.path().join(format!("{index}.yml"));
        fs::write(&path, text).expect("the temporary folder is writable");
        promtool.arg(path);
    }
    succeed(&mut promtool);
}
