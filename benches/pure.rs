//! Benchmarks that need no network: reading a report, judging evidence, writing and compressing metrics.
//!
//! The results depend on the machine; `benches/peers.py` measures ratios, which depend less on it.

#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use aws_root_exporter::account::{Access, Account, Partition};
use aws_root_exporter::clock::Clock;
use aws_root_exporter::metrics::{Options, Renderer};
use aws_root_exporter::views::{AccountView, ReportView, Snapshot, SourceView, UserDetail, Views};
use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;
use exporter_toolkit::Format;
use root_posture::report::{UserCounts, parse};
use root_posture::{
    Answer, Evidence, Limits, LiveSource, Moment, Record, ReportClaim, Source, Summary, Timestamp,
    Values, judge,
};

mod data;

const NOW: i64 = 1_800_000_000;
const LIMITS: Limits = Limits {
    interval: Duration::from_secs(60),
    in_force: Duration::from_secs(60),
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

/// Adds a live answer to a record with a report, and judges it.
#[divan::bench]
fn judge_an_answer(bencher: Bencher) {
    let record = record();
    bencher.bench(|| {
        let mut record = record.clone();
        record.take(answer(Moment::from_millis(60_000)), &LIMITS);
        judge(&record, Moment::from_millis(60_000), black_box(&LIMITS))
    });
}

/// The record of an account with a report and a summary.
fn record() -> Record {
    let report = parse(data::report(0).as_bytes(), None, Partition::Aws).unwrap();
    let received = Moment::from_millis(1000);
    let mut record = Record::default();
    let claim = ReportClaim {
        received,
        generated: received - Duration::from_secs(3600),
        date: Timestamp::from_unix(NOW - 3600),
        values: Values::of_row(report.root.as_ref()),
    };
    record.take(Evidence::Report(claim), &LIMITS);
    record.take(answer(Moment::from_millis(2000)), &LIMITS);
    record
}

fn answer(asked: Moment) -> Evidence {
    let summary = Summary {
        keys: Some(0),
        certificates: Some(0),
        mfa: Some(true),
        password: Some(true),
    };
    Evidence::Answer(Answer {
        source: LiveSource::Summary,
        asked,
        date: Timestamp::from_unix(NOW),
        values: summary.into(),
    })
}

/// Views of this number of accounts, each with a report and a summary.
fn views(accounts: u64) -> Views {
    let views = Views::new(Clock::manual(Timestamp::from_unix(NOW)).0);
    let report = parse(data::report(5).as_bytes(), None, Partition::Aws).unwrap();
    let view = Arc::new(ReportView {
        generated: Timestamp::from_unix(NOW - 3600),
        root: report.root.clone(),
        rows_skipped: 0,
        users: UserCounts::of(&report.users),
        detail: UserDetail::Off,
    });
    let posture = judge(&record(), Moment::from_millis(2000), &LIMITS);
    for number in 0..accounts {
        let source = |source| {
            let mut view = SourceView::new(source);
            view.worked(Timestamp::from_unix(NOW));
            view
        };
        views.put(AccountView {
            posture,
            report: Some(Arc::clone(&view)),
            sources: [
                source(Source::CredentialReport),
                source(Source::AccountSummary),
            ]
            .into(),
            ..AccountView::unknown(Arc::new(Account {
                id: format!("{number:012}").parse().unwrap(),
                name: format!("payments-production-{number}"),
                region: "us-east-1".to_owned(),
                access: Some(Access::Caller),
                root_session: false,
                labels: Arc::new(BTreeMap::from([("team".to_owned(), "payments".to_owned())])),
                exceptions: Arc::default(),
                details: Arc::default(),
            }))
        });
    }
    views
}

fn options() -> Options {
    Options {
        users_aggregate: true,
        key_age_days: vec![90, 180, 365],
        unused_days: vec![45, 90],
        external_url: None,
    }
}

/// The first scrape of a process.
#[divan::bench(args = [100, 1000, 10_000])]
fn render_and_pack_the_metrics(bencher: Bencher, accounts: u64) {
    let snapshot = views(accounts).snapshot();
    bencher.bench(|| write(&mut Renderer::default(), &snapshot));
}

/// Uncompressed, after a first scrape.
#[divan::bench(args = [100, 1000, 10_000])]
fn unpack_the_metrics(bencher: Bencher, accounts: u64) {
    let snapshot = views(accounts).snapshot();
    let mut renderer = Renderer::default();
    write(&mut renderer, &snapshot);
    bencher.bench_local(|| write(&mut renderer, &snapshot));
}

fn write(renderer: &mut Renderer, snapshot: &Snapshot) -> Bytes {
    let text = Format::Text.render(|out| renderer.write(snapshot.clone(), &options(), out));
    text.unwrap()
}

#[divan::bench(args = [10_000])]
fn take_a_snapshot(bencher: Bencher, accounts: u64) {
    let views = views(accounts);
    bencher.bench(|| views.snapshot());
}
