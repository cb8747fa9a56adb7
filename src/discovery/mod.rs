//! Which accounts are watched: those the configuration lists, those of the organization, or the
//! caller's own; and of those, this shard's.
//!
//! The list is handed to the schedule through a channel, so that it can come late (AWS must say
//! who the caller is) and change. A list that cannot be read changes nothing.

mod list;
mod organization;
mod shard;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::account::AccountId;
use crate::aws::Aws;
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::config::Config;
use crate::failure::{Failure, Reason};
use crate::schedule::{AccountList, Orders, Settings};
use crate::views::{KnownOrganization, Views};
use root_posture::Moment;

use list::{Known, assemble};
use organization::Scale;

/// How often the tags of an account are read again.
const TAGS_LAST: Duration = Duration::from_secs(24 * 3600);

/// How many accounts' tags are read at the same time.
const TAGS_AT_ONCE: usize = 4;

/// How long labels that were read wait for more of them, before they are shown together.
const TAGS_TOGETHER: Duration = Duration::from_secs(2);

/// What is wanted: a configuration, and how the schedule goes by it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Counted up by each reload.
    pub generation: u64,
    /// The configuration.
    pub config: Arc<Config>,
    /// The same, as the schedule reads it.
    pub settings: Settings,
}

/// Finds out which accounts to watch, and goes on as long as that can change.
#[derive(Debug)]
pub struct Discovery {
    wanted: watch::Receiver<Wanted>,
    orders: watch::Sender<Orders>,
    known: Known,
    scale: Scale,
    aws: Arc<Aws>,
    clock: Clock,
    store: Arc<Views>,
}

/// The accounts to watch, found out once. `None` for the list where nothing could be found out; a
/// failure beside a list says that it is not the whole.
pub async fn once(
    config: &Config,
    aws: &Aws,
    clock: &Clock,
) -> (Option<AccountList>, Option<Failure>) {
    let mut known = Known::default();
    let failure = find_out(config, aws, clock, &mut known).await.err();
    (assemble(config, &known), failure)
}

async fn find_out(
    config: &Config,
    aws: &Aws,
    clock: &Clock,
    known: &mut Known,
) -> Result<(), Failure> {
    if !config.organization.enabled && !config.accounts.is_empty() {
        return Ok(());
    }
    known.caller = Some(aws.caller(&config.aws.region).await?.account);
    known.caller_confirmed = true;
    if config.organization.enabled {
        let listed = organization::read(aws, clock, &config.aws.region).await?;
        let weighed = Scale::default().weigh(None, listed);
        known.organization = Some(Arc::new(weighed.organization));
        known.organization_confirmed = true;
    }
    Ok(())
}

impl Discovery {
    /// Begins with what the configuration says and the state file remembers. Asks nobody yet.
    #[must_use]
    pub fn new(
        wanted: watch::Receiver<Wanted>,
        caller: Option<AccountId>,
        organization: Option<Arc<KnownOrganization>>,
        aws: Arc<Aws>,
        clock: Clock,
        store: Arc<Views>,
    ) -> (Self, watch::Receiver<Orders>) {
        let known = Known {
            caller,
            organization,
            ..Known::default()
        };
        let first = orders(&wanted.borrow(), &known);
        let (sender, orders) = watch::channel(first);
        let discovery = Self {
            wanted,
            orders: sender,
            known,
            scale: Scale::default(),
            aws,
            clock,
            store,
        };
        (discovery, orders)
    }

