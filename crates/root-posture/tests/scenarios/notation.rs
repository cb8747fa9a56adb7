//! The notation of the scenarios: it parses and runs them.

use std::time::Duration;

use root_posture::{
    Answer, Counts, Evidence, Limits, LiveSource, Metric, Moment, Record, ReportClaim,
    SourcesInUse, Timestamp, Topic, Topics, Values, judge,
};

use crate::restart::restarted;

pub const LIMITS: Limits = Limits {
    interval: Duration::from_secs(60),
    in_force: Duration::from_secs(60),
    max_staleness: Duration::from_secs(10 * 3600),
    max_live_staleness: Duration::from_secs(30 * 60),
};

/// The offset of another process's clock.
const SHIFT: i64 = -12_345_678;

pub type Rows = &'static [(&'static str, &'static str)];

#[derive(Clone, Copy)]
pub enum Token {
    Answer {
        source: LiveSource,
        value: Counts,
        age: i64,
    },
    Failure(LiveSource),
    Report {
        value: Counts,
        age: i64,
    },
    NoReportYet,
    Use(SourcesInUse),
}

struct Step {
    at: i64,
    tokens: Vec<Token>,
    shown: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Restart {
    Never,
    After(usize),
    Always,
}

fn seconds(text: &str) -> i64 {
    let unit = match text.chars().last().unwrap() {
        'h' => 3600,
        'm' => 60,
        _ => 1,
    };
    text.trim_end_matches(['h', 'm']).parse::<i64>().unwrap() * unit
}

pub fn sources(letters: &str) -> SourcesInUse {
    SourcesInUse {
        summary: letters.contains('S'),
        list: letters.contains('K'),
        report: letters.contains('R'),
    }
}

fn counts(text: &str) -> Counts {
    match text {
        "on" | "no" => Counts::flag(false),
        "off" | "yes" => Counts::flag(true),
        _ => {
            let (present, active) = text.split_once('/').unwrap_or((text, "0"));
            Counts {
                present: present.parse().unwrap(),
                active: active.parse().unwrap(),
            }
        }
    }
}

pub fn token(text: &str) -> Token {
    if text == "P" {
        return Token::NoReportYet;
    }
    if let Some(letters) = text.strip_prefix("use:") {
        return Token::Use(sources(letters));
    }
    let (said, age) = match text.split_once('~') {
        Some((said, age)) => (said, Some(seconds(age))),
        None => (text, None),
    };
    let (source, said) = said.split_at(1);
    let source = match source {
        "S" => LiveSource::Summary,
        "K" => LiveSource::List,
        "R" => {
            return Token::Report {
                value: counts(said),
                age: age.unwrap_or(1),
            };
        }
        _ => panic!("{text}"),
    };
    match said {
        "x" => Token::Failure(source),
        _ => Token::Answer {
            source,
            value: counts(said),
            age: age.unwrap_or(0),
        },
    }
}

fn steps(text: &'static str) -> Vec<Step> {
    let mut at = -60;
    let step = |text: &'static str| {
        let (evidence, shown) = text.split_once('=').unwrap();
        let mut words = evidence.split_whitespace().peekable();
        at = match words.next_if(|word| word.starts_with('@')) {
            Some(time) => seconds(&time[1..]),
            None => at + 60,
        };
        Step {
            at,
            tokens: words.filter(|word| *word != ".").map(token).collect(),
            shown: shown.trim(),
        }
    };
    text.split('|').map(step).collect()
}

/// The record under test, and its clock.
pub struct Machine {
    pub record: Record,
    pub shift: i64,
    pub topic: Topic,
}

impl Machine {
    pub fn moment(&self, seconds: i64) -> Moment {
        Moment::from_millis(seconds * 1000 + self.shift)
    }

