//! The witness: compares what is shown of an account with all that was ever true of it.
//!
//! What is shown rests on what was learnt, and that on when AWS was last asked with success, which
//! nobody outside knows. So the witness keeps the earliest places in the account's history at
//! which the daemon can be, and lets it go forward only: what is shown must follow, by the rules
//! of `docs/evidence.md`, from a place at or after one of these, in eras that have begun. A figure
//! that was never true, that goes back or that is gone follows from none.

use std::time::{Duration, Instant};

use crate::history::{Counts, History, Truth, Way};

/// How soon what was shown is on disk, on a machine that is busy. A rise is there before.
const SAVED_WITHIN: Duration = Duration::from_secs(8);

/// What is compared: figures that are judged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Access keys: active and present.
    Keys,
    /// Signing certificates: active.
    Certificates,
    Mfa,
    Password,
}

impl Topic {
    pub const ALL: [Self; 4] = [Self::Keys, Self::Certificates, Self::Mfa, Self::Password];

    /// The value that is withdrawn when it is too old.
    fn fine(self) -> Option<u8> {
        match self {
            Self::Keys | Self::Certificates => Some(0),
            Self::Mfa => Some(1),
            Self::Password => None,
        }
    }

    fn is_alarming(self, value: u8) -> bool {
        self.fine().is_some_and(|fine| fine != value)
    }

    fn is_counted(self) -> bool {
        matches!(self, Self::Keys | Self::Certificates)
    }

    fn counts(self, truth: Truth) -> Counts {
        match self {
            Self::Keys => truth.keys,
            _ => truth.certificates,
        }
    }

    /// The figures that counts come to.
    fn figures(self, counts: Counts) -> Vec<u8> {
        match self {
            Self::Keys => vec![counts.active, counts.present],
            _ => vec![counts.active],
        }
    }
}

/// What a scrape shows of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub keys: Vec<Option<u8>>,
    pub certificates: Vec<Option<u8>>,
    pub mfa: Vec<Option<u8>>,
    pub password: Vec<Option<u8>>,
    /// The GeneratedTime of the report in use.
    pub report: Option<i64>,
    /// Whether no look has worked for `refresh.max_live_staleness`.
    pub is_stale: bool,
}

impl Shown {
    pub fn of(&self, topic: Topic) -> &[Option<u8>] {
        match topic {
            Topic::Keys => &self.keys,
            Topic::Certificates => &self.certificates,
            Topic::Mfa => &self.mfa,
            Topic::Password => &self.password,
        }
    }
}

/// How far the daemon has come: the eras of the newest list of a root session and of the newest
/// look. Without a root session the report is the base, and its era is told by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    base: usize,
    look: usize,
}

/// What is known of the daemon's knowledge of one topic.
#[derive(Clone, Debug)]
struct Known {
    /// The earliest places it can be at; none of them is before another.
    at: Vec<Place>,
    /// The era in which, at the earliest, two looks agreed that there is none.
    none: Option<usize>,
}

/// What was known when a scrape ended.
#[derive(Clone, Debug)]
struct Past {
    ended: Instant,
    /// Something was worse than in the scrape before: that is on disk before it is shown.
    is_rise: bool,
    known: Known,
}

#[derive(Clone, Debug)]
struct Follower {
    topic: Topic,
    known: Known,
    shown: Vec<Option<u8>>,
    past: Vec<Past>,
}

/// The unchanging facts of an account.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    pub way: Way,
    /// The most that the account's summary counts.
    pub summary_counts: u8,
    /// The time of the report that was there at the start.
    pub first_report: i64,
    /// How many seconds AWS takes to make a report.
    pub report_takes: i64,
}

/// Follows one account.
#[derive(Clone, Debug)]
pub struct Witness {
    nature: Nature,
    followers: Vec<Follower>,
    /// The times of all reports that were in use.
    reports: Vec<i64>,
}

impl Witness {
    /// The witness of an account of which everything is known as it was in its first era.
    pub fn new(nature: Nature, at: Instant) -> Self {
        let known = Known {
            at: vec![Place { base: 0, look: 0 }],
            none: None,
        };
        let follower = |topic| Follower {
            topic,
            known: known.clone(),
            shown: Vec::new(),
            past: vec![Past {
                ended: at,
                is_rise: true,
                known: known.clone(),
            }],
        };
        Self {
            nature,
            followers: Topic::ALL.map(follower).into(),
            reports: Vec::new(),
        }
    }

    /// The daemon was killed at that moment and goes on from its state file.
    pub fn restarted(&mut self, killed: Instant) {
        for follower in &mut self.followers {
            let is_on_disk = |past: &Past| past.is_rise || past.ended + SAVED_WITHIN <= killed;
            let floor = follower.past.iter().rposition(is_on_disk).unwrap_or(0);
            follower.past.truncate(floor + 1);
            follower.past.drain(..floor);
            follower.known = follower.past[0].known.clone();
            follower.shown.clear();
        }
    }

