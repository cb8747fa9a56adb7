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
use crate::views::ReportView;

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
        let error = error.to_string();
        format!("not a whole state file ({})", error.escape_debug())
    })?;
    if document.version != 1 {
        let version = document.version;
        return Err(format!("a state file of an unknown version ({version})"));
    }
    let written = Stamp {
        at: document.saved_at,
        moment: document.saved_moment,
    };
    let shift = written.shift(clock);
    let mut meta = document.state.meta;
    meta.shift(shift);
    let accounts = document.state.accounts.into_iter().map(|(id, old)| {
        let mut saved = SavedAccount {
            onset: old.record.following,
            record: old.record.into_record(limits),
            report: old.report,
            listed: old.root_keys,
            report_due: old.report_due,
            last_success: old.last_success,
        };
        saved.shift(shift);
        (id, saved)
    });
    Ok(State {
        accounts: accounts.collect(),
        meta,
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
    #[serde(flatten)]
    meta: Meta,
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

#[derive(Clone, Copy, Deserialize)]
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

impl OldRecord {
    fn into_record(self, limits: &Limits) -> Record {
        let mut import = Import {
            record: Record::default(),
            limits,
        };
        // The challenger is the newer one.
        for report in self.report.into_iter().chain(self.challenger) {
            import.report(&report);
        }
        import.count(Topic::Keys, &self.keys);
        import.count(Topic::Certificates, &self.certificates);
        if let Some(mfa) = self.mfa {
            import.flag(Topic::MfaOff, &mfa, !mfa.on);
        }
        if let Some(password) = self.password {
            import.flag(Topic::Password, &password, password.on);
        }
        import.record
    }
}

/// A record that is filled with the evidence of an old one.
struct Import<'a> {
    record: Record,
    limits: &'a Limits,
}

impl Import<'_> {
    fn report(&mut self, report: &OldReport) {
        let stamp = report.stamp;
        let claim = ReportClaim {
            received: stamp.received,
            generated: stamp.received - Duration::from_millis(stamp.age_at_receipt),
            date: stamp.at,
            values: Values::default()
                .with(Topic::Keys, report.keys)
                .with(Topic::Certificates, report.certificates)
                .with(Topic::MfaOff, report.mfa.map(|on| Counts::flag(!on)))
                .with(Topic::Password, report.password.map(Counts::flag)),
        };
        self.record.take(Evidence::Report(claim), self.limits);
    }

    fn count(&mut self, topic: Topic, count: &OldCount) {
        let look = count.look.as_ref().map(|look| {
            let present = match look.verdict {
                OldVerdict::None => 0,
                OldVerdict::Some(present) => present,
            };
            (look, present, look.confirmed || present > 0)
        });
        let mut listed = None;
        if let Some(OldBase { stamp, counts }) = count.listed {
            listed = Some(counts.present);
            let (source, is_confirmed) = match look {
                _ if count.is_nothing => (LiveSource::Summary, true),
                Some((look, _, is_confirmed)) if look.stamp.received == stamp.received => {
                    (LiveSource::List, is_confirmed)
                }
                _ => (LiveSource::List, true),
            };
            self.answer(source, stamp, topic, counts, is_confirmed);
        }
        if let Some((look, present, is_confirmed)) = look
            // Beside a list only a summary can have counted more than was listed.
            && (look.source == Source::AccountSummary || listed.is_none_or(|most| present > most))
        {
            let counts = Counts { present, active: 0 };
            self.answer(LiveSource::Summary, look.stamp, topic, counts, is_confirmed);
        }
    }

    fn flag(&mut self, topic: Topic, flag: &OldFlag, is_set: bool) {
        let source = match flag.source {
            Source::RootSession => LiveSource::List,
            Source::AccountSummary | Source::CredentialReport => LiveSource::Summary,
        };
        self.answer(source, flag.stamp, topic, Counts::flag(is_set), true);
    }

    /// An answer of a live source; twice, half an interval apart, where it was confirmed.
    fn answer(
        &mut self,
        source: LiveSource,
        stamp: OldStamp,
        topic: Topic,
        value: Counts,
        is_confirmed: bool,
    ) {
        let earlier = is_confirmed.then(|| stamp.received - self.limits.interval / 2);
        for asked in earlier.into_iter().chain([stamp.received]) {
            let answer = Answer {
                source,
                asked,
                date: stamp.at,
                values: Values::default().with(topic, Some(value)),
            };
            self.record.take(Evidence::Answer(answer), self.limits);
        }
    }
}
