//! The accounts, the daemons that watch them, and those who watch the daemons.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_root_exporter::account::AccountId;
use aws_root_exporter::simulator::{Fault, FaultKind, KeyCount, LIFETIME, Ready};
use fastrand::Rng;
use serde_json::Value;
use tempfile::TempDir;

use crate::history::{History, Truth, Way};
use crate::plan::{Act, Step};
use crate::support::aws::EXTERNAL_ID;
use crate::support::daemon::{ACCEPT_TEXT, Daemon};
use crate::support::exposition::Exposition;
use crate::support::simulated::{HUB, Simulated, account, id, listed, now};
use crate::support::{PATIENCE, eventually, http};
use crate::wait_until;
use crate::witness::{Nature, Shown, Witness};

/// One daemon for the accounts with reports, one for those with a root session alone.
pub const DAEMONS: usize = 2;

/// `refresh.max_live_staleness` here: short, so that what is fine is withdrawn now and then.
const STALENESS: i64 = 20;

/// How much earlier than it seems from outside a look can have been: it is booked when its last
/// question is answered, `refresh.timeout` after the first at the latest, and all times that are
/// shown are whole seconds. The rest is for a machine that is busy.
const STALE_BEFORE: i64 = 2 + 2 + 3;

/// How soon after the start of the storm reports run out, at the latest.
const REPORTS_RUN_OUT_WITHIN: i64 = 45;

/// An account in the storm.
struct Member {
    id: AccountId,
    nature: Nature,
    history: Mutex<History>,
}

impl Member {
    fn daemon(&self) -> usize {
        usize::from(self.nature.way == Way::Root)
    }
}

/// What those who scrape and those who make the storm tell each other.
struct Shared {
    begun: Instant,
    targets: [Mutex<Target>; DAEMONS],
    /// What is not as it is, of each daemon, and since when that was asked.
    unsettled: [Mutex<Option<(Instant, Unsettled)>>; DAEMONS],
    violation: Mutex<Option<String>>,
    journal: Mutex<Vec<(Instant, AccountId, String)>>,
    scrapes: AtomicU64,
    is_over: AtomicBool,
}

/// The accounts of which not everything is shown as it is, and what is not.
type Unsettled = Vec<(AccountId, String)>;

/// A daemon, as its scraper knows it.
#[derive(Clone, Copy)]
struct Target {
    address: Option<SocketAddr>,
    starts: u32,
    killed: Instant,
}

pub struct Fleet {
    aws: Simulated,
    accounts: Vec<(AccountId, Way)>,
    members: Vec<Member>,
    daemons: [Option<Daemon>; DAEMONS],
    configs: [String; DAEMONS],
    shared: Shared,
    /// Where the daemons keep their states from one start to the next.
    folder: TempDir,
}

