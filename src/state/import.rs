//! Converts the JSON state file of version 0.1, which held conclusions, to evidence.
//!
//! A confirmed conclusion becomes the same answer twice, half an interval apart; one without
//! confirmation becomes one answer. The import never raises or lowers a value that 0.1 exported.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use root_posture::{
    AccountId, Answer, Counts, Evidence, Limits, ListedKeys, LiveSource, Moment, Onset, Record,
    ReportClaim, Source, Timestamp, Topic, Values,
};
use serde::Deserialize;

use super::saved::{Meta, SavedAccount, Stamp, State};
use crate::clock::Clock;
use crate::views::ReportView;

/// The start of such a file.
const START: &[u8] = br#"{"format":"aws-root-exporter state","#;

/// Whether content with this start is such a file.
#[must_use]
pub fn is_state_file(start: &[u8]) -> bool {
    start.starts_with(START)
}

/// Reads such a file and converts all moments to this process's clock.
///
/// # Errors
///
/// The reason why it cannot be read: it is torn, or of another version.
pub fn read(content: &[u8], clock: &Clock, limits: &Limits) -> Result<State, String> {
    // The reason may quote the content, which can hold anything, a line break too.
    let document: Document = serde_json::from_slice(content).map_err(|error| {
        format!(
            "not a whole state file ({})",
            error.to_string().escape_debug()
        )
    })?;
    if document.version != 1 {
        let version = document.version;
        return Err(format!("a state file of an unknown version ({version})"));
    }
    let (at, moment) = (document.saved_at, document.saved_moment);
    let shift = Stamp { at, moment }.shift(clock);
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
            activities: Arc::default(),
            push_was_up: false,
            push_tampered: None,
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
    /// A newer report that was held.
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
    #[serde(rename = "look")]
    poll: Option<OldPoll>,
    listed: Option<OldBase>,
    /// Whether `listed` is not a list but two summaries that agreed on "none".
    #[serde(default)]
    is_nothing: bool,
}

#[derive(Deserialize)]
struct OldPoll {
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

/// Fills a record with the evidence of an old one.
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
        let poll = count.poll.as_ref().map(|poll| {
            let present = match poll.verdict {
                OldVerdict::None => 0,
                OldVerdict::Some(present) => present,
            };
            (poll, present, poll.confirmed || present > 0)
        });
        let mut listed = None;
        if let Some(OldBase { stamp, counts }) = count.listed {
            listed = Some(counts.present);
            let (source, is_confirmed) = match poll {
                _ if count.is_nothing => (LiveSource::Summary, true),
                Some((poll, _, is_confirmed)) if poll.stamp.received == stamp.received => {
                    (LiveSource::List, is_confirmed)
                }
                _ => (LiveSource::List, true),
            };
            self.answer(source, stamp, topic, counts, is_confirmed);
        }
        if let Some((poll, present, is_confirmed)) = poll
            // With a list, only a summary can have counted more than was listed.
            && (poll.source == Source::AccountSummary || listed.is_none_or(|most| present > most))
        {
            let counts = Counts { present, active: 0 };
            self.answer(LiveSource::Summary, poll.stamp, topic, counts, is_confirmed);
        }
    }

    fn flag(&mut self, topic: Topic, flag: &OldFlag, is_set: bool) {
        let source = match flag.source {
            Source::RootSession => LiveSource::List,
            Source::AccountSummary | Source::CredentialReport => LiveSource::Summary,
        };
        self.answer(source, flag.stamp, topic, Counts::flag(is_set), true);
    }

    /// Adds an answer of a live source; twice, half an interval apart, where it was confirmed.
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
