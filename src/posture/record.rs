//! The evidence of one account, taken as it arrives.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::count::{Base, Heard, Judged, Tally, Verdict};
use super::flag::{self, Said};
use super::onset::Following;
use super::{COLD_WAIT, Freshness, Limits, Posture, REPORT_BLUR};
use crate::clock::{Moment, Timestamp};
use crate::evidence::{Counts, Listed, Source, Stamp, Summary};
use crate::report::RootRow;

/// What a credential report says of the root user. A field is `None` where the report does not
/// say (in aws-cn it says nothing at all).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFacts {
    /// The report's GeneratedTime.
    pub stamp: Stamp,
    /// Access keys.
    pub keys: Option<Counts>,
    /// Signing certificates.
    pub certificates: Option<Counts>,
    /// MFA.
    pub mfa: Option<bool>,
    /// The console password.
    pub password: Option<bool>,
}

impl ReportFacts {
    /// What the root row of a report proves.
    #[must_use]
    pub fn of(root: Option<&RootRow>, stamp: Stamp) -> Self {
        Self {
            stamp,
            keys: root.map(RootRow::keys),
            certificates: root.and_then(RootRow::certificates_count),
            mfa: root.map(|root| root.mfa_active),
            password: root.and_then(|root| root.password_enabled),
        }
    }

    fn base(&self, counts: Option<Counts>) -> Option<Base> {
        counts.map(|counts| Base {
            stamp: self.stamp,
            counts,
        })
    }

    fn said(&self, on: Option<bool>) -> Option<Said> {
        on.map(|on| Said {
            stamp: self.stamp,
            source: Source::CredentialReport,
            on,
        })
    }
}

/// One round of live questions to an account, as far as they were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// When the answers were given.
    pub stamp: Stamp,
    /// iam:GetAccountSummary.
    pub summary: Option<Summary>,
    /// The lists of a root session.
    pub listed: Option<Listed>,
}

impl Look {
    fn source(is_listed: bool) -> Source {
        if is_listed {
            Source::RootSession
        } else {
            Source::AccountSummary
        }
    }

    fn heard(
        &self,
        summary: Option<u8>,
        listed: Option<Counts>,
        gone: Counts,
        answers: Option<Timestamp>,
    ) -> Option<Heard> {
        let seen = summary.max(listed.map(|counts| counts.present))?;
        Some(Heard {
            stamp: self.stamp,
            source: Self::source(listed.is_some()),
            verdict: match seen {
                0 => Verdict::None,
                some => Verdict::Some(some),
            },
            listed,
            gone,
            answers,
        })
    }

    fn said(&self, summary: Option<bool>, listed: Option<bool>) -> Option<Said> {
        Some(Said {
            stamp: self.stamp,
            source: Self::source(listed.is_some()),
            on: listed.or(summary)?,
        })
    }
}

/// Which sources a cold start still waits for: those in use that have neither answered nor failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    /// The credential report.
    pub report: bool,
    /// The live sources.
    pub look: bool,
}

/// What a report asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Demand {
    /// Nothing.
    Nothing,
    /// A look at once: the report says that there is a key where a look just said none. Until it
    /// has answered ([`Record::look_arrived`]) or failed ([`Record::look_failed`]), the report
    /// does not count.
    LookAtOnce,
}

/// All evidence of one account's root user.
///
/// Evidence is handed in as it arrives; [`Record::posture`] says what it proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    report: Option<ReportFacts>,
    /// A report that contradicts a look of hardly earlier, until the next look.
    challenger: Option<ReportFacts>,
    keys: Tally,
    certificates: Tally,
    mfa: Option<Said>,
    password: Option<Said>,
    last_look: Option<Stamp>,
    /// Not in the files of the first versions.
    #[serde(default)]
    following: Following,
    /// `None` once anything may be shown; never part of what is saved, for evidence that survived
    /// a restart is no cold start.
    #[serde(skip)]
    cold: Option<Cold>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cold {
    awaited: Awaited,
    report_started: Option<Moment>,
}

