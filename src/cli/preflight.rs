//! `--config.check --online`: tries every account once, says in words what is missing, and how
//! many calls to AWS a day the configuration makes.

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use unicode_width::UnicodeWidthStr;

use super::check::shown;
use crate::account::{Access, Account};
use crate::aws::{self, Aws};
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

/// Something to do did not work.
const MISSING: u8 = 1;

/// Tries every account once and prints what came of it. Exits with 0 when every source of every
/// account works, else with 1.
pub(super) async fn run(config: Config) -> ExitCode {
    let clock = Clock::system();
    let settings = aws::Settings {
        region: config.aws.region.clone(),
        region_from: config.aws.region_from.clone(),
        profile: config.aws.profile.clone(),
        timeout: config.refresh.timeout,
        stand_in: None,
    };
    let aws = Aws::new(&settings, Arc::new(()), clock.clone()).await;
    let mut report = String::new();
    let (region, from) = (&config.aws.region, &config.aws.region_from);
    let _ = writeln!(report, "Region    {} ({})", shown(region), shown(from));
    let caller = match aws.caller(&config.aws.region).await {
        Ok(caller) => {
            let _ = writeln!(report, "caller    {}", shown(&caller.arn));
            true
        }
        Err(failure) => {
            let _ = writeln!(report, "caller    {}", shown(&failure.to_string()));
            false
        }
    };
    let (list, failure) = discovery::once(&config, &aws, &clock).await;
    if let Some(failure) = failure {
        let failure = shown(&failure.to_string());
        let _ = writeln!(report, "accounts  cannot be listed: {failure}");
        super::print(&report);
        return ExitCode::from(MISSING);
    }
    let absent = |why| {
        list.absent
            .values()
            .filter(|absent| **absent == why)
            .count()
    };
    let _ = writeln!(
        report,
        "accounts  {} to watch, {} excluded, {} inactive, {} of other shards",
        list.accounts.len(),
        absent(Absent::Excluded),
        absent(Absent::Inactive),
        absent(Absent::OtherShard),
    );
    let tried = try_all(&config, &aws, &clock, &list).await;
    let good = tried.iter().filter(|tried| tried.works()).count();
    report.push('\n');
    report.push_str(&table(&tried));
    let _ = writeln!(
        report,
        "\n{good} of {} accounts can be read by every source.",
        tried.len()
    );
    report.push('\n');
    report.push_str(&calls_a_day(&config, &list).text());
    super::print(&report);
    if caller && good == tried.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(MISSING)
    }
}

/// What came of an account; a source is `None` where it is not in use.
struct Tried {
    account: Arc<Account>,
    sources: [Option<Result<(), Failure>>; 3],
}

impl Tried {
    fn new(account: Arc<Account>, tried: Vec<(Source, Result<(), Failure>)>) -> Self {
        let mut sources = [None, None, None];
        for (source, outcome) in tried {
            sources[source as usize] = Some(outcome);
        }
        Self { account, sources }
    }

    fn works(&self) -> bool {
        self.sources.iter().flatten().all(Result::is_ok)
    }

    /// How the account is entered, for people.
    fn way(&self) -> String {
        let own = self.account.access.as_ref().map(|access| match access {
            Access::Caller => "the caller's credentials".to_owned(),
            Access::Role { arn, .. } => {
                let name = arn
                    .split_once(":role/")
                    .map_or(arn.as_str(), |(_, name)| name);
                format!("role {name}")
            }
            Access::Profile(profile) => format!("profile {}", shown(profile)),
        });
        match (own, self.account.root_session) {
            (Some(own), true) => format!("{own}, root session"),
            (Some(own), false) => own,
            (None, _) => "root session".to_owned(),
        }
    }
}

async fn try_all(config: &Config, aws: &Aws, clock: &Clock, list: &AccountList) -> Vec<Tried> {
    let slots = Arc::new(Semaphore::new(config.refresh.concurrency));
    let settings = super::serve::settings(config);
    let mut trying = JoinSet::new();
    for account in &list.accounts {
        let (aws, account, slots) = (aws.clone(), Arc::clone(account), Arc::clone(&slots));
        let clock = clock.clone();
        trying.spawn(async move {
            // The semaphore is never closed; without a permit the account is tried all the same.
            let _slot = slots.acquire().await;
            let tried = schedule::try_sources(aws, clock, Arc::clone(&account), settings).await;
            Tried::new(account, tried)
        });
    }
    let mut tried = trying.join_all().await;
    tried.sort_by_key(|tried| tried.account.id);
    tried
}

