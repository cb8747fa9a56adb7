//! The page `/`: how many accounts have which findings, and the accounts, worst first.

use std::cmp::Reverse;
use std::io;
use std::time::Duration;

use askama::Template;
use bytes::Bytes;
use exporter_toolkit::hyper::{Response, StatusCode};

use strum::VariantArray as _;

use super::html;
use super::query::{Filter, PAGE, Query, Sort};
use crate::advice::keys::{self, Count, LastUse};
use crate::advice::words::{self, Sentence, grouped, sentence};
use crate::advice::{Finding, Findings, Level};
use crate::build::VERSION;
use crate::views::{AccountView, ExporterView, Snapshot};
use root_posture::{Moment, Timestamp};

/// The numbers at the top, each a link to the accounts that it counts.
const TILES: [Filter; 5] = [
    Filter::With(Finding::KeyActive),
    Filter::With(Finding::KeyInactive),
    Filter::With(Finding::NoMfa),
    Filter::With(Finding::Unknown),
    Filter::All,
];

/// The columns that the accounts can be sorted by.
const COLUMNS: [(&str, Sort); 5] = [
    ("State", Sort::State),
    ("Account", Sort::Name),
    ("Root key since", Sort::Since),
    ("Last used", Sort::Used),
    ("Evidence", Sort::Evidence),
];

/// The page as a response.
pub(super) fn response(
    snapshot: &Snapshot,
    query: &Query,
    telemetry_path: &str,
) -> io::Result<Response<Bytes>> {
    let page = Page::of(snapshot, query, telemetry_path);
    html::response(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page<'a> {
    now: Timestamp,
    moment: Moment,
    query: &'a Query,
    exporter: &'a ExporterView,
    telemetry_path: &'a str,
    accounts: Vec<Row<'a>>,
    /// Monitored accounts that have no view yet; they are unknown, too.
    unseen: usize,
    /// The accounts that match the query, in its order.
    found: Vec<Row<'a>>,
    /// Which page of them is shown, counted from 1.
    nth: usize,
}

/// One account.
#[derive(Clone, Copy)]
struct Row<'a> {
    view: &'a AccountView,
    findings: Findings,
}

