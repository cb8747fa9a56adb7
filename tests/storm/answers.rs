//! The answers of AWS about one account, by topic: what a daemon can know, and what it must know.
//!
//! Everything here comes from the simulated AWS, nothing from the daemon.

use std::time::{Duration, Instant};

use aws_simulator::{Call, Counts, Inventory, Operation};

/// How long one trouble can keep a probe from an answer that AWS gave it in full: a call that was
/// spoilt or late, in the opening of a session or in the probe itself, uses up the deadlines of
/// both, which are `refresh.timeout` each.
const TROUBLE: Duration = Duration::from_secs(5);

/// Something that is known of a root user. MFA that is off counts as one, a password too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Keys,
    Certificates,
    MfaOff,
    Password,
}

impl Topic {
    pub const ALL: [Self; 4] = [Self::Keys, Self::Certificates, Self::MfaOff, Self::Password];

    /// How many there are of it.
    pub fn counts(self, root: Inventory) -> Counts {
        let flag = |is_set: bool| Counts {
            present: usize::from(is_set),
            active: usize::from(is_set),
        };
        match self {
            Self::Keys => root.keys,
            Self::Certificates => root.certificates,
            Self::MfaOff => flag(!root.mfa),
            Self::Password => flag(root.password),
        }
    }

    /// The operation that lists it in a root session.
    fn list(self) -> Operation {
        match self {
            Self::Keys => Operation::ListAccessKeys,
            Self::Certificates => Operation::ListSigningCertificates,
            Self::MfaOff => Operation::ListMFADevices,
            Self::Password => Operation::GetLoginProfile,
        }
    }
}

/// The source of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Summary,
    List,
    Report,
}

/// What is counted of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Present,
    Active,
}

/// An answer to a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub source: Source,
    pub at: Instant,
    /// The second of that, by AWS's clock.
    pub second: i64,
    pub counts: Counts,
    /// The GeneratedTime of a report.
    pub generated: Option<i64>,
    /// Whether the daemon must have received it, and has not lost it in a kill.
    pub certain: bool,
}

impl Answer {
    /// How many there are by this answer; `None` where it does not say.
    pub fn of(&self, part: Part) -> Option<usize> {
        match part {
            Part::Present => Some(self.counts.present),
            Part::Active if self.source == Source::Summary => None,
            Part::Active => Some(self.counts.active),
        }
    }

    pub fn is_live(&self) -> bool {
        self.source != Source::Report
    }

    /// Whether the answer says that there is nothing of that part.
    pub fn says_none(&self, part: Part) -> bool {
        self.counts.present == 0 || self.of(part) == Some(0)
    }
}

/// All answers about one account, in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    by_topic: [Vec<Answer>; 4],
    /// When a call was last spoilt or late.
    trouble: Option<Instant>,
}

impl Answers {
    /// Takes a call about the account.
    pub fn take(&mut self, call: &Call) {
        if !call.whole {
            self.trouble = Some(call.moment);
        }
        let (Some(operation), Some(reported)) = (call.operation, call.reported) else {
            return;
        };
        let certain = self
            .trouble
            .is_none_or(|trouble| call.moment.duration_since(trouble) > TROUBLE);
        for topic in Topic::ALL {
            let source = match operation {
                Operation::GetAccountSummary => Source::Summary,
                Operation::GetCredentialReport => Source::Report,
                list if list == topic.list() => Source::List,
                _ => continue,
            };
            self.by_topic[topic as usize].push(Answer {
                source,
                at: call.moment,
                second: call.at,
                counts: topic.counts(reported.root),
                generated: reported.generated,
                certain,
            });
        }
    }

    /// The daemon may have forgotten what was answered between these moments.
    pub fn lose(&mut self, from: Instant, to: Instant) {
        for answer in self.by_topic.iter_mut().flatten() {
            answer.certain &= answer.at < from || answer.at > to;
        }
    }

    /// The answers to a topic, oldest first.
    pub fn of(&self, topic: Topic) -> &[Answer] {
        &self.by_topic[topic as usize]
    }
}
