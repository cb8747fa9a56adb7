//! The parts that need no network: a report read, evidence weighed, metrics written and packed.
//!
//! Figures are of this machine at this moment; what counts stands in ratios, in `benches/peers.py`.

#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use aws_root_exporter::account::{Access, Account, Partition};
use aws_root_exporter::clock::Clock;
use aws_root_exporter::metrics::{self, Format, Options};
use aws_root_exporter::views::{AccountView, ReportView, SourceView, Store, UserDetail};
use divan::Bencher;
use divan::counter::ItemsCount;
use flate2::Compression;
use flate2::write::GzEncoder;
use root_posture::report::{UserFigures, parse};
use root_posture::{Awaited, Limits, Look, Record, ReportFacts};
use root_posture::{Moment, Timestamp};
use root_posture::{Source, Stamp, Summary};

mod data;

const NOW: i64 = 1_800_000_000;
const LIMITS: Limits = Limits {
    max_staleness: Duration::from_secs(36_000),
    max_live_staleness: Duration::from_secs(1800),
};

fn main() {
    divan::main();
}

#[divan::bench(args = [10, 200, 5000])]
fn read_a_report(bencher: Bencher, users: usize) {
    let text = data::report(users);
    bencher
        .counter(ItemsCount::new(users))
        .bench(|| parse(black_box(text.as_bytes()), None, Partition::Aws));
}

#[divan::bench]
fn weigh_a_look() {
    let received = Moment::from_millis(1000);
    let mut record = Record::new(Awaited::default());
    let report = parse(data::report(0).as_bytes(), None, Partition::Aws).unwrap();
    let _ = record.report_arrived(ReportFacts::of(
        report.root.as_ref(),
        Stamp::live(Timestamp::from_unix(NOW - 3600), received),
    ));
    black_box(look(&mut record, NOW));
}

fn look(record: &mut Record, at: i64) -> Option<u8> {
    let stamp = Stamp::live(Timestamp::from_unix(at), Moment::from_millis(2000));
    let summary = Summary {
        keys: Some(0),
        certificates: Some(0),
        mfa: Some(true),
        password: Some(true),
    };
    let seen = Look {
        stamp,
        summary: Some(summary),
        listed: None,
    };
    record.look_arrived(seen, Duration::from_secs(45));
    record.settle(stamp.received);
    record
        .posture(LIMITS)
        .keys_active
        .map(|figure| figure.value)
}

/// So many accounts, each with a report and a summary.
fn store(accounts: u64) -> Store {
    let store = Views::new(Clock::manual(Timestamp::from_unix(NOW)).0);
    let report = parse(data::report(5).as_bytes(), None, Partition::Aws).unwrap();
    let generated = Timestamp::from_unix(NOW - 3600);
    let received = Moment::from_millis(1000);
    let view = Arc::new(ReportView {
        generated,
        root: report.root.clone(),
        rows_skipped: 0,
        users: UserFigures::of(&report.users),
        detail: UserDetail::Off,
    });
    for number in 0..accounts {
        let mut record = Record::new(Awaited::default());
        let facts = ReportFacts::of(report.root.as_ref(), Stamp::live(generated, received));
        let _ = record.report_arrived(facts);
        look(&mut record, NOW);
        let source = |source| {
            let mut view = SourceView::new(source);
            view.worked(Timestamp::from_unix(NOW));
            view
        };
        store.put(AccountView {
            account: Arc::new(Account {
                id: format!("{number:012}").parse().unwrap(),
                name: format!("payments-production-{number}"),
                region: "us-east-1".to_owned(),
                access: Some(Access::Caller),
                root_session: false,
                labels: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
            }),
            posture: record.posture(LIMITS),
            report: Some(Arc::clone(&view)),
            listed: None,
            sources: vec![
                source(Source::CredentialReport),
                source(Source::AccountSummary),
            ],
        });
    }
    store
}

fn options() -> Options {
    Options {
        users_aggregate: true,
        key_age_days: vec![90, 180, 365],
        unused_days: vec![45, 90],
    }
}

#[divan::bench(args = [100, 1000, 10_000])]
fn write_the_metrics(bencher: Bencher, accounts: u64) {
    let snapshot = store(accounts).snapshot();
    bencher.bench(|| {
        metrics::render(&snapshot, &options(), Format::Text, &mut std::io::sink()).unwrap();
    });
}

#[divan::bench(args = [100, 1000, 10_000])]
fn pack_the_metrics(bencher: Bencher, accounts: u64) {
    let mut text = Vec::new();
    let snapshot = store(accounts).snapshot();
    metrics::render(&snapshot, &options(), Format::Text, &mut text).unwrap();
    bencher
        .counter(divan::counter::BytesCount::new(text.len()))
        .bench(|| {
            let mut packed = GzEncoder::new(std::io::sink(), Compression::fast());
            packed.write_all(black_box(&text)).unwrap();
            packed.finish().unwrap();
        });
}

#[divan::bench(args = [10_000])]
fn take_a_snapshot(bencher: Bencher, accounts: u64) {
    let store = store(accounts);
    bencher.bench(|| store.snapshot());
}
