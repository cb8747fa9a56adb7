//! What was true of an account, and when.

use std::time::Instant;

use aws_root_exporter::simulator::{Password, User};

/// How an account is entered, and so which sources there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Credential report and summary.
    Role,
    /// Those and a root session.
    Both,
    /// A root session alone.
    Root,
}

/// So many exist, and so many of them are active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub active: u8,
    pub present: u8,
}

/// What is true of a root user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    pub keys: Counts,
    pub certificates: Counts,
    pub mfa: u8,
    pub password: u8,
}

impl Truth {
    pub fn of(root: &User) -> Self {
        let count = |active: Vec<bool>| Counts {
            active: u8::try_from(active.iter().filter(|active| **active).count()).unwrap(),
            present: u8::try_from(active.len()).unwrap(),
        };
        let keys = root.keys.iter().flatten();
        let certificates = root.certificates.iter().flatten();
        Self {
            keys: count(keys.map(|key| key.active).collect()),
            certificates: count(certificates.map(|one| one.active).collect()),
            mfa: root.mfa.into(),
            password: u8::from(root.password != Password::Absent),
        }
    }
}

/// A time in which one thing was true.
#[derive(Clone, Copy, Debug)]
pub struct Era {
    pub truth: Truth,
    /// Just before the change that began it.
    pub begun: Instant,
    /// The second of that, by AWS's clock.
    pub from: i64,
    /// The second just after that change; it lies ahead while the change is being made.
    pub done: i64,
}

/// All that was true of an account, oldest first.
#[derive(Clone, Debug)]
pub struct History(Vec<Era>);

impl History {
    pub fn new(truth: Truth, now: i64) -> Self {
        Self(vec![Era {
            truth,
            begun: Instant::now(),
            from: now,
            done: now,
        }])
    }

    /// A change is about to be made.
    pub fn begin(&mut self, truth: Truth, now: i64) {
        self.0.push(Era {
            truth,
            begun: Instant::now(),
            from: now,
            done: i64::MAX,
        });
    }

    /// It is made.
    pub fn done(&mut self, now: i64) {
        self.0.last_mut().unwrap().done = now;
    }

    pub fn truth(&self, era: usize) -> Truth {
        self.0[era].truth
    }

    pub fn era(&self, era: usize) -> Era {
        self.0[era]
    }

    pub fn last(&self) -> usize {
        self.0.len() - 1
    }

    /// The last era that had begun by then.
    pub fn last_by(&self, moment: Instant) -> usize {
        let begun = self.0.iter().rposition(|era| era.begun <= moment);
        begun.unwrap_or(0)
    }

    /// The eras that a report may tell of which AWS began to make in that second.
    pub fn in_second(&self, second: i64) -> Vec<usize> {
        let end = |era: usize| self.0.get(era + 1).map_or(i64::MAX, |next| next.done);
        (0..self.0.len())
            .filter(|era| self.0[*era].from <= second && second <= end(*era))
            .collect()
    }
}
