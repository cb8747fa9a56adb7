//! Which accounts are watched: those the configuration lists, those of the organization, or the
//! caller's own; and of those, this shard's.
//!
//! One task owns all that is known and asks AWS one question of each kind at a time. What it waits
//! for, and since when, is data: a change of the configuration assembles the list anew from what
//! is known and cancels no question, no pause and no doubt. A list that cannot be read changes
//! nothing.
//!
//! Of the settings, `organization.enabled` alone makes it read the list anew, and
//! `organization.tag_labels` the tags. `organization.interval` moves the next reading, counted from
//! the last one. All others only decide what the list is assembled to. (`aws.region` and
//! `aws.profile` cannot change while the exporter runs.)

mod list;
mod organization;
mod shard;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::account::{AccountId, RootFeatures};
use crate::aws::{AccountPage, Aws, Identity, Member};
use crate::backoff::Backoff;
use crate::clock::{Clock, Moment};
use crate::config::Config;
use crate::failure::{Failure, Reason};
use crate::schedule::{AccountList, Orders, Settings};
use crate::views::{Exporter, KnownOrganization};

use list::{Known, assemble};
use organization::{Doubt, Reading, Step};
use tags::Tags;

/// How often the tags of an account are read again.
const TAGS_LAST: Duration = Duration::from_secs(24 * 3600);

/// How long labels that were read wait for more of them, before they are published together.
const TAGS_TOGETHER: Duration = Duration::from_secs(2);

/// So many failures in a row of one page are reported while it is tried again. One is no news.
const REPORTED: u32 = 3;

/// How often a command asks who the caller is before it gives up.
const TRIES_ONCE: u32 = 3;

/// What is wanted: a configuration, and how the schedule reads it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Counted up by each reload.
    pub generation: u64,
    /// The configuration.
    pub config: Arc<Config>,
    /// The same, as the schedule reads it.
    pub settings: Settings,
}

/// Finds out which accounts to watch, and follows what is wanted and what AWS says.
#[derive(Debug)]
pub struct Discovery {
    changes: watch::Receiver<Wanted>,
    wanted: Wanted,
    orders: watch::Sender<Orders>,
    known: Known,
    /// The caller's identity.
    caller: Plan,
    /// The pages of the organization's list.
    list: Plan,
    reading: Option<Reading>,
    /// Whether it is reported that the list cannot be read.
    is_list_failing: bool,
    /// When the list was last whole.
    listed: Option<Moment>,
    doubt: Option<Doubt>,
    /// The organization's features.
    features: Plan,
    tags: Tags,
    /// When labels were last published.
    labelled: Moment,
    asking: JoinSet<Answered>,
    aws: Aws,
    clock: Clock,
    exporter: Arc<Exporter>,
}

/// When a question is asked next.
#[derive(Debug, Default)]
struct Plan {
    due: Moment,
    /// Failures in a row.
    failures: u32,
    in_flight: bool,
}

impl Plan {
    fn worked(&mut self) {
        self.failures = 0;
    }

    fn failed(&mut self, backoff: Backoff, now: Moment) {
        self.failures += 1;
        self.due = now + backoff.pause(self.failures, fastrand::f64());
    }
}

/// What AWS is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Caller,
    Page,
    Features,
    Tags,
}

/// What came of a question.
enum Answered {
    Caller(Result<Identity, Failure>),
    Page(Result<AccountPage, Failure>),
    Features(Result<RootFeatures, Failure>),
    Tags(AccountId, Result<BTreeMap<String, String>, Failure>),
}

impl Discovery {
    /// Begins with what the configuration says and the state remembers. Asks nothing yet.
    #[must_use]
    pub fn new(
        mut changes: watch::Receiver<Wanted>,
        caller: Option<AccountId>,
        organization: Option<Arc<KnownOrganization>>,
        aws: Aws,
        clock: Clock,
        exporter: Arc<Exporter>,
    ) -> (Self, watch::Receiver<Orders>) {
        let wanted = changes.borrow_and_update().clone();
        let known = Known {
            caller,
            organization,
            ..Known::default()
        };
        let (sender, orders) = watch::channel(orders(&wanted, &known));
        let discovery = Self {
            changes,
            wanted,
            orders: sender,
            known,
            caller: Plan::default(),
            list: Plan::default(),
            reading: None,
            is_list_failing: false,
            listed: None,
            doubt: None,
            features: Plan::default(),
            tags: Tags::default(),
            labelled: Moment::default(),
            asking: JoinSet::new(),
            aws,
            clock,
            exporter,
        };
        (discovery, orders)
    }

