//! Finds the accounts to monitor: those in the configuration, those of the organization, or the
//! caller's own; and of those, this shard's.
//!
//! One task has all the state, and asks AWS one question of each kind at a time. A change of the
//! configuration assembles the list again from what is known. It cancels no question, no pause and no
//! pending loss, except that `organization.enabled` makes the task read the list again, and
//! `organization.tag_labels` the tags, and `organization.details` the organizational units. A list that cannot
//! be read changes nothing.

mod list;
mod organization;
mod shard;
mod tags;
#[cfg(test)]
mod tests;
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use smart_default::SmartDefault;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::account::{AccountId, RootFeatures};
use crate::aws::{AccountPage, Aws, Identity, Member, UnitPage, UnitQuestion};
use crate::backoff::Backoff;
use crate::clock::{Clock, Moment, Timestamp};
use crate::config::{Config, Detail, Organization};
use crate::failure::{Failure, Reason};
use crate::schedule::{AccountList, Orders, Settings};
use crate::views::{Exporter, KnownOrganization};

use list::{Known, assemble, unused_exceptions};
use organization::{ListReader, PendingLoss, Step};
use tags::{SharedTags, Tags};
use units::{UnitReader, UnitStep};

/// How long the tags of an account are used before they are read again.
const TAGS_LAST: Duration = Duration::from_secs(24 * 3600);

/// How long new labels wait for more of them, before they are published together.
const TAGS_TOGETHER: Duration = Duration::from_secs(2);

/// From this many failures in a row of one page, a failure is reported.
const REPORTED: u32 = 3;

/// How often a command asks for the caller's identity before it gives up.
const TRIES_ONCE: u32 = 3;

/// The configuration to follow.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The number of the configuration, from 0; each reload adds 1.
    pub generation: u64,
    /// The configuration.
    pub config: Arc<Config>,
    /// The settings of the schedule in it.
    pub settings: Settings,
}

/// Keeps the list of accounts as the configuration and AWS have it.
#[derive(Debug)]
pub struct Discovery {
    changes: watch::Receiver<Desired>,
    desired: Desired,
    orders: watch::Sender<Orders>,
    known: Known,
    caller: Plan,
    progress: Progress,
    asking: JoinSet<Answered>,
    shared_tags: SharedTags,
    /// The accounts for which a warning says that their exceptions have no effect.
    unused_exceptions: BTreeSet<AccountId>,
    aws: Aws,
    clock: Clock,
    exporter: Arc<Exporter>,
}

/// The questions about the organization, and their state.
#[derive(Debug, Default)]
struct Progress {
    /// The next page of the list.
    list: Plan,
    /// The list that is being read.
    reader: Option<ListReader>,
    /// Whether it is reported that the list cannot be read.
    is_list_failing: bool,
    /// When the list was last complete.
    listed: Option<Moment>,
    pending_loss: Option<PendingLoss>,
    features: Plan,
    tags: Tags,
    /// The next page of the tree of the organizational units.
    units: Plan,
    /// The tree that is being read.
    unit_reader: Option<UnitReader>,
    /// When labels were last published.
    labelled: Moment,
}

/// When a question is due.
#[derive(Debug, SmartDefault)]
struct Plan {
    /// `None` until the answer arrives.
    #[default(Some(Moment::default()))]
    due: Option<Moment>,
    /// Failures in a row.
    failures: u32,
}

impl Plan {
    /// Whether the question is due. It is not due again before [`Self::worked`] or [`Self::failed`].
    fn take_due(&mut self, now: Moment) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    fn worked(&mut self, next: Moment) {
        self.failures = 0;
        self.due = Some(next);
    }

    fn failed(&mut self, backoff: Backoff, now: Moment) {
        self.failures += 1;
        self.due = Some(now + backoff.pause(self.failures, fastrand::f64()));
    }
}

/// The answer to a question.
enum Answered {
    Caller(Result<Identity, Failure>),
    Page(Result<AccountPage, Failure>),
    Features(Result<RootFeatures, Failure>),
    Tags(AccountId, Result<BTreeMap<String, String>, Failure>),
    /// With the question and the token of the page.
    Units((UnitQuestion, Option<String>), Result<UnitPage, Failure>),
}

