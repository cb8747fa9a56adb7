//! The accounts, the two daemons that monitor them, and a scraper for each daemon, which checks every
//! scrape by the rules.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_simulator::{
    AccountId, Call, Fault, FaultKind, LIFETIME, Operation, Ready, Service, World,
};
use fastrand::Rng;
use tempfile::TempDir;

use crate::answers::{Answers, Topic};
use crate::events;
use crate::plan::{Act, Step, Way};
use crate::random::random_change;
use crate::rules::{self, Known, SAVED_WITHIN, SHOWN_WITHIN, STALENESS, Scrape, Shown};
use crate::wait_until;
use test_support::daemon::{ACCEPT_TEXT, Daemon};
use test_support::exposition::Exposition;
use test_support::simulated::{EXTERNAL_ID, HUB, Simulated, account, id, listed, now};
use test_support::{PATIENCE, http};

/// One daemon for the accounts with reports, one for those with a root session alone.
pub const DAEMONS: usize = 2;

/// How soon after the start of the storm reports run out, at the latest.
const REPORTS_RUN_OUT_WITHIN: i64 = 45;

/// An account in the storm.
struct Member {
    id: AccountId,
    way: Way,
    /// How many keys its summary counts at most.
    keys_counted: usize,
}

impl Member {
    fn daemon(&self) -> usize {
        usize::from(self.way == Way::Root)
    }

    fn most_counted(&self, topic: Topic) -> usize {
        if topic == Topic::Keys {
            self.keys_counted
        } else {
            1
        }
    }
}

/// What the scrapers and the driver share.
struct Shared {
    begun: Instant,
    world: World,
    targets: [Mutex<Target>; DAEMONS],
    /// The values that are not right yet, by daemon, and when that scrape began.
    unsettled: [Mutex<Option<(Instant, Unsettled)>>; DAEMONS],
    violation: Mutex<Option<String>>,
    journal: Mutex<Vec<(Instant, AccountId, String)>>,
    scrapes: AtomicU64,
    is_over: AtomicBool,
}

/// The accounts with a value that is not right yet, and that value.
type Unsettled = Vec<(AccountId, String)>;

/// A daemon, as its scraper knows it.
#[derive(Clone, Copy)]
struct Target {
    address: Option<SocketAddr>,
    starts: u32,
    killed: Instant,
    started: Instant,
}

pub struct Fleet {
    aws: Simulated,
    accounts: Vec<(AccountId, Way)>,
    members: Vec<Member>,
    daemons: [Option<Daemon>; DAEMONS],
    configs: [String; DAEMONS],
    shared: Shared,
    /// The state files of the daemons.
    _folder: TempDir,
}

