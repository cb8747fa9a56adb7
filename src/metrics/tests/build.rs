//! Small snapshots for the tests.

use std::sync::Arc;
use std::time::Duration;

use crate::account::{Access, Account, Exception};
use crate::activity::{Activities, Activity, RootEvent};
use crate::failure::{Failure, Reason};
use exporter_toolkit::Format;

use crate::metrics::{Options, Renderer};
use crate::views::{
    AccountCounts, AccountView, CallKey, EventStats, Exporter, ExporterView, LastAttempt, Left,
    LeftReason, MessageKind, PushView, ReportView, Snapshot, SourceView, UserDetail,
};
use root_posture::Source;
use root_posture::report::{KeySlot, RootRow, UserCounts, UserRow};
use root_posture::{Metric, Posture};
use root_posture::{Moment, Timestamp};

/// When the snapshots of the tests are taken.
pub const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

/// The same by the monotonic clock.
pub const MOMENT: Moment = Moment::from_millis(100_000);

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

/// An account of which nothing is known yet.
pub fn account(id: &str, name: &str) -> AccountView {
    AccountView::unknown(Arc::new(Account {
        id: id.parse().unwrap(),
        name: name.to_owned(),
        region: "us-east-1".to_owned(),
        access: Some(Access::Caller),
        root_session: false,
        labels: Arc::default(),
        exceptions: Arc::default(),
        details: Arc::default(),
    }))
}

pub fn labelled(id: &str, labels: &[(&str, &str)]) -> AccountView {
    let mut view = account(id, "");
    Arc::make_mut(&mut view.account).labels = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect::<std::collections::BTreeMap<_, _>>()
        .into();
    view
}

/// A metric that does not expire.
pub fn metric(value: u8, source: Source) -> Metric {
    Metric {
        value,
        source,
        observed: Timestamp::from_unix(1_799_999_990),
        fine_until: None,
    }
}

/// A metric that expires at that moment.
pub fn fine(value: u8, until: Moment) -> Metric {
    Metric {
        fine_until: Some(until),
        ..metric(value, Source::AccountSummary)
    }
}

pub fn report(root: Option<RootRow>) -> ReportView {
    ReportView {
        generated: Timestamp::from_unix(1_799_990_000),
        root,
        rows_skipped: 0,
        users: UserCounts::default(),
        detail: UserDetail::Off,
    }
}

pub fn snapshot(accounts: Vec<AccountView>) -> Snapshot {
    Snapshot {
        accounts: accounts.into_iter().map(Arc::new).collect(),
        exporter: ExporterView::default(),
        now: NOW,
        moment: MOMENT,
        alarms: 0,
    }
}

/// Three users with one active key each, 1, 100 and 400 days old, last used as
/// long ago.
pub fn user_counts() -> UserCounts {
    let days = [400, 100, 1].map(|days| NOW.unix() - days * 86_400);
    serde_json::from_value(serde_json::json!({
        "users": 3,
        "password_enabled": 2,
        "password_enabled_without_mfa": 1,
        "access_keys_active": 3,
        "signing_certificates_active": 4,
        "key_rotations": days,
        "last_uses": days,
    }))
    .unwrap()
}

/// One account with something in every family of accounts.
pub fn rich_account(id: &str) -> AccountView {
    let key = KeySlot {
        active: true,
        last_rotated: Some(at(1_700_000_000)),
        last_used: Some(at(1_700_000_500)),
        last_used_region: Some("eu-central-1".to_owned()),
        last_used_service: Some("s3".to_owned()),
    };
    let user = UserRow {
        name: "ada".to_owned(),
        password_enabled: true,
        password_last_used: Some(at(1_700_000_001)),
        access_keys: [key.clone(), KeySlot::default()],
        ..UserRow::default()
    };
    let mut source = SourceView::new(Source::CredentialReport);
    source.worked(at(1_799_990_005));
    source.failed(NOW, Failure::new(Reason::Throttled, "slow down"));
    AccountView {
        posture: Posture {
            keys_active: Some(metric(1, Source::RootSession)),
            keys_present: Some(metric(2, Source::RootSession)),
            certificates_active: Some(metric(0, Source::RootSession)),
            mfa_enabled: Some(metric(1, Source::RootSession)),
            password_enabled: Some(metric(1, Source::CredentialReport)),
            ..Posture::default()
        },
        report: Some(Arc::new(ReportView {
            rows_skipped: 1,
            users: user_counts(),
            detail: UserDetail::Kept(vec![user]),
            ..report(Some(RootRow {
                password_last_used: Some(at(1_700_000_002)),
                password_last_changed: Some(at(1_700_000_003)),
                access_keys: [key, KeySlot::default()],
                ..RootRow::default()
            }))
        })),
        sources: [source].into(),
        activities: Arc::new(activities()),
        push: PushView {
            up: Some(true),
            tampered: Some(at(1_700_000_004)),
            interval: Duration::from_secs(900),
        },
        ..excepted(labelled(id, &[("team", "payments")]))
    }
}

