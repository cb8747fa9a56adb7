//! The judgement: from one account's record to every value that is exported.
//!
//! One code path serves all four topics. The numbered rules are those of `docs/evidence.md`.

use std::time::Duration;

use crate::{
    COLD_WAIT, Counts, History, LATE, LiveSource, MOST, Moment, Record, ReportClaim, Source,
    Timestamp, Topic,
};

/// What the judgement goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `refresh.interval`: how often a live source is asked.
    pub interval: Duration,
    /// `refresh.max_staleness`: the greatest age of the evidence behind a value that says "fine".
    pub max_staleness: Duration,
    /// `refresh.max_live_staleness`: how long no live source may have answered for it, where one
    /// ever has.
    pub max_live_staleness: Duration,
}

impl Limits {
    /// Answers closer than this count as one.
    pub(crate) fn gap(&self) -> Duration {
        self.interval / 2
    }

    /// How long a report is held at most: a safety net, for a source in use answers or fails long
    /// before.
    fn hold(&self) -> Duration {
        self.interval * 4
    }
}

/// One value with the evidence behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The value. Ask [`Metric::at`] before showing it.
    pub value: u8,
    /// The newest source that supports it.
    pub source: Source,
    /// When that source's evidence was true, by AWS's clock.
    pub observed: Timestamp,
    /// For a value that says "fine": the moment from which it is no longer shown.
    pub fine_until: Option<Moment>,
}

impl Metric {
    /// The value, unless it has expired at `now`.
    #[must_use]
    pub fn at(&self, now: Moment) -> Option<u8> {
        match self.fine_until {
            Some(until) if now >= until => None,
            _ => Some(self.value),
        }
    }
}

/// What is known of one account's root user. A value that was never learned is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Posture {
    /// Access keys that are active: 0, 1 or 2.
    pub keys_active: Option<Metric>,
    /// Access keys that exist, active or not: 0, 1 or 2.
    pub keys_present: Option<Metric>,
    /// Signing certificates that are active: 0, 1 or 2.
    pub certificates_active: Option<Metric>,
    /// Whether MFA is on: 0 or 1.
    pub mfa_enabled: Option<Metric>,
    /// Whether there is a console password: 0 or 1.
    pub password_enabled: Option<Metric>,
    /// Which source's keys, one by one, agree with the values above; `None` where only a summary
    /// has counted them. [`crate::key_details`] goes by it.
    pub keys_by: Option<Source>,
    /// When time alone can change a value other than by its expiry: the account has to be judged
    /// again then.
    pub review_at: Option<Moment>,
}

impl Posture {
    /// Whether anything alarming is worse here than in `before`: more keys or certificates, MFA
    /// gone. Unknown counts as no alarm.
    #[must_use]
    pub fn is_worse_than(&self, before: &Self) -> bool {
        let value = |metric: Option<Metric>| metric.map(|metric| metric.value);
        let more = |now, then| value(now).unwrap_or(0) > value(then).unwrap_or(0);
        more(self.keys_active, before.keys_active)
            || more(self.keys_present, before.keys_present)
            || more(self.certificates_active, before.certificates_active)
            || (value(self.mfa_enabled) == Some(0) && value(before.mfa_enabled) != Some(0))
    }

    /// Whether every metric has the same value here as in `other`, whatever evidence is behind it.
    #[must_use]
    pub fn has_values_of(&self, other: &Self) -> bool {
        let values = |posture: &Self| posture.metrics().map(|metric| metric.map(|it| it.value));
        values(self) == values(other)
    }

    /// Whether what is alarming is the same here as in `other`: what says "fine" and what is
    /// unknown count as no alarm.
    #[must_use]
    pub fn has_alarms_of(&self, other: &Self) -> bool {
        self.alarms() == other.alarms()
    }

    /// More keys and certificates than none, and MFA that is off.
    fn alarms(&self) -> [Option<u8>; 4] {
        let some = |metric: Option<Metric>| metric.map(|it| it.value).filter(|count| *count > 0);
        [
            some(self.keys_active),
            some(self.keys_present),
            some(self.certificates_active),
            self.mfa_enabled.map(|it| it.value).filter(|on| *on == 0),
        ]
    }

