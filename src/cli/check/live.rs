//! Polls accounts for `check` and `remediate`.

use std::sync::Arc;

use super::checked::{Checked, CheckedAccount};
use crate::account::Account;
use crate::aws::Aws;
use crate::cli::accounts::for_each;
use crate::cli::wire;
use crate::clock::Clock;
use crate::config::Config;
use crate::discovery::{self, Found};
use crate::schedule;
use tracing::warn;

/// Polls all accounts that are configured or found. A list of accounts that cannot be read is an
/// entry of its own.
pub(super) async fn accounts(config: &Config, clock: &Clock) -> Vec<Checked> {
    let aws = wire::aws(config, clock, None, None).await;
    let Found {
        list,
        failure,
        units_failure,
    } = discovery::once(config, &aws, clock).await;
    if let Some(failure) = units_failure {
        // Nothing that is checked depends on them.
        warn!(reason = %failure.reason, error = failure.message,
            "the organizational units cannot be read");
    }
    let mut checked = Vec::new();
    if let Some(failure) = failure {
        let (what, why) = if config.organization.enabled {
            let why = format!("its accounts cannot be listed: {failure}");
            ("organization", why)
        } else {
            ("caller", failure.to_string())
        };
        checked.push(Checked::Unread {
            what: what.to_owned(),
            why,
            next: "give AWS credentials as for any AWS tool, or name accounts and roles in the \
                   configuration",
            is_report: false,
        });
    }
    let settings = schedule::settings_once(&wire::schedule(config));
    let views = for_each(list.accounts, settings.concurrency, |account| {
        schedule::once(aws.clone(), clock.clone(), account, settings)
    })
    .await;
    let accounts = views
        .into_iter()
        .map(|view| CheckedAccount::live(view, clock));
    checked.extend(accounts.map(|account| Checked::Account(Box::new(account))));
    checked
}

/// Polls one account.
pub(in crate::cli) async fn account(
    aws: &Aws,
    clock: &Clock,
    account: Account,
    config: &Config,
) -> CheckedAccount {
    let settings = schedule::settings_once(&wire::schedule(config));
    let view = schedule::once(aws.clone(), clock.clone(), Arc::new(account), settings).await;
    CheckedAccount::live(view, clock)
}
