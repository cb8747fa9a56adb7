//! The JSON API: what `/api/v1/accounts` answers and `check --format json` prints.
//!
//! The schema is a public interface. A field that is not known is `null` and never left out; so is a
//! value that has expired. Times are RFC 3339 in UTC.

use std::io;

use bytes::Bytes;
use exporter_toolkit::hyper::header::CONTENT_TYPE;
use exporter_toolkit::hyper::{Response, StatusCode};
use root_posture::{KeyDetail, Metric, Moment, Timestamp};
use serde_json::{Map, Value, json};

use crate::account::{AccountId, Exception, Partition};
use crate::activity::{Activity, SignIn};
use crate::advice::accepted::Accepted;
use crate::advice::activity::console_url;
use crate::views::{AccountView, PushView, ReportView, Snapshot, SourceView};

use super::overview;
use super::query::{Filter, PAGE, Query, QueryError};

/// How many activities an account has in the list.
const ACTIVITIES: usize = 3;

/// The accounts that match a query, as the overview shows them: a page of them, with the counts of all.
pub(super) fn accounts(snapshot: &Snapshot, query: &Query) -> io::Result<Response<Bytes>> {
    let Snapshot { moment, now, .. } = *snapshot;
    let selection = overview::select(snapshot, query);
    let counts = selection.counts.iter().map(|(filter, count)| {
        let name = match filter {
            Filter::All => "accounts".to_owned(),
            filter => filter.slug().replace('-', "_"),
        };
        (name, Value::from(*count))
    });
    let counts: Map<String, Value> = counts.collect();
    let accounts = selection.shown.iter();
    let list = json!({
        "time": now.to_string(),
        "verdict": { "level": selection.level.as_str(), "text": selection.headline },
        // Of all accounts, whatever the query.
        "counts": counts,
        "found": selection.found,
        "page": selection.page,
        "pages": selection.found.div_ceil(PAGE).max(1),
        "accounts": accounts
            .map(|view| {
                let mut account = account_json(view, moment, now);
                if let Some(activity) = account["activity"].as_array_mut() {
                    activity.truncate(ACTIVITIES);
                }
                account
            })
            .collect::<Value>(),
    });
    response(StatusCode::OK, serde_json::to_vec(&list)?)
}

/// The answer to a query that is not understood, with status 400: another answer would have other accounts
/// than those that were meant.
pub(super) fn refusal(error: &QueryError) -> io::Result<Response<Bytes>> {
    let error = json!({ "error": error.to_string() });
    response(StatusCode::BAD_REQUEST, serde_json::to_vec(&error)?)
}

/// One account; status 404 when it is not monitored here.
pub(super) fn account(snapshot: &Snapshot, id: AccountId) -> io::Result<Response<Bytes>> {
    let (status, value) = match snapshot.account(id) {
        Some(view) => (
            StatusCode::OK,
            account_json(view, snapshot.moment, snapshot.now),
        ),
        None => (
            StatusCode::NOT_FOUND,
            json!({ "error": "this account is not monitored here" }),
        ),
    };
    response(status, serde_json::to_vec(&value)?)
}

fn response(status: StatusCode, mut content: Vec<u8>) -> io::Result<Response<Bytes>> {
    content.push(b'\n');
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .body(content.into())
        .map_err(io::Error::other)
}

