//! The answers of one live source about one topic, compressed into runs of equal answers.

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::limits::{Limits, MAX_LAG};
use crate::time::{Moment, Timestamp};

const MAX_RUNS: usize = 8;

/// Equal answers of one source in a row, without another answer or a long silence in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The answer.
    pub value: Counts,
    /// When the newest of these answers was requested.
    pub last: Moment,
    /// The newest one that counts: of answers closer than a gap, only the first counts.
    pub counted: Moment,
    /// The one that counted before it; `None` while the run is not confirmed.
    pub prior: Option<Moment>,
    /// The second one that counted.
    pub confirmed: Option<Moment>,
    /// The `Date` of the newest answer by AWS's clock, for display.
    pub date: Timestamp,
}

impl Run {
    fn new(value: Counts, asked: Moment, date: Timestamp) -> Self {
        Self {
            value,
            last: asked,
            counted: asked,
            prior: None,
            confirmed: None,
            date,
        }
    }

    fn moments(&mut self) -> impl Iterator<Item = &mut Moment> {
        [&mut self.last, &mut self.counted]
            .into_iter()
            .chain(self.prior.as_mut())
            .chain(self.confirmed.as_mut())
    }
}

/// The runs of one live source on one topic, newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(Vec<Run>);

impl History {
    /// The runs, oldest first.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.0
    }

    /// The newest run.
    #[must_use]
    pub fn newest(&self) -> Option<&Run> {
        self.0.last()
    }

    /// The newest run that two counting answers confirm.
    #[must_use]
    pub fn confirmed(&self) -> Option<&Run> {
        self.0.iter().rev().find(|run| run.prior.is_some())
    }

    /// The newest confirmed run of "none".
    #[must_use]
    pub fn confirmed_none(&self) -> Option<&Run> {
        self.0
            .iter()
            .rev()
            .find(|run| run.prior.is_some() && run.value.present == 0)
    }

    /// Adds an answer. One that was requested before the newest one changes nothing.
    pub(crate) fn take(&mut self, value: Counts, asked: Moment, date: Timestamp, limits: &Limits) {
        let gap = limits.gap();
        let silence = limits.silence();
        match self.0.last_mut() {
            Some(run) if asked < run.last => {}
            Some(run) if run.value == value && asked.since(run.last) <= silence => {
                run.last = asked;
                run.date = date;
                if asked.since(run.counted) >= gap {
                    run.prior = Some(run.counted);
                    run.counted = asked;
                    run.confirmed.get_or_insert(asked);
                }
            }
            Some(_) => {
                self.0.push(Run::new(value, asked, date));
                self.prune(asked);
            }
            // Allocates for one: there are many histories, nearly all of one run.
            None => self.0 = vec![Run::new(value, asked, date)],
        }
    }

    /// Keeps the newest confirmed run and all after it, the newest confirmed none, the runs of the
    /// last 15 minutes, and runs with more present than any later one.
    fn prune(&mut self, now: Moment) {
        let start = self.0.iter().rposition(|run| run.prior.is_some());
        let none = self.confirmed_none().copied();
        for index in (0..start.unwrap_or(0)).rev() {
            let run = self.0[index];
            let later = self.0[index + 1..].iter().map(|run| run.value.present);
            let is_highest = later.max() < Some(run.value.present);
            if Some(run) != none && run.last < now - MAX_LAG && !is_highest {
                self.0.remove(index);
            }
        }
        while self.0.len() > MAX_RUNS {
            merge_or_drop_one(&mut self.0, none);
        }
    }

    pub(crate) fn moments(&mut self) -> impl Iterator<Item = &mut Moment> {
        self.0.iter_mut().flat_map(Run::moments)
    }
}

/// Frees the place of one run: two adjacent unconfirmed runs become their maximum, which loses no
/// claim; where there are none, the oldest run goes. The newest is untouched: its next answer
/// confirms it.
fn merge_or_drop_one(runs: &mut Vec<Run>, none: Option<Run>) {
    let newest = runs.len().saturating_sub(1);
    let pair = runs[..newest]
        .windows(2)
        .position(|pair| pair.iter().all(|run| run.prior.is_none()));
    if let Some(first) = pair {
        let (older, newer) = (runs.remove(first), runs[first]);
        runs[first] = Run {
            value: older.value.max(newer.value),
            ..Run::new(newer.value, newer.last, newer.date)
        };
        runs[first].counted = newer.counted;
    } else if let Some(oldest) = runs.iter().position(|run| Some(*run) != none) {
        runs.remove(oldest);
    }
}
