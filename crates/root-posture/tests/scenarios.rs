//! What is shown, step by step, in situations that somebody thought of: the examples of the rules
//! and the defects that the rules were made against.
//!
//! A row is the name of a scenario and its steps, divided by `|`. A step is
//! `@time evidence … = shown`:
//!
//! * The time counts from the start (`@90`, `@2h`); without it a step comes 60 s after the one before.
//! * `S1` is a summary that counts 1; `K2/1` a list of 2 keys, 1 of them active; `R1/0` a report, one
//!   second old. Flags are `Son`, `Koff` (MFA) and `Syes`, `Kno` (password). `~20m` behind it: asked,
//!   or generated, 20 minutes before.
//! * `Sx`, `Kx`: a failed attempt. `P`: no report yet. `use:KR`: from now on with these sources. `.`:
//!   time passes.
//! * Shown is the active count, or `present/active`, or the flag; `?` is no sample.
//!
//! Every row runs as it is, with a restart after each step, with one after every step, and with the
//! evidence of each step in the other order.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

#[path = "support/restart.rs"]
mod restart;

use std::time::Duration;

use restart::restarted;
use root_posture::report::parse;
use root_posture::{
    Answer, Counts, Evidence, Limits, LiveSource, Metric, Moment, Partition, Posture, Record,
    ReportClaim, RootKey, Source, SourcesInUse, Timestamp, Topic, Topics, Values, judge,
};

const LIMITS: Limits = Limits {
    interval: Duration::from_secs(60),
    max_staleness: Duration::from_secs(10 * 3600),
    max_live_staleness: Duration::from_secs(30 * 60),
};

/// How far another process's clock is from this one's.
const SHIFT: i64 = -12_345_678;

type Rows = &'static [(&'static str, &'static str)];