    /// Finds out the rest, and follows what is wanted, until the sender of changes is gone.
    ///
    /// # Panics
    ///
    /// When a question panics, which is a defect.
    pub async fn run(mut self) {
        loop {
            let next = self.next();
            if let Some((due, question)) = next
                && due <= self.clock.moment()
            {
                self.ask(question);
                continue;
            }
            let wake = next.map_or(Moment::default(), |(due, _)| due);
            tokio::select! {
                changed = self.changes.changed() => match changed {
                    Ok(()) => self.follow(),
                    Err(_) => return,
                },
                Some(answered) = self.asking.join_next() => match answered {
                    Ok(answered) => self.take(answered),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = self.clock.sleep_until(wake), if next.is_some() => {}
            }
        }
    }

    /// The question that is due first, of those that wait for no answer.
    fn next(&self) -> Option<(Moment, Question)> {
        let config = &self.wanted.config;
        let organization = &config.organization;
        let needs_caller = organization.enabled || config.accounts.is_empty();
        let caller = (needs_caller && !self.known.caller_confirmed && !self.caller.in_flight)
            .then_some((self.caller.due, Question::Caller));
        if !organization.enabled {
            return caller;
        }
        let page = match (&self.reading, &self.doubt, self.listed) {
            (Some(_), _, _) | (None, None, None) => Moment::default(),
            (None, Some(doubt), _) => doubt.ends(organization.interval),
            (None, None, Some(listed)) => listed + organization.interval,
        };
        let page = (!self.list.in_flight).then_some((page.max(self.list.due), Question::Page));
        let features =
            (!self.features.in_flight).then_some((self.features.due, Question::Features));
        let tags = self.tags.due().map(|due| (due, Question::Tags));
        [caller, page, features, tags].into_iter().flatten().min()
    }

    fn ask(&mut self, question: Question) {
        let aws = self.aws.clone();
        let region = self.wanted.config.aws.region.clone();
        match question {
            Question::Caller => {
                self.caller.in_flight = true;
                self.asking
                    .spawn(async move { Answered::Caller(aws.caller(&region).await) });
            }
            Question::Page => {
                self.list.in_flight = true;
                let reading = self.reading.get_or_insert_default();
                let token = reading.token().map(str::to_owned);
                self.asking.spawn(async move {
                    Answered::Page(aws.list_accounts(&region, token.as_deref()).await)
                });
            }
            Question::Features => {
                self.features.in_flight = true;
                self.asking.spawn(async move {
                    Answered::Features(aws.organizations_features(&region).await)
                });
            }
            Question::Tags => {
                if let Some(id) = self.tags.next() {
                    self.asking.spawn(async move {
                        Answered::Tags(id, aws.account_tags(&region, id).await)
                    });
                }
            }
        }
    }

    fn take(&mut self, answered: Answered) {
        match answered {
            Answered::Caller(answer) => self.take_caller(answer),
            Answered::Page(answer) => self.take_page(answer),
            Answered::Features(answer) => self.take_features(answer),
            Answered::Tags(id, answer) => self.take_tags(id, answer),
        }
    }

    /// Follows a change of what is wanted.
    fn follow(&mut self) {
        let wanted = self.changes.borrow_and_update().clone();
        let before = std::mem::replace(&mut self.wanted, wanted);
        let (old, new) = (&before.config, &self.wanted.config);
        let is_assembled_alike = old.organization == new.organization
            && old.accounts == new.accounts
            && old.shard == new.shard;
        if !new.organization.enabled {
            self.reading = None;
            self.is_list_failing = false;
            self.listed = None;
            self.doubt = None;
            self.list.due = Moment::default();
            self.features.due = Moment::default();
            self.exporter.note(|view| {
                view.discovery = None;
                view.features = None;
            });
        }
        self.publish();
        if !is_assembled_alike {
            self.begin_tags();
        }
    }

    fn publish(&self) {
        self.orders.send_replace(orders(&self.wanted, &self.known));
    }

    fn take_caller(&mut self, answer: Result<Identity, Failure>) {
        self.caller.in_flight = false;
        let organization = &self.wanted.config.organization;
        match answer {
            Ok(caller) => {
                info!(account = %caller.account, arn = caller.arn, "caller identified");
                self.caller.worked();
                self.known.caller = Some(caller.account);
                self.known.caller_confirmed = true;
                self.publish();
                if self.known.organization_confirmed {
                    if !self.is_list_failing {
                        self.note_discovery(true);
                    }
                    self.begin_tags();
                }
            }
            Err(failure) => {
                let backoff = Backoff::quick(organization.interval);
                self.caller.failed(backoff, self.clock.moment());
                if self.caller.failures == 1 {
                    warn!(reason = %failure.reason, error = failure.message,
                        "caller unknown; trying again");
                }
                if organization.enabled {
                    self.note_discovery(false);
                }
            }
        }
    }

    fn take_page(&mut self, answer: Result<AccountPage, Failure>) {
        self.list.in_flight = false;
        // `None` where the organization is not watched any more.
        let Some(reading) = &mut self.reading else {
            return;
        };
        let now = self.clock.moment();
        match reading.take(answer, fastrand::f64()) {
            Step::Next => self.list.due = now,
            Step::Again {
                pause,
                failures,
                failure,
            } => {
                self.list.due = now + pause;
                if failures >= REPORTED {
                    self.report_list(&failure);
                }
            }
            Step::Whole(members) => {
                self.reading = None;
                self.take_list(members);
            }
            Step::GivenUp(failure) => {
                self.reading = None;
                self.report_list(&failure);
                let interval = self.wanted.config.organization.interval;
                self.list.failed(Backoff::slow(interval), now);
            }
        }
    }

    fn take_list(&mut self, members: Vec<Member>) {
        let now = self.clock.moment();
        let count = members.len();
        let (organization, doubt) = organization::merge(
            self.known.organization.as_deref(),
            members,
            self.doubt.as_ref(),
            now,
            self.wanted.config.organization.interval,
        );
        if let Some(doubt) = doubt
            .as_ref()
            .filter(|doubt| Some(*doubt) != self.doubt.as_ref())
        {
            warn!(
                listed = count,
                lost = doubt.lost.len(),
                "the organization's list lost more than a tenth of the accounts; they stay until \
                 a second list has lost them too"
            );
        }
        if std::mem::take(&mut self.is_list_failing) {
            info!("the organization's accounts are listed again");
        }
        self.list.worked();
        self.listed = Some(now);
        self.doubt = doubt;
        self.tags.keep(|id| organization.members.contains_key(id));
        self.known.organization = Some(Arc::new(organization));
        self.known.organization_confirmed = true;
        self.publish();
        // A failure to identify the caller is reported already.
        if self.known.caller_confirmed {
            self.note_discovery(true);
        }
        self.begin_tags();
    }

    fn report_list(&mut self, failure: &Failure) {
        self.note_discovery(false);
        let (reason, error) = (failure.reason, &failure.message);
        if std::mem::replace(&mut self.is_list_failing, true) {
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

    fn note_discovery(&self, works: bool) {
        let now = self.clock.now();
        self.exporter.note(|view| {
            let last = view.discovery.and_then(|(_, last)| last);
            view.discovery = Some((works, if works { Some(now) } else { last }));
        });
    }

    fn take_features(&mut self, answer: Result<RootFeatures, Failure>) {
        self.features.in_flight = false;
        let organization = &self.wanted.config.organization;
        if !organization.enabled {
            return;
        }
        let now = self.clock.moment();
        match &answer {
            Ok(_) => {
                self.features.worked();
                self.features.due = now + organization.interval;
            }
            Err(failure) => {
                let backoff = Backoff::slow(organization.interval);
                self.features.failed(backoff, now);
                if self.features.failures == 1 {
                    let hint = match failure.reason {
                        Reason::AccessDenied => "; allow the caller iam:ListOrganizationsFeatures",
                        _ => "",
                    };
                    warn!(reason = %failure.reason, error = failure.message,
                        "root access features of the organization unknown{hint}");
                }
            }
        }
        self.exporter.note(|view| view.features = answer.ok());
    }

    /// Begins to read the tags of this shard's accounts: new ones at once, the others once a day.
    fn begin_tags(&mut self) {
        let config = &self.wanted.config;
        let keys = &config.organization.tag_labels;
        if let Some(organization) = &mut self.known.organization
            && organization.tag_labels != *keys
        {
            // Others were read before.
            let organization = Arc::make_mut(organization);
            organization.tag_labels.clone_from(keys);
            for member in organization.members.values_mut() {
                member.tags_at = None;
            }
        }
        let list = assemble(config, &self.known).unwrap_or_default();
        let organization = list.organization.filter(|_| !keys.is_empty());
        let now = self.clock.now();
        let due = list.accounts.iter().filter_map(|account| {
            let read = organization.as_ref()?.members.get(&account.id)?.tags_at;
            let is_fresh = read.is_some_and(|at| at <= now && now.since(at) < TAGS_LAST);
            (!is_fresh).then_some((read, account.id))
        });
        self.tags.begin(due);
    }

    fn take_tags(&mut self, id: AccountId, answer: Result<BTreeMap<String, String>, Failure>) {
        let now = self.clock.moment();
        let outcome = answer.as_ref().map(|_| ());
        if self.tags.take(id, outcome, now, fastrand::f64())
            && let Err(failure) = &answer
        {
            warn!(account = %id, reason = %failure.reason, error = failure.message,
                "tags of an account cannot be read; its labels stay as they were");
        }
        let keys = &self.wanted.config.organization.tag_labels;
        if let Ok(mut tags) = answer
            && let Some(organization) = &mut self.known.organization
            && let Some(member) = Arc::make_mut(organization).members.get_mut(&id)
        {
            tags.retain(|key, _| keys.contains(key));
            member.tags = tags;
            member.tags_at = Some(self.clock.now());
        }
        if self.tags.is_over() || now.since(self.labelled) >= TAGS_TOGETHER {
            self.labelled = now;
            self.publish();
        }
    }
}

/// The accounts to watch, found out once, for a command. A failure beside the list says that it is
/// not whole.
pub async fn once(config: &Config, aws: &Aws, clock: &Clock) -> (AccountList, Option<Failure>) {
    let mut known = Known::default();
    let failure = find_out(config, aws, clock, &mut known).await.err();
    (assemble(config, &known).unwrap_or_default(), failure)
}

async fn find_out(
    config: &Config,
    aws: &Aws,
    clock: &Clock,
    known: &mut Known,
) -> Result<(), Failure> {
    let organization = &config.organization;
    let region = &config.aws.region;
    if !organization.enabled && !config.accounts.is_empty() {
        return Ok(());
    }
    let mut failures = 0;
    let caller = loop {
        match aws.caller(region).await {
            Ok(caller) => break caller,
            Err(failure) => {
                failures += 1;
                if failures == TRIES_ONCE || failure.reason == Reason::Credentials {
                    return Err(failure);
                }
                let backoff = Backoff::quick(organization.interval);
                let pause = backoff.pause(failures, fastrand::f64());
                clock.sleep_until(clock.moment() + pause).await;
            }
        }
    };
    known.caller = Some(caller.account);
    known.caller_confirmed = true;
    let mut reading = Reading::default();
    while organization.enabled && known.organization.is_none() {
        let answer = aws.list_accounts(region, reading.token()).await;
        match reading.take(answer, fastrand::f64()) {
            Step::Next => {}
            Step::Again { pause, .. } => clock.sleep_until(clock.moment() + pause).await,
            Step::GivenUp(failure) => return Err(failure),
            Step::Whole(members) => {
                let interval = organization.interval;
                let (merged, _) =
                    organization::merge(None, members, None, clock.moment(), interval);
                known.organization = Some(Arc::new(merged));
                known.organization_confirmed = true;
            }
        }
    }
    Ok(())
}

fn orders(wanted: &Wanted, known: &Known) -> Orders {
    Orders {
        generation: wanted.generation,
        settings: wanted.settings,
        list: assemble(&wanted.config, known),
    }
}
