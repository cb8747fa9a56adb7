//! `--config.check --online`: tries every account once, prints what is missing, and how many calls
//! to AWS a day the configuration causes.

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::accounts::for_each;
use super::output::{FAILED, print, shown};
use super::table::{Cell, Row, table};
use super::wire;
use crate::account::{Access, Account};
use crate::clock::Clock;
use crate::config::Config;
use crate::discovery;
use crate::failure::Failure;
use crate::schedule::{self, Absent, AccountList};
use root_posture::Source;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long sessions are used before they are renewed: two thirds of a role session's hour and of
/// a root session's quarter of an hour.
const ROLE_SESSION: Duration = Duration::from_secs(40 * 60);
const ROOT_SESSION: Duration = Duration::from_secs(10 * 60);

/// Accounts on a page of organizations:ListAccounts.
const PAGE: usize = 20;

const HEADER: [&str; 6] = [
    "ACCOUNT",
    "NAME",
    "READ BY",
    "REPORT",
    "SUMMARY",
    "ROOT SESSION",
];

/// Tries every account once and prints the results. Exits with 0 when every source of every account
/// works, else with 1.
pub(super) async fn run(config: Config) -> ExitCode {
    let clock = Clock::system();
    let aws = wire::aws(&config, &clock, None, None).await;
    let mut report = String::new();
    let (region, from) = (&config.aws.region, &config.aws.region_from);
    // Writing to a string cannot fail.
    let _ = writeln!(report, "Region    {} ({})", shown(region), shown(from));
    let caller = aws.caller().await;
    let is_known = caller.is_ok();
    let caller = caller.map_or_else(|failure| failure.to_string(), |caller| caller.arn);
    let _ = writeln!(report, "caller    {}", shown(&caller));
    let (list, failure) = discovery::once(&config, &aws, &clock).await;
    if let Some(failure) = failure {
        let failure = shown(&failure.to_string());
        let _ = writeln!(report, "accounts  cannot be listed: {failure}");
        print(&report);
        return ExitCode::from(FAILED);
    }
    let absent = |why| list.absent.values().filter(|it| **it == why).count();
    let _ = writeln!(
        report,
        "accounts  {} to watch, {} excluded, {} inactive, {} of other shards\n",
        list.accounts.len(),
        absent(Absent::Excluded),
        absent(Absent::Inactive),
        absent(Absent::OtherShard),
    );
    let settings = wire::schedule(&config);
    let accounts = list.accounts.clone();
    let tried = for_each(accounts, settings.concurrency, |account| {
        let (aws, clock) = (aws.clone(), clock.clone());
        async move {
            let sources = schedule::try_sources(aws, clock, Arc::clone(&account), settings).await;
            Tried { account, sources }
        }
    })
    .await;
    let good = tried.iter().filter(|tried| tried.works()).count();
    let rows: Vec<_> = tried.iter().map(Tried::row).collect();
    report.push_str(&table(HEADER, &rows));
    let total = tried.len();
    let _ = writeln!(
        report,
        "\n{good} of {total} accounts can be read by every source.\n"
    );
    let calls = calls_a_day(&config, &list);
    let sum: u128 = calls.iter().map(|(_, count)| count).sum();
    let _ = writeln!(
        report,
        "About {sum} AWS calls a day, each an event in CloudTrail, when all is well:"
    );
    for (operation, count) in calls {
        let _ = writeln!(report, "  {count:>10}  {operation}");
    }
    let printed = print(&report);
    if is_known && good == total {
        printed
    } else {
        ExitCode::from(FAILED)
    }
}

/// The result for an account, by source in use.
struct Tried {
    account: Arc<Account>,
    sources: Vec<(Source, Result<(), Failure>)>,
}

impl Tried {
    fn works(&self) -> bool {
        self.sources.iter().all(|(_, result)| result.is_ok())
    }

    /// How the account is read.
    fn access(&self) -> String {
        let own = self.account.access.as_ref().map(|access| match access {
            Access::Caller => "the caller's credentials".to_owned(),
            Access::Role { arn, .. } => {
                let name = arn.split_once(":role/").map_or(&**arn, |(_, name)| name);
                format!("role {name}")
            }
            Access::Profile(profile) => format!("profile {profile}"),
        });
        match (own, self.account.root_session) {
            (Some(own), true) => format!("{own}, root session"),
            (Some(own), false) => own,
            (None, _) => "root session".to_owned(),
        }
    }

