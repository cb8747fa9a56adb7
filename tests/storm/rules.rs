//! The rules for every scrape. They follow from `docs/evidence.md` and from the answers of AWS (see
//! [`crate::answers`]); they do not compute the expected values, and any correct daemon follows them.
//!
//! 1. *At most*: no more is shown than a source says that two later answers have not corrected.
//! 2. *At least*: what a source said is shown until two answers say less.
//! 3. *Falls*: what is alarming becomes less only after an answer that says less, and is never gone,
//!    whatever fails and whoever is killed.
//! 4. *Zeros*: a zero needs a source that says so, and a recent answer.
//! 5. *Gaps*: a value is there as long as a live source answers.
//!
//! A daemon must know an answer that AWS gave in full while nothing was in its way, a little later
//! ([`TAKEN_WITHIN`], [`SHOWN_WITHIN`]). It may know any other answer, from the moment it was given.

use std::time::{Duration, Instant};

use crate::answers::{Answer, Answers, Part, Source, Topic};

/// How soon an answer is taken, on a machine that is busy.
const TAKEN_WITHIN: Duration = Duration::from_secs(2);

/// How soon it is shown: what is worse goes to disk first, which has 2 s.
pub const SHOWN_WITHIN: Duration = Duration::from_secs(4);

/// How soon what was learned is on disk once a value changes, on a machine that is busy. What is
/// worse is there before it is shown; what changes no value is saved minutes later.
pub const SAVED_WITHIN: Duration = Duration::from_secs(8);

/// `refresh.max_live_staleness` of the daemons: short, so that zeros expire now and then.
pub const STALENESS: Duration = Duration::from_secs(12);

/// Answers of one source that are so far apart count as two: `refresh.interval` is 1 s, and half
/// of it is enough.
const APART: Duration = Duration::from_millis(800);

/// How long a report may be held back: four intervals.
const HOLD: Duration = Duration::from_secs(4);

/// The longest time from an answer that says less to the fall that follows from it: the other
/// source may have to fail first, and a kill may come between.
const FALLS_WITHIN: Duration = Duration::from_secs(20);

/// From then on a report may be clearly later than an answer.
const CLAIM_LASTS: Duration = Duration::from_secs(14 * 60);

/// What a scrape shows of a topic. Where only active ones are exported, as many are present: here
/// every certificate is active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub present: Option<usize>,
    pub active: Option<usize>,
}

impl Shown {
    fn of(self, part: Part) -> Option<usize> {
        match part {
            Part::Present => self.present,
            Part::Active => self.active,
        }
    }
}

/// What one scrape shows of an account, and when it began and ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scrape {
    pub begun: Instant,
    pub ended: Instant,
    pub shown: [Shown; 4],
}

/// What a scrape is compared with.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The scrape before it.
    pub before: &'a Scrape,
    /// All answers by the end of it.
    pub answers: &'a Answers,
    /// How many of a topic the account's summary counts at most.
    pub most_counted: &'a dyn Fn(Topic) -> usize,
}

/// Checks a scrape by all rules.
///
/// # Errors
///
/// It breaks a rule.
pub fn check(scrape: &Scrape, known: Known<'_>) -> Result<(), String> {
    for topic in Topic::ALL {
        let rules = Rules {
            topic,
            answers: known.answers.of(topic),
            most_counted: (known.most_counted)(topic),
            scrape,
            before: known.before,
        };
        for part in [Part::Present, Part::Active] {
            let shown = scrape.shown[topic as usize].of(part);
            let kept = rules
                .at_most(part, shown)
                .and_then(|()| rules.at_least(part, shown))
                .and_then(|()| rules.falls(part, shown))
                .and_then(|()| rules.zeros(part, shown))
                .and_then(|()| rules.gaps(shown));
            kept.map_err(|why| format!("{topic:?} {part:?} {shown:?}: {why}"))?;
        }
    }
    Ok(())
}

/// The rules on one topic.
struct Rules<'a> {
    topic: Topic,
    answers: &'a [Answer],
    most_counted: usize,
    scrape: &'a Scrape,
    before: &'a Scrape,
}

impl<'a> Rules<'a> {
    fn by(&self, source: Source) -> impl DoubleEndedIterator<Item = &'a Answer> + Clone + use<'a> {
        let of_source = move |answer: &&Answer| answer.source == source;
        self.answers.iter().filter(of_source)
    }

    /// Whether the daemon had taken an answer when the scrape began.
    fn is_taken(&self, answer: &Answer) -> bool {
        answer.certain && answer.at + TAKEN_WITHIN <= self.scrape.begun
    }