impl<'a> Page<'a> {
    fn of(snapshot: &'a Snapshot, query: &'a Query, telemetry_path: &'a str) -> Self {
        let Snapshot { moment, now, .. } = *snapshot;
        let row = |view: &'a std::sync::Arc<AccountView>| Row {
            view,
            findings: Findings::of(view, moment),
        };
        let accounts: Vec<_> = snapshot.accounts.iter().map(row).collect();
        let counts = snapshot.exporter.accounts;
        let monitored = counts.map_or(0, |counts| counts.monitored);
        let matcher = query.matcher();
        let is_found =
            |row: &&Row<'_>| query.filter.lets_through(row.findings) && matcher(row.view);
        let mut found: Vec<_> = accounts.iter().filter(is_found).copied().collect();
        sort(&mut found, query, moment);
        Self {
            now,
            moment,
            query,
            exporter: &snapshot.exporter,
            telemetry_path: telemetry_path.trim_start_matches('/'),
            unseen: monitored.saturating_sub(accounts.len()),
            accounts,
            nth: query.page.min(found.len().div_ceil(PAGE).max(1)),
            found,
        }
    }

    /// How many accounts a filter shows.
    fn number(&self, filter: Filter) -> usize {
        let shown = self
            .accounts
            .iter()
            .filter(|row| filter.lets_through(row.findings));
        let unseen = match filter {
            Filter::All | Filter::With(Finding::Unknown) => self.unseen,
            _ => 0,
        };
        shown.count() + unseen
    }

    /// The level of a number; `None` for one that is neither good nor bad.
    fn level_of(&self, filter: Filter) -> Option<Level> {
        match filter {
            Filter::All => None,
            Filter::With(finding) if self.number(filter) > 0 => Some(finding.level()),
            Filter::With(_) | Filter::WithoutAny => Some(Level::Fine),
        }
    }

    /// What the page says first.
    fn headline(&self) -> (Level, String) {
        let active = self.number(Filter::With(Finding::KeyActive));
        let unknown = self.number(Filter::With(Finding::Unknown));
        if active > 0 {
            let have = if active == 1 { "has" } else { "have" };
            let accounts = words::accounts(active);
            let text = format!("{accounts} {have} an active root access key");
            return (Level::Critical, text);
        }
        let text = if self.exporter.accounts.is_none() {
            "The account list is not known yet".to_owned()
        } else if unknown > 0 {
            let accounts = words::accounts(unknown);
            format!("No active root access key is known, but the state of {accounts} is unknown")
        } else if self.accounts.is_empty() {
            "No account is monitored".to_owned()
        } else {
            let text = "No account has an active root access key".to_owned();
            return (Level::Fine, text);
        };
        (Level::Unknown, text)
    }

    /// The time of the oldest evidence of active keys.
    fn oldest(&self) -> Option<Timestamp> {
        let keys = self
            .accounts
            .iter()
            .filter_map(|row| row.view.posture.keys_active);
        let current = keys.filter(|keys| keys.at(self.moment).is_some());
        current.map(|keys| keys.observed).min()
    }

    fn rows(&self) -> &[Row<'a>] {
        let mut pages = self.found.chunks(PAGE);
        pages.nth(self.nth - 1).unwrap_or_default()
    }

    /// Which of the accounts that were found are shown.
    fn range(&self) -> String {
        let first = (self.nth - 1) * PAGE;
        match self.rows().len() {
            0 => "No account".to_owned(),
            shown => format!(
                "{} to {} of {}",
                grouped(first + 1),
                grouped(first + shown),
                words::accounts(self.found.len())
            ),
        }
    }

    /// The link to the previous page, if there is one.
    fn previous(&self) -> Option<String> {
        let page = self.nth - 1;
        (page > 0).then(|| self.query.with_page(page).link())
    }

    /// The link to the next page, if there is one.
    fn next(&self) -> Option<String> {
        let exists = self.nth * PAGE < self.found.len();
        exists.then(|| self.query.with_page(self.nth + 1).link())
    }

    /// The value of `aria-sort` for a column; empty if the accounts are not sorted by it.
    fn aria_sort(&self, sort: Sort) -> &'static str {
        match (self.query.sort == sort, sort.rises() != self.query.reversed) {
            (false, _) => "",
            (true, true) => "ascending",
            (true, false) => "descending",
        }
    }

    /// Problems of the exporter itself.
    fn notices(&self) -> Vec<Sentence> {
        let exporter = self.exporter;
        let mut notices = Vec::new();
        let (index, total) = exporter.shard;
        if total > 1 {
            notices.push(sentence![format!(
                "This is shard {index} of {total} (counted from 0). The other accounts are on the \
                 pages of the other shards."
            )]);
        }
        if let Some(list) = exporter.discovery.filter(|list| !list.succeeded) {
            notices.push(match list.last_success {
                Some(time) => sentence![
                    "The organization's account list cannot be read; the one in use is of ",
                    time,
                    "."
                ],
                None => sentence!["The organization's account list could not be read yet."],
            });
        }
        if !exporter.reload.succeeded {
            notices.push(sentence![
                "The last reload of the configuration failed; the previous one is in use. The log \
                 contains the reason."
            ]);
        }
        if exporter.state.is_some_and(|save| !save.succeeded) {
            notices.push(sentence![
                "The state file cannot be saved. After a restart the exporter would have no \
                 evidence from before."
            ]);
        }
        if exporter.lag > (exporter.interval * 5).max(Duration::from_secs(60)) {
            notices.push(sentence![format!(
                "Polls are late by {}: this process is overloaded.",
                words::span(exporter.lag)
            )]);
        }
        if let Some(counts) = exporter.accounts
            && exporter.attempted < counts.monitored
        {
            notices.push(sentence![format!(
                "Starting: {} of {} accounts have been polled.",
                grouped(exporter.attempted),
                grouped(counts.monitored)
            )]);
        }
        if let Some(skew) = exporter.clock_skew.filter(|skew| skew.abs() > 60) {
            notices.push(sentence![format!(
                "The clock of this machine is {} {} AWS's. Ages on this page are wrong by as much.",
                words::span(Duration::from_secs(skew.unsigned_abs())),
                if skew > 0 { "behind" } else { "ahead of" }
            )]);
        }
        notices
    }
}

fn sort(found: &mut [Row<'_>], query: &Query, moment: Moment) {
    let name = |row: &Row<'_>| {
        let name = row.view.account.name.to_lowercase();
        (name.is_empty(), name)
    };
    let since = |row: &Row<'_>| keys::since(row.view, moment).map(|since| since.time);
    let reversed = query.reversed;
    match query.sort {
        // The worst first; then the newest key, then by name.
        Sort::State => {
            found.sort_by_cached_key(|row| (row.findings.rank(), Reverse(since(row)), name(row)));
        }
        Sort::Name => found.sort_by_cached_key(name),
        // The snapshot is sorted by id.
        Sort::Id => {}
        Sort::Since => return by_time(found, !reversed, since),
        Sort::Used => {
            return by_time(found, !reversed, |row| {
                match keys::last_use(row.view, moment) {
                    LastUse::Used { time, .. } => Some(time),
                    _ => None,
                }
            });
        }
        Sort::Evidence => {
            let observed = |row: &Row<'_>| Some(row.view.posture.keys_active?.observed);
            return by_time(found, reversed, observed);
        }
    }
    if reversed {
        found.reverse();
    }
}

/// Sorts by a time. Accounts without one come last in either order.
fn by_time(
    found: &mut [Row<'_>],
    newest_first: bool,
    time: impl Fn(&Row<'_>) -> Option<Timestamp>,
) {
    found.sort_by_cached_key(|row| {
        let seconds = time(row).map(Timestamp::unix);
        let key = seconds.map(|seconds| if newest_first { -seconds } else { seconds });
        (key.is_none(), key)
    });
}

impl Row<'_> {
    /// `1 active, 1 inactive`.
    fn keys(&self, moment: Moment) -> String {
        if self.view.account.partition().has_root_credentials() {
            Count::of(self.view, moment).to_string()
        } else {
            "no root credentials in China".to_owned()
        }
    }
}
