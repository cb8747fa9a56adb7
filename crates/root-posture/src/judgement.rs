//! The judgement: computes every exported value of an account from its record.
//!
//! One code path serves all four topics. The numbered rules are those of `docs/evidence.md`.

use crate::counts::{Counts, MAX_CREDENTIALS};
use crate::history::{History, Run};
use crate::limits::{FIRST_REPORT_WAIT, Limits, MAX_LAG};
use crate::observation::{LiveSource, ReportClaim, Source, Topic};
use crate::posture::{Metric, Posture};
use crate::record::Record;
use crate::time::{Moment, Timestamp};

/// Judges a record at `now`. Before the first start is over, every value is unknown (rule 10).
#[must_use]
pub fn judge(record: &Record, now: Moment, limits: &Limits) -> Posture {
    let [keys, certificates, mfa_off, password] = Topic::ALL.map(|topic| {
        let judge = TopicJudge {
            record,
            topic,
            now,
            limits,
        };
        judge.judge()
    });
    if let Some(unknown) = first_start(record, keys.as_ref(), now) {
        return unknown;
    }
    let metric = |topic, judged: &Option<Judged>, pick, is_fine_at_zero| {
        let live = LiveSource::ALL.map(|source| record.history(source, topic).newest());
        let supported = |judged| metric(judged, live, limits, pick, is_fine_at_zero);
        judged.as_ref().map(supported)
    };
    let active: fn(Counts) -> u8 = |counts| counts.active;
    let present: fn(Counts) -> u8 = |counts| counts.present;
    Posture {
        keys_active: metric(Topic::Keys, &keys, active, true),
        keys_present: metric(Topic::Keys, &keys, present, true),
        certificates_active: metric(Topic::Certificates, &certificates, active, true),
        mfa_enabled: metric(Topic::MfaOff, &mfa_off, active, true).map(|off| Metric {
            value: 1 - off.value.min(1),
            ..off
        }),
        // Neither answer is fine, so neither expires.
        password_enabled: metric(Topic::Password, &password, active, false),
        keys_by: keys.as_ref().and_then(|judged| judged.detail_by),
        review_at: [&keys, &certificates, &mfa_off, &password]
            .into_iter()
            .flatten()
            .filter_map(|judged| judged.held_until)
            .min(),
    }
}

/// The judgement on one topic.
struct Judged {
    value: Counts,
    /// The report in force; an older one only as far as the newer agrees.
    base: Option<(ReportClaim, Counts)>,
    /// Whether neither a list nor a report explains the keys that the summary counts.
    is_unexplained: bool,
    /// The source whose single keys make up the value.
    detail_by: Option<Source>,
    /// Until when a newer report is held.
    held_until: Option<Moment>,
}

/// Whether a report counts on a topic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is in force.
    Yes,
    /// A live source that had confirmed its answer before the report came contradicts it.
    Held,
    /// It has no value for the topic, or a live source has refuted it.
    No,
}

struct TopicJudge<'r> {
    record: &'r Record,
    topic: Topic,
    now: Moment,
    limits: &'r Limits,
}

