//! The JSON state file of version 0.1: its conclusions turned back into evidence, once.
//!
//! It kept of each source what its newest poll said. That becomes the same answer twice, half an
//! interval apart, for many polls had confirmed it; one that was not confirmed becomes one answer.
//! Nothing here may raise a value that 0.1 did not show, nor lower one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{
    AccountId, Answer, Counts, Evidence, Limits, ListedKeys, LiveSource, Moment, Onset, Record,
    ReportClaim, Source, Timestamp, Topic, Values,
};
use serde::Deserialize;

use super::{Meta, SavedAccount, Stamp, State};
use crate::clock::Clock;
use crate::views::{KnownOrganization, Left, ReportView};

/// How such a file begins.
const START: &[u8] = br#"{"format":"aws-root-exporter state","#;

/// Whether content that starts like this is such a file.
#[must_use]
pub fn is_state_file(start: &[u8]) -> bool {
    start.starts_with(START)
}

/// Reads such a file, with all moments moved to this process's clock.
///
/// # Errors
///
/// What is wrong with it: it is torn, or of another version.
pub fn read(content: &[u8], clock: &Clock, limits: &Limits) -> Result<State, String> {
    // The reason may quote the content, which can hold anything, a line break too.
    let document: Document = serde_json::from_slice(content).map_err(|error| {
        format!(
            "not a whole state file ({})",
            error.to_string().escape_debug()
        )
    })?;
    if document.version != 1 {
        return Err(format!(
            "a state file of an unknown version ({})",
            document.version
        ));
    }
    let written = Stamp {
        at: document.saved_at,
        moment: document.saved_moment,
    };
    let shift = written.shift(clock);
    let OldState {
        caller,
        organization,
        left,
        accounts,
    } = document.state;
    let mut meta = Meta {
        caller,
        organization,
        left,
    };
    meta.shift(shift);
    let accounts = accounts.into_iter().map(|(id, old)| {
        let mut saved = old.into_saved(limits);
        saved.shift(shift);
        (id, saved)
    });
    Ok(State {
        meta,
        accounts: accounts.collect(),
    })
}

#[derive(Deserialize)]
struct Document {
    version: u32,
    saved_at: Timestamp,
    saved_moment: Moment,
    state: OldState,
}

#[derive(Deserialize)]
struct OldState {
    caller: Option<AccountId>,
    organization: Option<Arc<KnownOrganization>>,
    #[serde(default)]
    left: BTreeMap<AccountId, Left>,
    accounts: BTreeMap<AccountId, OldAccount>,
}

#[derive(Deserialize)]
struct OldAccount {
    record: OldRecord,
    report: Option<Arc<ReportView>>,
    root_keys: Option<Arc<ListedKeys>>,
    report_due: Option<Moment>,
    last_success: BTreeMap<Source, Timestamp>,
}

#[derive(Deserialize)]
struct OldRecord {
    report: Option<OldReport>,
    /// A newer report that was held back.
    challenger: Option<OldReport>,
    keys: OldCount,
    certificates: OldCount,
    mfa: Option<OldFlag>,
    password: Option<OldFlag>,
    #[serde(default)]
    following: Onset,
}

/// When evidence was true, by AWS's clock, and how old it was when it was received.
#[derive(Clone, Copy, Deserialize)]
struct OldStamp {
    at: Timestamp,
    received: Moment,
    age_at_receipt: u64,
}

#[derive(Deserialize)]
struct OldReport {
    stamp: OldStamp,
    keys: Option<Counts>,
    certificates: Option<Counts>,
    mfa: Option<bool>,
    password: Option<bool>,
}

#[derive(Deserialize)]
struct OldCount {
    look: Option<OldLook>,
    listed: Option<OldBase>,
    /// Whether that is no list but two summaries that agreed on "none".
    #[serde(default)]
    is_nothing: bool,
}

