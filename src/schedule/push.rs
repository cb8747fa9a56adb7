//! The push of one account's events: which polls follow an event, and whether events are verified to
//! arrive.
//!
//! CloudTrail reports each poll of ours as well. Such an *echo* has the id of a request that only AWS
//! and this process know, so it verifies that the account's trail, rules and queue work. Nothing here
//! reads a clock or judges evidence.

use std::collections::VecDeque;
use std::time::Duration;

use root_posture::{MAX_LAG, Moment, Timestamp};

use crate::aws::RequestId;

/// When an account is polled after an event, counted from its arrival. IAM's answers may lag behind a
/// change.
const STEPS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
];

/// The shortest time between two extra polls of an account.
const GAP: Duration = Duration::from_secs(2);

/// How many extra polls of all accounts begin in a quarter of a second: 50 in any second at most.
const A_QUARTER: u32 = 10;

/// So many echoes are awaited of polls however close. Of further polls only one is, in an eighth of the
/// time that an echo may take: where no echo arrives, few are remembered, of all that time.
const AWAITED_AT_ONCE: usize = 4;
const AWAITED_IN_TIME: u32 = 8;

/// How many events are kept that arrive before the answer to their poll.
const MOST_EARLY: usize = 4;

/// The settings of push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushSettings {
    /// How often an account is polled whose push is verified.
    pub relaxed_interval: Duration,
    /// How long an echo may take.
    pub echo_timeout: Duration,
}

/// Whether the events of an account are verified to arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Push {
    /// The polls whose echoes have not arrived, oldest first.
    awaited: VecDeque<(RequestId, Moment)>,
    /// Events of polls that were not answered yet when they arrived: the answer may come later.
    early: VecDeque<(RequestId, Moment)>,
    is_verified: bool,
    /// Whether it ever was, also in an earlier process.
    pub was_up: bool,
    /// Set while it is not verified any more.
    lost: Option<Lost>,
    /// The newest event that changed a trail or a rule of ours.
    pub tampered: Option<Timestamp>,
}

/// The end of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lost {
    /// When it ended: the echo of an earlier poll verifies nothing.
    at: Moment,
    /// No echo verifies anything before.
    until: Moment,
}

impl Push {
    /// Awaits the echo of a poll that was requested at `asked`.
    pub fn polled(&mut self, request: RequestId, asked: Moment, settings: &PushSettings) {
        self.review(asked, settings);
        let newest = self.awaited.back();
        let apart = newest.map_or(Duration::MAX, |(_, newest)| asked.since(*newest));
        let is_far = apart >= settings.echo_timeout / AWAITED_IN_TIME;
        if is_far || self.awaited.len() < AWAITED_AT_ONCE {
            self.awaited.push_back((request, asked));
        }
        let early = self.early.iter().find(|(it, _)| *it == request);
        if let Some((_, arrived)) = early.copied() {
            self.echoed(request, arrived);
        }
        self.early.clear();
    }

    /// Keeps the event of a request that no poll awaits, as one that is in flight may be it.
    pub fn keep(&mut self, request: RequestId, now: Moment) {
        self.early.truncate(MOST_EARLY - 1);
        self.early.push_front((request, now));
    }

    /// Whether it awaits the echo of this request.
    pub fn awaits(&self, request: RequestId) -> bool {
        self.awaited.iter().any(|(it, _)| *it == request)
    }

    /// Takes the echo of a poll. Returns its delay; `None` where no poll of this account awaits it.
    pub fn echoed(&mut self, request: RequestId, now: Moment) -> Option<Duration> {
        let place = self.awaited.iter().position(|(it, _)| *it == request)?;
        let (_, asked) = self.awaited.remove(place)?;
        let lost = self.lost;
        if lost.is_none_or(|lost| asked >= lost.at && now >= lost.until) {
            self.is_verified = true;
            self.was_up = true;
            self.lost = None;
        }
        Some(now.since(asked))
    }

    /// Takes a change of a trail or of a rule of ours.
    pub fn tampered(&mut self, at: Timestamp, now: Moment, settings: &PushSettings) {
        self.tampered = self.tampered.max(Some(at));
        self.lose(now, settings);
    }

    /// Gives up echoes that are overdue. One that is missing ends the verification.
    pub fn review(&mut self, now: Moment, settings: &PushSettings) {
        if self.drop_overdue(now, settings) && self.is_verified {
            self.lose(now, settings);
        }
    }

    /// When an echo is overdue that would end the verification.
    pub fn review_at(&self, settings: &PushSettings) -> Option<Moment> {
        let (_, asked) = self.awaited.front().filter(|_| self.is_verified)?;
        Some(*asked + settings.echo_timeout)
    }