    /// Whether it showed what follows from it, too.
    fn is_known(&self, answer: &Answer) -> bool {
        answer.certain && answer.at + SHOWN_WITHIN <= self.scrape.begun
    }

    /// The first of the newest two answers in a row by which a live source decides: the daemon knows
    /// both, they are the same and count as two.
    fn decided(&self, source: Source) -> Option<&'a Answer> {
        let mut second: Option<&Answer> = None;
        for answer in self.by(source).rev() {
            let taken = self.is_taken(answer);
            match second {
                Some(later) if later.counts == answer.counts => {
                    if taken && later.at - answer.at >= APART {
                        return Some(answer);
                    }
                }
                _ => second = taken.then_some(answer),
            }
        }
        None
    }

    /// The answers of a live source that it may stand for: all since it decided.
    fn current(&self, source: Source) -> impl Iterator<Item = &'a Answer> + Clone + use<'a> {
        let since = self.decided(source).map(|first| first.at);
        self.by(source)
            .filter(move |answer| since.is_none_or(|since| answer.at >= since))
    }

    /// The reports that may be in use, and whether a live source has refuted them all.
    fn reports(&self) -> (impl Iterator<Item = &'a Answer> + Clone + use<'a>, bool) {
        let reports = self.by(Source::Report);
        let newest = reports.clone().rfind(|report| self.is_taken(report));
        let since = newest.and_then(|report| report.generated);
        let in_use = reports.filter(move |report| report.generated >= since);
        // The list refutes by any answer, the summary by none.
        let list = self.decided(Source::List);
        let summary = self.decided(Source::Summary);
        let none = summary.filter(|first| first.counts.present == 0);
        let is_later = |first: &Answer| in_use.clone().all(|report| report.at + APART < first.at);
        let is_refuted = newest.is_some() && list.into_iter().chain(none).any(is_later);
        (in_use, is_refuted)
    }

    /// Rule 1.
    fn at_most(&self, part: Part, shown: Option<usize>) -> Result<(), String> {
        let (reports, is_refuted) = self.reports();
        let reports = reports.filter(|_| !is_refuted);
        let finer = reports.chain(self.current(Source::List));
        let most = match part {
            Part::Present => {
                let counted = self.current(Source::Summary);
                finer.chain(counted).map(|it| it.counts.present).max()
            }
            Part::Active => {
                let Some(explained) = self.explained_since() else {
                    return Ok(());
                };
                let lists = self.by(Source::List).filter(|it| it.at >= explained);
                finer.chain(lists).map(|it| it.counts.active).max()
            }
        };
        if shown <= most {
            return Ok(());
        }
        Err(format!("no source says more than {most:?}"))
    }

    /// Since when lists, or the report in force, say which of the keys are active that the summary
    /// counts, also where it lags behind. Keys beyond those are assumed to be active.
    fn explained_since(&self) -> Option<Instant> {
        let counted_since = |answer: &Answer| {
            // A report knows nothing that came after it was generated.
            let since = answer.generated.unwrap_or(answer.second) - 2;
            let recent = self
                .by(Source::Summary)
                .filter(move |it| it.second >= since);
            self.current(Source::Summary).chain(recent)
        };
        let explains = |answer: &&Answer| {
            let counted = counted_since(answer).map(|it| it.counts.present);
            let (least, most) = (counted.clone().min(), counted.max().unwrap_or(0));
            // A none of the summary ends what an older answer explains.
            most <= answer.counts.present && (most == 0 || least > Some(0))
        };
        let recent = self
            .by(Source::List)
            .rev()
            .take_while(|answer| answer.at + CLAIM_LASTS > self.scrape.ended);
        let mut lists = recent.filter(|answer| self.is_taken(answer));
        let explained = lists.find(explains);
        let explained = explained.or_else(|| self.report_in_force().filter(explains));
        explained.map(|answer| answer.at)
    }

    /// The report that the daemon must use: the newest for certain, not refuted and held no longer.
    fn report_in_force(&self) -> Option<&'a Answer> {
        let newest = self.by(Source::Report).next_back()?;
        let mut same = self.by(Source::Report);
        let first = same.find(|report| report.generated == newest.generated)?;
        let known = same.chain([first]).find(|report| {
            self.is_known(report) && report.at + HOLD + SHOWN_WITHIN <= self.scrape.begun
        })?;
        let later = || self.answers.iter().filter(|answer| answer.at >= first.at);
        let others =
            later().any(|answer| answer.source == Source::Report && answer.counts != known.counts);
        let lists = later().filter(|answer| answer.source == Source::List);
        let nones =
            later().filter(|answer| answer.source == Source::Summary && answer.counts.present == 0);
        (!others && lists.count() < 2 && nones.count() < 2).then_some(first)
    }

    /// Rule 2.
    fn at_least(&self, part: Part, shown: Option<usize>) -> Result<(), String> {
        let finer = self
            .answers
            .iter()
            .filter(|it| it.source != Source::Summary);
        let explained = finer.map(|it| it.counts.present).max().unwrap_or(0);
        for claim in self.answers {
            let is_recent = claim.at + CLAIM_LASTS > self.scrape.ended;
            if !self.is_known(claim) || !is_recent || claim.source == Source::Report {
                continue;
            }
            let least = match claim.of(part) {
                Some(count) => count,
                // What no list or report has ever explained is assumed to be active.
                None => claim.counts.present.saturating_sub(explained),
            };
            let later = self.answers.iter().filter(|answer| answer.at > claim.at);
            let less = |source| {
                let by = later.clone().filter(move |answer| answer.source == source);
                by.filter(|answer| match (claim.source, source) {
                    // A summary that says none ends the claim of a list that fails.
                    (Source::List, Source::Summary) => answer.counts.present == 0,
                    (Source::Summary, _) => answer.counts.present < claim.counts.present,
                    _ => answer.of(part) < Some(least),
                })
                .count()
            };
            if shown.unwrap_or(0) < least && less(Source::List) < 2 && less(Source::Summary) < 2 {
                return Err(format!(
                    "{claim:?} says {least}, and no two later answers say less"
                ));
            }
        }
        match self.report_in_force() {
            Some(report) if shown.unwrap_or(0) < report.of(part).unwrap_or(0) => Err(format!(
                "{report:?} is in force, and no two later answers say less"
            )),
            _ => Ok(()),
        }
    }

    /// Rule 3.
    fn falls(&self, part: Part, shown: Option<usize>) -> Result<(), String> {
        let before = self.before.shown[self.topic as usize].of(part).unwrap_or(0);
        // A password does not alarm, so it need not be on disk before it is shown.
        if shown.unwrap_or(0) >= before || self.topic == Topic::Password {
            return Ok(());
        }
        if shown.is_none() {
            return Err(format!("{before} is gone"));
        }
        let is_less = |answer: &Answer| match answer.source {
            Source::Summary => answer.counts.present < before.min(self.most_counted),
            Source::List | Source::Report => answer.of(part) < Some(before),
        };
        let mut recent = self
            .answers
            .iter()
            .rev()
            .take_while(|answer| answer.at + FALLS_WITHIN >= self.before.begun);
        if recent.any(is_less) {
            return Ok(());
        }
        Err(format!("it was {before}, and no answer says less"))
    }

    /// Rule 4.
    fn zeros(&self, part: Part, shown: Option<usize>) -> Result<(), String> {
        if shown != Some(0) {
            return Ok(());
        }
        let newest = |source| {
            let since = self
                .by(source)
                .rfind(|it| self.is_known(it))
                .map(|it| it.at);
            self.by(source).filter(move |it| Some(it.at) >= since)
        };
        let says_none = newest(Source::Summary)
            .chain(newest(Source::List))
            .chain(self.by(Source::Report))
            .any(|answer| answer.says_none(part));
        if !says_none {
            return Err("no source says so".to_owned());
        }
        if self.topic == Topic::Password {
            // Both values are findings, so neither expires.
            return Ok(());
        }
        let mut live = self.answers.iter().filter(|answer| answer.is_live());
        // The file of a restart counts in whole seconds.
        let lasts = STALENESS + Duration::from_secs(2);
        let is_recent = |answer: &Answer| answer.at + lasts > self.scrape.begun;
        // What a kill lost outdates no report.
        let Some(known) = live.clone().rfind(|answer| self.is_known(answer)) else {
            return Ok(());
        };
        let has_newer_report = self
            .by(Source::Report)
            .any(|report| report.generated >= Some(known.second - 2));
        if live.any(is_recent) || has_newer_report {
            return Ok(());
        }
        Err(format!(
            "the last live answer is {:?} old",
            self.scrape.begun - known.at
        ))
    }

    /// Rule 5.
    fn gaps(&self, shown: Option<usize>) -> Result<(), String> {
        let expired =
            |answer: &Answer| answer.at + STALENESS <= self.scrape.ended + Duration::from_secs(2);
        let mut live = self.answers.iter().filter(|answer| answer.is_live());
        match live.rfind(|answer| self.is_known(answer)) {
            Some(answer) if shown.is_none() && !expired(answer) => {
                Err(format!("no value, although {answer:?}"))
            }
            _ => Ok(()),
        }
    }
}
