//! A renderer that has shown other snapshots writes what one does that has shown none, whatever has
//! changed in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use exporter_toolkit::Format;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::build::{
    MOMENT, NOW, at, everything, excepted, labelled, metric, rendered_by, rich_account, snapshot,
};
use crate::account::AccountId;
use crate::failure::{Failure, Reason};
use crate::metrics::data::Data;
use crate::metrics::renderer::encode;
use crate::metrics::{Options, Renderer, catalogue};
use crate::views::{AccountView, EventStats, Left, LeftReason, Snapshot, UserDetail};
use root_posture::{Metric, Source};
use time::OffsetDateTime;

/// A snapshot rendered in whole, family by family and without pieces.
fn whole(snapshot: &Snapshot, options: &Options) -> String {
    let data = Arc::new(Data::new(snapshot.clone(), options));
    let mut text = String::new();
    for family in catalogue() {
        encode(family, &data, 0..usize::MAX, &mut text).unwrap();
    }
    text + "# EOF\n"
}

/// Without the process's own values, which change from one reading to the next.
fn without_process(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.starts_with("process_")).collect()
}

#[derive(Clone, Debug)]
enum Change {
    Put(Box<AccountView>),
    /// Another view with the same contents.
    Replace(usize),
    Remove(usize),
    /// Time passes.
    Wait(Duration),
    /// The wall clock is set, and no time passes.
    SetClock(i64),
    Options(Options),
    /// The queue of events.
    Queue(bool),
    /// Something of the exporter itself.
    Lag(Duration),
    Leave,
}

fn any_metric(most: u8) -> impl Strategy<Value = Option<Metric>> {
    let until = proptest::option::of(0..7200_u64);
    let value = (0..=most, until).prop_map(|(value, until)| Metric {
        fine_until: until.map(|seconds| MOMENT + Duration::from_secs(seconds)),
        ..metric(value, Source::AccountSummary)
    });
    proptest::option::of(value)
}

fn any_view() -> impl Strategy<Value = AccountView> {
    let account = (
        0..12_u64,
        subsequence(
            vec![("team", "a"), ("team", "b"), ("cost-centre", "1")],
            0..2,
        ),
        select(vec!["", "production"]),
    );
    let posture = (any_metric(2), any_metric(2), any_metric(1));
    let report = (any::<bool>(), 0..2_usize, 0..3_u8);
    let rest = (
        0..3_i64,
        0..3_u64,
        proptest::option::of(any::<bool>()),
        any::<bool>(),
        // For how many days from now on a key is accepted.
        proptest::option::of(-1..30_i64),
    );
    (account, posture, report, rest).prop_map(
        |((id, labels, name), (keys, present, mfa), (has_report, skipped, detail), rest)| {
            let (success, failures, push, is_active, accepted) = rest;
            let id = format!("{id:012}");
            let mut view = rich_account(&id);
            view.account = labelled(&id, &labels).account;
            if let Some(days) = accepted {
                view = accepting(view, days);
            }
            Arc::make_mut(&mut view.account).name = name.to_owned();
            view.posture.keys_active = keys;
            view.posture.keys_present = present;
            view.posture.mfa_enabled = mfa;
            if !is_active {
                view.activities = Arc::default();
            }
            view.push.up = push;
            Arc::make_mut(&mut view.sources)[0].last_success = Some(at(1_800_000_000 + success));
            for _ in 0..failures {
                Arc::make_mut(&mut view.sources)[0]
                    .failed(NOW, Failure::new(Reason::Timeout, "slow"));
            }
            let report = view.report.as_mut().map(Arc::make_mut);
            if let Some(report) = report.filter(|_| has_report) {
                report.rows_skipped = skipped;
                match detail {
                    0 => report.detail = UserDetail::Off,
                    1 => report.detail = UserDetail::Dropped,
                    _ => {}
                }
            } else {
                view.report = None;
            }
            view
        },
    )
}

/// An account whose key is accepted until the day so many days from now.
fn accepting(view: AccountView, days: i64) -> AccountView {
    let mut view = excepted(view);
    let today = OffsetDateTime::from_unix_timestamp(NOW.unix())
        .unwrap()
        .date();
    let exceptions = &mut Arc::make_mut(&mut view.account).exceptions;
    Arc::make_mut(exceptions)[0].until = today + time::Duration::days(days);
    view
}