impl Fleet {
    /// Thirty accounts, ten by each kind of access, and no fault.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let start = now();
        let mut members = Vec::new();
        let aws = Simulated::with([]);
        for (nth, number) in (101..130).chain([HUB]).enumerate() {
            let way = match nth {
                0..10 => Way::Both,
                10..20 => Way::Root,
                _ => Way::Role,
            };
            let keys_counted = rng.usize(1..=2);
            let first_report = start - LIFETIME + rng.i64(5..REPORTS_RUN_OUT_WITHIN);
            let mut member = account(number, &format!("member-{number}"));
            for _ in 0..rng.usize(0..6) {
                random_change(&mut rng, &mut member.root, start);
            }
            member.most_keys_counted = keys_counted;
            member.report.ready = Ready::After(rng.i64(0..4));
            member.store_report(first_report);
            members.push(Member {
                id: member.id(),
                way,
                keys_counted,
            });
            aws.world.add(member);
        }
        let folder = TempDir::new().expect("a temporary folder");
        events::begin(&aws.world, seed);
        let configs = [0, 1].map(|daemon| {
            let queue_url = aws.queue_url(&events::queue(daemon));
            config(&members, daemon, &folder) + &events::config(&queue_url)
        });
        let target = || {
            Mutex::new(Target {
                address: None,
                starts: 0,
                killed: Instant::now(),
                started: Instant::now(),
            })
        };
        Self {
            accounts: members.iter().map(|one| (one.id, one.way)).collect(),
            members,
            daemons: [None, None],
            configs,
            shared: Shared {
                begun: Instant::now(),
                world: aws.world.clone(),
                targets: [target(), target()],
                unsettled: [Mutex::new(None), Mutex::new(None)],
                violation: Mutex::default(),
                journal: Mutex::default(),
                scrapes: AtomicU64::new(0),
                is_over: AtomicBool::new(false),
            },
            aws,
            _folder: folder,
        }
    }

    pub fn accounts(&self) -> &[(AccountId, Way)] {
        &self.accounts
    }

    /// Runs the storm and the calm after it, and returns a summary.
    ///
    /// # Errors
    ///
    /// A rule was broken.
    pub fn run(&mut self, storm: Vec<Step>, calm: Duration) -> Result<String, String> {
        let Self {
            aws,
            members,
            daemons,
            configs,
            shared,
            ..
        } = self;
        thread::scope(|scope| {
            for daemon in 0..DAEMONS {
                let (members, shared) = (&*members, &*shared);
                scope.spawn(move || scrape_on(daemon, members, shared));
            }
            // The scrapers end with the storm, even if it panics.
            let _over = Over(&shared.is_over);
            let mut driver = Driver {
                aws,
                members,
                daemons,
                configs,
                shared,
            };
            (0..DAEMONS).for_each(|daemon| driver.start(daemon));
            // Two daemons begin at once, and their timeouts are short: a machine that is very busy
            // needs some tries.
            driver.until_settled(PATIENCE * 3)?;
            let begun = Instant::now();
            let mut acts = [0; 5];
            for Step { at, act } in storm {
                wait_until(begun + at);
                if let Some(why) = shared.violation.lock().unwrap().take() {
                    return Err(why);
                }
                let kind = match act {
                    Act::Fault(_) => 0,
                    Act::Change(..) => 1,
                    Act::Kill(_) => 2,
                    Act::Event(_) => 3,
                    _ => 4,
                };
                acts[kind] += 1;
                driver.perform(act);
            }
            driver.aws.world.clear_faults();
            events::calm(&driver.aws.world);
            let settled = driver.until_settled(calm)?;
            let verified = driver.until_verified(calm)?;
            let [faults, changes, kills, of_events, _] = acts;
            let scrapes = shared.scrapes.load(Ordering::Relaxed);
            let summary = format!(
                "{faults} faults, {changes} changes, {kills} kills, {of_events} acts with events, \
                 {scrapes} scrapes; all values were right after {:.1} s of calm, and push was \
                 verified {:.1} s later",
                settled.as_secs_f64(),
                verified.as_secs_f64()
            );
            assert!(
                faults > 50 && changes > 20 && kills > 0 && of_events > 50 && scrapes > 100,
                "too little happened: {summary}"
            );
            Ok(summary)
        })
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn config(members: &[Member], daemon: usize, folder: &TempDir) -> String {
    let others = members
        .iter()
        .filter(|member| member.daemon() != daemon)
        .map(|member| format!("\"{}\"", member.id))
        .collect::<Vec<_>>()
        .join(", ");
    let access = ["both", "root"][daemon];
    let mut config = format!(
        "[refresh]\ninterval = \"1s\"\ntimeout = \"2s\"\nreport_timeout = \"5s\"\n\
         max_live_staleness = \"{}s\"\n[state]\npath = \"{}\"\n\
         [organization]\nenabled = true\ninterval = \"2s\"\naccess = \"{access}\"\n\
         external_id = \"{EXTERNAL_ID}\"\nexclude = [{others}]\n",
        STALENESS.as_secs(),
        folder.path().join(format!("state-{daemon}.redb")).display(),
    );
    let roles = members
        .iter()
        .filter(|one| one.way == Way::Role && one.id != id(HUB) && daemon == 0);
    config.extend(roles.map(|one| listed(one.id.number())));
    config
}

/// Carries out the steps of the storm.
struct Driver<'a> {
    aws: &'a Simulated,
    members: &'a [Member],
    daemons: &'a mut [Option<Daemon>; DAEMONS],
    configs: &'a [String; DAEMONS],
    shared: &'a Shared,
}