impl TopicJudge<'_> {
    fn judge(&self) -> Option<Judged> {
        let summary = self.history(LiveSource::Summary);
        let list = self.history(LiveSource::List);
        let newest = self.claim(self.record.report());
        let mut report = newest;
        let mut base = newest;
        let mut verdict = self.verdict(base);
        let mut held_until = None;
        if let (Verdict::Held, Some((held, held_value))) = (verdict, newest) {
            // Until then the previous report counts, as far as this one agrees.
            held_until = Some(held.received + self.limits.hold());
            report = self.claim(self.record.previous());
            base = report.map(|(claim, value)| (claim, value.min(held_value)));
            verdict = self.verdict(base);
            if let (Verdict::Held, Some((held, _))) = (verdict, base) {
                // The earlier of the two ends first.
                held_until = held_until.min(Some(held.received + self.limits.hold()));
            }
        }
        let base = base.filter(|_| verdict == Verdict::Yes);
        let since = report.map_or(Moment::NEVER, |(claim, _)| claim.generated - MAX_LAG);
        let counted = self.standing(LiveSource::Summary, since, list.confirmed());
        let listed = self.standing(LiveSource::List, since, summary.confirmed_none());
        if counted.is_none() && listed.is_none() && base.is_none() {
            return None;
        }
        // Rule 6: the baseline is the maximum of the list and the report in force.
        let base_value = base.map(|(_, value)| value);
        let mut value = listed
            .unwrap_or_default()
            .max(base_value.unwrap_or_default());
        let detail_by = match (listed, base_value) {
            (Some(listed), _) if listed == value => Some(Source::RootSession),
            (_, Some(_)) => Some(Source::CredentialReport),
            (_, None) => None,
        };
        let mut unexplained = 0;
        if let Some(counted) = counted {
            // Rule 8: a smaller count does not show which key went.
            let seen = counted
                .present
                .max(self.peak(base, listed.is_some()))
                .min(MAX_CREDENTIALS);
            if seen > value.present {
                // Rule 7: a key that the baseline had a short while ago explains it.
                let had = self
                    .recent_baselines()
                    .into_iter()
                    .fold(value, |had, known| {
                        let explains_more = had.present < seen && known.present > had.present;
                        if explains_more { known } else { had }
                    });
                let lagging = seen.min(had.present) - value.present;
                unexplained = seen - value.present - lagging;
                value.active += lagging.min(had.active.saturating_sub(value.active)) + unexplained;
                value.present = counted.present.max(value.present);
            }
        }
        value.present = value.present.min(MAX_CREDENTIALS);
        value.active = value.active.min(value.present);
        Some(Judged {
            value,
            base,
            is_unexplained: unexplained > 0 && base.is_none() && listed.is_none(),
            detail_by,
            held_until,
        })
    }

    fn history(&self, source: LiveSource) -> &History {
        self.record.history(source, self.topic)
    }

    fn failed(&self, source: LiveSource) -> Moment {
        self.record.failed(source, self.topic)
    }

    fn claim(&self, report: Option<&ReportClaim>) -> Option<(ReportClaim, Counts)> {
        report.and_then(|report| Some((*report, report.values.get(self.topic)?)))
    }

    /// Rules 4 and 5: whether a report counts.
    fn verdict(&self, report: Option<(ReportClaim, Counts)>) -> Verdict {
        let Some((report, value)) = report else {
            return Verdict::No;
        };
        let mut verdict = Verdict::Yes;
        for source in LiveSource::ALL {
            let history = self.history(source);
            let Some(newest) = history.newest() else {
                continue;
            };
            let against = match source {
                LiveSource::Summary => history.confirmed_none(),
                LiveSource::List => history.confirmed(),
            };
            if against.and_then(|run| run.prior) >= Some(report.received) {
                return Verdict::No;
            }
            let had_confirmed = newest
                .confirmed
                .is_some_and(|confirmed| confirmed <= report.received);
            if had_confirmed
                && newest.last >= report.generated - MAX_LAG
                && self.failed(source) < newest.last.min(report.received)
                && self.now < report.received + self.limits.hold()
                && contradicts(source, newest.value, value)
            {
                verdict = Verdict::Held;
            }
        }
        verdict
    }

    /// Rules 1 to 3: the value of a live source. It is the newest answer, or an earlier, greater one
    /// while the lower ones are not confirmed. It leaves out the answers before `since`, which a
    /// report supersedes, and those that the `other` source's confirmed run refutes: this source has
    /// failed since, and the other has answered twice.
    fn standing(&self, source: LiveSource, since: Moment, other: Option<&Run>) -> Option<Counts> {
        let failed = self.failed(source);
        let mut stands: Option<Counts> = None;
        for run in self.history(source).runs().iter().rev() {
            if run.last < since {
                break;
            }
            if let Some(other) = other
                && failed > run.last
                && other.prior > Some(run.last)
                && stands.is_none_or(|stands| stands.present <= other.value.present)
            {
                break;
            }
            stands = Some(stands.unwrap_or_default().max(run.value));
            if run.prior.is_some() {
                break;
            }
        }
        stands
    }

    /// The most that the summary counted since the baseline and since its last confirmed none.
    fn peak(&self, base: Option<(ReportClaim, Counts)>, list_stands: bool) -> u8 {
        let summary = self.history(LiveSource::Summary);
        let listed = self
            .history(LiveSource::List)
            .newest()
            .filter(|_| list_stands);
        let after = [
            summary.confirmed_none().map(|run| run.last),
            base.map(|(report, _)| report.generated),
            listed.map(|run| run.last),
        ];
        let after = after.into_iter().flatten().max().unwrap_or(Moment::NEVER);
        let since = summary.runs().iter().filter(|run| run.last > after);
        since.map(|run| run.value.present).max().unwrap_or(0)
    }

    /// The baselines of the 15 minutes before the summary's newest answer, newest first. The summary's
    /// own confirmed none ends them, unless a list answers, which would have shown a newer key.
    fn recent_baselines(&self) -> Vec<Counts> {
        let summary = self.history(LiveSource::Summary);
        let list = self.history(LiveSource::List);
        let none = summary.confirmed_none();
        let mut start = summary
            .newest()
            .map_or(Moment::NEVER, |run| run.last - MAX_LAG);
        let list_answers = list
            .newest()
            .is_some_and(|run| self.failed(LiveSource::List) < run.last);
        if let Some(none) = none
            && !list_answers
        {
            start = start.max(none.last);
        }
        let runs = list.runs().iter().rev();
        let mut known: Vec<Counts> = runs
            .filter(|run| run.last > start)
            .map(|run| run.value)
            .collect();
        // When a report ceased to be the baseline: a newer one came, or the list refuted it.
        let mut ended: Option<Moment> = None;
        for report in [self.record.report(), self.record.previous()] {
            let Some((report, value)) = self.claim(report) else {
                continue;
            };
            let refuted = list
                .runs()
                .iter()
                .filter(|run| run.prior >= Some(report.received))
                .filter_map(|run| run.confirmed)
                .map(|confirmed| confirmed.max(report.received));
            let was_baseline_until = refuted.chain(ended).min();
            let refuted_by_none = none.and_then(|none| none.prior) >= Some(report.received);
            if was_baseline_until.is_none_or(|until| until > start) && !refuted_by_none {
                known.push(value);
            }
            ended = Some(report.received);
        }
        known
    }
}