    fn row(&self) -> Row<6> {
        let word = |source| {
            let result = self.sources.iter().find(|(tried, _)| *tried == source);
            match result {
                None => Cell::from("-"),
                Some((_, Ok(()))) => Cell::from("ok"),
                Some((_, Err(failure))) => Cell::from(failure.reason.as_str()),
            }
        };
        // A failure that several sources share is printed once.
        let mut details: Vec<String> = Vec::new();
        for failure in self
            .sources
            .iter()
            .filter_map(|(_, result)| result.as_ref().err())
        {
            if !details.contains(&failure.message) {
                details.push(failure.message.clone());
            }
        }
        Row {
            cells: [
                Cell::from(self.account.id.to_string()),
                Cell::from(&self.account.name),
                Cell::from(self.access()),
                word(Source::CredentialReport),
                word(Source::AccountSummary),
                word(Source::RootSession),
            ],
            details,
        }
    }
}

/// The calls of a day on which nothing fails and nothing changes, by operation.
fn calls_a_day(config: &Config, list: &AccountList) -> Vec<(&'static str, u128)> {
    let times = |every: Duration| DAY.as_nanos().div_ceil(every.as_nanos().max(1));
    let settings = wire::schedule(config);
    let count = |is: &dyn Fn(&Account) -> bool| {
        list.accounts.iter().filter(|account| is(account)).count() as u128
    };
    let polls = times(config.refresh.interval);
    let uses = |account: &Account, source| settings.sources.uses(account, source);
    let reports = count(&|account| uses(account, Source::CredentialReport));
    let roots = count(&|account| uses(account, Source::RootSession));
    let summaries = count(&|account| {
        uses(account, Source::AccountSummary) || uses(account, Source::RootSession)
    });
    let roles = count(&|account| matches!(account.access, Some(Access::Role { .. })));
    let sessions = times(ROOT_SESSION.max(config.refresh.interval));
    // AWS makes a report every four hours, which takes two calls to GenerateCredentialReport.
    let periods = times(Duration::from_secs(4 * 3600));
    let mut calls = vec![
        ("iam:GetAccountSummary", summaries * polls),
        ("iam:ListAccessKeys", roots * polls),
        ("iam:GenerateCredentialReport", reports * periods * 2),
        ("iam:GetCredentialReport", reports * periods),
        (
            "sts:AssumeRole",
            roles * times(ROLE_SESSION.max(config.refresh.interval)),
        ),
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
    }
    calls.retain(|(_, count)| *count > 0);
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;

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
                    })
                })
                .collect(),
            ..AccountList::default()
        }
    }

    fn count(calls: &[(&str, u128)], operation: &str) -> Option<u128> {
        let found = calls.iter().find(|(name, _)| *name == operation);
        found.map(|(_, count)| *count)
    }

    #[test]
    fn a_poll_is_one_call_and_with_a_root_session_two() {
        let config = Config::default();
        let role = Access::Role {
            arn: "arn:aws:iam::000000000001:role/x".to_owned(),
            external_id: None,
        };
        let by_role = calls_a_day(&config, &list(10, Some(&role), false));
        assert_eq!(count(&by_role, "iam:GetAccountSummary"), Some(14_400));
        assert_eq!(count(&by_role, "iam:ListAccessKeys"), None);
        assert_eq!(count(&by_role, "iam:GetCredentialReport"), Some(60));
        let by_root = calls_a_day(&config, &list(10, None, true));
        assert_eq!(count(&by_root, "iam:GetAccountSummary"), Some(14_400));
        assert_eq!(count(&by_root, "iam:ListAccessKeys"), Some(14_400));
        assert_eq!(count(&by_root, "iam:GetCredentialReport"), None);
        let by_both = calls_a_day(&config, &list(10, Some(&role), true));
        assert_eq!(count(&by_both, "iam:GetAccountSummary"), Some(14_400));
        assert_eq!(count(&by_both, "iam:ListAccessKeys"), Some(14_400));
    }

    #[test]
    fn a_failure_that_sources_share_is_printed_once() {
        let account = Arc::clone(&list(1, Some(&Access::Caller), false).accounts[0]);
        let failure = || Failure::new(Reason::AccessDenied, "iam: denied");
        let tried = Tried {
            account,
            sources: vec![
                (Source::CredentialReport, Err(failure())),
                (Source::AccountSummary, Err(failure())),
            ],
        };
        assert_eq!(tried.row().details, ["iam: denied"]);
    }
}
