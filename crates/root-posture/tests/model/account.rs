//! The true history of one account's root user.

use std::fmt;

use root_posture::{Counts, Summary, Topic, Values};

/// An access key or a signing certificate, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    Absent,
    Inactive,
    Active,
}

/// What the root user has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pub keys: [Credential; 2],
    pub certificates: [Credential; 2],
    pub mfa: bool,
    pub password: bool,
}

/// A change of the root user.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Makes a key or certificate (`Active`), or deletes or switches one.
    Key(usize, Credential),
    Certificate(usize, Credential),
    Mfa(bool),
    Password(bool),
}

impl State {
    pub fn of(self, topic: Topic) -> Counts {
        let count = |slots: [Credential; 2]| Counts {
            present: number(slots, |it| it != Credential::Absent),
            active: number(slots, |it| it == Credential::Active),
        };
        match topic {
            Topic::Keys => count(self.keys),
            Topic::Certificates => count(self.certificates),
            Topic::MfaOff => Counts::flag(!self.mfa),
            Topic::Password => Counts::flag(self.password),
        }
    }

    /// What a list, or a report, says of these topics.
    pub fn values(self, topics: impl IntoIterator<Item = Topic>) -> Values {
        only(topics, |topic| Some(self.of(topic)))
    }

    /// What a summary says of these topics. Whether it counts beyond one is not known.
    pub fn summary(self, topics: impl IntoIterator<Item = Topic>, most: u8) -> Values {
        let count = |topic| Some(self.of(topic).present.min(most));
        let all = Values::from(Summary {
            keys: count(Topic::Keys),
            certificates: count(Topic::Certificates),
            mfa: Some(self.mfa),
            password: Some(self.password),
        });
        only(topics, |topic| all.get(topic))
    }

    /// A key is created active, so an absent one never becomes inactive.
    fn apply(&mut self, change: Change) {
        let set = |slot: &mut Credential, to| {
            *slot = match (*slot, to) {
                (Credential::Absent, Credential::Inactive) => Credential::Absent,
                _ => to,
            };
        };
        match change {
            Change::Key(slot, to) => set(&mut self.keys[slot], to),
            Change::Certificate(slot, to) => set(&mut self.certificates[slot], to),
            Change::Mfa(on) => self.mfa = on,
            Change::Password(there) => self.password = there,
        }
    }
}

fn only(topics: impl IntoIterator<Item = Topic>, said: impl Fn(Topic) -> Option<Counts>) -> Values {
    let topics = topics.into_iter();
    topics.fold(Values::default(), |values, topic| {
        values.with(topic, said(topic))
    })
}

fn number(slots: [Credential; 2], is_such: impl Fn(Credential) -> bool) -> u8 {
    slots.map(|slot| u8::from(is_such(slot))).iter().sum()
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "keys {:?}, certificates {:?}, MFA {}, password {}",
            self.keys, self.certificates, self.mfa, self.password
        )
    }
}

/// Every state, with the true time since when.
#[derive(Clone, Debug)]
pub struct Account(Vec<(i64, State)>);

impl Account {
    pub fn new(state: State) -> Self {
        Self(vec![(i64::MIN, state)])
    }

    pub fn change(&mut self, truth: i64, change: Change) {
        let mut state = self.at(truth);
        state.apply(change);
        self.0.push((truth, state));
    }

    pub fn at(&self, truth: i64) -> State {
        let since = self.0.iter().rev().find(|(since, _)| *since <= truth);
        since.map_or(self.0[0].1, |(_, state)| *state)
    }

    /// The most of a topic that was active at any time between.
    pub fn most_active(&self, topic: Topic, from: i64, to: i64) -> u8 {
        let ends = self.0.iter().skip(1).map(|(since, _)| *since);
        let spans = self.0.iter().zip(ends.chain([i64::MAX]));
        let spans = spans.filter(|((since, _), end)| *since <= to && *end >= from);
        spans
            .map(|((_, state), _)| state.of(topic).active)
            .max()
            .unwrap_or(0)
    }
}
