//! A virtual clock: the true time, the wall clock, which steps, and the process's own clock, which
//! starts again with each process. It never reads a real one.

use root_posture::{Moment, Timestamp};

/// All in milliseconds. The true time is that of AWS's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    truth: i64,
    moment: i64,
    /// How far the wall clock is ahead of the true time.
    wall_ahead: i64,
    written: Written,
    /// How many processes there were. The clock of each starts elsewhere.
    processes: i64,
    /// Whether every restart found the time that had passed.
    is_true: bool,
}

/// When the state was last written, by each clock.
#[derive(Clone, Copy, Debug)]
struct Written {
    truth: i64,
    moment: i64,
    wall: i64,
}

impl Clock {
    /// The true time at which every scenario begins.
    pub const START: i64 = 1_000_000_000;

    pub fn new() -> Self {
        Self {
            truth: Self::START,
            moment: 0,
            wall_ahead: 0,
            written: Written {
                truth: Self::START,
                moment: 0,
                wall: Self::START,
            },
            processes: 1,
            is_true: true,
        }
    }

    pub fn truth(&self) -> i64 {
        self.truth
    }

    /// Now, by the process's clock.
    pub fn now(&self) -> Moment {
        Moment::from_millis(self.moment)
    }

    /// AWS's `Date` of a true time.
    pub fn date(truth: i64) -> Timestamp {
        Timestamp::from_unix(truth.div_euclid(1000))
    }

    /// Whether the process's clock measures the true time since the start.
    pub fn is_true(&self) -> bool {
        self.is_true
    }

    pub fn pass(&mut self, millis: i64) {
        self.truth += millis;
        self.moment += millis;
    }

    pub fn step_wall_clock(&mut self, millis: i64) {
        self.wall_ahead += millis;
    }

    /// The state is written.
    pub fn write(&mut self) {
        self.written = Written {
            truth: self.truth,
            moment: self.moment,
            wall: self.truth + self.wall_ahead,
        };
    }

    /// Another process starts after so long, and reads the state: how far its clock is from the one
    /// by which the state was written.
    pub fn restart(&mut self, down: i64) -> i64 {
        self.truth += down;
        let passed = (self.truth + self.wall_ahead - self.written.wall).max(0);
        self.is_true &= passed == self.truth - self.written.truth;
        self.moment = -self.processes * 10_000_019;
        self.processes += 1;
        let shift = self.moment - (self.written.moment + passed);
        self.written.moment += shift;
        shift
    }
}
