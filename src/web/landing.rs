//! The page at `/`: what this is, how things stand, where to go on.
//!
//! Pure: a snapshot in, HTML out. It names no account.

use crate::store::Snapshot;

/// Nothing may be loaded, run, framed or sent from the page: it is text and links.
pub(super) const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How many accounts stand how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tally {
    watched: usize,
    with_active_key: usize,
    unknown: usize,
}

impl Tally {
    fn of(snapshot: &Snapshot) -> Self {
        let known = || {
            snapshot
                .accounts
                .iter()
                .filter_map(|view| view.posture.keys_active?.at(snapshot.moment))
        };
        // An account that is to be watched and was never looked at is unknown too.
        let watched = snapshot
            .exporter
            .accounts
            .map_or(0, |counts| counts.monitored)
            .max(snapshot.accounts.len());
        Self {
            watched,
            with_active_key: known().filter(|keys| *keys > 0).count(),
            unknown: watched - known().count(),
        }
    }
}

/// The page as HTML.
pub(super) fn page(snapshot: &Snapshot, telemetry_path: &str) -> String {
    let Tally {
        watched,
        with_active_key,
        unknown,
    } = Tally::of(snapshot);
    let list = if snapshot.exporter.accounts.is_some() {
        ""
    } else {
        "<p>The account list is not known yet.</p>\n"
    };
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>AWS root exporter</title>
</head>
<body>
<h1>AWS root exporter</h1>
<p>Version {version}. Tells whether the root users of AWS accounts have access keys.</p>
{list}<dl>
<dt>Accounts watched</dt><dd>{watched}</dd>
<dt>With an active root access key</dt><dd>{with_active_key}</dd>
<dt>Not known whether they have one</dt><dd>{unknown}</dd>
</dl>
<p>As of <time datetime="{now}">{now}</time>.</p>
<ul>
<li><a href="{metrics}">Metrics</a></li>
<li><a href="/-/healthy">Health</a></li>
<li><a href="/-/ready">Readiness</a></li>
</ul>
</body>
</html>
"#,
        version = env!("CARGO_PKG_VERSION"),
        now = snapshot.now,
        metrics = escaped(telemetry_path),
    )
}

/// A text as the value of an attribute in double quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::account::{Access, Account};
    use crate::clock::{Clock, Moment, Timestamp};
    use crate::evidence::Source;
    use crate::posture::{Figure, Posture};
    use crate::store::{AccountCounts, AccountView, Store};

    fn account(id: &str, active: Option<u8>) -> AccountView {
        AccountView {
            account: Arc::new(Account {
                id: id.parse().unwrap(),
                name: "production".to_owned(),
                region: "us-east-1".to_owned(),
                access: Some(Access::Caller),
                root_session: false,
                labels: BTreeMap::new(),
            }),
            posture: Posture {
                keys_active: active.map(|value| Figure {
                    value,
                    source: Source::AccountSummary,
                    observed: Timestamp::from_unix(1_800_000_000),
                    fine_until: (value == 0).then(|| Moment::from_millis(60_000)),
                }),
                ..Posture::default()
            },
            report: None,
            root_keys: None,
            sources: Vec::new(),
        }
    }

    #[test]
    fn accounts_are_counted_by_what_is_known_of_them() {
        let (clock, hand) = Clock::manual(Timestamp::from_unix(1_800_000_000));
        let store = Store::new(clock);
        store.put(account("111111111111", Some(2)));
        store.put(account("222222222222", Some(0)));
        store.put(account("333333333333", None));
        store.exporter.note(|view| {
            view.accounts = Some(AccountCounts {
                monitored: 4,
                ..AccountCounts::default()
            });
        });
        let tally = |unknown| Tally {
            watched: 4,
            with_active_key: 1,
            unknown,
        };
        assert_eq!(Tally::of(&store.snapshot()), tally(2));
        hand.advance(Duration::from_secs(60));
        assert_eq!(
            Tally::of(&store.snapshot()),
            tally(3),
            "a fine value has expired"
        );
    }

    #[test]
    fn the_page_says_when_the_account_list_is_missing() {
        let (clock, _) = Clock::manual(Timestamp::from_unix(1_800_000_000));
        let store = Store::new(clock);
        let missing = "The account list is not known yet";
        assert!(page(&store.snapshot(), "/metrics").contains(missing));
        store
            .exporter
            .note(|view| view.accounts = Some(AccountCounts::default()));
        assert!(!page(&store.snapshot(), "/metrics").contains(missing));
    }

    #[test]
    fn a_strange_telemetry_path_stays_within_its_attribute() {
        let (clock, _) = Clock::manual(Timestamp::from_unix(1_800_000_000));
        let page = page(&Store::new(clock).snapshot(), "/\"><b>&");
        assert!(page.contains(r#"<a href="/&quot;&gt;&lt;b&gt;&amp;">Metrics</a>"#));
    }
}