impl Fleet {
    /// Thirty accounts, ten by each way, and nothing wrong with the world.
    pub fn at_anchor(seed: u64) -> Self {
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
            let nature = Nature {
                way,
                summary_counts: rng.u8(1..=2),
                first_report: start - LIFETIME + rng.i64(5..REPORTS_RUN_OUT_WITHIN),
                report_takes: rng.i64(0..4),
            };
            let mut member = account(number, &format!("member-{number}"));
            for _ in 0..rng.usize(0..6) {
                member.root.random_change(&mut rng, start);
            }
            if nature.summary_counts == 1 {
                member.summary.keys = KeyCount::AtMostOne;
            }
            member.report.ready = Ready::After(nature.report_takes);
            member.store_report(nature.first_report);
            members.push(Member {
                id: member.id(),
                nature,
                history: Mutex::new(History::new(Truth::of(&member.root), start)),
            });
            aws.world.add(member);
        }
        let folder = TempDir::new().expect("a temporary folder");
        let configs = [0, 1].map(|daemon| config(&members, daemon, &folder));
        let target = || {
            Mutex::new(Target {
                address: None,
                starts: 0,
                killed: Instant::now(),
            })
        };
        Self {
            accounts: members.iter().map(|one| (one.id, one.nature.way)).collect(),
            aws,
            members,
            daemons: [None, None],
            configs,
            shared: Shared {
                begun: Instant::now(),
                targets: [target(), target()],
                unsettled: [Mutex::new(None), Mutex::new(None)],
                violation: Mutex::default(),
                journal: Mutex::default(),
                scrapes: AtomicU64::new(0),
                is_over: AtomicBool::new(false),
            },
            folder,
        }
    }

    pub fn accounts(&self) -> &[(AccountId, Way)] {
        &self.accounts
    }

    /// Lives through the storm and the calm after it, and tells of it.
    ///
    /// # Errors
    ///
    /// Says what was shown that should not have been.
    pub fn weather(&mut self, storm: Vec<Step>, calm: Duration) -> Result<String, String> {
        let Self {
            aws,
            members,
            daemons,
            configs,
            shared,
            folder,
            ..
        } = self;
        thread::scope(|scope| {
            for daemon in 0..DAEMONS {
                let (members, shared) = (&*members, &*shared);
                scope.spawn(move || watch(daemon, members, shared));
            }
            // The scrapers end with the storm, also where it panics.
            let _over = Over(&shared.is_over);
            let mut crew = Crew {
                aws,
                members,
                daemons,
                configs,
                shared,
            };
            (0..DAEMONS).for_each(|daemon| crew.start(daemon));
            // Two daemons begin at once, and their timeouts are short: a machine that is very busy
            // needs some tries.
            crew.until_settled(PATIENCE * 3)?;
            (0..DAEMONS).for_each(|daemon| until_saved(members, daemon, folder));
            let begun = Instant::now();
            let mut acts = [0; 4];
            for Step { at, act } in storm {
                wait_until(begun + at);
                if let Some(why) = shared.violation.lock().unwrap().take() {
                    return Err(why);
                }
                let kind = match act {
                    Act::Fault(_) => 0,
                    Act::Change(..) => 1,
                    Act::Kill(_) => 2,
                    _ => 3,
                };
                acts[kind] += 1;
                crew.perform(act);
            }
            crew.aws.world.clear_faults();
            let settled = crew.until_settled(calm)?;
            let [faults, changes, kills, _] = acts;
            let scrapes = shared.scrapes.load(Ordering::Relaxed);
            let told = format!(
                "{faults} faults, {changes} changes, {kills} kills, {scrapes} scrapes; \
                 all was known again after {:.1} s of calm",
                settled.as_secs_f64()
            );
            assert!(
                faults > 50 && changes > 20 && kills > 0 && scrapes > 100,
                "that was no storm: {told}"
            );
            Ok(told)
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
         max_live_staleness = \"{STALENESS}s\"\n[state]\npath = \"{}\"\n\
         [organization]\nenabled = true\ninterval = \"2s\"\naccess = \"{access}\"\n\
         external_id = \"{EXTERNAL_ID}\"\nexclude = [{others}]\n",
        state_file(folder, daemon),
    );
    let roles = members
        .iter()
        .filter(|one| one.nature.way == Way::Role && one.id != id(HUB) && daemon == 0);
    config.extend(roles.map(|one| listed(one.id.number())));
    config
}

fn state_file(folder: &TempDir, daemon: usize) -> String {
    let path = folder.path().join(format!("state-{daemon}.json"));
    path.display().to_string()
}

/// Waits until all accounts of a daemon are in its state file, with their reports: what a start
/// may go on from. A report that changes no figure may take half a minute to get there.
fn until_saved(members: &[Member], daemon: usize, folder: &TempDir) {
    let all = members.iter().filter(|one| one.daemon() == daemon);
    eventually(PATIENCE, || {
        let text = std::fs::read(state_file(folder, daemon)).map_err(|error| error.to_string())?;
        let state: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let is_saved = |member: &Member| {
            let saved = &state["state"]["accounts"][member.id.to_string()];
            saved.is_object() && (member.nature.way == Way::Root || saved["report"].is_object())
        };
        match all.clone().find(|member| !is_saved(member)) {
            None => Ok(()),
            Some(member) => Err(format!("{} is not saved", member.id)),
        }
    });
}

/// Those who make the storm.
struct Crew<'a> {
    aws: &'a Simulated,
    members: &'a [Member],
    daemons: &'a mut [Option<Daemon>; DAEMONS],
    configs: &'a [String; DAEMONS],
    shared: &'a Shared,
}