impl Driver<'_> {
    fn start(&mut self, daemon: usize) {
        let started = self.aws.launch(&self.configs[daemon]).start();
        let mut target = self.shared.targets[daemon].lock().unwrap();
        target.address = Some(started.address);
        target.starts += 1;
        target.started = Instant::now();
        self.daemons[daemon] = Some(started);
    }

    fn perform(&mut self, act: Act) {
        let world = &self.aws.world;
        match act {
            Act::Fault(fault) => {
                for member in self.members {
                    if fault.account.is_none_or(|id| id == member.id) {
                        self.note(member.id, format!("{fault:?}"));
                    }
                }
                world.fault(fault);
            }
            Act::Clear(id) => {
                self.note(id, "faults end".to_owned());
                world.clear_faults_of(id);
            }
            Act::ClearAll => world.clear_faults(),
            Act::NewReport(id) => {
                self.note(id, "its report is gone".to_owned());
                world.edit(id, |account| account.report.forget());
                let refused = Fault::new(FaultKind::AccessDenied).on("GetAccountSummary");
                world.fault(refused.of(id).times(1));
            }
            Act::Change(id, seed) => self.change(id, seed),
            Act::Event(act) => {
                if let Some(id) = act.perform(world) {
                    let root = world.edit(id, |account| account.root.inventory());
                    self.note(id, format!("TRUTH {root:?}, with an event"));
                }
            }
            Act::Kill(daemon) => {
                let mut target = self.shared.targets[daemon].lock().unwrap();
                target.address = None;
                target.killed = Instant::now();
                drop(target);
                // Dropping it sends SIGKILL.
                self.daemons[daemon] = None;
                for member in self.members.iter().filter(|one| one.daemon() == daemon) {
                    self.note(member.id, "killed".to_owned());
                }
            }
            Act::Start(daemon) => self.start(daemon),
        }
    }

    fn change(&self, id: AccountId, seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let root = self.aws.world.edit(id, |account| {
            random_change(&mut rng, &mut account.root, now());
            account.root.inventory()
        });
        self.note(id, format!("TRUTH {root:?}"));
    }

    fn note(&self, id: AccountId, what: String) {
        let mut journal = self.shared.journal.lock().unwrap();
        journal.push((Instant::now(), id, what));
    }

    /// Waits until the values of every account are right, and returns how long that took.
    fn until_settled(&self, bound: Duration) -> Result<Duration, String> {
        let begun = Instant::now();
        loop {
            if let Some(why) = self.shared.violation.lock().unwrap().take() {
                return Err(why);
            }
            let mut unsettled = Vec::new();
            let mut all_scraped = true;
            for of in &self.shared.unsettled {
                match &*of.lock().unwrap() {
                    Some((at, what)) if *at >= begun => unsettled.extend(what.iter().cloned()),
                    _ => all_scraped = false,
                }
            }
            if all_scraped && unsettled.is_empty() {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() > bound {
                let mut why = format!(
                    "{} s of calm, every daemon was scraped: {all_scraped}\n",
                    bound.as_secs()
                );
                for (id, what) in unsettled {
                    let member = self.members.iter().find(|member| member.id == id).unwrap();
                    why += &report(member, &what, self.shared);
                }
                return Err(why);
            }
            wait_until(Instant::now() + Duration::from_millis(50));
        }
    }

    /// Waits until the queues are read and every account's push is verified, and returns how long that
    /// took.
    fn until_verified(&self, bound: Duration) -> Result<Duration, String> {
        let begun = Instant::now();
        loop {
            if let Some(why) = self.shared.violation.lock().unwrap().take() {
                return Err(why);
            }
            let mut daemons = self.daemons.iter().flatten();
            match daemons.try_for_each(|daemon| events::verified(&daemon.scrape())) {
                Ok(()) => return Ok(begun.elapsed()),
                Err(why) if begun.elapsed() > bound => {
                    return Err(events::report(&self.shared.world, &why));
                }
                Err(_) => wait_until(Instant::now() + Duration::from_millis(100)),
            }
        }
    }
}