    /// Finds out the rest, and follows what is wanted, until nobody listens any more.
    pub async fn run(mut self) {
        let mut wanted = self.wanted.clone();
        loop {
            let now = wanted.borrow_and_update().clone();
            self.publish(&now);
            if !now.config.organization.enabled {
                self.store.exporter.note(|view| view.discovery = None);
            }
            tokio::select! {
                () = self.follow(&now) => {}
                changed = wanted.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    fn publish(&self, wanted: &Wanted) {
        self.orders.send_replace(orders(wanted, &self.known));
    }

    /// Keeps the list up to date under one configuration. Never ends.
    async fn follow(&mut self, wanted: &Wanted) {
        let config = &wanted.config;
        if config.organization.enabled {
            self.find_caller(wanted, config.organization.interval).await;
            loop {
                let next = self.clock.moment() + config.organization.interval;
                let next = self.read_organization(wanted).await.unwrap_or(next);
                self.read_tags(wanted, next).await;
                self.clock.sleep_until(next).await;
            }
        }
        if config.accounts.is_empty() {
            self.find_caller(wanted, config.refresh.interval).await;
        }
        std::future::pending::<()>().await;
    }

    /// Asks AWS who the caller is, until it answers.
    async fn find_caller(&mut self, wanted: &Wanted, interval: Duration) {
        let backoff = Backoff::live(interval);
        let mut failures = 0;
        while !self.known.caller_confirmed {
            match self.aws.caller(&wanted.config.aws.region).await {
                Ok(caller) => {
                    info!(account = %caller.account, arn = caller.arn, "this is the caller");
                    self.known.caller = Some(caller.account);
                    self.known.caller_confirmed = true;
                    self.publish(wanted);
                }
                Err(failure) => {
                    failures += 1;
                    if failures == 1 {
                        warn!(reason = %failure.reason, error = failure.message,
                            "cannot tell who the caller is; trying again");
                    }
                    if wanted.config.organization.enabled {
                        self.discovered(false);
                    }
                    self.pause(backoff, failures).await;
                }
            }
        }
    }

    async fn pause(&self, backoff: Backoff, failures: u32) {
        let pause = backoff.pause(failures, fastrand::f64());
        self.clock.sleep_until(self.clock.moment() + pause).await;
    }

    fn discovered(&self, worked: bool) {
        let now = self.clock.now();
        self.store.exporter.note(|view| {
            let last = view.discovery.and_then(|(_, last)| last);
            view.discovery = Some((worked, if worked { Some(now) } else { last }));
        });
    }

    /// Reads the organization's list until that works. When the next reading is due, where that is
    /// sooner than usual.
    async fn read_organization(&mut self, wanted: &Wanted) -> Option<Moment> {
        let interval = wanted.config.organization.interval;
        let backoff = Backoff::slow(interval);
        let region = &wanted.config.aws.region;
        let mut failures = 0;
        let list = loop {
            match organization::read(&self.aws, &self.clock, region).await {
                Ok(list) => break list,
                Err(failure) => {
                    failures += 1;
                    self.failed(&failure, failures);
                    self.pause(backoff, failures).await;
                }
            }
        };
        if failures > 0 {
            info!("the organization's accounts can be listed again");
        }
        self.discovered(true);
        let listed = list.len();
        let weighed = self.scale.weigh(self.known.organization.as_deref(), list);
        if let Some(lost) = weighed.doubted {
            warn!(
                listed,
                lost,
                "this list of the organization would lose more than a tenth of the accounts; they \
                 stay until a second list agrees"
            );
        }
        self.known.organization = Some(Arc::new(weighed.organization));
        self.known.organization_confirmed = true;
        self.publish(wanted);
        weighed.doubted.map(|_| self.clock.moment() + interval / 2)
    }

    fn failed(&self, failure: &Failure, failures: u32) {
        self.discovered(false);
        let (reason, error) = (failure.reason, &failure.message);
        if failures > 1 {
            debug!(%reason, error, "the organization's accounts cannot be listed");
            return;
        }
        let hint = match reason {
            Reason::AccessDenied => {
                "; allow the caller organizations:ListAccounts, and call from the management \
                 account or a delegated administrator"
            }
            Reason::Unsupported => "; the caller's account is in no organization",
            _ => "",
        };
        warn!(%reason, error, "the organization's accounts cannot be listed; the list stays as it was{hint}");
    }

    /// Reads the tags of this shard's accounts: new ones at once, the others once a day.
    async fn read_tags(&mut self, wanted: &Wanted, until: Moment) {
        let keys = &wanted.config.organization.tag_labels;
        let Some(organization) = &mut self.known.organization else {
            return;
        };
        if organization.tag_labels != *keys {
            // Others were read before.
            let organization = Arc::make_mut(organization);
            organization.tag_labels.clone_from(keys);
            for member in organization.members.values_mut() {
                member.tags_at = None;
            }
        }
        if keys.is_empty() {
            return;
        }
        let Some(list) = assemble(&wanted.config, &self.known) else {
            return;
        };
        let now = self.clock.now();
        let mut due: Vec<_> = list
            .accounts
            .iter()
            .filter_map(|account| {
                let member = self.known.organization.as_ref()?.members.get(&account.id)?;
                let fresh = member
                    .tags_at
                    .is_some_and(|at| at <= now && now.since(at) < TAGS_LAST);
                (!fresh).then_some((member.tags_at, account.id))
            })
            .collect();
        // Those that were never read first.
        due.sort_unstable();
        let mut due: VecDeque<AccountId> = due.into_iter().map(|(_, id)| id).collect();
        if due.is_empty() {
            return;
        }
        let mut shown = self.clock.moment();
        let mut throttled = 0;
        while !due.is_empty() && self.clock.moment() < until {
            let some: Vec<_> = due.drain(..due.len().min(TAGS_AT_ONCE)).collect();
            match self.read_tags_of(wanted, some).await {
                Ok(refused) if refused.is_empty() => throttled = 0,
                Ok(refused) => {
                    due.extend(refused);
                    throttled += 1;
                    self.pause(organization::throttle_backoff(), throttled)
                        .await;
                }
                Err(failure) => {
                    warn!(reason = %failure.reason, error = failure.message,
                        "tags of accounts cannot be read; labels stay as they were until the next list");
                    break;
                }
            }
            let now = self.clock.moment();
            if now.since(shown) >= TAGS_TOGETHER {
                self.publish(wanted);
                shown = now;
            }
        }
        self.publish(wanted);
    }

    /// Reads the tags of a few accounts at the same time. Gives back those that were throttled.
    async fn read_tags_of(
        &mut self,
        wanted: &Wanted,
        some: Vec<AccountId>,
    ) -> Result<Vec<AccountId>, Failure> {
        let mut reading = JoinSet::new();
        for id in some {
            let aws = Arc::clone(&self.aws);
            let region = wanted.config.aws.region.clone();
            reading.spawn(async move { (id, aws.account_tags(&region, id).await) });
        }
        let keys = &wanted.config.organization.tag_labels;
        let mut throttled = Vec::new();
        while let Some(Ok((id, read))) = reading.join_next().await {
            let mut tags = match read {
                Ok(tags) => tags,
                Err(failure) if failure.reason == Reason::Throttled => {
                    throttled.push(id);
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            tags.retain(|key, _| keys.contains(key));
            let now = self.clock.now();
            let organization = self.known.organization.as_mut();
            if let Some(member) = organization
                .and_then(|organization| Arc::make_mut(organization).members.get_mut(&id))
            {
                member.tags = tags;
                member.tags_at = Some(now);
            }
        }
        Ok(throttled)
    }
}

/// The accounts to watch as AWS lists them now: for who looks once and ends.
///
/// # Errors
///
/// A [`Failure`] where AWS does not say who the caller is or what the organization is made of.
pub async fn list_once(config: &Config, aws: &Aws, clock: &Clock) -> Result<AccountList, Failure> {
    let mut known = Known::default();
    let region = &config.aws.region;
    if config.organization.enabled || config.accounts.is_empty() {
        known.caller = Some(aws.caller(region).await?.account);
        known.caller_confirmed = true;
    }
    if config.organization.enabled {
        let members = organization::read(aws, clock, region).await?;
        let weighed = Scale::default().weigh(None, members);
        known.organization = Some(Arc::new(weighed.organization));
        known.organization_confirmed = true;
    }
    // Everything is known that a list is made from.
    Ok(assemble(config, &known).unwrap_or_default())
}

fn orders(wanted: &Wanted, known: &Known) -> Orders {
    Orders {
        generation: wanted.generation,
        settings: wanted.settings,
        list: assemble(&wanted.config, known),
    }
}