impl Discovery {
    /// Starts with the configuration, and the caller and the organization in the state. Asks nothing.
    #[must_use]
    pub fn new(
        mut changes: watch::Receiver<Desired>,
        caller: Option<AccountId>,
        mut organization: Option<Arc<KnownOrganization>>,
        aws: Aws,
        clock: Clock,
        exporter: Arc<Exporter>,
    ) -> (Self, watch::Receiver<Orders>) {
        let desired = changes.borrow_and_update().clone();
        let mut shared_tags = SharedTags::default();
        if let Some(organization) = &mut organization {
            for member in Arc::make_mut(organization).members.values_mut() {
                member.tags = shared_tags.share(Arc::clone(&member.tags));
            }
        }
        let known = Known {
            caller,
            organization,
            ..Known::default()
        };
        let first = orders(&desired, &known);
        let (sender, orders) = watch::channel(first.clone());
        let mut discovery = Self {
            changes,
            desired,
            orders: sender,
            known,
            caller: Plan::default(),
            progress: Progress::default(),
            asking: JoinSet::new(),
            shared_tags,
            unused_exceptions: BTreeSet::new(),
            aws,
            clock,
            exporter,
        };
        discovery.tell(&first);
        (discovery, orders)
    }

    /// Asks AWS and follows changes of the configuration, until their sender is dropped.
    ///
    /// # Panics
    ///
    /// A question panics, which is a bug.
    pub async fn run(mut self) {
        loop {
            let wake = self.ask();
            tokio::select! {
                changed = self.changes.changed() => match changed {
                    Ok(()) => self.apply_change(),
                    Err(_) => return,
                },
                Some(answered) = self.asking.join_next() => match answered {
                    Ok(Answered::Caller(answer)) => self.take_caller(answer),
                    Ok(Answered::Page(answer)) => self.take_page(answer),
                    Ok(Answered::Features(answer)) => self.take_features(answer),
                    Ok(Answered::Tags(id, answer)) => self.take_tags(id, answer),
                    Ok(Answered::Units(asked, answer)) => self.take_units(&asked, answer),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = self.clock.sleep_until(wake.unwrap_or_default()), if wake.is_some() => {}
            }
        }
    }

    /// Asks the questions that are due. Returns when the next one is.
    fn ask(&mut self) -> Option<Moment> {
        let now = self.clock.moment();
        let config = &self.desired.config;
        let interval = config.organization.interval;
        let asking = &mut self.asking;
        if !config.organization.enabled && !config.accounts.is_empty() {
            return None;
        }
        if self.caller.take_due(now) {
            let aws = self.aws.clone();
            asking.spawn(async move { Answered::Caller(aws.caller().await) });
        }
        if !config.organization.enabled {
            return self.caller.due;
        }
        let progress = &mut self.progress;
        let list_due = match (&progress.reader, &progress.pending_loss, progress.listed) {
            (Some(_), _, _) | (None, None, None) => Moment::default(),
            (None, Some(loss), _) => loss.confirmable(interval),
            (None, None, Some(listed)) => listed + interval,
        };
        if list_due <= now && progress.list.take_due(now) {
            let aws = self.aws.clone();
            let reader = progress.reader.get_or_insert_default();
            let token = reader.token().map(str::to_owned);
            asking.spawn(async move { Answered::Page(aws.list_accounts(token.as_deref()).await) });
        }
        if progress.features.take_due(now) {
            let aws = self.aws.clone();
            asking.spawn(async move { Answered::Features(aws.organizations_features().await) });
        }
        while progress.tags.due().is_some_and(|due| due <= now)
            && let Some(id) = progress.tags.next()
        {
            let aws = self.aws.clone();
            asking.spawn(async move { Answered::Tags(id, aws.account_tags(id).await) });
        }
        if let Some(reader) = &progress.unit_reader
            && progress.units.take_due(now)
        {
            let aws = self.aws.clone();
            let asked = reader.question();
            asking.spawn(async move {
                let (question, token) = &asked;
                let answer = aws.organizational_units(question, token.as_deref()).await;
                Answered::Units(asked, answer)
            });
        }
        let units_due = progress
            .units
            .due
            .filter(|_| progress.unit_reader.is_some());
        let list_due = progress.list.due.map(|due| due.max(list_due));
        let due = [self.caller.due, list_due, progress.features.due, units_due];
        let due = due.into_iter().chain([progress.tags.due()]);
        due.flatten().min()
    }

    /// Applies a change of the configuration.
    fn apply_change(&mut self) {
        let desired = self.changes.borrow_and_update().clone();
        let before = std::mem::replace(&mut self.desired, desired);
        let old = &before.config.organization;
        let new = &self.desired.config.organization;
        let is_organization_changed = old != new;
        if old.enabled && !new.enabled {
            // Drops the questions too, so that no answer is taken for one of a later list.
            self.progress = Progress::default();
            self.asking = JoinSet::new();
            if !self.known.caller_confirmed {
                self.caller = Plan::default();
            }
            self.exporter.note(|view| {
                view.discovery = None;
                view.features = None;
            });
        }
        self.publish();
        if is_organization_changed {
            self.begin_tags();
            self.begin_units();
        }
    }

    fn publish(&mut self) {
        let orders = orders(&self.desired, &self.known);
        self.tell(&orders);
        self.orders.send_replace(orders);
    }

    /// Tells people what is in orders beside the accounts.
    fn tell(&mut self, orders: &Orders) {
        let config = &self.desired.config;
        let known = self.known.organization.as_ref();
        let known = known.filter(|_| config.organization.enabled);
        let management = known.and_then(|it| it.management);
        self.exporter.note(|view| view.management = management);
        let list = orders.list.as_ref();
        if let Some(unused) = list.and_then(|it| unused_exceptions(config, it)) {
            for account in unused.difference(&self.unused_exceptions) {
                warn!(%account, "the exceptions of an account have no effect: it is not monitored");
            }
            self.unused_exceptions = unused;
        }
    }

    fn take_caller(&mut self, answer: Result<Identity, Failure>) {
        let organization = &self.desired.config.organization;
        match answer {
            Ok(caller) => {
                info!(account = %caller.account, arn = caller.arn, "caller identified");
                self.known.caller = Some(caller.account);
                self.known.caller_confirmed = true;
                self.publish();
                if self.known.organization_confirmed {
                    if !self.progress.is_list_failing {
                        self.note_discovery(true);
                    }
                    self.begin_tags();
                    self.begin_units();
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
        let now = self.clock.moment();
        let Progress { list, reader, .. } = &mut self.progress;
        let current = reader.get_or_insert_default();
        match current.take(answer, fastrand::f64()) {
            Step::Next => list.due = Some(now),
            Step::Retry {
                pause,
                failures,
                failure,
            } => {
                list.due = Some(now + pause);
                if failures >= REPORTED {
                    self.report_list(&failure);
                }
            }
            Step::Complete(members) => {
                *reader = None;
                list.worked(now);
                self.take_list(members);
            }
            Step::Failed(failure) => {
                *reader = None;
                let interval = self.desired.config.organization.interval;
                list.failed(Backoff::slow(interval), now);
                self.report_list(&failure);
            }
        }
    }

    fn take_list(&mut self, mut members: Vec<Member>) {
        let now = self.clock.moment();
        let settings = &self.desired.config.organization;
        let interval = settings.interval;
        forget_addresses(settings, &mut members);
        let count = members.len();
        let known = self.known.organization.as_deref();
        let progress = &mut self.progress;
        let pending = progress.pending_loss.as_ref();
        let (organization, loss) = organization::merge(known, members, pending, now, interval);
        if loss != progress.pending_loss
            && let Some(loss) = &loss
        {
            warn!(
                listed = count,
                lost = loss.accounts.len(),
                "the organization's list lost more than a tenth of the accounts; they stay until \
                 a second list has lost them too"
            );
        }
        if std::mem::take(&mut progress.is_list_failing) {
            info!("the organization's accounts are listed again");
        }
        progress.listed = Some(now);
        progress.pending_loss = loss;
        progress
            .tags
            .keep(|id| organization.members.contains_key(id));
        self.known.organization = Some(Arc::new(organization));
        self.known.organization_confirmed = true;
        self.publish();
        // An unknown caller is reported already.
        if self.known.caller_confirmed {
            self.note_discovery(true);
        }
        self.begin_tags();
        self.begin_units();
    }

    fn report_list(&mut self, failure: &Failure) {
        self.note_discovery(false);
        let (reason, error) = (failure.reason, &failure.message);
        if std::mem::replace(&mut self.progress.is_list_failing, true) {
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
            view.discovery.get_or_insert_default().record(works, now);
        });
    }

    fn take_features(&mut self, answer: Result<RootFeatures, Failure>) {
        let interval = self.desired.config.organization.interval;
        let now = self.clock.moment();
        let plan = &mut self.progress.features;
        if let Err(failure) = &answer {
            plan.failed(Backoff::slow(interval), now);
            if plan.failures == 1 {
                let hint = match failure.reason {
                    Reason::AccessDenied => "; allow the caller iam:ListOrganizationsFeatures",
                    _ => "",
                };
                warn!(reason = %failure.reason, error = failure.message,
                    "root access features of the organization unknown{hint}");
            }
        } else {
            plan.worked(now + interval);
        }
        self.exporter.note(|view| view.features = answer.ok());
    }

    /// Starts to read the tags of this shard's accounts: of new ones now, of the others once a day.
    fn begin_tags(&mut self) {
        let config = &self.desired.config;
        let keys = &config.organization.tag_labels;
        if let Some(organization) = &mut self.known.organization
            && organization.tag_labels != *keys
        {
            // Other keys were read before.
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
        self.progress.tags.begin(due);
        self.shared_tags.forget_unused();
    }

    /// Starts to read the organizational units, where an account is new or a day has passed.
    fn begin_units(&mut self) {
        let config = &self.desired.config;
        if !config.organization.details.contains(&Detail::Ou) {
            self.progress.unit_reader = None;
            return;
        }
        let list = assemble(config, &self.known).unwrap_or_default();
        let now = self.clock.now();
        let is_due = list.accounts.iter().any(|account| {
            let organization = list.organization.as_ref();
            let member = organization.and_then(|it| it.members.get(&account.id));
            member.is_some_and(|member| {
                let read = member.units_at;
                !read.is_some_and(|at| at <= now && now.since(at) < TAGS_LAST)
            })
        });
        if is_due && self.progress.unit_reader.is_none() {
            self.progress.unit_reader = Some(UnitReader::default());
        }
    }

    fn take_units(
        &mut self,
        asked: &(UnitQuestion, Option<String>),
        answer: Result<UnitPage, Failure>,
    ) {
        let now = self.clock.moment();
        let interval = self.desired.config.organization.interval;
        let Progress {
            units, unit_reader, ..
        } = &mut self.progress;
        // The setting may have been removed meanwhile, and set again.
        let Some(reader) = unit_reader.as_mut().filter(|it| it.question() == *asked) else {
            units.worked(now);
            return;
        };
        match reader.take(answer, fastrand::f64()) {
            UnitStep::Next => units.due = Some(now),
            UnitStep::Retry(pause) => units.due = Some(now + pause),
            UnitStep::Complete(paths) => {
                *unit_reader = None;
                units.worked(now);
                if let Some(organization) = &mut self.known.organization {
                    set_units(Arc::make_mut(organization), &paths, self.clock.now());
                }
                self.publish();
                // An account that joined meanwhile.
                self.begin_units();
            }
            UnitStep::Failed(failure) => {
                // From the root again.
                *reader = UnitReader::default();
                units.failed(Backoff::slow(interval), now);
                if units.failures == 1 {
                    let hint = match failure.reason {
                        Reason::AccessDenied => {
                            "; allow the caller what `aws-root-exporter policy hub` prints"
                        }
                        _ => "",
                    };
                    warn!(reason = %failure.reason, error = failure.message,
                        "the organizational units cannot be read; the accounts keep the paths that \
                         they had{hint}");
                }
            }
        }
    }

    fn take_tags(&mut self, id: AccountId, answer: Result<BTreeMap<String, String>, Failure>) {
        let now = self.clock.moment();
        let progress = &mut self.progress;
        let outcome = answer.as_ref().map(|_| ());
        if progress.tags.take(id, outcome, now, fastrand::f64())
            && let Err(failure) = &answer
        {
            warn!(account = %id, reason = %failure.reason, error = failure.message,
                "tags of an account cannot be read; its labels stay as they were");
        }
        let keys = &self.desired.config.organization.tag_labels;
        if let Ok(mut tags) = answer
            && let Some(organization) = &mut self.known.organization
            && let Some(member) = Arc::make_mut(organization).members.get_mut(&id)
        {
            tags.retain(|key, _| keys.contains(key));
            member.tags = self.shared_tags.share(Arc::new(tags));
            member.tags_at = Some(self.clock.now());
        }
        if progress.tags.is_over() || now.since(progress.labelled) >= TAGS_TOGETHER {
            progress.labelled = now;
            self.publish();
        }
    }
}

/// The accounts to monitor, for a command.
#[derive(Debug)]
pub struct Found {
    /// The accounts.
    pub list: AccountList,
    /// Why the list is not complete.
    pub failure: Option<Failure>,
    /// Why the organizational units of the accounts are not known.
    pub units_failure: Option<Failure>,
}

/// Finds the accounts to monitor once, for a command.
pub async fn once(config: &Config, aws: &Aws, clock: &Clock) -> Found {
    let mut known = Known::default();
    let failure = find(config, aws, clock, &mut known).await.err();
    let mut units_failure = None;
    if config.organization.details.contains(&Detail::Ou)
        && let Some(organization) = &mut known.organization
    {
        match find_units(aws, clock).await {
            Ok(paths) => set_units(Arc::make_mut(organization), &paths, clock.now()),
            Err(failure) => units_failure = Some(failure),
        }
    }
    Found {
        list: assemble(config, &known).unwrap_or_default(),
        failure,
        units_failure,
    }
}

async fn find_units(aws: &Aws, clock: &Clock) -> Result<BTreeMap<AccountId, String>, Failure> {
    let mut reader = UnitReader::default();
    loop {
        let (question, token) = reader.question();
        let answer = aws.organizational_units(&question, token.as_deref()).await;
        match reader.take(answer, fastrand::f64()) {
            UnitStep::Next => {}
            UnitStep::Retry(pause) => clock.sleep_until(clock.moment() + pause).await,
            UnitStep::Complete(paths) => return Ok(paths),
            UnitStep::Failed(failure) => return Err(failure),
        }
    }
}

/// Takes the paths of a complete tree. A member that is not in it has none.
fn set_units(
    organization: &mut KnownOrganization,
    paths: &BTreeMap<AccountId, String>,
    now: Timestamp,
) {
    for (id, member) in &mut organization.members {
        member.units_at = Some(now);
        if member.details.ou.as_ref() != paths.get(id) {
            Arc::make_mut(&mut member.details).ou = paths.get(id).cloned();
        }
    }
}

/// Forgets the e-mail addresses, unless the configuration asks for them.
fn forget_addresses(settings: &Organization, members: &mut [Member]) {
    if !settings.details.contains(&Detail::Email) {
        for member in members {
            member.email = None;
        }
    }
}

async fn find(config: &Config, aws: &Aws, clock: &Clock, known: &mut Known) -> Result<(), Failure> {
    let organization = &config.organization;
    if !organization.enabled && !config.accounts.is_empty() {
        return Ok(());
    }
    let mut failures = 0;
    let caller = loop {
        let failure = match aws.caller().await {
            Ok(caller) => break caller,
            Err(failure) => failure,
        };
        failures += 1;
        if failures == TRIES_ONCE || failure.reason == Reason::Credentials {
            return Err(failure);
        }
        let pause = Backoff::quick(organization.interval).pause(failures, fastrand::f64());
        clock.sleep_until(clock.moment() + pause).await;
    };
    known.caller = Some(caller.account);
    known.caller_confirmed = true;
    let mut reader = ListReader::default();
    while organization.enabled && known.organization.is_none() {
        let answer = aws.list_accounts(reader.token()).await;
        match reader.take(answer, fastrand::f64()) {
            Step::Next => {}
            Step::Retry { pause, .. } => clock.sleep_until(clock.moment() + pause).await,
            Step::Failed(failure) => return Err(failure),
            Step::Complete(mut members) => {
                forget_addresses(organization, &mut members);
                let (now, interval) = (clock.moment(), organization.interval);
                let (merged, _) = organization::merge(None, members, None, now, interval);
                known.organization = Some(Arc::new(merged));
                known.organization_confirmed = true;
            }
        }
    }
    Ok(())
}

fn orders(desired: &Desired, known: &Known) -> Orders {
    Orders {
        generation: desired.generation,
        settings: desired.settings,
        list: assemble(&desired.config, known),
    }
}
