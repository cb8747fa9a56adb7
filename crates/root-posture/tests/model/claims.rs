//! Which of the things that were said may still stand: a claim that was refuted or superseded beyond
//! doubt must carry no value. What is left open here is open on purpose: this is no judgement.

use root_posture::{LiveSource, MAX_LAG, Moment};

use crate::support::answers::Streak;
use crate::support::{Answers, Log, Shown};

/// The claims about one value.
pub struct Claims<'l> {
    pub log: &'l Log,
    pub shown: Shown,
    /// Whether a report may be held: then less is beyond doubt.
    pub is_held: bool,
}

impl Claims<'_> {
    /// The most that a list or a report says that may still stand.
    pub fn finer(&self) -> u8 {
        self.listed().max(self.reported())
    }

    /// The most that a summary says that may still stand.
    pub fn counted(&self) -> u8 {
        let (summary, list) = (
            self.answers(LiveSource::Summary),
            self.answers(LiveSource::List),
        );
        let refuted_by = list.confirmed().and_then(Streak::twice_since);
        if self.failed_for_good(LiveSource::Summary, refuted_by) {
            return 0;
        }
        let streaks = &summary.0;
        let none = streaks
            .iter()
            .rposition(|it| it.is_confirmed() && it.value.present == 0);
        let confirmed = streaks.iter().rposition(Streak::is_confirmed);
        let mut most = 0;
        for (index, streak) in streaks.iter().enumerate() {
            let came_after_none = none.is_none_or(|none| index >= none);
            let is_settled = confirmed.is_some_and(|confirmed| index < confirmed);
            // It counted more, and which key went is not known.
            let is_unexplained = !self.shown.present && !self.is_explained_since(streak.last);
            if came_after_none
                && (!is_settled || is_unexplained)
                && (!self.is_superseded(streak.last) || is_unexplained)
            {
                most = most.max(streak.value.present);
            }
        }
        most
    }

    fn listed(&self) -> u8 {
        let (summary, list) = (
            self.answers(LiveSource::Summary),
            self.answers(LiveSource::List),
        );
        let refuted_by = summary.confirmed_none().and_then(Streak::twice_since);
        if self.failed_for_good(LiveSource::List, refuted_by) {
            return 0;
        }
        let claims = list.unsettled().iter();
        let claims = claims.filter(|it| !self.is_superseded(it.last));
        claims
            .map(|it| self.shown.pick(it.value))
            .max()
            .unwrap_or(0)
    }

    fn reported(&self) -> u8 {
        let summary = self.answers(LiveSource::Summary).0.iter();
        let summary = summary.filter(|it| it.value.present == 0);
        let against: Vec<Moment> = summary
            .chain(&self.answers(LiveSource::List).0)
            .filter_map(Streak::twice_since)
            .collect();
        let reports = self.log.reports.iter().rev();
        let reports = reports.take(if self.is_held { 2 } else { 1 });
        reports
            .filter(|report| against.iter().all(|twice| *twice < report.received))
            .filter_map(|report| Some(self.shown.pick(report.values.get(self.shown.topic)?)))
            .max()
            .unwrap_or(0)
    }

    fn answers(&self, source: LiveSource) -> &Answers {
        self.log.answers(source, self.shown.topic)
    }

    /// Whether a source failed since all that it said, and the other answered twice since.
    fn failed_for_good(&self, source: LiveSource, other_twice_since: Option<Moment>) -> bool {
        let failed = self.log.failed(source, self.shown.topic);
        self.answers(source)
            .newest()
            .is_some_and(|newest| failed > newest.last && other_twice_since > Some(newest.last))
    }

    fn is_superseded(&self, last: Moment) -> bool {
        !self.is_held
            && self
                .log
                .report(self.shown.topic)
                .is_some_and(|(report, _)| report.generated - MAX_LAG > last)
    }

    /// Whether a list that stands, or the report, is newer.
    fn is_explained_since(&self, counted: Moment) -> bool {
        let topic = self.shown.topic;
        let list = self.answers(LiveSource::List);
        let by_list = self.log.is_current(LiveSource::List, topic)
            && list.newest().is_some_and(|newest| newest.last >= counted);
        let none_refutes = self.answers(LiveSource::Summary).confirmed_none().is_some();
        let by_report = !self.is_held
            && !none_refutes
            && list.newest().is_none()
            && (self.log.report(topic)).is_some_and(|(report, _)| report.generated >= counted);
        by_list || by_report
    }
}
