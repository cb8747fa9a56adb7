//! The page `/`: how many accounts stand how, and the accounts, worst first.

use std::cmp::Reverse;
use std::time::Duration;

use askama::Template;

use super::finding::{Finding, Findings, Level};
use super::query::{Filter, PAGE, Query, Sort};
use super::since::{self, LastUse, Since};
use super::words::{self, Sentence, Times};
use crate::views::{AccountView, ExporterView, Snapshot};
use root_posture::{Moment, Timestamp};

/// The page as the template writes it.
#[derive(Template)]
#[template(path = "overview.html")]
pub(super) struct Page<'a> {
    pub style: &'static str,
    pub now: Timestamp,
    pub content: &'a Overview,
}

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Overview {
    pub level: Level,
    pub headline: String,
    /// When the oldest evidence behind a figure of root keys was true.
    pub oldest: Option<Timestamp>,
    pub tiles: Vec<Tile>,
    /// What is wrong with the exporter itself.
    pub notices: Vec<Sentence>,
    pub query: Query,
    pub filters: Vec<Choice>,
    pub sorts: Vec<Choice>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// Which of the accounts that were found are shown: the first, the last, and all.
    pub range: String,
    pub matching: usize,
    pub previous: Option<String>,
    pub next: Option<String>,
    /// Accounts that left in the last 24 hours, and why.
    pub left: Vec<(String, &'static str)>,
    pub metrics: String,
    pub version: &'static str,
}

/// A number that is a link to what it counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    pub label: &'static str,
    pub number: usize,
    /// `None` for a number that is neither good nor bad.
    pub level: Option<Level>,
    pub link: String,
    pub chosen: bool,
}

/// One of a list to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Choice {
    pub slug: &'static str,
    pub label: String,
    pub chosen: bool,
}

/// The head of a column; one with a link can be sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Column {
    pub label: &'static str,
    pub link: String,
    /// The value of `aria-sort`; empty where the accounts are not in this order.
    pub sorted: &'static str,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub id: String,
    pub name: String,
    pub level: Level,
    pub findings: Vec<Finding>,
    pub keys: String,
    pub since: Option<Since>,
    pub used: LastUse,
    pub evidence: Option<(&'static str, Timestamp)>,
    /// That the evidence was of a value that is no longer believed.
    pub expired: bool,
    pub failures: Vec<(&'static str, &'static str, Timestamp)>,
    pub next_step: &'static str,
}

/// What an account is sorted and filtered by.
struct Judged<'a> {
    view: &'a AccountView,
    findings: Findings,
}

impl Page<'_> {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "a template hands out references"
    )]
    fn time(&self, time: &Timestamp) -> Times {
        Times::of(*time, self.now)
    }
}

impl Overview {
    pub fn of(snapshot: &Snapshot, query: &Query, telemetry_path: &str) -> Self {
        let moment = snapshot.moment;
        let judged: Vec<Judged<'_>> = snapshot
            .accounts
            .iter()
            .map(|view| Judged {
                view,
                findings: Findings::of(view, moment),
            })
            .collect();
        // An account that is to be watched and was never shown is unknown too.
        let watched = snapshot
            .exporter
            .accounts
            .map_or(0, |counts| counts.monitored)
            .max(judged.len());
        let unseen = watched - judged.len();
        let number = |filter: Filter| {
            let shown = judged
                .iter()
                .filter(|one| filter.lets_through(one.findings));
            let unseen = match filter {
                Filter::All | Filter::With(Finding::Unknown) => unseen,
                _ => 0,
            };
            shown.count() + unseen
        };
        let oldest = judged
            .iter()
            .filter_map(|one| one.view.posture.keys_active)
            .filter(|keys| keys.at(moment).is_some())
            .map(|keys| keys.observed)
            .min();
        let (level, headline) = headline(
            number(Filter::With(Finding::KeyActive)),
            number(Filter::With(Finding::Unknown)),
            watched,
            snapshot.exporter.accounts.is_some(),
        );
        let matcher = query.matcher();
        let mut found: Vec<&Judged<'_>> = judged
            .iter()
            .filter(|one| query.filter.lets_through(one.findings) && matcher(one.view))
            .collect();
        sort(&mut found, query, moment);
        let pages = found.len().div_ceil(PAGE).max(1);
        let page = query.page.min(pages);
        let first = (page - 1) * PAGE;
        let last = found.len().min(first + PAGE);
        Self {
            level,
            headline,
            oldest,
            tiles: tiles(query, number),
            notices: notices(&snapshot.exporter),
            filters: Filter::all()
                .map(|filter| Choice {
                    slug: filter.slug(),
                    label: format!("{} ({})", filter.label(), words::grouped(number(filter))),
                    chosen: filter == query.filter,
                })
                .collect(),
            sorts: Sort::ALL
                .map(|sort| Choice {
                    slug: sort.slug(),
                    label: sort.label().to_owned(),
                    chosen: sort == query.sort,
                })
                .to_vec(),
            columns: columns(query),
            rows: found[first..last]
                .iter()
                .map(|one| Row::of(one.view, one.findings, moment))
                .collect(),
            range: match found.len() {
                0 => "No account".to_owned(),
                some => format!(
                    "{} to {} of {}",
                    words::grouped(first + 1),
                    words::grouped(last),
                    words::count(some, "account", "accounts")
                ),
            },
            matching: found.len(),
            previous: (page > 1).then(|| query.with_page(page - 1).link()),
            next: (page < pages).then(|| query.with_page(page + 1).link()),
            left: snapshot
                .exporter
                .left
                .iter()
                .map(|(id, reason)| (id.to_string(), reason.as_str()))
                .collect(),
            metrics: format!("./{}", telemetry_path.trim_start_matches('/')),
            version: crate::build::VERSION,
            query: query.clone(),
        }
    }
}