    /// Whether the last due echo arrived.
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// The same for display: `None` where none ever arrived.
    pub fn up(&self) -> Option<bool> {
        self.was_up.then_some(self.is_verified)
    }

    /// Another queue is read from now on, or none.
    pub fn reset(&mut self) {
        self.awaited.clear();
        self.early.clear();
        self.is_verified = false;
        self.lost = None;
    }

    fn lose(&mut self, now: Moment, settings: &PushSettings) {
        self.is_verified = false;
        self.lost = Some(Lost {
            at: now,
            until: now + settings.echo_timeout,
        });
    }

    fn drop_overdue(&mut self, now: Moment, settings: &PushSettings) -> bool {
        let before = self.awaited.len();
        self.awaited
            .retain(|(_, asked)| now < *asked + settings.echo_timeout);
        self.awaited.len() < before
    }
}

/// The extra polls of an account that follow an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ExtraPolls {
    series: Option<Series>,
    /// When the newest began.
    newest: Option<Moment>,
    /// Until when a key may still not show that an event reported.
    expected_until: Option<Moment>,
}

/// The polls that follow one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Series {
    /// When the event arrived.
    from: Moment,
    /// The next of [`STEPS`].
    step: usize,
    /// When its poll is due.
    due: Moment,
    /// Whether its turn among all accounts has come.
    is_admitted: bool,
}

impl ExtraPolls {
    /// An event arrived. Where the polls after an earlier one go on, they are enough for an event that
    /// changes nothing about root's credentials; for one that does they begin again.
    pub fn follow(&mut self, now: Moment, is_change: bool) {
        let due = self.newest.map_or(now, |newest| now.max(newest + GAP));
        let fresh = Series {
            from: now,
            step: 0,
            due,
            is_admitted: false,
        };
        match &mut self.series {
            None => self.series = Some(fresh),
            Some(series) if is_change => {
                // One that comes sooner serves both events, and so does one that waits for its turn: to
                // ask for another turn at each event would postpone it, and those of all accounts.
                let has_begun = self.newest >= Some(series.due);
                let serves_both = !has_begun && (series.is_admitted || series.due <= due);
                *series = if serves_both {
                    Series {
                        from: now,
                        step: 0,
                        ..*series
                    }
                } else {
                    fresh
                };
            }
            Some(_) => {}
        }
    }

    /// When the next one is due.
    pub fn due(&self) -> Option<Moment> {
        Some(self.series?.due)
    }

    /// Plans the one after the next, which has been made.
    pub fn advance(&mut self) {
        let Some(series) = &mut self.series else {
            return;
        };
        series.step += 1;
        let earliest = self.newest.map(|newest| newest + GAP);
        let step = STEPS.get(series.step);
        self.series = step.map(|step| Series {
            due: (series.from + *step).max(earliest.unwrap_or_default()),
            is_admitted: false,
            ..*series
        });
    }

    /// A poll has shown the change: no other is needed.
    pub fn end(&mut self) {
        self.series = None;
        self.expected_until = None;
    }

    /// A root access key began to work, by an event.
    pub fn expect_key(&mut self, now: Moment) {
        self.expected_until = Some(now + MAX_LAG);
    }

    /// Whether an event reported a key that no poll has shown yet.
    pub fn expects_key(&self, now: Moment) -> bool {
        self.expected_until.is_some_and(|until| now < until)
    }

    /// Whether the next one may only begin when its turn comes.
    pub fn needs_admission(&self) -> bool {
        self.series.is_some_and(|series| !series.is_admitted)
    }

    /// The next one may begin at `at`.
    pub fn admit(&mut self, at: Moment) {
        if let Some(series) = &mut self.series {
            series.due = series.due.max(at);
            series.is_admitted = true;
        }
    }

    /// The next one begins.
    pub fn begin(&mut self, now: Moment) {
        self.newest = Some(now);
    }
}

/// Admits the extra polls of all accounts, a few in each quarter of a second, in the order in which
/// they ask.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// The number of the quarter that is being given away.
    quarter: i64,
    given: u32,
}

impl Admission {
    /// When a poll that is due now may begin: now, or at the begin of a later quarter.
    pub fn next(&mut self, now: Moment) -> Moment {
        let current = now.millis().div_euclid(250);
        if current > self.quarter {
            (self.quarter, self.given) = (current, 0);
        }
        if self.given == A_QUARTER {
            (self.quarter, self.given) = (self.quarter + 1, 0);
        }
        self.given += 1;
        now.max(Moment::from_millis(self.quarter * 250))
    }
}