impl Record {
    /// The record of an account of which nothing is known, and the sources that are asked.
    #[must_use]
    pub fn new(awaited: Awaited) -> Self {
        Self {
            report: None,
            challenger: None,
            keys: Tally::default(),
            certificates: Tally::default(),
            mfa: None,
            password: None,
            last_look: None,
            following: Following::default(),
            cold: Some(Cold {
                awaited,
                report_started: None,
            }),
        }
    }

    /// Takes a credential report. One that is not newer than the one in use is let go.
    pub fn report_arrived(&mut self, report: ReportFacts) -> Demand {
        if let Some(cold) = &mut self.cold {
            cold.awaited.report = false;
            cold.report_started = None;
        }
        let aws_now = report
            .stamp
            .at
            .plus(Duration::from_millis(report.stamp.age_at_receipt));
        self.mend_times(aws_now, report.stamp.received);
        if self
            .report
            .is_some_and(|held| held.stamp.at >= report.stamp.at)
        {
            return Demand::Nothing;
        }
        let challenges = |tally: &Tally, counts| {
            report
                .base(counts)
                .is_some_and(|base| tally.is_challenged_by(base))
        };
        if challenges(&self.keys, report.keys)
            || challenges(&self.certificates, report.certificates)
        {
            self.challenger = Some(report);
            return Demand::LookAtOnce;
        }
        if let Some(keys) = report.base(report.keys) {
            self.keys.doubt_lone_look(keys);
        }
        if let Some(certificates) = report.base(report.certificates) {
            self.certificates.doubt_lone_look(certificates);
        }
        self.challenger = None;
        self.report = Some(report);
        self.follow();
        Demand::Nothing
    }

    /// AWS is making a report.
    pub fn report_started(&mut self, now: Moment) {
        if let Some(cold) = &mut self.cold {
            cold.awaited.report = false;
            cold.report_started.get_or_insert(now);
        }
    }

    /// The report could not be had this time.
    pub fn report_failed(&mut self) {
        if let Some(cold) = &mut self.cold {
            cold.awaited.report = false;
            cold.report_started = None;
        }
    }

    /// Takes a look that worked. `gap` is how far apart two looks must be to count as two.
    pub fn look_arrived(&mut self, look: Look, gap: Duration) {
        if let Some(cold) = &mut self.cold {
            cold.awaited.look = false;
        }
        self.mend_times(look.stamp.at, look.stamp.received);
        let summary = look.summary.unwrap_or_default();
        let listed = look.listed.unwrap_or_default();
        let report = self.report;
        let answers = self.report_stamp().map(|stamp| stamp.at);
        if let Some(heard) = look.heard(summary.keys, listed.keys, listed.keys_gone, answers) {
            let base = report.and_then(|report| report.base(report.keys));
            self.keys.hear(heard, base, gap);
        }
        let gone = Counts::default();
        if let Some(heard) = look.heard(summary.certificates, listed.certificates, gone, answers) {
            let base = report.and_then(|report| report.base(report.certificates));
            self.certificates.hear(heard, base, gap);
        }
        self.mfa = look.said(summary.mfa, listed.mfa).or(self.mfa);
        self.password = look
            .said(summary.password, listed.password)
            .or(self.password);
        self.last_look = Some(look.stamp);
        self.admit_challenger();
        self.follow();
    }

    /// A look was tried and no live source answered.
    pub fn look_failed(&mut self) {
        if let Some(cold) = &mut self.cold {
            cold.awaited.look = false;
        }
        self.admit_challenger();
        self.follow();
    }

    fn follow(&mut self) {
        let report = self.report;
        let base = report.and_then(|report| report.base(report.keys));
        if let Some(judged) = self.keys.judge(base) {
            self.following.note(&judged);
        }
    }

    fn admit_challenger(&mut self) {
        if let Some(report) = self.challenger.take() {
            self.report = Some(report);
        }
    }