fn table(tried: &[Tried]) -> String {
    let header = [
        "ACCOUNT",
        "NAME",
        "READ BY",
        "REPORT",
        "SUMMARY",
        "ROOT SESSION",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    for one in tried {
        let word = |source: &Option<Result<(), Failure>>| match source {
            None => "-".to_owned(),
            Some(Ok(())) => "ok".to_owned(),
            Some(Err(failure)) => failure.reason.to_string(),
        };
        let [report, summary, root] = &one.sources;
        rows.push([
            one.account.id.to_string(),
            shown(&one.account.name),
            one.way(),
            word(report),
            word(summary),
            word(root),
        ]);
    }
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let mut text = String::new();
    for (nth, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width + 2 - cell.width()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
        let Some(one) = nth.checked_sub(1).and_then(|nth| tried.get(nth)) else {
            continue;
        };
        // The same trouble of several sources is told once.
        let mut told: Vec<&str> = Vec::new();
        for failure in one
            .sources
            .iter()
            .flatten()
            .filter_map(|tried| tried.as_ref().err())
        {
            if !told.contains(&failure.message.as_str()) {
                told.push(&failure.message);
                let _ = writeln!(text, "    {}", shown(&failure.message));
            }
        }
    }
    text
}

/// Calls to AWS a day, each an event in somebody's CloudTrail.
#[derive(Debug, Default, PartialEq, Eq)]
struct Calls(Vec<(&'static str, u128)>);

impl Calls {
    fn text(&self) -> String {
        let total: u128 = self.0.iter().map(|(_, count)| count).sum();
        let mut text = format!(
            "About {total} AWS calls a day, each an event in CloudTrail, when all is well:\n"
        );
        for (operation, count) in &self.0 {
            let _ = writeln!(text, "  {count:>10}  {operation}");
        }
        text
    }
}

/// What the schedule asks in a day when nothing fails and nothing changes.
fn calls_a_day(config: &Config, list: &AccountList) -> Calls {
    let times = |every: Duration| DAY.as_nanos().div_ceil(every.as_nanos().max(1));
    let settings = super::serve::settings(config);
    let count = |is: &dyn Fn(&Account) -> bool| {
        u128::try_from(list.accounts.iter().filter(|account| is(account)).count()).unwrap_or(0)
    };
    let looks = times(config.refresh.interval);
    let uses = |account: &Account, source| settings.sources.uses(account, source);
    let reports = count(&|account| uses(account, Source::CredentialReport));
    let summaries = count(&|account| uses(account, Source::AccountSummary));
    let roots = count(&|account| uses(account, Source::RootSession));
    let roots_alone = count(&|account| {
        uses(account, Source::RootSession) && !uses(account, Source::AccountSummary)
    });
    let roles = count(&|account| matches!(account.access, Some(Access::Role { .. })));
    let sessions = times(ROOT_SESSION.max(config.refresh.interval));
    // AWS makes a report every four hours; it is asked twice before it is there.
    let periods = times(Duration::from_secs(4 * 3600));
    let mut calls = vec![
        ("iam:GetAccountSummary", (summaries + roots_alone) * looks),
        ("iam:ListAccessKeys", roots * looks),
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
        let pages = u128::try_from(all.div_ceil(PAGE)).unwrap_or(0);
        calls.push((
            "organizations:ListAccounts",
            pages * times(config.organization.interval),
        ));
        calls.push((
            "iam:ListOrganizationsFeatures",
            times(config.organization.interval),
        ));
        if !config.organization.tag_labels.is_empty() {
            calls.push((
                "organizations:ListTagsForResource",
                u128::try_from(list.accounts.len()).unwrap_or(0),
            ));
        }
    }
    calls.retain(|(_, count)| *count > 0);
    Calls(calls)
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

    fn count(calls: &Calls, operation: &str) -> Option<u128> {
        let found = calls.0.iter().find(|(name, _)| *name == operation);
        found.map(|(_, count)| *count)
    }

    #[test]
    fn a_look_is_one_call_and_with_a_root_session_two() {
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
    fn trouble_is_told_below_its_account_once() {
        let account = Arc::clone(&list(1, Some(&Access::Caller), false).accounts[0]);
        let failure = || Failure::new(Reason::AccessDenied, "iam: denied\u{1b}[31m");
        let text = table(&[Tried {
            account,
            sources: [Some(Err(failure())), Some(Err(failure())), None],
        }]);
        assert_eq!(text.matches("iam: denied").count(), 1);
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
