//! The page `/`: which accounts have a root key and how many have which findings, then the accounts,
//! worst first. It is never green while something that it depends on fails.

use std::cmp::Reverse;
use std::io;
use std::time::Duration;

use askama::Template;
use bytes::Bytes;
use exporter_toolkit::hyper::{Response, StatusCode};

use strum::VariantArray as _;

use super::query::{Filter, PAGE, Query, QueryError, Reload, Sort};
use super::{html, problem};
use crate::advice::accepted::Accepted;
use crate::advice::keys::{self, Count, LastUse};
use crate::advice::words::{self, Sentence, grouped, sentence};
use crate::advice::{Finding, Findings, Level, Sight, origin};
use crate::build::VERSION;
use crate::views::{AccountView, ExporterView, Snapshot};
use root_posture::{Moment, Timestamp};
use time::Date;

/// The numbers at the top, each a link to the accounts that it counts.
const TILES: [Filter; 6] = [
    Filter::With(Finding::KeyActive),
    Filter::With(Finding::KeyInactive),
    Filter::With(Finding::NoMfa),
    Filter::With(Finding::Unknown),
    Filter::With(Finding::Failing),
    Filter::All,
];

/// How many accounts are named at the top.
const NAMED: usize = 3;

/// The columns before the next step, and the order that each can be sorted in.
const COLUMNS: [(&str, Option<Sort>); 6] = [
    ("State", Some(Sort::State)),
    ("Account", Some(Sort::Name)),
    ("Root keys", None),
    ("Created", Some(Sort::Since)),
    ("Last used", Some(Sort::Used)),
    ("Evidence", Some(Sort::Evidence)),
];

/// The page as a response.
pub(super) fn response(
    snapshot: &Snapshot,
    query: &Query,
    telemetry_path: &str,
) -> io::Result<Response<Bytes>> {
    let page = Page::of(snapshot, query, telemetry_path);
    html::reloading(StatusCode::OK, &page, query.reload)
}

/// The page for a query that is not understood.
pub(super) fn refusal(error: &QueryError) -> io::Result<Response<Bytes>> {
    problem::response(
        StatusCode::BAD_REQUEST,
        "",
        "This filter is not understood",
        &format!("{error}."),
    )
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
    totals: Totals,
    /// The accounts that match the query, in its order.
    found: Vec<Row<'a>>,
    /// Which page of them is shown, counted from 1.
    nth: usize,
}

/// What the top of the page says of all accounts, counted once.
#[derive(Default)]
struct Totals {
    /// With an active key.
    active: usize,
    /// Of these, with keys that are only assumed active.
    assumed: usize,
    /// That cannot be polled.
    blind: usize,
    /// Of which a source fails.
    impaired: usize,
    /// The time of the oldest evidence of active keys in use.
    oldest: Option<Timestamp>,
}

impl Totals {
    fn of(accounts: &[Row<'_>], snapshot: &Snapshot) -> Self {
        let Snapshot { moment, now, .. } = *snapshot;
        let mut totals = Self::default();
        for row in accounts {
            let is_active = row.findings.has(Finding::KeyActive);
            let is_assumed = is_active && Count::of(row.view, moment).is_assumed();
            totals.active += usize::from(is_active);
            totals.assumed += usize::from(is_assumed);
            match Sight::of(row.view, now, snapshot.exporter.interval) {
                Sight::Clear => {}
                Sight::Impaired => totals.impaired += 1,
                Sight::Blind => totals.blind += 1,
            }
            let keys = row.view.posture.keys_active;
            let current = keys.filter(|keys| keys.at(moment).is_some());
            let observed = current.map(|keys| keys.observed);
            totals.oldest = totals.oldest.into_iter().chain(observed).min();
        }
        totals
    }
}

/// One account.
#[derive(Clone, Copy)]
struct Row<'a> {
    view: &'a AccountView,
    findings: Findings,
    /// The last day on which an active key of it is accepted.
    accepted: Option<Date>,
}