/// An account as JSON, with its values at `moment`.
pub(crate) fn account_json(view: &AccountView, moment: Moment, now: Timestamp) -> Value {
    let AccountView {
        account, posture, ..
    } = view;
    let value = |metric: Option<Metric>| metric?.at(moment);
    let flag = |metric| value(metric).map(|on| on != 0);
    let keys = posture.keys_active.filter(|keys| keys.at(moment).is_some());
    let report = view.report.as_deref();
    let root = report.and_then(|report| report.root.as_ref());
    let lists_keys = root.is_some() || view.listed.is_some();
    let sources = view.sources.iter();
    let activities = view.activities.recent();
    let accepted = Accepted::of(view, moment, now);
    let exceptions = account.exceptions.iter();
    json!({
        "account": account.id,
        "name": Some(&account.name).filter(|name| !name.is_empty()),
        "partition": account.partition().as_str(),
        "labels": account.labels,
        // What `organization.details` asks for.
        "email": account.details.email,
        "ou": account.details.ou,
        "root": {
            "access_keys_active": value(posture.keys_active),
            // Those of the active keys that an exception in force accepts; `null` without one.
            "access_keys_accepted": accepted.as_ref().map(Accepted::keys),
            "access_keys_present": value(posture.keys_present),
            // When evidence first showed an active key.
            "first_seen": time(view.onset.seen),
            "mfa_enabled": flag(posture.mfa_enabled),
            "password_enabled": flag(posture.password_enabled),
            "password_last_used": time(root.and_then(|root| root.password_last_used)),
            "password_last_changed": time(root.and_then(|root| root.password_last_changed)),
            "signing_certificates_active": value(posture.certificates_active),
            // A key that only an account summary has shown is counted above and is not listed.
            "access_keys": lists_keys.then(|| view.root_keys().map(key).collect::<Value>()),
        },
        // The root access keys that the configuration accepts.
        "exceptions": exceptions.map(|it| exception(it, accepted.as_ref(), now)).collect::<Value>(),
        // The evidence for `root.access_keys_active`.
        "observed": time(keys.map(|keys| keys.observed)),
        "evidence": keys.map(|keys| keys.source),
        "sources": sources
            .map(|view| (view.source.to_string(), source(view)))
            .collect::<Value>(),
        "report": report.map(report_json),
        // What root did, as events say, newest first.
        "activity": activities
            .map(|activity| activity_json(activity, account.partition()))
            .collect::<Value>(),
        "push": push(&view.push),
    })
}

fn exception(exception: &Exception, accepted: Option<&Accepted<'_>>, now: Timestamp) -> Value {
    let accepted = accepted.filter(|it| it.by.contains(&exception));
    json!({
        "access_key_id": exception.key.as_str(),
        "reason": exception.reason,
        "until": exception.until.to_string(),
        "in_force": exception.is_in_force(now),
        // Whether an active key is accepted by it now, and whether that key's id is known.
        "accepts_a_key": accepted.is_some(),
        "key_id_verified": accepted.map(|it| it.is_verified),
    })
}

fn key(key: KeyDetail<'_>) -> Value {
    json!({
        "key": key.slot.as_str(),
        "access_key_id": key.id,
        "active": key.active,
        "last_rotated": time(key.last_rotated),
        "last_used": time(key.last_used),
        "last_used_region": key.last_used_region,
        "last_used_service": key.last_used_service,
    })
}

fn source(view: &SourceView) -> Value {
    json!({
        "up": view.up,
        "last_success": time(view.last_success),
        "failures": view.failures,
        "last_failure": view.last_failure.as_ref().map(|(at, failure)| json!({
            "at": at.to_string(),
            "reason": failure.reason,
            "message": failure.message,
        })),
    })
}

/// An activity with its link to the console of its account's partition.
fn activity_json(activity: &Activity, partition: Partition) -> Value {
    let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (kind, id) = match &activity.by {
        SignIn::Console => (Some("console"), None),
        SignIn::AccessKey(id) => (Some("access_key"), Some(id)),
        SignIn::Session(id) => (Some("session"), Some(id)),
        SignIn::Unknown => (None, None),
    };
    json!({
        "time": activity.at.to_string(),
        "event": activity.event.as_str(),
        "name": activity.name,
        "service": known(&activity.service),
        "region": known(&activity.region),
        "address": known(&activity.address),
        "client": known(&activity.client),
        "signed_in_by": kind.map(|kind| json!({ "kind": kind, "access_key_id": id })),
        "mfa": activity.mfa,
        // The key and the user that it was about.
        "access_key_id": activity.key,
        "user": activity.user,
        "error": activity.error,
        "event_id": activity.id,
        "console_url": console_url(activity, partition),
    })
}

fn push(push: &PushView) -> Value {
    json!({
        "up": push.up,
        "tampered": time(push.tampered),
        // A single run, such as `check`, has no interval.
        "poll_interval_seconds": Some(push.interval.as_secs()).filter(|seconds| *seconds > 0),
    })
}

fn report_json(report: &ReportView) -> Value {
    let users = &report.users;
    json!({
        "generated": report.generated.to_string(),
        "rows_skipped": report.rows_skipped,
        "iam_users": {
            "users": users.users,
            "password_enabled": users.password_enabled,
            "password_enabled_without_mfa": users.password_enabled_without_mfa,
            "access_keys_active": users.access_keys_active,
            "signing_certificates_active": users.signing_certificates_active,
        },
    })
}

