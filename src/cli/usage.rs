//! How many calls to AWS a day a configuration causes, and what they cost.
//!
//! Each call is an event of `CloudTrail`, which `CloudTrail` itself delivers free of charge; the services
//! that read these events charge for them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use super::wire;
use crate::account::{Access, Account};
use crate::config::{Config, Detail};
use crate::schedule::{Absent, AccountList};
use root_posture::Source;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The days of a month on a bill.
const MONTH: u128 = 30;

/// How long sessions are used before they are renewed: two thirds of a role session's hour and of
/// a root session's quarter of an hour.
const ROLE_SESSION: Duration = Duration::from_secs(40 * 60);
const ROOT_SESSION: Duration = Duration::from_secs(10 * 60);

/// Accounts on a page of organizations:ListAccounts.
const PAGE: usize = 20;

/// The operation that every poll makes, and whose event comes back.
const POLL: &str = "iam:GetAccountSummary";

/// Where the prices are from.
const PRICES: &str = "docs/performance.md, us-east-1, June 2026";

/// Prices in USD cents a million, of `docs/performance.md`, which has their sources.
const EVENTBRIDGE: u128 = 100;
const SQS: u128 = 40;

/// The same, of what charges for each call, wherever it is in use.
const READERS: [(&str, u128); 3] = [
    ("GuardDuty, where it is on", 400),
    ("a second trail, where there is one", 2_000),
    ("a SIEM, at an assumed 4 USD a GB", 640),
];

/// A message costs up to three requests: it is sent, received and deleted. Both of the latter take up to
/// ten messages at once, when there are as many.
const REQUESTS: u128 = 3;

/// Long polls of a queue that is empty all day.
const EMPTY_POLLS: u128 = 24 * 3600 / 20;

/// The calls of a day and what they cost, and the same with events where there is a queue of them.
pub(super) fn describe(config: &Config, list: &AccountList) -> String {
    let mut text = String::new();
    let calls = calls_a_day(config, list, config.refresh.interval);
    let alone = total(&calls);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "About {alone} AWS calls a day, each an event in CloudTrail, when all is well:"
    );
    for (operation, count) in &calls {
        let _ = writeln!(text, "  {count:>10}  {operation}");
    }
    let mut columns = vec![("polls alone", alone)];
    let mut of_events = Vec::new();
    if config.events.queue.is_some() {
        let relaxed = calls_a_day(config, list, config.events.relaxed_interval);
        let pushed = total(&relaxed);
        let echoes = count(&relaxed, POLL);
        // The queue of a shard gets the events of all shards.
        let others = list.absent.values();
        let others = others.filter(|why| **why == Absent::OtherShard).count() as u128;
        let own = (list.accounts.len() as u128).max(1);
        let messages = (echoes * (own + others)).div_ceil(own);
        let _ = writeln!(
            text,
            "\nAbout {pushed} AWS calls a day while the events of every account are verified to arrive: \
             {echoes} polls, whose\nevents come back as messages, {messages} a day in this queue."
        );
        columns.push(("with events", pushed));
        of_events = vec![
            ("EventBridge, events to the bus", echoes * EVENTBRIDGE),
            ("SQS, requests", queue(messages)),
        ];
    }
    let _ = writeln!(text, "\nUSD a month ({PRICES}):");
    let heads: String = columns.iter().map(|(head, _)| cell(head)).collect();
    let _ = writeln!(text, "{heads}");
    for (name, price) in READERS {
        let costs: String = columns
            .iter()
            .map(|(_, calls)| cell(&usd(calls * price)))
            .collect();
        let _ = writeln!(text, "{costs}  {name}");
    }
    for (name, cost) in of_events {
        let _ = writeln!(text, "{}{}  {name}", cell(&usd(0)), cell(&usd(cost)));
    }
    text
}

/// A cell of the table of costs.
fn cell(text: &str) -> String {
    format!("  {text:>12}")
}

/// What so many messages a day cost in a queue, in millionths of a cent.
fn queue(messages: u128) -> u128 {
    (messages * REQUESTS + EMPTY_POLLS) * SQS
}