fn any_options() -> impl Strategy<Value = Options> {
    let days = || subsequence(vec![1, 90, 365, 400], 0..3);
    (any::<bool>(), days(), days()).prop_map(|(users_aggregate, key_age_days, unused_days)| {
        Options {
            users_aggregate,
            key_age_days,
            unused_days,
            ..everything()
        }
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    let seconds = select(vec![1, 60, 1800, 86_400, 60 * 86_400]);
    prop_oneof![
        8 => any_view().prop_map(|view| Change::Put(Box::new(view))),
        2 => any::<usize>().prop_map(Change::Replace),
        2 => any::<usize>().prop_map(Change::Remove),
        3 => seconds.prop_map(|seconds| Change::Wait(Duration::from_secs(seconds))),
        1 => (-400..400_i64).prop_map(|days| Change::SetClock(days * 86_400)),
        1 => any_options().prop_map(Change::Options),
        1 => any::<bool>().prop_map(Change::Queue),
        1 => (0..5_u64).prop_map(|seconds| Change::Lag(Duration::from_secs(seconds))),
        1 => Just(Change::Leave),
    ]
}

/// What is rendered, as it changes.
struct Current {
    accounts: BTreeMap<AccountId, Arc<AccountView>>,
    snapshot: Snapshot,
    options: Options,
}

impl Current {
    fn new() -> Self {
        Self {
            accounts: BTreeMap::new(),
            snapshot: snapshot(Vec::new()),
            options: everything(),
        }
    }

    fn nth(&self, number: usize) -> Option<Arc<AccountView>> {
        let place = number.checked_rem(self.accounts.len())?;
        self.accounts.values().nth(place).cloned()
    }

    fn make(&mut self, change: Change) {
        let exporter = &mut self.snapshot.exporter;
        match change {
            Change::Put(view) => {
                self.accounts.insert(view.account.id, Arc::new(*view));
            }
            Change::Replace(number) => {
                if let Some(view) = self.nth(number) {
                    let again = AccountView::clone(&view);
                    self.accounts.insert(view.account.id, Arc::new(again));
                }
            }
            Change::Remove(number) => {
                if let Some(view) = self.nth(number) {
                    self.accounts.remove(&view.account.id);
                }
            }
            Change::Wait(time) => {
                self.snapshot.moment = self.snapshot.moment + time;
                self.snapshot.now = self.snapshot.now.plus(time);
            }
            Change::SetClock(seconds) => self.snapshot.now = at(NOW.unix() + seconds),
            Change::Options(options) => self.options = options,
            Change::Queue(is_there) => exporter.events = is_there.then(EventStats::default),
            Change::Lag(lag) => exporter.lag = lag,
            Change::Leave => {
                let left = Left {
                    reason: LeftReason::Closed,
                    until: MOMENT,
                };
                let id = "000000000999".parse().unwrap();
                exporter.left.insert(id, left);
            }
        }
        self.snapshot.accounts = self.accounts.values().cloned().collect();
    }
}

proptest! {
    // Unoptimized, packing takes most of the time.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_changed_is_rendered_as_if_all_was(
        accounts in 1..5_usize,
        steps in prop::collection::vec(prop::collection::vec(any_change(), 1..6), 1..12),
    ) {
        let mut renderer = Renderer::with_pieces_of(accounts);
        let mut current = Current::new();
        for changes in steps {
            for change in changes {
                current.make(change);
            }
            let (snapshot, options) = (&current.snapshot, &current.options);
            let text = rendered_by(&mut renderer, snapshot, options, Format::OpenMetrics);
            prop_assert_eq!(without_process(&text), without_process(&whole(snapshot, options)));
        }
    }
}

#[test]
fn a_value_that_expires_is_gone_at_the_next_scrape_without_a_new_view() {
    let mut view = rich_account("000000000001");
    view.posture.keys_active = Some(super::build::fine(0, MOMENT + Duration::from_secs(1)));
    let mut snapshot = snapshot(vec![view]);
    let mut renderer = Renderer::default();
    let mut has_value = |snapshot: &Snapshot| {
        let text = rendered_by(&mut renderer, snapshot, &everything(), Format::Text);
        text.contains("\naws_root_access_keys_active{")
    };
    assert!(has_value(&snapshot));
    snapshot.moment = snapshot.moment + Duration::from_millis(999);
    assert!(has_value(&snapshot));
    snapshot.moment = snapshot.moment + Duration::from_millis(1);
    assert!(!has_value(&snapshot));
}

#[test]
fn a_key_is_accepted_no_more_at_the_next_scrape_after_the_last_day() {
    let mut snapshot = snapshot(vec![accepting(rich_account("000000000001"), 1)]);
    let mut renderer = Renderer::default();
    let mut has_value = |snapshot: &Snapshot| {
        let text = rendered_by(&mut renderer, snapshot, &everything(), Format::Text);
        text.contains("\naws_root_access_keys_accepted{")
    };
    assert!(has_value(&snapshot));
    // Of the last day a second is left.
    let midnight = (NOW.unix() / 86_400 + 2) * 86_400;
    snapshot.now = at(midnight - 1);
    assert!(has_value(&snapshot));
    snapshot.now = at(midnight);
    assert!(!has_value(&snapshot));
}

#[test]
fn only_the_pieces_of_what_changed_are_rendered_again() {
    let ids = ["000000000001", "000000000002", "000000000003"];
    let mut snapshot = snapshot(ids.map(rich_account).to_vec());
    let mut renderer = Renderer::with_pieces_of(2);
    let mut show = |snapshot: &Snapshot| {
        let data = Data::new(snapshot.clone(), &everything());
        renderer.show(&Arc::new(data)).unwrap()
    };
    let per_account = catalogue().filter(|family| family.is_per_account());
    assert_eq!(show(&snapshot), 2 * per_account.count());
    assert_eq!(show(&snapshot), 0, "nothing changed");
    let mut polled = AccountView::clone(&snapshot.accounts[1]);
    Arc::make_mut(&mut polled.sources)[0].last_success = Some(NOW);
    snapshot.accounts[1] = Arc::new(polled);
    assert_eq!(show(&snapshot), 1, "the time of the last success");
    let mut joined = rich_account("000000000004");
    joined.posture.keys_active = None;
    snapshot.accounts.push(Arc::new(joined));
    assert!(show(&snapshot) > 10, "an account joined");
    assert_eq!(show(&snapshot), 0, "nothing changed");
}
