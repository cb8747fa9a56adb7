//! The rules for what is counted: access keys and signing certificates.
//!
//! A credential report and a root session's list know how many exist and how many are active
//! (they are a *base*); an account summary knows only whether any exist. Raising a figure needs
//! one witness, lowering it to zero needs two looks that agree.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{REPORT_BLUR, Support};
use crate::clock::Timestamp;
use crate::evidence::{Counts, Source, Stamp};

/// AWS allows a root user two of each.
const MOST: u8 = 2;

/// What one round of live questions said of the thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Every live source that answered says that there is none.
    None,
    /// There is some: at least so many.
    Some(u8),
}

/// A base with the time at which it was true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Base {
    pub stamp: Stamp,
    pub counts: Counts,
}

/// What a look said of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub stamp: Stamp,
    pub source: Source,
    pub verdict: Verdict,
    /// What the root session listed, when there was one.
    pub listed: Option<Counts>,
    /// What it listed before and does not any more.
    pub gone: Counts,
    /// The GeneratedTime of the newest report that had arrived before, held-back ones included.
    pub answers: Option<Timestamp>,
}

/// The look that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Believed {
    stamp: Stamp,
    source: Source,
    verdict: Verdict,
    /// How many were active by this look and the base of its time. A report that comes later and
    /// knows fewer cannot turn an inactive one into one that was born since.
    active: u8,
    /// The newest report that had arrived when the look was taken: this look answers it.
    answers: Option<Timestamp>,
    /// For "none": whether the look before said the same, a gap earlier.
    confirmed: bool,
}

impl Believed {
    /// Whether the report is later. In the same second it is, unless it had arrived when the look
    /// was taken.
    fn is_before(&self, report: &Base) -> bool {
        let at = report.stamp.at;
        at > self.stamp.at
            || at == self.stamp.at && self.answers.is_none_or(|answered| answered < at)
    }
}

/// All that live sources said of one thing that is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// The newest look that is believed.
    look: Option<Believed>,
    /// The newest look that says "none" where that would lower a figure: it needs a second.
    doubted: Option<Stamp>,
    /// The newest root session's list that is believed.
    listed: Option<Base>,
    /// Whether that is no session's list but two looks that agreed on "none": whatever was known
    /// before is gone, but they are no better than a report that comes later.
    #[serde(default)]
    is_nothing: bool,
}

/// The two figures of a topic, each with the evidence that supports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub counts: Counts,
    pub active_by: [Option<Support>; 2],
    pub present_by: [Option<Support>; 2],
}

impl Tally {
    /// Weighs the live evidence against the newest report.
    pub fn judge(&self, report: Option<Base>) -> Option<Judged> {
        let Some(look) = self.look else {
            return report.map(report_alone);
        };
        if let Some(report) = report
            && (report.stamp.at > look.stamp.at.plus(REPORT_BLUR)
                || report_outlived_look(&report, &look))
        {
            return Some(report_alone(report));
        }
        let counts = match look.verdict {
            Verdict::None => Counts::default(),
            Verdict::Some(seen) => self.explain(&look, seen, report),
        };
        let by_look = Some((look.source, look.stamp));
        let by_report = |supports: fn(Counts, Counts) -> bool| {
            report
                .filter(|report| supports(report.counts, counts))
                .map(|report| (Source::CredentialReport, report.stamp))
        };
        let active_by = if counts.active == 0 && counts.present > 0 {
            // Only the base knows that the existing ones are inactive.
            [
                self.base(report).map(|(source, base)| (source, base.stamp)),
                None,
            ]
        } else {
            [
                by_look,
                by_report(|said, shown| said.active == shown.active),
            ]
        };
        Some(Judged {
            counts,
            active_by,
            present_by: [
                by_look,
                by_report(|said, shown| said.present == shown.present),
            ],
        })
    }

    /// What exists and is active when a look saw `seen` of them: what the base explains, and
    /// beyond it what was created since, for a new key is born active.
    fn explain(&self, look: &Believed, seen: u8, report: Option<Base>) -> Counts {
        let Some((source, base)) = self.base(report) else {
            // Nobody can tell whether it is active: the safe reading is that it is.
            return Counts {
                active: 1,
                present: 1,
            };
        };
        let Counts { active, present } = base.counts;
        let unexplained = seen.saturating_sub(present);
        let born_since = if source == Source::CredentialReport && look.is_before(&base) {
            // A report that is later than the look and knows fewer: none of them was born since.
            // As many stay active as were when the look saw them.
            look.active.saturating_sub(active).min(unexplained)
        } else {
            unexplained
        };
        Counts {
            active: active.saturating_add(born_since).min(MOST),
            present: present.max(seen).min(MOST),
        }
    }