/// An account in the memory of its scraper.
struct Followed<'a> {
    member: &'a Member,
    answers: Answers,
    /// The last scrape, once its values were right: before there is nothing to compare.
    before: Option<Scrape>,
    /// When values changed: all that was known just before is saved then.
    changed: Vec<Instant>,
    shown: [Shown; 4],
}

/// Scrapes a daemon again and again, and checks its values by the rules.
fn scrape_on(daemon: usize, members: &[Member], shared: &Shared) {
    let mut followed: Vec<Followed> = members
        .iter()
        .filter(|member| member.daemon() == daemon)
        .map(|member| Followed {
            member,
            answers: Answers::default(),
            before: None,
            changed: Vec::new(),
            shown: Default::default(),
        })
        .collect();
    let (mut starts, mut calls) = (0, 0);
    while !shared.is_over.load(Ordering::Relaxed) {
        wait_until(Instant::now() + Duration::from_millis(40));
        let target = *shared.targets[daemon].lock().unwrap();
        let Some(address) = target.address else {
            continue;
        };
        let begun = Instant::now();
        let answer = http::try_get(address, "/metrics", &[ACCEPT_TEXT]);
        let ended = Instant::now();
        let answer = match answer {
            Ok(answer) if answer.status == 200 => answer,
            other => {
                let still = *shared.targets[daemon].lock().unwrap();
                if still.address == Some(address) && still.starts == target.starts {
                    let what = other.map_or_else(|e| e.to_string(), |a| a.status.to_string());
                    fail(
                        shared,
                        format!("daemon {daemon} is up and does not answer: {what}"),
                    );
                }
                continue;
            }
        };
        shared.scrapes.fetch_add(1, Ordering::Relaxed);
        // All that the daemon can have learned by the end of the scrape.
        let new_calls = shared.world.calls_after(calls);
        calls += new_calls.len();
        // The calls of the queues are calls of the caller's own account, and say nothing about it.
        let is_sqs = |call: &&Call| {
            call.operation
                .is_some_and(|it| it.service() == Service::Sqs)
        };
        for call in new_calls.iter().filter(|call| !is_sqs(call)) {
            let about = |one: &&mut Followed| Some(one.member.id) == call.account;
            if let Some(one) = followed.iter_mut().find(about) {
                one.answers.take(call);
            }
        }
        if starts != target.starts {
            starts = target.starts;
            for one in &mut followed {
                one.restarted(&target, shared.begun);
            }
        }
        let exposition = Exposition::parse(answer.text());
        let mut unsettled = Vec::new();
        for one in &mut followed {
            let scrape = Scrape {
                begun,
                ended,
                shown: shown(&exposition, one.member.id),
            };
            if let Err(why) = one.take(scrape, shared) {
                fail(shared, report(one.member, &why, shared));
                return;
            }
            if let Err(what) = settled(one.member, &scrape.shown, &shared.world) {
                unsettled.push((one.member.id, what));
            }
        }
        *shared.unsettled[daemon].lock().unwrap() = Some((begun, unsettled));
    }
}