    /// Ends the cold start when it is over at `now`: each source has answered or failed once, and
    /// no report is worth waiting for any longer. Once over, it stays so.
    pub fn settle(&mut self, now: Moment) {
        let Some(cold) = self.cold else { return };
        if cold.awaited != Awaited::default() {
            return;
        }
        let waiting = cold
            .report_started
            .is_some_and(|started| now < started + COLD_WAIT);
        if !(waiting && self.is_unexplained()) {
            self.cold = None;
        }
    }

    /// Whether the cold start is not over: nothing may be shown, and nothing be kept either.
    #[must_use]
    pub fn is_cold(&self) -> bool {
        self.cold.is_some()
    }

    /// Whether another look would decide something: one that says none is not believed alone, or a
    /// report contradicts it.
    #[must_use]
    pub fn wants_look(&self) -> bool {
        self.challenger.is_some() || self.keys.is_in_doubt() || self.certificates.is_in_doubt()
    }

    fn is_unexplained(&self) -> bool {
        let report = self.report;
        self.keys
            .is_unexplained(report.and_then(|report| report.base(report.keys)))
    }

    /// What the evidence proves. Nothing before the cold start is over.
    #[must_use]
    pub fn posture(&self, limits: Limits) -> Posture {
        if self.cold.is_some() {
            return Posture::default();
        }
        let freshness = Freshness {
            limits,
            last_look: self.last_look,
        };
        let report = self.report;
        let count = |tally: &Tally, pick: fn(&ReportFacts) -> Option<Counts>| {
            tally.judge(report.and_then(|report| report.base(pick(&report))))
        };
        let active = |judged: &Judged| {
            let value = judged.counts.active;
            freshness.figure(value, value == 0, &judged.active_by)
        };
        let keys = count(&self.keys, |report| report.keys);
        let certificates = count(&self.certificates, |report| report.certificates);
        let flag = |look, pick: fn(&ReportFacts) -> Option<bool>, fine: Option<bool>| {
            let report = report.and_then(|report| report.said(pick(&report)));
            let (on, by) = flag::judge(look, report)?;
            freshness.figure(u8::from(on), fine == Some(on), &by)
        };
        Posture {
            keys_active: keys.as_ref().and_then(active),
            keys_active_since: self.following.onset(),
            keys_present: keys.and_then(|judged| {
                let value = judged.counts.present;
                freshness.figure(value, value == 0, &judged.present_by)
            }),
            certificates_active: certificates.as_ref().and_then(active),
            mfa_enabled: flag(self.mfa, |report| report.mfa, Some(true)),
            // Neither answer is fine, so neither expires.
            password_enabled: flag(self.password, |report| report.password, None),
        }
    }

    /// The GeneratedTime of the report in use, held-back ones included.
    #[must_use]
    pub fn report_stamp(&self) -> Option<Stamp> {
        self.challenger.or(self.report).map(|report| report.stamp)
    }

    /// Moves all evidence to the clock of another process: `millis` is added to each moment of
    /// receipt.
    pub fn rebase(&mut self, millis: i64) {
        for stamp in self.stamps() {
            stamp.received = stamp.received.shifted(millis);
        }
    }

    /// Mends times that cannot be: nothing was true after AWS's now. Such a time came from a clock
    /// that was wrong (AWS's own, or ours when it had to stand in), and would keep out everything
    /// true that comes after it. Its age is known all the same.
    fn mend_times(&mut self, aws_now: Timestamp, now: Moment) {
        for stamp in self.stamps() {
            if stamp.at > aws_now.plus(REPORT_BLUR) {
                stamp.at = aws_now.minus(stamp.age(now));
            }
        }
    }

    fn stamps(&mut self) -> impl Iterator<Item = &mut Stamp> {
        let reports = [&mut self.report, &mut self.challenger];
        let flags = [&mut self.mfa, &mut self.password];
        reports
            .into_iter()
            .flatten()
            .map(|report| &mut report.stamp)
            .chain(flags.into_iter().flatten().map(|said| &mut said.stamp))
            .chain(self.last_look.iter_mut())
            .chain(self.keys.stamps())
            .chain(self.certificates.stamps())
    }
}
