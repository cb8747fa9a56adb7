//! What can happen, as the reference world and the record both go through it.

use std::fmt;

use root_posture::{LiveSource, SourcesInUse};

use crate::account::{Change, State};

/// Where a scenario begins.
#[derive(Clone, Debug)]
pub struct Setup {
    pub state: State,
    pub sources: SourcesInUse,
    /// `refresh.interval` in seconds.
    pub interval: u64,
    /// How far each live source usually lags, in milliseconds.
    pub lags: [i64; 2],
    /// The most that a summary counts.
    pub summary_counts_to: u8,
    /// Which topics the columns of the report cover.
    pub columns: [bool; 4],
}

/// One thing that happens. All times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub enum Transition {
    /// The truth changes.
    Change(Change),
    Wait(i64),
    /// The next poll is due: an interval passes.
    Interval,
    Ask(Ask),
    /// A report is read, so long after AWS made it of content that was so old.
    Report {
        age: i64,
        content_age: i64,
    },
    NoReportYet,
    /// The newest evidence is delivered once more.
    Duplicate,
    /// The process ends, and another starts so much later.
    Restart {
        down: i64,
    },
    WallClockSteps(i64),
    /// The configuration names these sources from now on.
    UseSources(SourcesInUse),
    /// Nothing changes any more, and every source in use answers the truth.
    Settle,
}

/// One question to a live source.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub source: LiveSource,
    /// What is asked: a summary answers all topics, a root session call by call.
    pub topics: [bool; 4],
    /// How much older than usual the answer is.
    pub lag: i64,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// An answer so long after.
    Answers {
        after: i64,
    },
    Fails {
        after: i64,
    },
    /// Given up at its deadline.
    Hangs,
    /// Given up at its deadline, and then it answers nevertheless, so long after.
    AnswersLate {
        after: i64,
    },
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [summary, list] = self.lags.map(seconds);
        writeln!(f, "at first: {}", self.state)?;
        write!(
            f,
            "sources {:?}, interval {} s, lags {summary} and {list}, a summary counts to {}, \
             reports cover {:?}",
            self.sources, self.interval, self.summary_counts_to, self.columns
        )
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(change) => write!(f, "in truth: {change:?}"),
            Self::Wait(millis) => write!(f, "{} pass", seconds(*millis)),
            Self::Interval => f.write_str("an interval passes"),
            Self::Ask(ask) => write!(
                f,
                "{:?} is asked for {:?}, {} behind: {:?}",
                ask.source,
                ask.topics,
                seconds(ask.lag),
                ask.outcome
            ),
            Self::Report { age, content_age } => write!(
                f,
                "a report is read, {} after AWS made it of content {} old",
                seconds(*age),
                seconds(*content_age)
            ),
            Self::NoReportYet => f.write_str("no report yet"),
            Self::Duplicate => f.write_str("the same once more"),
            Self::Restart { down } => write!(f, "a restart takes {}", seconds(*down)),
            Self::WallClockSteps(millis) => write!(f, "the wall clock steps {}", seconds(*millis)),
            Self::UseSources(sources) => write!(f, "from now on {sources:?}"),
            Self::Settle => f.write_str("every source answers the truth from now on"),
        }
    }
}

/// Milliseconds as people read them.
pub fn seconds(millis: i64) -> String {
    format!("{}.{:03} s", millis / 1000, (millis % 1000).abs())
}