#[derive(Deserialize)]
struct OldLook {
    stamp: OldStamp,
    source: Source,
    verdict: OldVerdict,
    #[serde(default)]
    confirmed: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OldVerdict {
    None,
    Some(u8),
}

#[derive(Deserialize)]
struct OldBase {
    stamp: OldStamp,
    counts: Counts,
}

#[derive(Deserialize)]
struct OldFlag {
    stamp: OldStamp,
    source: Source,
    on: bool,
}

impl OldAccount {
    fn into_saved(self, limits: &Limits) -> SavedAccount {
        SavedAccount {
            onset: self.record.following,
            record: self.record.into_record(limits),
            report: self.report,
            listed: self.root_keys,
            report_due: self.report_due,
            last_success: self.last_success,
        }
    }
}

impl OldRecord {
    fn into_record(self, limits: &Limits) -> Record {
        let mut evidence = Vec::new();
        // The challenger is the newer one.
        for report in [&self.report, &self.challenger].into_iter().flatten() {
            evidence.push(report.evidence());
        }
        let gap = limits.interval / 2;
        self.keys.evidence(Topic::Keys, gap, &mut evidence);
        self.certificates
            .evidence(Topic::Certificates, gap, &mut evidence);
        if let Some(mfa) = self.mfa {
            mfa.evidence(Topic::MfaOff, !mfa.on, gap, &mut evidence);
        }
        if let Some(password) = self.password {
            password.evidence(Topic::Password, password.on, gap, &mut evidence);
        }
        let mut record = Record::default();
        for piece in evidence {
            record.take(piece, limits);
        }
        record
    }
}

impl OldReport {
    fn evidence(&self) -> Evidence {
        let OldStamp {
            at,
            received,
            age_at_receipt,
        } = self.stamp;
        Evidence::Report(ReportClaim {
            received,
            generated: received - Duration::from_millis(age_at_receipt),
            date: at,
            values: Values::default()
                .with(Topic::Keys, self.keys)
                .with(Topic::Certificates, self.certificates)
                .with(Topic::MfaOff, self.mfa.map(|on| Counts::flag(!on)))
                .with(Topic::Password, self.password.map(Counts::flag)),
        })
    }
}

impl OldCount {
    fn evidence(&self, topic: Topic, gap: Duration, evidence: &mut Vec<Evidence>) {
        let none = self.listed.as_ref().filter(|_| self.is_nothing);
        if let Some(base) = none {
            let source = LiveSource::Summary;
            answer(source, base.stamp, topic, Counts::NONE, Some(gap), evidence);
        }
        let listed = self.listed.as_ref().filter(|_| !self.is_nothing);
        if let Some(base) = listed {
            let is_newest = |look: &&OldLook| look.stamp.received == base.stamp.received;
            let look = self.look.as_ref().filter(is_newest);
            let gap = look.is_none_or(OldLook::is_confirmed).then_some(gap);
            answer(
                LiveSource::List,
                base.stamp,
                topic,
                base.counts,
                gap,
                evidence,
            );
        }
        let Some(look) = &self.look else { return };
        let present = match look.verdict {
            OldVerdict::None => 0,
            OldVerdict::Some(seen) => seen,
        };
        // Beside a list only a summary can have counted more than was listed.
        let beyond = listed.is_none_or(|base| present > base.counts.present);
        if look.source == Source::AccountSummary || beyond {
            let counts = Counts { present, active: 0 };
            let gap = look.is_confirmed().then_some(gap);
            answer(
                LiveSource::Summary,
                look.stamp,
                topic,
                counts,
                gap,
                evidence,
            );
        }
    }
}

impl OldLook {
    fn is_confirmed(&self) -> bool {
        self.confirmed || matches!(self.verdict, OldVerdict::Some(_))
    }
}

impl OldFlag {
    fn evidence(&self, topic: Topic, is_set: bool, gap: Duration, evidence: &mut Vec<Evidence>) {
        let source = match self.source {
            Source::RootSession => LiveSource::List,
            Source::AccountSummary | Source::CredentialReport => LiveSource::Summary,
        };
        answer(
            source,
            self.stamp,
            topic,
            Counts::flag(is_set),
            Some(gap),
            evidence,
        );
    }
}

/// An answer of a live source; twice, so far apart, where that is given.
fn answer(
    source: LiveSource,
    stamp: OldStamp,
    topic: Topic,
    value: Counts,
    gap: Option<Duration>,
    evidence: &mut Vec<Evidence>,
) {
    let earlier = gap.map(|gap| stamp.received - gap);
    for asked in earlier.into_iter().chain([stamp.received]) {
        evidence.push(Evidence::Answer(Answer {
            source,
            asked,
            date: stamp.at,
            values: Values::default().with(topic, Some(value)),
        }));
    }
}
