//! The exported values, all counted alike.

use root_posture::{Counts, LiveSource, Metric, Moment, Posture, Topic};

/// One of the values that are exported, all counted so that zero is what is fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub topic: Topic,
    /// Of all that exist, not of the active ones.
    pub present: bool,
}

impl Shown {
    pub const ALL: [Self; 5] = [
        Self::active(Topic::Keys),
        Self {
            topic: Topic::Keys,
            present: true,
        },
        Self::active(Topic::Certificates),
        Self::active(Topic::MfaOff),
        Self::active(Topic::Password),
    ];

    pub const fn active(topic: Topic) -> Self {
        Self {
            topic,
            present: false,
        }
    }

    /// Its number in an answer.
    pub fn pick(self, value: Counts) -> u8 {
        if self.present {
            value.present
        } else {
            value.active
        }
    }

    /// The most that an answer of a source (`None`: a report) may mean.
    pub fn claimed(self, source: Option<LiveSource>, value: Counts) -> u8 {
        match source {
            Some(LiveSource::Summary) => value.present,
            _ => self.pick(value),
        }
    }

    /// Whether an answer of a source (`None`: a report) says that there is none.
    pub fn says_zero(self, source: Option<LiveSource>, value: Counts) -> bool {
        self.claimed(source, value) == 0
    }

    /// The metric, with MFA counted as "off".
    pub fn metric(self, posture: &Posture) -> Option<Metric> {
        match self.topic {
            Topic::Keys if self.present => posture.keys_present,
            Topic::Keys => posture.keys_active,
            Topic::Certificates => posture.certificates_active,
            Topic::MfaOff => posture.mfa_enabled.map(|mfa| Metric {
                value: 1 - mfa.value,
                ..mfa
            }),
            Topic::Password => posture.password_enabled,
        }
    }

    /// The value at `now`, unless it has expired.
    pub fn at(self, posture: &Posture, now: Moment) -> Option<u8> {
        self.metric(posture).and_then(|metric| metric.at(now))
    }

    /// The value as an alarm: nothing known is no alarm.
    pub fn alarm(self, posture: &Posture) -> u8 {
        self.metric(posture).map_or(0, |metric| metric.value)
    }
}

/// The posture as another clock shows it.
pub fn moved(posture: Posture, millis: i64) -> Posture {
    let metric = |metric: Option<Metric>| {
        metric.map(|metric| Metric {
            fine_until: metric.fine_until.map(|until| until.shifted(millis)),
            ..metric
        })
    };
    Posture {
        keys_active: metric(posture.keys_active),
        keys_present: metric(posture.keys_present),
        certificates_active: metric(posture.certificates_active),
        mfa_enabled: metric(posture.mfa_enabled),
        password_enabled: metric(posture.password_enabled),
        keys_by: posture.keys_by,
        review_at: posture.review_at.map(|at| at.shifted(millis)),
    }
}
