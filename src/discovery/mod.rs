//! Which accounts are watched: those the configuration lists, or the caller's own.
//!
//! The list is handed to the schedule through a channel, so that it can come late (AWS must say
//! who the caller is) and change.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::account::{Access, Account, AccountId};
use crate::aws::Aws;
use crate::clock::Clock;
use crate::config::Config;
use crate::refresh::{AccountList, Accounts, Backoff};

/// Finds out which accounts to watch, and goes on as long as that can change.
#[derive(Debug)]
pub struct Discovery {
    sender: watch::Sender<Option<AccountList>>,
    region: String,
    interval: Duration,
    /// What is left to find out.
    task: Task,
}

#[derive(Debug)]
enum Task {
    /// The configuration has said it all.
    Done,
    /// AWS must say who the caller is.
    Caller,
}

impl Discovery {
    /// Begins with what the configuration says, and with the caller's account as the state file
    /// remembers it. Asks nobody yet.
    #[must_use]
    pub fn new(config: &Config, remembered: Option<AccountId>) -> (Self, Accounts) {
        let region = config.aws.region.clone();
        let (first, task) = if config.accounts.is_empty() {
            // Until AWS has answered; it may be away, and what is known must not be.
            let list = remembered.map(|id| own(id, &region, false));
            (list, Task::Caller)
        } else {
            let list = AccountList {
                accounts: config.accounts.iter().cloned().map(Arc::new).collect(),
                caller: None,
                confirmed: true,
            };
            (Some(list), Task::Done)
        };
        let (sender, accounts) = watch::channel(first);
        let discovery = Self {
            sender,
            region,
            interval: config.refresh.interval,
            task,
        };
        (discovery, accounts)
    }

    /// Finds out the rest. Returns when nothing is left that could change.
    pub async fn run(self, aws: &Aws, clock: &Clock) {
        match self.task {
            Task::Done => {}
            Task::Caller => self.find_caller(aws, clock).await,
        }
        // The list stays what it is; the channel stays open for who reads it.
        self.sender.closed().await;
    }

    async fn find_caller(&self, aws: &Aws, clock: &Clock) {
        let backoff = Backoff::live(self.interval);
        let mut failures = 0;
        loop {
            match aws.caller(&self.region).await {
                Ok(caller) => {
                    info!(account = %caller.account, arn = caller.arn,
                        "no accounts are configured; watching the caller's own");
                    self.sender
                        .send_replace(Some(own(caller.account, &self.region, true)));
                    return;
                }
                Err(failure) => {
                    failures += 1;
                    if failures == 1 {
                        warn!(reason = %failure.reason, error = failure.message,
                            "cannot tell whose account to watch; trying again");
                    }
                }
            }
            let pause = backoff.pause(failures, fastrand::f64());
            clock.sleep_until(clock.moment() + pause).await;
        }
    }
}

fn own(id: AccountId, region: &str, confirmed: bool) -> AccountList {
    AccountList {
        accounts: vec![Arc::new(Account {
            id,
            name: String::new(),
            region: region.to_owned(),
            access: Access::Caller,
            labels: std::collections::BTreeMap::new(),
        })],
        caller: Some(id),
        confirmed,
    }
}
