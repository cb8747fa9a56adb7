//! The system under test: a record, judged, written and read again. It knows nothing of the truth.

use root_posture::{Evidence, Limits, Moment, Posture, Record, SourcesInUse, judge};

use crate::support::restarted;

pub struct Sut {
    record: Record,
    limits: Limits,
}

impl Sut {
    pub fn new(sources: SourcesInUse, limits: Limits) -> Self {
        Self {
            record: Record::new(sources),
            limits,
        }
    }

    pub fn take(&mut self, evidence: Evidence) {
        self.record.take(evidence, &self.limits);
    }

    pub fn use_sources(&mut self, sources: SourcesInUse, now: Moment) {
        self.record.use_sources(sources, now, &self.limits);
    }

    pub fn restart(&mut self, shift: i64) {
        self.record = restarted(&self.record, shift);
    }

    pub fn posture(&self, now: Moment) -> Posture {
        judge(&self.record, now, &self.limits)
    }
}
