//! Runs a trace against the judgement, with a check after each piece of evidence.

use proptest::prelude::*;
use root_posture::{Evidence, MAX_CREDENTIALS, Moment, Posture, Record, Topic, judge};

use crate::LIMITS;
use crate::support::{Log, Shown, restarted};
use crate::traces::{Event, Trace, evidence};

/// One piece of evidence, or time that passed, and what it changed.
pub struct Seen<'t> {
    pub evidence: Option<Evidence>,
    /// The topics on which it is an answer that is not older than the newest.
    pub answered: Vec<Topic>,
    pub now: Moment,
    pub record: &'t Record,
    pub before: Posture,
    pub after: Posture,
    /// All evidence, this one included.
    pub log: &'t Log,
}

impl Seen<'_> {
    pub fn is_cold(&self) -> bool {
        Shown::ALL.iter().all(|it| it.metric(&self.after).is_none())
    }

    /// Whether a report was held before.
    pub fn had_held(&self) -> bool {
        self.before.review_at.is_some()
    }

    /// What the newest report says.
    pub fn reported(&self, shown: Shown) -> u8 {
        let report = self.log.report(shown.topic);
        report.map_or(0, |(_, value)| shown.pick(value).min(MAX_CREDENTIALS))
    }
}

/// Runs a trace and checks after each piece of evidence.
pub fn walk(
    trace: &Trace,
    mut check: impl FnMut(&Seen) -> Result<(), TestCaseError>,
) -> Result<(Record, Moment), TestCaseError> {
    let mut record = Record::new(trace.first_start);
    let mut log = Log::default();
    let mut now = Moment::default();
    let mut aws = 0;
    for step in &trace.steps {
        now = now.shifted(step.wait);
        aws += step.wait;
        if let Event::Restart(millis) = step.event {
            record = restarted(&record, millis);
            log.shift(millis);
            now = now.shifted(millis);
        }
        let evidence: Vec<Option<Evidence>> = match evidence(&step.event, now, aws) {
            none if none.is_empty() => vec![None],
            some => some.into_iter().map(Some).collect(),
        };
        for evidence in evidence {
            let before = judge(&record, now, &LIMITS);
            let mut answered = Vec::new();
            if let Some(evidence) = evidence {
                record.take(evidence, &LIMITS);
                answered = log.take(&evidence, LIMITS.interval);
            }
            check(&Seen {
                evidence,
                answered,
                now,
                record: &record,
                before,
                after: judge(&record, now, &LIMITS),
                log: &log,
            })?;
        }
    }
    Ok((record, now))
}