    /// The newest evidence that knows active from inactive: a root session's list, unless a
    /// report is clearly later.
    fn base(&self, report: Option<Base>) -> Option<(Source, Base)> {
        let report_base = report.map(|report| (Source::CredentialReport, report));
        match (self.listed, report) {
            (Some(listed), Some(report))
                if listed.stamp.at <= report.stamp.at.minus(REPORT_BLUR)
                    || self.is_nothing && listed.stamp.at < report.stamp.at =>
            {
                report_base
            }
            (Some(listed), _) => Some((Source::RootSession, listed)),
            (None, _) => report_base,
        }
    }

    /// Takes what a look said. A "none" that would lower a figure is believed only when the look
    /// before said the same at least `gap` earlier.
    pub fn hear(&mut self, heard: Heard, report: Option<Base>, gap: Duration) {
        let shown = self.judge(report).map_or(Counts::default(), |j| j.counts);
        let apart = |earlier: Stamp| heard.stamp.received.since(earlier.received) >= gap;
        let mut confirmed = false;
        if heard.verdict == Verdict::None {
            if shown == Counts::default() {
                confirmed = self.look.is_some_and(|look| {
                    look.verdict == Verdict::None && (look.confirmed || apart(look.stamp))
                });
            } else if self.doubted.is_some_and(apart) {
                confirmed = true;
            } else {
                self.doubted.get_or_insert(heard.stamp);
                return;
            }
        }
        self.doubted = None;
        let listed = match heard.verdict {
            Verdict::None => heard.listed.or(confirmed.then(Counts::default)),
            Verdict::Some(seen) => heard
                .listed
                .map(|listed| still_there(listed, heard.gone, seen)),
        };
        if let Some(counts) = listed {
            self.is_nothing = heard.listed.is_none();
            self.listed = Some(Base {
                stamp: heard.stamp,
                counts,
            });
        }
        let mut look = Believed {
            stamp: heard.stamp,
            source: heard.source,
            verdict: heard.verdict,
            active: 0,
            answers: heard.answers,
            confirmed,
        };
        if let Verdict::Some(seen) = heard.verdict {
            look.active = self.explain(&look, seen, report).active;
        }
        self.look = Some(look);
    }

    /// Whether a report says some where a look, hardly earlier, said none: then a key may be
    /// older than the report's content, and only another look can tell.
    pub fn is_challenged_by(&self, report: Base) -> bool {
        self.look.is_some_and(|look| {
            look.verdict == Verdict::None
                && report.counts.present > 0
                && report.stamp.at >= look.stamp.at
                && report.stamp.at <= look.stamp.at.plus(REPORT_BLUR)
        })
    }

    /// Takes note of a report that says some and is older than a look that said none. Had the
    /// report come first, that look would have needed a second; so it does now.
    pub fn doubt_lone_look(&mut self, report: Base) {
        if let Some(look) = self.look
            && look.verdict == Verdict::None
            && !look.confirmed
            && report.counts.present > 0
            && report.stamp.at < look.stamp.at
        {
            self.doubted = Some(look.stamp);
            self.look = None;
        }
    }

    /// Whether a look said "none" that needs a second to be believed.
    pub fn is_in_doubt(&self) -> bool {
        self.doubted.is_some()
    }

    /// Whether live evidence says that some exist and nothing explains them.
    pub fn is_unexplained(&self, report: Option<Base>) -> bool {
        matches!(
            self.look,
            Some(Believed {
                verdict: Verdict::Some(_),
                ..
            })
        ) && self.base(report).is_none()
    }

    /// Each stamp, for moving them to another process's clock.
    pub fn stamps(&mut self) -> impl Iterator<Item = &mut Stamp> {
        self.look
            .iter_mut()
            .map(|look| &mut look.stamp)
            .chain(self.doubted.iter_mut())
            .chain(self.listed.iter_mut().map(|base| &mut base.stamp))
    }
}

/// A list, and of what is gone from it since the last one as many as the summary counts beside it: the
/// two were answered one after the other, and a key that was deleted in between is none that was
/// created. Should they differ in status, the active ones are taken to be there.
fn still_there(listed: Counts, gone: Counts, seen: u8) -> Counts {
    let there = seen.saturating_sub(listed.present).min(gone.present);
    Counts {
        active: listed.active.saturating_add(there.min(gone.active)),
        present: listed.present.saturating_add(there),
    }
}

/// Whether a report that says some stands against a look that said none before the report came,
/// and that no look has answered since.
fn report_outlived_look(report: &Base, look: &Believed) -> bool {
    look.verdict == Verdict::None
        && report.counts.present > 0
        && report.stamp.at >= look.stamp.at
        && look
            .answers
            .is_none_or(|answered| answered < report.stamp.at)
}

fn report_alone(report: Base) -> Judged {
    let by = [Some((Source::CredentialReport, report.stamp)), None];
    Judged {
        counts: report.counts,
        active_by: by,
        present_by: by,
    }
}