    fn metrics(&self) -> [Option<Metric>; 5] {
        [
            self.keys_active,
            self.keys_present,
            self.certificates_active,
            self.mfa_enabled,
            self.password_enabled,
        ]
    }
}

/// What the evidence amounts to at `now`. Nothing before the first start is over (rule 10).
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
    match first_start(record, keys.as_ref(), now) {
        FirstStart::Over => {}
        FirstStart::Awaits => return Posture::default(),
        FirstStart::AwaitsReportUntil(until) => {
            return Posture {
                review_at: Some(until),
                ..Posture::default()
            };
        }
    }
    let metric = |topic, judged: &Option<Judged>, pick: fn(Counts) -> u8, is_fine_at_zero| {
        let judged = judged.as_ref()?;
        let supports = Supports::new(record, topic, judged, limits);
        Some(supports.metric(pick, is_fine_at_zero))
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

/// What the evidence amounts to on one topic.
struct Judged {
    value: Counts,
    /// The report in force; of an older one as far as the newer agrees.
    base: Option<(ReportClaim, Counts)>,
    /// Whether the keys that the summary counts are explained by nothing at all.
    is_unexplained: bool,
    /// Whose single keys the value is made of.
    detail_by: Option<Source>,
    /// Until when a newer report is held.
    held_until: Option<Moment>,
}

/// Whether a report counts on a topic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is in force.
    Yes,
    /// A live source contradicts it that had confirmed its answer before the report came.
    Held,
    /// It says nothing of the topic, or a live source has refuted it.
    No,
}

