//! An account as JSON: what `/api/v1/accounts` answers and what `check --format json` prints.
//!
//! The schema is a public interface. A field that is not known is `null` and never left out, times
//! are RFC 3339 in UTC, and a list of accounts is `{"accounts":[…]}`. Whether a figure is still
//! believed is asked of the figure itself, so a `0` that has expired is `null` here as it is absent
//! from the metrics.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{AccountView, ReportView, SourceView};
use crate::account::AccountId;
use crate::failure::Reason;
use root_posture::KeyDetail;
use root_posture::Metric;
use root_posture::Source;
use root_posture::{Moment, Timestamp};

/// Accounts as JSON: `{"accounts":[…]}`.
#[derive(Debug, Serialize)]
pub struct AccountsJson<'a> {
    /// Each account, in the order in which it was given.
    pub accounts: Vec<AccountJson<'a>>,
}

impl<'a> AccountsJson<'a> {
    /// What is known of these accounts at `moment`.
    pub fn of(accounts: impl IntoIterator<Item = &'a AccountView>, moment: Moment) -> Self {
        Self {
            accounts: accounts
                .into_iter()
                .map(|view| AccountJson::of(view, moment))
                .collect(),
        }
    }
}

/// One account as JSON.
#[derive(Debug, Serialize)]
pub struct AccountJson<'a> {
    account: AccountId,
    name: Option<&'a str>,
    partition: &'static str,
    labels: &'a BTreeMap<String, String>,
    root: RootJson<'a>,
    /// When the newest evidence behind `root.access_keys_active` was true.
    observed: Option<Rfc3339>,
    /// Which source that evidence is.
    evidence: Option<Source>,
    sources: BTreeMap<Source, SourceJson<'a>>,
    /// The credential report in use.
    report: Option<ReportJson>,
}

#[derive(Debug, Serialize)]
struct RootJson<'a> {
    access_keys_active: Option<u8>,
    /// When evidence first showed an active key; `null` where there is none.
    access_keys_active_since: Option<Rfc3339>,
    access_keys_present: Option<u8>,
    mfa_enabled: Option<bool>,
    password_enabled: Option<bool>,
    password_last_used: Option<Rfc3339>,
    password_last_changed: Option<Rfc3339>,
    signing_certificates_active: Option<u8>,
    /// The keys, by a root session where one is in use, else by the credential report, which is up
    /// to 4 hours old. A key that only an account summary has seen yet is counted above and is not
    /// among them.
    access_keys: Option<Vec<KeyJson<'a>>>,
}

#[derive(Debug, Serialize)]
struct KeyJson<'a> {
    /// `1` or `2`, as the label `key` of the metrics has it.
    key: &'static str,
    /// The access key id, where a root session told it.
    access_key_id: Option<&'a str>,
    active: bool,
    last_rotated: Option<Rfc3339>,
    last_used: Option<Rfc3339>,
    last_used_region: Option<&'a str>,
    last_used_service: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct SourceJson<'a> {
    /// Whether its last refresh worked; `null` before the first has ended.
    up: Option<bool>,
    last_success: Option<Rfc3339>,
    /// Failed refreshes since the process started, by reason.
    failures: &'a BTreeMap<Reason, u64>,
    last_failure: Option<FailureJson<'a>>,
}

#[derive(Debug, Serialize)]
struct FailureJson<'a> {
    at: Rfc3339,
    reason: Reason,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct ReportJson {
    generated: Rfc3339,
    rows_skipped: usize,
    iam_users: UsersJson,
}

#[derive(Debug, Serialize)]
struct UsersJson {
    users: u32,
    password_enabled: u32,
    password_enabled_without_mfa: u32,
    access_keys_active: u32,
    signing_certificates_active: u32,
}

impl<'a> AccountJson<'a> {
    /// What is known of an account at `moment`.
    #[must_use]
    pub fn of(view: &'a AccountView, moment: Moment) -> Self {
        let account = &*view.account;
        let keys = view
            .posture
            .keys_active
            .filter(|figure| figure.at(moment).is_some());
        Self {
            account: account.id,
            name: Some(account.name.as_str()).filter(|name| !name.is_empty()),
            partition: account.partition().as_str(),
            labels: &account.labels,
            root: RootJson::of(view, moment),
            observed: keys.map(|figure| Rfc3339(figure.observed)),
            evidence: keys.map(|figure| figure.source),
            sources: view
                .sources
                .iter()
                .map(|source| (source.source, SourceJson::of(source)))
                .collect(),
            report: view.report.as_deref().map(ReportJson::of),
        }
    }
}

