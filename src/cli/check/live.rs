//! Live evidence: every account that is configured or found, looked at now.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::seen::{Checked, Seen};
use crate::account::Account;
use crate::aws::{self, Aws};
use crate::cli::serve;
use crate::clock::Clock;
use crate::config::Config;
use crate::discovery;
use crate::schedule::{self, Settings};
use crate::views::AccountView;

/// Looks at all accounts. Each is one that was seen, or something that could not be judged.
pub(super) async fn look(config: &Config, clock: &Clock) -> Vec<Checked> {
    let aws = Aws::new(
        &aws::Settings {
            region: config.aws.region.clone(),
            region_from: config.aws.region_from.clone(),
            profile: config.aws.profile.clone(),
            timeout: config.refresh.timeout,
            stand_in: None,
        },
        Arc::new(()),
        clock.clone(),
    )
    .await;
    let aws = Arc::new(aws);
    let (list, failure) = discovery::once(config, &aws, clock).await;
    let mut checked: Vec<Checked> = failure
        .map(|failure| {
            let (what, why) = if config.organization.enabled {
                (
                    "organization",
                    format!("its accounts cannot be listed: {failure}"),
                )
            } else {
                ("caller", failure.to_string())
            };
            Checked::unread(
                what,
                why,
                "give AWS credentials as for any AWS tool, or name accounts \
                and roles in the configuration",
            )
        })
        .into_iter()
        .collect();
    let views = all(list.accounts, &aws, clock, settings(config)).await;
    let moment = clock.moment();
    checked.extend(
        views
            .into_iter()
            .map(|view| Checked::Account(Box::new(Seen::live(view, moment)))),
    );
    checked
}

/// One account as its own credentials or its role show it.
pub(in crate::cli) async fn account(
    aws: &Aws,
    clock: &Clock,
    account: Account,
    config: &Config,
) -> Seen {
    let view = schedule::once(
        aws.clone(),
        clock.clone(),
        Arc::new(account),
        settings(config),
    )
    .await;
    Seen::live(view, clock.moment())
}

fn settings(config: &Config) -> Settings {
    schedule::settings_once(&serve::settings(config))
}

/// Every account, as many at the same time as the configuration allows, in the order of their ids.
async fn all(
    accounts: Vec<Arc<Account>>,
    aws: &Aws,
    clock: &Clock,
    settings: Settings,
) -> Vec<AccountView> {
    let total = accounts.len();
    let mut progress = Progress::new(total);
    let mut waiting = accounts.into_iter();
    let mut looking = JoinSet::new();
    let mut views = Vec::with_capacity(total);
    loop {
        while looking.len() < settings.concurrency
            && let Some(account) = waiting.next()
        {
            looking.spawn(schedule::once(
                aws.clone(),
                clock.clone(),
                account,
                settings,
            ));
        }
        match looking.join_next().await {
            // An attempt that breaks off is a defect, and the account must not be lost for it.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            Some(Ok(view)) => views.push(view),
            None => break,
        }
        progress.show(views.len());
    }
    progress.clear();
    views.sort_by_key(|view| view.account.id);
    views
}

/// How far it is, for a person who waits; silent where nobody watches.
struct Progress {
    total: usize,
    is_shown: bool,
}

const BAR: usize = 30;

impl Progress {
    fn new(total: usize) -> Self {
        let is_shown = total > 1 && std::io::stderr().is_terminal();
        let progress = Self { total, is_shown };
        progress.show(0);
        progress
    }

    fn show(&self, done: usize) {
        if self.is_shown {
            let filled = done * BAR / self.total.max(1);
            let line = format!(
                "\r[{:<BAR$}] {done} of {} accounts",
                "#".repeat(filled),
                self.total
            );
            Self::write(&line);
        }
    }

    fn clear(&mut self) {
        if self.is_shown {
            Self::write(&format!("\r{}\r", " ".repeat(BAR + 40)));
        }
    }

    /// Whether it can be shown decides nothing.
    fn write(line: &str) {
        let mut err = std::io::stderr();
        let _ = err.write_all(line.as_bytes()).and_then(|()| err.flush());
    }
}