#[derive(Clone, Copy)]
enum Token {
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

fn sources(letters: &str) -> SourcesInUse {
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

fn token(text: &str) -> Token {
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

/// The machine under test, and where its clock stands.
struct Machine {
    record: Record,
    shift: i64,
    topic: Topic,
}

impl Machine {
    fn moment(&self, seconds: i64) -> Moment {
        Moment::from_millis(seconds * 1000 + self.shift)
    }

    fn take(&mut self, token: Token, at: i64) {
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

    /// What is shown half a second later, in the form in which it is expected.
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

fn check(topic: Topic, first_start: SourcesInUse, rows: Rows) {
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

/// Of a record that no longer awaits anything. Keys and certificates go by the same rules.
fn counted(rows: Rows) {
    check(Topic::Keys, sources(""), rows);
    if !rows.iter().any(|(_, text)| has_present(text)) {
        check(Topic::Certificates, sources(""), rows);
    }
}

fn has_present(text: &'static str) -> bool {
    steps(text).iter().any(|step| step.shown.contains('/'))
}

#[test]
fn one_answer_raises_and_two_lower() {
    counted(&[
        (
            "a stale list among others",
            "K1/1 = 1 | K1/1 = 1 | K1/0 = 1 | K1/1 = 1 | K1/0 = 1 | K1/0 = 0",
        ),
        (
            "a deleted key",
            "K1/1 = 1/1 | K1/1 = 1/1 | K0/0 = 1/1 | K0/0 = 0/0",
        ),
        ("of which nothing higher is known", "K0/0 = 0 | S0 = 0"),
        (
            "a failure between the two",
            "K1/1 = 1 | K1/1 = 1 | K0/0 = 1 | Kx = 1 | K0/0 = 0",
        ),
        (
            "two answers closer than half an interval are one",
            "K1/1 = 1 | K1/1 = 1 | @120 K0/0 = 1 | @149 K0/0 = 1 | @150 K0/0 = 0",
        ),
        (
            "two lower answers that differ are not two that agree",
            "K2/2 = 2 | K2/2 = 2 | K1/1 = 2 | K0/0 = 2 | K0/0 = 0",
        ),
        (
            "a key that came and went many times within 15 minutes is gone after two lists",
            "K0/0 = 0 | K0/0 = 0 \
             | K1/1 = 1 | K0/0 = 1 | K0/0 = 0 \
             | K1/1 = 1 | K0/0 = 1 | K0/0 = 0 \
             | K1/1 = 1 | K0/0 = 1 | K0/0 = 0 \
             | K1/1 = 1 | K0/0 = 1 | K0/0 = 0 \
             | K1/1 = 1 | K0/0 = 1 | K0/0 = 0",
        ),
        (
            "a silence longer than 17 minutes starts the count anew",
            "K1/1 = 1 | K1/1 = 1 | @120 K0/0 = 1 | @1141 K0/0 = 1 | @1201 K0/0 = 0",
        ),
        (
            "a shorter one does not",
            "K1/1 = 1 | K1/1 = 1 | @120 K0/0 = 1 | @1140 K0/0 = 0",
        ),
        (
            "a second key shows at once",
            "K1/0 = 1/0 | K1/0 = 1/0 | K2/1 = 2/1 | K2/2 = 2/2 | K1/1 = 2/2 | K1/1 = 1/1",
        ),
        (
            "more answers in a quarter of an hour than are kept do not make two into three",
            "S1 K1/1 = 1 | S1 K1/0 = 1 | S1 K1/0 = 0 | S0 K0/0 = 0 | S0 K1/0 = 0 | S0 K1/0 = 0 \
             | S0 K0/0 = 0 | S0 K1/1 = 1 | S0 K1/1 = 1 | S0 K0/0 = 1 | S0 K0/0 = 0 | S0 K1/1 = 1 \
             | S0 K0/0 = 1 | S0 K0/0 = 0",
        ),
        (
            "three keys in a list",
            "K3/3 = 2/2 | K3/1 = 2/2 | K3/1 = 2/1",
        ),
        (
            "a summary that counts five",
            "S5 = 2/2 | S0 = 2/2 | S0 = 0/0",
        ),
    ]);
}

#[test]
fn an_answer_that_was_asked_before_the_newest_says_nothing() {
    counted(&[
        (
            "a positive one arrives late",
            "K0/0 = 0 | K0/0 = 0 | K1/1~90 = 0",
        ),
        (
            "two nones arrive late",
            "K1/1 = 1 | K1/1 = 1 | K0/0~90 = 1 | K0/0~100 = 1 | K1/1 = 1",
        ),
        (
            "they confirm nothing either",
            "K1/1 = 1 | @120 K0/0 = 1 | @130 K0/0~70 = 1 | @180 K0/0 = 0",
        ),
        (
            "an answer of before a report's receipt does not refute it",
            "R1/1 = 1 | @60 S0~90 = 1 | @61 S0 = 1 | @121 S0 = 0",
        ),
        (
            "an older report that comes later",
            "R1/0 = 1/0 | R2/2~90 = 1/0 | R0/0 = 0/0",
        ),
        (
            "the same answer and the same report again",
            "K1/1 R0/0 = 1 | @0 K1/1 R0/0 = 1 | K0/0 = 1 | @60 K0/0 = 1 | K0/0 = 0",
        ),
    ]);
}

#[test]
fn a_report_lowers_what_a_live_source_says_only_when_it_is_clearly_later() {
    counted(&[
        (
            "hardly later, and the live sources fail",
            "S1 K1/1 = 1 | S1 K1/1 = 1 | Sx Kx = 1 | @900 R0/0~10 = 1",
        ),
        (
            "clearly later",
            "S1 K1/1 = 1 | S1 K1/1 = 1 | Sx Kx = 1 | @1000 R0/0~10 = 0 | S0 K0/0 = 0 | Sx Kx = 0",
        ),
        (
            "16 minutes after a failure",
            "K1/1 = 1 | Kx = 1 | @960 R0/0~0 = 0",
        ),
        (
            "one millisecond's worth of margin",
            "K1/1 = 1 | Kx = 1 | @901 R0/0~1 = 1 | @902 R0/0~1 = 0",
        ),
        (
            "the list comes back after it",
            "K1/1 = 1 | K1/1 = 1 | Kx = 1 | @5000 R0/0~10 = 0 | @5060 K0/0 = 0",
        ),
        (
            "a new key is still new after a report that does not know it",
            "R0/0 = 0 | S1 = 1 | @91 R0/0 = 1 | @120 S1 = 1 | @300 R1/0 = 0",
        ),
        (
            "a report dated in the future is as old as its receipt",
            "R0/0~0 = 0 | S1 = 1 | S1 = 1",
        ),
        (
            "a report lowers a report",
            "R2/2 = 2/2 | @4h R1/1 = 1/1 | @8h R1/0 = 1/0 | @12h R0/0 = 0/0",
        ),
    ]);
}

#[test]
fn a_live_source_that_fails_loses_its_claim_to_two_answers_of_the_other() {
    counted(&[
        (
            "the list hangs, then fails",
            "S1 K1/1 = 1 | S0 = 1 | @90 Kx = 1 | @120 S0 = 0",
        ),
        (
            "one that hangs delays nobody's rise",
            "S0 K0/0 = 0 | S0 K0/0 = 0 | @120 S1 = 1 | @150 Kx = 1",
        ),
        (
            "the summary lowers",
            "S1 K1/1 = 1 | S1 K1/1 = 1 | @120 S0 = 1 | @150 Kx = 1 | @180 S0 = 0 | @210 Kx = 0",
        ),
        ("the list lowers", "S1 K0/0 = 1 | Sx K0/0 = 1 | Sx K0/0 = 0"),
        (
            "a list that answers keeps its claim",
            "S1 K1/1 = 1 | S0 K1/1 = 1 | S0 K1/1 = 1 | S0 K1/1 = 1",
        ),
        (
            "answers of before the claim do not count",
            "S0 = 0 | S0 = 0 | K1/1 = 1 | Kx = 1 | S0 = 1 | S0 = 0",
        ),
        (
            "a single failure changes nothing",
            "S1 K1/1 = 1 | Kx = 1 | Sx = 1 | Kx = 1 | @9h Kx Sx = 1",
        ),
    ]);
}

#[test]
fn a_report_counts_until_two_later_answers_refute_it() {
    counted(&[
        (
            "both nones must be later",
            "R1/1 = 1 | S1 = 1 | S0 = 1 | @130 R1/1 = 1 | @180 S0 = 1 | @240 S0 = 0",
        ),
        (
            "two hours of failures do not make the first none a second",
            "R1/1 = 1 | S1 = 1 | S0 = 1 | Sx = 1 | @7300 R1/1~10 = 1 | @7320 S0 = 1 | @7380 S0 = 0",
        ),
        (
            "refuted, and never back",
            "R1/1 = 1 | S0 = 1 | S0 = 0 | Sx = 0 | @1919 Sx = 0 | @1921 Sx = ? | @9000 S0 = 0",
        ),
        (
            "a status is refuted as well",
            "R1/1 = 1 | S1 K1/0 = 1 | S1 K1/0 = 0 | S1 Kx = 0 | @1000 S1 = 0",
        ),
        (
            "the list refutes the report, the summary stays above it",
            "R1/1 = 1 | K0/0 S1 = 1 | K0/0 S1 = 1 | K0/0 S0 = 1 | K0/0 S0 = 0",
        ),
    ]);
}

#[test]
fn a_report_is_held_while_a_live_source_that_had_confirmed_less_still_answers() {
    counted(&[
        (
            "the list fails before it, and outvotes nobody",
            "K1/0 = 0 | K1/0 = 0 | Kx = 0 | @142 R1/1~2 = 1",
        ),
        (
            "as before, with a summary beside it",
            "S1 K1/0 = 0 | S1 K1/0 = 0 | S1 Kx = 0 | @142 R1/1~2 = 1 | S1 Kx = 1 | S1 Kx = 1 | @20000 Kx = 1",
        ),
        (
            "the list goes on saying inactive",
            "K1/0 = 0 | K1/0 = 0 | @82 R1/1 = 0 | @120 K1/0 = 0 | K1/0 = 0 | Kx = 0",
        ),
        (
            "the list says so once more, then fails",
            "K1/0 = 0 | K1/0 = 0 | @82 R1/1 = 0 | @120 K1/0 = 0 | Kx = 1",
        ),
        (
            "the attempt after the report fails",
            "S1 K1/0 = 0 | S1 K1/0 = 0 | @82 R1/1~2 = 0 | @83 S1 Kx = 1 | @143 S1 K1/0 = 1 | @203 S1 K1/0 = 0",
        ),
        (
            "the list agrees with it",
            "K1/0 = 0 | K1/0 = 0 | @82 R1/1 = 0 | @120 K1/1 = 1",
        ),
        (
            "the summary fails, and answers again",
            "S0 = 0 | S0 = 0 | @70 R1/1 = 0 | @71 Sx = 1 | @120 S0 = 1 | @180 S0 = 0",
        ),
        (
            "the summary goes on saying none",
            "S0 = 0 | S0 = 0 | @70 R1/1 = 0 | @71 S0 = 0 | @120 S0 = 0 | @180 S0 = 0 | @240 Sx = 0 | S1 = 1",
        ),
        (
            "refuted before the summary fails",
            "S0 = 0 | S0 = 0 | @90 R1/1 = 0 | @120 S0 = 0 | @180 S0 = 0 | Sx = 0",
        ),
        (
            "the summary agrees with it",
            "S0 = 0 | S0 = 0 | @70 R1/1 = 0 | @71 S1 = 1",
        ),
        (
            "a hold ends after four intervals, whatever happens",
            "K1/0 = 0 | K1/0 = 0 | @82 R1/1 = 0 | @321 . = 0 | @322 . = 1",
        ),
        (
            "an answer that was not confirmed before holds nothing",
            "K1/0 = 0 | @42 R1/1 = 1",
        ),
        (
            "an answer of 16 minutes before holds nothing",
            "K1/0 = 0 | K1/0 = 0 | @1022 R1/1 = 1",
        ),
        (
            "while it is held, the one before counts as far as it agrees",
            "R2/1 = 1 | K1/0 = 1 | K1/0 = 0 | @130 R2/2 = 0 | Kx = 2",
        ),
    ]);
}

#[test]
fn the_keys_that_only_a_summary_counts_lag_or_are_new() {
    counted(&[
        (
            "an inactive key is deleted, the summary lags",
            "S1 K1/0 = 0 | S1 K0/0 = 0 | S1 K0/0 = 0 | S0 K0/0 = 0",
        ),
        (
            "the summary lags by three polls, and once more later",
            "S1 K1/0 = 0 | S1 K1/0 = 0 | S1 K0/0 = 0 | S1 K0/0 = 0 | S1 K0/0 = 0 | S0 K0/0 = 0 \
             | S0 K0/0 = 0 | S1 K0/0 = 0 | S0 K0/0 = 0",
        ),
        (
            "the summary's own none ended it, and no list would show a new key",
            "S1 K1/0 = 0 | S0 K0/0 = 0 | S0 K0/0 = 0 | Kx S1 = 1",
        ),
        (
            "a key that was created after the summary's none",
            "S1 K1/0 = 0 | S1 K1/0 = 0 | S0 K0/0 = 0 | S0 K0/0 = 0 | S1 Kx = 1",
        ),
        (
            "two inactive keys went while the list was down",
            "R2/0 = 0 | S2 = 0 | S1 K0/0 = 0 | S1 K0/0 = 0 | S0 K0/0 = 0 | S0 K0/0 = 0",
        ),
        (
            "the report before explains it",
            "R1/0 = 0 | S1 = 0 | @91 R0/0 = 0 | @120 S1 = 0 | @180 S0 = 0",
        ),
        (
            "a key that nothing explains is active",
            "R0/0 = 0 | S1 = 1 | S1 = 1",
        ),
        ("one list explains it", "R0/0 = 0 | S1 = 1 | S1 K1/0 = 0"),
        (
            "a confirmed none is a baseline of nothing",
            "R1/0 = 0 | S0 = 0 | S0 = 0 | S1 = 1",
        ),
        (
            "a lagging key keeps the status it had, an active one as well",
            "S1 K1/1 = 1 | S1 K1/1 = 1 | S1 K0/0 = 1 | S1 K0/0 = 1 | S0 K0/0 = 1 | S0 K0/0 = 0",
        ),
        (
            "after 15 minutes nothing explains it",
            "S1 K1/0 = 0 | K0/0 = 0 | @901 S1 K0/0 = 1",
        ),
        (
            "which of two keys went is not known",
            "R1/0 = 0 | S1 = 0 | S2 = 2/1 | S1 = 2/1 | S1 = 1/1 | @1h R1/0 = 0",
        ),
    ]);
}

#[test]
fn what_is_fine_expires_and_what_is_alarming_does_not() {
    counted(&[
        (
            "30 minutes after the last live answer",
            "K0/0 = 0 | K0/0 = 0 | @1859 Kx = 0 | @1860 . = ?",
        ),
        (
            "10 hours after a report",
            "R0/0~0 = 0 | @35999 . = 0 | @36000 . = ?",
        ),
        (
            "10 hours after the content of a report, not after its receipt",
            "@4h R0/0~4h = 0 | @35999 . = 0 | @36000 . = ?",
        ),
        (
            "a report that was generated since speaks for itself",
            "S0 = 0 | @10m R0/0 = 0 | @36598 . = 0 | @36599 . = ?",
        ),
        (
            "an earlier one does not",
            "R0/0 = 0 | S0 = 0 | @1859 . = 0 | @1860 . = ?",
        ),
        (
            "a key never does",
            "K1/1 = 1/1 | @30h Kx = 1/1 | @300h Sx = 1/1",
        ),
        (
            "an inactive key is present for ever, that it is inactive is not known for ever",
            "K1/0 = 1/0 | @1799 . = 1/0 | @1800 . = 1/?",
        ),
        (
            "a summary that counts one supports no zero of active ones",
            "K1/0 = 0 | @30m S1 Kx = 0 | @9h S1 = 0 | @36030 S1 = ?",
        ),
        ("nothing at all is no zero", ". = ? | Sx Kx = ? | P = ?"),
    ]);
}

#[test]
fn mfa_goes_by_the_same_rules() {
    check(
        Topic::MfaOff,
        sources(""),
        &[
            (
                "the report says off after the summary failed",
                "Son = on | Son = on | Sx = on | @142 Roff~2 = off | @1000 . = off | @90000 . = off",
            ),
            (
                "one answer says off, two say on",
                "Son = on | Koff = off | Kon = off | Kon = on",
            ),
            (
                "two sources that disagree",
                "Son Koff = off | Son Kon = off | Son Kon = on",
            ),
            (
                "the list's answers do not speak for the summary's",
                "Son Kon = on | Soff Kon = off | Soff Kon = off",
            ),
            ("on expires", "Kon = on | @1799 Kx = on | @1800 Kx = ?"),
            ("off does not", "Koff = off | @300h Kx = off"),
            (
                "held, then refuted",
                "Kon = on | Kon = on | @61 Roff = on | @120 Kon = on | @180 Kon = on | Kx = on",
            ),
        ],
    );
}

#[test]
fn the_password_goes_by_the_same_rules_and_never_expires() {
    check(
        Topic::Password,
        sources(""),
        &[
            ("a password", "Syes = yes | @300h Sx = yes"),
            ("none", "Kno = no | @300h Kx = no"),
            (
                "one answer says that there is one, two that there is none",
                "Kno = no | Kyes = yes | Kno = yes | Kno = no",
            ),
            ("a report clearly later", "Kyes = yes | @16m Rno = no"),
        ],
    );
}

#[test]
fn at_a_first_start_nothing_is_shown_before_every_source_spoke() {
    check(
        Topic::Keys,
        sources("SR"),
        &[
            (
                "a report in time explains the key",
                "S1 = ? | P = ? | @119 R1/0 = 0",
            ),
            (
                "no report in time: the key counts as active",
                "S1 P = ? | @119 . = ? | @120 . = 1 | R1/0 = 0",
            ),
            (
                "two minutes from the first attempt, not from the last",
                "@0 S1 P = ? | @60 P = ? | @119 P = ? | @120 P = 1",
            ),
            ("a none waits for no report", "P = ? | S0 = 0"),
            ("the report was not tried yet", "S0 = ? | S0 = ? | P = 0"),
            ("the summary fails", "R1/1 = ? | Sx = 1"),
            (
                "a summary that changes its mind",
                "S1 P = ? | S0 = 1 | S0 = 0",
            ),
        ],
    );
    check(
        Topic::Keys,
        sources("SK"),
        &[
            ("the list explains the summary", "S1 = ? | K1/0 = 0"),
            ("the list fails", "S1 = ? | Kx = 1"),
            ("nobody answers", "Sx = ? | Kx = ? | S0 = 0"),
        ],
    );
    check(
        Topic::Keys,
        sources("SKR"),
        &[
            (
                "the list speaks, so no report is waited for",
                "S1 P = ? | K1/1 = 1",
            ),
            ("the list fails as well", "S1 P Kx = ? | @120 . = 1"),
        ],
    );
}

#[test]
fn a_source_that_is_configured_away_counts_as_failed() {
    check(
        Topic::Keys,
        sources("SKR"),
        &[
            (
                "at a first start nothing waits for it",
                "S1 K1/0 = ? | use:SK = 0",
            ),
            ("both live ones", "R1/1 = ? | use:R = 1"),
            ("the report in the making", "S1 Kx P = ? | @60 use:SK = 1"),
        ],
    );
    counted(&[
        (
            "it loses its claim to two answers of the other",
            "S1 K1/1 = 1 | use:S = 1 | S0 = 1 | S0 = 0",
        ),
        (
            "it holds no report any more",
            "K1/0 = 0 | K1/0 = 0 | @82 R1/1 = 0 | @90 use:SR = 1",
        ),
        (
            "one that comes back is awaited by nobody",
            "S0 = 0 | use:S = 0 | use:SKR = 0 | K1/1 = 1",
        ),
        (
            "what it says last is shown until it expires",
            "K0/0 = 0 | use:R = 0 | @30m . = ?",
        ),
    ]);
}

/// One session's calls fail one by one: what one topic's call says, or that it fails, is nothing
/// to the others.
#[test]
fn a_topic_whose_call_fails_expires_although_the_others_are_answered() {
    let mut record = Record::default();
    let moment = |second: i64| Moment::from_millis(second * 1000);
    let answer = |second: i64, values: Values| {
        Evidence::Answer(Answer {
            source: LiveSource::List,
            asked: moment(second),
            date: Timestamp::from_unix(second),
            values,
        })
    };
    let keys = Values::default().with(Topic::Keys, Some(Counts::NONE));
    let both = keys.with(Topic::MfaOff, Some(Counts::flag(false)));
    record.take(answer(0, both), &LIMITS);
    for minute in 1..=30 {
        record.take(answer(minute * 60, keys), &LIMITS);
        let failure = Evidence::Failure {
            source: LiveSource::List,
            topics: Topics::of(&[Topic::MfaOff]),
            asked: moment(minute * 60),
        };
        record.take(failure, &LIMITS);
        let now = moment(minute * 60);
        let posture = judge(&record, now, &LIMITS);
        let shown = |metric: Option<Metric>| metric.and_then(|metric| metric.at(now));
        assert_eq!(shown(posture.keys_active), Some(0), "minute {minute}");
        let mfa = (minute < 30).then_some(1);
        assert_eq!(shown(posture.mfa_enabled), mfa, "minute {minute}");
    }
}

/// The one before counts once its own hold is over, so that is when to judge again.
#[test]
fn of_two_reports_that_are_held_the_older_says_when_to_judge_again() {
    let mut machine = Machine {
        record: Record::default(),
        shift: 0,
        topic: Topic::Keys,
    };
    for (at, said) in [(0, "K0/0"), (60, "K0/0"), (61, "R1/1"), (160, "R1/1")] {
        machine.take(token(said), at);
    }
    let judged = |at| judge(&machine.record, machine.moment(at), &LIMITS);
    let review_at = |at| judged(at).review_at;
    assert_eq!(review_at(160), Some(machine.moment(301)));
    assert_eq!(review_at(301), Some(machine.moment(400)));
    let active = |at| judged(at).keys_active.map(|metric| metric.value);
    assert_eq!([active(300), active(301)], [Some(0), Some(1)]);
}

/// A report of a root user without access keys, with those words in the last column.
fn report_saying(words: &str) -> Values {
    let text = format!(
        "user,arn,password_enabled,mfa_active,access_key_1_active,access_key_1_last_rotated,\
         access_key_2_active,access_key_2_last_rotated,additional_credentials_info\n\
         <root_account>,arn:aws:iam::012345678901:root,false,true,false,N/A,false,N/A,{words}"
    );
    let report = parse(text.as_bytes(), None, Partition::Aws).unwrap();
    Values::of_row(report.root.as_ref())
}

#[test]
fn words_of_more_keys_in_a_report_are_two_active_keys_until_two_lists_say_otherwise() {
    let key = RootKey {
        id: "AKIAEXAMPLE".to_owned(),
        active: false,
        created: None,
        last_used: None,
    };
    for (words, shown) in [
        ("2 additional access keys", [2, 2, 2, 1]),
        ("N/A", [0, 0, 1, 1]),
        ("", [0, 0, 1, 1]),
    ] {
        let mut record = Record::default();
        let mut found = Vec::new();
        for second in [0, 30, 60, 120] {
            let moment = Moment::from_millis(second * 1000);
            let date = Timestamp::from_unix(second);
            let evidence = match second {
                0 => Evidence::Report(ReportClaim {
                    received: moment,
                    generated: moment,
                    date,
                    values: report_saying(words),
                }),
                30 => Evidence::Failure {
                    source: LiveSource::List,
                    topics: Topics::ALL,
                    asked: moment,
                },
                _ => Evidence::Answer(Answer {
                    source: LiveSource::List,
                    asked: moment,
                    date,
                    values: Values::of_keys([&key]),
                }),
            };
            record.take(evidence, &LIMITS);
            let posture = judge(&record, moment, &LIMITS);
            found.push(posture.keys_present.unwrap().value);
            if second == 0 {
                assert_eq!(posture.keys_active.unwrap().value, shown[0], "{words:?}");
                assert_eq!(posture.keys_by, Some(Source::CredentialReport));
            }
        }
        assert_eq!(found, shown, "{words:?}");
    }
}

#[test]
fn a_report_without_a_root_row_says_nothing() {
    let posture: Posture = {
        let mut record = Record::default();
        let claim = ReportClaim {
            received: Moment::default(),
            generated: Moment::default(),
            date: Timestamp::default(),
            values: Values::of_row(None),
        };
        record.take(Evidence::Report(claim), &LIMITS);
        judge(&record, Moment::default(), &LIMITS)
    };
    assert_eq!(posture, Posture::default());
}