/// An account whose first key an exception accepts.
pub fn excepted(mut view: AccountView) -> AccountView {
    Arc::make_mut(&mut view.account).exceptions = [Exception {
        key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
        reason: "the old backup".to_owned(),
        until: time::Date::MAX,
    }]
    .into();
    view
}

/// A snapshot with something in every family.
pub fn rich() -> Snapshot {
    let exporter = Exporter::default();
    let call = CallKey {
        service: "iam",
        operation: "GetAccountSummary",
    };
    exporter.called(call, Ok(()), Duration::from_millis(20));
    exporter.called(call, Err(Reason::Timeout), Duration::from_secs(31));
    exporter.note(|view| *view.requests.entry(("metrics", 200)).or_default() += 1);
    exporter.note(|view| {
        view.reload.record(true, NOW);
        view.interval = Duration::from_secs(60);
        view.shard = (1, 3);
        view.clock_skew = Some(-2);
        view.features = Some(crate::account::RootFeatures {
            credentials_management: true,
            sessions: false,
        });
        view.discovery = Some(LastAttempt {
            succeeded: true,
            last_success: Some(at(1_799_999_001)),
        });
        view.state = Some(LastAttempt {
            succeeded: false,
            last_success: Some(at(1_799_999_002)),
        });
        view.accounts = Some(AccountCounts {
            monitored: 1,
            excluded: 2,
            inactive: 3,
        });
        let mut events = EventStats {
            up: Some(true),
            messages: [(MessageKind::Root, 1), (MessageKind::Echo, 2)].into(),
            ..EventStats::default()
        };
        events.arrived(Duration::from_millis(1_500));
        events.arrived(Duration::from_secs(12));
        view.events = Some(events);
    });
    let left = Left {
        reason: LeftReason::Closed,
        until: MOMENT + Duration::from_secs(1),
    };
    exporter.left([("000000000009".parse().unwrap(), left)].into());
    exporter.turned(MOMENT, Some(MOMENT - Duration::from_millis(1_500)), 5, 1);
    Snapshot {
        exporter: exporter.view(MOMENT),
        ..snapshot(vec![rich_account("000000000001")])
    }
}

/// Options that show everything.
pub fn everything() -> Options {
    Options {
        users_aggregate: true,
        key_age_days: vec![90, 365],
        unused_days: vec![45],
        external_url: Some("https://exporter.example.com".to_owned()),
    }
}

pub fn rendered(snapshot: &Snapshot, options: &Options, format: Format) -> String {
    rendered_by(&mut Renderer::default(), snapshot, options, format)
}

/// Written by a renderer that has shown others before.
pub fn rendered_by(
    renderer: &mut Renderer,
    snapshot: &Snapshot,
    options: &Options,
    format: Format,
) -> String {
    let text = format.render(|out| renderer.write(snapshot.clone(), options, out));
    String::from_utf8(text.unwrap().into()).unwrap()
}

/// One activity of root.
fn activities() -> Activities {
    let mut activities = Activities::default();
    activities.add(Activity {
        key: Some("AKIAIOSFODNN7EXAMPLE".to_owned()),
        ..Activity::example(RootEvent::CreateAccessKey, at(1_700_000_005))
    });
    activities
}
