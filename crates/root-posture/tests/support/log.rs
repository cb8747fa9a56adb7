//! Everything that a record was given, without any compression.

use std::time::Duration;

use root_posture::{
    Answer, Counts, Evidence, Limits, LiveSource, MAX_LAG, Moment, ReportClaim, Topic,
};

use super::answers::Streak;
use super::{Answers, Shown};

/// All evidence of one account.
#[derive(Clone, Debug, Default)]
pub struct Log {
    answers: [[Answers; 4]; 2],
    failed: [[Option<Moment>; 4]; 2],
    /// The reports that were the newest when they came, oldest first.
    pub reports: Vec<ReportClaim>,
}

impl Log {
    /// Takes evidence. The topics on which it is an answer that is not older than the newest.
    pub fn take(&mut self, evidence: &Evidence, interval: Duration) -> Vec<Topic> {
        match *evidence {
            Evidence::Answer(Answer {
                source,
                asked,
                values,
                ..
            }) => {
                let answers = &mut self.answers[source as usize];
                let is_new = |(topic, value): &(Topic, Counts)| {
                    answers[*topic as usize].take(*value, asked, interval)
                };
                let new = values.iter().filter(is_new);
                new.map(|(topic, _)| topic).collect()
            }
            Evidence::Failure {
                source,
                topics,
                asked,
            } => {
                for topic in topics.iter() {
                    let failed = &mut self.failed[source as usize][topic as usize];
                    *failed = (*failed).max(Some(asked));
                }
                Vec::new()
            }
            Evidence::Report(report) => {
                if self.is_newest(&report) {
                    self.reports.push(report);
                }
                Vec::new()
            }
            Evidence::NoReportYet(_) => Vec::new(),
        }
    }

    /// Whether a report was generated after all before it, and is not the newest read again.
    pub fn is_newest(&self, report: &ReportClaim) -> bool {
        let newest = self.reports.last();
        newest
            .is_none_or(|newest| report.generated > newest.generated && report.date != newest.date)
    }

    pub fn answers(&self, source: LiveSource, topic: Topic) -> &Answers {
        &self.answers[source as usize][topic as usize]
    }

    pub fn failed(&self, source: LiveSource, topic: Topic) -> Moment {
        self.failed[source as usize][topic as usize].unwrap_or(Moment::NEVER)
    }

    /// The newest report that may be in force, with what it says of the topic.
    pub fn report(&self, topic: Topic) -> Option<(ReportClaim, Counts)> {
        let report = self.reports.last()?;
        Some((*report, report.values.get(topic)?))
    }

    /// When a live source last answered to the topic.
    pub fn last_live(&self, topic: Topic) -> Option<Moment> {
        let newest = LiveSource::ALL.map(|source| Some(self.answers(source, topic).newest()?.last));
        newest.into_iter().max().flatten()
    }

    /// Whether a live source's newest answer to the topic counts: it did not fail since, and no
    /// report is clearly later.
    pub fn is_current(&self, source: LiveSource, topic: Topic) -> bool {
        let Some(newest) = self.answers(source, topic).newest() else {
            return false;
        };
        self.failed(source, topic) < newest.last
            && self
                .report(topic)
                .is_none_or(|(report, _)| report.generated - MAX_LAG <= newest.last)
    }

