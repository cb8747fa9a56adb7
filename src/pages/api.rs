//! The JSON API: what `/api/v1/accounts` answers and `check --format json` prints.
//!
//! The schema is a public interface. A field that is not known is `null` and never left out; so is a
//! value that has expired. Times are RFC 3339 in UTC.

use std::io;

use bytes::Bytes;
use exporter_toolkit::hyper::header::CONTENT_TYPE;
use exporter_toolkit::hyper::{Response, StatusCode};
use root_posture::{KeyDetail, Metric, Moment, Timestamp};
use serde_json::{Value, json};

use crate::account::AccountId;
use crate::views::{AccountView, ReportView, Snapshot, SourceView};

/// Every account: `{"accounts":[…]}`, by id.
pub(super) fn accounts(snapshot: &Snapshot) -> io::Result<Response<Bytes>> {
    let mut content = b"{\"accounts\":[".to_vec();
    for (at, view) in snapshot.accounts.iter().enumerate() {
        if at > 0 {
            content.push(b',');
        }
        serde_json::to_writer(&mut content, &account_json(view, snapshot.moment))?;
    }
    content.extend(b"]}");
    response(StatusCode::OK, content)
}

/// One account; status 404 when it is not monitored here.
pub(super) fn account(snapshot: &Snapshot, id: AccountId) -> io::Result<Response<Bytes>> {
    let (status, value) = match snapshot.account(id) {
        Some(view) => (StatusCode::OK, account_json(view, snapshot.moment)),
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
pub(crate) fn account_json(view: &AccountView, moment: Moment) -> Value {
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
    json!({
        "account": account.id,
        "name": Some(&account.name).filter(|name| !name.is_empty()),
        "partition": account.partition().as_str(),
        "labels": account.labels,
        "root": {
            "access_keys_active": value(posture.keys_active),
            // When evidence first showed an active key.
            "access_keys_active_since": time(view.onset.seen),
            "access_keys_present": value(posture.keys_present),
            "mfa_enabled": flag(posture.mfa_enabled),
            "password_enabled": flag(posture.password_enabled),
            "password_last_used": time(root.and_then(|root| root.password_last_used)),
            "password_last_changed": time(root.and_then(|root| root.password_last_changed)),
            "signing_certificates_active": value(posture.certificates_active),
            // A key that only an account summary has shown is counted above and is not listed.
            "access_keys": lists_keys.then(|| view.root_keys().map(key).collect::<Value>()),
        },
        // The evidence for `root.access_keys_active`.
        "observed": time(keys.map(|keys| keys.observed)),
        "evidence": keys.map(|keys| keys.source),
        "sources": sources
            .map(|view| (view.source.to_string(), source(view)))
            .collect::<Value>(),
        "report": report.map(report_json),
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

    use root_posture::report::{KeySlot, RootRow, UserCounts};
    use root_posture::{Onset, Posture, Source};

    use super::*;
    use crate::account::{Access, Account};
    use crate::failure::{Failure, Reason};
    use crate::views::UserDetail;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
    const MOMENT: Moment = Moment::from_millis(100_000);

    fn unknown(name: &str) -> AccountView {
        AccountView {
            account: Arc::new(Account {
                id: "000000000012".parse().unwrap(),
                name: name.to_owned(),
                region: "us-east-1".to_owned(),
                access: Some(Access::Caller),
                root_session: false,
                labels: Arc::default(),
            }),
            posture: Posture::default(),
            onset: Onset::default(),
            report: None,
            listed: None,
            sources: vec![SourceView::new(Source::AccountSummary)],
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
            sources: vec![source],
            ..unknown("\"quoted\"\\\n<script>ü")
        }
    }

    #[test]
    fn the_json_has_everything_that_is_known() {
        let time = "2027-01-15T08:00:00Z";
        assert_eq!(
            account_json(&known(), MOMENT),
            json!({
                "account": "000000000012",
                "name": "\"quoted\"\\\n<script>ü",
                "partition": "aws",
                "labels": {},
                "root": {
                    "access_keys_active": 1,
                    "access_keys_active_since": time,
                    "access_keys_present": 2,
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
            })
        );
    }

    #[test]
    fn what_is_unknown_is_null_and_never_left_out() {
        let (known, unknown) = (
            account_json(&known(), MOMENT),
            account_json(&unknown(""), MOMENT),
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
        let source = &unknown["sources"]["account_summary"];
        for key in ["up", "last_success", "last_failure"] {
            assert!(source[key].is_null(), "{key}");
        }
    }

    #[test]
    fn a_fine_value_that_expired_is_null_with_its_evidence() {
        let mut view = unknown("");
        view.posture.keys_active = Some(metric(0, Some(MOMENT)));
        let before = account_json(&view, Moment::from_millis(99_999));
        assert_eq!(before["root"]["access_keys_active"], 0);
        assert_eq!(before["evidence"], "account_summary");
        let after = account_json(&view, MOMENT);
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
        assert!(account_json(&view, MOMENT)["root"]["access_keys"].is_null());
        Arc::make_mut(view.report.as_mut().unwrap()).root = Some(RootRow::default());
        assert_eq!(
            account_json(&view, MOMENT)["root"]["access_keys"],
            json!([])
        );
    }
}