/// A month's price in USD of what costs so many millionths of a cent a day.
fn usd(daily: u128) -> String {
    let cents = (daily * MONTH).div_ceil(1_000_000);
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn total(calls: &[(&str, u128)]) -> u128 {
    calls.iter().map(|(_, count)| count).sum()
}

fn count(calls: &[(&str, u128)], operation: &str) -> u128 {
    let found = calls.iter().find(|(name, _)| *name == operation);
    found.map_or(0, |(_, count)| *count)
}

/// The calls of a day on which nothing fails and nothing changes, by operation, with so much time
/// between two polls.
fn calls_a_day(
    config: &Config,
    list: &AccountList,
    interval: Duration,
) -> Vec<(&'static str, u128)> {
    let times = |every: Duration| DAY.as_nanos().div_ceil(every.as_nanos().max(1));
    let settings = wire::schedule(config);
    let accounts = |is: &dyn Fn(&Account) -> bool| {
        list.accounts.iter().filter(|account| is(account)).count() as u128
    };
    let polls = times(interval);
    let uses = |account: &Account, source| settings.sources.uses(account, source);
    let reports = accounts(&|account| uses(account, Source::CredentialReport));
    let roots = accounts(&|account| uses(account, Source::RootSession));
    let summaries = accounts(&|account| {
        uses(account, Source::AccountSummary) || uses(account, Source::RootSession)
    });
    let roles = accounts(&|account| matches!(account.access, Some(Access::Role { .. })));
    let sessions = times(ROOT_SESSION.max(interval));
    // AWS makes a report every four hours, which takes two calls to GenerateCredentialReport.
    let periods = times(Duration::from_secs(4 * 3600));
    let mut calls = vec![
        (POLL, summaries * polls),
        ("iam:ListAccessKeys", roots * polls),
        ("iam:GenerateCredentialReport", reports * periods * 2),
        ("iam:GetCredentialReport", reports * periods),
        ("sts:AssumeRole", roles * times(ROLE_SESSION.max(interval))),
        ("sts:AssumeRoot", roots * sessions),
        ("sts:GetCallerIdentity", roots * sessions + 1),
        (
            "iam:GetLoginProfile, ListMFADevices, ListSigningCertificates",
            roots * sessions * 3,
        ),
    ];
    if config.organization.enabled {
        let all = list.accounts.len() + list.absent.len();
        let pages = all.div_ceil(PAGE) as u128;
        let lists = times(config.organization.interval);
        calls.push(("organizations:ListAccounts", pages * lists));
        calls.push(("iam:ListOrganizationsFeatures", lists));
        if !config.organization.tag_labels.is_empty() {
            let accounts = list.accounts.len() as u128;
            calls.push(("organizations:ListTagsForResource", accounts));
        }
        if config.organization.details.contains(&Detail::Ou) {
            let paths = list
                .accounts
                .iter()
                .filter_map(|it| it.details.ou.as_deref());
            let units = paths.collect::<BTreeSet<_>>().len() as u128;
            calls.push((
                "organizations:ListAccountsForParent, ListOrganizationalUnitsForParent, ListRoots",
                2 * units + pages + 1,
            ));
        }
    }
    calls.retain(|(_, count)| *count > 0);
    calls
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Overrides;

    fn list(count: u64, access: Option<&Access>, root_session: bool) -> AccountList {
        AccountList {
            accounts: (1..=count)
                .map(|number| {
                    Arc::new(Account {
                        id: format!("{number:012}").parse().unwrap(),
                        name: String::new(),
                        region: "us-east-1".to_owned(),
                        access: access.cloned(),
                        root_session,
                        labels: Arc::default(),
                        exceptions: Arc::default(),
                        details: Arc::default(),
                    })
                })
                .collect(),
            ..AccountList::default()
        }
    }

    #[test]
    fn a_poll_is_one_call_and_with_a_root_session_two() {
        let (config, minute) = (Config::default(), Duration::from_secs(60));
        let role = Access::Role {
            arn: "arn:aws:iam::000000000001:role/x".to_owned(),
            external_id: None,
        };
        let by_role = calls_a_day(&config, &list(10, Some(&role), false), minute);
        assert_eq!(count(&by_role, "iam:GetAccountSummary"), 14_400);
        assert_eq!(count(&by_role, "iam:ListAccessKeys"), 0);
        assert_eq!(count(&by_role, "iam:GetCredentialReport"), 60);
        let by_root = calls_a_day(&config, &list(10, None, true), minute);
        assert_eq!(count(&by_root, "iam:GetAccountSummary"), 14_400);
        assert_eq!(count(&by_root, "iam:ListAccessKeys"), 14_400);
        assert_eq!(count(&by_root, "iam:GetCredentialReport"), 0);
        let by_both = calls_a_day(&config, &list(10, Some(&role), true), minute);
        assert_eq!(count(&by_both, "iam:GetAccountSummary"), 14_400);
        assert_eq!(count(&by_both, "iam:ListAccessKeys"), 14_400);
    }

    /// A configuration with a queue.
    fn with_queue() -> Config {
        let variable = "AWS_ROOT_EXPORTER__EVENTS__QUEUE_URL";
        let url = "https://sqs.us-east-1.amazonaws.com/111122223333/aws-root-exporter-{shard}";
        let variables = [(variable.into(), url.into())];
        crate::config::load(None, variables, &Overrides::default(), &()).unwrap()
    }

    fn role() -> Access {
        Access::Role {
            arn: "arn:aws:iam::000000000001:role/x".to_owned(),
            external_id: None,
        }
    }

    #[test]
    fn without_a_queue_nothing_is_said_of_events() {
        let text = describe(&Config::default(), &list(10, Some(&role()), false));
        assert!(text.starts_with("About 14941 AWS calls a day"), "{text}");
        assert!(text.contains("\n          1.80  GuardDuty"), "{text}");
        assert!(
            !text.contains("with events") && !text.contains("SQS"),
            "{text}"
        );
    }

    #[test]
    fn events_save_nine_of_ten_calls_and_cost_less_than_they_save() {
        let text = describe(&with_queue(), &list(10_000, Some(&role()), false));
        for line in [
            "About 14940001 AWS calls a day",
            "About 1500001 AWS calls a day while",
            "960000 polls",
            "960000 a day in this queue",
            "       1792.81        180.01  GuardDuty",
            "       8964.01        900.01  a second trail",
            "       2868.49        288.01  a SIEM",
            "          0.00         28.80  EventBridge",
            "          0.00         34.62  SQS",
        ] {
            assert!(text.contains(line), "no {line:?} in:\n{text}");
        }
    }

    #[test]
    fn a_shard_s_queue_gets_the_events_of_all_shards() {
        let others = (11..=30).map(|number| {
            let id = format!("{number:012}").parse().unwrap();
            (id, Absent::OtherShard)
        });
        let list = AccountList {
            absent: Arc::new(others.collect()),
            ..list(10, Some(&role()), false)
        };
        let text = describe(&with_queue(), &list);
        assert!(text.contains("960 polls"), "{text}");
        assert!(text.contains("2880 a day in this queue"), "{text}");
    }

    /// The costs in the document: of each kind of configuration, without and with events.
    #[test]
    fn the_document_has_the_same_prices_and_costs() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
        let document = std::fs::read_to_string(document).unwrap();
        let date = PRICES.strip_prefix("docs/performance.md, ").unwrap();
        assert!(document.contains(date), "no {date}");
        for (service, price) in [
            ("GuardDuty", READERS[0].1),
            ("second trail", READERS[1].1),
            ("SIEM", READERS[2].1),
            ("EventBridge", EVENTBRIDGE),
            ("SQS", SQS),
        ] {
            let row = format!("| {service} | {}.{:02} |", price / 100, price % 100);
            assert!(document.contains(&row), "no row {row}");
        }
        let dollars = |daily: u128| grouped((daily * MONTH + 50_000_000) / 100_000_000);
        let config = with_queue();
        let mut table = String::new();
        for accounts in [10, 100, 1_000, 10_000] {
            for (by, role, root) in [
                ("role", Some(&role()), false),
                ("root", None, true),
                ("both", Some(&role()), true),
            ] {
                let list = list(accounts, role, root);
                let calls = |interval| calls_a_day(&config, &list, interval);
                let alone = total(&calls(config.refresh.interval)) - 1;
                let relaxed = calls(config.events.relaxed_interval);
                let (pushed, echoes) = (total(&relaxed) - 1, count(&relaxed, POLL));
                let _ = write!(
                    table,
                    "| {} | {by} | {} / {} ",
                    grouped(accounts.into()),
                    grouped(alone),
                    grouped(pushed)
                );
                for (_, price) in READERS {
                    let _ = write!(
                        table,
                        "| {} / {} ",
                        dollars(alone * price),
                        dollars(pushed * price)
                    );
                }
                let added = echoes * EVENTBRIDGE + queue(echoes);
                let _ = writeln!(table, "| 0 / {} |", dollars(added));
            }
        }
        assert!(
            document.contains(&table),
            "docs/performance.md must have:\n{table}"
        );
    }

    /// With commas between the thousands.
    fn grouped(number: u128) -> String {
        crate::advice::words::grouped(usize::try_from(number).unwrap())
    }
}
