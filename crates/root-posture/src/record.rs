//! The evidence of one account: answers, reports and failed attempts.
//!
//! It never stores a conclusion: [`crate::judge`] computes every value each time.

use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::limits::Limits;
use crate::observation::{Answer, Evidence, LiveSource, ReportClaim, Topic, Topics};
use crate::time::Moment;

/// A set of sources: those in use for an account, or those that a first start still waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcesInUse {
    /// The account summary.
    pub summary: bool,
    /// The lists of a root session.
    pub list: bool,
    /// The credential report.
    pub report: bool,
}

impl SourcesInUse {
    /// Whether a live source is in the set.
    #[must_use]
    pub fn has(self, source: LiveSource) -> bool {
        match source {
            LiveSource::Summary => self.summary,
            LiveSource::List => self.list,
        }
    }

    fn remove(&mut self, source: LiveSource) {
        match source {
            LiveSource::Summary => self.summary = false,
            LiveSource::List => self.list = false,
        }
    }
}

/// The histories and failures of one live source, by topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Live {
    histories: [History; 4],
    /// When the newest failed attempt to learn the topic was made.
    failed: [Option<Moment>; 4],
}

/// All evidence of one account's root user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The sources that have neither answered nor failed since the very start. It only shrinks.
    awaiting: SourcesInUse,
    summary: Live,
    list: Live,
    report: Option<ReportClaim>,
    previous: Option<ReportClaim>,
    /// Since when a first report is awaited: AWS is making it, or attempts fail.
    report_started: Option<Moment>,
}

impl Record {
    /// An empty record of an account with these sources in use.
    #[must_use]
    pub fn new(sources: SourcesInUse) -> Self {
        Self {
            awaiting: sources,
            ..Self::default()
        }
    }

    /// Adds a piece of evidence.
    pub fn take(&mut self, evidence: Evidence, limits: &Limits) {
        match evidence {
            Evidence::Answer(Answer {
                source,
                asked,
                date,
                values,
            }) => {
                self.awaiting.remove(source);
                for (topic, value) in values.iter() {
                    self.live_mut(source).histories[topic as usize]
                        .take(value, asked, date, limits);
                }
            }
            Evidence::Failure {
                source,
                topics,
                asked,
            } => {
                self.awaiting.remove(source);
                for topic in topics.iter() {
                    let failed = &mut self.live_mut(source).failed[topic as usize];
                    *failed = (*failed).max(Some(asked));
                }
            }
            Evidence::Report(report) => {
                self.awaiting.report = false;
                self.report_started = None;
                // The same report read again is no new evidence: a refuted one stays refuted.
                if self.report.is_none_or(|current| {
                    report.generated > current.generated && report.date != current.date
                }) {
                    self.previous = self.report.replace(report);
                }
            }
            Evidence::NoReportYet(at) => {
                self.awaiting.report = false;
                self.report_started.get_or_insert(at);
            }
        }
    }

    /// Continues with other sources. One that is no longer in use counts as failed, and nothing waits
    /// for it.
    pub fn use_sources(&mut self, sources: SourcesInUse, now: Moment, limits: &Limits) {
        for source in LiveSource::ALL {
            if sources.has(source) {
                continue;
            }
            self.awaiting.remove(source);
            let histories = &self.live(source).histories;
            if histories.iter().any(|history| history.newest().is_some()) {
                let failure = Evidence::Failure {
                    source,
                    topics: Topics::ALL,
                    asked: now,
                };
                self.take(failure, limits);
            }
        }
        if !sources.report {
            self.awaiting.report = false;
            self.report_started = None;
        }
    }

    /// Ends the first start: nothing more will be polled.
    pub fn end_first_start(&mut self) {
        self.awaiting = SourcesInUse::default();
        self.report_started = None;
    }

    /// Moves the record to another process's clock by adding `millis` to every moment.
    pub fn shift(&mut self, millis: i64) {
        for live in [&mut self.summary, &mut self.list] {
            let answered = live.histories.iter_mut().flat_map(History::moments);
            for moment in answered.chain(live.failed.iter_mut().flatten()) {
                *moment = moment.shifted(millis);
            }
        }
        for report in [&mut self.report, &mut self.previous].into_iter().flatten() {
            report.received = report.received.shifted(millis);
            report.generated = report.generated.shifted(millis);
        }
        self.report_started = self.report_started.map(|started| started.shifted(millis));
    }

    /// The newest credential report.
    #[must_use]
    pub fn report(&self) -> Option<&ReportClaim> {
        self.report.as_ref()
    }

    /// The answers of a live source about a topic.
    #[must_use]
    pub fn history(&self, source: LiveSource, topic: Topic) -> &History {
        &self.live(source).histories[topic as usize]
    }

    pub(crate) fn failed(&self, source: LiveSource, topic: Topic) -> Moment {
        self.live(source).failed[topic as usize].unwrap_or(Moment::NEVER)
    }

    pub(crate) fn previous(&self) -> Option<&ReportClaim> {
        self.previous.as_ref()
    }

    /// The sources that a first start still waits for.
    #[must_use]
    pub fn awaiting(&self) -> SourcesInUse {
        self.awaiting
    }

    pub(crate) fn report_started(&self) -> Option<Moment> {
        self.report_started
    }

    fn live(&self, source: LiveSource) -> &Live {
        match source {
            LiveSource::Summary => &self.summary,
            LiveSource::List => &self.list,
        }
    }

    fn live_mut(&mut self, source: LiveSource) -> &mut Live {
        match source {
            LiveSource::Summary => &mut self.summary,
            LiveSource::List => &mut self.list,
        }
    }
}