/// Rule 10: the posture while the first start is not over; `None` once it is.
fn first_start(record: &Record, keys: Option<&Judged>, now: Moment) -> Option<Posture> {
    let awaiting = record.awaiting();
    if awaiting.summary || awaiting.list || awaiting.report {
        return Some(Posture::default());
    }
    let (Some(started), None) = (record.report_started(), record.report()) else {
        return None;
    };
    // Only a summary has counted keys, and a report may explain them.
    let summary = record.history(LiveSource::Summary, Topic::Keys);
    let until = started + FIRST_REPORT_WAIT;
    let waits = keys.is_some_and(|keys| keys.is_unexplained) && summary.runs().len() == 1;
    (waits && now < until).then(|| Posture {
        review_at: Some(until),
        ..Posture::default()
    })
}

/// Evidence for a value: its time, also by AWS's clock, and when it expires as support of a fine
/// value.
struct Support {
    at: Moment,
    source: Source,
    date: Timestamp,
    until: Moment,
}

impl Support {
    fn live(source: LiveSource, run: &Run, until: Moment) -> Self {
        Self {
            at: run.last,
            source: source.into(),
            date: run.date,
            until,
        }
    }
}

/// Rule 9: a judged value with its newest support, and when it expires if it is fine. `live` holds
/// the newest answers in the order of [`LiveSource::ALL`].
fn metric(
    judged: &Judged,
    live: [Option<&Run>; 2],
    limits: &Limits,
    pick: fn(Counts) -> u8,
    is_fine_at_zero: bool,
) -> Metric {
    let value = pick(judged.value);
    let answers = LiveSource::ALL.into_iter().zip(live);
    let answers = answers.filter_map(|(source, run)| Some((source, run?)));
    let last_live = answers.clone().max_by_key(|(_, run)| run.last);
    let live_until = last_live.map(|(_, run)| run.last + limits.max_live_staleness);
    let bounded = |until: Moment| live_until.map_or(until, |live| live.min(until));
    let base = judged.base.as_ref();
    let reported = base.filter(|(_, counts)| pick(*counts) == value);
    let reported = reported.map(|(report, _)| {
        let until = report.generated + limits.max_staleness;
        // A report generated since the last live answer stands by itself.
        let is_newest = last_live.is_none_or(|(_, run)| run.last < report.generated);
        Support {
            at: report.generated,
            source: Source::CredentialReport,
            date: report.date,
            until: if is_newest { until } else { bounded(until) },
        }
    });
    let agreeing = answers.rev().filter(|(source, run)| match source {
        LiveSource::List => pick(run.value) == value,
        LiveSource::Summary if value == 0 => run.value.present == 0 && judged.value.present == 0,
        LiveSource::Summary => run.value.present >= value,
    });
    let agreeing = agreeing
        .map(|(source, run)| Support::live(source, run, bounded(run.last + limits.max_staleness)));
    let mut supports: Vec<Support> = reported.into_iter().chain(agreeing).collect();
    if supports.is_empty() {
        // No source gives just this value (one is unconfirmed, one lags): it is as old as the last
        // live answer.
        let last = last_live.zip(live_until);
        supports.extend(last.map(|((source, run), until)| Support::live(source, run, until)));
    }
    let until = supports.iter().map(|support| support.until).max();
    let newest = supports.iter().max_by_key(|support| support.at);
    Metric {
        value,
        source: newest.map_or(Source::AccountSummary, |support| support.source),
        observed: newest.map_or_else(Timestamp::default, |support| support.date),
        fine_until: until.filter(|_| is_fine_at_zero && value == 0),
    }
}

/// Whether a live source contradicts a report: a summary by none, a list by less of either.
fn contradicts(source: LiveSource, live: Counts, reported: Counts) -> bool {
    match source {
        LiveSource::Summary => live.present == 0 && reported.present > 0,
        LiveSource::List => reported.present > live.present || reported.active > live.active,
    }
}
