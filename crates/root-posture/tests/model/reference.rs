//! The reference world: the truth, everything that was answered, and when. It judges nothing.

use std::time::Duration;

use root_posture::{
    Answer, Counts, Evidence, FIRST_REPORT_WAIT, Limits, LiveSource, MAX_LAG, Moment, ReportClaim,
    Source, SourcesInUse, Timestamp, Topic, Topics,
};

use crate::account::{Account, State};
use crate::clock::Clock;
use crate::strategy::{HOUR, SECOND};
use crate::support::Log;
use crate::transition::{Ask, Outcome, Setup};

/// When an attempt is given up.
const DEADLINE: i64 = 30 * SECOND;

/// A piece of evidence, and the truth behind it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub evidence: Evidence,
    /// The true time that an answer or a report describes.
    pub content_at: Option<i64>,
}

impl Arrival {
    /// The source of an answer or a report.
    pub fn source(&self) -> Option<Source> {
        match self.evidence {
            Evidence::Answer(answer) => Some(answer.source.into()),
            Evidence::Report(_) => Some(Source::CredentialReport),
            Evidence::Failure { .. } | Evidence::NoReportYet(_) => None,
        }
    }

    /// An answer without the topics on which it is older than the newest.
    fn only(self, answered: &[Topic]) -> Self {
        let Evidence::Answer(mut answer) = self.evidence else {
            return self;
        };
        for topic in Topic::ALL.into_iter().filter(|it| !answered.contains(it)) {
            answer.values = answer.values.with(topic, None);
        }
        Self {
            evidence: Evidence::Answer(answer),
            ..self
        }
    }

    pub fn date(&self) -> Option<Timestamp> {
        match self.evidence {
            Evidence::Answer(answer) => Some(answer.date),
            Evidence::Report(report) => Some(report.date),
            Evidence::Failure { .. } | Evidence::NoReportYet(_) => None,
        }
    }

    /// What it says of a topic.
    pub fn value(&self, topic: Topic) -> Option<Counts> {
        match self.evidence {
            Evidence::Answer(answer) => answer.values.get(topic),
            Evidence::Report(report) => report.values.get(topic),
            Evidence::Failure { .. } | Evidence::NoReportYet(_) => None,
        }
    }

    /// Whether it says anything of a topic.
    pub fn says(&self, topic: Topic) -> bool {
        self.value(topic).is_some()
    }
}

/// What will arrive of a question, at a true time.
#[derive(Clone, Copy, Debug)]
struct Pending {
    due: i64,
    source: LiveSource,
    asked: Moment,
    topics: [bool; 4],
    /// The true time of the content; `None` is a failure.
    content_at: Option<i64>,
}

pub struct World {
    pub setup: Setup,
    pub limits: Limits,
    pub clock: Clock,
    pub account: Account,
    pub sources: SourcesInUse,
    /// All evidence, by the process's clock.
    pub log: Log,
    /// All evidence that says something new, in the order in which it arrived.
    pub arrivals: Vec<Arrival>,
    /// The newest of it, since the process started with this configuration.
    pub newest: Option<Arrival>,
    /// Sources that have neither answered nor failed since the start.
    pub awaiting: SourcesInUse,
    /// Since when a first report is tried for.
    report_started: Option<Moment>,
    pending: Vec<Pending>,
    /// The newest report that AWS made, by the true time: when, and of which content.
    made: Option<(i64, i64)>,
}

impl World {
    pub fn new(setup: &Setup) -> Self {
        Self {
            setup: setup.clone(),
            limits: Limits {
                interval: Duration::from_secs(setup.interval),
                in_force: Duration::from_secs(setup.interval),
                max_staleness: Duration::from_secs(10 * 3600),
                max_live_staleness: Duration::from_secs(30 * 60),
            },
            clock: Clock::new(),
            account: Account::new(setup.state),
            sources: setup.sources,
            log: Log::default(),
            arrivals: Vec::new(),
            newest: None,
            awaiting: setup.sources,
            report_started: None,
            pending: Vec::new(),
            made: None,
        }
    }

    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    pub fn interval(&self) -> i64 {
        i64::try_from(self.setup.interval).unwrap() * SECOND
    }

    /// What is true now.
    pub fn truth(&self) -> State {
        self.account.at(self.clock.truth())
    }

    /// Asks a live source in use. What comes of it arrives later, or at once with the next
    /// [`World::next`].
    pub fn ask(&mut self, ask: &Ask) {
        if !self.sources.has(ask.source) {
            return;
        }
        let late = i64::try_from(MAX_LAG.as_millis()).unwrap();
        let lag = (self.setup.lags[ask.source as usize] + ask.lag).min(late);
        let truth = self.clock.truth();
        let mut arrives = |after: i64, is_answer: bool| {
            self.pending.push(Pending {
                due: truth + after,
                source: ask.source,
                asked: self.clock.now(),
                topics: ask.topics,
                // However late it arrives, AWS read it before the deadline.
                content_at: is_answer.then_some(truth + after.min(DEADLINE) - lag),
            });
        };
        match ask.outcome {
            Outcome::Answers { after } => arrives(after, true),
            Outcome::Fails { after } => arrives(after, false),
            Outcome::Hangs => arrives(DEADLINE, false),
            Outcome::AnswersLate { after } => {
                arrives(DEADLINE, false);
                arrives(after, true);
            }
        }
    }