/// Judges one topic.
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
        if let (Verdict::Held, Some((held, said))) = (verdict, newest) {
            // Until then the previous one counts, as far as this one agrees.
            held_until = Some(held.received + self.limits.hold());
            report = self.claim(self.record.previous());
            base = report.map(|(claim, value)| (claim, value.min(said)));
            verdict = self.verdict(base);
            if let (Verdict::Held, Some((held, _))) = (verdict, base) {
                // The earlier of the two ends first.
                held_until = held_until.min(Some(held.received + self.limits.hold()));
            }
        }
        let base = base.filter(|_| verdict == Verdict::Yes);
        let since = report.map_or(Moment::NEVER, |(claim, _)| claim.generated - LATE);
        let counted = self.standing(LiveSource::Summary, since, list.confirmed());
        let listed = self.standing(LiveSource::List, since, summary.confirmed_none());
        if counted.is_none() && listed.is_none() && base.is_none() {
            return None;
        }
        // Rule 6, the baseline: what the list and the report in force know, whichever is more.
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
            // Rule 8: that it counts fewer now does not tell which one went.
            let seen = counted
                .present
                .max(self.peak(base, listed.is_some()))
                .min(MOST);
            if seen > value.present {
                // Rule 7: what the baseline knew a short while ago explains it, as it was then.
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
        value.present = value.present.min(MOST);
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

    /// A report with what it says of the topic, where it says anything.
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
                && newest.last >= report.generated - LATE
                && self.failed(source) < newest.last.min(report.received)
                && self.now < report.received + self.limits.hold()
                && contradicts(source, newest.value, value)
            {
                verdict = Verdict::Held;
            }
        }
        verdict
    }

    /// Rules 1 to 3: what a live source's answers amount to. It is the newest, or more where lower
    /// ones are not confirmed yet, without what a report supersedes (before `since`) and what the
    /// `other` source's confirmed run refutes: this one failed since, the other answered twice.
    fn standing(
        &self,
        source: LiveSource,
        since: Moment,
        other: Option<&crate::Run>,
    ) -> Option<Counts> {
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

    /// The most that the summary counted since the baseline and its last confirmed none.
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

    /// Baselines of up to 15 minutes before the summary's newest answer, newest first. The
    /// summary's own confirmed none ends them, unless a list that answers would show what came
    /// since.
    fn recent_baselines(&self) -> Vec<Counts> {
        let summary = self.history(LiveSource::Summary);
        let list = self.history(LiveSource::List);
        let none = summary.confirmed_none();
        let mut start = summary
            .newest()
            .map_or(Moment::NEVER, |run| run.last - LATE);
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

/// Whether what a live source says contradicts a report: a summary by none, a list by less of
/// either.
fn contradicts(source: LiveSource, said: Counts, reported: Counts) -> bool {
    match source {
        LiveSource::Summary => said.present == 0 && reported.present > 0,
        LiveSource::List => reported.present > said.present || reported.active > said.active,
    }
}

/// Rule 10: whether anything may be shown.
enum FirstStart {
    /// Everything that is known.
    Over,
    /// Nothing: a source in use has neither answered nor failed.
    Awaits,
    /// Nothing until then: only a summary has counted keys, and a report may explain them.
    AwaitsReportUntil(Moment),
}

fn first_start(record: &Record, keys: Option<&Judged>, now: Moment) -> FirstStart {
    let awaiting = record.awaiting();
    if awaiting.summary || awaiting.list || awaiting.report {
        return FirstStart::Awaits;
    }
    let (Some(started), None) = (record.report_started(), record.report()) else {
        return FirstStart::Over;
    };
    let summary = record.history(LiveSource::Summary, Topic::Keys);
    let until = started + COLD_WAIT;
    if now < until && keys.is_some_and(|keys| keys.is_unexplained) && summary.runs().len() == 1 {
        FirstStart::AwaitsReportUntil(until)
    } else {
        FirstStart::Over
    }
}

/// The sources that say now what was judged.
struct Supports<'r> {
    record: &'r Record,
    topic: Topic,
    judged: &'r Judged,
    limits: &'r Limits,
    /// The newest answer of a live source to the topic.
    last_live: Option<(Moment, LiveSource, Timestamp)>,
}

/// One source that says so: when, by AWS's clock as well, and until when that is accepted of a
/// value that says "fine".
struct Support {
    at: Moment,
    source: Source,
    date: Timestamp,
    until: Moment,
}

impl<'r> Supports<'r> {
    fn new(record: &'r Record, topic: Topic, judged: &'r Judged, limits: &'r Limits) -> Self {
        let newest = LiveSource::ALL.into_iter().filter_map(|source| {
            let run = record.history(source, topic).newest()?;
            Some((run.last, source, run.date))
        });
        Self {
            record,
            topic,
            judged,
            limits,
            last_live: newest.max_by_key(|(last, ..)| *last),
        }
    }

    /// Rule 9: the value with its newest supporter, and until when it is shown where it is fine.
    fn metric(&self, pick: fn(Counts) -> u8, is_fine_at_zero: bool) -> Metric {
        let value = pick(self.judged.value);
        let mut supports = self.find(pick, value);
        if supports.is_empty() {
            // Nobody says just this now (an unconfirmed answer, a lagging one): it is as old as
            // what anyone said last.
            supports.extend(self.last_live.map(|(at, source, date)| Support {
                at,
                source: source.into(),
                date,
                until: at + self.limits.max_live_staleness,
            }));
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

    fn find(&self, pick: fn(Counts) -> u8, value: u8) -> Vec<Support> {
        let Limits {
            max_staleness,
            max_live_staleness,
            ..
        } = *self.limits;
        let live_until = self
            .last_live
            .map(|(last, ..)| (last, last + max_live_staleness));
        let mut supports = Vec::with_capacity(3);
        if let Some((report, said)) = &self.judged.base
            && pick(*said) == value
        {
            let at = report.generated;
            let until = at + max_staleness;
            // A report generated since the last live answer speaks for itself.
            let until = match live_until {
                Some((last, live_until)) if at <= last => until.min(live_until),
                _ => until,
            };
            let (source, date) = (Source::CredentialReport, report.date);
            supports.push(Support {
                at,
                source,
                date,
                until,
            });
        }
        for source in [LiveSource::List, LiveSource::Summary] {
            let Some(run) = self.record.history(source, self.topic).newest() else {
                continue;
            };
            let agrees = match source {
                LiveSource::List => pick(run.value) == value,
                LiveSource::Summary if value == 0 => {
                    run.value.present == 0 && self.judged.value.present == 0
                }
                LiveSource::Summary => run.value.present >= value,
            };
            if agrees {
                let until = run.last + max_staleness;
                supports.push(Support {
                    at: run.last,
                    source: source.into(),
                    date: run.date,
                    until: live_until.map_or(until, |(_, live_until)| until.min(live_until)),
                });
            }
        }
        supports
    }
}
