//! `--config.check --online`: tries every account once and asks about the queue of events, prints what
//! is missing, and how many calls to AWS a day the configuration causes. It takes no message.

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

use super::accounts::for_each;
use super::output::{FAILED, print, shown};
use super::table::{Cell, Row, table};
use super::{usage, wire};
use crate::account::{Access, Account};
use crate::aws::queue::Queue;
use crate::clock::Clock;
use crate::config::Config;
use crate::discovery::{self, Found};
use crate::failure::Failure;
use crate::schedule::{self, Absent};
use root_posture::Source;

const HEADER: [&str; 6] = [
    "ACCOUNT",
    "NAME",
    "READ BY",
    "REPORT",
    "SUMMARY",
    "ROOT SESSION",
];

/// Tries every account once and prints the results. Exits with 0 when every source of every account
/// and the queue of events work, else with 1.
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
    let queue_works = match queue(&config) {
        None => true,
        Some(queue) => {
            let waiting = aws.messages_waiting(&queue).await;
            let url = shown(&queue.url);
            let _ = match &waiting {
                Ok(count) => writeln!(report, "events    {url}: readable, about {count} messages"),
                Err(failure) => {
                    let failure = shown(&failure.to_string());
                    writeln!(report, "events    {url} cannot be read: {failure}")
                }
            };
            waiting.is_ok()
        }
    };
    let Found {
        list,
        failure,
        units_failure,
    } = discovery::once(&config, &aws, &clock).await;
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
    if let Some(failure) = &units_failure {
        let failure = shown(&failure.to_string());
        let _ = writeln!(
            report,
            "units     the organizational units cannot be read (organization.details): {failure}\n"
        );
    }
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
    report.push_str(&usage::describe(&config, &list));
    let printed = print(&report);
    if is_known && queue_works && units_failure.is_none() && good == total {
        printed
    } else {
        ExitCode::from(FAILED)
    }
}

/// The queue of events, if there is one.
fn queue(config: &Config) -> Option<Queue> {
    let queue = config.events.queue.as_ref()?;
    Some(Queue {
        url: queue.as_str().to_owned(),
        region: queue.region.clone(),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;

    #[test]
    fn a_failure_that_sources_share_is_printed_once() {
        let account = Arc::new(Account {
            id: "000000000001".parse().unwrap(),
            name: String::new(),
            region: "us-east-1".to_owned(),
            access: Some(Access::Caller),
            root_session: false,
            labels: Arc::default(),
            exceptions: Arc::default(),
            details: Arc::default(),
        });
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