impl Crew<'_> {
    fn start(&mut self, daemon: usize) {
        let started = self.aws.launch(&self.configs[daemon]).start();
        let mut target = self.shared.targets[daemon].lock().unwrap();
        target.address = Some(started.address);
        target.starts += 1;
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
            Act::Kill(daemon) => {
                let mut target = self.shared.targets[daemon].lock().unwrap();
                target.address = None;
                target.killed = Instant::now();
                drop(target);
                // By SIGKILL, which nothing can prepare for.
                self.daemons[daemon] = None;
                for member in self.members.iter().filter(|one| one.daemon() == daemon) {
                    self.note(member.id, "killed".to_owned());
                }
            }
            Act::Start(daemon) => self.start(daemon),
        }
    }

    fn change(&self, id: AccountId, seed: u64) {
        let member = self.members.iter().find(|member| member.id == id).unwrap();
        let mut root = self.aws.world.edit(id, |account| account.root.clone());
        let before = Truth::of(&root);
        root.random_change(&mut Rng::with_seed(seed), now());
        let truth = Truth::of(&root);
        if truth != before {
            // The history has it before it is true, so that nobody sees it too early.
            member.history.lock().unwrap().begin(truth, now());
        }
        self.aws.world.edit(id, |account| account.root = root);
        if truth != before {
            member.history.lock().unwrap().done(now());
            self.note(id, format!("TRUTH {truth:?}"));
        }
    }

    fn note(&self, id: AccountId, what: String) {
        let mut journal = self.shared.journal.lock().unwrap();
        journal.push((Instant::now(), id, what));
    }

    /// Waits until all that is true is shown, and says how long that took.
    fn until_settled(&self, bound: Duration) -> Result<Duration, String> {
        let asked = Instant::now();
        loop {
            if let Some(why) = self.shared.violation.lock().unwrap().take() {
                return Err(why);
            }
            let mut unsettled = Vec::new();
            let mut is_asked = true;
            for of in &self.shared.unsettled {
                match &*of.lock().unwrap() {
                    Some((at, what)) if *at >= asked => unsettled.extend(what.iter().cloned()),
                    _ => is_asked = false,
                }
            }
            if is_asked && unsettled.is_empty() {
                return Ok(asked.elapsed());
            }
            if asked.elapsed() > bound {
                let mut why = format!(
                    "{} s of calm, every daemon was scraped: {is_asked}\n",
                    bound.as_secs()
                );
                for (id, what) in unsettled {
                    let member = self.members.iter().find(|member| member.id == id).unwrap();
                    let history = member.history.lock().unwrap().clone();
                    why += &tell(member, &what, &history, self.shared);
                }
                return Err(why);
            }
            wait_until(Instant::now() + Duration::from_millis(50));
        }
    }
}