impl Followed<'_> {
    fn take(&mut self, scrape: Scrape, shared: &Shared) -> Result<(), String> {
        if self.shown != scrape.shown {
            self.shown = scrape.shown;
            let mut journal = shared.journal.lock().unwrap();
            let what = format!("        shown {:?}", scrape.shown);
            journal.push((scrape.ended, self.member.id, what));
        }
        if let Some(before) = &self.before {
            if differs(&before.shown, &scrape.shown) {
                self.changed.push(before.begun);
            }
            let known = Known {
                before,
                answers: &self.answers,
                most_counted: &|topic| self.member.most_counted(topic),
            };
            rules::check(&scrape, known)?;
        } else if settled(self.member, &scrape.shown, &shared.world).is_err() {
            return Ok(());
        }
        self.before = Some(scrape);
        Ok(())
    }

    /// The daemon continues from what it had saved when it was killed.
    fn restarted(&mut self, target: &Target, begun: Instant) {
        let is_saved = |at: &&Instant| **at + SAVED_WITHIN <= target.killed;
        let saved = self.changed.iter().rfind(is_saved);
        let saved = saved.map_or(begun, |at| at.checked_sub(SHOWN_WITHIN).unwrap_or(begun));
        self.answers.lose(saved, target.started);
    }
}

/// Whether a value changed. One that is missing in either may be the same.
fn differs(one: &[Shown; 4], other: &[Shown; 4]) -> bool {
    let differ =
        |one: Option<usize>, other| one.zip(other).is_some_and(|(one, other)| one != other);
    let mut pairs = one.iter().zip(other);
    pairs.any(|(one, other)| differ(one.present, other.present) || differ(one.active, other.active))
}

fn fail(shared: &Shared, why: String) {
    shared.violation.lock().unwrap().get_or_insert(why);
}

/// The journal of an account, to understand what went wrong.
fn report(member: &Member, why: &str, shared: &Shared) -> String {
    let mut journal = shared.journal.lock().unwrap().clone();
    let calls = shared.world.calls();
    let calls = calls.iter().filter(|call| call.account == Some(member.id));
    journal.extend(calls.map(|call| {
        let operation = call.operation.map_or("", Operation::as_str);
        let whole = if call.whole { "" } else { " spoilt" };
        let answer = format!(
            "    {operation} {:?} {:?}{whole} {:?}",
            call.status, call.error, call.reported
        );
        (call.moment, member.id, answer)
    }));
    journal.retain(|(_, id, _)| *id == member.id);
    journal.sort_by_key(|(at, _, _)| *at);
    let mut text = format!(
        "{} ({:?}, counts {}): {why}\n",
        member.id, member.way, member.keys_counted
    );
    for (at, _, what) in journal {
        let since = at.saturating_duration_since(shared.begun).as_secs_f64();
        let _ = writeln!(text, "{since:8.3} {what}");
    }
    text
}

/// The values of an account in a scrape, by topic.
fn shown(exposition: &Exposition, id: AccountId) -> [Shown; 4] {
    let id = id.to_string();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "values are 0, 1 or 2"
    )]
    let value = |name: &str| {
        let value = exposition.value(name, &[("account", id.as_str())]);
        value.map(|value| value as usize)
    };
    let same = |active| Shown {
        present: active,
        active,
    };
    Topic::ALL.map(|topic| match topic {
        Topic::Keys => Shown {
            present: value("aws_root_access_keys_present"),
            active: value("aws_root_access_keys_active"),
        },
        Topic::Certificates => same(value("aws_root_signing_certificates_active")),
        Topic::MfaOff => same(value("aws_root_mfa_enabled").map(|on| 1 - on)),
        Topic::Password => same(value("aws_root_password_enabled")),
    })
}

/// Checks that all values are right.
fn settled(member: &Member, shown: &[Shown; 4], world: &World) -> Result<(), String> {
    let root = world.edit(member.id, |account| account.root.inventory());
    for topic in Topic::ALL {
        let truth = topic.counts(root);
        let Shown { present, active } = shown[topic as usize];
        let counted = truth.present.min(member.most_counted(topic));
        let is_true = if member.way == Way::Role && topic == Topic::Keys && counted > 0 {
            // A summary does not say which keys there are, nor which are active.
            present >= Some(counted) && active.is_some()
        } else {
            (present, active) == (Some(truth.present), Some(truth.active))
        };
        if !is_true {
            return Err(format!(
                "{topic:?}: {present:?} present, {active:?} active, not {truth:?}"
            ));
        }
    }
    Ok(())
}
