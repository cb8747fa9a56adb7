//! Which of an account's active root access keys the configuration accepts, and by which exceptions.
//!
//! It is computed from a view and the time, and never stored. An exception accepts one key and no other:
//! where the key ids are not known, the only key of an account counts as the accepted one, and two keys
//! as none.

use std::time::Duration;

use super::keys::Count;
use super::origin;
use super::words::{Sentence, sentence};
use crate::account::Exception;
use crate::views::AccountView;
use root_posture::{Moment, Source, Timestamp};
use time::Date;

/// The accepted keys of an account, as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted<'a> {
    /// The exceptions in force that accept an active key.
    pub by: Vec<&'a Exception>,
    /// Whether the ids of the keys are known.
    pub is_verified: bool,
}

impl<'a> Accepted<'a> {
    /// The accepted keys at that time; `None` without an exception in force, and where the number of
    /// active keys is not known.
    pub fn of(view: &'a AccountView, moment: Moment, now: Timestamp) -> Option<Self> {
        let in_force = in_force(view, now);
        if in_force.is_empty() {
            return None;
        }
        let count = Count::of(view, moment);
        let active = count.active?;
        if is_listed(view, now) {
            // A key that is newer than the list is not in it, and so not accepted.
            let is_active = |exception: &&Exception| {
                let id = Some(exception.key.as_str());
                view.root_keys().any(|key| key.active && key.id == id)
            };
            let mut by: Vec<_> = in_force.into_iter().filter(is_active).collect();
            by.truncate(usize::from(active));
            return Some(Self {
                by,
                is_verified: true,
            });
        }
        // A summary does not say whether there are two keys, only a source that lists them does. A key
        // that it counts and the report does not list is a new one.
        let is_only =
            view.listed.is_none() && active == 1 && count.present == Some(1) && count.listed == 1;
        let is_it = |exception: &&&Exception| !has_other_key(view, exception);
        let by = in_force.first().filter(|_| is_only).filter(is_it);
        Some(Self {
            by: by.into_iter().copied().collect(),
            is_verified: false,
        })
    }

    /// The last day on which all of them are accepted; `None` where none is.
    pub fn until(&self) -> Option<Date> {
        self.by.iter().map(|exception| exception.until).min()
    }

    /// How many active keys are accepted.
    pub fn keys(&self) -> u8 {
        // An account has two keys at most.
        u8::try_from(self.by.len()).unwrap_or(u8::MAX)
    }
}

/// For how long a list of keys is used while the root session that listed them fails: a key that was
/// created since is in no list.
const VERIFIES: Duration = Duration::from_secs(3600);

/// Whether a root session has listed the keys, and either works or did so not long ago.
fn is_listed(view: &AccountView, now: Timestamp) -> bool {
    let mut sources = view.sources.iter();
    let fails = sources.any(|it| it.source == Source::RootSession && it.up == Some(false));
    let listed = view.listed.as_ref();
    listed.is_some_and(|listed| !fails || now.since(listed.at) < VERIFIES)
}

/// When the list of the keys becomes too old to accept one, if the root session fails; `None` without a
/// list.
pub(crate) fn verified_until(view: &AccountView) -> Option<Timestamp> {
    view.listed.as_ref().map(|listed| listed.at.plus(VERIFIES))
}

/// Whether an event of after the report gave the account another key.
fn has_other_key(view: &AccountView, exception: &Exception) -> bool {
    let report = view.report.as_ref().map(|report| report.generated);
    origin::giving(view).any(|activity| {
        let is_new = report.is_none_or(|report| activity.at > report);
        is_new && activity.key.as_deref() != Some(exception.key.as_str())
    })
}

/// How many active keys are accepted; none where that is not known.
pub(crate) fn count(view: &AccountView, moment: Moment, now: Timestamp) -> u8 {
    Accepted::of(view, moment, now).map_or(0, |accepted| accepted.keys())
}

/// The exceptions of an account that are in force, those that end last first.
fn in_force(view: &AccountView, now: Timestamp) -> Vec<&Exception> {
    let all = view.account.exceptions.iter();
    let mut in_force: Vec<_> = all.filter(|it| it.is_in_force(now)).collect();
    in_force.sort_by_key(|exception| std::cmp::Reverse(exception.until));
    in_force
}