    pub fn take(&mut self, token: Token, at: i64) {
        let said = |value| Values::default().with(self.topic, Some(value));
        let evidence = match token {
            Token::Answer { source, value, age } => Evidence::Answer(Answer {
                source,
                asked: self.moment(at - age),
                date: Timestamp::from_unix(at - age),
                values: said(value),
            }),
            Token::Failure(source) => Evidence::Failure {
                source,
                topics: Topics::of(&[self.topic]),
                asked: self.moment(at),
            },
            Token::Report { value, age } => Evidence::Report(ReportClaim {
                received: self.moment(at),
                generated: self.moment(at - age),
                date: Timestamp::from_unix(at - age),
                values: said(value),
            }),
            Token::NoReportYet => Evidence::NoReportYet(self.moment(at)),
            Token::Use(sources) => {
                let now = self.moment(at);
                return self.record.use_sources(sources, now, &LIMITS);
            }
        };
        self.record.take(evidence, &LIMITS);
    }

    fn restart(&mut self) {
        self.record = restarted(&self.record, SHIFT);
        self.shift += SHIFT;
    }

    /// The exported values half a second later, in the notation of the steps.
    fn shown(&self, step: &Step) -> String {
        let now = self.moment(step.at).shifted(500);
        let posture = judge(&self.record, now, &LIMITS);
        let text = |metric: Option<Metric>| {
            let value = metric.and_then(|metric| metric.at(now));
            value.map_or("?".to_owned(), |value| value.to_string())
        };
        let flag = |metric: Option<Metric>, words: [&str; 2]| {
            let value = metric.and_then(|metric| metric.at(now));
            value.map_or("?", |value| words[usize::from(value)]).into()
        };
        match self.topic {
            Topic::Keys if step.shown.contains('/') => {
                text(posture.keys_present) + "/" + &text(posture.keys_active)
            }
            Topic::Keys => text(posture.keys_active),
            Topic::Certificates => text(posture.certificates_active),
            Topic::MfaOff => flag(posture.mfa_enabled, ["off", "on"]),
            Topic::Password => flag(posture.password_enabled, ["no", "yes"]),
        }
    }
}

fn run(topic: Topic, record: Record, steps: &[Step], restart: Restart, swap: bool) -> Vec<String> {
    let mut machine = Machine {
        record,
        shift: 0,
        topic,
    };
    let mut shown = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let mut tokens = step.tokens.clone();
        if swap {
            tokens.reverse();
        }
        for token in tokens {
            machine.take(token, step.at);
        }
        if restart == Restart::Always || restart == Restart::After(index) {
            machine.restart();
        }
        shown.push(machine.shown(step));
    }
    shown
}

pub fn check(topic: Topic, first_start: SourcesInUse, rows: Rows) {
    for (name, text) in rows {
        let steps = steps(text);
        let expected: Vec<&str> = steps.iter().map(|step| step.shown).collect();
        let record = || Record::new(first_start);
        let found = run(topic, record(), &steps, Restart::Never, false);
        assert_eq!(found, expected, "{topic:?}: {name}\n{text}");
        let found = run(topic, record(), &steps, Restart::Never, true);
        assert_eq!(found, expected, "{topic:?}, the other order: {name}");
        for restart in (0..steps.len())
            .map(Restart::After)
            .chain([Restart::Always])
        {
            let found = run(topic, record(), &steps, restart, false);
            let after = match restart {
                Restart::After(step) => step.to_string(),
                _ => "each".to_owned(),
            };
            let when = format!("a restart after step {after}");
            assert_eq!(found, expected, "{topic:?}, {when}: {name}");
        }
    }
}

/// Checks a record that no longer awaits a source. Keys and certificates follow the same rules.
pub fn counted(rows: Rows) {
    check(Topic::Keys, sources(""), rows);
    if !rows.iter().any(|(_, text)| has_present(text)) {
        check(Topic::Certificates, sources(""), rows);
    }
}

fn has_present(text: &'static str) -> bool {
    steps(text).iter().any(|step| step.shown.contains('/'))
}