impl<'a> Page<'a> {
    fn of(snapshot: &'a Snapshot, query: &'a Query, telemetry_path: &'a str) -> Self {
        let Snapshot { moment, now, .. } = *snapshot;
        let row = |view: &'a std::sync::Arc<AccountView>| Row {
            view,
            findings: Findings::of(view, moment, now),
            accepted: Accepted::of(view, moment, now).and_then(|accepted| accepted.until()),
        };
        let accounts: Vec<_> = snapshot.accounts.iter().map(row).collect();
        let counts = snapshot.exporter.accounts;
        let monitored = counts.map_or(0, |counts| counts.monitored);
        let matcher = query.matcher();
        let is_found = |row: &&Row<'_>| row.is_in(query.filter) && matcher(row.view);
        let mut found: Vec<_> = accounts.iter().filter(is_found).copied().collect();
        sort(&mut found, query, moment);
        Self {
            now,
            moment,
            query,
            exporter: &snapshot.exporter,
            telemetry_path: telemetry_path.trim_start_matches('/'),
            unseen: monitored.saturating_sub(accounts.len()),
            totals: Totals::of(&accounts, snapshot),
            accounts,
            nth: query.page.min(found.len().div_ceil(PAGE).max(1)),
            found,
        }
    }

    /// How many accounts a filter shows.
    fn number(&self, filter: Filter) -> usize {
        let shown = self.accounts.iter().filter(|row| row.is_in(filter));
        let unseen = match filter {
            Filter::All | Filter::With(Finding::Unknown) => self.unseen,
            _ => 0,
        };
        shown.count() + unseen
    }

    /// The level of a number; `None` for one that is neither good nor bad. None is good news while
    /// something is not known.
    fn level_of(&self, filter: Filter) -> Option<Level> {
        match filter {
            Filter::With(finding) if self.number(filter) > 0 => Some(finding.level()),
            Filter::With(_) if self.is_clear() => Some(Level::Fine),
            Filter::With(_) | Filter::All | Filter::Accepted | Filter::WithoutAny => None,
        }
    }

    /// Whether every account is known and polled.
    fn is_clear(&self) -> bool {
        self.exporter.accounts.is_some()
            && self.number(Filter::With(Finding::Unknown)) == 0
            && self.number(Filter::With(Finding::Failing)) == 0
            && !self.is_late()
    }

    /// Whether polls are so late that the values may be of another time.
    fn is_late(&self) -> bool {
        let exporter = self.exporter;
        exporter.lag > (exporter.interval * 5).max(Duration::from_secs(60))
    }

    /// What the page says first.
    fn headline(&self) -> (Level, String) {
        let Totals {
            active, assumed, ..
        } = self.totals;
        let accounts = words::accounts(active);
        let have = if active == 1 { "has" } else { "have" };
        let unknown = self.number(Filter::With(Finding::Unknown));
        if active > 0 && active == assumed {
            let text = format!(
                "AWS reports a root access key in {accounts}, assumed active until its status is known"
            );
            return (Level::Critical, text);
        }
        if active > 0 {
            let text = format!("{accounts} {have} an active root access key");
            return (Level::Critical, text);
        }
        if let Some(text) = self.blindness() {
            return (Level::Unknown, text);
        }
        let text = if self.exporter.accounts.is_none() {
            "The account list is not known yet".to_owned()
        } else if unknown > 0 {
            let accounts = words::accounts(unknown);
            format!("No active root access key is known, but the state of {accounts} is unknown")
        } else if self.accounts.is_empty() {
            "No account is monitored".to_owned()
        } else if self.is_late() {
            "No account had an active root access key when it was last polled".to_owned()
        } else {
            let text = match self.number(Filter::Accepted) {
                0 => "No account has an active root access key",
                _ => "No account has an active root access key that is not accepted",
            };
            let text = text.to_owned();
            let others = self.accounts.iter().any(|row| !row.findings.is_empty());
            let level = if others { Level::Warning } else { Level::Fine };
            return (level, text);
        };
        (Level::Unknown, text)
    }

    /// What cannot be polled; `None` while all can.
    fn blindness(&self) -> Option<String> {
        let Totals {
            blind, impaired, ..
        } = self.totals;
        let of = words::accounts(self.accounts.len() + self.unseen);
        let oldest = self.totals.oldest.map_or_else(String::new, |oldest| {
            format!("; oldest data {}", words::span(self.now.since(oldest)))
        });
        match (blind, impaired) {
            (0, 0) => None,
            (0, impaired) => Some(format!(
                "A source fails in {} of {of}{oldest}",
                grouped(impaired)
            )),
            (blind, _) => Some(format!("Cannot poll {} of {of}{oldest}", grouped(blind))),
        }
    }

    /// What the page says second.
    fn details(&self) -> Vec<String> {
        let Totals {
            active, assumed, ..
        } = self.totals;
        let accepted = self.number(Filter::Accepted);
        let mut details = Vec::new();
        if accepted > 0 {
            details.push(format!(
                "In {} the configuration accepts an active root access key.",
                words::accounts(accepted)
            ));
        }
        if active > assumed && assumed > 0 {
            details.push(format!(
                "In {} AWS reports a key that is assumed active until its status is known.",
                words::accounts(assumed)
            ));
        }
        if let Some(text) = self.blindness() {
            let unknown = self.number(Filter::With(Finding::Unknown));
            details.push(if active > 0 {
                format!("{text}.")
            } else if unknown > 0 {
                format!(
                    "Whether there is an active root access key is unknown in {}.",
                    words::accounts(unknown)
                )
            } else {
                let other = if accepted > 0 { "other " } else { "" };
                format!("No {other}account had an active root access key when it was last polled.")
            });
        }
        details
    }

    /// The accounts that are not monitored, in words.
    fn unmonitored(&self) -> Vec<String> {
        let counts = self.exporter.accounts.unwrap_or_default();
        let are = |number: usize| if number == 1 { "is" } else { "are" };
        [
            (counts.inactive, "suspended, closed or not active yet"),
            (counts.excluded, "excluded by the configuration"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, why)| {
            format!(
                "{} {} {why}, and not monitored.",
                words::accounts(number),
                are(number)
            )
        })
        .collect()
    }

    /// The accounts to name first: those with the newest active keys; without any, the worst.
    fn named(&self) -> Vec<Row<'a>> {
        let has_key = |row: &&Row<'_>| row.findings.has(Finding::KeyActive);
        let mut named: Vec<_> = self.accounts.iter().filter(has_key).copied().collect();
        if named.is_empty() {
            let is_urgent =
                |row: &&Row<'_>| matches!(row.findings.level(), Level::Critical | Level::Warning);
            named = self.accounts.iter().filter(is_urgent).copied().collect();
            sort(&mut named, &Query::default(), self.moment);
        } else {
            by_time(&mut named, true, |row| {
                origin::newest(row.view, self.moment)
            });
        }
        named.truncate(NAMED);
        named
    }

    /// How many accounts with active keys are not named.
    fn unnamed(&self) -> usize {
        self.totals.active.saturating_sub(NAMED)
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
        if exporter.events.as_ref().and_then(|events| events.up) == Some(false) {
            notices.push(sentence![
                "The queue of events cannot be read: a new key is found by polls alone, every \
                 refresh.interval, and it is not known who creates it. The log contains the reason."
            ]);
        }
        if self.is_late() {
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

/// The answer to a query, for the JSON list: what the page says first, and the accounts on it.
pub(super) struct Selection<'a> {
    pub level: Level,
    pub headline: String,
    /// How many accounts each filter shows.
    pub counts: Vec<(Filter, usize)>,
    /// How many accounts match the query.
    pub found: usize,
    /// Which page of them this is, counted from 1.
    pub page: usize,
    pub shown: Vec<&'a AccountView>,
}

/// Answers a query as the page does.
pub(super) fn select<'a>(snapshot: &'a Snapshot, query: &'a Query) -> Selection<'a> {
    let page = Page::of(snapshot, query, "");
    let (level, headline) = page.headline();
    Selection {
        level,
        headline,
        counts: Filter::all().map(|it| (it, page.number(it))).collect(),
        found: page.found.len(),
        page: query.page,
        // A program that reads page after page ends at an empty one.
        shown: if page.nth == query.page {
            page.rows().iter().map(|row| row.view).collect()
        } else {
            Vec::new()
        },
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
    fn is_in(&self, filter: Filter) -> bool {
        filter.lets_through(self.findings, self.accepted.is_some())
    }

    /// What to say of it at the top: each key in a line, or what is wrong with it.
    fn lines(&self, moment: Moment) -> Vec<Sentence> {
        if self.findings.has(Finding::KeyActive) {
            return origin::lines(self.view, moment);
        }
        let labels: Vec<_> = self.findings.iter().map(Finding::label).collect();
        vec![sentence![labels.join(", ")]]
    }

    /// Whether a key may exist.
    fn has_key(&self, moment: Moment) -> bool {
        self.view.account.partition().has_root_credentials()
            && Count::of(self.view, moment).present != Some(0)
    }

    /// `1 active, 1 inactive`.
    fn keys(&self, moment: Moment) -> String {
        if self.view.account.partition().has_root_credentials() {
            Count::of(self.view, moment).to_string()
        } else {
            "no root credentials in China".to_owned()
        }
    }
}