/// What the exceptions of an account say and do, in whole sentences.
pub(crate) fn sentences(view: &AccountView, moment: Moment, now: Timestamp) -> Vec<Sentence> {
    let accepted = Accepted::of(view, moment, now);
    let exceptions = view.account.exceptions.iter();
    exceptions
        .map(|exception| {
            let Exception { key, reason, until } = exception;
            let by = accepted.as_ref().map(|it| it.by.contains(&exception));
            let state = match by {
                _ if !exception.is_in_force(now) => {
                    format!("The exception for key {key} ended with {until} (UTC). It was made for: ")
                }
                Some(true) if accepted.as_ref().is_some_and(|it| it.is_verified) => {
                    format!("Key {key} is accepted until {until} (UTC), by the configuration: ")
                }
                Some(true) => format!(
                    "The only key is accepted as {key} until {until} (UTC), by the configuration. Without \
                     a root session its id cannot be verified. Reason: "
                ),
                _ => format!(
                    "The configuration accepts key {key} until {until} (UTC), which is none of the active \
                     keys here, as far as is known. Reason: "
                ),
            };
            sentence![state, reason.trim_end_matches('.').to_owned(), "."]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use root_posture::report::{KeySlot, RootRow, UserCounts};
    use root_posture::{ListedKeys, Metric, RootKey};

    use super::super::tests::view;
    use super::*;
    use crate::failure::{Failure, Reason};
    use crate::views::{ReportView, SourceView, UserDetail};

    const EXPECTED: &str = "AKIAIOSFODNN7EXAMPLE";
    const OTHER: &str = "AKIAI44QH8DHBEXAMPLE";
    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
    const MOMENT: Moment = Moment::from_millis(0);

    fn exception(key: &str, until: &str) -> Exception {
        Exception {
            key: key.parse().unwrap(),
            reason: "the old backup".to_owned(),
            until: Date::parse(until, &time::format_description::well_known::Iso8601::DATE)
                .unwrap(),
        }
    }

    /// An account with that many active and present keys, and an exception for the expected one.
    fn account(active: u8, present: u8) -> AccountView {
        let metric = |value| Metric {
            value,
            source: Source::AccountSummary,
            observed: NOW,
            fine_until: None,
        };
        let mut view = view("us-east-1", None);
        view.posture.keys_active = Some(metric(active));
        view.posture.keys_present = Some(metric(present));
        Arc::make_mut(&mut view.account).exceptions = [exception(EXPECTED, "2999-12-31")].into();
        view
    }

    fn reported(mut view: AccountView, keys: [bool; 2]) -> AccountView {
        view.report = Some(Arc::new(ReportView {
            generated: NOW,
            root: Some(RootRow {
                access_keys: keys.map(|active| KeySlot {
                    active,
                    ..KeySlot::default()
                }),
                ..RootRow::default()
            }),
            rows_skipped: 0,
            users: UserCounts::default(),
            detail: UserDetail::Off,
        }));
        view
    }

    fn listed(mut view: AccountView, keys: &[(&str, bool)]) -> AccountView {
        view.posture.keys_by = Some(Source::RootSession);
        view.listed = Some(Arc::new(ListedKeys {
            at: NOW,
            keys: keys
                .iter()
                .map(|(id, active)| RootKey {
                    id: (*id).to_owned(),
                    active: *active,
                    created: None,
                    last_used: None,
                })
                .collect(),
        }));
        view
    }

    /// How many keys are accepted, and whether their ids are verified.
    fn accepted(view: &AccountView) -> Option<(u8, bool)> {
        Accepted::of(view, MOMENT, NOW).map(|it| (it.keys(), it.is_verified))
    }

    #[test]
    fn with_ids_exactly_the_named_key_is_accepted() {
        let verified = |number| Some((number, true));
        for (active, keys, expected) in [
            (1, &[(EXPECTED, true)][..], verified(1)),
            (1, &[(OTHER, true)], verified(0)),
            (2, &[(EXPECTED, true), (OTHER, true)], verified(1)),
            (1, &[(EXPECTED, false), (OTHER, true)], verified(0)),
            // The only key is newer than the list.
            (1, &[], verified(0)),
            // So is one of two.
            (2, &[(EXPECTED, true)], verified(1)),
            (0, &[(EXPECTED, false)], verified(0)),
        ] {
            let view = listed(account(active, 2), keys);
            assert_eq!(accepted(&view), expected, "{active} {keys:?}");
        }
    }

    #[test]
    fn without_ids_the_only_key_is_accepted_and_of_two_keys_none() {
        for (active, present, slots, expected) in [
            (1, 1, [true, false], 1),
            (2, 2, [true, true], 0),
            (1, 2, [true, false], 0),
            (0, 1, [false, false], 0),
            // A new key, which the report does not list.
            (1, 1, [false, false], 0),
        ] {
            let view = reported(account(active, present), slots);
            let expected = Some((expected, false));
            assert_eq!(accepted(&view), expected, "{active} {present}");
        }
        // A summary alone does not count keys.
        assert_eq!(accepted(&account(1, 1)), Some((0, false)));
    }

    #[test]
    fn a_list_of_keys_is_used_for_an_hour_after_the_root_session_began_to_fail() {
        let mut view = listed(account(1, 1), &[(EXPECTED, true)]);
        let after = |view: &AccountView, seconds| {
            let now = NOW.plus(Duration::from_secs(seconds));
            Accepted::of(view, MOMENT, now).map(|it| it.keys())
        };
        assert_eq!(after(&view, 86_400), Some(1), "it works");
        let mut session = SourceView::new(Source::RootSession);
        session.failed(NOW, Failure::new(Reason::AccessDenied, "sts:AssumeRoot"));
        view.sources = [session].into();
        assert_eq!(after(&view, 3_599), Some(1));
        assert_eq!(after(&view, 3_600), Some(0));
        assert_eq!(verified_until(&view), Some(NOW.plus(VERIFIES)));
        // Nor does the report stand in for the list: it would say that another key is the accepted one.
        assert_eq!(after(&reported(view, [true, false]), 3_600), Some(0));
    }

    #[test]
    fn without_ids_an_event_of_another_key_ends_the_acceptance() {
        use crate::activity::{Activities, Activity, RootEvent};

        let created = |key: &str, after: u64| {
            let mut view = reported(account(1, 1), [true, false]);
            Arc::<Activities>::make_mut(&mut view.activities).add(Activity {
                key: Some(key.to_owned()),
                ..Activity::example(
                    RootEvent::CreateAccessKey,
                    NOW.plus(Duration::from_secs(after)),
                )
            });
            accepted(&view)
        };
        assert_eq!(created(OTHER, 1), Some((0, false)), "newer than the report");
        assert_eq!(created(OTHER, 0), Some((1, false)), "the report knows it");
        assert_eq!(created(EXPECTED, 1), Some((1, false)), "the accepted one");
    }

    #[test]
    fn without_an_exception_in_force_or_a_number_of_keys_nothing_is_known() {
        let mut view = reported(account(1, 1), [true, false]);
        let exceptions = &mut Arc::make_mut(&mut view.account).exceptions;
        *exceptions = [exception(EXPECTED, "2000-01-01")].into();
        assert_eq!(accepted(&view), None);
        let mut view = account(1, 1);
        view.posture.keys_active = None;
        assert_eq!(accepted(&view), None);
        assert_eq!(count(&view, MOMENT, NOW), 0);
    }

    #[test]
    fn a_page_says_what_is_accepted_until_when_and_whether_that_is_verified() {
        let text = |view: &AccountView| {
            let sentences = sentences(view, MOMENT, NOW);
            format!("{sentences:?}")
        };
        let verified = text(&listed(account(1, 1), &[(EXPECTED, true)]));
        assert!(
            verified.contains("is accepted until 2999-12-31"),
            "{verified}"
        );
        assert!(!verified.contains("verified"), "{verified}");
        let only = text(&reported(account(1, 1), [true, false]));
        assert!(only.contains("cannot be verified"), "{only}");
        let other = text(&listed(account(1, 1), &[(OTHER, true)]));
        assert!(other.contains("none of the active keys"), "{other}");
        let mut view = account(1, 1);
        let exceptions = &mut Arc::make_mut(&mut view.account).exceptions;
        *exceptions = [exception(EXPECTED, "2000-01-01")].into();
        let ended = text(&view);
        assert!(ended.contains("ended with 2000-01-01"), "{ended}");
    }
}