impl<'a> RootJson<'a> {
    fn of(view: &'a AccountView, moment: Moment) -> Self {
        let posture = &view.posture;
        let value = |figure: Option<Metric>| figure?.at(moment);
        let flag = |figure| value(figure).map(|on| on != 0);
        let report = view.report.as_deref();
        let root = report.and_then(|report| report.root.as_ref());
        Self {
            access_keys_active: value(posture.keys_active),
            access_keys_active_since: view.onset.seen.map(Rfc3339),
            access_keys_present: value(posture.keys_present),
            mfa_enabled: flag(posture.mfa_enabled),
            password_enabled: flag(posture.password_enabled),
            password_last_used: root.and_then(|root| root.password_last_used).map(Rfc3339),
            password_last_changed: root
                .and_then(|root| root.password_last_changed)
                .map(Rfc3339),
            signing_certificates_active: value(posture.certificates_active),
            access_keys: (root.is_some() || view.listed.is_some())
                .then(|| view.root_keys().map(KeyJson::of).collect()),
        }
    }
}

impl<'a> KeyJson<'a> {
    fn of(key: KeyDetail<'a>) -> Self {
        Self {
            key: key.slot.as_str(),
            access_key_id: key.id,
            active: key.active,
            last_rotated: key.last_rotated.map(Rfc3339),
            last_used: key.last_used.map(Rfc3339),
            last_used_region: key.last_used_region,
            last_used_service: key.last_used_service,
        }
    }
}

impl<'a> SourceJson<'a> {
    fn of(view: &'a SourceView) -> Self {
        Self {
            up: view.up,
            last_success: view.last_success.map(Rfc3339),
            failures: &view.failures,
            last_failure: view.last_failure.as_ref().map(|(at, failure)| FailureJson {
                at: Rfc3339(*at),
                reason: failure.reason,
                message: &failure.message,
            }),
        }
    }
}

impl ReportJson {
    fn of(report: &ReportView) -> Self {
        let users = &report.users;
        Self {
            generated: Rfc3339(report.generated),
            rows_skipped: report.rows_skipped,
            iam_users: UsersJson {
                users: users.users,
                password_enabled: users.password_enabled,
                password_enabled_without_mfa: users.password_enabled_without_mfa,
                access_keys_active: users.access_keys_active,
                signing_certificates_active: users.signing_certificates_active,
            },
        }
    }
}

/// A time for people and programs outside: `2026-09-11T13:14:52Z`. (In the state file a
/// [`Timestamp`] is a number.)
#[derive(Clone, Copy, Debug)]
struct Rfc3339(Timestamp);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::account::{Access, Account};
    use crate::failure::Failure;
    use crate::views::UserDetail;
    use root_posture::report::{KeySlot, RootRow, UserCounts};
    use root_posture::{Onset, Posture};

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

    fn figure(value: u8, fine_until: Option<Moment>) -> Metric {
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
                keys_active: Some(figure(1, None)),
                keys_present: Some(figure(2, None)),
                certificates_active: Some(figure(0, Some(MOMENT))),
                mfa_enabled: Some(figure(0, None)),
                password_enabled: Some(figure(1, None)),
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

    fn value(view: &AccountView, moment: Moment) -> Value {
        serde_json::to_value(AccountJson::of(view, moment)).unwrap()
    }

    #[test]
    fn everything_that_is_known_is_told() {
        let time = "2027-01-15T08:00:00Z";
        assert_eq!(
            value(&known(), MOMENT),
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
        let (known, unknown) = (value(&known(), MOMENT), value(&unknown(""), MOMENT));
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
        view.posture.keys_active = Some(figure(0, Some(MOMENT)));
        let before = value(&view, Moment::from_millis(99_999));
        assert_eq!(before["root"]["access_keys_active"], 0);
        assert_eq!(before["evidence"], "account_summary");
        let after = value(&view, MOMENT);
        for field in [
            &after["root"]["access_keys_active"],
            &after["observed"],
            &after["evidence"],
        ] {
            assert!(field.is_null(), "{after}");
        }
    }

    #[test]
    fn a_report_without_a_root_row_tells_nothing_of_keys() {
        let mut view = known();
        Arc::make_mut(view.report.as_mut().unwrap()).root = None;
        assert!(value(&view, MOMENT)["root"]["access_keys"].is_null());
        Arc::make_mut(view.report.as_mut().unwrap()).root = Some(RootRow::default());
        assert_eq!(value(&view, MOMENT)["root"]["access_keys"], json!([]));
    }

    #[test]
    fn a_list_keeps_its_order() {
        let (first, second) = (unknown("b"), unknown("a"));
        let list = AccountsJson::of([&first, &second], MOMENT);
        let list = serde_json::to_value(list).unwrap();
        assert_eq!(list["accounts"][0]["name"], "b");
        assert_eq!(list["accounts"][1]["name"], "a");
    }
}
