//! Everything that one live source answered to one topic, without any compression.

use std::time::Duration;

use root_posture::{Counts, MAX_LAG, Moment};

/// Answers that agree, with no other in between and no long silence.
#[derive(Clone, Debug)]
pub struct Streak {
    pub value: Counts,
    pub first: Moment,
    pub last: Moment,
    /// Of answers closer than half an interval only the first counts.
    pub counted: Vec<Moment>,
}

impl Streak {
    pub fn is_confirmed(&self) -> bool {
        self.counted.len() >= 2
    }

    /// The moment since which two answers count.
    pub fn twice_since(&self) -> Option<Moment> {
        let prior = self.counted.len().checked_sub(2)?;
        Some(self.counted[prior])
    }
}

/// The answers, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Answers(pub Vec<Streak>);

impl Answers {
    /// Takes an answer, unless it was asked before the newest. Whether it did.
    pub fn take(&mut self, value: Counts, asked: Moment, interval: Duration) -> bool {
        if self.newest().is_some_and(|newest| asked < newest.last) {
            return false;
        }
        match self.0.last_mut() {
            Some(streak)
                if streak.value == value && asked.since(streak.last) <= MAX_LAG + interval * 2 =>
            {
                streak.last = asked;
                if streak
                    .counted
                    .last()
                    .is_none_or(|counted| asked.since(*counted) >= interval / 2)
                {
                    streak.counted.push(asked);
                }
            }
            _ => self.0.push(Streak {
                value,
                first: asked,
                last: asked,
                counted: vec![asked],
            }),
        }
        true
    }

    pub fn newest(&self) -> Option<&Streak> {
        self.0.last()
    }

    pub fn confirmed(&self) -> Option<&Streak> {
        self.0.iter().rev().find(|streak| streak.is_confirmed())
    }

    pub fn confirmed_none(&self) -> Option<&Streak> {
        let mut newest_first = self.0.iter().rev();
        newest_first.find(|streak| streak.is_confirmed() && streak.value.present == 0)
    }

    /// The newest streak and those before it, back to the newest confirmed one.
    pub fn unsettled(&self) -> &[Streak] {
        let confirmed = self.0.iter().rposition(Streak::is_confirmed);
        &self.0[confirmed.unwrap_or(0)..]
    }
}