    /// Takes what a scrape showed that ended at that moment.
    ///
    /// # Errors
    ///
    /// Says what is shown that does not follow from anything true.
    pub fn take(&mut self, shown: &Shown, ended: Instant, history: &History) -> Result<(), String> {
        if let Some(report) = shown.report
            && !self.reports.contains(&report)
        {
            self.reports.push(report);
            if self.eras_of_report(report, history).is_empty() {
                return Err(format!(
                    "a report of {report} is in use, which AWS never made"
                ));
            }
        }
        for nth in 0..self.followers.len() {
            let topic = self.followers[nth].topic;
            let values = shown.of(topic);
            let at = self.places(&self.followers[nth], shown, ended, history);
            if at.is_empty() {
                return Err(self.explain(topic, values, history));
            }
            let follower = &mut self.followers[nth];
            if topic == Topic::Keys && values[1] == Some(0) {
                follower.known.none = at.iter().map(|place| place.look).min();
            }
            let is_rise = values.iter().enumerate().any(|(nth, value)| {
                let before = follower.shown.get(nth).copied().flatten();
                value.is_some_and(|value| topic.is_alarming(value)) && *value > before
                    || topic == Topic::Mfa && *value == Some(0) && before != Some(0)
            });
            if is_rise || at != follower.known.at || values != follower.shown {
                follower.known.at = at;
                follower.shown = values.to_vec();
                follower.past.push(Past {
                    ended,
                    is_rise,
                    known: follower.known.clone(),
                });
            }
        }
        Ok(())
    }

    fn explain(&self, topic: Topic, values: &[Option<u8>], history: &History) -> String {
        let was = |era: usize| {
            let truth = history.truth(era);
            match topic {
                Topic::Mfa => vec![truth.mfa],
                Topic::Password => vec![truth.password],
                counted => counted.figures(counted.counts(truth)),
            }
        };
        let known: Vec<_> = values.iter().copied().flatten().collect();
        let what = if known.len() < values.len() {
            "is gone"
        } else if (0..=history.last()).any(|era| was(era) == known) {
            "is an older truth that came back"
        } else {
            "was never true"
        };
        let follower = self.followers.iter().find(|one| one.topic == topic);
        format!(
            "{topic:?} {values:?} {what}; it was at {:?}",
            follower.map(|one| &one.known)
        )
    }

    /// The earliest places from which this may be shown.
    fn places(
        &self,
        follower: &Follower,
        shown: &Shown,
        ended: Instant,
        history: &History,
    ) -> Vec<Place> {
        let topic = follower.topic;
        let newest = history.last_by(ended);
        let least = |of: fn(&Place) -> usize| follower.known.at.iter().map(of).min().unwrap_or(0);
        let (base, look) = (least(|place| place.base), least(|place| place.look));
        // Without a root session, and for what is on or off, there is only the look.
        let is_listed = topic.is_counted() && self.nature.way != Way::Role;
        let bases = if is_listed { base..=newest } else { 0..=0 };
        let mut places: Vec<Place> = Vec::new();
        for base in bases {
            // A list is at most as new as the look it is part of.
            let from = if is_listed { look.max(base) } else { look };
            let to = places.last().map_or(newest + 1, |place| place.look);
            let found = (from..to).map(|look| Place { base, look }).find(|place| {
                let is_ahead = follower
                    .known
                    .at
                    .iter()
                    .any(|at| at.base <= place.base && at.look <= place.look);
                is_ahead && self.may_show(follower, *place, shown, history)
            });
            places.extend(found);
        }
        places
    }

    fn may_show(
        &self,
        follower: &Follower,
        place: Place,
        shown: &Shown,
        history: &History,
    ) -> bool {
        let topic = follower.topic;
        let values = shown.of(topic);
        self.figures(follower, place, shown.report, history)
            .iter()
            .any(|figures| {
                figures
                    .iter()
                    .zip(values)
                    .all(|(figure, value)| match value {
                        Some(value) => value == figure,
                        // Only what is fine is withdrawn, and only when nothing has been seen.
                        None => topic.fine() == Some(*figure) && shown.is_stale,
                    })
            })
    }