    /// The most keys that a list or a report knew of that still explains what a summary counts
    /// that was asked at `asked`; more than that is new. What a list said counts until it has
    /// confirmed another answer, or a report is clearly later; where no list answers, only what the
    /// summary's own none did not refute.
    pub fn known_lately(&self, topic: Topic, asked: Moment) -> u8 {
        let list = self.answers(LiveSource::List, topic);
        let failed = self.failed(LiveSource::List, topic);
        let list_answers = list.newest().is_some_and(|newest| failed < newest.last);
        let none = self.answers(LiveSource::Summary, topic).confirmed_none();
        let none = none.filter(|_| !list_answers);
        let none_since = none.and_then(Streak::twice_since);
        let start = none.map_or(asked - MAX_LAG, |none| none.last.max(asked - MAX_LAG));
        let streaks = &list.0;
        let listed = streaks.iter().enumerate().filter(|(index, streak)| {
            let mut later = streaks.iter().skip(index + 1);
            let confirmed = later.find_map(|streak| streak.counted.get(1));
            let mut reports = self.reports.iter();
            let superseded = reports.find(|report| {
                report.values.get(topic).is_some() && report.generated - MAX_LAG > streak.last
            });
            let superseded = superseded.map(|report| report.received);
            let ended = superseded.iter().chain(confirmed).min();
            let is_baseline = ended.is_none_or(|ended| *ended > start) || streak.last > start;
            is_baseline && none_since <= Some(streak.last)
        });
        // A list that found a key again contradicts the none.
        let stands = list
            .newest()
            .is_some_and(|newest| none_since <= Some(newest.last));
        let unsettled = list.unsettled().iter().filter(|_| stands);
        let reports = self.reports.iter().rev().take(2);
        let reports = reports.filter(|report| none_since < Some(report.received));
        let reported = reports.filter_map(|report| report.values.get(topic));
        let listed = listed.map(|(_, streak)| streak).chain(unsettled);
        let known = listed.map(|streak| streak.value).chain(reported);
        known.map(|value| value.present).max().unwrap_or(0)
    }

    /// The most that a list or a report claims of what is beyond doubt in force: a list that did
    /// not fail since and that no report can supersede, and the newest report while no live source
    /// has answered twice since its receipt and none holds it.
    pub fn claimed_in_force(&self, shown: Shown) -> u8 {
        let [summary, list] = LiveSource::ALL.map(|source| self.answers(source, shown.topic));
        let mut claims = Vec::new();
        if self.failed(LiveSource::List, shown.topic) == Moment::NEVER {
            let since = self.reports.iter().map(|report| report.generated - MAX_LAG);
            let since = since.max().unwrap_or(Moment::NEVER);
            let streaks = list.unsettled().iter();
            claims.extend(streaks.filter(|it| it.last >= since).map(|it| it.value));
        }
        if let Some((report, value)) = self.report(shown.topic) {
            let mut streaks = summary.0.iter().chain(&list.0);
            if streaks.all(|it| !it.is_confirmed() || it.last < report.generated - MAX_LAG) {
                claims.push(value);
            }
        }
        claims
            .into_iter()
            .map(|claim| shown.pick(claim))
            .max()
            .unwrap_or(0)
    }

    /// Whether some source said within the limits, seen from `now`, that there is none of what is
    /// shown as zero.
    pub fn supports_zero(&self, shown: Shown, now: Moment, limits: &Limits) -> bool {
        let is_live = self
            .last_live(shown.topic)
            .is_none_or(|last| now < last + limits.max_live_staleness);
        let is_recent = |at: Moment| now < at + limits.max_staleness;
        let live = LiveSource::ALL.into_iter().any(|source| {
            let streaks = self.answers(source, shown.topic).0.iter();
            streaks
                .filter(|streak| shown.says_zero(Some(source), streak.value))
                .any(|streak| is_live && is_recent(streak.last))
        });
        let mut reports = self.reports.iter();
        live || reports.any(|report| {
            let value = report.values.get(shown.topic);
            let since = self.last_live(shown.topic) < Some(report.generated);
            value.is_some_and(|value| shown.says_zero(None, value))
                && is_recent(report.generated)
                && (is_live || since)
        })
    }

    /// Moves every moment, as a restart does.
    pub fn shift(&mut self, millis: i64) {
        for answers in self.answers.iter_mut().flatten() {
            for streak in &mut answers.0 {
                streak.first = streak.first.shifted(millis);
                streak.last = streak.last.shifted(millis);
                for counted in &mut streak.counted {
                    *counted = counted.shifted(millis);
                }
            }
        }
        for failed in self.failed.iter_mut().flatten().flatten() {
            *failed = failed.shifted(millis);
        }
        for report in &mut self.reports {
            report.received = report.received.shifted(millis);
            report.generated = report.generated.shifted(millis);
        }
    }
}