/// Scrapes a daemon again and again, and compares what it shows with what is true.
fn watch(daemon: usize, members: &[Member], shared: &Shared) {
    let mut watched: Vec<(&Member, Option<Witness>, Option<Shown>)> = members
        .iter()
        .filter(|member| member.daemon() == daemon)
        .map(|member| (member, None, None))
        .collect();
    let mut starts = 0;
    while !shared.is_over.load(Ordering::Relaxed) {
        wait_until(Instant::now() + Duration::from_millis(40));
        let target = *shared.targets[daemon].lock().unwrap();
        let Some(address) = target.address else {
            continue;
        };
        if starts != target.starts {
            starts = target.starts;
            for witness in watched
                .iter_mut()
                .filter_map(|(_, witness, _)| witness.as_mut())
            {
                witness.restarted(target.killed);
            }
        }
        let begun = Instant::now();
        let answer = http::try_get(address, "/metrics", &[ACCEPT_TEXT]);
        let answer = match answer {
            Ok(answer) if answer.status == 200 => answer,
            other => {
                let still = *shared.targets[daemon].lock().unwrap();
                if still.address == Some(address) && still.starts == starts {
                    let what = other.map_or_else(|e| e.to_string(), |a| a.status.to_string());
                    fail(
                        shared,
                        format!("daemon {daemon} is up and does not answer: {what}"),
                    );
                }
                continue;
            }
        };
        let (ended, wall) = (Instant::now(), now());
        let exposition = Exposition::parse(answer.text());
        shared.scrapes.fetch_add(1, Ordering::Relaxed);
        let mut unsettled = Vec::new();
        for (member, witness, before) in &mut watched {
            let shown = shown(&exposition, member.id, wall);
            let history = member.history.lock().unwrap().clone();
            if before.as_ref() != Some(&shown) {
                let mut journal = shared.journal.lock().unwrap();
                journal.push((ended, member.id, format!("        shown {shown:?}")));
                *before = Some(shown.clone());
            }
            // Until all is known once there is nothing to compare.
            let trial = Witness::new(member.nature, ended);
            let settled = witness
                .as_ref()
                .unwrap_or(&trial)
                .is_settled(&shown, &history);
            match (witness.as_mut(), &settled) {
                (Some(witness), _) => {
                    if let Err(why) = witness.take(&shown, ended, &history) {
                        fail(shared, tell(member, &why, &history, shared));
                        return;
                    }
                }
                (None, Ok(())) => *witness = Some(trial),
                (None, Err(_)) => {}
            }
            if let Err(what) = settled {
                unsettled.push((member.id, what));
            }
        }
        *shared.unsettled[daemon].lock().unwrap() = Some((begun, unsettled));
    }
}

fn fail(shared: &Shared, why: String) {
    shared.violation.lock().unwrap().get_or_insert(why);
}

/// All that helps to understand what went wrong with an account.
fn tell(member: &Member, why: &str, history: &History, shared: &Shared) -> String {
    let since = |at: Instant| at.saturating_duration_since(shared.begun).as_secs_f64();
    let mut text = format!("{} ({:?}): {why}\n", member.id, member.nature);
    for era in 0..=history.last() {
        let one = history.era(era);
        let _ = writeln!(
            text,
            "era {era} from {:.3} ({}): {:?}",
            since(one.begun),
            one.from,
            one.truth
        );
    }
    let mut journal = shared.journal.lock().unwrap().clone();
    journal.sort_by_key(|(at, _, _)| *at);
    for (at, _, what) in journal.iter().filter(|(_, id, _)| *id == member.id) {
        let _ = writeln!(text, "{:8.3} {what}", since(*at));
    }
    text
}

/// What a scrape that ended in that second shows of an account.
fn shown(exposition: &Exposition, id: AccountId, wall: i64) -> Shown {
    let id = id.to_string();
    let of = [("account", id.as_str())];
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "figures are 0, 1 or 2"
    )]
    let figure = |name: &str| exposition.value(name, &of).map(|value| value as u8);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds of this century are exact"
    )]
    let seconds = |value: f64| value as i64;
    let looked = ["account_summary", "root_session"]
        .into_iter()
        .filter_map(|source| {
            let name = "aws_account_last_success_timestamp_seconds";
            exposition.value(name, &[of[0], ("source", source)])
        })
        .map(seconds)
        .max();
    Shown {
        keys: vec![
            figure("aws_root_access_keys_active"),
            figure("aws_root_access_keys_present"),
        ],
        certificates: vec![figure("aws_root_signing_certificates_active")],
        mfa: vec![figure("aws_root_mfa_enabled")],
        password: vec![figure("aws_root_password_enabled")],
        report: exposition
            .value("aws_credential_report_generated_timestamp_seconds", &of)
            .map(seconds),
        is_stale: looked.is_some_and(|looked| wall - looked >= STALENESS - STALE_BEFORE),
    }
}