fn headline(active: usize, unknown: usize, watched: usize, listed: bool) -> (Level, String) {
    let accounts = |number| words::count(number, "account", "accounts");
    if active > 0 {
        let have = if active == 1 { "has" } else { "have" };
        (
            Level::Critical,
            format!("{} {have} an active root access key", accounts(active)),
        )
    } else if !listed {
        (
            Level::Unknown,
            "The account list is not known yet".to_owned(),
        )
    } else if unknown > 0 {
        (
            Level::Unknown,
            format!(
                "No active root access key is known, but {} cannot be judged",
                accounts(unknown)
            ),
        )
    } else if watched == 0 {
        (Level::Unknown, "No account is watched".to_owned())
    } else {
        (
            Level::Fine,
            "No account has an active root access key".to_owned(),
        )
    }
}

fn tiles(query: &Query, number: impl Fn(Filter) -> usize) -> Vec<Tile> {
    [
        Filter::With(Finding::KeyActive),
        Filter::With(Finding::KeyInactive),
        Filter::With(Finding::NoMfa),
        Filter::With(Finding::Unknown),
        Filter::All,
    ]
    .into_iter()
    .map(|filter| {
        let number = number(filter);
        let level = match filter {
            Filter::With(finding) if number > 0 => Some(finding.level()),
            Filter::With(_) | Filter::WithoutAny => Some(Level::Fine),
            Filter::All => None,
        };
        Tile {
            label: filter.label(),
            number,
            level,
            link: query.with_filter(filter).link(),
            chosen: query.filter == filter,
        }
    })
    .collect()
}