fn time(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use std::time::Duration;

    use root_posture::report::{KeySlot, RootRow, UserCounts};
    use root_posture::{Onset, Posture, Source};

    use super::*;
    use crate::account::{Access, Account};
    use crate::activity::{Activities, RootEvent};
    use crate::failure::{Failure, Reason};
    use crate::views::UserDetail;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
    const MOMENT: Moment = Moment::from_millis(100_000);

    fn unknown(name: &str) -> AccountView {
        AccountView {
            sources: [SourceView::new(Source::AccountSummary)].into(),
            ..AccountView::unknown(Arc::new(Account {
                id: "000000000012".parse().unwrap(),
                name: name.to_owned(),
                region: "us-east-1".to_owned(),
                access: Some(Access::Caller),
                root_session: false,
                labels: Arc::default(),
                exceptions: Arc::default(),
                details: Arc::default(),
            }))
        }
    }

    fn metric(value: u8, fine_until: Option<Moment>) -> Metric {
        Metric {
            value,
            source: Source::AccountSummary,
            observed: NOW,
            fine_until,
        }
    }

    fn known() -> AccountView {
        let mut source = SourceView::new(Source::CredentialReport);
        source.worked(NOW);
        source.failed(NOW, Failure::new(Reason::Throttled, "slow \"down\"\n"));
        let mut activities = Activities::default();
        activities.add(Activity {
            id: "0b68c53f-66cf-4b01-a0c5-c4012b0877e2".to_owned(),
            at: NOW,
            event: RootEvent::CreateAccessKey,
            name: "CreateAccessKey".to_owned(),
            service: "iam.amazonaws.com".to_owned(),
            region: "us-east-1".to_owned(),
            address: "198.51.100.7".to_owned(),
            client: String::new(),
            by: SignIn::AccessKey("AKIAI44QH8DHBEXAMPLE".to_owned()),
            mfa: Some(false),
            key: Some("AKIAIOSFODNN7EXAMPLE".to_owned()),
            user: None,
            error: None,
        });
        AccountView {
            posture: Posture {
                keys_active: Some(metric(1, None)),
                keys_present: Some(metric(2, None)),
                certificates_active: Some(metric(0, Some(MOMENT))),
                mfa_enabled: Some(metric(0, None)),
                password_enabled: Some(metric(1, None)),
                ..Posture::default()
            },
            onset: Onset {
                seen: Some(NOW),
                none_at: None,
            },
            report: Some(Arc::new(ReportView {
                generated: NOW,
                root: Some(RootRow {
                    password_last_used: Some(NOW),
                    access_keys: [
                        KeySlot::default(),
                        KeySlot {
                            active: true,
                            last_rotated: Some(NOW),
                            last_used: Some(NOW),
                            last_used_region: Some("us-east-1".to_owned()),
                            last_used_service: Some("s3".to_owned()),
                        },
                    ],
                    ..RootRow::default()
                }),
                rows_skipped: 1,
                users: UserCounts::default(),
                detail: UserDetail::Off,
            })),
            sources: [source].into(),
            activities: Arc::new(activities),
            push: PushView {
                up: Some(false),
                tampered: Some(NOW),
                interval: Duration::from_secs(60),
            },
            ..unknown("\"quoted\"\\\n<script>ü")
        }
    }

    #[test]
    fn the_json_has_everything_that_is_known() {
        let time = "2027-01-15T08:00:00Z";
        assert_eq!(
            account_json(&known(), MOMENT, NOW),
            json!({
                "account": "000000000012",
                "name": "\"quoted\"\\\n<script>ü",
                "partition": "aws",
                "labels": {},
                "email": null,
                "ou": null,
                "root": {
                    "access_keys_active": 1,
                    "access_keys_accepted": null,
                    "access_keys_present": 2,
                    "first_seen": time,
                    "mfa_enabled": false,
                    "password_enabled": true,
                    "password_last_used": time,
                    "password_last_changed": null,
                    "signing_certificates_active": null,
                    "access_keys": [{
                        "key": "2",
                        "access_key_id": null,
                        "active": true,
                        "last_rotated": time,
                        "last_used": time,
                        "last_used_region": "us-east-1",
                        "last_used_service": "s3",
                    }],
                },
                "exceptions": [],
                "observed": time,
                "evidence": "account_summary",
                "sources": {
                    "credential_report": {
                        "up": false,
                        "last_success": time,
                        "failures": { "throttled": 1 },
                        "last_failure": {
                            "at": time, "reason": "throttled", "message": "slow \"down\"\n",
                        },
                    },
                },
                "report": {
                    "generated": time,
                    "rows_skipped": 1,
                    "iam_users": {
                        "users": 0,
                        "password_enabled": 0,
                        "password_enabled_without_mfa": 0,
                        "access_keys_active": 0,
                        "signing_certificates_active": 0,
                    },
                },
                "activity": [{
                    "time": time,
                    "event": "CreateAccessKey",
                    "name": "CreateAccessKey",
                    "service": "iam.amazonaws.com",
                    "region": "us-east-1",
                    "address": "198.51.100.7",
                    "client": null,
                    "signed_in_by": {
                        "kind": "access_key",
                        "access_key_id": "AKIAI44QH8DHBEXAMPLE",
                    },
                    "mfa": false,
                    "access_key_id": "AKIAIOSFODNN7EXAMPLE",
                    "user": null,
                    "error": null,
                    "event_id": "0b68c53f-66cf-4b01-a0c5-c4012b0877e2",
                    "console_url": "https://us-east-1.console.aws.amazon.com/cloudtrailv2/home\
                                    ?region=us-east-1#/events/0b68c53f-66cf-4b01-a0c5-c4012b0877e2",
                }],
                "push": { "up": false, "tampered": time, "poll_interval_seconds": 60 },
            })
        );
    }

    #[test]
    fn what_is_unknown_is_null_and_never_left_out() {
        let (known, unknown) = (
            account_json(&known(), MOMENT, NOW),
            account_json(&unknown(""), MOMENT, NOW),
        );
        let keys =
            |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        assert_eq!(keys(&unknown), keys(&known));
        assert_eq!(keys(&unknown["root"]), keys(&known["root"]));
        let root = unknown["root"].as_object().unwrap();
        assert!(root.values().all(Value::is_null), "{root:?}");
        for key in ["name", "observed", "evidence", "report"] {
            assert!(unknown[key].is_null(), "{key}");
        }
        assert_eq!(unknown["activity"], json!([]));
        let push = unknown["push"].as_object().unwrap();
        assert!(push.values().all(Value::is_null), "{push:?}");
        let source = &unknown["sources"]["account_summary"];
        for key in ["up", "last_success", "last_failure"] {
            assert!(source[key].is_null(), "{key}");
        }
    }

    #[test]
    fn an_exception_says_whether_it_accepts_a_key_and_whether_its_id_is_known() {
        let mut view = known();
        view.posture.keys_present = Some(metric(1, None));
        Arc::make_mut(&mut view.account).exceptions = [Exception {
            key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            reason: "the old backup".to_owned(),
            until: ::time::Date::MAX,
        }]
        .into();
        let account = account_json(&view, MOMENT, NOW);
        assert_eq!(account["root"]["access_keys_accepted"], 1);
        assert_eq!(
            account["exceptions"],
            json!([{
                "access_key_id": "AKIAIOSFODNN7EXAMPLE",
                "reason": "the old backup",
                "until": "9999-12-31",
                "in_force": true,
                "accepts_a_key": true,
                "key_id_verified": false,
            }])
        );
    }

    #[test]
    fn a_fine_value_that_expired_is_null_with_its_evidence() {
        let mut view = unknown("");
        view.posture.keys_active = Some(metric(0, Some(MOMENT)));
        let before = account_json(&view, Moment::from_millis(99_999), NOW);
        assert_eq!(before["root"]["access_keys_active"], 0);
        assert_eq!(before["evidence"], "account_summary");
        let after = account_json(&view, MOMENT, NOW);
        for field in [
            &after["root"]["access_keys_active"],
            &after["observed"],
            &after["evidence"],
        ] {
            assert!(field.is_null(), "{after}");
        }
    }

    #[test]
    fn keys_are_null_in_a_report_without_a_root_row() {
        let mut view = known();
        Arc::make_mut(view.report.as_mut().unwrap()).root = None;
        assert!(account_json(&view, MOMENT, NOW)["root"]["access_keys"].is_null());
        Arc::make_mut(view.report.as_mut().unwrap()).root = Some(RootRow::default());
        assert_eq!(
            account_json(&view, MOMENT, NOW)["root"]["access_keys"],
            json!([])
        );
    }
}
