//! Tests of the saved state and of when a view is published.

mod database;
mod disks;
mod gate;
mod import;
mod kills;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use root_posture::report::UserCounts;
use root_posture::{
    AccountId, Answer, Counts, Evidence, Limits, LiveSource, Metric, Moment, Onset, Posture,
    Record, Source, Timestamp, Topic, Values,
};

use super::SavedAccount;
use crate::account::{Access, Account};
use crate::clock::{Clock, Hand};
use crate::views::{AccountView, ReportView, UserDetail};

const LIMITS: Limits = Limits {
    interval: Duration::from_secs(60),
    in_force: Duration::from_secs(60),
    max_staleness: Duration::from_secs(36_000),
    max_live_staleness: Duration::from_secs(1_800),
};

fn start() -> (Clock, Hand) {
    Clock::manual(Timestamp::from_unix(1_789_132_492))
}

fn id(number: u64) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

/// An account of which a summary asked now has counted so many keys.
fn saved(clock: &Clock, keys: u8) -> SavedAccount {
    let mut record = Record::default();
    let answer = Answer {
        source: LiveSource::Summary,
        asked: clock.moment(),
        date: clock.now(),
        values: Values::default().with(
            Topic::Keys,
            Some(Counts {
                present: keys,
                active: 0,
            }),
        ),
    };
    record.take(Evidence::Answer(answer), &LIMITS);
    SavedAccount {
        record,
        onset: Onset::default(),
        report: None,
        listed: None,
        report_due: Some(clock.moment() + Duration::from_secs(3600)),
        last_success: BTreeMap::from([(Source::AccountSummary, clock.now())]),
        activities: Arc::default(),
        push_was_up: false,
        push_tampered: None,
    }
}

fn report(users: usize) -> Arc<ReportView> {
    Arc::new(ReportView {
        generated: Timestamp::from_unix(1_789_130_000),
        root: None,
        rows_skipped: users,
        users: UserCounts::default(),
        detail: UserDetail::Off,
    })
}

fn view(number: u64, keys: u8) -> AccountView {
    AccountView {
        posture: Posture {
            keys_active: Some(Metric {
                value: keys,
                source: Source::AccountSummary,
                observed: Timestamp::default(),
                fine_until: None,
            }),
            ..Posture::default()
        },
        ..AccountView::unknown(Arc::new(Account {
            id: id(number),
            name: String::new(),
            region: "us-east-1".to_owned(),
            access: Some(Access::Caller),
            root_session: false,
            labels: Arc::default(),
            exceptions: Arc::default(),
            details: Arc::default(),
        }))
    }
}

/// The active keys by the evidence of an account.
fn active(saved: &SavedAccount, now: Moment) -> Option<u8> {
    let posture = root_posture::judge(&saved.record, now, &LIMITS);
    posture.keys_active.and_then(|keys| keys.at(now))
}