/// What makes this page say less than it should.
fn notices(exporter: &ExporterView) -> Vec<Sentence> {
    use super::words::sentence;
    let mut notices = Vec::new();
    let (index, total) = exporter.shard;
    if total > 1 {
        notices.push(sentence![format!(
            "This is shard {index} of {total} (counted from 0): the other accounts are on the \
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
            "The last reload of the configuration failed; the one before it is in use. The log \
             says why."
        ]);
    }
    if exporter.state.is_some_and(|save| !save.succeeded) {
        notices.push(sentence![
            "The state file cannot be saved: after a restart the exporter would have to learn \
             everything anew."
        ]);
    }
    if exporter.lag > (exporter.interval * 5).max(Duration::from_secs(60)) {
        notices.push(sentence![format!(
            "The looks are late by {}: this process has too much to do.",
            words::span(exporter.lag)
        )]);
    }
    if let Some(counts) = exporter.accounts
        && exporter.attempted < counts.monitored
    {
        notices.push(sentence![format!(
            "Still starting: {} of {} accounts were looked at.",
            words::grouped(exporter.attempted),
            words::grouped(counts.monitored)
        )]);
    }
    if let Some(skew) = exporter.clock_skew.filter(|skew| skew.abs() > 60) {
        notices.push(sentence![format!(
            "The clock of this machine is {} {} AWS's; ages on this page are off by as much.",
            words::span(Duration::from_secs(skew.unsigned_abs())),
            if skew > 0 { "behind" } else { "ahead of" }
        )]);
    }
    notices
}

fn columns(query: &Query) -> Vec<Column> {
    let column = |label, sort: Sort, rising: bool| Column {
        label,
        link: query.with_sort(sort).link(),
        sorted: match (query.sort == sort, rising != query.reversed) {
            (false, _) => "",
            (true, true) => "ascending",
            (true, false) => "descending",
        },
    };
    vec![
        column("State", Sort::State, false),
        column("Account", Sort::Name, true),
        column("Root key since", Sort::Since, false),
        column("Last used", Sort::Used, false),
        column("Evidence", Sort::Evidence, true),
        Column {
            label: "Next step",
            link: String::new(),
            sorted: "",
        },
    ]
}

fn sort(found: &mut [&Judged<'_>], query: &Query, moment: Moment) {
    let name = |one: &Judged<'_>| {
        let name = one.view.account.name.to_lowercase();
        (name.is_empty(), name)
    };
    let since = |one: &Judged<'_>| since::short(one.view, moment).map(|since| since.time);
    // What is not known comes last, in either order.
    macro_rules! by {
        ($key:expr, $newest_first:expr) => {{
            let key = $key;
            if $newest_first != query.reversed {
                found.sort_by_cached_key(|one| {
                    let key = key(one);
                    (key.is_none(), Reverse(key))
                });
            } else {
                found.sort_by_cached_key(|one| {
                    let key = key(one);
                    (key.is_none(), key)
                });
            }
        }};
    }
    match query.sort {
        // The worst first; of equals the newest key first, then by name.
        Sort::State => {
            found.sort_by_cached_key(|one| (one.findings.rank(), Reverse(since(one)), name(one)));
            if query.reversed {
                found.reverse();
            }
        }
        Sort::Name => {
            found.sort_by_cached_key(|one| name(one));
            if query.reversed {
                found.reverse();
            }
        }
        // They come by id from the store.
        Sort::Id => {
            if query.reversed {
                found.reverse();
            }
        }
        Sort::Since => by!(since, true),
        Sort::Used => by!(
            |one: &Judged<'_>| match since::last_use(one.view, moment) {
                LastUse::Used { time, .. } => Some(time),
                _ => None,
            },
            true
        ),
        Sort::Evidence => by!(
            |one: &Judged<'_>| one.view.posture.keys_active.map(|keys| keys.observed),
            false
        ),
    }
}

impl Row {
    fn of(view: &AccountView, findings: Findings, moment: Moment) -> Self {
        let keys = view.posture.keys_active;
        let evidence = keys.map(|keys| (words::source(keys.source), keys.observed));
        Self {
            id: view.account.id.to_string(),
            name: view.account.name.clone(),
            level: findings.level(),
            findings: findings.iter().collect(),
            keys: keys_in_words(view, moment),
            since: since::short(view, moment),
            used: since::last_use(view, moment),
            expired: keys.is_some_and(|keys| keys.at(moment).is_none()),
            evidence,
            failures: view
                .sources
                .iter()
                .filter(|source| source.up == Some(false))
                .filter_map(|source| {
                    let (at, failure) = source.last_failure.as_ref()?;
                    Some((
                        words::source(source.source),
                        words::reason(failure.reason),
                        *at,
                    ))
                })
                .collect(),
            next_step: findings.worst().map_or("", Finding::next_step),
        }
    }
}

/// `1 active, 1 inactive`.
fn keys_in_words(view: &AccountView, moment: Moment) -> String {
    if !view.account.partition().has_root_credentials() {
        return "no root credentials in China".to_owned();
    }
    let value = |figure: Option<root_posture::Metric>| figure?.at(moment);
    match (
        value(view.posture.keys_active),
        value(view.posture.keys_present),
    ) {
        (None, _) => "not known".to_owned(),
        (Some(active), present) => {
            let inactive = present.unwrap_or(active).saturating_sub(active);
            match (active, inactive) {
                (0, 0) => "none".to_owned(),
                (0, inactive) => format!("{inactive} inactive"),
                (active, 0) => format!("{active} active"),
                (active, inactive) => format!("{active} active, {inactive} inactive"),
            }
        }
    }
}