    /// When the next answer or failure arrives, by the true time, and what it is then.
    pub fn next(&mut self, until: i64) -> Option<i64> {
        self.pending.sort_by_key(|pending| pending.due);
        self.pending
            .first()
            .map(|next| next.due)
            .filter(|due| *due <= until)
    }

    /// What arrives now.
    pub fn arrive(&mut self) -> Arrival {
        let pending = self.pending.remove(0);
        let topics: Vec<Topic> = Topic::ALL
            .into_iter()
            .zip(pending.topics)
            .filter_map(|(topic, is_asked)| is_asked.then_some(topic))
            .collect();
        let Pending { source, asked, .. } = pending;
        let evidence = match pending.content_at {
            None => Evidence::Failure {
                source,
                topics: Topics::of(&topics),
                asked,
            },
            Some(content_at) => {
                let state = self.account.at(content_at);
                Evidence::Answer(Answer {
                    source,
                    asked,
                    date: Clock::date(self.clock.truth()),
                    values: match source {
                        LiveSource::Summary => state.summary(topics, self.setup.summary_counts_to),
                        LiveSource::List => state.values(topics),
                    },
                })
            }
        };
        Arrival {
            evidence,
            content_at: pending.content_at,
        }
    }

    /// A report that is read now; `None` where none is in use. AWS makes a new one when the last is
    /// four hours old.
    pub fn report(&mut self, age: i64, content_age: i64) -> Option<Arrival> {
        if !self.sources.report {
            return None;
        }
        let truth = self.clock.truth();
        let (made_at, content_at) = match self.made {
            Some(made) if truth - age < made.0 + 4 * HOUR => made,
            _ => (truth - age, truth - age - content_age),
        };
        self.made = Some((made_at, content_at));
        let columns = Topic::ALL.into_iter().zip(self.setup.columns);
        let columns = columns.filter_map(|(topic, is_there)| is_there.then_some(topic));
        let evidence = Evidence::Report(ReportClaim {
            received: self.now(),
            generated: self.now().shifted(made_at - truth),
            date: Clock::date(made_at),
            values: self.account.at(content_at).values(columns),
        });
        Some(Arrival {
            evidence,
            content_at: Some(content_at),
        })
    }

    /// Takes note of what arrived: the topics on which it is an answer not older than the newest.
    pub fn take(&mut self, arrival: Arrival) -> Vec<Topic> {
        match arrival.evidence {
            Evidence::Answer(Answer { source, .. }) | Evidence::Failure { source, .. } => {
                self.stop_awaiting(source);
            }
            Evidence::Report(_) => {
                self.awaiting.report = false;
                self.report_started = None;
            }
            Evidence::NoReportYet(at) => {
                self.awaiting.report = false;
                self.report_started.get_or_insert(at);
            }
        }
        let answered = self.log.take(&arrival.evidence, self.limits.interval);
        self.newest = Some(arrival);
        self.arrivals.push(arrival.only(&answered));
        answered
    }

    /// A source that is configured away counts as failed.
    pub fn use_sources(&mut self, sources: SourcesInUse) {
        self.sources = sources;
        self.newest = None;
        for source in LiveSource::ALL.into_iter().filter(|it| !sources.has(*it)) {
            self.stop_awaiting(source);
            self.pending.retain(|pending| pending.source != source);
            let failure = Evidence::Failure {
                source,
                topics: Topics::ALL,
                asked: self.now(),
            };
            self.log.take(&failure, self.limits.interval);
        }
        if !sources.report {
            self.awaiting.report = false;
            self.report_started = None;
        }
    }

    /// The process restarts: what was under way is lost. How far the new clock is from the old.
    pub fn restart(&mut self, down: i64) -> i64 {
        self.pending.clear();
        self.newest = None;
        let shift = self.clock.restart(down);
        self.log.shift(shift);
        self.report_started = self.report_started.map(|at| at.shifted(shift));
        shift
    }

    pub fn awaits(&self) -> bool {
        self.awaiting.summary || self.awaiting.list || self.awaiting.report
    }

    /// Until when a first start waits for a report that explains what a summary counts.
    pub fn first_report_until(&self) -> Option<Moment> {
        let summary = self.log.answers(LiveSource::Summary, Topic::Keys);
        let list = self.log.answers(LiveSource::List, Topic::Keys);
        let counts = matches!(summary.0.as_slice(), [only] if only.value.present > 0);
        let waits = counts && list.newest().is_none() && self.log.reports.is_empty();
        self.report_started
            .filter(|_| waits)
            .map(|at| at + FIRST_REPORT_WAIT)
    }

    fn stop_awaiting(&mut self, source: LiveSource) {
        match source {
            LiveSource::Summary => self.awaiting.summary = false,
            LiveSource::List => self.awaiting.list = false,
        }
    }
}