    /// What the rules make of knowledge at that place.
    fn figures(
        &self,
        follower: &Follower,
        place: Place,
        report: Option<i64>,
        history: &History,
    ) -> Vec<Vec<u8>> {
        let topic = follower.topic;
        let truth = history.truth(place.look);
        match topic {
            Topic::Mfa => return vec![vec![truth.mfa]],
            Topic::Password => return vec![vec![truth.password]],
            Topic::Keys | Topic::Certificates => {}
        }
        let seen = self.seen(topic, truth);
        let counts = |era: usize| topic.counts(history.truth(era));
        let eras = |report| self.eras_of_report(report, history);
        let mut found = Vec::new();
        if self.nature.way != Way::Role {
            found.extend(self.explained(follower, place.base, place.look, i64::MIN, history));
        }
        // The report that is shown may be held back: then the one before counts.
        let before = self
            .reports
            .iter()
            .copied()
            .filter(|one| Some(*one) < report);
        let reports: Vec<i64> = report.into_iter().chain(before.max()).collect();
        if self.nature.way == Way::Role {
            for (nth, report) in reports.iter().enumerate() {
                for base in eras(*report) {
                    let known = self.explained(follower, base, place.look, *report, history);
                    // A report later than the look that knows fewer: none was born since, and as
                    // many stay active as were by the report before.
                    for older in reports.get(nth + 1..).unwrap_or_default() {
                        for old_base in eras(*older) {
                            let look = place.look;
                            for was in self.explained(follower, old_base, look, *older, history) {
                                let base = counts(base);
                                let stay = was.active.saturating_sub(base.active);
                                let beyond = seen.saturating_sub(base.present);
                                found.push(Counts {
                                    active: base.active + stay.min(beyond),
                                    present: base.present.max(seen),
                                });
                            }
                        }
                    }
                    found.extend(known);
                }
            }
        }
        // A look said none, a report made later says some, and the look after that failed.
        if self.nature.way != Way::Root && seen == 0 {
            for report in reports {
                if history.era(place.look).from <= report {
                    found.extend(eras(report).into_iter().map(counts));
                }
            }
        }
        found.into_iter().map(|one| topic.figures(one)).collect()
    }

    /// What a base comes to when a look has seen what was there in a later era: what the base
    /// explains, and beyond it what was born since.
    fn explained(
        &self,
        follower: &Follower,
        base: usize,
        look: usize,
        base_at: i64,
        history: &History,
    ) -> Vec<Counts> {
        let topic = follower.topic;
        let counts = topic.counts(history.truth(base));
        let seen = self.seen(topic, history.truth(look));
        if seen == 0 {
            return vec![Counts::default()];
        }
        let by = |base: Counts| Counts {
            active: (base.active + seen.saturating_sub(base.present)).min(2),
            present: base.present.max(seen),
        };
        // Two looks may have agreed that there is none; then the base explains nothing any more.
        let was_none = (base..=look).any(|era| topic.counts(history.truth(era)).present == 0);
        let none_was_shown = follower
            .known
            .none
            .is_some_and(|none| base < none && look >= none && base_at < history.era(none).from);
        let mut all = Vec::new();
        if !none_was_shown {
            all.push(by(counts));
        }
        if was_none {
            all.push(by(Counts::default()));
        }
        all
    }

    /// What the account's summary counts.
    fn seen(&self, topic: Topic, truth: Truth) -> u8 {
        let present = topic.counts(truth).present;
        match topic {
            Topic::Keys => present.min(self.nature.summary_counts),
            _ => present.min(1),
        }
    }

    fn eras_of_report(&self, report: i64, history: &History) -> Vec<usize> {
        if report == self.nature.first_report {
            return vec![0];
        }
        history.in_second(report - self.nature.report_takes)
    }

    /// Whether everything is shown as it is now.
    ///
    /// # Errors
    ///
    /// Says what is not.
    pub fn is_settled(&self, shown: &Shown, history: &History) -> Result<(), String> {
        let now = history.last();
        let truth = history.truth(now);
        for follower in &self.followers {
            let topic = follower.topic;
            let wanted: Vec<Vec<u8>> = match topic {
                Topic::Mfa => vec![vec![truth.mfa]],
                Topic::Password => vec![vec![truth.password]],
                // No look alone tells what became of a key that a report knows.
                counted if self.nature.way == Way::Role => {
                    let report = shown.report.unwrap_or_default();
                    let eras = self.eras_of_report(report, history);
                    eras.into_iter()
                        .flat_map(|base| self.explained(follower, base, now, report, history))
                        .map(|counts| counted.figures(counts))
                        .collect()
                }
                counted => vec![counted.figures(counted.counts(truth))],
            };
            let values = shown.of(topic);
            let is_wanted =
                |wanted: &Vec<u8>| wanted.iter().copied().map(Some).eq(values.iter().copied());
            if !wanted.iter().any(is_wanted) {
                return Err(format!("{topic:?} is {values:?}, not one of {wanted:?}"));
            }
        }
        Ok(())
    }
}
